/* SPDX-License-Identifier: Apache-2.0 */
/* The group in hand: records built in memory, in the segments that will take them. Nothing here touches a file that
 * counts, so a group can be taken back at no cost until it is written. All of it belongs to the ledger. */
#include "spool/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/memory.h"

#define BUFFER_FIRST (64 << 10)
#define BUFFER_KEPT (4 << 20) /* larger ones are not kept for reuse */

static struct group *group_get(struct spool *sp)
{
	struct group *g = sp->idle;
	if (g)
		sp->idle = g->next;
	else
		g = memory_zalloc(1, sizeof *g);
	MUST(g != NULL);
	return g;
}

void group_put(struct spool *sp, struct group *g)
{
	if (g->cap > BUFFER_KEPT) {
		free(g->buf);
		g->buf = NULL;
		g->cap = 0;
	}
	*g = (struct group){ .buf = g->buf, .cap = g->cap, .parts = g->parts, .parts_cap = g->parts_cap };
	g->next = sp->idle;
	sp->idle = g;
}

void group_free_list(struct group *g)
{
	while (g) {
		struct group *next = g->next;
		free(g->buf);
		free(g->parts);
		free(g);
		g = next;
	}
}

static struct group *in_hand(struct spool *sp)
{
	struct group *g = sp->hand;
	if (g)
		return g;
	g = sp->hand = group_get(sp);
	g->from = g->to = sp->end;
	g->from_mark = g->to_mark = sp->mark;
	g->from_us = sp->last_us;
	g->from_seg = sp->cur;
	g->synced = atomic_load_explicit(&sp->durable, memory_order_acquire);
	return g;
}

static struct part *part_add(struct group *g, struct segment *seg, bool fresh)
{
	if (g->nparts == g->parts_cap) {
		g->parts_cap = g->parts_cap ? 2 * g->parts_cap : 4;
		g->parts = memory_grow(g->parts, g->parts_cap * sizeof *g->parts);
		MUST(g->parts != NULL);
	}
	struct part *p = &g->parts[g->nparts++];
	*p = (struct part){ .seg = seg, .from = g->to, .at = g->len, .fresh = fresh };
	return p;
}

uint64_t group_part_end(const struct group *g, size_t i)
{
	return i + 1 < g->nparts ? g->parts[i + 1].from : g->to;
}

static void buffer_grow(struct group *g, size_t want)
{
	size_t cap = g->cap ? g->cap : BUFFER_FIRST;
	while (cap < want)
		cap *= 2;
	if (cap == g->cap)
		return;
	g->buf = memory_grow(g->buf, cap);
	MUST(g->buf != NULL);
	g->cap = cap;
}

/* Takes size more bytes of the current segment into the group in hand. The caller fills all of them. */
uint8_t *group_extend(struct spool *sp, uint64_t size, int64_t time_us)
{
	struct group *g = in_hand(sp);
	struct part *p = g->nparts ? &g->parts[g->nparts - 1] : NULL;
	if (!p || p->seg != sp->cur)
		p = part_add(g, sp->cur, false);
	MUST(size <= segment_room(sp->cur, g->to));
	buffer_grow(g, g->len + size);
	if (!p->first_us)
		p->first_us = time_us;
	p->last_us = time_us;
	uint8_t *at = g->buf + g->len;
	g->len += size;
	g->to += size;
	return at;
}

/* Takes a spare as the current segment from here on. Its head is written with the group. */
struct segment *group_begin_segment(struct spool *sp)
{
	struct group *g = in_hand(sp);
	struct segment *seg = spare_take(sp);
	seg->head.kind = FORMAT_LIVE;
	seg->head.number = ++sp->number;
	seg->head.first = sp->end;
	seg->head.mark = sp->mark;
	seg->head.synced = g->synced;
	MUST(getrandom(&seg->head.salt, sizeof seg->head.salt, 0) == (ssize_t)sizeof seg->head.salt);
	seg->end = sp->end;
	sp->cur = seg;
	part_add(g, seg, true);
	return seg;
}

static uint32_t payload_copy(uint8_t *to, const struct iovec *iov, int iovcnt)
{
	uint32_t crc = 0;
	for (int i = 0; i < iovcnt; i++) {
		if (!iov[i].iov_len)
			continue;
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		crc = crc32c(crc, to, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	return crc;
}

static void append_here(
	struct spool *sp, uint32_t type, const struct iovec *iov, int iovcnt, size_t len, struct spool_record *out)
{
	uint64_t size = format_size(len);
	uint8_t *at = group_extend(sp, size, sp->last_us);
	memset(at + size - 8, 0, 8);
	struct format_record r = {
		.len = (uint32_t)len,
		.type = type,
		.lsn = sp->end,
		.time_us = sp->last_us,
		.synced = sp->hand->synced,
		.crc = payload_copy(at + FORMAT_HEAD, iov, iovcnt),
	};
	r.mark = format_mark(sp->mark, r.lsn, type, r.crc);
	format_put_record(at, &r, sp->cur->head.salt);
	sp->end = sp->hand->to;
	sp->mark = sp->hand->to_mark = r.mark;
	*out = (struct spool_record){
		.lsn = r.lsn,
		.end = sp->end,
		.mark = r.mark,
		.synced = r.synced,
		.time_us = r.time_us,
		.type = type,
		.len = len,
	};
}

void group_checkpoint(struct spool *sp)
{
	struct spool_record ignored;
	struct iovec iov = { sp->checkpoint_buf, 0 };
	if (sp->checkpoint_fn)
		iov.iov_len = sp->checkpoint_fn(sp->checkpoint_arg, sp->checkpoint_buf, sp->checkpoint_max);
	MUST(iov.iov_len <= sp->checkpoint_max);
	append_here(sp, SPOOL_CHECKPOINT, &iov, 1, iov.iov_len, &ignored);
}

int spool_reserve(struct spool *sp, size_t payload_bytes, size_t records)
{
	uint64_t need = payload_bytes + records * format_size(7);
	uint64_t fits = segment_capacity(sp) - format_size(sp->checkpoint_max);
	if (sp->cur && need <= segment_room(sp->cur, sp->end))
		return 0;
	/* a segment's end may stay unused by nearly the largest record */
	uint64_t wasteful = fits - format_size(sp->payload_max);
	uint64_t count = need <= fits ? 1 : 1 + (need + wasteful - 1) / wasteful;
	int rc = spare_need(sp, count, true);
	if (rc == 0 && count == 1 && sp->cur) {
		group_begin_segment(sp);
		group_checkpoint(sp);
	}
	return rc;
}

void spool_append(struct spool *sp, enum spool_type type, int64_t time_us, const struct iovec *iov, int iovcnt,
	struct spool_record *out)
{
	size_t len = 0;
	for (int i = 0; i < iovcnt; i++)
		len += iov[i].iov_len;
	MUST(len <= sp->payload_max);
	in_hand(sp); /* before the time moves: taking the group back restores it */
	if (time_us > sp->last_us)
		sp->last_us = time_us;
	if (!sp->cur || format_size(len) > segment_room(sp->cur, sp->end)) {
		group_begin_segment(sp);
		group_checkpoint(sp);
	}
	append_here(sp, type, iov, iovcnt, len, out);
}
