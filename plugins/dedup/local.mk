# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/dedup.la
plugins_dedup_la_SOURCES = \
	plugins/dedup/dedup.c \
	plugins/dedup/ids.c plugins/dedup/ids.h \
	plugins/dedup/pending.c plugins/dedup/pending.h
plugins_dedup_la_LDFLAGS = $(module_ldflags)
plugins_dedup_la_CPPFLAGS = $(module_cppflags)
plugins_dedup_la_CFLAGS = $(module_cflags)
