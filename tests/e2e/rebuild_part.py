#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows that are whole from the middle of a day and month on, since the rollup was added or the site's zone changed there,
rebuilt up to another moment of that day or month: the day and the month that both moments cut are whole afterwards."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run  # noqa: E402

CONF = """
sites: { default: { timezone: %s } }
limits: { query_rows: 1 }
retention: { minute: forever }
pipeline: [ rollup: {}, cache: { negative: 0s } ]
rollups:
  - { name: total, by: [], metrics: [events, visitors] }
%s
sinks: [ sqlite: { flush: 50ms } ]
"""
PARTS = {"pages": "event:page", "names": "event:name", "hosts": "event:hostname"}
ROLLUPS = "".join('  - { name: %s, by: ["%s"], metrics: [events] }\n' % part for part in PARTS.items())
MONTH = 1772323200  # 2026-03-01T00:00:00Z
DAY, HOUR = 86400, 3600


def send(d, *times):
    status, answer = d.send([{"name": "view", "site": "s", "page": "/p", "host": "h", "visitor": "v", "time": MONTH + t} for t in times])
    equal((status, answer["accepted"]), (200, len(times)), "taken")
    d.flush()


def again(d, conf):
    d.stop()
    d.configure(conf)
    d.start()


def ask(d, part, first, last, zone):
    answer = d.query(site_id="s", metrics=["events"], date_range=[first, last], timezone=zone, dimensions=[PARTS[part]])
    equal(answer["meta"]["source"], "rollup:" + part, "answers from")
    return [r["metrics"] for r in answer["results"]]


def rebuilt(d, part, to, zone, day, month):
    what = "%s rebuilt up to %s" % (part, to)
    out = json.loads(d.tally("rebuild", part, "--from", "2026-03-01", "--to", to, "--json"))
    equal(out["state"], "done", what)
    equal(ask(d, part, "2026-03-14", "2026-03-14", zone), [[day]], "%s: the day" % what)
    equal(ask(d, part, "2026-03-02", "2026-03-31", zone), [[month]], "%s: but for one day the month" % what)
    equal(ask(d, part, "2026-03-01", "2026-04-30", zone), [[month + 1]], "%s: the month and the next" % what)
    verify = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(verify["ok"], "%s: verify %r" % (what, verify))


def main(scene):
    d = scene.tallyd(CONF % ("UTC", ""))
    send(d, 2 * DAY, 13 * DAY, 13 * DAY + 9 * HOUR)
    again(d, CONF % ("UTC", ROLLUPS))
    send(d, 13 * DAY + 10 * HOUR, 13 * DAY + 20 * HOUR, 15 * DAY, 45 * DAY)
    for part, to in zip(PARTS, ("2026-03-14T12:00:00Z", "2026-03-20", "2026-05-01")):
        rebuilt(d, part, to, "UTC", 4, 6)
    d.stop()

    d = scene.tallyd(CONF % ("UTC", ROLLUPS), "tallyd2")
    send(d, 2 * DAY, 13 * DAY, 13 * DAY + 9 * HOUR)
    again(d, CONF % ("America/New_York", ROLLUPS))
    send(d, 13 * DAY + 10 * HOUR, 13 * DAY + 20 * HOUR, 15 * DAY, 45 * DAY)
    for part, to in zip(PARTS, ("2026-03-14T18:00:00Z", "2026-03-20")):
        rebuilt(d, part, to, "America/New_York", 3, 6)
    d.stop()


if __name__ == "__main__":
    run(main)
