# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/session.la
plugins_session_la_SOURCES = \
	plugins/session/session.c plugins/session/session.h \
	plugins/session/snapshot.c \
	plugins/session/store.c \
	plugins/session/table.c \
	plugins/session/values.c \
	plugins/session/visits.c
plugins_session_la_LDFLAGS = $(module_ldflags)
plugins_session_la_CPPFLAGS = $(module_cppflags)
plugins_session_la_CFLAGS = $(module_cflags)
