# SPDX-License-Identifier: Apache-2.0
# A plugin's test loads the module as it was built; the fake host stands for all of tally.
fake_host = tests/plug/fake_host.c tests/plug/fake_host.h

check_PROGRAMS += tests/plug/test_rollup
tests_plug_test_rollup_SOURCES = tests/plug/test_rollup.c plugins/rollup/keysets.c $(fake_host)
EXTRA_tests_plug_test_rollup_DEPENDENCIES = plugins/rollup.la

check_PROGRAMS += tests/plug/test_session
tests_plug_test_session_SOURCES = tests/plug/test_session.c $(fake_host)
EXTRA_tests_plug_test_session_DEPENDENCIES = plugins/session.la

check_PROGRAMS += tests/plug/test_dedup
tests_plug_test_dedup_SOURCES = tests/plug/test_dedup.c $(fake_host)
EXTRA_tests_plug_test_dedup_DEPENDENCIES = plugins/dedup.la

check_PROGRAMS += tests/plug/test_enrich
tests_plug_test_enrich_SOURCES = tests/plug/test_enrich.c tests/plug/test_enrich_agents.c \
	tests/plug/test_enrich.h $(fake_host)
EXTRA_tests_plug_test_enrich_DEPENDENCIES = plugins/enrich.la
if HAVE_MAXMINDDB
check_PROGRAMS += tests/plug/test_enrich_geo
tests_plug_test_enrich_geo_SOURCES = tests/plug/test_enrich_geo.c $(fake_host)
EXTRA_tests_plug_test_enrich_geo_DEPENDENCIES = plugins/enrich.la
endif

check_PROGRAMS += tests/plug/test_degrade
tests_plug_test_degrade_SOURCES = tests/plug/test_degrade.c $(fake_host)
EXTRA_tests_plug_test_degrade_DEPENDENCIES = plugins/degrade.la

check_PROGRAMS += tests/plug/test_cache
cache_desk = tests/plug/cache_desk.c tests/plug/cache_desk.h $(fake_host)
tests_plug_test_cache_SOURCES = tests/plug/test_cache.c $(cache_desk)
EXTRA_tests_plug_test_cache_DEPENDENCIES = plugins/cache.la
check_PROGRAMS += tests/plug/test_cache_redis
tests_plug_test_cache_redis_SOURCES = tests/plug/test_cache_redis.c $(cache_desk)
EXTRA_tests_plug_test_cache_redis_DEPENDENCIES = plugins/cache.la
sink_store_sources = tests/plug/sink_store.h tests/plug/sink_store_tests.h tests/plug/sink_shop.c \
	tests/plug/sink_store.c tests/plug/sink_store_kill.c tests/plug/sink_store_later.c tests/plug/sink_store_read.c \
	tests/plug/sink_store_write.c tests/plug/sink_store_zone.c \
	tests/plug/sink_store_select.c

check_PROGRAMS += tests/plug/test_sink_sqlite
tests_plug_test_sink_sqlite_SOURCES = tests/plug/test_sink_sqlite.c sinks/sqlite/errors.c $(sink_store_sources)
tests_plug_test_sink_sqlite_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
tests_plug_test_sink_sqlite_LDADD = $(LDADD) $(SQLITE_LIBS) -ldl
tests_plug_test_sink_sqlite_DEPENDENCIES = libtallycore.la plugins/sqlite.la

check_PROGRAMS += tests/plug/test_sink_mariadb
tests_plug_test_sink_mariadb_SOURCES = tests/plug/test_sink_mariadb.c tests/plug/sink_mariadb.c \
	tests/plug/sink_mariadb.h $(sink_store_sources)
tests_plug_test_sink_mariadb_CPPFLAGS = $(AM_CPPFLAGS) -DTESTS_DIR='"$(abs_srcdir)/tests"'
tests_plug_test_sink_mariadb_CFLAGS = $(AM_CFLAGS) $(MARIADB_CFLAGS)
tests_plug_test_sink_mariadb_LDADD = $(LDADD) $(MARIADB_LIBS) -ldl
tests_plug_test_sink_mariadb_DEPENDENCIES = libtallycore.la plugins/mariadb.la

check_PROGRAMS += tests/plug/test_sink_mariadb_errors
tests_plug_test_sink_mariadb_errors_SOURCES = tests/plug/test_sink_mariadb_errors.c tests/plug/sink_mariadb.c \
	tests/plug/sink_mariadb.h sinks/mariadb/errors.c tests/plug/sink_store.h tests/plug/sink_shop.c
tests_plug_test_sink_mariadb_errors_CPPFLAGS = $(tests_plug_test_sink_mariadb_CPPFLAGS)
tests_plug_test_sink_mariadb_errors_CFLAGS = $(AM_CFLAGS) $(MARIADB_CFLAGS)
tests_plug_test_sink_mariadb_errors_LDADD = $(LDADD) $(MARIADB_LIBS) -ldl
tests_plug_test_sink_mariadb_errors_DEPENDENCIES = libtallycore.la plugins/mariadb.la


# The loader and the chains, with shared objects made on the spot.
EXTRA_DIST += tests/plug/probe.c
built_so = tests/plug/build_so.c tests/plug/build_so.h
built_so_cppflags = $(AM_CPPFLAGS) -DTEST_CC='"$(CC)"' -DTEST_SRCDIR='"$(abs_top_srcdir)"'

check_PROGRAMS += tests/plug/test_load
tests_plug_test_load_SOURCES = tests/plug/test_load.c $(built_so)
tests_plug_test_load_CPPFLAGS = $(built_so_cppflags)

check_PROGRAMS += tests/plug/test_chain
tests_plug_test_chain_SOURCES = tests/plug/test_chain.c tests/unit/fake_table.h $(built_so)
tests_plug_test_chain_CPPFLAGS = $(built_so_cppflags)

check_PROGRAMS += tests/plug/test_guide
tests_plug_test_guide_SOURCES = tests/plug/test_guide.c $(built_so)
tests_plug_test_guide_CPPFLAGS = $(built_so_cppflags)
EXTRA_tests_plug_test_guide_DEPENDENCIES = plugins/rollup.la plugins/dedup.la plugins/degrade.la plugins/cache.la

check_PROGRAMS += tests/plug/test_sink_file tests/plug/test_sink_null
tests_plug_test_sink_file_SOURCES = tests/plug/test_sink_file.c $(sink_store_sources)
tests_plug_test_sink_file_LDADD = $(LDADD) $(JANSSON_LIBS) -ldl
tests_plug_test_sink_file_DEPENDENCIES = libtallycore.la plugins/file.la
tests_plug_test_sink_null_SOURCES = tests/plug/test_sink_null.c $(sink_store_sources)
tests_plug_test_sink_null_LDADD = $(LDADD) -ldl
tests_plug_test_sink_null_DEPENDENCIES = libtallycore.la plugins/null.la

check_PROGRAMS += tests/plug/test_mariadb_parts
tests_plug_test_mariadb_parts_SOURCES = tests/plug/test_mariadb_parts.c sinks/mariadb/cache.c \
	sinks/mariadb/sql.c sinks/mariadb/url.c
tests_plug_test_mariadb_parts_CFLAGS = $(AM_CFLAGS) $(MARIADB_CFLAGS)
tests_plug_test_mariadb_parts_LDADD = $(LDADD) $(MARIADB_LIBS)
check_PROGRAMS += tests/plug/test_rollup_data
tests_plug_test_rollup_data_SOURCES = tests/plug/test_rollup_data.c
tests_plug_test_rollup_data_CPPFLAGS = $(built_so_cppflags)
EXTRA_tests_plug_test_rollup_data_DEPENDENCIES = plugins/rollup.la

check_PROGRAMS += tests/plug/test_ledger
tests_plug_test_ledger_SOURCES = tests/plug/test_ledger.c
EXTRA_tests_plug_test_ledger_DEPENDENCIES = plugins/dedup.la

check_PROGRAMS += tests/plug/test_crash
tests_plug_test_crash_SOURCES = tests/plug/test_crash.c
