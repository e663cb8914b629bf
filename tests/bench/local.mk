# SPDX-License-Identifier: Apache-2.0

EXTRA_PROGRAMS += tests/bench/bench_sketch
tests_bench_bench_sketch_SOURCES = tests/bench/bench_sketch.c
noinst_PROGRAMS += tests/bench/http204
tests_bench_http204_SOURCES = tests/bench/http204.c
tests_bench_http204_LDADD = libtallycore.la

EXTRA_PROGRAMS += tests/bench/bench_zone
tests_bench_bench_zone_SOURCES = tests/bench/bench_zone.c
EXTRA_PROGRAMS += tests/bench/bench_event
tests_bench_bench_event_SOURCES = tests/bench/bench_event.c tests/unit/event_fixture.h
EXTRA_PROGRAMS += tests/bench/bench_sink
tests_bench_bench_sink_SOURCES = tests/bench/bench_sink.c $(sink_store_sources)
tests_bench_bench_sink_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/plug
tests_bench_bench_sink_LDADD = $(LDADD) -ldl
EXTRA_PROGRAMS += tests/bench/bench_spool
tests_bench_bench_spool_SOURCES = tests/bench/bench_spool.c

EXTRA_PROGRAMS += tests/bench/bench_plug
tests_bench_bench_plug_SOURCES = tests/bench/bench_plug.c

# `make bench-parts`: what the pure parts cost, in nanoseconds. Those that need a folder, a store or a plugin are run by hand.
BENCHES = tests/bench/bench_sketch tests/bench/bench_zone tests/bench/bench_event
.PHONY: bench-parts
bench-parts: $(addsuffix $(EXEEXT),$(BENCHES))
	@for b in $(BENCHES); do echo "$$b"; $$b || exit 1; done

EXTRA_PROGRAMS += tests/bench/bench_enrich
tests_bench_bench_enrich_SOURCES = tests/bench/bench_enrich.c tests/unit/fake_table.h

EXTRA_PROGRAMS += tests/bench/bench_keys
tests_bench_bench_keys_SOURCES = tests/bench/bench_keys.c

# `make bench-queries`: ten million events in a MariaDB of its own, kept in TALLY_BENCH_DIR; see queries.py.
EXTRA_DIST += tests/bench/queries.py
EXTRA_PROGRAMS += tests/bench/heavy_events tests/bench/ask
tests_bench_heavy_events_SOURCES = tests/bench/heavy_events.c
tests_bench_heavy_events_LDADD = -lm
tests_bench_ask_SOURCES = tests/bench/ask.c
tests_bench_ask_LDADD =
.PHONY: bench-queries
bench-queries: all tests/bench/heavy_events$(EXEEXT) tests/bench/ask$(EXEEXT)
	abs_top_builddir=$(abs_top_builddir) abs_top_srcdir=$(abs_top_srcdir) python3 $(srcdir)/tests/bench/queries.py

include tests/bench/compare/local.mk
