# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/text/csv.c core/text/csv.h \
	core/text/iso8601.c core/text/iso8601.h \
	core/text/json.c core/text/json.h core/text/json_inner.h \
	core/text/json_string.c \
	core/text/number.c core/text/number.h \
	core/text/tree.c core/text/tree.h \
	core/text/utf8.c core/text/utf8.h \
	core/text/write.c core/text/write.h

check_PROGRAMS += tests/unit/test_json
tests_unit_test_json_SOURCES = tests/unit/test_json.c
