# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/event/event.h core/event/event_inner.h \
	core/event/body.c \
	core/event/cloud.c \
	core/event/fields.c \
	core/event/id.c \
	core/event/props.c \
	core/event/read.c \
	core/event/rules.c \
	core/event/spool_form.c \
	core/event/url.c \
	core/event/when.c \
	core/event/write.c

check_PROGRAMS += tests/unit/test_event_body \
	tests/unit/test_event_data \
	tests/unit/test_event_id \
	tests/unit/test_event_read \
	tests/unit/test_spool_form
tests_unit_test_event_body_SOURCES = tests/unit/test_event_body.c tests/unit/event_fixture.h
tests_unit_test_event_data_SOURCES = tests/unit/test_event_data.c tests/unit/event_fixture.h tests/unit/data.h
tests_unit_test_event_id_SOURCES = tests/unit/test_event_id.c tests/unit/event_fixture.h
tests_unit_test_event_read_SOURCES = tests/unit/test_event_read.c tests/unit/event_fixture.h
tests_unit_test_spool_form_SOURCES = tests/unit/test_spool_form.c tests/unit/event_fixture.h
