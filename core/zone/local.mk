# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/zone/calendar.h \
	core/zone/iso.c \
	core/zone/load.c \
	core/zone/rule.c \
	core/zone/spans.c core/zone/spans.h \
	core/zone/tzif.c \
	core/zone/zone.c core/zone/zone.h

check_PROGRAMS += tests/unit/test_zone tests/unit/test_zone_oracle
tests_unit_test_zone_SOURCES = tests/unit/test_zone.c
tests_unit_test_zone_oracle_SOURCES = tests/unit/test_zone_oracle.c
EXTRA_DIST += tests/unit/zone_oracle.py
