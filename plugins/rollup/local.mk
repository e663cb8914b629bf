# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/rollup.la
plugins_rollup_la_SOURCES = \
	plugins/rollup/amounts.c \
	plugins/rollup/cells.c \
	plugins/rollup/flush.c \
	plugins/rollup/index.c \
	plugins/rollup/keys.c plugins/rollup/keys.h plugins/rollup/keysets.c \
	plugins/rollup/numbers.c \
	plugins/rollup/people.c \
	plugins/rollup/rollup.c \
	plugins/rollup/rollup.h
plugins_rollup_la_LDFLAGS = $(module_ldflags)
plugins_rollup_la_CPPFLAGS = $(module_cppflags)
plugins_rollup_la_CFLAGS = $(module_cflags)
