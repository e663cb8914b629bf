#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rollups with sums over visits, rebuilt while events stream in that begin, lengthen, move and join visits, with late ones
among them: what is answered afterwards is what an oracle makes of the acknowledged events, in every grain, and the same on
two nodes. Killed at any moment it leaves nothing behind, and no line goes on telling of visits that nobody asks for.

The name says the store. Raw rows answer nothing (limits.query_rows is 1)."""

import json
import os
import sys
import threading
import time
import zlib
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rollups  # noqa: E402
from harness import check, equal, run, wait_for  # noqa: E402
from rollups import BASE, DAY, MARIADB, SITE, Load, leavings, verified  # noqa: E402
from visits import as_metrics, sums, visits_of  # noqa: E402

FULL = bool(os.environ.get("TALLY_FULL"))
METRICS = ["visits", "bounce_rate", "visit_duration", "views_per_visit"]

CONF = """
sites: { default: { timezone: UTC }, shop.example: { timezone: America/New_York } }
limits: { query_rows: 1 }
retention: { minute: forever }
pipeline: [ dedup: { window: 10m }, session: {}, rollup: {} ]
rollups:
%(rollups)s
sinks: [ %(sink)s ]
"""

OF_VISITS = "visits, bounces, duration, views"
TOTAL = '  - { name: total, by: [], metrics: [events, visitors, "sum:value", %s] }\n' % OF_VISITS
DOORS = '  - { name: doors, by: ["visit:entry_page"], metrics: [%s] }\n' % OF_VISITS
SOURCES = '  - { name: sources, by: ["visit:source"], metrics: [%s, events, visitors, "p:value", "min:value"] }\n' % OF_VISITS


class Visitors(Load):
    """A few of them that come and go all the time. Each one's events go to one node, in the order of `acked`."""

    def event(self):
        r = self.random
        self.sent += 1
        late = r.random() < 0.1
        t = r.uniform(BASE, self.first + self.days * DAY) if late else self.first + (self.sent * 7) % (self.days * DAY) + r.randrange(40)
        return {"id": "e%d" % self.sent, "site": SITE, "name": r.choice(("view", "click")), "page": "/p%d" % r.randrange(5),
                "visitor": "v%d" % r.randrange(60), "value": r.randrange(100), "time": round(t, 3),
                "$source": "s%d" % r.randrange(3)}

    def try_send(self, events):
        """Nobody's events overtake each other: each node gets its share until it has taken it."""
        for i, node in enumerate(self.nodes):
            mine = [e for e in events if zlib.crc32(e["visitor"].encode()) % len(self.nodes) == i and not e.get("taken")]
            if not mine:
                continue
            try:
                status, answer = node.send([{k: v for k, v in e.items() if k != "taken"} for e in mine])
            except (OSError, rollups.http.client.HTTPException, rollups.Failed):
                return False
            if status != 200:
                return False
            equal(answer["accepted"] + answer["duplicates"], len(mine), "taken of a batch")
            for e in mine:
                e["taken"] = True
            with self.lock:
                self.acked += mine
        return True


def oracle(load):
    return visits_of([(SITE, e["visitor"], round(e["time"] * 1000000), e["page"], e["name"] == "view", "", e) for e in load.acked])


def answers(d, load, what, days, refused=()):
    """Every rollup, over all time and by day in two zones."""
    visits = oracle(load)
    span = {"date_range": ["2026-02-27", time.strftime("%Y-%m-%d", time.gmtime(BASE + (days + 1) * DAY))]}
    keys = {"total": ([], lambda v: ()), "doors": (["visit:entry_page"], lambda v: (v["entry"],)),
            "sources": (["visit:source"], lambda v: (v["props"]["$source"],))}
    for name, (dims, key) in keys.items():
        for by, tz in (([], "UTC"), (["time:day"], "UTC"), (["time:day"], "America/New_York")):
            def label(v):
                return (day_of(v["begin"], tz),) if by else ()
            q = dict(span, site_id=SITE, timezone=tz, metrics=METRICS, dimensions=by + dims, pagination={"limit": 10000, "offset": 0})
            status, answer = d.json("POST", "/v1/query", q)
            if name in refused:
                equal(status, 422, "%s: %s is not whole yet: %r" % (what, name, answer))
                continue
            equal(status, 200, "%s: %r: %r" % (what, q, answer))
            low, high = edge(span["date_range"][0], tz, 0), edge(span["date_range"][1], tz, 1)
            want = sums([v for v in visits if low <= v["begin"] < high], lambda v: label(v) + key(v))
            got = {tuple(r["dimensions"]): r["metrics"] for r in answer["results"]}
            equal(sorted(got), sorted(want), "%s: rows of %s by %r in %s" % (what, name, by, tz))
            for k, s in want.items():
                for g, w, m in zip(got[k], as_metrics(s), METRICS):
                    check(abs(g - w) <= 1e-9 * max(1, abs(w)), "%s: %s of %s %r in %s: got %r, want %r" % (what, m, name, k, tz, got[k], as_metrics(s)))
    q = dict(span, site_id=SITE, timezone="UTC", metrics=["events", "visitors", "sum:value"])
    low, high = edge(span["date_range"][0], "UTC", 0), edge(span["date_range"][1], "UTC", 1)
    seen = [e for e in load.acked if low <= e["time"] * 1000000 < high]
    equal(d.query(**q)["results"][0]["metrics"], [len(seen), len({e["visitor"] for e in seen}), sum(e["value"] for e in seen)], what + ": events")
    verified(d, what)
    print("%-44s %6d events, %5d visits: right" % (what, len(load.acked), len(visits)))
    sys.stdout.flush()


def day_of(begin_us, zone):
    at = datetime.fromtimestamp(begin_us // 1000000, ZoneInfo(zone))
    return datetime(at.year, at.month, at.day, tzinfo=ZoneInfo(zone)).isoformat()


def edge(date, zone, days):
    return round((datetime.fromisoformat(date) + timedelta(days=days)).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000000)


def settle(load, *nodes):
    load.pause()
    for d in nodes:
        d.flush()


def told(d, db):
    sql = "SELECT COUNT(*) FROM tally_visit_change"
    return int((db.sql(sql) if db else d.sqlite(sql))[0][0])


class Most:
    """How many changes were told at once, as far as it is seen from outside: they are there for moments only."""

    def __init__(self, d, db):
        self.d, self.db, self.most, self.ended = d, db, 0, False
        self.thread = threading.Thread(target=self.main, daemon=True)
        self.thread.start()

    def main(self):
        while not self.ended:
            try:
                self.most = max(self.most, told(self.d, self.db))
            except Exception:
                pass
            time.sleep(0.02)


def killed(d, load, db, days):
    for i in range(20 if FULL else 5):
        d.tally("rebuild", load.random.choice(("total", "doors", "sources")), "--detach")
        time.sleep(load.random.uniform(0, 0.25 if not db else 1.5))
        d.kill()
        d.start()
        load.more(100)
        wait_for("the tables that a killed rebuild left to go", lambda: not leavings(d, db), 60)
        wait_for("nobody to be told any more", lambda: told(d, db) == 0, 60)
    load.more(100)
    settle(load, d)
    equal(told(d, db), 0, "nobody is told")
    answers(d, load, "killed while it was rebuilt", days)
    load.go_on()


def main(scene):
    print("seed %d" % rollups.SEED)
    db = scene.mariadb() if MARIADB else None
    sink = 'mariadb: { url: "%s", flush: 50ms }' % db.url() if db else "sqlite: { flush: 50ms }"

    def conf(text):
        return CONF % {"rollups": text, "sink": sink}
    d = scene.tallyd(conf(TOTAL))
    load = Visitors(d)
    try:
        load.more(1500)
        settle(load, d)
        load.go_on()
        d.flush()
        d.stop()
        d.configure(conf(TOTAL + DOORS + SOURCES))
        d.start()
        load.more(200)
        settle(load, d)
        answers(d, load, "two are new", 1, ("doors", "sources"))
        load.go_on()
        most = Most(d, db)
        for name in ("doors", "sources", "total"):
            out = json.loads(d.tally("rebuild", name, "--json"))
            print("%-8s %d read, %d rows, %d rounds, locked %.1f ms" % (name, out["events"], out["rows"], out["rounds"], out["locked_ms"]))
        for turn in range(6 if FULL else 2):
            load.more(200)
            for name in ("doors", "sources", "total"):
                d.tally("rebuild", name, "--json")
            settle(load, d)
            answers(d, load, "rebuilt while visits change", 1)
            load.go_on()
        print("as many as %d changes were seen to be told at once" % most.most)
        most.ended = True
        most.thread.join()
        load.phase(2, 2)
        load.more(300)
        for name in ("doors", "total"):
            out = json.loads(d.tally("rebuild", name, "--from", "2026-03-02", "--to", "2026-03-04", "--json"))
            check(out["copied_rows"] > 0, "rows of other days are taken over: %r" % out)
        load.more(200)
        settle(load, d)
        answers(d, load, "rebuilt in part", 4)
        load.go_on()
        killed(d, load, db, 4)
        if db:
            load.pause()
            other = scene.tallyd(conf(TOTAL + DOORS + SOURCES), "tallyd2")
            # visitors belong to one node: these are new ones
            event = load.event
            load.event = lambda: (lambda e: dict(e, visitor="w" + e["visitor"]))(event())
            load.nodes = [d, other]
            load.go_on()
            load.more(500)
            for node in (d, other, d):
                for name in ("sources", "total"):
                    node.tally("rebuild", name, "--json")
                load.more(200)
                settle(load, d, other)
                for each in (d, other):
                    answers(each, load, "rebuilt while two nodes store", 4)
                load.go_on()
            load.pause()
            other.stop()
        settle(load, d)
        equal(told(d, db), 0, "nobody is told")
    finally:
        load.ended = True
    d.stop()


if __name__ == "__main__":
    run(main)
