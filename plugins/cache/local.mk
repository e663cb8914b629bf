# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/cache.la
plugins_cache_la_SOURCES = \
	plugins/cache/cache.c \
	plugins/cache/flight.c plugins/cache/flight.h \
	plugins/cache/store.c plugins/cache/store.h
plugins_cache_la_LDFLAGS = $(module_ldflags)
plugins_cache_la_CPPFLAGS = $(module_cppflags)
plugins_cache_la_CFLAGS = $(module_cflags)
