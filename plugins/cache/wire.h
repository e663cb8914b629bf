/* SPDX-License-Identifier: Apache-2.0 */
/* An answer as bytes for the shared level:
 *
 *     8  "tallyc1\n"
 *     8  host->hash() of all that follows
 *     8  version of the data     8  when it was made, UTC microseconds
 *     4  status   4  key   4  type   4  etag   4  body: lengths
 *        key, type, etag, body
 *
 * Little-endian. The key is in it, for the name it is kept under is only a hash of the key. */
#ifndef CACHE_WIRE_H
#define CACHE_WIRE_H

#include <tally/plugin.h>

/* free() it. NULL = out of memory, or a part longer than 4 GiB. */
char *wire_pack(const struct tally_host *host, struct tally_str key, const struct tally_answer *an,
	struct tally_str body, int64_t made_us, size_t *len);

/* The texts of *an point into bytes. -EBADMSG: not whole, or of another kind; -ENOENT: of another key. */
int wire_unpack(const struct tally_host *host, const char *bytes, size_t len, struct tally_str key,
	struct tally_answer *an, int64_t *made_us);

#endif
