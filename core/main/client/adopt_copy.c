/* SPDX-License-Identifier: Apache-2.0 */
/* The log of the new node: what follows a START record, written anew from lsn 0 by the spool's own code. Records that
 * name others by lsn are translated; what they name before that START belongs to the old node and is left out. The
 * ledger's counts begin at 0 too. */
#include "main/client/adopt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/seam.h"
#include "meter/ledger_terms.h"
#include "spool/payload.h"

#define WRITE_AT (1u << 20)

struct place {
	uint64_t old, fresh;
};

struct copying {
	struct adopt *ad;
	struct spool *to;
	struct place *places; /* of copied EVENTS and REDIS records, by old lsn rising */
	size_t n, cap;
	struct terms *terms; /* as of the last record appended */
	struct arena arena;
	size_t unwritten;
	uint64_t end;
};

static size_t write_checkpoint(void *arg, void *buf, size_t cap)
{
	struct copying *cp = arg;
	struct tally_str bytes = terms_encode(cp->terms, &cp->arena);
	if (bytes.len > cap)
		return 0;
	if (bytes.len)
		memcpy(buf, bytes.ptr, bytes.len);
	return bytes.len;
}

static void note_place(struct copying *cp, uint64_t old, uint64_t fresh)
{
	if (cp->n == cp->cap) {
		cp->cap = cp->cap ? 2 * cp->cap : 1024;
		cp->places = realloc(cp->places, cp->cap * sizeof *cp->places);
		MUST(cp->places != NULL);
	}
	cp->places[cp->n++] = (struct place){ old, fresh };
}

static const struct place *find_place(const struct copying *cp, uint64_t old)
{
	size_t low = 0, high = cp->n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (cp->places[mid].old < old)
			low = mid + 1;
		else
			high = mid;
	}
	return low < cp->n && cp->places[low].old == old ? &cp->places[low] : NULL;
}

static int write_and_sync(struct copying *cp)
{
	int rc = spool_write(cp->to);
	if (rc == 0)
		rc = spool_sync(cp->to, cp->end);
	cp->unwritten = 0;
	return rc;
}

static int append(struct copying *cp, const struct spool_record *rec, const struct iovec *iov, int n, size_t len)
{
	struct spool_record out;
	int rc = spool_reserve(cp->to, len, 1);
	if (rc)
		return rc;
	spool_append(cp->to, rec->type, rec->time_us, iov, n, &out);
	cp->end = out.end;
	cp->ad->records++;
	if (rec->type == SPOOL_REDIS || rec->type == SPOOL_EVENTS)
		note_place(cp, rec->lsn, out.lsn);
	cp->unwritten += len;
	return cp->unwritten < WRITE_AT ? 0 : write_and_sync(cp);
}

static void add_terms(struct copying *cp, const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms;
	if (payload_take_sized(&p, &terms))
		(void)!terms_merge(cp->terms, terms.ptr, terms.len);
}

/* A record whose payload names another record's lsn at `at`. */
static int append_naming(struct copying *cp, const struct spool_record *rec, size_t at)
{
	uint8_t lsn[8];
	const char *p = rec->payload;
	if (rec->len < at + 8)
		return 0;
	const struct place *to = find_place(cp, get_u64(p + at));
	if (!to) {
		cp->ad->left_out++;
		return 0;
	}
	put_u64(lsn, to->fresh);
	struct iovec iov[] = { { (void *)(uintptr_t)p, at }, { lsn, 8 },
		{ (void *)(uintptr_t)(p + at + 8), rec->len - at - 8 } };
	if (rec->type == SPOOL_RELEASE)
		cp->ad->again += payload_count_taken(str_make(p + at + 8, rec->len - at - 8));
	int rc = append(cp, rec, iov, 3, rec->len);
	if (rec->type == SPOOL_RELEASE)
		add_terms(cp, rec);
	return rc;
}

static int append_as_it_is(struct copying *cp, const struct spool_record *rec)
{
	struct iovec iov = { (void *)(uintptr_t)rec->payload, rec->len };
	int rc = append(cp, rec, &iov, 1, rec->len);
	if (rec->type != SPOOL_EVENTS)
		return rc;
	struct tally_str p = { rec->payload, rec->len }, terms;
	uint32_t n;
	if (payload_take_sized(&p, &terms) && payload_take_u32(&p, &n))
		cp->ad->again += n;
	add_terms(cp, rec); /* behind append(): a checkpoint before this record must not hold them */
	return rc;
}

static size_t terms_len(const struct spool_record *rec)
{
	struct tally_str p = { rec->payload, rec->len }, terms;
	return payload_take_sized(&p, &terms) ? 4 + terms.len : rec->len;
}

/* u32 0, u16 line bytes, line, u64 lsn, … */
static size_t dead_lsn_at(const struct spool_record *rec)
{
	return rec->len < 6 ? rec->len : 6 + (size_t)get_u16((const char *)rec->payload + 4);
}

static int copy_record(void *arg, const struct spool_record *rec)
{
	struct copying *cp = arg;
	if (rec->lsn < cp->ad->from)
		return 0;
	arena_reset(&cp->arena);
	switch (rec->type) {
	case SPOOL_CHECKPOINT:
		return 0;   /* of the old node's counts; the new log makes its own */
	case SPOOL_LETTERS: /* they lie in a store, as the old node's */
		cp->ad->left_out++;
		return 0;
	case SPOOL_RELEASE:
	case SPOOL_VOID:
		return append_naming(cp, rec, terms_len(rec));
	case SPOOL_DEAD:
		return append_naming(cp, rec, dead_lsn_at(rec));
	default:
		return append_as_it_is(cp, rec);
	}
}

/* Segments as large as before, so that what was one record still is one. */
static uint64_t segment_bytes(const struct spool_look *look)
{
	uint64_t most = 0;
	for (size_t i = 0; i < look->nsegments; i++)
		most = look->segments[i].bytes > most ? look->segments[i].bytes : most;
	return most;
}

int adopt_copy(struct adopt *ad, const char *from_dir, const struct spool_look *seen, const char *to_dir, char why[256])
{
	struct copying cp = { .ad = ad, .terms = terms_open() };
	struct spool_look look = { 0 };
	struct spool_options opt = {
		.dir = to_dir, .segment_bytes = segment_bytes(seen), .max_bytes = UINT64_MAX / 2, .no_helper = true
	};
	memcpy(opt.node, ad->fresh.uuid, sizeof opt.node);
	arena_init(&cp.arena, 0);
	int rc = spool_open(&opt, NULL, NULL, &cp.to, why);
	if (rc == 0) {
		ad->again = ad->records = ad->left_out = 0;
		spool_set_checkpoint(cp.to, write_checkpoint, &cp);
		rc = spool_look(from_dir, ad->old.uuid, copy_record, &cp, &look, why);
		if (rc == 0)
			rc = seam_pass("adopt.copied");
		if (rc == 0)
			rc = write_and_sync(&cp);
		ad->end = cp.end;
		if (rc < 0)
			snprintf(why, 256, "cannot copy the log to %.120s: %.80s", to_dir, strerror(-rc));
		spool_close(cp.to);
	}
	spool_look_free(&look);
	terms_close(cp.terms);
	arena_free(&cp.arena);
	free(cp.places);
	return rc;
}
