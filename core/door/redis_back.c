/* SPDX-License-Identifier: Apache-2.0 */
/* A Redis that went back: restored from an older file, or a replica promoted that had not heard the last writes. Its note
 * of our last batch is older than what we released, and elements that we hold stand in the list again. They stand at its
 * head and in order, since list and note go back together: so the batches released after the noted one are read out of
 * the spool, oldest first, and compared element by element with what stands there. What is equal is trimmed unread; the
 * first that is not equal ends it, since Redis lost what followed. As long as the spool keeps those batches
 * (`spool.retain`) nothing is counted twice.
 *
 * It may go back again, to before the first time was noticed. Then what was lost the first time is followed by batches
 * taken since, which may stand there once more: behind the batch that was the last when it had gone back (a turn) comparing
 * begins anew. Turns are remembered as long as the process lives.
 *
 * Only hashes are compared, and only once: an element pushed since, byte for byte equal to the one that stood in its
 * place, is taken for that one. */
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/seam.h"
#include "door/redis_inner.h"
#include "spool/payload.h"

#define OPEN_MOST 64 /* pending batches between a REDIS record and its RELEASE; one at a time is usual */

/* What is held of a batch until its RELEASE or VOID is met. */
struct seen {
	uint64_t lsn;
	char id[REDIS_BATCH_ID];
	struct tally_str hashes;
};

struct looking_back {
	struct redis_source *source;
	struct arena arena;
	struct seen open[OPEN_MOST];
	size_t nopen;
	const char *acked;
	bool behind; /* the noted batch has been passed: what follows is not known to Redis */
	bool over;   /* nothing more can be equal, up to the next turn */
	bool broken;
	uint64_t trimmed;
};

/* How many elements from the head on are those of the batch. */
static size_t equal_prefix(const redisReply *there, struct tally_str hashes)
{
	size_t n = 0, most = hashes.len / 8;
	if (there->type != REDIS_REPLY_ARRAY)
		return 0;
	while (n < most && n < there->elements && redis_hash(there->element[n]) == get_u64(hashes.ptr + 8 * n))
		n++;
	return n;
}

/* Trims what is equal and notes the batch, as if it had just been taken; its events are in the spool. */
static void compare(struct looking_back *k, const struct seen *batch)
{
	struct redis_source *s = k->source;
	struct redis_batch b = { 0 };
	arena_reset(&s->arena);
	b.elements = redis_look(s, batch->hashes.len / 8);
	if (!b.elements) {
		k->broken = true;
		return;
	}
	b.n = equal_prefix(b.elements, batch->hashes);
	memcpy(b.id, batch->id, sizeof b.id);
	k->over = b.n < batch->hashes.len / 8;
	if (b.n && redis_settle(s, &b) != SETTLED_OK)
		k->broken = true;
	else
		k->trimmed += b.n;
	freeReplyObject(b.elements);
}

static void meet_batch(struct looking_back *k, const struct spool_record *rec)
{
	struct redis_head head;
	const char *p = rec->payload;
	if (rec->len < 4 || get_u32(p) > rec->len - 4 || !redis_head_read(str_make(p + 4, get_u32(p)), &head) ||
		!str_eq(head.list, str_of(k->source->opt.source->list)) || k->nopen == OPEN_MOST)
		return;
	struct seen *s = &k->open[k->nopen++];
	s->lsn = rec->lsn;
	memcpy(s->id, head.id, sizeof s->id);
	s->hashes = arena_str(&k->arena, str_make(head.hashes, head.n * 8));
}

static bool is_turn(const struct redis_source *s, const char *id)
{
	for (size_t i = 0; i < s->nturns && i < REDIS_TURNS; i++)
		if (strcmp(s->turns[i], id) == 0)
			return true;
	return false;
}

static void meet_released(struct looking_back *k, const struct seen *batch)
{
	if (k->behind && !k->over)
		compare(k, batch);
	if (strcmp(batch->id, k->acked) == 0)
		k->behind = true;
	if (is_turn(k->source, batch->id))
		k->over = false;
}

static void meet_fate(struct looking_back *k, const struct spool_record *rec)
{
	const char *p = rec->payload;
	if (rec->len < 12 || get_u32(p) > rec->len - 12)
		return;
	uint64_t lsn = get_u64(p + 4 + get_u32(p));
	size_t i = 0;
	while (i < k->nopen && k->open[i].lsn != lsn)
		i++;
	if (i == k->nopen)
		return;
	if (rec->type == SPOOL_RELEASE)
		meet_released(k, &k->open[i]);
	memmove(&k->open[i], &k->open[i + 1], (--k->nopen - i) * sizeof k->open[i]);
	if (!k->nopen)
		arena_reset(&k->arena);
}

static void look_back(struct looking_back *k)
{
	struct spool_record rec;
	struct spool_reader *r = spool_reader_open(ledger_spool(k->source->opt.ledger));
	spool_reader_hold(r, 0);
	int rc = spool_reader_seek(r, (struct tally_position){ 0, 0 });
	while (rc == 0 && !k->broken && spool_reader_next(r, &rec) == 1) {
		if (rec.type == SPOOL_REDIS)
			meet_batch(k, &rec);
		else if (rec.type == SPOOL_RELEASE || rec.type == SPOOL_VOID)
			meet_fate(k, &rec);
	}
	spool_reader_close(r);
}

static void tell(struct redis_source *s, const struct looking_back *k)
{
	if (!k->behind)
		log_error("redis",
			"%s: Redis went back further than the spool remembers; elements that it has again are taken again",
			s->opt.source->list);
	else
		log_warn("redis",
			"%s: Redis went back behind its last acknowledgement; %llu elements had been taken and are "
			"trimmed unread",
			s->opt.source->list, (unsigned long long)k->trimmed);
	meter_add(meter_get(M_REDIS_TRIMMED, str_of(s->opt.source->list), STR(""), STR("")), (int64_t)k->trimmed);
	pthread_mutex_lock(&s->lock);
	s->view.went_back++;
	s->view.trimmed += k->trimmed;
	pthread_mutex_unlock(&s->lock);
}

bool redis_catch_up(struct redis_source *s, const char *acked)
{
	if (!s->last[0] || strcmp(s->last, acked) == 0 || MUTANT("void_released"))
		return true;
	struct looking_back k = { .source = s, .acked = acked, .behind = !acked[0] };
	arena_init(&k.arena, 1 << 20);
	look_back(&k);
	arena_free(&k.arena);
	if (k.broken)
		return false;
	struct redis_batch note = { .n = 0 };
	memcpy(note.id, s->last, sizeof note.id);
	if (redis_settle(s, &note) != SETTLED_OK)
		return false;
	memcpy(s->turns[s->nturns++ % REDIS_TURNS], s->last, sizeof s->last);
	tell(s, &k);
	return true;
}
