# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/meter/ledger_terms.c core/meter/ledger_terms.h \
	core/meter/level.c \
	core/meter/meter.c core/meter/meter.h \
	core/meter/print.c \
	core/meter/series.h

check_PROGRAMS += tests/unit/test_meter tests/unit/test_ledger_terms
tests_unit_test_meter_SOURCES = tests/unit/test_meter.c
tests_unit_test_ledger_terms_SOURCES = tests/unit/test_ledger_terms.c
