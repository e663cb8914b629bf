/* SPDX-License-Identifier: Apache-2.0 */
/* What is inside the records that carry events.
 *
 * EVENTS:  u32 terms bytes, terms, u32 n, n events in spool form.
 * REDIS:   u32 head bytes, head (the redis door's own), u32 n, n events. No terms: nothing is counted while pending.
 * RELEASE: u32 terms bytes, terms, u64 lsn of its REDIS record, u32 n, n verdict bytes (enum payload_verdict).
 * VOID:    u32 0, u64 lsn of its REDIS record.
 * CHECKPOINT: the ledger's terms, absolute, as of this place.
 * DEAD:    u32 0, u16 line name bytes, name, u64 lsn, u32 idx, i32 code, u16 message bytes, message:
 *          that event of that line is a dead letter.
 * LETTERS: u32 0, u16 line name bytes, name, u16 enum payload_letters, u32 n, n letters: u64 lsn, u32 idx, i64 received,
 *          and for REPLAY the event in spool form. That line alone takes out those letters that its store has at that
 *          moment, and for REPLAY sends their events through its stages; no other line sees them.
 * `terms` are counts (core/meter): what was received and taken with the events of this very record, and in the first record
 * of a group what else it counted: refused, dropped, doubled, rejected. */
#ifndef SPOOL_PAYLOAD_H
#define SPOOL_PAYLOAD_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/str.h"

enum payload_verdict { PAYLOAD_TAKEN = 0, PAYLOAD_NOT_TAKEN = 1 };
enum payload_letters { PAYLOAD_REPLAY = 0, PAYLOAD_PURGE = 1 };

/* ---- reading one: each takes a piece off the front of p, or says that it is not there ---- */

static inline bool payload_take(struct tally_str *p, size_t n, struct tally_str *out)
{
	if (p->len < n)
		return false;
	*out = str_make(p->ptr, n);
	*p = str_make(p->ptr + n, p->len - n);
	return true;
}

static inline bool payload_take_u16(struct tally_str *p, uint16_t *out)
{
	struct tally_str s;
	if (!payload_take(p, 2, &s))
		return false;
	*out = get_u16(s.ptr);
	return true;
}

static inline bool payload_take_u32(struct tally_str *p, uint32_t *out)
{
	struct tally_str s;
	if (!payload_take(p, 4, &s))
		return false;
	*out = get_u32(s.ptr);
	return true;
}

static inline bool payload_take_u64(struct tally_str *p, uint64_t *out)
{
	struct tally_str s;
	if (!payload_take(p, 8, &s))
		return false;
	*out = get_u64(s.ptr);
	return true;
}

/* u32 bytes, bytes */
static inline bool payload_take_sized(struct tally_str *p, struct tally_str *out)
{
	uint32_t n;
	return payload_take_u32(p, &n) && payload_take(p, n, out);
}

/* What follows the lsn in a RELEASE: u32 n, n verdicts. */
static inline uint32_t payload_count_taken(struct tally_str p)
{
	uint32_t n, taken = 0;
	if (!payload_take_u32(&p, &n) || p.len < n)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		taken += p.ptr[i] == PAYLOAD_TAKEN;
	return taken;
}

#endif
