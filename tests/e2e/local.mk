# SPDX-License-Identifier: Apache-2.0
# End to end: a real tallyd against real servers, started privately. The scripts find the build by abs_top_builddir.
AM_TESTS_ENVIRONMENT = \
	abs_top_builddir='$(abs_top_builddir)'; export abs_top_builddir; \
	abs_top_srcdir='$(abs_top_srcdir)'; export abs_top_srcdir; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

EXTRA_DIST += tests/e2e/lib/attribution.py tests/e2e/lib/harness.py tests/e2e/lib/servers.sh tests/e2e/lib/oracle.py \
	tests/e2e/lib/refusals.py tests/e2e/query.py tests/e2e/funnels.py tests/e2e/live.py tests/e2e/truth.py tests/e2e/kill.py \
	tests/e2e/visits.py tests/e2e/rollups.py tests/e2e/visits_rebuild.py tests/e2e/zone_change.py tests/e2e/lookups.py

dist_check_SCRIPTS += \
	tests/e2e/bench.py \
	tests/e2e/cache.py \
	tests/e2e/docs_query.py \
	tests/e2e/enrich.py \
	tests/e2e/faults.py \
	tests/e2e/funnels_mariadb.py \
	tests/e2e/funnels_sqlite.py \
	tests/e2e/gaps.py \
	tests/e2e/keycap.py \
	tests/e2e/keylate.py \
	tests/e2e/kill_mariadb.py \
	tests/e2e/kill_sqlite.py \
	tests/e2e/letters.py \
	tests/e2e/live_mariadb.py \
	tests/e2e/live_sqlite.py \
	tests/e2e/lookups_mariadb.py \
	tests/e2e/lookups_sqlite.py \
	tests/e2e/outage.py \
	tests/e2e/plugins.py \
	tests/e2e/query_mariadb.py \
	tests/e2e/query_sqlite.py \
	tests/e2e/rebuild_part.py \
	tests/e2e/renamed.py \
	tests/e2e/retention.py \
	tests/e2e/rollups_mariadb.py \
	tests/e2e/rollups_sqlite.py \
	tests/e2e/salt.py \
	tests/e2e/spool_tool.py \
	tests/e2e/state.py \
	tests/e2e/status.py \
	tests/e2e/tool.py \
	tests/e2e/truth_mariadb.py \
	tests/e2e/truth_sqlite.py \
	tests/e2e/upgrade.py \
	tests/e2e/visits_mariadb.py \
	tests/e2e/visits_sqlite.py \
	tests/e2e/visits_rebuild_mariadb.py \
	tests/e2e/visits_rebuild_sqlite.py \
	tests/e2e/zone_change_mariadb.py \
	tests/e2e/zone_change_sqlite.py \
	tests/e2e/zones.py
