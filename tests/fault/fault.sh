#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make fault: every module in full, two at a time, and at the end one table of all rows. The logs stay in fault-logs/.
#   fault.sh MODULE...
set -u
export TALLY_FULL=1
export TALLY_SEED=${TALLY_SEED:-$((RANDOM * 32768 + RANDOM))}
logs=fault-logs
mkdir -p "$logs"
echo "seed $TALLY_SEED"
printf '%s\n' "$@" | xargs -P "${FAULT_JOBS:-2}" -I{} bash -c '
	name=$(basename {} .py)
	'"$abs_top_srcdir"'/{} >'"$logs"'/$name.log 2>&1
	rc=$?
	[ $rc = 0 ] || [ $rc = 77 ] || echo "$name failed, see '"$logs"'/$name.log"'
grep -h '^row ' "$logs"/*.log | head -n 1
for module in "$@"; do
	grep -hE '  (ok|FAILED|caught|MISSED)|^skipped row' "$logs/$(basename "$module" .py).log"
done | tee "$logs/table"
! grep -qE 'FAILED|MISSED|^skipped' "$logs/table"
