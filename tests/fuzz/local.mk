# SPDX-License-Identifier: Apache-2.0
# One line a target: its corpus is tests/fuzz/corpus/NAME.
EXTRA_DIST += tests/fuzz/corpus
CLEANFILES += crash-*

check_PROGRAMS += tests/fuzz/fuzz_terms
tests_fuzz_fuzz_terms_SOURCES = tests/fuzz/fuzz_terms.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_hll
tests_fuzz_fuzz_hll_SOURCES = tests/fuzz/fuzz_hll.c tests/fuzz/run.c
check_PROGRAMS += tests/fuzz/fuzz_heavy
tests_fuzz_fuzz_heavy_SOURCES = tests/fuzz/fuzz_heavy.c tests/fuzz/run.c
check_PROGRAMS += tests/fuzz/fuzz_quantile
tests_fuzz_fuzz_quantile_SOURCES = tests/fuzz/fuzz_quantile.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_http_head tests/fuzz/fuzz_http_chunked
tests_fuzz_fuzz_http_head_SOURCES = tests/fuzz/fuzz_http_head.c tests/fuzz/run.c
tests_fuzz_fuzz_http_chunked_SOURCES = tests/fuzz/fuzz_http_chunked.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_tzif tests/fuzz/fuzz_iso
tests_fuzz_fuzz_tzif_SOURCES = tests/fuzz/fuzz_tzif.c tests/fuzz/run.c
tests_fuzz_fuzz_iso_SOURCES = tests/fuzz/fuzz_iso.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_pattern
tests_fuzz_fuzz_pattern_SOURCES = tests/fuzz/fuzz_pattern.c tests/fuzz/run.c

check_PROGRAMS += tests/fuzz/fuzz_query
tests_fuzz_fuzz_query_SOURCES = tests/fuzz/fuzz_query.c tests/fuzz/run.c
check_PROGRAMS += tests/fuzz/fuzz_json tests/fuzz/fuzz_event tests/fuzz/fuzz_spool_form tests/fuzz/fuzz_csv
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/run.c
tests_fuzz_fuzz_event_SOURCES = tests/fuzz/fuzz_event.c tests/fuzz/run.c
tests_fuzz_fuzz_spool_form_SOURCES = tests/fuzz/fuzz_spool_form.c tests/fuzz/run.c
tests_fuzz_fuzz_csv_SOURCES = tests/fuzz/fuzz_csv.c tests/fuzz/run.c

# `make fuzz`: each target with clang's coverage-guided fuzzer, FUZZ_SECONDS (30) long; FUZZ="json csv" chooses.
EXTRA_DIST += tests/fuzz/fuzz.sh
FUZZ_TARGETS = $(patsubst tests/fuzz/fuzz_%,%,$(filter tests/fuzz/fuzz_%,$(check_PROGRAMS)))
.PHONY: fuzz
fuzz:
	@srcdir='$(srcdir)' SOURCES='$(filter %.c,$(libtallycore_la_SOURCES))' LIBS='$(core_libs) $(LIBS)' \
	FUZZ='$(or $(FUZZ),$(FUZZ_TARGETS))' FUZZ_SECONDS='$(or $(FUZZ_SECONDS),30)' \
	$(SHELL) $(srcdir)/tests/fuzz/fuzz.sh $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS)
clean-local:
	-rm -rf fuzz-bin

check_PROGRAMS += tests/fuzz/fuzz_spool
tests_fuzz_fuzz_spool_SOURCES = tests/fuzz/fuzz_spool.c tests/fuzz/run.c
