# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/file.la
plugins_file_la_SOURCES = sinks/file/file.h sinks/file/counts.c sinks/file/lines.c sinks/file/mark.c sinks/file/sink.c
plugins_file_la_CPPFLAGS = $(module_cppflags)
plugins_file_la_CFLAGS = $(module_cflags)
plugins_file_la_LDFLAGS = $(module_ldflags)
