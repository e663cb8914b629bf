#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A store as a version of before left it, whose table of visits has no columns for what they came with: it is given them at
the next start, also if that is killed at any moment; visits of before are asked by entry page as ever and refused by
source, those that began since are answered by both. In SQLite and MariaDB."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Skip, check, equal, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: any } } }
pipeline: [ session: {}, rollup: {} ]
rollups:
  - { name: entries, by: ["visit:entry_page"], metrics: [visits] }
%s
sinks:
  - %s
"""
SOURCES = '  - { name: sources, by: ["visit:source"], metrics: [visits, bounces, duration, visitors] }'
LATER = ("source", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "device", "browser", "os", "country")
DAY = 86400


def events(begin, n, source):
    out = []
    for i in range(n):
        e = {"name": "view", "visitor": "v%d" % i, "page": "/%d" % (i % 3), "time": begin + 100 * i, "props": {"$source": source % (i % 2)}}
        out += [e, {"name": "purchase", "visitor": "v%d" % i, "time": begin + 100 * i + 60, "value": 5}]
    return out


def by(d, dim, since="2026-01-01", metrics=("visits",)):
    status, answer = d.json("POST", "/v1/query", dict(site_id="default", date_range=[since, "2026-12-31"], metrics=list(metrics), dimensions=[dim]))
    return (status, sorted(r["dimensions"] + r["metrics"] for r in answer["results"]) if status == 200 else answer["detail"])


def as_before(sql):
    for column in LATER:
        sql("ALTER TABLE tally_visit DROP COLUMN %s" % column)
    sql("DELETE FROM tally_meta WHERE name IN ('columns/tally_visit/2', 'horizon/visit_values')")


def one_store(scene, name, sink, sql):
    begin = 1767225600 + 10 * DAY  # 2026-01-11
    d = scene.tallyd(CONF % ("", sink), name)
    d.send(events(begin, 20, "Old %d"))
    d.flush()
    d.stop()
    as_before(sql)
    for i in range(6):  # dies while it starts, at some moment
        d.start(wait=False)
        time.sleep(0.02 * i)
        d.kill()
    d.configure(CONF % (SOURCES, sink))
    d.start()
    d.send([{"name": "view", "visitor": "v0", "page": "/late", "time": begin + 120, "props": {"$source": "Late"}}])  # of a visit of before
    d.send(events(begin + 30 * DAY, 10, "New %d"))
    d.flush()
    equal(by(d, "visit:entry_page"), (200, [["/0", 11], ["/1", 10], ["/2", 9]]), "visits of before and since")
    status, detail = by(d, "visit:source")
    equal(status, 422, "visits of before by source")
    check("what visits came with is kept only since 2026-01-11" in detail, detail)
    equal(by(d, "visit:source", "2026-02-01"), (200, [["New 0", 5], ["New 1", 5]]), "visits since, by source")
    equal(by(d, "visit:source", "2026-02-01", ("bounce_rate", "visit_duration", "visitors", "events")),
          (200, [["New 0", 0, 60, 5, 10], ["New 1", 0, 60, 5, 10]]), "… and what came of them")
    status, answer = d.json("POST", "/v1/query", dict(site_id="default", date_range=["2026-02-10", "2026-02-10"], metrics=["visits"], dimensions=["visit:source"]))
    equal(answer["meta"]["source"], "rollup:sources", "the new rollup answers")
    check(json.loads(d.tally("verify", "--json"))["ok"], "verify")
    d.stop()
    sql("ALTER TABLE tally_visit DROP COLUMN os")  # what was there once and has gone is not made again
    d.start()
    d.send(events(begin + 60 * DAY, 1, "Newer %d"))
    wait_for("the refusal", lambda: "column os" in d.process.tail() and "tally_visit" in d.process.tail())
    d.kill()
    print("%s: columns added, old visits refused by what they do not have, a lost column is missed" % name)


def main(scene):
    path = scene.path("on_sqlite.data", "tally.db")

    def sqlite(text):
        import sqlite3
        db = sqlite3.connect(path)
        db.execute(text)
        db.commit()
        db.close()

    one_store(scene, "on_sqlite", "sqlite: { path: %s, flush: 20ms }" % path, sqlite)
    db = scene.mariadb()
    one_store(scene, "on_mariadb", 'mariadb: { url: "%s", flush: 20ms }' % db.url(), db.sql)


run(main)
