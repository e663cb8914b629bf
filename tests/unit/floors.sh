#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The floors hold: a file of core/ includes only rooms of its own floor and of those below, door and desk never meet,
# plugins and sinks see nothing but <tally/…>, and no room is without a floor. Then the same check is shown violations
# that it must find, so that it cannot fall silent.
#
#   floors.sh         checks $srcdir
set -u

# room floor, as in docs/architecture.md
floors='base 0
event 1
text 1
zone 1
conf 1
meter 1
spool 2
sketch 2
http 2
lookup 3
plug 3
ship 3
line 4
ledger 4
keep 4
door 5
desk 5
main 6'

# check ROOT: prints violations as file:line: words; status 1 if there are any
check() {
	(cd "$1" && find core plugins sinks \( -name '*.c' -o -name '*.h' \) -print | LC_ALL=C sort |
		xargs -d '\n' -r awk -v floors="$floors" '
	BEGIN {
		n = split(floors, words)
		for (i = 1; i < n; i += 2)
			floor[words[i]] = words[i + 1]
	}
	function bad(why) { printf "%s:%d: %s\n", FILENAME, FNR, why; found = 1 }
	FNR == 1 {
		split(FILENAME, part, "/")
		top = part[1]; room = part[2]
		public = FILENAME ~ /^core\/include\/tally\//
		if (top == "core" && !public && !(room in floor))
			bad("the folder core/" room " stands on no floor")
	}
	!/^[ \t]*#[ \t]*include[ \t]*[<"]/ { next }
	{
		quoted = $0 ~ /include[ \t]*"/
		name = $0
		sub(/^[^<"]*[<"]/, "", name)
		sub(/[>"].*$/, "", name)
		slash = index(name, "/")
		first = slash ? substr(name, 1, slash - 1) : ""
	}
	name ~ /(^|\/)\.\.?\// { bad("leaves its folder: " name); next }
	first == "tally" {
		if (name != "tally/plugin.h" && name != "tally/sink.h")
			bad("no public header: " name)
		next
	}
	public { if (quoted || first in floor) bad("a public header may not see " name); next }
	!quoted { if (first in floor) bad("a room is included with quotes: " name); next }
	top != "core" {
		if (slash || system("test -f \"" top "/" room "/" name "\"") != 0)
			bad("a plugin or sink sees only <tally/…> and its own folder, not " name)
		next
	}
	!(first in floor) { bad("no room: " name); next }
	floor[first] > floor[room] { bad("core/" room " (floor " floor[room] ") may not see " name " (floor " floor[first] ")") }
	room == "door" && first == "desk" || room == "desk" && first == "door" { bad("door and desk never meet: " name) }
	END { exit found }')
}

fails=0

check "${srcdir:-.}" || fails=1

# must_find WORDS FILE LINE: a tree with this one file is refused in these words
must_find() {
	local tree out
	tree=$(mktemp -d "${TMPDIR:-/tmp}/floors-XXXXXX")
	mkdir -p "$tree"/{core,plugins,sinks} "$tree/$(dirname "$2")"
	printf '%s\n' "$3" >"$tree/$2"
	out=$(check "$tree")
	if [ $? = 0 ] || [[ $out != "$2:1: "*"$1"* ]]; then
		echo "planted in $2 and not found: $3 (said: $out)"
		fails=1
	fi
	rm -rf "$tree"
}

# must_pass FILE LINE: no violation
must_pass() {
	local tree
	tree=$(mktemp -d "${TMPDIR:-/tmp}/floors-XXXXXX")
	mkdir -p "$tree"/{core,plugins,sinks} "$tree/$(dirname "$1")"
	printf '%s\n' "$2" >"$tree/$1"
	check "$tree" || { echo "refused though allowed, in $1: $2"; fails=1; }
	rm -rf "$tree"
}

must_find 'may not see spool/spool.h (floor 2)' core/event/x.c '#include "spool/spool.h"'
must_find 'may not see main/daemon.h' core/desk/x.h '  #  include "main/daemon.h"'
must_find 'door and desk never meet' core/door/x.c '#include "desk/desk.h"'
must_find 'door and desk never meet' core/desk/deep/x.c '#include "door/door.h"'
must_find 'leaves its folder' core/base/x.c '#include "../spool/spool.h"'
must_find 'no room' core/spool/x.c '#include "inner.h"'
must_find 'no room' core/spool/x.c '#include "attic/x.h"'
must_find 'with quotes' core/spool/x.c '#include <main/daemon.h>'
must_find 'stands on no floor' core/attic/x.c '#include <stdio.h>'
must_find 'no public header' core/spool/x.c '#include <tally/secret.h>'
must_find 'may not see' core/include/tally/plugin.h '#include "base/arena.h"'
must_find 'sees only' plugins/cache/x.c '#include "base/arena.h"'
must_find 'sees only' sinks/sqlite/x.c '#include "missing.h"'
must_find 'with quotes' sinks/sqlite/x.c '#include <base/arena.h>'
must_find 'leaves its folder' plugins/cache/x.c '#include "../rollup/rollup.h"'
must_pass core/line/x.c '#include "spool/spool.h"'
must_pass core/event/x.c '#include "text/json.h"'
must_pass core/main/client/x.c '#include "desk/desk.h"'
must_pass core/base/x.c '#include <sys/socket.h>'
must_pass plugins/cache/x.c '#include <tally/plugin.h>'
must_pass sinks/sqlite/x.h '#include "x.h"'

exit $fails
