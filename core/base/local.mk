# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/base/arena.c core/base/arena.h \
	core/base/bytes.h \
	core/base/check.c core/base/check.h \
	core/base/clock.c core/base/clock.h \
	core/base/file.c core/base/file.h \
	core/base/hash.c core/base/hash.h \
	core/base/log.c core/base/log.h \
	core/base/memory.c core/base/memory.h \
	core/base/ring.c core/base/ring.h \
	core/base/seam.c core/base/seam.h \
	core/base/str.h \
	core/base/table.c core/base/table.h

check_PROGRAMS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/test_base.c
check_PROGRAMS += tests/unit/test_file
tests_unit_test_file_SOURCES = tests/unit/test_file.c
