# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The comparison with everything that it can be made with: installs the yardsticks, builds with -O2, runs `make bench`.

bench_packages='nginx-light|nginx-core|nginx-full|nginx-extras rsyslog rsyslog-mysql valgrind'

bench_all() {
	local tree=build-bench
	command -v node >/dev/null && command -v npm >/dev/null || bench_packages="$bench_packages nodejs npm"
	need_packages "$build_packages $test_packages $bench_packages"
	prepare_source
	mkdir -p $tree
	say "building in $tree/ (log: $tree/make.log)"
	: >$tree/make.log
	if ! { configure_tree $tree $tree/make.log CFLAGS='-g -O2' && make -C $tree -j"$(nproc)" >>$tree/make.log 2>&1; }; then
		tail -n 30 $tree/make.log >&2
		die "the build failed; all of it is in $tree/make.log"
	fi
	make -C $tree --no-print-directory bench
}
