# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/null.la
plugins_null_la_SOURCES = sinks/null/null.c
plugins_null_la_CPPFLAGS = $(module_cppflags)
plugins_null_la_CFLAGS = $(module_cflags)
plugins_null_la_LDFLAGS = $(module_ldflags)
