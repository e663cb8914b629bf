# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# All tests in three builds: plain (everything), address and undefined-behaviour sanitizers (unit, plugin and fuzz tests),
# thread sanitizer (unit and plugin tests). The counts come from Automake's .trs files; the last line is
# "N passed, N failed" (", N skipped").
#
# A test that skips says `skipped NAME: why`. With CI=true a skip counts as a failure, unless what is missing is the
# shared data, which a checkout does not have (its `why` names TALLY_DATA).

passed=0
failed=0
skipped=0

# one_result TREE TRS
one_result() {
	local name=${2#"$1"/} log=${2%.trs}.log why
	name=${name%.trs}
	case $(sed -n 's/^:test-result: *\([A-Z]*\).*/\1/p' "$2") in
	PASS) passed=$((passed + 1)) ;;
	SKIP)
		why=$(grep -m 1 '^skipped ' "$log" 2>/dev/null) || why="skipped $name: it does not say why"
		say "$why ($1)"
		if [ "${CI:-}" = true ] && [[ $why != *TALLY_DATA* ]]; then
			failed=$((failed + 1))
		else
			skipped=$((skipped + 1))
		fi
		;;
	*)
		failed=$((failed + 1))
		say "failed $name ($1), the end of $log:"
		tail -n 40 "$log" | sed 's/^/    /'
		;;
	esac
}

count_results() {
	local trs
	while read -r trs; do
		one_result "$1" "$trs"
	done < <(find "$1" -name '*.trs' | LC_ALL=C sort)
}

# check_tree DIR TARGET WRAPPER CONFIGURE-ARGUMENT…
check_tree() {
	local dir=$1 target=$2 wrapper=$3 log=$1/make.log begin=$SECONDS before=$failed rc
	shift 3
	mkdir -p "$dir"
	find "$dir" -name '*.trs' -delete
	: >"$log"
	say "$dir: building and running \`make $target\` (log: $log)"
	# shellcheck disable=SC2086
	configure_tree "$dir" "$log" "$@" && make -C "$dir" -j"$jobs" >>"$log" 2>&1 &&
		$wrapper make -C "$dir" -k -j"$jobs" "$target" >>"$log" 2>&1
	rc=$?
	count_results "$dir"
	# what failed was no test: the build of the tree, or of its tests
	if [ $rc != 0 ] && [ "$failed" = "$before" ]; then
		failed=$((failed + 1))
		say "failed build ($dir), from $log:"
		grep -m 20 -E 'error:|undefined reference|\*\*\*' "$log" | sed 's/^/    /'
	fi
	say "$dir: $((SECONDS - begin)) s"
}

# The thread sanitizer of gcc 12 does not start where addresses are spread widely (vm.mmap_rnd_bits 32).
fixed_addresses() {
	if setarch "$(uname -m)" -R true 2>/dev/null; then echo "setarch $(uname -m) -R"; fi
}

check_all() {
	jobs=$(nproc)
	need_packages "$build_packages $test_packages"
	prepare_source
	# a core file of each expected abort would only cost time
	ulimit -c 0
	check_tree build-check-plain check '' --enable-werror CFLAGS='-g -O2'
	check_tree build-check-address check-sanitized '' --enable-werror --enable-sanitizers CFLAGS='-g -O1'
	check_tree build-check-thread check-threads "$(fixed_addresses)" --enable-werror --enable-sanitizers=thread \
		CFLAGS='-g -O1'
	if [ $skipped -gt 0 ]; then
		say "$passed passed, $failed failed, $skipped skipped"
	else
		say "$passed passed, $failed failed"
	fi
	[ $failed = 0 ]
}
