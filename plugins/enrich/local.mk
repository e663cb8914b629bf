# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/enrich.la
plugins_enrich_la_SOURCES = \
	plugins/enrich/enrich.c plugins/enrich/enrich.h \
	plugins/enrich/agent.c plugins/enrich/bots.c plugins/enrich/cache.c \
	plugins/enrich/geo.c plugins/enrich/join.c plugins/enrich/sites.c plugins/enrich/source.c
plugins_enrich_la_LDFLAGS = $(module_ldflags)
plugins_enrich_la_CPPFLAGS = $(module_cppflags)
plugins_enrich_la_CFLAGS = $(module_cflags)
if HAVE_MAXMINDDB
plugins_enrich_la_CPPFLAGS += -DHAVE_MAXMINDDB
plugins_enrich_la_CFLAGS += $(MAXMINDDB_CFLAGS)
plugins_enrich_la_LIBADD = $(MAXMINDDB_LIBS)
endif
