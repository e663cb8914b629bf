/* SPDX-License-Identifier: Apache-2.0 */
/* What the meta of a remembered answer says of itself: "cache" and, when its age matters, "lag_seconds". Quotes within
 * JSON strings are escaped, so no data can look like these members. */
#ifndef CACHE_MARK_H
#define CACHE_MARK_H

#include <stdbool.h>
#include <tally/plugin.h>

/* Has it a meta that can say where it came from? CSV and NDJSON have not. */
bool mark_is_there(struct tally_str body);

/* The body saying `word`, its lag longer by older_us (0 = left alone). free() it; NULL = out of memory. One without a
 * meta is copied as it is. */
char *mark_body(struct tally_str body, const char *word, int64_t older_us, struct tally_str *out);

/* An answer in JSON that has no rows. */
bool mark_is_empty(struct tally_str body);

#endif
