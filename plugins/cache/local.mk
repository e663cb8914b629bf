# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/cache.la
plugins_cache_la_SOURCES = \
	plugins/cache/cache.c plugins/cache/cache.h \
	plugins/cache/flight.c plugins/cache/flight.h \
	plugins/cache/look.c \
	plugins/cache/mark.c plugins/cache/mark.h \
	plugins/cache/redis.c plugins/cache/redis.h \
	plugins/cache/share.c \
	plugins/cache/store.c plugins/cache/store.h \
	plugins/cache/url.c plugins/cache/url.h \
	plugins/cache/wire.c plugins/cache/wire.h
plugins_cache_la_LDFLAGS = $(module_ldflags)
plugins_cache_la_CPPFLAGS = $(module_cppflags)
plugins_cache_la_CFLAGS = $(module_cflags) $(HIREDIS_CFLAGS)
plugins_cache_la_LIBADD = $(HIREDIS_LIBS)
