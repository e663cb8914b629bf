/* SPDX-License-Identifier: Apache-2.0 */
/* How long the disk takes to keep 4 KiB: a file that grows also commits its new length; one that was filled with zeros
 * and is written over, as the spool's segments are, does not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/client/bench.h"

#define BLOCK 4096
#define BLOCKS 16384 /* of the file that is written over, in a circle: 64 MiB, as a segment */
#define SAMPLES 200000

static int fill_with_zeros(int fd)
{
	static char zeros[BLOCK * 64];
	for (int i = 0; i < BLOCKS / 64; i++)
		if (pwrite(fd, zeros, sizeof zeros, (off_t)i * (off_t)sizeof zeros) != (ssize_t)sizeof zeros)
			return -1;
	return fdatasync(fd);
}

static int keep_block(int fd, const char *block, size_t at)
{
	ssize_t n = pwrite(fd, block, BLOCK, (off_t)at * BLOCK);
	if (n >= 0 && n != BLOCK)
		errno = ENOSPC;
	return n == BLOCK ? fdatasync(fd) : -1;
}

/* Until the time is over; how many, or -1 with errno. */
static long keep_blocks(int fd, size_t circle, double seconds, double *us)
{
	static char block[BLOCK];
	int64_t began = clock_mono_us(), now = began;
	long n = 0;
	memset(block, 'x', sizeof block);
	while (n < SAMPLES && !bench_stopped && (double)(now - began) < seconds * 1e6) {
		int64_t before = now;
		if (keep_block(fd, block, circle ? (size_t)n % circle : (size_t)n) != 0)
			return -1;
		now = clock_mono_us();
		us[n++] = (double)(now - before);
	}
	return n;
}

static int measure(struct bench *b, const char *what, const char *name, bool zeros)
{
	char path[BENCH_PATH + 32];
	double *us = malloc(SAMPLES * sizeof *us);
	MUST(us != NULL);
	snprintf(path, sizeof path, "%s/%s", b->folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc = fd < 0 || (zeros && fill_with_zeros(fd)) ? -1 : 0;
	int64_t began = clock_mono_us();
	long n = rc ? -1 : keep_blocks(fd, zeros ? BLOCKS : 0, b->seconds, us);
	if (n < 0)
		rc = bench_refuse("%s: %s; --dir names a folder on another disk", path, strerror(errno));
	else
		bench_add(b, what, (double)n * 1e6 / (double)(clock_mono_us() - began + 1), us, (size_t)n);
	if (fd >= 0)
		close(fd);
	unlink(path);
	free(us);
	return rc;
}

int bench_disk(struct bench *b)
{
	if (measure(b, "write and sync of 4 KiB, appended", "appended", false))
		return -1;
	return measure(b, "write and sync of 4 KiB, over zeros", "zeros", true);
}
