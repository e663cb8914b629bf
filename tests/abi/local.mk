# SPDX-License-Identifier: Apache-2.0
# Released headers, and what proves that they still hold.
abi_headers = tests/abi/0.1.0/tally/plugin.h tests/abi/0.1.0/tally/sink.h
EXTRA_DIST += $(abi_headers) tests/abi/members.c tests/abi/old_sink.c

check_PROGRAMS += tests/abi/test_abi
tests_abi_test_abi_SOURCES = tests/abi/test_abi.c $(built_so)
tests_abi_test_abi_CPPFLAGS = $(built_so_cppflags) -I$(srcdir)/tests

# Before 0.1.0 is released, and never afterwards.
abi-freeze:
	cp $(srcdir)/core/include/tally/plugin.h $(srcdir)/core/include/tally/sink.h $(srcdir)/tests/abi/0.1.0/tally/
.PHONY: abi-freeze
