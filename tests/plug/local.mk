# SPDX-License-Identifier: Apache-2.0
sink_store_sources = tests/plug/sink_store.h tests/plug/sink_store_tests.h tests/plug/sink_shop.c \
	tests/plug/sink_store.c tests/plug/sink_store_read.c tests/plug/sink_store_write.c

check_PROGRAMS += tests/plug/test_sink_sqlite
tests_plug_test_sink_sqlite_SOURCES = tests/plug/test_sink_sqlite.c $(sink_store_sources)
tests_plug_test_sink_sqlite_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
tests_plug_test_sink_sqlite_LDADD = $(LDADD) $(SQLITE_LIBS) -ldl
tests_plug_test_sink_sqlite_DEPENDENCIES = libtallycore.la plugins/sqlite.la
