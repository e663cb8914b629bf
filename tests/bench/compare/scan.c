/* SPDX-License-Identifier: Apache-2.0 */
/* How many events a second a pass over their JSON alone allows: bodies of BATCH events as `load` sends them, scanned for
 * SECONDS.
 *
 *     scan [BATCH 100] [SECONDS 2] */
#include "scan.h"

#include <stdlib.h>

#include "base/clock.h"
#include "shape.h"

#define BODIES 32

static void count(void *arg, const struct scan_event *ev)
{
	*(uint64_t *)arg += ev->name.n + ev->visitor.n;
}

static size_t make_body(char *p, const struct shape *s, uint64_t batch, uint64_t first)
{
	char *begin = p;
	for (uint64_t i = 0; i < batch; i++, p += SHAPE_BYTES + 1) {
		*p = i ? ',' : '[';
		shape_make(p + 1, s);
		shape_number(p + 1, s, first + i);
	}
	*p = ']';
	return (size_t)(p + 1 - begin);
}

int main(int argc, char **argv)
{
	const struct shape s = { 1, 100000, 5000 };
	uint64_t batch = argc > 1 ? strtoull(argv[1], NULL, 10) : 100, events = 0, bytes = 0;
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
	char *bodies[BODIES];
	size_t len = 0;
	MUST(batch);
	shape_check();
	for (uint64_t i = 0; i < BODIES; i++) {
		bodies[i] = malloc(batch * (SHAPE_BYTES + 1) + 1);
		MUST(bodies[i]);
		len = make_body(bodies[i], &s, batch, i * batch);
	}
	int64_t began_us = clock_mono_us(), now_us;
	do {
		for (uint64_t i = 0; i < BODIES; i++) {
			MUST(scan_body(bodies[i], len, count, &bytes) == (long)batch);
			events += batch;
		}
		now_us = clock_mono_us();
	} while ((double)(now_us - began_us) < seconds * 1e6);
	MUST(bytes == events * (4 + 32)); /* every name and visitor was found */
	printf("{\"events\":%llu,\"per_second\":%.1f}\n", (unsigned long long)events,
		(double)events * 1e6 / (double)(now_us - began_us));
	for (uint64_t i = 0; i < BODIES; i++)
		free(bodies[i]);
	return 0;
}
