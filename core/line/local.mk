# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/line/batch.c core/line/bury.c core/line/furthest.c core/line/gaps.c core/line/horizon.c core/line/internal.h core/line/letters.c \
	core/line/line.c core/line/line.h core/line/order.c core/line/place.c \
	core/line/replay.c core/line/salt.c core/line/snapshot.c core/line/snapshot.h \
	core/line/stage.c core/line/state.c core/line/state.h core/line/taken.c core/line/taken.h core/line/terms.c core/line/view.c \
	core/line/visits.c

check_PROGRAMS += tests/unit/test_snapshot
tests_unit_test_snapshot_SOURCES = tests/unit/test_snapshot.c
check_PROGRAMS += tests/unit/test_order
tests_unit_test_order_SOURCES = tests/unit/test_order.c
