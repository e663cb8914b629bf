/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the spool: the page at the head of a segment file and the head of a record. docs/spool.md has the
 * pictures. Pure functions on bytes; nothing here touches a file. [any thread] */
#ifndef SPOOL_FORMAT_H
#define SPOOL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define FORMAT_VERSION 1
#define FORMAT_PAGE 4096              /* segment head; the first record begins behind it */
#define FORMAT_HEAD 48                /* record head */
#define FORMAT_PAYLOAD_MAX (16 << 20) /* of one record */

enum format_kind {
	FORMAT_LIVE = 1,  /* holds records */
	FORMAT_SPARE = 2, /* zero-filled or used up, waiting to be taken */
};

struct format_segment {
	uint32_t version; /* filled on reading */
	uint32_t kind;
	uint8_t node[16];
	uint64_t number;    /* rises with every segment ever begun */
	uint64_t first;     /* lsn of its first record */
	uint64_t mark;      /* of the chain up to there */
	uint64_t salt;      /* drawn anew at every use of the file */
	uint64_t size;      /* of the file in bytes, this page included */
	uint64_t synced;    /* the lsn known durable when it was begun */
	uint64_t abandoned; /* number of the segment it replaces after a failed sync, else 0 */
	uint64_t cut;       /* records of that one at or behind this lsn never were, apart from those repeated here */
};

struct format_record {
	uint32_t len; /* of the payload */
	uint32_t type;
	uint64_t lsn;
	int64_t time_us;
	uint64_t synced;
	uint64_t mark;
	uint32_t crc; /* of the payload */
};

/* The page holds two equal copies, in different sectors. */
void format_put_segment(uint8_t page[FORMAT_PAGE], const struct format_segment *h);

/* Reads the copy that is whole; of two whole ones that differ, the one with the higher number (a torn rewrite).
 * 0 or -EINVAL (none is whole). A version unknown to us comes back with 0: look at it first. */
must_check int format_get_segment(const uint8_t page[FORMAT_PAGE], struct format_segment *out);

void format_put_record(uint8_t out[FORMAT_HEAD], const struct format_record *r, uint64_t salt);

/* False: these are not the head of a record of a segment with that salt. */
must_check bool format_get_record(const uint8_t in[FORMAT_HEAD], uint64_t salt, struct format_record *out);

/* The chain: of the mark before, and what this record says. The salt is left out, so a repeated record keeps it. */
uint64_t format_mark(uint64_t before, uint64_t lsn, uint32_t type, uint32_t payload_crc);

/* What a record with that payload takes of the log. */
static inline uint64_t format_size(uint64_t payload_len)
{
	return FORMAT_HEAD + ((payload_len + 7) & ~(uint64_t)7);
}

#endif
