#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every C file is as clang-format 14 writes it with .clang-format, and begins with the licence's line.
set -u
cd "${srcdir:-.}" || exit 1

tool=
for t in clang-format-14 clang-format; do
	command -v $t >/dev/null && $t --version | grep -q 'version 14\.' && tool=$t && break
done
if [ -z "$tool" ]; then
	echo "skipped format: clang-format 14 is not installed"
	exit 77
fi

files() { find core plugins sinks tests conf docs -name '*.[ch]' -type f | LC_ALL=C sort; }

fails=0
while read -r f; do
	[ "$(head -c 39 "$f")" = '/* SPDX-License-Identifier: Apache-2.0 ' ] ||
		{ echo "$f:1: begins without /* SPDX-License-Identifier: Apache-2.0 */"; fails=1; }
done < <(files)
files | xargs -d '\n' $tool --dry-run -Werror 2>&1 | grep -E 'error: ' && fails=1
[ $fails = 0 ] || echo "to format a file: $tool -i FILE"
exit $fails
