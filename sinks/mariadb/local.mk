# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/mariadb.la
plugins_mariadb_la_SOURCES = sinks/mariadb/mariadb.h sinks/mariadb/cache.c sinks/mariadb/check.c sinks/mariadb/connect.c \
	sinks/mariadb/errors.c sinks/mariadb/gone.c sinks/mariadb/guard.c sinks/mariadb/kept.c sinks/mariadb/primary.c sinks/mariadb/put.c \
	sinks/mariadb/read.c sinks/mariadb/reader.c sinks/mariadb/replica.c \
	sinks/mariadb/rows.c sinks/mariadb/schema.c sinks/mariadb/select.c sinks/mariadb/sink.c sinks/mariadb/sketch.c sinks/mariadb/sql.c \
	sinks/mariadb/trim.c sinks/mariadb/url.c sinks/mariadb/watch.c sinks/mariadb/write.c
plugins_mariadb_la_CPPFLAGS = $(module_cppflags)
plugins_mariadb_la_CFLAGS = $(module_cflags) $(MARIADB_CFLAGS)
plugins_mariadb_la_LDFLAGS = $(module_ldflags)
plugins_mariadb_la_LIBADD = $(MARIADB_LIBS) -lm
