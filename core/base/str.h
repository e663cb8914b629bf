/* SPDX-License-Identifier: Apache-2.0 */
/* String slices: a pointer and a length, never NUL-terminated by promise, never owning.
 * The type is the public one, so that a plugin and the core speak of the same thing. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <string.h>
#include <tally/plugin.h>

#define STR(literal) ((struct tally_str){ (literal), sizeof(literal) - 1 })

static inline struct tally_str str_of(const char *cstr)
{
	return (struct tally_str){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline struct tally_str str_make(const char *ptr, size_t len)
{
	return (struct tally_str){ ptr, len };
}

static inline bool str_eq(struct tally_str a, struct tally_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Byte order; a prefix sorts first. */
static inline int str_cmp(struct tally_str a, struct tally_str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool str_starts(struct tally_str s, struct tally_str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

#endif
