# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/sqlite.la
plugins_sqlite_la_SOURCES = sinks/sqlite/sqlite.h sinks/sqlite/backup.c sinks/sqlite/check.c sinks/sqlite/connect.c \
	sinks/sqlite/errors.c sinks/sqlite/functions.c sinks/sqlite/gone.c sinks/sqlite/guard.c sinks/sqlite/read.c sinks/sqlite/replaced.c \
	sinks/sqlite/schema.c sinks/sqlite/sink.c sinks/sqlite/trim.c \
	sinks/sqlite/write.c
plugins_sqlite_la_CPPFLAGS = $(module_cppflags)
plugins_sqlite_la_CFLAGS = $(module_cflags) $(SQLITE_CFLAGS)
plugins_sqlite_la_LDFLAGS = $(module_ldflags)
plugins_sqlite_la_LIBADD = $(SQLITE_LIBS) -lm
