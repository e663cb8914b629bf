/* SPDX-License-Identifier: Apache-2.0 */
/* bench_spool DIR [BYTES 4096] [GROUPS 20000]: one record of BYTES appended, written and synced at a time, as a ledger
 * without load does it; then all of it read, and recovered. Prints syncs a second and their times, also the slowest:
 * those are where a segment switches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "spool/spool.h"

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static int count(void *arg, const struct spool_record *rec)
{
	*(uint64_t *)arg += rec->len;
	return 0;
}

static struct spool *must_open(const char *dir, uint64_t *bytes)
{
	struct spool_options opt = { .dir = dir, .segment_bytes = 64 << 20, .max_bytes = 8ULL << 30 };
	struct spool *sp;
	char why[256];
	if (spool_open(&opt, count, bytes, &sp, why) < 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	return sp;
}

static int64_t one_group(struct spool *sp, void *payload, size_t len)
{
	struct spool_record rec;
	int64_t began = clock_mono_us();
	if (spool_reserve(sp, len, 1) < 0)
		exit(1);
	spool_append(sp, SPOOL_EVENTS, began, &(struct iovec){ payload, len }, 1, &rec);
	if (spool_write(sp) < 0 || spool_sync(sp, rec.end) < 0)
		exit(1);
	return clock_mono_us() - began;
}

static uint64_t read_all(struct spool *sp)
{
	struct spool_reader *r = spool_reader_open(sp);
	struct spool_record rec;
	uint64_t bytes = 0;
	if (spool_reader_seek(r, (struct tally_position){ 0, 0 }) < 0)
		exit(1);
	while (spool_reader_next(r, &rec) == 1)
		bytes += rec.len;
	spool_reader_close(r);
	return bytes;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	size_t len = argc > 2 ? strtoul(argv[2], NULL, 10) : 4096, n = argc > 3 ? strtoul(argv[3], NULL, 10) : 20000;
	char *payload = malloc(len + 1);
	int64_t *us = malloc((n + 1) * sizeof *us), began;
	uint64_t bytes = 0;
	MUST(payload && us && n);
	memset(payload, 'x', len);
	struct spool *sp = must_open(argv[1], &bytes);
	began = clock_mono_us();
	for (size_t i = 0; i < n; i++)
		us[i] = one_group(sp, payload, len);
	double took = (double)(clock_mono_us() - began) / 1e6;
	qsort(us, n, sizeof *us, compare);
	printf("synced %.0f/s, p50 %lld us, p99 %lld us, max %lld us, %.1f MB/s\n", (double)n / took,
		(long long)us[n / 2], (long long)us[n * 99 / 100], (long long)us[n - 1],
		(double)(n * len) / took / 1e6);
	began = clock_mono_us();
	bytes = read_all(sp);
	printf("read %.0f MB/s\n", (double)bytes / (double)(clock_mono_us() - began + 1));
	spool_close(sp);
	bytes = 0;
	began = clock_mono_us();
	sp = must_open(argv[1], &bytes);
	printf("recovered %.0f MB/s\n", (double)bytes / (double)(clock_mono_us() - began + 1));
	spool_close(sp);
	free(payload);
	free(us);
	return 0;
}
