/* SPDX-License-Identifier: Apache-2.0 */
/* Summaries of heavy hitters as they come from a store, or made by a script: [u8 0 | bytes of a summary], or
 * [u8 k | (u8 key, u8 times) …]. Bad bytes are refused; whatever is done to good ones leaves them good. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sketch/heavy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *key_of(uint8_t i)
{
	static uint8_t key[HEAVY_KEY];
	put_u64(key, i % 16); /* many at one home */
	key[15] = i;
	return key;
}

static void use(uint8_t *s, size_t len)
{
	struct heavy_entry e, top[4];
	MUST(heavy_add(s, key_of(77), 0) <= heavy_total(s));
	for (uint8_t i = 1; i < 40; i++) {
		uint64_t least = heavy_add(s, key_of(i), i);
		MUST(heavy_find(s, key_of(i), &e) && least == e.count - e.error);
		MUST(i % 8 != 0 || heavy_check(s, len) == 0);
	}
	MUST(heavy_top(s, top, 4) >= 1);
	MUST(heavy_merge(s, s, len) == 0 && heavy_check(s, len) == 0);
}

static void as_bytes(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1), small[256];
	MUST(copy != NULL && heavy_room(3) <= sizeof small);
	memcpy(copy, data, size);
	int rc = heavy_check(copy, size);
	heavy_init(small, 3);
	MUST(heavy_merge(small, copy, size) == rc && heavy_check(small, heavy_room(3)) == 0);
	if (rc == 0)
		use(copy, size);
	free(copy);
}

static void as_script(unsigned k, const uint8_t *data, size_t size)
{
	uint8_t *s = malloc(heavy_room(k));
	MUST(s != NULL);
	heavy_init(s, k);
	for (size_t i = 0; i + 1 < size; i += 2) {
		heavy_add(s, key_of(data[i]), data[i + 1]);
		MUST(i % 32 != 0 || heavy_check(s, heavy_room(k)) == 0);
	}
	use(s, heavy_room(k));
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 1024)
		return 0;
	if (data[0] == 0)
		as_bytes(data + 1, size - 1);
	else
		as_script(data[0], data + 1, size - 1);
	return 0;
}
