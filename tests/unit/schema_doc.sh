#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/schema.md is what the descriptions of the tables print.
docs/print_schema | diff - "$srcdir/docs/schema.md" || {
	echo "docs/schema.md is not up to date: docs/print_schema > docs/schema.md" >&2
	exit 1
}
