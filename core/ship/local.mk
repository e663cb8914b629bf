# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/ship/adopt.c core/ship/definition.c \
	core/ship/host.c core/ship/host.h \
	core/ship/inner.h core/ship/job.c core/ship/lookback.c \
	core/ship/meta.c core/ship/meta.h core/ship/meta_inner.h core/ship/missing.c core/ship/mutant.h \
	core/ship/news.c core/ship/orphans.c \
	core/ship/pace.c core/ship/pace.h \
	core/ship/refusal.c \
	core/ship/remember.c core/ship/remember.h core/ship/rezone.c \
	core/ship/schema.c core/ship/schema.h \
	core/ship/ship.c core/ship/ship.h core/ship/side.c \
	core/ship/zones.c core/ship/zones.h

check_PROGRAMS += tests/unit/test_schema tests/unit/test_ship
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c
tests_unit_test_ship_SOURCES = tests/unit/test_ship.c
