# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/sketch/hll.c core/sketch/hll.h \
	core/sketch/hll_bytes.h \
	core/sketch/hll_read.c

check_PROGRAMS += tests/unit/test_hll
tests_unit_test_hll_SOURCES = tests/unit/test_hll.c
