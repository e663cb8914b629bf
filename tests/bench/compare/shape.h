/* SPDX-License-Identifier: Apache-2.0 */
/* The event that all lines of the comparison are fed with: 231 bytes of JSON, its changing parts at fixed places, so that
 * a generator can number events in a text that is made once. */
#ifndef BENCH_SHAPE_H
#define BENCH_SHAPE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"

#define SHAPE                                                                                                               \
	"{\"id\":\"00000000-000000000000\",\"name\":\"view\",\"time\":0000000000000,\"visitor\":\"6f1c2b9e4d7a4c0f8e21a3b5" \
	"00000000\",\"page\":\"https://shop.example/products/shoes/000000\",\"target\":\"#buy-now\",\"props\":{\"plan\":"   \
	"\"pro\",\"ab\":\"B\",\"x\":1000,\"y\":100}}"

enum {
	SHAPE_BYTES = sizeof SHAPE - 1,
	SHAPE_RUN = 7,       /* 8 hex digits: who made the event */
	SHAPE_NUMBER = 16,   /* 12 hex digits: which of its */
	SHAPE_NAME = 38,     /* view or like */
	SHAPE_TIME = 51,     /* 13 digits: milliseconds */
	SHAPE_VISITOR = 100, /* 8 hex digits */
	SHAPE_PAGE = 154,    /* 6 digits */
	SHAPE_X = 217,       /* 4 digits: a thousand different ones */
};

struct shape {
	uint32_t run;             /* ids of two runs never meet */
	uint64_t visitors, pages; /* how many different ones, at least 1 */
};

/* The places above are those of the text. */
static inline void shape_check(void)
{
	MUST(memcmp(SHAPE + SHAPE_RUN - 5, "id\":\"", 5) == 0 && SHAPE[SHAPE_NUMBER - 1] == '-');
	MUST(memcmp(SHAPE + SHAPE_NAME, "view", 4) == 0 && memcmp(SHAPE + SHAPE_TIME - 6, "time\":", 6) == 0);
	MUST(memcmp(SHAPE + SHAPE_VISITOR - 2, "b500000000\"", 11) == 0 &&
		memcmp(SHAPE + SHAPE_PAGE - 1, "/000000\"", 8) == 0);
	MUST(memcmp(SHAPE + SHAPE_X - 4, "\"x\":1000", 8) == 0);
}

static inline void shape_hex(char *p, uint64_t n, int digits)
{
	for (int i = digits - 1; i >= 0; i--, n >>= 4)
		p[i] = "0123456789abcdef"[n & 15];
}

static inline void shape_decimal(char *p, uint64_t n, int digits)
{
	for (int i = digits - 1; i >= 0; i--, n /= 10)
		p[i] = (char)('0' + n % 10);
}

/* A whole event at p, as of now. */
static inline void shape_make(char *p, const struct shape *s)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	memcpy(p, SHAPE, SHAPE_BYTES);
	shape_hex(p + SHAPE_RUN, s->run, 8);
	shape_decimal(p + SHAPE_TIME, (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000, 13);
}

/* Makes the event at p the n-th. A multiplier far from the number of pages sets neighbours apart. */
static inline void shape_number(char *p, const struct shape *s, uint64_t n)
{
	uint64_t mixed = (n + 1) * 2654435761u;
	shape_hex(p + SHAPE_NUMBER, n, 12);
	memcpy(p + SHAPE_NAME, n % 4 ? "view" : "like", 4);
	shape_hex(p + SHAPE_VISITOR, mixed % s->visitors, 8);
	shape_decimal(p + SHAPE_PAGE, (mixed >> 8) % s->pages, 6);
	shape_decimal(p + SHAPE_X, 1000 + (mixed >> 12) % 1000, 4);
}

#endif
