# SPDX-License-Identifier: Apache-2.0
EXTRA_DIST += docs/plugin-guide.md docs/plugins.md docs/query.md docs/healing.md
EXTRA_DIST += docs/architecture.md docs/decisions

EXTRA_DIST += docs/schema.md
noinst_PROGRAMS += docs/print_schema
docs_print_schema_SOURCES = docs/print_schema.c docs/schema_examples.h
docs_print_schema_LDADD = libtallycore.la
dist_check_SCRIPTS += tests/unit/schema_doc.sh
EXTRA_DIST += docs/lookups.md docs/performance.md docs/rollups.md
EXTRA_DIST += docs/redis.md docs/sinks.md docs/spool.md
