# SPDX-License-Identifier: Apache-2.0
# One line a target: its corpus is tests/fuzz/corpus/NAME.
EXTRA_DIST += tests/fuzz/corpus
CLEANFILES += crash-*

check_PROGRAMS += tests/fuzz/fuzz_terms
tests_fuzz_fuzz_terms_SOURCES = tests/fuzz/fuzz_terms.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_hll
tests_fuzz_fuzz_hll_SOURCES = tests/fuzz/fuzz_hll.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_http_head tests/fuzz/fuzz_http_chunked
tests_fuzz_fuzz_http_head_SOURCES = tests/fuzz/fuzz_http_head.c tests/fuzz/run.c
tests_fuzz_fuzz_http_chunked_SOURCES = tests/fuzz/fuzz_http_chunked.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_tzif tests/fuzz/fuzz_iso
tests_fuzz_fuzz_tzif_SOURCES = tests/fuzz/fuzz_tzif.c tests/fuzz/run.c
tests_fuzz_fuzz_iso_SOURCES = tests/fuzz/fuzz_iso.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_query
tests_fuzz_fuzz_query_SOURCES = tests/fuzz/fuzz_query.c tests/fuzz/run.c
