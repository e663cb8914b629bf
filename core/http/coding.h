/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings of request bodies: gzip (RFC 1952, several members) and zstd (RFC 8878, several frames).
 * A body is decoded when all of it has come: a slow client holds no decoder, and one pair of contexts serves a whole
 * server. The output is bounded while it is made, so a bomb costs no more than the limit. */
#ifndef HTTP_CODING_H
#define HTTP_CODING_H

#include <stddef.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

enum coding_kind { CODING_NONE, CODING_GZIP, CODING_ZSTD, CODING_UNKNOWN };

/* The value of a Content-Encoding field; empty = CODING_NONE. */
enum coding_kind coding_of(struct tally_str value);

/* Contexts, made at their first use. Zeroed = ready. One thread. */
struct coding {
	struct z_stream_s *gzip;
	struct ZSTD_DCtx_s *zstd;
};

void coding_free(struct coding *c);

/* Below this many bytes the ratio is not asked: tiny bodies of equal events pack better than any sane limit. */
#define CODING_RATIO_FLOOR 65536

/* 0 with the plain bytes in *out (in the arena), -EBADMSG = broken, cut short or followed by garbage, -EFBIG = larger
 * than max_bytes or than max_ratio times src. */
must_check int coding_decode(struct coding *c, enum coding_kind kind, struct tally_str src, size_t max_bytes,
	unsigned max_ratio, struct arena *arena, struct tally_str *out);

#endif
