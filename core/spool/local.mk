# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/spool/abandon.c \
	core/spool/collect.c \
	core/spool/format.c core/spool/format.h \
	core/spool/group.c \
	core/spool/inner.h \
	core/spool/look.c core/spool/look.h \
	core/spool/payload.h \
	core/spool/quarantine.c \
	core/spool/reader.c \
	core/spool/recover.c \
	core/spool/scan.c core/spool/scan.h \
	core/spool/segment.c \
	core/spool/spare.c \
	core/spool/spool.c core/spool/spool.h \
	core/spool/sync.c \
	core/spool/tail.c \
	core/spool/trim.c \
	core/spool/write.c

check_PROGRAMS += tests/unit/test_spool
tests_unit_test_spool_SOURCES = tests/unit/test_spool.c tests/unit/spool_kit.h
check_PROGRAMS += tests/unit/test_spool_fault
tests_unit_test_spool_fault_SOURCES = tests/unit/test_spool_fault.c tests/unit/spool_kit.h
check_PROGRAMS += tests/unit/test_spool_frozen
tests_unit_test_spool_frozen_SOURCES = tests/unit/test_spool_frozen.c tests/unit/spool_kit.h
tests_unit_test_spool_frozen_LDADD = $(LDADD) $(ZLIB_LIBS)
EXTRA_DIST += \
	tests/unit/frozen/spool-1/0000000001.seg.gz tests/unit/frozen/spool-1/0000000002.seg.gz \
	tests/unit/frozen/spool-1/0000000003.seg.gz tests/unit/frozen/spool-1/records

check_PROGRAMS += tests/unit/test_spool_recover
tests_unit_test_spool_recover_SOURCES = tests/unit/test_spool_recover.c tests/unit/spool_master.h tests/unit/spool_kit.h
check_PROGRAMS += tests/unit/test_spool_files
tests_unit_test_spool_files_SOURCES = tests/unit/test_spool_files.c tests/unit/spool_master.h tests/unit/spool_kit.h
check_PROGRAMS += tests/unit/test_spool_crash
tests_unit_test_spool_crash_SOURCES = tests/unit/test_spool_crash.c tests/unit/crash_disk.c tests/unit/crash_disk.h \
	tests/unit/spool_life.h tests/unit/spool_kit.h
check_PROGRAMS += tests/unit/test_spool_format
tests_unit_test_spool_format_SOURCES = tests/unit/test_spool_format.c
check_PROGRAMS += tests/unit/test_spool_threads
tests_unit_test_spool_threads_SOURCES = tests/unit/test_spool_threads.c tests/unit/spool_kit.h
check_PROGRAMS += tests/unit/test_spool_full
tests_unit_test_spool_full_SOURCES = tests/unit/test_spool_full.c tests/unit/spool_kit.h
EXTRA_DIST += docs/spool.md
