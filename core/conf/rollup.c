/* SPDX-License-Identifier: Apache-2.0 */
/* What a rollup is made of: `by` and `metrics` as written, to the numbers of tally/plugin.h.
 *
 *     by:      event:name | event:page | event:hostname | visit:referrer | event:props:KEY |
 *              visit:entry_page | visit:exit_page |
 *              visit:source | channel | utm_… | device | browser | os | country, which are props (conf/visit.c)
 *     metrics: events | pageviews | visitors | sum:FIELD | min:FIELD | max:FIELD | p:FIELD |
 *              visits | bounces | duration | views              FIELD = value | props.KEY   */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tally/plugin.h>

#include "conf/check.h"
#include "conf/option.h"

#define DIMS_MAX 8
#define METRICS_MAX 32
#define COLUMN_KEY_MAX 48 /* bytes of a prop's key in a column's name, which MariaDB bounds at 64 */

struct word {
	const char *name;
	uint32_t kind;
	bool field;   /* is followed by ":FIELD" or ":KEY" */
	bool planned; /* in the contract, not in this version */
};

static const struct word dim_words[] = {
	{ "event:name", TALLY_DIM_NAME, false, false },
	{ "event:page", TALLY_DIM_PAGE, false, false },
	{ "event:hostname", TALLY_DIM_HOST, false, false },
	{ "visit:referrer", TALLY_DIM_REFERRER, false, false },
	{ "event:props", TALLY_DIM_PROP, true, false },
	{ "visit:source", TALLY_DIM_PROP, false, false },
	{ "visit:channel", TALLY_DIM_PROP, false, false },
	{ "visit:utm_source", TALLY_DIM_PROP, false, false },
	{ "visit:utm_medium", TALLY_DIM_PROP, false, false },
	{ "visit:utm_campaign", TALLY_DIM_PROP, false, false },
	{ "visit:utm_term", TALLY_DIM_PROP, false, false },
	{ "visit:utm_content", TALLY_DIM_PROP, false, false },
	{ "visit:device", TALLY_DIM_PROP, false, false },
	{ "visit:browser", TALLY_DIM_PROP, false, false },
	{ "visit:os", TALLY_DIM_PROP, false, false },
	{ "visit:country", TALLY_DIM_PROP, false, false },
	{ "visit:entry_page", TALLY_DIM_ENTRY_PAGE, false, false },
	{ "visit:exit_page", TALLY_DIM_EXIT_PAGE, false, false },
};

static const struct word metric_words[] = {
	{ "events", TALLY_EVENTS, false, false },
	{ "pageviews", TALLY_PAGEVIEWS, false, false },
	{ "visitors", TALLY_VISITORS, false, false },
	{ "sum", TALLY_SUM, true, false },
	{ "min", TALLY_MIN, true, false },
	{ "max", TALLY_MAX, true, false },
	{ "visits", TALLY_VISITS, false, false },
	{ "bounces", TALLY_BOUNCES, false, false },
	{ "duration", TALLY_DURATION, false, false },
	{ "views", TALLY_VIEWS, false, false },
	{ "p", TALLY_QUANTILE, true, false },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char dims_known[] =
	"event:name, event:page, event:hostname, event:props:KEY and visit:referrer, source, channel, utm_source, utm_medium, "
	"utm_campaign, utm_content, utm_term, device, browser, os, country, entry_page, exit_page";
static const char metrics_known[] =
	"events, pageviews, visitors, visits, bounces, duration, views, sum:FIELD, min:FIELD, "
	"max:FIELD and p:FIELD";

/* The word that text is, or begins with up to the colon; *field = what follows it, or NULL. */
static const struct word *find_word(const struct word *words, size_t n, const char *text, const char **field)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i].name);
		if (strncmp(text, words[i].name, len) != 0 || text[len] != (words[i].field ? ':' : 0))
			continue;
		*field = words[i].field ? text + len + 1 : NULL;
		return &words[i];
	}
	return NULL;
}

static int unknown_word(
	struct conf_reader *r, const struct conf_node *at, const struct word *words, size_t n, const char *known)
{
	const char *names[COUNT(dim_words) + COUNT(metric_words)];
	for (size_t i = 0; i < n; i++)
		names[i] = words[i].name;
	const char *near = conf_nearest(at->text, names, n);
	if (near)
		return conf_refuse(r, at, "unknown '%.60s'; did you mean '%s'? (known: %s)", at->text, near, known);
	return conf_refuse(r, at, "unknown '%.60s'; known: %s", at->text, known);
}

/* A key becomes part of a column's name, where each byte outside [a-z0-9_] takes three. */
static int check_key(struct conf_reader *r, const struct conf_node *at, const char *key)
{
	size_t column = 0;
	for (const char *k = key; *k; k++) {
		if ((unsigned char)*k < 0x20 || *k == 0x7f)
			return conf_refuse(r, at, "'%.60s' holds a control character", at->text);
		column += islower((unsigned char)*k) || isdigit((unsigned char)*k) || *k == '_' ? 1 : 3;
	}
	if (!*key)
		return conf_refuse(r, at, "'%.60s' lacks the key of a prop behind its end", at->text);
	if (column > COLUMN_KEY_MAX)
		return conf_refuse(r, at,
			"'%.60s': the key is too long to be a column (%d characters of a-z, 0-9, _; others count thrice)",
			at->text, COLUMN_KEY_MAX);
	return 0;
}

/* Ensures: n <= max, all elements are texts, none is there twice. */
static int check_list(struct conf_reader *r, const struct conf_node *value, size_t max)
{
	if (value->shape != CONF_SEQUENCE)
		return conf_refuse(r, value, "a list is expected, as in [ a, b ]");
	if (value->n > max)
		return conf_refuse(r, value, "%zu entries are too many; %zu at most", value->n, max);
	for (size_t i = 0; i < value->n; i++) {
		if (!conf_read_text(r, value->items[i]))
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (strcmp(value->items[k]->text, value->items[i]->text) == 0)
				return conf_refuse(r, value->items[i], "'%.60s' is named twice", value->items[i]->text);
	}
	return 0;
}

/* ---- by ---- */

static int read_dim(struct conf_reader *r, const struct conf_node *at, struct conf_dimension *out)
{
	const char *key;
	const struct word *w = find_word(dim_words, COUNT(dim_words), at->text, &key);
	if (!w)
		return unknown_word(r, at, dim_words, COUNT(dim_words), dims_known);
	if (w->planned)
		return conf_refuse(r, at, "'%s' is not implemented in this version; it knows %s", w->name, dims_known);
	*out = (struct conf_dimension){ .kind = w->kind, .key = key ? key : conf_visit_key(str_of(w->name)) };
	return key ? check_key(r, at, key) : 0;
}

static int read_dims(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	(void)row;
	struct conf_rollup *ru = base;
	if (check_list(r, value, DIMS_MAX) != 0)
		return -EINVAL;
	struct conf_dimension *dims = arena_zalloc(r->arena, (value->n + 1) * sizeof *dims);
	for (size_t i = 0; i < value->n; i++) {
		if (read_dim(r, value->items[i], &dims[i]) != 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (dims[k].key && dims[i].key && strcmp(dims[k].key, dims[i].key) == 0)
				return conf_refuse(r, value->items[i], "'%.60s' and '%.60s' are the same prop",
					value->items[k]->text, value->items[i]->text);
	}
	ru->dims = dims;
	ru->ndims = value->n;
	return 0;
}

static const char *word_of(const struct word *words, size_t n, uint32_t kind)
{
	size_t i = 0;
	while (i < n && (words[i].kind != kind || words[i].planned))
		i++;
	MUST(i < n);
	return words[i].name;
}

static const char *dim_text(struct arena *a, const struct conf_dimension *d)
{
	const char *name = d->key ? conf_visit_name(str_of(d->key)) : NULL;
	if (name)
		return name;
	name = word_of(dim_words, COUNT(dim_words), d->kind);
	return d->key ? arena_printf(a, "%s:%s", name, d->key) : name;
}

static void print_dims(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	(void)row;
	const struct conf_rollup *ru = base;
	conf_print(p, " [");
	for (size_t i = 0; i < ru->ndims; i++) {
		const char *name = dim_text(p->arena, &ru->dims[i]);
		conf_print(p, "%s%s", i ? ", " : "", conf_quote(p->arena, name));
	}
	conf_print(p, "]\n");
}

const struct conf_kind conf_kind_dims = { "list of dimensions", read_dims, print_dims, NULL };

/* ---- metrics ---- */

/* What people write because a query would say so. */
static int query_metric(struct conf_reader *r, const struct conf_node *at)
{
	const char *t = at->text, *colon = strchr(t, ':');
	if (strncmp(t, "avg:", 4) == 0)
		return conf_refuse(
			r, at, "'%.60s' is not a rollup metric: sum:%.60s also counts, and serves it", t, t + 4);
	if (*t == 'p' && colon > t + 1 && strspn(t + 1, "0123456789") == (size_t)(colon - t - 1))
		return conf_refuse(r, at, "'%.60s' is not a rollup metric: p%.60s serves every percentile", t, colon);
	return unknown_word(r, at, metric_words, COUNT(metric_words), metrics_known);
}

static int read_metric(struct conf_reader *r, const struct conf_node *at, struct conf_metric *out)
{
	const char *field;
	const struct word *w = find_word(metric_words, COUNT(metric_words), at->text, &field);
	if (!w)
		return query_metric(r, at);
	if (w->planned)
		return conf_refuse(
			r, at, "'%.60s' is not implemented in this version; it knows %s", at->text, metrics_known);
	*out = (struct conf_metric){ .kind = w->kind, .field = "" };
	if (!field || strcmp(field, "value") == 0)
		return 0;
	if (strncmp(field, "props.", 6) != 0)
		return conf_refuse(r, at, "'%.60s': the field is 'value' or 'props.KEY'", at->text);
	out->is_prop = 1;
	out->field = field + 6;
	return check_key(r, at, out->field);
}

static int read_metrics(struct conf_reader *r, const struct conf_row *row, const struct conf_node *value, void *base)
{
	(void)row;
	struct conf_rollup *ru = base;
	if (check_list(r, value, METRICS_MAX) != 0)
		return -EINVAL;
	if (value->n == 0)
		return conf_refuse(r, value, "a rollup needs at least one metric: %s", metrics_known);
	struct conf_metric *metrics = arena_zalloc(r->arena, value->n * sizeof *metrics);
	for (size_t i = 0; i < value->n; i++)
		if (read_metric(r, value->items[i], &metrics[i]) != 0)
			return -EINVAL;
	ru->metrics = metrics;
	ru->nmetrics = value->n;
	return 0;
}

static const char *metric_text(struct arena *a, const struct conf_metric *m)
{
	const char *name = word_of(metric_words, COUNT(metric_words), m->kind);
	if (m->kind < TALLY_SUM || (m->kind > TALLY_MAX && m->kind != TALLY_QUANTILE))
		return name;
	return arena_printf(a, "%s:%s%s", name, m->is_prop ? "props." : "value", m->field);
}

static void print_metrics(struct conf_printer *p, const struct conf_row *row, const void *base)
{
	(void)row;
	const struct conf_rollup *ru = base;
	conf_print(p, " [");
	for (size_t i = 0; i < ru->nmetrics; i++)
		conf_print(p, "%s%s", i ? ", " : "", conf_quote(p->arena, metric_text(p->arena, &ru->metrics[i])));
	conf_print(p, "]\n");
}

const struct conf_kind conf_kind_metrics = { "list of metrics", read_metrics, print_metrics, NULL };

/* ---- which go together ---- */

static bool is_of_visits(const struct conf_metric *m)
{
	return (m->kind >= TALLY_VISITS && m->kind <= TALLY_DURATION) || m->kind == TALLY_VIEWS;
}

/* Only visits have it. */
static bool is_visit_dim(const struct conf_dimension *d)
{
	return d->kind == TALLY_DIM_ENTRY_PAGE || d->kind == TALLY_DIM_EXIT_PAGE;
}

/* Visits have it too. */
static bool has_visit(const struct conf_dimension *d)
{
	return is_visit_dim(d) || d->kind == TALLY_DIM_REFERRER ||
	       (d->kind == TALLY_DIM_PROP && conf_visit_value(str_of(d->key)) >= 0);
}

/* A sum over visits knows nothing of single events, and an event nothing of the pages of its visit. */
int conf_rollup_pairs(const struct conf_rollup *ru, char why[256])
{
	const struct conf_metric *visits = NULL, *events = NULL;
	for (size_t i = 0; i < ru->nmetrics; i++)
		*(is_of_visits(&ru->metrics[i]) ? &visits : &events) = &ru->metrics[i];
	for (size_t i = 0; i < ru->ndims; i++) {
		const struct conf_dimension *d = &ru->dims[i];
		const char *dim = word_of(dim_words, COUNT(dim_words), d->kind);
		if (events && is_visit_dim(d))
			snprintf(why, 256,
				"%s cannot be told by %s: that goes with visits, bounces, duration and views",
				word_of(metric_words, COUNT(metric_words), events->kind), dim);
		else if (visits && !has_visit(d))
			snprintf(why, 256, "%s cannot be told by %s: it goes with visit:*",
				word_of(metric_words, COUNT(metric_words), visits->kind), dim);
		else
			continue;
		return -EINVAL;
	}
	return 0;
}
