/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/plugopt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "text/number.h"

__attribute__((format(printf, 2, 3))) static int refuse(char why[CONF_WHY], const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, CONF_WHY, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- one value ---- */

static int parse_bool(const char *text, int64_t *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(text, words[i]) == 0) {
			*out = (int64_t)(i % 2);
			return 0;
		}
	return -EINVAL;
}

static int parse_size(const char *text, int64_t *out)
{
	uint64_t bytes;
	if (conf_parse_size(text, &bytes) != 0 || bytes > INT64_MAX)
		return -EINVAL;
	*out = (int64_t)bytes;
	return 0;
}

static int parse_value(uint32_t type, const char *text, struct conf_value *v)
{
	switch (type) {
	case TALLY_OPT_STRING:
		v->s = text;
		return 0;
	case TALLY_OPT_INT:
		return number_int64(str_of(text), &v->i);
	case TALLY_OPT_FLOAT:
		return number_double(str_of(text), &v->d);
	case TALLY_OPT_BOOL:
		return parse_bool(text, &v->i);
	case TALLY_OPT_SIZE:
		return parse_size(text, &v->i);
	case TALLY_OPT_TIME:
		return conf_parse_time(text, &v->i);
	}
	return -EINVAL;
}

const char *conf_option_words(uint32_t type)
{
	static const char *const words[] = { "text", "a whole number", "a number", "true or false", "a size (64MiB)",
		"a time (10m)" };
	return type < sizeof words / sizeof *words ? words[type] : "of a newer type";
}

/* ---- the table ---- */

static size_t rows_of(const struct tally_option *table)
{
	size_t n = 0;
	while (table && n <= CONF_OPTIONS_MAX && table[n].name)
		n++;
	return n;
}

static int vet_row(const struct tally_option *row, char why[CONF_WHY])
{
	struct conf_value v = { 0 };
	size_t n = strnlen(row->name, 64);
	if (n == 0 || n == 64 || row->name[0] < 'a' || row->name[0] > 'z' ||
		strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n)
		return refuse(why, "its option `%.64s` has no name of the form [a-z][a-z0-9_]*", row->name);
	if (row->type > TALLY_OPT_TIME)
		return refuse(why, "its option `%s` has type %u, which this version does not know; use a newer tally",
			row->name, row->type);
	if (row->value && parse_value(row->type, row->value, &v) != 0)
		return refuse(why, "the default of its option `%s` must be %s, not `%.64s`", row->name,
			conf_option_words(row->type), row->value);
	return 0;
}

int conf_options_vet(const struct tally_option *table, char why[CONF_WHY])
{
	size_t n = rows_of(table);
	if (n > CONF_OPTIONS_MAX)
		return refuse(why, "has more than %d options; end the table with a row of zeros", CONF_OPTIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (vet_row(&table[i], why) != 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (strcmp(table[k].name, table[i].name) == 0)
				return refuse(why, "has two options `%s`", table[i].name);
	}
	return 0;
}

/* ---- what was given ---- */

static int check_names(const struct tally_option *table, size_t n, const struct conf_pair *given, size_t ngiven,
	const char *who, char why[CONF_WHY])
{
	const char *names[CONF_OPTIONS_MAX];
	for (size_t i = 0; i < n; i++)
		names[i] = table[i].name;
	for (size_t k = 0; k < ngiven; k++) {
		size_t i = 0;
		while (i < n && strcmp(names[i], given[k].name) != 0)
			i++;
		if (i < n)
			continue;
		const char *near = conf_nearest(given[k].name, names, n);
		if (near)
			return refuse(why, "%s: %s has no option `%s`; did you mean `%s`?", given[k].place, who,
				given[k].name, near);
		return refuse(
			why, "%s: %s has no option `%s`; `tallyd -l` lists them", given[k].place, who, given[k].name);
	}
	return 0;
}

/* Of a repeated key the last counts. */
static const struct conf_pair *given_for(const struct conf_pair *given, size_t n, const char *name)
{
	while (n-- > 0)
		if (strcmp(given[n].name, name) == 0)
			return &given[n];
	return NULL;
}

int conf_options_parse(const struct tally_option *table, const struct conf_pair *given, size_t ngiven, const char *who,
	const char *place, struct arena *a, struct conf_value **out, size_t *nout, char why[CONF_WHY])
{
	size_t n = rows_of(table);
	struct conf_value *v = arena_zalloc(a, (n + 1) * sizeof *v);
	if (check_names(table, n, given, ngiven, who, why) != 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const struct conf_pair *pair = given_for(given, ngiven, table[i].name);
		const char *text = pair ? pair->value : table[i].value;
		if (!text)
			return refuse(why, "%s: %s needs the option `%s`: %s", place, who, table[i].name,
				table[i].help ? table[i].help : "it has no default");
		v[i].name = arena_copy(a, table[i].name, strlen(table[i].name));
		v[i].type = table[i].type;
		if (parse_value(table[i].type, arena_copy(a, text, strlen(text)), &v[i]) != 0)
			return refuse(why, "%s: `%s` of %s must be %s, not `%s`", pair ? pair->place : place,
				table[i].name, who, conf_option_words(table[i].type), text);
	}
	*out = v;
	*nout = n;
	return 0;
}
