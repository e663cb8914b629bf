# SPDX-License-Identifier: Apache-2.0
plugin_LTLIBRARIES += plugins/degrade.la
plugins_degrade_la_SOURCES = plugins/degrade/degrade.c
plugins_degrade_la_LDFLAGS = $(module_ldflags)
plugins_degrade_la_CPPFLAGS = $(module_cppflags)
plugins_degrade_la_CFLAGS = $(module_cflags)
