/* SPDX-License-Identifier: Apache-2.0 */
#include "mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE "\"cache\":\""
#define LAG "\"lag_seconds\":"
#define EMPTY "{\"results\":[]"
#define GROWTH 64 /* a longer word, and a longer number */

static const char *find(struct tally_str in, const char *what)
{
	return in.len ? memmem(in.ptr, in.len, what, strlen(what)) : NULL;
}

bool mark_is_there(struct tally_str body)
{
	return find(body, CACHE) != NULL;
}

bool mark_is_empty(struct tally_str body)
{
	return body.len >= strlen(EMPTY) && memcmp(body.ptr, EMPTY, strlen(EMPTY)) == 0;
}

/* Copies bytes[from, to) behind *at. */
static void copy(char **at, const char *from, const char *to)
{
	memcpy(*at, from, (size_t)(to - from));
	*at += to - from;
}

/* The number behind LAG, unless that is null; from: where copying goes on. */
static const char *longer_lag(char **at, const char *from, struct tally_str body, int64_t older_us)
{
	const char *lag = find(body, LAG), *end = body.ptr + body.len;
	char *stop, number[40] = "";
	if (!lag)
		return from;
	lag += strlen(LAG);
	size_t n = (size_t)(end - lag) < sizeof number - 1 ? (size_t)(end - lag) : sizeof number - 1;
	memcpy(number, lag, n);
	double seconds = strtod(number, &stop);
	if (stop == number)
		return from;
	copy(at, from, lag);
	*at += sprintf(*at, "%.6g", seconds + (double)older_us / 1e6);
	return lag + (stop - number);
}

char *mark_body(struct tally_str body, const char *word, int64_t older_us, struct tally_str *out)
{
	char *made = malloc(body.len + GROWTH), *at = made;
	const char *from = body.ptr, *mark = find(body, CACHE);
	if (!made)
		return NULL;
	if (mark && older_us > 0)
		from = longer_lag(&at, from, body, older_us);
	if (mark && mark >= from) {
		mark += strlen(CACHE);
		const char *end = memchr(mark, '"', (size_t)(body.ptr + body.len - mark));
		copy(&at, from, mark);
		copy(&at, word, word + strlen(word));
		from = end ? end : mark;
	}
	if (body.len)
		copy(&at, from, body.ptr + body.len);
	*out = (struct tally_str){ made, (size_t)(at - made) };
	return made;
}
