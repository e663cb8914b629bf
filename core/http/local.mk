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

http_rig = tests/unit/http_rig.c tests/unit/http_rig.h
check_PROGRAMS += tests/unit/test_http_head tests/unit/test_http_body tests/unit/test_http_server \
	tests/unit/test_http_upload tests/unit/test_http_ends tests/unit/test_http_time tests/unit/test_http_talk
tests_unit_test_http_head_SOURCES = tests/unit/test_http_head.c
tests_unit_test_http_body_SOURCES = tests/unit/test_http_body.c
tests_unit_test_http_server_SOURCES = tests/unit/test_http_server.c $(http_rig)
tests_unit_test_http_upload_SOURCES = tests/unit/test_http_upload.c $(http_rig)
tests_unit_test_http_ends_SOURCES = tests/unit/test_http_ends.c $(http_rig)
tests_unit_test_http_talk_SOURCES = tests/unit/test_http_talk.c $(http_rig)
tests_unit_test_http_time_SOURCES = tests/unit/test_http_time.c $(http_rig)

# the oracle is compiled as its authors wrote it, without our warnings
tests_unit_test_http_llhttp_SOURCES = tests/unit/test_http_llhttp.c
tests_unit_test_http_llhttp_CPPFLAGS = $(AM_CPPFLAGS) -I$(llhttpdir)/include/llhttp
tests_unit_test_http_llhttp_LDADD = $(llhttp_objects) $(LDADD)
llhttp_objects = tests/unit/llhttp-llhttp.o tests/unit/llhttp-api.o tests/unit/llhttp-http.o
CLEANFILES += $(llhttp_objects)
tests/unit/llhttp-%.o: $(llhttpdir)/llhttp/%.c
	@$(MKDIR_P) tests/unit
	$(AM_V_CC)$(CC) $(CFLAGS) -I$(llhttpdir)/include/llhttp -c -o $@ $<
if HAVE_LLHTTP
check_PROGRAMS += tests/unit/test_http_llhttp
endif
