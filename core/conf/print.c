/* SPDX-License-Identifier: Apache-2.0 */
/* Writing YAML: what is printed is read back as the same. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/option.h"

static void put(struct conf_printer *p, const char *bytes, size_t len)
{
	if (p->len + len + 1 > p->cap) {
		p->cap = (p->len + len + 1) * 2;
		char *more = arena_alloc(p->arena, p->cap);
		if (p->len)
			memcpy(more, p->bytes, p->len);
		p->bytes = more;
	}
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
	p->bytes[p->len] = 0;
}

static void print_args(struct conf_printer *p, const char *fmt, va_list ap)
{
	char fixed[512], *text = fixed;
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(fixed, sizeof fixed, fmt, ap);
	MUST(n >= 0);
	if ((size_t)n >= sizeof fixed) {
		text = arena_alloc(p->arena, (size_t)n + 1);
		vsnprintf(text, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	put(p, text, (size_t)n);
}

void conf_print(struct conf_printer *p, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	print_args(p, fmt, ap);
	va_end(ap);
}

void conf_print_line(struct conf_printer *p, const char *fmt, ...)
{
	unsigned spaces = p->dash ? p->indent - 2 : p->indent;
	va_list ap;
	conf_print(p, "%*s%s", (int)spaces, "", p->dash ? "- " : "");
	p->dash = false;
	va_start(ap, fmt);
	print_args(p, fmt, ap);
	va_end(ap);
}

void conf_print_table(struct conf_printer *p, const struct conf_table *t, const void *base)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct conf_row *row = &t->rows[i];
		if (row->kind->there && !row->kind->there(row, base))
			continue;
		if (row->name)
			conf_print_line(p, "%s:", row->name);
		row->kind->print(p, row, base);
	}
}

/* ---- scalars ---- */

/* Letters, digits and marks that mean nothing to YAML in the middle of a plain scalar, nor inside [ ]. */
static bool is_plain(const char *text)
{
	static const char *const taken[] = { "null", "true", "false", "yes", "no", "on", "off", "~" };
	size_t n = strlen(text);
	if (n == 0 || !(isalnum((unsigned char)*text) || strchr("/_", *text)) || text[n - 1] == ':')
		return false;
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (strcasecmp(text, taken[i]) == 0)
			return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("/_.:%+@-", *text))
			return false;
	return true;
}

/* Characters that YAML takes for a line break or does not let stand: C1 controls, U+2028, U+2029, U+FEFF. Length of its
 * UTF-8, 0 = none of them. */
static size_t special(const unsigned char *t, unsigned *point)
{
	if (t[0] == 0xc2 && t[1] >= 0x80 && t[1] < 0xa0) {
		*point = t[1];
		return 2;
	}
	if ((t[0] & 0xf0) != 0xe0 || !t[1] || !t[2])
		return 0;
	*point = (t[0] & 0xfu) << 12 | (t[1] & 0x3fu) << 6 | (t[2] & 0x3fu);
	return *point == 0x2028 || *point == 0x2029 || *point == 0xfeff ? 3 : 0;
}

const char *conf_quote(struct arena *a, const char *text)
{
	if (is_plain(text))
		return text;
	char *out = arena_alloc(a, strlen(text) * 6 + 3), *q = out;
	*q++ = '"';
	for (const char *t = text; *t; t++) {
		unsigned char c = (unsigned char)*t;
		unsigned point = c;
		size_t len = special((const unsigned char *)t, &point);
		if (len || c < 0x20 || c == 0x7f) {
			q += sprintf(q, "\\u%04x", point);
			t += len ? len - 1 : 0;
			continue;
		}
		if (c == '"' || c == '\\')
			*q++ = '\\';
		if (c == '$' && t[1] == '{')
			*q++ = '$';
		*q++ = (char)c;
	}
	*q++ = '"';
	*q = 0;
	return out;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);
	return n >= e && strcasecmp(name + n - e, end) == 0;
}

/* scheme://user:PASSWORD@host: the last '@' before the path ends the password, as a password may hold one. */
static const char *mask_url(struct arena *a, const char *text)
{
	const char *host = strstr(text, "://");
	if (!host)
		return text;
	host += 3;
	size_t n = strcspn(host, "/?#");
	const char *at = NULL;
	for (size_t i = 0; i < n; i++)
		if (host[i] == '@')
			at = host + i;
	const char *colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
	if (!colon)
		return text;
	return arena_printf(a, "%.*s***%s", (int)(colon + 1 - text), text, at);
}

const char *conf_mask(struct arena *a, const char *name, const char *text)
{
	static const char *const ends[] = { "secret", "password", "passwd", "token" };
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (ends_with(name, ends[i]))
			return *text ? "***" : "";
	return mask_url(a, text);
}
