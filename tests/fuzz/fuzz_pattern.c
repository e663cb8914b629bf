/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns: the first line is compiled, the rest is matched. Whatever the bytes, it ends, and a pattern in brackets of its
 * own means what it meant. */
#include "base/check.h"
#include "text/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size ? memchr(text, '\n', size) : NULL;
	size_t n = end ? (size_t)(end - text) : size;
	struct tally_str sample = end ? str_make(end + 1, size - n - 1) : STR("");
	const struct pattern *p, *again;
	const char *why;
	size_t at = 0;
	struct arena a;
	if (sample.len > 4096)
		sample.len = 4096;
	arena_init(&a, 0);
	bool folded = size % 2;
	if (pattern_compile(&a, str_make(text, n), folded, &p, &why, &at)) {
		MUST(at <= n);
	} else {
		char *grouped = arena_alloc(&a, n + 2);
		bool was = pattern_matches(p, sample);
		grouped[0] = '(';
		memcpy(grouped + 1, text, n);
		grouped[n + 1] = ')';
		/* a ")" without "(" is itself, but not within brackets */
		if (pattern_compile(&a, str_make(grouped, n + 2), folded, &again, &why, &at) == 0 &&
			!memchr(text, ')', n))
			MUST(pattern_matches(again, sample) == was);
	}
	arena_free(&a);
	return 0;
}
