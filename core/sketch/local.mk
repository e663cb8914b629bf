# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/sketch/heavy.c core/sketch/heavy.h \
	core/sketch/hll.c core/sketch/hll_draft.c core/sketch/hll.h \
	core/sketch/hll_bytes.h \
	core/sketch/hll_read.c \
	core/sketch/quantile.c core/sketch/quantile.h \
	core/sketch/quantile_bytes.h \
	core/sketch/quantile_read.c

check_PROGRAMS += tests/unit/test_hll
tests_unit_test_hll_SOURCES = tests/unit/test_hll.c
check_PROGRAMS += tests/unit/test_quantile
tests_unit_test_quantile_SOURCES = tests/unit/test_quantile.c
check_PROGRAMS += tests/unit/test_heavy
tests_unit_test_heavy_SOURCES = tests/unit/test_heavy.c
check_PROGRAMS += tests/unit/test_sketch_data
tests_unit_test_sketch_data_SOURCES = tests/unit/test_sketch_data.c tests/unit/data.h
