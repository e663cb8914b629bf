#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Visits, bounces, durations, entry and exit pages, and what they came with must be those of the events in the order of time, however they came:
in order, shuffled, late, with kill -9 of the daemon in between. An oracle computes them from what was sent; the real data
has its truth besides. From rollups and from the rows of visits alike, and `tally verify` finds the two one.

The name says the store (visits_sqlite.py, visits_mariadb.py); MariaDB also with two nodes on one database. Without
TALLY_FULL the small sets go all ways and the large one in order only."""

import bisect
import datetime
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from attribution import questions, some_props  # noqa: E402
from harness import DATA, check, equal, run, wait_for  # noqa: E402

MARIADB = "mariadb" in os.path.basename(sys.argv[0])
FULL = bool(os.environ.get("TALLY_FULL"))
SETS = ("rees46", "wikiticker", "email_eu")
GAP_US = 30 * 60 * 1000000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

CONF = """
sites: { default: { timezone: %s, time_window: { past: any, future: any } } }
limits: { body: 8MiB, query_rows: 2000000 }
spool: { segment: 4MiB, retain: 1h }
pipeline: [ dedup: { window: 1h }, session: { memory: %s }, rollup: {} ]
rollups:
  - { name: total, by: [], metrics: [events, pageviews, visits, bounces, duration, views] }
  - { name: entries, by: ["visit:entry_page"], metrics: [visits, bounces, duration, views] }
  - { name: exits, by: ["visit:exit_page"], metrics: [visits, bounces, duration] }
  - { name: sources, by: ["visit:source"], metrics: [visits, bounces, duration, views, visitors, events] }
  - { name: systems, by: ["visit:browser", "visit:os"], metrics: [visits, bounces, duration] }
sinks:
  - %s
"""


# ---- the oracle: events in the order of (time, arrival), cut where the gap is more than 30 minutes

def us(text):
    if isinstance(text, (int, float)):
        return int(text) * 1000000
    t = datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH
    return (t.days * 86400 + t.seconds) * 1000000 + t.microseconds


def visits_of(events):
    """events as they came: (site, visitor, time, page, is a view, referrer, props)"""
    per = {}
    for arrival, (site, visitor, t, page, view, referrer, props) in enumerate(events):
        if visitor:
            per.setdefault((site, visitor), []).append((t, arrival, page, view, referrer, props))
    out = []
    for (site, _), seen in per.items():
        seen.sort(key=lambda e: e[:2])
        run_ = [seen[0]]
        for e in seen[1:] + [None]:
            if e is not None and e[0] - run_[-1][0] <= GAP_US:
                run_.append(e)
                continue
            pages = [x[2] for x in run_ if x[2]]
            out.append({"site": site, "begin": run_[0][0], "bounce": len(run_) == 1, "duration": run_[-1][0] - run_[0][0],
                        "views": sum(x[3] for x in run_), "entry": pages[0] if pages else "", "exit": pages[-1] if pages else "",
                        "referrer": run_[0][4], "props": run_[0][5]})
            run_ = [e]
    return out


def sums(visits, key=lambda v: ()):
    """key -> [visits, bounces, duration, views]"""
    out = {}
    for v in visits:
        s = out.setdefault(key(v), [0, 0, 0, 0])
        for i, n in enumerate((1, v["bounce"], v["duration"], v["views"])):
            s[i] += n
    return out


METRICS = ["visits", "bounce_rate", "visit_duration", "views_per_visit"]


def as_metrics(s):
    return [s[0], 100.0 * s[1] / s[0], s[2] / 1e6 / s[0], s[3] / s[0]]


def near(got, want, what):
    equal(got[0], want[0], what + ", visits")
    for g, w, name in zip(got[1:], want[1:], METRICS[1:]):
        check(g is not None and abs(g - w) <= 1e-9 * max(1, abs(w)), "%s, %s: got %r, want %r" % (what, name, got, want))


def compare(d, site, want, dims, source, **more):
    answer = d.query(site_id=site, date_range="all", metrics=METRICS, dimensions=dims, pagination={"limit": 10000, "offset": 0}, **more)
    equal(answer["meta"]["source"], source, "source of %r" % dims)
    rows = dict((tuple(r["dimensions"]), r["metrics"]) for r in answer["results"])
    if len(want) > 10000:
        rows = dict((k, v) for k, v in rows.items() if k in want)
        equal(len(rows), 10000, "rows of %r" % dims)
    else:
        equal(sorted(rows), sorted(want), "rows of %s %r" % (site, dims))
    for k, got in rows.items():
        near(got, as_metrics(want[k]), "%s %r %r" % (site, dims, k))


def day(v):
    return ((EPOCH + datetime.timedelta(microseconds=v["begin"])).strftime("%Y-%m-%dT00:00:00+00:00"),)


def agree(d, site, events):
    """Every way to ask, against the oracle."""
    visits = [v for v in visits_of(events) if v["site"] == site]
    compare(d, site, sums(visits), [], "rollup:total")
    compare(d, site, sums(visits, day), ["time:day"], "rollup:total")
    compare(d, site, sums(visits, lambda v: (v["entry"],)), ["visit:entry_page"], "rollup:entries")
    compare(d, site, sums(visits, lambda v: (v["entry"], v["exit"])), ["visit:entry_page", "visit:exit_page"], "raw")
    compare(d, site, sums(visits, lambda v: day(v) + (v["referrer"],)), ["time:day", "visit:referrer"], "raw")
    few = sorted(set(v["exit"] for v in visits))[:5]
    some = [v for v in visits if v["exit"] in few]
    compare(d, site, sums(some, lambda v: (v["exit"],)), ["visit:exit_page"], "raw", filters=[["is", "visit:exit_page", few]])
    return visits


# ---- sending: one batch after the other, again until it is taken, so that arrival is the order of sending

def send(d, lines, batch, kills=0):
    chunks = [lines[i:i + batch] for i in range(0, len(lines), batch)]
    fatal = set(random.sample(range(len(chunks)), min(kills, len(chunks))))
    for i, chunk in enumerate(chunks):
        victim = d.process if i in fatal else None
        if victim:
            killer = threading.Timer(random.uniform(0, 0.03), victim.child.kill)
            killer.start()
        while True:
            try:
                status, answer = d.json("POST", "/v1/events", b"\n".join(chunk))
            except Exception:
                status = 0
            if status == 200:
                equal(answer["accepted"] + answer["duplicates"], len(chunk), "batch at %d: %r" % (i, answer))
                break
            check(status in (0, 503), "batch at %d: %d" % (i, status))
            restart_if_dead(d)
            time.sleep(0.01)
        if victim:
            killer.join()
            victim.child.wait(10)
            restart_if_dead(d)
    return len(fatal)


def restart_if_dead(d):
    if not d.process.alive():
        d.kill()
        d.start()


def flush(d):
    """A backlog of shuffled years may take longer than one flush waits."""
    wait_for("all to be stored", lambda: d.tally("flush", "--json", ok=(0, 1)).startswith('{"flushed":true'), 900)


def whole(d):
    flush(d)
    report = json.loads(d.tally("verify", "--json"))
    check(report["ok"], "verify: %r" % report)
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")


# ---- made events

def made(n, site, seed):
    """Visitors with gaps of all sorts around 30 minutes, ties in time, events without pages or visitors, in no order."""
    rng = random.Random(seed)
    events = []
    start = 1770000000 * 1000000
    for i in range(n):
        visitor = "v%d" % rng.randrange(max(3, n // 12)) if rng.random() < 0.98 else ""
        if events and rng.random() < 0.75:
            other = rng.choice(events[-200:])
            visitor = other["visitor"]
            step = rng.choice((0, 0, 1, GAP_US, GAP_US + 1, GAP_US - 1, 2 * GAP_US, rng.randrange(GAP_US), 5 * GAP_US))
            t = other["t"] + rng.choice((-1, 1, 1)) * step
        else:
            t = start + rng.randrange(4 * 86400 * 1000000)
        events.append({"t": t, "visitor": visitor, "page": rng.choice(("/", "/a", "/b", "/buy", "")), "view": rng.random() < 0.7,
                       "referrer": rng.choice(("", "https://x.example/", "https://y.example/")), "props": some_props(rng)})
    order = list(range(n))
    for i in range(n):  # mostly in order, some of it far from it
        if rng.random() < 0.3:
            j = min(n - 1, max(0, i + rng.randrange(-n // 3, n // 3)))
            order[i], order[j] = order[j], order[i]
    lines, seen = [], []
    for k in order:
        e = events[k]
        name = "view" if e["view"] else "click"
        line = {"id": "m%d" % k, "site": site, "name": name, "time": "%d" % e["t"]}
        line["time"] = (EPOCH + datetime.timedelta(microseconds=e["t"])).isoformat()
        for field in ("visitor", "page", "referrer", "props"):
            if e[field]:
                line[field] = e[field]
        if not e["visitor"]:
            line["visitor"] = "nobody-%d" % k  # the door gives one to who has none; so each is another
        lines.append(json.dumps(line).encode())
        seen.append((site, line["visitor"], e["t"], e["page"], e["view"], e["referrer"], e["props"]))
    return lines, seen


def oracle_part(d):
    for i in range(6 if FULL else 2):
        site = "made%d.example" % i
        n = 6000 if FULL else 2500
        lines, seen = made(n, site, random.randrange(1 << 30))
        kills = send(d, lines, random.choice((7, 40, 300)), 4 if i % 2 else 0)
        whole(d)
        visits = agree(d, site, seen)
        rolled, raw = questions(d, random, site, visits, seen, 300 if FULL else 40)
        check(rolled and raw, "questions of both sorts")
        print("%-22s %6d events, %5d visits, %d bounces, %d kills, %d + %d questions: as the oracle says" % (
            site, n, len(visits), sum(v["bounce"] for v in visits), kills, rolled, raw))
        sys.stdout.flush()


# ---- real events

def load(name):
    path = os.path.join(DATA, name + ".events.ndjson.zst")
    if not os.path.exists(path):
        return None
    text = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
    with open(os.path.join(DATA, name + ".truth.json")) as f:
        return [json.loads(line) for line in text.splitlines()], json.load(f)["sessions_30min"]


def as_lines(events, site):
    lines, seen = [], []
    for i, e in events:
        e = dict(e, site=site, id="e%d" % i)
        lines.append(json.dumps(e).encode())
        seen.append((site, e["visitor"], us(e["time"]), e.get("page", ""), e["name"] in ("view", "pageview"), e.get("referrer", ""), {}))
    return lines, seen


def truth_says(d, site, truth):
    (row,) = d.rows(site_id=site, date_range="all", metrics=["visits", "bounce_rate"])
    equal(row[0], truth["sessions"], site + " visits")
    equal(round(row[0] * row[1] / 100), truth["one_event_sessions"], site + " bounces")
    days = d.rows(site_id=site, date_range="all", metrics=["visits"], dimensions=["time:day"], pagination={"limit": 10000, "offset": 0})
    equal(dict((r[0][:10], r[1]) for r in days), truth["sessions_by_utc_day_of_first_event"], site + " visits by day")


def data_part(d, data):
    for name in SETS:
        events, truth = data[name]
        for way in ("ordered", "shuffled", "killed"):
            if name == "email_eu" and way != "ordered" and not FULL:
                continue
            began = time.monotonic()
            numbered = list(enumerate(events))
            if way != "ordered":
                random.shuffle(numbered)
            site = "%s-%s.example" % (name.replace("_", "-"), way)
            lines, seen = as_lines(numbered, site)
            kills = send(d, lines, 200 if way == "killed" and name != "email_eu" else 5000, 10 if way == "killed" else 0)
            flush(d)
            truth_says(d, site, truth)
            agree(d, site, seen)
            print("%-28s %6d events, %6d visits, %5d bounces, %2d kills: as truth and oracle say, %.1f s" % (
                site, len(lines), truth["sessions"], truth["one_event_sessions"], kills, time.monotonic() - began))
            sys.stdout.flush()
    whole(d)


# ---- two nodes on one database, each visitor at one of them

def nodes_part(scene, db, data):
    sink = 'mariadb: { url: "%s", flush: 20ms, snapshot: 20ms, prefix: two_ }' % db.url()
    a, b = (scene.tallyd(CONF % ("UTC", "256MiB", sink), name) for name in ("node_a", "node_b"))
    events, truth = data["wikiticker"]
    numbered = list(enumerate(events))
    random.shuffle(numbered)
    lines, seen = as_lines(numbered, "two.example")
    mine = [lambda e, k=k: sum(e[1].encode()) % 2 == k for k in (0, 1)]
    parts = [[line for line, e in zip(lines, seen) if of(e)] for of in mine]
    threads = [threading.Thread(target=send, args=(d, part, 300, 3)) for d, part in zip((a, b), parts)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for d in (a, b):
        flush(d)
    for d in (a, b):
        truth_says(d, "two.example", truth)
        agree(d, "two.example", seen)
        report = json.loads(d.tally("verify", "--json"))
        check(report["ok"], "verify: %r" % report)
    answer = a.query(site_id="two.example", date_range="all", metrics=["visits"])
    check(any("more than one node" in w for w in answer["meta"]["warnings"]), "meta says so: %r" % answer["meta"]["warnings"])
    print("two nodes: %d + %d events, %d visits: as truth and oracle say, on both" % (len(parts[0]), len(parts[1]), truth["sessions"]))
    a.stop()
    b.stop()


def memory_part(scene, sink):
    """Visits that memory does not hold are forgotten, counted, and never taken away twice: all sums stay what they were."""
    d = scene.tallyd(CONF % ("UTC", "64KiB", sink), "small")
    lines, seen = made(4000, "small.example", 7)
    send(d, lines, 50, 3)
    flush(d)
    report = json.loads(d.tally("verify", "--json"))
    check(report["ok"], "verify: %r" % report)
    (row,) = d.rows(site_id="small.example", date_range="all", metrics=["visits"])
    check(row[0] > len(visits_of(seen)), "visits cut by what was forgotten: %d of %d" % (row[0], len(visits_of(seen))))
    rows = d.rows(site_id="small.example", date_range="all", metrics=["visits", "bounce_rate"], dimensions=["visit:entry_page"])
    check(all(r[1] > 0 and 0 <= r[2] <= 100 for r in rows), "no sum below nothing: %r" % rows)
    metrics = d.request("GET", "/metrics")[2].decode()
    check('plugin="session",name="forgotten_early"' in metrics, "it is counted")
    print("small memory: %d visits of %d in truth, verify finds rollups and rows one" % (row[0], len(visits_of(seen))))
    d.stop()


def pairs_part(d):
    for q, words, legal in ((dict(metrics=["visits"], dimensions=["event:page"]), "visit:*", "visit:entry_page"),
                            (dict(metrics=["bounce_rate"], filters=[["is", "event:name", ["view"]]]), "visit:*", "visit:exit_page"),
                            (dict(metrics=["visitors", "visits"], dimensions=["visit:exit_page"]), "metrics of visits", "visit_duration")):
        status, answer = d.json("POST", "/v1/query", dict(q, site_id="made0.example", date_range="all"))
        equal((status, answer["code"]), (400, "bad_pair"), "%r" % q)
        check(words in answer["detail"] and legal in answer["legal"], "legal pairs of %r: %r" % (q, answer))


def main(scene):
    seed = int(os.environ.get("TALLY_SEED") or random.randrange(1 << 30))
    print("seed", seed)
    random.seed(seed)
    db = scene.mariadb() if MARIADB else None
    sink = 'mariadb: { url: "%s", flush: 20ms, snapshot: 20ms }' % db.url() if db else "sqlite: { flush: 20ms, snapshot: 20ms }"
    d = scene.tallyd(CONF % ("UTC", "256MiB", sink))
    oracle_part(d)
    pairs_part(d)
    data = dict((name, load(name)) for name in SETS)
    if all(data.values()):
        data_part(d, data)
    else:
        print("skipped the real data of %s: the shared data folder is not there (TALLY_DATA)" % os.path.basename(sys.argv[0]))
    d.stop()
    memory_part(scene, sink.replace("snapshot: 20ms", "snapshot: 20ms, prefix: small_") if db else sink)
    if db and all(data.values()):
        nodes_part(scene, db, data)


if __name__ == "__main__":
    run(main)
