/* SPDX-License-Identifier: Apache-2.0 */
/* The terms of the ledger, per site: received = taken + refused + rejected + duplicates + dropped.
 *
 * A struct terms is a sum of counts by (site, term, reason). The ledger keeps two: what changed since the last group
 * (its bytes go into the group's first record) and the totals since ever (their bytes go into checkpoints; a recovery
 * adds up the bytes it finds). Counts saturate, they never wrap. A lock inside makes each call whole: the owner adds,
 * others read the totals. [any thread]
 *
 * Bounded: past TERMS_SITES_MAX distinct sites the rest are the site "(other)"; past TERMS_ENTRIES_MAX entries a new
 * reason of a site is that site's reason "(other)". A site is folded as a whole or not at all, for the life of the
 * struct, so every site balances for itself.
 *
 *   bytes: nothing if all counts are 0, else
 *          u8 version 1, u8[3] 0, u32 n,
 *          n x (u8 term, u8 site bytes, u8 reason bytes, u8 0, i64 count, site, reason) */
#ifndef METER_LEDGER_TERMS_H
#define METER_LEDGER_TERMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

#define TERMS_SITES_MAX 4096
#define TERMS_ENTRIES_MAX 16384
#define TERMS_TEXT_MAX 255 /* bytes of a site or reason; longer ones are cut */

/* The numbers lie on disk. */
enum term {
	TERM_RECEIVED = 0,
	TERM_TAKEN = 1,
	TERM_REFUSED = 2,
	TERM_REJECTED = 3,
	TERM_DUPLICATES = 4,
	TERM_DROPPED = 5, /* reason is "plugin/reason" */
	TERMS = 6
};

/* "received", "taken", … as in /v1/ledger. */
const char *term_name(enum term term);

struct terms;

/* Never NULL. */
struct terms *terms_open(void);
void terms_close(struct terms *t);

/* reason is empty for RECEIVED, TAKEN and DUPLICATES. */
void terms_add(struct terms *t, struct tally_str site, enum term term, struct tally_str reason, int64_t by);

/* The bytes of all that is not 0; length 0 if nothing is. */
struct tally_str terms_encode(struct terms *t, struct arena *a);

/* The same, and all counts are 0 afterwards. Whoever cannot write the bytes gives them back with terms_merge(). */
struct tally_str terms_take(struct terms *t, struct arena *a);

/* What terms_encode() would return now, in bytes. */
size_t terms_bytes(struct terms *t);

/* Adds encoded counts. -EBADMSG: not well-formed, nothing was added. */
must_check int terms_merge(struct terms *t, const void *bytes, size_t len);

/* The same bytes without a sum to add them to: fn for every count. The strings are slices of the bytes. -EBADMSG. */
must_check int terms_walk(const void *bytes, size_t len,
	void (*fn)(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t count),
	void *arg);

void terms_clear(struct terms *t);

/* fn for every count that is not 0, under the lock: fn must not call terms_*(). The strings live as long as t.
 * In the order in which they were first added. */
void terms_each(struct terms *t,
	void (*fn)(void *arg, struct tally_str site, enum term term, struct tally_str reason, int64_t count),
	void *arg);

/* One count; 0 if there is none. */
int64_t terms_get(struct terms *t, struct tally_str site, enum term term, struct tally_str reason);

/* received less all others, over all sites: 0 unless something was lost or counted twice. */
int64_t terms_balance(struct terms *t);

#endif
