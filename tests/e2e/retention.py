#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Raw events and visits past retention.events: the horizon moves first, rows go, rollups go on answering, raw questions
about that time are refused, verify compares what is there, and a rebuild takes over what it cannot make anew. Minutes past
theirs: what was remembered of them is not given any more, and the next grain answers."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC } }
retention: { events: %s, minute: %s }
pipeline: [ session: {}, rollup: {}, cache: { negative: 0s } ]
rollups:
  - { name: total, by: [], metrics: [events, visitors, visits, bounces, duration, views] }
  - { name: doors, by: ["visit:entry_page"], metrics: [visits, bounces, duration, views] }
sinks: [ sqlite: { flush: 50ms } ]
"""


VISITS = ["visits", "bounce_rate", "visit_duration", "views_per_visit"]


def verified(d, what):
    verify = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(verify["ok"], "%s: verify %r" % (what, verify))


def ask(d, q, headers=None):
    status, head, body = d.request("POST", "/v1/query", json.dumps(q), headers)
    return status, head, json.loads(body) if body else None


def nudge(d, now):
    """The log's clock goes on with what comes, and with it the horizons."""
    d.send([{"name": "new", "site": "s", "visitor": "w", "time": now}])
    d.flush()


def main(scene):
    d = scene.tallyd(CONF % ("30d", "30d"))
    now = int(time.time())
    old = now - now % 86400 - 3 * 86400  # three days ago
    # 50 visitors, each of two visits of ten events: 10 s apart, in the morning and at noon
    events = [{"name": "view" if i % 2 else "old", "site": "s", "visitor": "v%d" % v, "page": "/%d" % (v % 4),
               "time": old + 3600 * (8 + 4 * k) + v + 10 * i} for v in range(50) for k in range(2) for i in range(10)]
    d.send(events)
    d.send([{"name": "new", "site": "s", "visitor": "v%d" % i, "time": now - i} for i in range(20)])
    d.flush()
    day = time.strftime("%Y-%m-%d", time.gmtime(old))
    q = {"site_id": "s", "metrics": ["events", "visitors"], "date_range": [day, day]}
    visits = dict(q, metrics=VISITS)
    doors = dict(visits, dimensions=["visit:entry_page"])
    minutes = dict(visits, dimensions=["time:minute"])
    want_visits = [100, 0.0, 90.0, 5.0]
    want_doors = {("/%d" % p,): [2 * len(range(p, 50, 4)), 0.0, 90.0, 5.0] for p in range(4)}
    etags = []

    def answers(what, raw):
        answer = d.query(**q)
        equal((answer["results"][0]["metrics"], answer["meta"]["source"]), ([1000, 50], "rollup:total"), what)
        equal(d.query(**visits)["results"][0]["metrics"], want_visits, what + ": visits")
        equal({tuple(r["dimensions"]): r["metrics"] for r in d.query(**doors)["results"]}, want_doors, what + ": by entry page")
        for off in (dict(q, dimensions=["event:name"]), dict(visits, dimensions=["visit:referrer"])):
            status, _, refusal = ask(d, off)
            equal((status, raw or refusal["code"]), (200 if raw else 422, raw or "not_covered"), what + ": raw %r" % off)
    answers("all there", True)
    nudge(d, now)  # the horizons of 30 days are written with it
    wait_for("the first horizons", lambda: nudge(d, now) or d.sqlite(
        "SELECT COUNT(*) FROM tally_meta WHERE name IN ('horizon/events', 'horizon/minute')") == [(2,)], 30, 0.2)
    for one in (minutes, q, dict(q, dimensions=["event:name"])):
        status, head, answer = ask(d, one)
        equal(status, 200, "%r: %r" % (one, answer))
        etags.append((one, head["etag"]))
        equal(ask(d, one, {"If-None-Match": head["etag"]})[0], 304, "a closed day stays as it is")

    d.stop()
    d.configure(CONF % ("2h", "30d"))
    d.start()
    wait_for("the old rows to go", lambda: nudge(d, now) or d.sqlite(
        "SELECT (SELECT COUNT(*) FROM tally_event WHERE time < ?1) + (SELECT COUNT(*) FROM tally_visit WHERE time < ?1)",
        [(now - 10800) * 1000000]) == [(0,)], 60, 0.2)
    horizon = d.sqlite("SELECT horizon FROM tally_meta WHERE name = 'horizon/events'")[0][0]
    check((now - 7200 - 120) * 1000000 < horizon <= (int(time.time()) - 7200) * 1000000, "the horizon: %d" % horizon)
    check(d.sqlite("SELECT COUNT(*) FROM tally_visit WHERE time >= ?", [(now - 3600) * 1000000])[0][0] > 0, "visits of today stay")
    answers("raw rows are gone", False)
    for one, etag in etags:
        check(ask(d, one, {"If-None-Match": etag})[0] != 304, "remembered of rows that are gone: %r" % one)
    verified(d, "raw rows are gone")
    etag = ask(d, minutes)[1]["etag"]
    equal(ask(d, minutes, {"If-None-Match": etag})[0], 304, "minutes stay as they are")

    d.stop()
    d.configure(CONF % ("2h", "2d"))
    d.start()
    d.flush()
    wait_for("the old minutes to go", lambda: nudge(d, now) or d.sqlite(
        "SELECT COUNT(*) FROM tally_rollup_total WHERE grain = 0 AND bucket < ?", [(now - 3 * 86400 + 86400) * 1000000]) == [(0,)],
        60, 0.2)
    answers("minutes are gone", False)
    status, _, refusal = ask(d, minutes, {"If-None-Match": etag})
    equal((status, refusal["code"]), (422, "not_covered"), "minutes of that day: %r" % refusal)
    equal(sum(r["metrics"][0] for r in d.query(**dict(visits, dimensions=["time:hour"]))["results"]), 100, "hours are there")
    verified(d, "minutes are gone")

    d.tally("rebuild", "total", "--from", day, "--json", ok=(1,))
    for name in ("total", "doors"):
        out = json.loads(d.tally("rebuild", name, "--json"))
        check(out["copied_rows"] > 0, "rows were taken over: %r" % out)
    answers("rebuilt", False)
    verified(d, "rebuilt")
    d.stop()


if __name__ == "__main__":
    run(main)
