#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rollups that are added, changed, removed and added again while events stream in: every answer is what the acknowledged
events come to, or is refused with the reason.

The name says the store (rollups_sqlite.py, rollups_mariadb.py). Raw events answer nothing here (limits.query_rows is 1),
so that it is the rollups that are looked at; where one must be refused, that is checked too."""

import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Failed, check, equal, program, run, wait_for  # noqa: E402

MARIADB = "mariadb" in os.path.basename(sys.argv[0])
SEED = int(os.environ.get("TALLY_SEED") or random.randrange(1 << 30))
SITE = "shop.example"
BASE = 1772323200  # 2026-03-01T00:00:00Z
DAY = 86400
NAMES = ["view", "click", "purchase"]

CONF = """
sites: { default: { timezone: UTC }, shop.example: { timezone: %(zone)s } }
limits: { query_rows: 1 }
retention: { minute: forever }
pipeline: [ dedup: { window: 10m }, rollup: {}, cache: { negative: 0s, unasked: 0s } ]
rollups:
%(rollups)s
sinks: [ %(sink)s ]
"""

TOTAL = '  - { name: total, by: [], metrics: [events, visitors] }\n'
PAGES = '  - { name: pages, by: ["event:name", "event:page"], metrics: [events, visitors] }\n'
PAGES_VALUE = '  - { name: pages, by: ["event:name", "event:page"], metrics: [events, visitors, "sum:value", "p:value"] }\n'
PAGES_ALONE = '  - { name: pages, by: ["event:page"], metrics: [events] }\n'


class Load:
    """Events on a clock of their own: each phase takes place on days behind those before, with stragglers of any time since
    BASE. What was acknowledged is remembered; what was not is sent again under the same id."""

    def __init__(self, d):
        self.d, self.nodes = d, [d]
        self.acked, self.sent = [], 0
        self.random = random.Random(SEED)
        self.first, self.days = BASE, 1
        self.lock = threading.Lock()
        self.paused, self.ended = threading.Event(), False
        self.idle = threading.Event()
        self.thread = threading.Thread(target=self.main, daemon=True)
        self.thread.start()

    def phase(self, day, days):
        with self.lock:
            self.first, self.days = BASE + day * DAY, days

    def event(self):
        r = self.random
        late = r.random() < 0.1
        t = r.uniform(BASE if late else self.first, self.first + self.days * DAY)
        self.sent += 1
        return {"id": "e%d" % self.sent, "site": SITE, "name": r.choice(NAMES), "page": "/p%d" % r.randrange(12),
                "visitor": "v%d" % r.randrange(300), "value": r.randrange(1000), "time": round(t, 3)}

    def main(self):
        while not self.ended:
            if self.paused.is_set():
                self.idle.set()
                time.sleep(0.01)
                continue
            self.idle.clear()
            with self.lock:
                events = [self.event() for _ in range(self.random.randrange(1, 60))]
            while not self.ended and not self.try_send(events):
                time.sleep(0.05)
            time.sleep(len(events) / 1000)  # no more than a store takes beside a rebuild

    def try_send(self, events):
        try:
            status, answer = self.random.choice(self.nodes).send(events) if len(self.nodes) > 1 else self.d.send(events)
        except (OSError, http.client.HTTPException, Failed):
            return False
        if status != 200:
            return False
        equal(answer["accepted"] + answer["duplicates"], len(events), "taken of a batch")
        with self.lock:
            self.acked += events
        return True

    def more(self, n):
        want = len(self.acked) + n
        wait_for("%d more events" % n, lambda: len(self.acked) >= want, 120)

    def pause(self):
        self.idle.clear()
        self.paused.set()
        check(self.idle.wait(60), "the load comes to rest")

    def go_on(self):
        self.paused.clear()


# ---- the independent computation

def expect(events, by, metrics, first, last):
    groups = {}
    for e in events:
        if first <= e["time"] < last:
            key = tuple(e[k] if k != "day" else int(e["time"] // DAY) for k in by)
            groups.setdefault(key, []).append(e)
    out = {}
    for key, list_ in groups.items():
        out[key] = [{"events": len(list_), "visitors": len(set(e["visitor"] for e in list_)),
                     "sum:value": sum(e["value"] for e in list_)}[m] for m in metrics]
    return out


def iso(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


QUESTIONS = [
    ([], ["events", "visitors"]),
    (["page"], ["events"]),
    (["name", "page"], ["events", "visitors"]),
    (["page"], ["events", "sum:value"]),
    (["day", "page"], ["events", "visitors"]),
]
DIMENSIONS = {"page": "event:page", "name": "event:name", "day": "time:day"}


def ask(d, by, metrics, first, last):
    """The answer as {key: values} and its source, or None and the refusal."""
    q = {"site_id": SITE, "metrics": metrics, "date_range": [iso(first), iso(last)], "timezone": "UTC",
         "dimensions": [DIMENSIONS[k] for k in by]}
    status, answer = d.json("POST", "/v1/query", q)
    if status == 422:
        check(answer["detail"] and answer["code"] in ("too_expensive", "not_covered"), "a reason: %r" % answer)
        return None, answer["detail"]
    equal(status, 200, "%r: %r" % (q, answer))
    rows = {}
    for r in answer["results"]:
        key = tuple(int(time.mktime(time.strptime(v[:10], "%Y-%m-%d")) - time.timezone) // DAY if k == "day" else v
                    for k, v in zip(by, r["dimensions"]))
        rows[key] = r["metrics"]
    return rows, answer["meta"]["source"]


def check_all(d, load, what, whole_days):
    """Ranges from BASE and of every day; raw events are out of the question."""
    last = BASE + whole_days * DAY
    spans = [(BASE, last)] + [(BASE + i * DAY, BASE + (i + 1) * DAY) for i in range(whole_days)]
    answered = refused = 0
    sources = {}
    for by, metrics in QUESTIONS:
        for first, end in spans:
            got, source = ask(d, by, metrics, first, end)
            if got is None:
                refused += 1
                continue
            want = expect(load.acked, by, metrics, first, end)
            if not by:
                want = want or {(): [0] * len(metrics)}
            equal(got, want, "%s: %s by %s from %s to %s, from %s" % (what, metrics, by, iso(first), iso(end), source))
            sources[source] = sources.get(source, 0) + 1
            answered += 1
    check(answered, "%s: nothing was answered" % what)
    print("%-52s %6d events: %2d answers right, %2d refused %s" % (what, len(load.acked), answered, refused, sources))
    sys.stdout.flush()
    return sources


def settle(d, load):
    load.pause()
    d.flush()


class Watch:
    """Asks all the time while events stream in: never less than what was stored before the question, never more than what
    was sent when the answer came."""

    def __init__(self, d, load):
        self.d, self.load, self.floor, self.n, self.ended, self.wrong = d, load, 0, 0, False, None
        self.thread = threading.Thread(target=self.main, daemon=True)
        self.thread.start()

    def main(self):
        while not self.ended and not self.wrong:
            low = self.floor
            for by in ([], ["page"], ["name", "page"]):
                try:
                    got, source = ask(self.d, by, ["events"], BASE, BASE + 400 * DAY)
                except (OSError, http.client.HTTPException, Failed):
                    continue  # the daemon is being restarted
                n = sum(v[0] for v in got.values()) if got is not None else low
                self.n += got is not None
                if not low <= n <= self.load.sent:
                    self.wrong = "by %s from %s: %d events, between %d and %d are right" % (by, source, n, low, self.load.sent)
            time.sleep(0.02)

    def check(self):
        check(not self.wrong, "while events streamed in: %s" % self.wrong)


def restart(d, conf, load, watch):
    """Under load: the daemon ends and comes back with another configuration."""
    n = len(load.acked)
    d.flush()
    watch.floor = n
    d.stop()
    d.configure(conf)
    d.start()
    load.more(300)


def changes(d, load, watch, conf):
    def step(rollups, day, what):
        restart(d, conf(rollups), load, watch)
        load.phase(day, 2)
        load.more(600)
        settle(d, load)
        watch.check()
        sources = check_all(d, load, what, day + 2)
        verified(d, what)
        load.go_on()
        return sources

    load.more(600)
    settle(d, load)
    sources = check_all(d, load, "declared from the beginning", 1)
    check(sources.get("rollup:pages", 0) > 4, "the rollup answers")
    load.go_on()

    d.configure(conf(TOTAL + PAGES_VALUE))
    p = subprocess.run([program("tally"), "-s", d.admin, "reload"], capture_output=True, text=True)
    equal(p.returncode, 1, "reload of what needs a restart")
    check("restart" in p.stderr + p.stdout and "rollups" in p.stderr + p.stdout, "the reload says so: %r" % p.stderr)
    d.configure(conf(TOTAL + PAGES))

    step(TOTAL + PAGES_VALUE, 2, "a metric more")
    step(TOTAL + PAGES_ALONE, 5, "a dimension less")
    step(TOTAL, 8, "removed")
    step(TOTAL + PAGES_VALUE, 11, "added again")
    step(TOTAL + PAGES_VALUE, 14, "as before")
    step(TOTAL + PAGES, 17, "the first definition again")


def tables(d, db):
    if db:
        return sorted(r[0] for r in db.sql("SHOW TABLES LIKE 'tally_rollup_%'"))
    return sorted(r[0] for r in d.sqlite("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'tally_rollup_%'"))


def leavings(d, db):
    """Tables that are not those of a definition's last number."""
    sql = "SELECT name, value FROM tally_meta WHERE name LIKE 'rollup/%'"
    last = {}
    for name, value in db.sql(sql) if db else d.sqlite(sql):
        base, _, number = name[len("rollup/"):].partition("/")
        last[base, value] = max(last.get((base, value), 1), int(number or 1))
    kept = ["tally_rollup_%s%s" % (base, "__%d" % n if n > 1 else "") for (base, _), n in last.items()]
    return [t for t in tables(d, db) if t not in kept]


def verified(d, what):
    verify = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(verify["ok"], "%s: verify %r" % (what, verify))


def rebuilds(d, load, watch, db, days):
    """Under load: what was refused is answered from then on, for all time."""
    out = json.loads(d.tally("rebuild", "pages", "--json"))
    equal((out["state"], out["whole_from"]), ("done", None), "rebuild")
    print("rebuilt: %(events)d events, %(rows)d rows in %(seconds).2f s, %(rounds)d rounds, the others held %(locked_ms).1f ms" % out)
    load.more(300)
    settle(d, load)
    watch.check()
    sources = check_all(d, load, "rebuilt", days)
    equal(sources.get("rollup:pages"), 3 * (days + 1), "answers from the rebuilt rows")
    verified(d, "rebuilt")
    check(out["table"] in tables(d, db), "the new table")
    load.go_on()
    # once more: the table before has gone
    again = json.loads(d.tally("rebuild", "pages", "--json"))
    load.more(100)
    settle(d, load)
    check_all(d, load, "rebuilt again", days)
    verified(d, "rebuilt again")
    check(out["table"] not in tables(d, db) and again["table"] in tables(d, db), "one table takes the place of the other")
    load.go_on()


def killed(d, load, watch, db, days):
    """At any moment of a rebuild: nothing is lost, doubled or short, and the next one goes through."""
    done = most = 0
    for i in range(20 if os.environ.get("TALLY_FULL") else 6):
        n = len(load.acked)
        d.flush()
        watch.floor = n
        d.tally("rebuild", "pages", "--detach")
        time.sleep(load.random.uniform(0, 0.25 if not db else 2.5))
        done += json.loads(d.tally("rebuild", "--status", "--json"))["state"] == "done"
        d.kill()
        left = len(leavings(d, db))
        most = max(most, left)
        d.start()
        load.more(50)
        wait_for("the tables that a killed rebuild left (%d) to go" % left, lambda: not leavings(d, db), 60)
    settle(d, load)
    watch.check()
    sources = check_all(d, load, "killed while it was rebuilt (%d were done, %d table left)" % (done, most), days)
    equal(sources.get("rollup:pages"), 3 * (days + 1), "answers from the rollup")
    verified(d, "killed")
    load.go_on()
    d.tally("rebuild", "pages", "--json")
    wait_for("the leavings to go", lambda: len(tables(d, db)) <= 5, 10)
    settle(d, load)
    check_all(d, load, "and rebuilt after all", days)
    verified(d, "rebuilt after all")
    load.go_on()


def two_nodes(scene, d, load, watch, db, conf, days):
    """Both store while one of them rebuilds: the other learns of it before it commits anything more."""
    other = scene.tallyd(conf(TOTAL + PAGES), "tallyd2")
    load.nodes = [d, other]
    load.more(500)
    for i in range(3):
        d.tally("rebuild", "pages", "--json")
        load.more(300)
        load.pause()
        d.flush()
        other.flush()
        for node in (d, other):
            check_all(node, load, "rebuilt while two nodes store", days)
        verified(d, "rebuilt while two nodes store")
        load.go_on()
    load.nodes = [d]
    load.more(10)
    load.pause()
    load.go_on()
    other.flush()
    other.stop()


def main(scene):
    print("seed %d" % SEED)
    db = scene.mariadb() if MARIADB else None
    sink = 'mariadb: { url: "%s", flush: 50ms }' % db.url() if db else "sqlite: { flush: 50ms }"
    zone = ["UTC"]

    def conf(rollups):
        return CONF % {"rollups": rollups, "sink": sink, "zone": zone[0]}
    d = scene.tallyd(conf(TOTAL + PAGES))
    load = Load(d)
    watch = Watch(d, load)
    try:
        changes(d, load, watch, conf)
        rebuilds(d, load, watch, db, 19)
        killed(d, load, watch, db, 19)
        if db:
            two_nodes(scene, d, load, watch, db, conf, 19)
        watch.check()
        check(watch.n > 20, "questions under load: %d" % watch.n)
    finally:
        load.ended = watch.ended = True
    d.stop()


if __name__ == "__main__":
    run(main)
