/* SPDX-License-Identifier: Apache-2.0 */
#include "ship/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define OPTIONS_MAX 64

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

static int parse_int(const char *text, int64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno || end == text || *end ? -EINVAL : 0;
}

static int parse_float(const char *text, double *out)
{
	char *end;
	errno = 0;
	*out = strtod(text, &end);
	return errno || end == text || *end ? -EINVAL : 0;
}

static int parse_size(const char *text, int64_t *out)
{
	uint64_t bytes;
	if (conf_parse_size(text, &bytes) != 0 || bytes > INT64_MAX)
		return -EINVAL;
	*out = (int64_t)bytes;
	return 0;
}

static int parse_value(struct ship_option *o, const char *text, struct arena *a)
{
	switch (o->type) {
	case TALLY_OPT_STRING:
		o->s = arena_copy(a, text, strlen(text));
		return 0;
	case TALLY_OPT_INT:
		return parse_int(text, &o->i);
	case TALLY_OPT_FLOAT:
		return parse_float(text, &o->f);
	case TALLY_OPT_BOOL:
		return parse_bool(text, &o->i);
	case TALLY_OPT_SIZE:
		return parse_size(text, &o->i);
	case TALLY_OPT_TIME:
		return conf_parse_time(text, &o->i);
	}
	return -EINVAL;
}

static const char *type_words(uint32_t type)
{
	static const char *const words[] = { "text", "a whole number", "a number", "true or false",
		"a size such as 64MiB", "a time such as 10s" };
	return type < sizeof words / sizeof *words ? words[type] : "something newer";
}

static size_t table_length(const struct tally_option *table)
{
	size_t n = 0;
	while (table && table[n].name)
		n++;
	MUST(n <= OPTIONS_MAX);
	return n;
}

static int check_names(const struct tally_option *table, size_t n, const struct conf_sink *cs, char why[512])
{
	const char *names[OPTIONS_MAX];
	for (size_t i = 0; i < n; i++)
		names[i] = table[i].name;
	for (size_t k = 0; k < cs->noptions; k++) {
		size_t i = 0;
		while (i < n && strcmp(names[i], cs->options[k].name) != 0)
			i++;
		if (i < n)
			continue;
		const char *near = conf_nearest(cs->options[k].name, names, n);
		snprintf(why, 512, "%s: sink %s has no option `%s`%s%s%s", cs->options[k].place, cs->plugin,
			cs->options[k].name, near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
		return -EINVAL;
	}
	return 0;
}

/* The last of a repeated key counts. */
static const struct conf_pair *given(const struct conf_sink *cs, const char *name)
{
	for (size_t k = cs->noptions; k-- > 0;)
		if (strcmp(cs->options[k].name, name) == 0)
			return &cs->options[k];
	return NULL;
}

int ship_options_parse(const struct tally_option *table, const struct conf_sink *cs, struct arena *a,
	struct ship_options *out, char why[512])
{
	size_t n = table_length(table);
	struct ship_option *all = arena_zalloc(a, (n + 1) * sizeof *all);
	if (check_names(table, n, cs, why) != 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const struct conf_pair *pair = given(cs, table[i].name);
		const char *text = pair ? pair->value : table[i].value;
		all[i].name = arena_copy(a, table[i].name, strlen(table[i].name));
		all[i].type = table[i].type;
		if (!text) {
			snprintf(why, 512, "%s: sink %s needs the option `%s`: %s", cs->place, cs->plugin,
				table[i].name, table[i].help);
			return -EINVAL;
		}
		if (parse_value(&all[i], text, a) != 0) {
			snprintf(why, 512, "%s: sink %s: `%s` must be %s, not `%s`", pair ? pair->place : cs->place,
				cs->plugin, table[i].name, type_words(table[i].type), text);
			return -EINVAL;
		}
	}
	*out = (struct ship_options){ all, n };
	return 0;
}

const struct ship_option *ship_options_find(const struct ship_options *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->all[i].name, name) == 0)
			return &o->all[i];
	return NULL;
}
