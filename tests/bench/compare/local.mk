# SPDX-License-Identifier: Apache-2.0
# `make bench`: tally side by side with the yardsticks that are installed (docs/performance.md).
# BENCH_LINES="P1 P2" BENCH_RUNS=5 BENCH_SECONDS=2 choose what is run and for how long.
# `make bench-instructions`: instructions an event by thread, which noise does not move (needs valgrind).

compare_tools = tests/bench/compare/load tests/bench/compare/scan tests/bench/compare/redis_list \
	tests/bench/compare/store_mariadb tests/bench/compare/store_sqlite
EXTRA_PROGRAMS += tests/bench/compare/scan tests/bench/compare/redis_list tests/bench/compare/store_mariadb \
	tests/bench/compare/store_sqlite
# the smoke test of `make check` needs this one
noinst_PROGRAMS += tests/bench/compare/load
tests_bench_compare_load_SOURCES = tests/bench/compare/load.c tests/bench/compare/shape.h
tests_bench_compare_load_LDADD = libtallycore.la
tests_bench_compare_scan_SOURCES = tests/bench/compare/scan.c tests/bench/compare/scan.h tests/bench/compare/shape.h
tests_bench_compare_scan_LDADD = libtallycore.la
tests_bench_compare_redis_list_SOURCES = tests/bench/compare/redis_list.c tests/bench/compare/shape.h
tests_bench_compare_redis_list_LDADD = libtallycore.la
tests_bench_compare_store_mariadb_SOURCES = tests/bench/compare/store_mariadb.c
tests_bench_compare_store_mariadb_CFLAGS = $(AM_CFLAGS) $(MARIADB_CFLAGS)
tests_bench_compare_store_mariadb_LDADD = libtallycore.la $(MARIADB_LIBS)
tests_bench_compare_store_sqlite_SOURCES = tests/bench/compare/store_sqlite.c
tests_bench_compare_store_sqlite_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
tests_bench_compare_store_sqlite_LDADD = libtallycore.la $(SQLITE_LIBS)

compare_files = tests/bench/compare/bench.py tests/bench/compare/kit.py tests/bench/compare/yardsticks.py \
	tests/bench/compare/http_lines.py tests/bench/compare/redis_lines.py tests/bench/compare/store_lines.py \
	tests/bench/compare/stack_lines.py tests/bench/compare/memory_lines.py tests/bench/compare/load_lines.py \
	tests/bench/compare/instructions.py tests/bench/compare/node/front.js tests/bench/compare/node/worker.js
EXTRA_DIST += $(compare_files)
dist_check_SCRIPTS += tests/bench/compare/smoke.py

.PHONY: bench bench-instructions
bench: all $(addsuffix $(EXEEXT),$(compare_tools))
	@$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/bench/compare/bench.py
bench-instructions: all $(addsuffix $(EXEEXT),$(compare_tools))
	@$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/bench/compare/instructions.py
