/* SPDX-License-Identifier: Apache-2.0 */
/* ${NAME} and ${NAME:-default} in scalars.
 *
 *     mysql://tally:${DB_PASSWORD}@${DB_HOST:-127.0.0.1}/tally
 *                   ^ must be set    ^ unset or empty: the default
 *
 * What comes out is not looked at again, so a value can hold anything. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/tree.h"

#define PIECES_MAX 32 /* in one scalar; the work grows with its square */

struct piece {
	const char *name;     /* NUL-terminated copy */
	const char *fallback; /* or NULL */
	size_t eaten;         /* of the text, braces and all */
};

static size_t name_length(const char *p)
{
	size_t n = 0;
	if (isdigit((unsigned char)*p))
		return 0;
	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	return n;
}

/* Assumes: p stands on "${". */
static int read_piece(struct arena *a, const char *p, struct piece *out)
{
	size_t n = name_length(p + 2);
	const char *behind = p + 2 + n, *close = strchr(behind, '}');
	if (n == 0 || !close)
		return -EINVAL;
	*out = (struct piece){ .name = arena_copy(a, p + 2, n), .eaten = (size_t)(close + 1 - p) };
	if (behind == close)
		return 0;
	if (strncmp(behind, ":-", 2) != 0)
		return -EINVAL;
	out->fallback = arena_copy(a, behind + 2, (size_t)(close - behind - 2));
	return 0;
}

static const char *value_of(const struct piece *pc)
{
	const char *v = getenv(pc->name);
	return pc->fallback && (!v || !*v) ? pc->fallback : v;
}

int conf_expand(struct arena *a, const char *text, const char **out, const char **missing)
{
	const char *done = "";
	*missing = NULL;
	for (unsigned pieces = 0;; pieces++) {
		const char *at = strstr(text, "${");
		if (!at)
			break;
		if (pieces == PIECES_MAX)
			return -EINVAL;
		size_t plain = (size_t)(at - text);
		if (plain && at[-1] == '$') {
			done = arena_printf(a, "%s%.*s{", done, (int)plain, text);
			text = at + 2;
			continue;
		}
		struct piece pc;
		int rc = read_piece(a, at, &pc);
		const char *value = rc == 0 ? value_of(&pc) : NULL;
		if (!value) {
			*missing = rc == 0 ? pc.name : NULL;
			return -EINVAL;
		}
		done = arena_printf(a, "%s%.*s%s", done, (int)plain, text, value);
		text = at + pc.eaten;
	}
	*out = *done ? arena_printf(a, "%s%s", done, text) : text;
	return 0;
}
