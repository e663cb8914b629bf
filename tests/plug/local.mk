# SPDX-License-Identifier: Apache-2.0
# A plugin's test loads the module as it was built; the fake host stands for all of tally.
fake_host = tests/plug/fake_host.c tests/plug/fake_host.h

check_PROGRAMS += tests/plug/test_rollup
tests_plug_test_rollup_SOURCES = tests/plug/test_rollup.c $(fake_host)
EXTRA_tests_plug_test_rollup_DEPENDENCIES = plugins/rollup.la

check_PROGRAMS += tests/plug/test_dedup
tests_plug_test_dedup_SOURCES = tests/plug/test_dedup.c $(fake_host)
EXTRA_tests_plug_test_dedup_DEPENDENCIES = plugins/dedup.la

check_PROGRAMS += tests/plug/test_degrade
tests_plug_test_degrade_SOURCES = tests/plug/test_degrade.c $(fake_host)
EXTRA_tests_plug_test_degrade_DEPENDENCIES = plugins/degrade.la

check_PROGRAMS += tests/plug/test_cache
tests_plug_test_cache_SOURCES = tests/plug/test_cache.c $(fake_host)
EXTRA_tests_plug_test_cache_DEPENDENCIES = plugins/cache.la
