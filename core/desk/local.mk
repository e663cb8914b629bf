# SPDX-License-Identifier: Apache-2.0
libtallycore_la_SOURCES += \
	core/desk/answer.c core/desk/answer.h \
	core/desk/admin.c \
	core/desk/base.c \
	core/desk/begin.c \
	core/desk/crew.c core/desk/crew.h \
	core/desk/csv.c \
	core/desk/desk.c core/desk/desk.h \
	core/desk/explain.c \
	core/desk/filter.c \
	core/desk/group.c core/desk/group.h \
	core/desk/inner.h \
	core/desk/lag.c core/desk/lag.h \
	core/desk/live.c core/desk/live.h \
	core/desk/live_read.c \
	core/desk/lookup.c \
	core/desk/names.c \
	core/desk/needs.c \
	core/desk/normal.c \
	core/desk/order.c \
	core/desk/out.h \
	core/desk/params.c core/desk/params.h \
	core/desk/parse.c core/desk/parse.h \
	core/desk/parse_filter.c \
	core/desk/parse_place.c \
	core/desk/parse_short.c \
	core/desk/parse_walk.c \
	core/desk/pick.c core/desk/pick.h core/desk/top.c \
	core/desk/plan.c core/desk/plan.h \
	core/desk/plugs.c \
	core/desk/problem.c \
	core/desk/query.h \
	core/desk/range.c \
	core/desk/raw.c core/desk/raw.h \
	core/desk/reload.c \
	core/desk/route.c \
	core/desk/run.c core/desk/run.h \
	core/desk/run_raw.c \
	core/desk/run_rollup.c core/desk/run_visits.c \
	core/desk/schema_doc.c \
	core/desk/shape.c core/desk/shape.h \
	core/desk/share.c \
	core/desk/shape_meta.c \
	core/desk/site.c \
	core/desk/state.c \
	core/desk/sampler.c core/desk/servers.c \
	core/desk/store.c core/desk/store.h core/desk/store_inner.h \
	core/desk/store_sql.c \
	core/desk/walk.c core/desk/walk.h \
	core/desk/walk_shape.c \
	core/desk/walk_state.c \
	core/desk/visit.c \
	core/desk/visit_run.c

desk_kit = tests/unit/desk_kit.c tests/unit/desk_kit.h
check_PROGRAMS += tests/unit/test_desk tests/unit/test_desk_answer tests/unit/test_desk_live \
	tests/unit/test_desk_oracle tests/unit/test_desk_plan tests/unit/test_desk_query tests/unit/test_desk_top tests/unit/test_lag
tests_unit_test_lag_SOURCES = tests/unit/test_lag.c
tests_unit_test_desk_plan_SOURCES = tests/unit/test_desk_plan.c
tests_unit_test_desk_query_SOURCES = tests/unit/test_desk_query.c

tests_unit_test_desk_SOURCES = tests/unit/test_desk.c $(desk_kit)
tests_unit_test_desk_LDADD = $(LDADD) $(SQLITE_LIBS)
EXTRA_tests_unit_test_desk_DEPENDENCIES = plugins/sqlite.la plugins/cache.la tests/unit/desk_probe.la

tests_unit_test_desk_answer_SOURCES = tests/unit/test_desk_answer.c $(desk_kit)
tests_unit_test_desk_answer_LDADD = $(LDADD) $(SQLITE_LIBS)
EXTRA_tests_unit_test_desk_answer_DEPENDENCIES = plugins/sqlite.la

tests_unit_test_desk_live_SOURCES = tests/unit/test_desk_live.c $(desk_kit)
tests_unit_test_desk_live_LDADD = $(LDADD) $(SQLITE_LIBS)
EXTRA_tests_unit_test_desk_live_DEPENDENCIES = plugins/sqlite.la

tests_unit_test_desk_oracle_SOURCES = tests/unit/test_desk_oracle.c $(desk_kit)
tests_unit_test_desk_oracle_LDADD = $(LDADD) $(SQLITE_LIBS)
EXTRA_tests_unit_test_desk_oracle_DEPENDENCIES = plugins/sqlite.la

tests_unit_test_desk_top_SOURCES = tests/unit/test_desk_top.c $(desk_kit)
tests_unit_test_desk_top_LDADD = $(LDADD) $(SQLITE_LIBS)
EXTRA_tests_unit_test_desk_top_DEPENDENCIES = plugins/sqlite.la

# a plugin for test_desk; -rpath makes it a shared object though it is never installed
check_LTLIBRARIES += tests/unit/desk_probe.la
tests_unit_desk_probe_la_SOURCES = tests/unit/desk_probe.c
tests_unit_desk_probe_la_CPPFLAGS = $(module_cppflags)
tests_unit_desk_probe_la_CFLAGS = $(module_cflags)
tests_unit_desk_probe_la_LDFLAGS = $(module_ldflags) -rpath /nowhere

EXTRA_PROGRAMS += tests/bench/bench_desk
tests_bench_bench_desk_SOURCES = tests/bench/bench_desk.c $(desk_kit)
tests_bench_bench_desk_LDADD = $(LDADD) $(SQLITE_LIBS)
