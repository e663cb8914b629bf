/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/params.h"

#include <ctype.h>
#include <errno.h>

#include "text/utf8.h"

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* A '%' that two hex digits do not follow stands for itself. */
static struct tally_str decode(struct arena *a, struct tally_str s)
{
	char *text = arena_alloc(a, s.len + 1), *to = text;
	for (size_t i = 0; i < s.len; i++) {
		bool code = s.ptr[i] == '%' && i + 2 < s.len && digit(s.ptr[i + 1]) >= 0 && digit(s.ptr[i + 2]) >= 0;
		if (code) {
			*to++ = (char)(digit(s.ptr[i + 1]) << 4 | digit(s.ptr[i + 2]));
			i += 2;
		} else {
			*to++ = s.ptr[i] == '+' ? ' ' : s.ptr[i];
		}
	}
	*to = 0;
	return str_make(text, (size_t)(to - text));
}

static int add(struct params *p, struct arena *a, struct tally_str pair)
{
	const char *eq = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
	size_t name = eq ? (size_t)(eq - pair.ptr) : pair.len;
	if (pair.len == 0)
		return 0;
	if (p->n == PARAMS_MAX)
		return -EINVAL;
	p->name[p->n] = decode(a, str_make(pair.ptr, name));
	p->value[p->n] = eq ? decode(a, str_make(eq + 1, pair.len - name - 1)) : str_make("", 0);
	bool bad = !utf8_valid(p->name[p->n]) || !utf8_valid(p->value[p->n]);
	p->n++;
	return bad ? -EINVAL : 0;
}

int params_read(struct params *p, struct arena *a, struct tally_str query)
{
	const char *at = query.ptr, *end = query.ptr + query.len;
	int rc = 0;
	p->n = 0;
	while (rc == 0 && at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));
		stop = stop ? stop : end;
		rc = add(p, a, str_make(at, (size_t)(stop - at)));
		at = stop + 1;
	}
	return rc;
}

bool params_nth(const struct params *p, const char *name, size_t nth, struct tally_str *out)
{
	*out = (struct tally_str){ 0 };
	for (size_t i = 0; i < p->n; i++) {
		if (!str_eq(p->name[i], str_of(name)) || nth-- > 0)
			continue;
		*out = p->value[i];
		return true;
	}
	return false;
}

bool params_get(const struct params *p, const char *name, struct tally_str *out)
{
	return params_nth(p, name, 0, out);
}

const char *params_unknown(const struct params *p, const char *const *legal)
{
	for (size_t i = 0; i < p->n; i++) {
		const char *const *at = legal;
		while (*at && !str_eq(str_of(*at), p->name[i]))
			at++;
		if (!*at)
			return p->name[i].ptr;
	}
	return NULL;
}
