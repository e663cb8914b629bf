#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The sample is the same bytes every time, and what the README says of it is true.
set -u
day=tests/sample/day

out=$($day) || exit 1
[ "$out" = "$($day)" ] || { echo "two runs differ"; exit 1; }

# count NAME: events of that name
count() { grep -c "\"name\":\"$1\"" <<<"$out"; }

expect() {
	[ "$2" = "$3" ] && return 0
	echo "$1: $2, and not $3"
	exit 1
}
expect events "$(wc -l <<<"$out")" 4977
expect views "$(count view)" 3584
expect clicks "$(count click)" 1059
expect purchases "$(count purchase)" 334
expect visitors "$(grep -o '"visitor":"[^"]*"' <<<"$out" | sort -u | wc -l)" 331
expect "cents of revenue" "$(sed -n 's/.*"value":\([0-9]*\)\.\([0-9]*\).*/\1\2/p' <<<"$out" | awk '{ s += $1 } END { print s }')" 1544585
expect ids "$(grep -o '"id":"[^"]*"' <<<"$out" | sort -u | wc -l)" 4977

grep -o '"time":[0-9]*' <<<"$out" | cut -d: -f2 >"day.$$.times"
sort -nc "day.$$.times" || { echo "not in order of time"; rm -f "day.$$.times"; exit 1; }
expect "first millisecond of the day or later" "$(awk 'NR == 1 { print $1 >= 1732834800000 }' "day.$$.times")" 1
expect "before the end of the day" "$(tail -n 1 "day.$$.times" | awk '{ print $1 < 1732834800000 + 86400000 }')" 1
rm -f "day.$$.times"
