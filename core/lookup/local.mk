# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/lookup/file.c core/lookup/file.h \
	core/lookup/held.c \
	core/lookup/inner.h \
	core/lookup/load.c core/lookup/load.h \
	core/lookup/lookup.c core/lookup/lookup.h \
	core/lookup/refresh.c \
	core/lookup/rows.c core/lookup/rows.h \
	core/lookup/state.c

check_PROGRAMS += tests/unit/test_lookup
tests_unit_test_lookup_SOURCES = tests/unit/test_lookup.c tests/unit/fake_table.h
