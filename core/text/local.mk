# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/text/csv.c core/text/csv.h \
	core/text/fold.c core/text/fold.h core/text/fold_table.h \
	core/text/iso8601.c core/text/iso8601.h \
	core/text/json.c core/text/json.h core/text/json_inner.h \
	core/text/json_string.c \
	core/text/number.c core/text/number.h \
	core/text/pattern.c core/text/pattern.h core/text/pattern_inner.h \
	core/text/pattern_compile.c \
	core/text/tree.c core/text/tree.h \
	core/text/utf8.c core/text/utf8.h \
	core/text/write.c core/text/write.h

EXTRA_DIST += tests/unit/fold_oracle.py
check_PROGRAMS += tests/unit/test_csv \
	tests/unit/test_fold \
	tests/unit/test_iso8601 \
	tests/unit/test_json \
	tests/unit/test_json_oracle \
	tests/unit/test_json_suite \
	tests/unit/test_number \
	tests/unit/test_pattern \
	tests/unit/test_tree \
	tests/unit/test_utf8 \
	tests/unit/test_write
tests_unit_test_csv_SOURCES = tests/unit/test_csv.c
tests_unit_test_fold_SOURCES = tests/unit/test_fold.c
tests_unit_test_iso8601_SOURCES = tests/unit/test_iso8601.c
tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_oracle_SOURCES = tests/unit/test_json_oracle.c tests/unit/json_oracle.c tests/unit/json_oracle.h
tests_unit_test_json_suite_SOURCES = tests/unit/test_json_suite.c tests/unit/data.h
tests_unit_test_number_SOURCES = tests/unit/test_number.c
tests_unit_test_pattern_SOURCES = tests/unit/test_pattern.c
tests_unit_test_tree_SOURCES = tests/unit/test_tree.c
tests_unit_test_utf8_SOURCES = tests/unit/test_utf8.c
tests_unit_test_write_SOURCES = tests/unit/test_write.c
