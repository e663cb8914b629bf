/* SPDX-License-Identifier: Apache-2.0 */
/* tally bench: what this machine's disk and tally on it can do. The disk is measured by itself; for the rest a tallyd of
 * its own is started in a temporary folder on that disk and driven over loopback. Nothing of a running tally is touched. */
#include "main/client/bench.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "text/write.h"

#define USAGE "tally bench [--dir DATA_DIR] [--seconds N] [-p PLUGIN_DIR]"
#define SECONDS_MAX 600

volatile sig_atomic_t bench_stopped;

int bench_refuse(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("tally: bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return -1;
}

/* ---- figures ---- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void bench_add(struct bench *b, const char *what, double per_second, double *samples_us, size_t n)
{
	MUST(b->nrows < BENCH_ROWS);
	struct bench_row *r = &b->rows[b->nrows++];
	*r = (struct bench_row){ what, per_second, -1, -1 };
	if (!n)
		return;
	qsort(samples_us, n, sizeof *samples_us, by_size);
	r->p50_us = samples_us[n / 2];
	r->p99_us = samples_us[n - 1 - n / 100];
}

static void put_number(struct text_out *o, const char *key, double number)
{
	text_json_key(o, str_of(key));
	if (number < 0)
		text_json_null(o);
	else
		text_json_int(o, (int64_t)(number + 0.5));
}

static void print_rows(struct bench *b)
{
	struct text_out o;
	text_open(&o, &b->c->arena, 2048);
	text_json_begin(&o, '[');
	for (const struct bench_row *r = b->rows; r < b->rows + b->nrows; r++) {
		text_json_begin(&o, '{');
		text_json_member_string(&o, "what", str_of(r->what));
		put_number(&o, "per_second", r->per_second);
		put_number(&o, "p50_us", r->p50_us);
		put_number(&o, "p99_us", r->p99_us);
		text_json_end(&o, '}');
	}
	text_json_end(&o, ']');
	print_answer(b->c, text_done(&o));
}

/* The names have commas, and no quotes. */
static void print_csv(const struct bench *b)
{
	printf("what,per_second,p50_us,p99_us\r\n");
	for (const struct bench_row *r = b->rows; r < b->rows + b->nrows; r++) {
		printf("\"%s\",%.0f,", r->what, r->per_second);
		if (r->p50_us < 0)
			printf(",\r\n");
		else
			printf("%.0f,%.0f\r\n", r->p50_us, r->p99_us);
	}
}

/* ---- the folder ---- */

static int make_folder(struct bench *b)
{
	int n = snprintf(b->folder, sizeof b->folder, "%s/tally-bench-XXXXXX", b->dir);
	if (n < 0 || (size_t)n >= sizeof b->folder - 64)
		return bench_refuse("%s: the path is too long", b->dir);
	if (mkdtemp(b->folder))
		return 0;
	int error = errno;
	b->folder[0] = 0;
	return bench_refuse("%s: no folder can be made there: %s; --dir names one on the disk to be measured", b->dir,
		strerror(error));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	if (remove(path) != 0)
		fprintf(stderr, "tally: bench: %s is left behind: %s\n", path, strerror(errno));
	return 0;
}

static void on_signal(int number)
{
	(void)number;
	bench_stopped = 1;
}

/* ---- the measurements ---- */

static int measure_ack(struct bench *b, const char *ack, const char *one, const char *many)
{
	if (bench_daemon_ack(b, ack) || bench_load(b, one, 1) || bench_daemon_settle(b))
		return -1;
	return bench_load(b, many, 100) || bench_daemon_settle(b) ? -1 : 0;
}

static int measure(struct bench *b)
{
	if (bench_disk(b) || bench_daemon_start(b))
		return -1;
	if (measure_ack(b, "written", "events, one a request, ack written", "events, 100 a request, ack written"))
		return -1;
	if (measure_ack(b, "durable", "events, one a request, ack durable", "events, 100 a request, ack durable"))
		return -1;
	return measure_ack(b, "stored", "events, one a request, ack stored", "events, 100 a request, ack stored");
}

static int parse(struct bench *b)
{
	struct client *c = b->c;
	for (int i = 1; i < c->argc; i++) {
		const char *v;
		char *end;
		if ((v = option_value(c, &i, "--dir")))
			b->dir = v;
		else if ((v = option_value(c, &i, "-p")))
			b->plugin_dir = v;
		else if ((v = option_value(c, &i, "--seconds"))) {
			b->seconds = strtod(v, &end);
			if (*end || !(b->seconds > 0) || b->seconds > SECONDS_MAX)
				return usage_error("is no number of seconds up to 600", v);
		} else if (option_flag(c, i, "--help") || option_flag(c, i, "-h")) {
			printf("usage: " USAGE "\n"
			       "  --dir DATA_DIR   the disk to measure: a folder is made there and removed (default: " TALLY_STATE_DIR
			       " if it is there, else .)\n"
			       "  --seconds N      of each of eight measurements (default: 2)\n"
			       "  -p PLUGIN_DIR    where tallyd finds its sinks (default: its own)\n");
			exit(EXIT_OK);
		} else
			return usage_error(USAGE, c->argv[i]);
	}
	return 0;
}

int cmd_bench(struct client *c)
{
	static struct bench b;
	struct sigaction stop = { .sa_handler = on_signal };
	b = (struct bench){ .c = c, .dir = access(TALLY_STATE_DIR, W_OK) == 0 ? TALLY_STATE_DIR : ".", .seconds = 2 };
	if (parse(&b))
		return EXIT_USAGE;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	if (make_folder(&b))
		return EXIT_REFUSED;
	int rc = measure(&b);
	bench_daemon_stop(&b);
	nftw(b.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (rc || bench_stopped)
		return EXIT_REFUSED;
	if (c->format == FORMAT_CSV)
		print_csv(&b);
	else
		print_rows(&b);
	return EXIT_OK;
}
