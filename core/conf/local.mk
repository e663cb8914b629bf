# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/conf/check.c core/conf/check.h \
	core/conf/conf.c core/conf/conf.h \
	core/conf/document.c \
	core/conf/expand.c \
	core/conf/include.c \
	core/conf/judge.c \
	core/conf/nested.c \
	core/conf/option.h \
	core/conf/plugopt.c core/conf/plugopt.h \
	core/conf/pair.c \
	core/conf/print.c \
	core/conf/read.c \
	core/conf/redis_url.c core/conf/redis_url.h \
	core/conf/rollup.c \
	core/conf/scalar.c \
	core/conf/select.c \
	core/conf/tables.c \
	core/conf/tree.c core/conf/tree.h \
	core/conf/units.c core/conf/units.h \
	core/conf/visit.c

check_PROGRAMS += tests/unit/test_conf tests/unit/test_conf_document tests/unit/test_conf_refusals \
	tests/unit/test_redis_url \
	tests/unit/test_conf_tree tests/unit/test_conf_units
tests_unit_test_conf_SOURCES = tests/unit/test_conf.c tests/unit/conf_file.h
tests_unit_test_conf_document_SOURCES = tests/unit/test_conf_document.c
tests_unit_test_conf_refusals_SOURCES = tests/unit/test_conf_refusals.c tests/unit/conf_file.h
tests_unit_test_redis_url_SOURCES = tests/unit/test_redis_url.c
tests_unit_test_conf_tree_SOURCES = tests/unit/test_conf_tree.c
tests_unit_test_conf_units_SOURCES = tests/unit/test_conf_units.c

check_PROGRAMS += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c tests/fuzz/run.c
