#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: tally beside the yardsticks that are installed, one table of all lines.

    BENCH_LINES="P1 P4"   only these        BENCH_RUNS=5   pairs of runs a line
    BENCH_SECONDS=2       of load a run     BENCH_OUT=FILE  the rows as JSON too
    BENCH_NICE=-5         priority, for a machine that is not idle (root)

Exit 1 if a line's counts were wrong, whatever its speed. The method and what bounds each line: docs/performance.md."""

import json
import os
import signal
import sys
import time
import traceback

os.environ.setdefault("TMPDIR", os.environ.get("abs_top_builddir") or os.getcwd())  # a disk, where /tmp may be memory

import kit  # noqa: E402
import http_lines, redis_lines, store_lines, stack_lines, memory_lines, load_lines  # noqa: E402,E401,F401


def order(line):
    return int("".join(c for c in line.name if c.isdigit()))


def run_line(line, rows, missing, wrong):
    began = time.monotonic()
    try:
        for row in line.fn():
            rows.append(row)
            kit.print_table([row])
    except kit.Missing as why:
        missing.append("%s, %s: %s" % (line.name, line.words, why))
    except Exception as why:
        traceback.print_exc(file=sys.stdout)
        wrong.append("%s, %s: %s" % (line.name, line.words, why))
    print("%s took %.0f s\n" % (line.name, time.monotonic() - began), flush=True)


def save(rows, path):
    with open(path, "w") as f:
        json.dump([{"line": r.line, "what": r.words, "unit": r.unit, "yardstick": r.yardstick, "ratios": r.ratios,
                    "tally": [s._asdict() for s in r.ours], "other": [s._asdict() for s in r.theirs],
                    "must": r.must, "aim": r.aim, "is": r.verdict()} for r in rows], f, indent=1)


def main():
    wanted = (os.environ.get("BENCH_LINES") or "").split()
    lines = sorted(kit.LINES, key=order)
    unknown = set(wanted) - set(line.name for line in lines)
    if unknown:
        sys.exit("bench: no such line: %s; there are %s" % (" ".join(unknown), " ".join(line.name for line in lines)))
    rows, missing, wrong = [], [], []
    kit.take_priority()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))   # what was started ends with it
    print("%d pairs of runs, %g s each; servers on core %d, load on core %d; load average %.1f\n" % (
        kit.RUNS, kit.SECONDS, kit.SERVER, kit.LOAD, os.getloadavg()[0]), flush=True)
    if kit.SERVER == kit.LOAD:
        print("there is one core only: servers and load share it, and no ratio here means anything\n")
    for line in lines:
        if not wanted or line.name in wanted:
            print("%s: %s" % (line.name, line.words), flush=True)
            run_line(line, rows, missing, wrong)
    kit.print_table(rows)
    print("P11, statistics over ten million events: make bench-queries (keeps 5 GB)")
    for words in missing:
        print("not compared: %s" % words)
    for words in wrong:
        print("WRONG: %s" % words)
    if os.environ.get("BENCH_OUT"):
        save(rows, os.environ["BENCH_OUT"])
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
