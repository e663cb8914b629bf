/* SPDX-License-Identifier: Apache-2.0 */
/* Most cells of a batch see a handful of numbers. A sketch is a list that is walked for every change, so numbers wait
 * until there are many, or the batch ends, and go in together. */
#include <errno.h>

#include "rollup.h"

#define WAIT_FIRST 4
#define WAIT_MAX 256
#define ROOM_FIRST 64

/* Room for at least twice as much, in batch memory. */
static int grow(struct rollup *ro, struct numbers *nu)
{
	size_t most = ro->host->sketch_room(TALLY_SKETCH_QUANTILE), room = nu->room ? 2 * (size_t)nu->room : ROOM_FIRST;
	if (most > UINT16_MAX)
		most = UINT16_MAX;
	if (nu->room >= most)
		return -EBADMSG;
	if (room > most)
		room = most;
	void *bigger = ro->host->alloc(ro->in, room);
	if (!bigger)
		return -ENOMEM;
	if (nu->len)
		memcpy(bigger, nu->sketch, nu->len);
	nu->sketch = bigger;
	nu->room = (uint16_t)room;
	return 0;
}

/* Puts numbers into the sketch. */
static int pour(struct rollup *ro, struct numbers *nu, const double *some, size_t n, uint64_t times)
{
	int rc = nu->room ? 0 : grow(ro, nu);
	size_t len = nu->len;
	while (rc == 0) {
		rc = ro->host->sketch_add_numbers(TALLY_SKETCH_QUANTILE, nu->sketch, &len, nu->room, some, n, times);
		if (rc != -ENOSPC)
			break;
		rc = grow(ro, nu);
	}
	nu->len = (uint16_t)len;
	return rc;
}

static int settle(struct rollup *ro, struct numbers *nu)
{
	int rc = nu->waiting_n ? pour(ro, nu, nu->waiting, nu->waiting_n, 1) : 0;
	nu->waiting_n = 0;
	return rc;
}

static int wait_more(struct rollup *ro, struct numbers *nu)
{
	uint32_t cap = nu->waiting_cap ? nu->waiting_cap * 2 : WAIT_FIRST;
	double *more = ro->host->alloc(ro->in, cap * sizeof *more);
	if (!more)
		return -ENOMEM;
	if (nu->waiting_n)
		memcpy(more, nu->waiting, nu->waiting_n * sizeof *more);
	nu->waiting = more;
	nu->waiting_cap = (uint16_t)cap;
	return 0;
}

int numbers_add(struct rollup *ro, struct numbers *nu, double number, int64_t times)
{
	int rc = 0;
	if (times != 1)
		return pour(ro, nu, &number, 1, (uint64_t)times);
	if (nu->waiting_n == nu->waiting_cap)
		rc = nu->waiting_cap < WAIT_MAX ? wait_more(ro, nu) : settle(ro, nu);
	if (rc == 0)
		nu->waiting[nu->waiting_n++] = number;
	return rc;
}

int numbers_merge(struct rollup *ro, struct numbers *into, const struct numbers *from)
{
	int rc = from->len && !into->room ? grow(ro, into) : 0;
	size_t len = into->len;
	while (rc == 0 && from->len) {
		rc = ro->host->sketch_merge(
			TALLY_SKETCH_QUANTILE, into->sketch, &len, into->room, from->sketch, from->len);
		if (rc != -ENOSPC)
			break;
		rc = grow(ro, into);
	}
	into->len = (uint16_t)len;
	for (uint32_t i = 0; rc == 0 && i < from->waiting_n; i++)
		rc = numbers_add(ro, into, from->waiting[i], 1);
	return rc;
}

static bool copy(struct rollup *ro, void *bytes, void **at, size_t used, size_t room)
{
	if (room == 0)
		return true;
	*at = ro->host->alloc(ro->in, room);
	if (*at && used)
		memcpy(*at, bytes, used);
	return *at != NULL;
}

int numbers_copy(struct rollup *ro, struct numbers *nu)
{
	void *sketch = NULL, *waiting = NULL;
	if (!copy(ro, nu->sketch, &sketch, nu->len, nu->room) ||
		!copy(ro, nu->waiting, &waiting, nu->waiting_n * sizeof(double), nu->waiting_cap * sizeof(double)))
		return -ENOMEM;
	nu->sketch = sketch;
	nu->waiting = waiting;
	return 0;
}

int numbers_seal(struct rollup *ro, struct numbers *nu)
{
	return settle(ro, nu);
}
