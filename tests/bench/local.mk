# SPDX-License-Identifier: Apache-2.0

EXTRA_PROGRAMS += tests/bench/bench_sketch
tests_bench_bench_sketch_SOURCES = tests/bench/bench_sketch.c
