# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/http/answer.c core/http/answer.h \
	core/http/body.c \
	core/http/chars.c core/http/chars.h \
	core/http/chunked.c core/http/chunked.h \
	core/http/coding.c core/http/coding.h \
	core/http/conn.c core/http/inner.h \
	core/http/framing.c \
	core/http/head.c core/http/head.h \
	core/http/http.h \
	core/http/listen.c \
	core/http/pool.c \
	core/http/problem.c \
	core/http/send.c \
	core/http/server.c \
	core/http/uri.c core/http/uri.h \
	core/http/wait.c

check_PROGRAMS += tests/unit/test_http_server
tests_unit_test_http_server_SOURCES = tests/unit/test_http_server.c tests/unit/http_rig.c tests/unit/http_rig.h
