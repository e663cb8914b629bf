/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger terms as they lie in spool records: refused whole, or the same after a round trip. */
#include "base/check.h"
#include "meter/ledger_terms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	arena_init(&a, 0);
	struct terms *t = terms_open(), *u = terms_open();
	if (terms_merge(t, data, size) == 0) {
		struct tally_str bytes = terms_encode(t, &a);
		MUST(terms_merge(u, bytes.ptr, bytes.len) == 0);
		MUST(str_eq(bytes, terms_encode(u, &a)));
	} else {
		MUST(terms_bytes(t) == 0);
	}
	terms_close(t);
	terms_close(u);
	arena_free(&a);
	return 0;
}
