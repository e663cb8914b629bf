# SPDX-License-Identifier: Apache-2.0
sbin_PROGRAMS += core/main/tallyd
core_main_tallyd_SOURCES = \
	core/main/args.c core/main/args.h core/main/daemon.c core/main/daemon.h core/main/databases.c core/main/front.c core/main/front.h \
	core/main/admin.c core/main/admin.h core/main/adopt.c core/main/adopt.h core/main/balance.c core/main/balance.h \
	core/main/dead.c core/main/dead.h core/main/letters.c core/main/level.c core/main/level.h core/main/node.c core/main/node.h \
	core/main/rebuild.c core/main/rebuild.h core/main/reload.c core/main/run.c core/main/show.c core/main/show.h core/main/stores.c core/main/stores.h \
	core/main/tallyd.c core/main/view.c core/main/view.h
core_main_tallyd_CPPFLAGS = $(AM_CPPFLAGS) -DPACKAGE_VERSION='"$(PACKAGE_VERSION)"'
core_main_tallyd_LDADD = libtallycore.la


bin_PROGRAMS += core/main/tally
core_main_tally_SOURCES = \
	core/main/client/adopt.c core/main/client/adopt.h core/main/client/adopt_copy.c core/main/client/adopt_journal.c core/main/client/ask.c \
	core/main/client/bench.c core/main/client/bench.h core/main/client/bench_daemon.c core/main/client/bench_disk.c \
	core/main/client/bench_load.c core/main/client/call.c core/main/client/client.h core/main/client/print.c core/main/client/rebuild.c core/main/client/spool.c \
	core/main/client/spool_check.c core/main/client/spool_cmd.h core/main/client/spool_dump.c core/main/node.c core/main/node.h \
	core/main/client/records.c core/main/client/records.h core/main/client/send.c core/main/client/send.h core/main/client/send_post.c \
	core/main/client/send_read.c core/main/client/store.c \
	core/main/client/tally.c
core_main_tally_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(SQLITE_CFLAGS)
core_main_tally_LDADD = libtallycore.la $(CURL_LIBS) $(SQLITE_LIBS)
