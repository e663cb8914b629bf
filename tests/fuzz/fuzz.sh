#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzz targets with clang's fuzzer and the address and undefined-behaviour sanitizers, and runs each for a
# while. Called by `make fuzz`: $srcdir, $SOURCES of the core, $LIBS, $FUZZ (names), $FUZZ_SECONDS; the arguments are
# preprocessor flags.
# What the fuzzer finds worth keeping goes to fuzz-bin/NAME.corpus, never into the tree; a crash to fuzz-bin/crash-*.
set -eu

cc=${FUZZ_CC:-clang}
flags="-std=gnu11 -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all -Wno-everything"
sanitize=address,undefined

mkdir -p fuzz-bin
core=
for source in $SOURCES; do
	object=fuzz-bin/$(echo "$source" | tr / _).o
	core="$core $object"
	if [ ! -e "$object" ] || [ -n "$(find "$srcdir/core" -newer "$object" -name '*.[ch]' -print -quit)" ]; then
		# shellcheck disable=SC2086 # lists of words
		$cc $flags -fsanitize=fuzzer-no-link,$sanitize "$@" -c "$srcdir/$source" -o "$object"
	fi
done

failed=
for name in $FUZZ; do
	# shellcheck disable=SC2086
	$cc $flags -fsanitize=fuzzer,$sanitize "$@" "$srcdir/tests/fuzz/fuzz_$name.c" $core $LIBS \
		-o "fuzz-bin/fuzz_$name"
	mkdir -p "fuzz-bin/$name.corpus"
	echo "fuzz_$name: $FUZZ_SECONDS s"
	if ! "fuzz-bin/fuzz_$name" -max_total_time="$FUZZ_SECONDS" -timeout=10 -max_len=16384 -print_final_stats=1 \
		-artifact_prefix=fuzz-bin/crash-"$name"- "fuzz-bin/$name.corpus" "$srcdir/tests/fuzz/corpus/$name" \
		>"fuzz-bin/$name.log" 2>&1; then
		failed="$failed $name"
		tail -n 40 "fuzz-bin/$name.log"
	fi
	grep -E 'number_of_executed_units|new_units_added' "fuzz-bin/$name.log" | sed "s/^/fuzz_$name: /"
done
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
