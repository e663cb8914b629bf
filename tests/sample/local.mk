# SPDX-License-Identifier: Apache-2.0
noinst_PROGRAMS += tests/sample/day
tests_sample_day_SOURCES = tests/sample/day.c
tests_sample_day_LDADD =
dist_check_SCRIPTS += tests/sample/day.sh
