#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Raw events past retention.events: the horizon moves first, rows go, rollups go on answering, raw questions about that
time are refused, verify compares what is there, and a rebuild takes over what it cannot make anew."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC } }
retention: { events: %s, minute: forever }
pipeline: [ rollup: {} ]
rollups: [ { name: total, by: [], metrics: [events, visitors] } ]
sinks: [ sqlite: { flush: 50ms } ]
"""


def main(scene):
    d = scene.tallyd(CONF % "forever")
    now = int(time.time())
    old = now - now % 86400 - 3 * 86400  # three days ago
    d.send([{"name": "old", "site": "s", "visitor": "v%d" % (i % 50), "time": old + i} for i in range(1000)])
    d.send([{"name": "new", "site": "s", "visitor": "v%d" % i, "time": now - i} for i in range(20)])
    d.flush()
    d.configure(CONF % "2h")
    d.tally("reload")
    wait_for("the old rows to go", lambda: d.send([{"name": "new", "site": "s", "visitor": "w", "time": now}]) and d.flush() and
             d.sqlite("SELECT COUNT(*) FROM tally_event WHERE name = 'old'") == [(0,)], 30, 0.2)
    horizon = d.sqlite("SELECT horizon FROM tally_meta WHERE name = 'horizon/events'")[0][0]
    check((now - 7200 - 120) * 1000000 < horizon <= (int(time.time()) - 7200) * 1000000, "the horizon: %d" % horizon)
    day = time.strftime("%Y-%m-%d", time.gmtime(old))
    q = {"site_id": "s", "metrics": ["events", "visitors"], "date_range": [day, day]}
    answer = d.query(**q)
    equal((answer["results"][0]["metrics"], answer["meta"]["source"]), ([1000, 50], "rollup:total"), "the rollup answers")
    status, refusal = d.json("POST", "/v1/query", dict(q, dimensions=["event:name"]))
    equal((status, refusal["code"]), (422, "not_covered"), "raw events do not")
    verify = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(verify["ok"], "verify: %r" % verify)
    d.tally("rebuild", "total", "--from", day, "--json", ok=(1,))
    out = json.loads(d.tally("rebuild", "total", "--json"))
    check(out["copied_rows"] > 0, "rows were taken over: %r" % out)
    equal(d.query(**q)["results"][0]["metrics"], [1000, 50], "after the rebuild")
    verify = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(verify["ok"], "verify: %r" % verify)
    d.stop()


if __name__ == "__main__":
    run(main)
