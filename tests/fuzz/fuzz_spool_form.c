/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a run of events in the spool, as a line reads them. What decodes must encode and decode as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(struct arena *a, const struct tally_event *ev)
{
	struct tally_event back;
	size_t bytes = event_spool_bytes(ev);
	char *form = malloc(bytes), *again = malloc(bytes);
	MUST(form && again);
	memset(form, 0xaa, bytes);
	memset(again, 0x55, bytes);
	MUST(event_encode(ev, form) == bytes);
	MUST(event_decode(form, bytes, a, &back) == (int64_t)bytes);
	MUST(event_encode(&back, again) == bytes && memcmp(form, again, bytes) == 0); /* no byte is left unwritten */
	free(form);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct tally_event ev;
	arena_init(&a, 0);
	for (size_t at = 0; at < size;) {
		int64_t skip = event_spool_skip(data + at, size - at);
		int64_t bytes = event_decode(data + at, size - at, &a, &ev);
		MUST(bytes < 0 || bytes == skip);
		MUST(skip < 0 || (skip > 0 && (size_t)skip <= size - at));
		if (bytes < 0)
			break;
		MUST(event_spool_bytes(&ev) == (size_t)bytes);
		check_again(&a, &ev);
		at += (size_t)bytes;
	}
	arena_free(&a);
	return 0;
}
