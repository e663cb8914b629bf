#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A line gets another name while visits are under way, and is adopted: the state of its plugins goes with it, killed in
between or not, and also if what was kept of it is broken: then it is made again from the log. The visits are one."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: any } } }
pipeline: [ session: {}, rollup: {} ]
rollups:
  - { name: pages, by: ["visit:entry_page"], metrics: [visits, bounces] }
sinks:
  - sqlite: { path: %s, name: %s, flush: 20ms, snapshot: 1ms }
"""
BEGIN = 1767225600
N = 30


def more(d, minute):
    d.send([{"name": "view", "visitor": "v%d" % i, "page": "/%d" % minute, "time": BEGIN + 60 * minute} for i in range(N)])


def whole(d, minute, what):
    d.flush()
    rows = d.rows(site_id="default", date_range="all", metrics=["visits", "visit_duration"], dimensions=["visit:entry_page"])
    equal(rows, [["/0", N, 60 * minute]], what)
    check(json.loads(d.tally("verify", "--json"))["ok"], "verify")


def stand(d, new, old):
    wait_for("the line to stand", lambda: b"tally adopt %s --from %s" % (new.encode(), old.encode()) in d.request("GET", "/readyz")[2])


def files(d, line):
    return [f for f in os.listdir(os.path.join(d.data, "snapshots")) if f.startswith(line + ".")]


def main(scene):
    path = scene.path("tally.db")
    d = scene.tallyd(CONF % (path, "one"))
    more(d, 0)
    whole(d, 0, "first")
    for minute, new, old, way in ((1, "two", "one", "stopped"), (2, "three", "two", "killed"), (3, "four", "three", "twice")):
        (d.stop if way == "stopped" else d.kill)()
        d.configure(CONF % (path, new))
        d.start()
        stand(d, new, old)
        more(d, minute)  # waits in the spool
        if way == "twice":  # asked under a wrong name first
            d.tally("adopt", new, "--from", "nobody", ok=(1,))
            equal(files(d, new), [], "nothing was taken from nobody")
            stand(d, new, old)
        d.tally("adopt", new, "--from", old)
        whole(d, minute, "after %s" % way)
        equal(files(d, old), [], "what was under the old name has moved")
        check(files(d, new), "it is under the new name")
    d.stop()
    for f in files(d, "four"):  # all of it broken
        with open(os.path.join(d.data, "snapshots", f), "r+b") as g:
            g.seek(20)
            g.write(b"\xff")
    d.configure(CONF % (path, "five"))
    d.start()
    stand(d, "five", "four")
    more(d, 4)
    d.tally("adopt", "five", "--from", "four")
    whole(d, 4, "from the log")
    check("is made from the oldest record kept" in d.process.tail(400), "the log says what was done")
    d.stop()
    print("a renamed line: %d visits of five parts are %d, with their state moved or made again" % (N, N))


run(main)
