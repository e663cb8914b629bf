/* SPDX-License-Identifier: Apache-2.0 */
/* The text of /metrics: Prometheus exposition format 0.0.4. */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "meter/series.h"

#define HOOKS_MAX 32

struct hook {
	void (*fn)(void *arg);
	void *arg;
};

static struct hook hooks[HOOKS_MAX];
static size_t nhooks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void meter_on_print(void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	MUST(nhooks < HOOKS_MAX);
	hooks[nhooks++] = (struct hook){ fn, arg };
	pthread_mutex_unlock(&lock);
}

void meter_off_print(void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < nhooks; i++)
		if (hooks[i].fn == fn && hooks[i].arg == arg)
			hooks[i--] = hooks[--nhooks];
	pthread_mutex_unlock(&lock);
}

/* Under the lock, so that after meter_off_print() the arg may die. */
static void run_hooks(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < nhooks; i++)
		hooks[i].fn(hooks[i].arg);
	pthread_mutex_unlock(&lock);
}

struct page {
	FILE *f;
	const struct meter_row *row;
};

static void put_value(FILE *f, struct tally_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '\n')
			fputs("\\n", f);
		else if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else
			fputc(c, f);
	}
}

/* `{site="x",door="http",le="0.1"}`, or nothing. */
static void put_labels(const struct page *p, const struct meter_series *s, const char *le)
{
	char before = '{';
	for (int i = 0; i < METER_LABELS && p->row->labels[i]; i++) {
		fprintf(p->f, "%c%s=\"", before, p->row->labels[i]);
		put_value(p->f, s->labels[i]);
		fputc('"', p->f);
		before = ',';
	}
	if (le) {
		fprintf(p->f, "%cle=\"%s\"", before, le);
		before = ',';
	}
	if (before == ',')
		fputc('}', p->f);
}

/* The shortest text that reads back as the same number. */
static void put_double(FILE *f, double d)
{
	char text[40];
	if (isnan(d) || isinf(d)) {
		fputs(isnan(d) ? "NaN" : d > 0 ? "+Inf" : "-Inf", f);
		return;
	}
	snprintf(text, sizeof text, "%.15g", d);
	if (strtod(text, NULL) != d)
		snprintf(text, sizeof text, "%.17g", d);
	fputs(text, f);
}

static void put_histogram(const struct page *p, const struct meter_series *s)
{
	int64_t total = 0;
	for (int i = 0; i <= METER_BOUNDS; i++) {
		char le[32] = "+Inf";
		if (i < METER_BOUNDS)
			snprintf(le, sizeof le, "%.15g", (double)meter_bounds_ns[i] / 1e9);
		total += atomic_load_explicit(&s->histogram->buckets[i], memory_order_relaxed);
		fprintf(p->f, "%s_bucket", p->row->name);
		put_labels(p, s, le);
		fprintf(p->f, " %" PRId64 "\n", total);
	}
	fprintf(p->f, "%s_sum", p->row->name);
	put_labels(p, s, NULL);
	fputc(' ', p->f);
	put_double(p->f, (double)atomic_load_explicit(&s->histogram->sum_ns, memory_order_relaxed) / 1e9);
	fprintf(p->f, "\n%s_count", p->row->name);
	put_labels(p, s, NULL);
	fprintf(p->f, " %" PRId64 "\n", total);
}

static void put_head(const struct page *p)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	fprintf(p->f, "# HELP %s %s\n# TYPE %s %s\n", p->row->name, p->row->help, p->row->name, types[p->row->type]);
}

static void put_series(const struct meter_series *s, void *arg)
{
	const struct page *p = arg;
	if (s->type == METER_HISTOGRAM) {
		put_histogram(p, s);
		return;
	}
	fputs(p->row->name, p->f);
	put_labels(p, s, NULL);
	fputc(' ', p->f);
	if (s->type == METER_GAUGE)
		put_double(p->f, meter_gauge(s));
	else
		fprintf(p->f, "%" PRId64, atomic_load_explicit(&s->count, memory_order_relaxed));
	fputc('\n', p->f);
}

struct tally_str meter_print(struct arena *a)
{
	static const struct tally_str none = { NULL, 0 };
	char *text = NULL;
	size_t len = 0;
	run_hooks();
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return STR("# out of memory\n");
	for (int m = 0; m < M_METRICS; m++) {
		struct page p = { f, &meter_rows[m] };
		if (!p.row->labels[0])
			(void)meter_get(
				(enum meter_metric)m, none, none, none); /* without labels: there from the start */
		put_head(&p);
		meter_each((enum meter_metric)m, put_series, &p);
	}
	bool whole = fclose(f) == 0;
	struct tally_str out = whole ? arena_str(a, str_make(text, len)) : STR("# out of memory\n");
	free(text);
	return out;
}
