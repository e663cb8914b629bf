#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A cardinality attack: every event has a page of its own. The rollup keeps to its cap, sums stay exact, answers mark what
was folded, and memory does not grow with the number of pages.

40000 events; with TALLY_FULL=1 five million."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run  # noqa: E402

FULL = bool(os.environ.get("TALLY_FULL"))
EVENTS = 5000000 if FULL else 40000
KEYS = 10000 if FULL else 500
DAY = "2026-03-02"
T = 1772409600  # its first second, UTC

CONF = """
sites: { default: { timezone: UTC } }
retention: { minute: forever }
limits: { body: 8MiB, query_rows: 1 }
pipeline: [ rollup: {} ]
rollups:
  - { name: total, by: [], metrics: [events, visitors, "sum:value"] }
  - { name: pages, by: ["event:name", "event:page"], metrics: [events, visitors, "sum:value"], keys: %d }
  - { name: props, by: ["event:props:a", "event:props:b"], metrics: [events], keys: 20 }
sinks: [ sqlite: { flush: 100ms } ]
"""


def rss(d):
    with open("/proc/%d/status" % d.process.child.pid) as f:
        return int([line for line in f if line.startswith("VmRSS")][0].split()[1])


def ask(d, metrics, dims, filters=None, **more):
    return d.query(site_id="s", metrics=metrics, date_range=[DAY, DAY], dimensions=dims, filters=filters or [], **more)


def main(scene):
    d = scene.tallyd(CONF % KEYS)
    n, total, sizes = 0, 0, []
    known = {}
    while n < EVENTS:
        events = []
        for i in range(min(5000, EVENTS - n)):
            # a few pages that are there from the beginning, and one in each event that is new
            page = "/home/%d" % (n % 7) if n % 10 == 0 else "/%d" % n
            name = "view" if n % 3 else "click"
            events.append({"name": name, "site": "s", "page": page, "visitor": "v%d" % (n % 400), "value": n % 100,
                           "time": T + n % 86400, "a": "a%d" % (n % 400), "b": "b%d" % n})
            if n % 10 == 0:
                known[(name, page)] = known.get((name, page), 0) + 1
            total += n % 100
            n += 1
        status, answer = d.send(events)
        equal((status, answer["accepted"]), (200, len(events)), "batch")
        if n % (EVENTS // 8) == 0:
            d.flush()
            sizes.append(rss(d))
    d.flush()

    equal(ask(d, ["events", "visitors", "sum:value"], [])["results"][0]["metrics"], [EVENTS, 400, total], "totals")
    whole = ask(d, ["events", "visitors", "sum:value"], ["event:name"])
    equal(whole["meta"]["source"], "rollup:pages", "source")
    equal(sum(r["metrics"][0] for r in whole["results"]), EVENTS, "events by name")
    equal(sum(r["metrics"][2] for r in whole["results"]), total, "sum by name")
    equal([r["dimensions"][0] for r in whole["results"]], ["view", "click"], "names are not folded while pages do")

    answer = ask(d, ["events"], ["event:name", "event:page"], order_by=[["events", "desc"]], include={"other_row": True},
                 pagination={"limit": 10, "offset": 0})
    rows = answer["results"]
    marked = [r for r in rows if r.get("other")]
    equal(sorted(r["dimensions"] for r in marked), [["click", "(other)"], ["view", "(other)"]], "marked rows")
    got = {tuple(r["dimensions"]): r["metrics"][0] for r in rows if not r.get("other")}
    equal({k: v for k, v in got.items() if k in known}, {k: known[k] for k in got if k in known}, "pages known from the beginning are exact")
    check(len([k for k in got if k in known]) == 8, "the real pages lead: %r" % got)
    equal(sum(r["metrics"][0] for r in rows) + answer["other_row"]["metrics"][0], EVENTS, "rows and the rest")
    check(any("(other)" in w for w in answer["meta"]["warnings"]), "a warning")

    one = ask(d, ["events"], [], [["is", "event:page", ["/home/0"]]])
    equal(one["results"][0]["metrics"][0], sum(v for k, v in known.items() if k[1] == "/home/0"), "a known page alone")
    equal(one["meta"]["exactness"]["events"]["kind"], "at_least", "a filter may miss what was folded, and says so")
    equal(ask(d, ["events"], [], [["is", "event:name", ["view"]]])["meta"]["exactness"]["events"]["kind"], "exact", "names")

    for day in d.sqlite("SELECT grain, COUNT(DISTINCT key) FROM tally_rollup_pages GROUP BY grain"):
        check(day[1] <= KEYS + KEYS // 8 + 2 + 1, "keys of grain %d: %d" % day)
    for day in d.sqlite("SELECT grain, COUNT(DISTINCT key), SUM(events) FROM tally_rollup_props GROUP BY grain"):
        check(day[1] <= 20 + 2 * (20 // 8 + 1) + 1, "keys of grain %d: %d, %d events" % day)
        equal(day[2], EVENTS, "events of props")
    equal(d.sqlite("SELECT COUNT(*) FROM tally_rollup_props WHERE props_a = '(other)' AND props_b = '(other)' AND grain = 2"), [(1,)],
          "where even folded rows are too many, all is folded")
    verify = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(verify["ok"], "verify: %r" % verify)
    print("%d events, %d pages, %d keys at most: RSS %s MiB" % (EVENTS, EVENTS * 9 // 10, KEYS, [s // 1024 for s in sizes]))
    check(sizes[-1] < sizes[len(sizes) // 2] * 1.15 + 8192, "memory is flat: %r" % sizes)
    d.stop()


if __name__ == "__main__":
    run(main)
