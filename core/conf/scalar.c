/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that are one value, or a list of texts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/option.h"
#include "conf/units.h"

static void *member(const struct conf_row *row, void *base)
{
	return (char *)base + row->at;
}

static const void *member_of(const struct conf_row *row, const void *base)
{
	return (const char *)base + row->at;
}

static int check_limits(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, int64_t v,
	char *(*print)(struct arena *a, int64_t v))
{
	if (row->least == 0 && row->most == 0)
		return 0;
	if (v >= row->least && v <= row->most)
		return 0;
	return conf_refuse(r, value, "%s is out of range: %s to %s", value->text, print(r->arena, row->least),
		print(r->arena, row->most));
}

/* ---- text ---- */

static int judge(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, const char *text)
{
	const char *why = row->judge ? row->judge(text) : NULL;
	if (!why)
		return 0;
	return conf_refuse(r, value, "'%.80s' %s", conf_mask(r->arena, row->secret ? "secret" : row->name, text), why);
}

static int read_text(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	const char *text = conf_read_text(r, value);
	if (!text)
		return -EINVAL;
	*(const char **)member(row, base) = text;
	return judge(r, row, value, text);
}

static bool text_there(const struct conf_row *row, const void *base)
{
	return *(const char *const *)member_of(row, base) != NULL;
}

static const char *shown(struct conf_printer *p, const struct conf_row *row, const char *text)
{
	if (p->mask)
		text = conf_mask(p->arena, row->secret ? "secret" : row->name, text);
	return conf_quote(p->arena, text);
}

static void print_text(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	conf_print(p, " %s\n", shown(p, row, *(const char *const *)member_of(row, base)));
}

const struct conf_kind conf_kind_text = { "text", read_text, print_text, text_there };

/* ---- a list of texts, NULL-terminated ---- */

static int read_texts(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	if (value->shape != CONF_SEQUENCE)
		return conf_refuse(r, value, "a list is expected, as in [ a, b ]");
	const char **list = arena_zalloc(r->arena, (value->n + 1) * sizeof *list);
	for (size_t i = 0; i < value->n; i++) {
		list[i] = conf_read_text(r, value->items[i]);
		if (!list[i] || judge(r, row, value->items[i], list[i]) != 0)
			return -EINVAL;
	}
	*(const char *const **)member(row, base) = list;
	return 0;
}

static bool texts_there(const struct conf_row *row, const void *base)
{
	return *(const char *const *const *)member_of(row, base) != NULL;
}

static void print_texts(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	const char *const *list = *(const char *const *const *)member_of(row, base);
	conf_print(p, " [");
	for (size_t i = 0; list[i]; i++)
		conf_print(p, "%s%s", i ? ", " : "", shown(p, row, list[i]));
	conf_print(p, "]\n");
}

const struct conf_kind conf_kind_texts = { "list of texts", read_texts, print_texts, texts_there };

/* ---- whole numbers; 4 or 8 bytes wide ---- */

static void put_number(const struct conf_row *row, void *base, uint64_t v)
{
	if (row->bytes == sizeof(uint32_t))
		*(uint32_t *)member(row, base) = (uint32_t)v;
	else
		*(uint64_t *)member(row, base) = v;
}

static uint64_t number(const struct conf_row *row, const void *base)
{
	if (row->bytes == sizeof(uint32_t))
		return *(const uint32_t *)member_of(row, base);
	return *(const uint64_t *)member_of(row, base);
}

static char *print_number(struct arena *a, int64_t v)
{
	return arena_printf(a, "%lld", (long long)v);
}

static int read_count(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	const char *text = conf_read_text(r, value);
	if (!text)
		return -EINVAL;
	uint64_t v = 0;
	bool is_word = row->zero && strcmp(text, row->zero) == 0;
	size_t digits = strspn(text, "0123456789");
	if (!is_word && (digits == 0 || digits > 15 || text[digits]))
		return conf_refuse(r, value, "'%.40s' is not a whole number%s%s", text, row->zero ? " or " : "",
			row->zero ? row->zero : "");
	if (!is_word)
		v = strtoull(text, NULL, 10);
	put_number(row, base, v);
	return is_word ? 0 : check_limits(r, row, value, (int64_t)v, print_number);
}

static void print_count(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	uint64_t v = number(row, base);
	if (v == 0 && row->zero)
		conf_print(p, " %s\n", row->zero);
	else
		conf_print(p, " %llu\n", (unsigned long long)v);
}

const struct conf_kind conf_kind_count = { "number", read_count, print_count, NULL };

/* ---- sizes ---- */

static char *print_bytes(struct arena *a, int64_t v)
{
	return conf_print_size(a, (uint64_t)v);
}

static int read_size(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	const char *text = conf_read_text(r, value);
	uint64_t v;
	if (!text)
		return -EINVAL;
	if (conf_parse_size(text, &v) != 0 || v > INT64_MAX)
		return conf_refuse(r, value,
			"'%.40s' is not a size; write a whole number with B, KiB, MiB, GiB or TiB (kB, MB, GB, TB are powers of 1000)",
			text);
	put_number(row, base, v);
	return check_limits(r, row, value, (int64_t)v, print_bytes);
}

static void print_size(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	conf_print(p, " %s\n", conf_print_size(p->arena, number(row, base)));
}

const struct conf_kind conf_kind_size = { "size", read_size, print_size, NULL };

/* ---- times ---- */

static char *print_us(struct arena *a, int64_t v)
{
	return conf_print_time(a, v, "forever");
}

static int read_time(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	const char *text = conf_read_text(r, value);
	int64_t *v = member(row, base);
	if (!text)
		return -EINVAL;
	if (conf_parse_time(text, v) != 0)
		return conf_refuse(r, value,
			"'%.40s' is not a time; write a whole number with us, ms, s, m, h, d or w%s%s", text,
			row->zero ? ", or " : "", row->zero ? row->zero : "");
	return check_limits(r, row, value, *v, print_us);
}

static void print_time(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	const int64_t *v = member_of(row, base);
	conf_print(p, " %s\n", conf_print_time(p->arena, *v, row->zero ? row->zero : "forever"));
}

const struct conf_kind conf_kind_time = { "time", read_time, print_time, NULL };

/* ---- a share in percent ---- */

static int read_share(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	const char *text = conf_read_text(r, value);
	if (!text)
		return -EINVAL;
	if (conf_parse_share(text, member(row, base)) != 0)
		return conf_refuse(r, value, "'%.40s' is not a share; write 0%% to 100%%, with the percent sign", text);
	return 0;
}

static void print_share(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	conf_print(p, " %s\n", conf_print_share(p->arena, *(const double *)member_of(row, base)));
}

const struct conf_kind conf_kind_share = { "percent", read_share, print_share, NULL };

/* ---- one word of a few: an int that is its index, a bool, or the word itself ---- */

static int read_word(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	const char *text = conf_read_text(r, value);
	if (!text)
		return -EINVAL;
	size_t n = 0;
	while (row->words[n] && strcmp(row->words[n], text) != 0)
		n++;
	if (!row->words[n])
		return conf_unknown(r, value, "word", text, row->words, n);
	if (row->bytes == sizeof(char *))
		*(const char **)member(row, base) = row->words[n];
	else if (row->bytes == sizeof(bool))
		*(bool *)member(row, base) = n != 0;
	else
		*(int *)member(row, base) = (int)n;
	return 0;
}

static void print_word(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	const void *v = member_of(row, base);
	if (row->bytes == sizeof(char *))
		conf_print(p, " %s\n", *(const char *const *)v);
	else
		conf_print(p, " %s\n", row->words[row->bytes == sizeof(bool) ? *(const bool *)v : *(const int *)v]);
}

const struct conf_kind conf_kind_word = { "word", read_word, print_word, NULL };

/* ---- what the contract names and this version does not do yet ---- */

static int read_later(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	(void)base;
	return conf_refuse(r, value, "not implemented in this version: %s", row->example);
}

static bool never_there(const struct conf_row *row, const void *base)
{
	(void)row;
	(void)base;
	return false;
}

const struct conf_kind conf_kind_later = { "later", read_later, NULL, never_there };
