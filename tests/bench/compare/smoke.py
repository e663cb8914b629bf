#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The comparison of `make bench` still works: a line of one short run beside a server that is always there, with its
counts checked, and a count that is wrong is found. Nothing here is about speed."""

import io
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../e2e/lib"))
from harness import Failed, check, equal, run  # noqa: E402
import kit  # noqa: E402
from http_lines import Ingest, conf, load  # noqa: E402
from yardsticks import Http204  # noqa: E402


def check_figures():
    equal([kit.quantile([4, 1, 3, 2], q) for q in (0, 0.25, 0.5, 1)], [1, 1.75, 2.5, 4], "quantiles")
    ours = [kit.Sample(r, 2.0, 1024) for r in (90.0, 100.0, 10.0)]
    theirs = [kit.Sample(r, 1.0, None) for r in (100.0, 100.0, 10.0)]
    row = kit.Row("P0", "words", "events/s", ours, theirs, "other", 0.85, 1.0)
    equal(([round(r, 3) for r in row.ratios], row.verdict()), ([0.9, 1.0, 1.0], "aim"), "pairs, not medians, are compared")
    equal(kit.Row("P0", "", "ms", ours, theirs, "other", 80, 1, less=True, absolute=True).verdict(), "BELOW", "a figure")
    out = io.StringIO()
    kit.print_table([row], out)
    check("| 90 (10..100) | 100 (10..100) | other" in " ".join(out.getvalue().split()), out.getvalue())


def main(scene):
    check_figures()
    with kit.stage() as s:
        ours, other = Ingest(s, conf("written", sinks="[ sqlite: { name: store } ]")), Http204(s)
        options = {"connections": 4, "seconds": 0.2}

        def theirs():
            got = load(other.port, "/", **options)
            return kit.Sample(got["per_second"], None, None)
        a, b = kit.in_turn(lambda: ours.run(**options), theirs, 1)
        row = kit.Row("P0", "smoke", "events/s", a, b, "http204", None, None)
        check(len(row.ratios) == 1 and row.ratios[0] > 0 and ours.acknowledged > 0, repr(row.cells()))
        ours.run(batch=7, requests=30, connections=4)
        equal(ours.d.sqlite("SELECT COUNT(*), COUNT(DISTINCT id) FROM tally_event"), [(ours.acknowledged,) * 2],
              "rows and ids stored")
        try:
            kit.must_hold(ours.d, ours.acknowledged + 1)
        except Failed:
            return
    raise Failed("an acknowledged event that is not stored was not missed")


if __name__ == "__main__":
    run(main)
