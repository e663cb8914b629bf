# SPDX-License-Identifier: Apache-2.0
# Faults, injected, and events counted on both sides. `make check` runs a short form of each module, `make fault` all of
# it, `make soak` picks faults at random for SOAK_MINUTES.
fault_modules = \
	tests/fault/heal.py \
	tests/fault/kill.py \
	tests/fault/letters.py \
	tests/fault/mariadb.py \
	tests/fault/mutants.py \
	tests/fault/process.py \
	tests/fault/readers.py \
	tests/fault/readers_away.py \
	tests/fault/readers_wrong.py \
	tests/fault/readings.py \
	tests/fault/redis.py \
	tests/fault/redis_ha.py \
	tests/fault/redis_list.py \
	tests/fault/spool.py \
	tests/fault/sqlite.py \
	tests/fault/steps_redis.py \
	tests/fault/steps_sinks.py

EXTRA_DIST += tests/fault/lib/damage.py tests/fault/lib/greeter.py tests/fault/lib/lists.py tests/fault/lib/proxy.py tests/fault/lib/reading.py tests/fault/lib/replication.py tests/fault/lib/rig.py tests/fault/soak.py tests/fault/fault.sh
dist_check_SCRIPTS += $(fault_modules)

# The mutants: tallyd once more, with bugs that TALLY_MUTANT chooses from; see core/base/seam.h. What has a MUTANT() in it is
# compiled again and stands before the archive of the core.
if !SANITIZED
EXTRA_PROGRAMS += tests/fault/tallyd-mutant
CLEANFILES += tests/fault/tallyd-mutant$(EXEEXT)
check_DATA = tests/fault/tallyd-mutant$(EXEEXT)
tests_fault_tallyd_mutant_SOURCES = $(core_main_tallyd_SOURCES) \
	core/base/seam.c core/door/redis_back.c core/door/redis_fate.c core/door/redis_script.c core/ledger/fate.c \
	core/ledger/intake.c core/ledger/ledger.c core/ledger/record.c core/line/furthest.c core/line/gaps.c core/line/place.c core/line/stage.c \
	core/line/taken.c core/line/view.c core/ship/job.c core/ship/mutant.c core/spool/reader.c core/spool/trim.c
tests_fault_tallyd_mutant_CPPFLAGS = $(core_main_tallyd_CPPFLAGS) -DTALLY_MUTANTS
tests_fault_tallyd_mutant_LDADD = libtallycore.la

# Modules with bugs of their own: they have no seam.h, so mutant.h goes before them.
EXTRA_DIST += tests/fault/lib/mutant.h
mutant_cppflags = -include $(srcdir)/tests/fault/lib/mutant.h
mutant_ldflags = $(module_ldflags) -rpath /nowhere
check_LTLIBRARIES += tests/fault/dedup.la tests/fault/sqlite.la
tests_fault_dedup_la_SOURCES = $(plugins_dedup_la_SOURCES)
tests_fault_dedup_la_CPPFLAGS = $(plugins_dedup_la_CPPFLAGS) $(mutant_cppflags)
tests_fault_dedup_la_CFLAGS = $(plugins_dedup_la_CFLAGS)
tests_fault_dedup_la_LDFLAGS = $(mutant_ldflags)
tests_fault_sqlite_la_SOURCES = $(plugins_sqlite_la_SOURCES)
tests_fault_sqlite_la_CPPFLAGS = $(plugins_sqlite_la_CPPFLAGS) $(mutant_cppflags)
tests_fault_sqlite_la_CFLAGS = $(plugins_sqlite_la_CFLAGS)
tests_fault_sqlite_la_LDFLAGS = $(mutant_ldflags)
tests_fault_sqlite_la_LIBADD = $(plugins_sqlite_la_LIBADD)
endif

.PHONY: fault soak
fault: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS=
	$(MAKE) $(AM_MAKEFLAGS) tests/fault/tallyd-mutant$(EXEEXT)
	$(AM_TESTS_ENVIRONMENT) bash $(srcdir)/tests/fault/fault.sh $(fault_modules)
soak: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS=
	$(AM_TESTS_ENVIRONMENT) $(srcdir)/tests/fault/soak.py

# A library for LD_PRELOAD that makes calls fail; built for the tests only. -rpath makes libtool build a shared one.
if !SANITIZED
check_LTLIBRARIES += tests/fault/shim.la
tests_fault_shim_la_SOURCES = tests/fault/shim.c
tests_fault_shim_la_CPPFLAGS = -D_GNU_SOURCE
tests_fault_shim_la_CFLAGS = $(TALLY_CFLAGS) -fvisibility=default
tests_fault_shim_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
endif
