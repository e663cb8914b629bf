#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Funnels and retention: over real data as the truth files have it, windows included, and over random events as a plain
walk over them gives; formats, refusals, limits.

The name says the store (funnels_sqlite.py, funnels_mariadb.py). TALLY_QUERY_SEED (1), TALLY_QUERY_RANDOM (120)"""

import csv
import io
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import oracle  # noqa: E402
from harness import DATA, check, equal, run  # noqa: E402

MARIADB = "mariadb" in os.path.basename(sys.argv[0])
SEED = int(os.environ.get("TALLY_QUERY_SEED", "1"))
RANDOM = int(os.environ.get("TALLY_QUERY_RANDOM", "120"))
SETS = {"rees46": {"type": "event:name", "item": "event:props:item"}, "email_eu": {"item": "event:props:item"},
        "wikiticker": {"type": "event:name", "item": "event:page"}}
ZONE = "Europe/Berlin"

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } }, shop.example: { timezone: Europe/Berlin } }
limits: { body: 8MiB, inflated: 64MiB, query_rows: 400000 }
pipeline: [ rollup: {} ]
sinks:
  - %s
"""


# ---- real data

def check_truth(d, name):
    path = os.path.join(DATA, name + ".events.ndjson.zst")
    if not os.path.exists(path):
        print("skipped %s: the shared data folder is not there (TALLY_DATA)" % name)
        return 0
    lines = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout.splitlines()
    site = json.loads(lines[0])["site"]
    for i in range(0, len(lines), 5000):
        equal(d.json("POST", "/v1/events", b"\n".join(lines[i:i + 5000]))[0], 200, name + " taken")
    d.flush()
    with open(os.path.join(DATA, name + ".truth.json")) as f:
        truth = json.load(f)
    n = 0
    for funnel in truth["funnels"]:
        dim = SETS[name][funnel["by"]]
        body = {"site_id": site, "date_range": "all", "steps": [[["is", dim, [s]]] for s in funnel["steps"]]}
        for key, window in (("", None), ("_within_1h_of_the_first_step", "1h"), ("_within_24h_of_the_first_step", "24h")):
            want = funnel.get("visitors_reaching" + key)
            if want is None:
                continue
            status, a = d.json("POST", "/v1/query/funnel", dict(body, window=window) if window else body)
            equal((status, [r["visitors"] for r in a["results"]]), (200, want), "%s %r %s" % (name, funnel["steps"], window))
            equal(a["meta"]["exactness"], {"visitors": {"kind": "exact"}}, name)
            n += 1
    check(n, name + ": no funnels in the truth")
    return n


# ---- the oracle: every start is tried, each step is the next event that will do

def depth(events, steps, window):
    best = 0
    for i, e in enumerate(events):
        if not steps[0](e):
            continue
        at, k = i, 1
        while k < len(steps):
            at = next((j for j in range(at + 1, len(events)) if steps[k](events[j])), None)
            if at is None or (window and events[at]["t"] - e["t"] > window):
                break
            k += 1
        best = max(best, k)
    return best


def by_visitor(events, a, b, filters):
    out = {}
    for e in sorted((e for e in events if a <= e["t"] < b and e["visitor"]), key=lambda e: e["t"]):  # stable: as taken
        if all(oracle.passes(f, e) for f in filters):
            out.setdefault(e["visitor"], []).append(e)
    return out


def all_of(filters):
    return lambda e: all(oracle.passes(f, e) for f in filters)


def funnel_oracle(events, a, b, filters, steps, window):
    depths = [depth(es, [all_of(s) for s in steps], window) for es in by_visitor(events, a, b, filters).values()]
    return [sum(d > k for d in depths) for k in range(len(steps))]


def retention_oracle(events, a, b, filters, period, first, again):
    axis = oracle.starts(a, b, period, ZONE)
    cells = [[set() for _ in axis[i:]] for i in range(len(axis))]
    for v, es in by_visitor(events, a, b, filters).items():
        begins = [axis.index(oracle.floor(e["t"], period, ZONE)) for e in es if all_of(first)(e)]
        if not begins:
            continue
        start = begins[0]
        cells[start][0].add(v)
        for e in es:
            p = axis.index(oracle.floor(e["t"], period, ZONE))
            if p > start and all_of(again)(e):
                cells[start][p - start].add(v)
    return [oracle.label(t, ZONE) for t in axis], [[len(c) for c in row] for row in cells]


# ---- random events

def make_events(rnd):
    out, begin = [], oracle.midnight(oracle.datetime.date(2026, 9, 20), ZONE)
    for _ in range(4000):
        t = begin + rnd.randrange(45 * 24 * 12) * 300 * oracle.US  # every five minutes: many are at the same moment
        out.append({"site": "shop.example", "t": t, "name": rnd.choice(["view", "view", "view", "cart", "purchase"]),
                    "visitor": rnd.choice(["v%d" % rnd.randrange(150), "regular%d" % rnd.randrange(5)]),
                    "page": rnd.choice(["/", "/a", "/b"]), "props": {"item": rnd.choice(["pen", "ink"])}, "text": str})
    return out


def send(d, events):
    for i in range(0, len(events), 1000):
        d.send([{"site": e["site"], "time": e["t"], "name": e["name"], "visitor": e["visitor"], "page": e["page"], "props": e["props"]}
                for e in events[i:i + 1000]])


STEPS = [[["is", "event:name", ["view"]]], [["is", "event:name", ["cart"]]], [["is", "event:name", ["purchase"]]],
         [["is", "event:page", ["/a"]]], [["contains", "event:page", ["/"]], ["is", "event:props:item", ["pen"]]],
         [["or", [["is", "event:name", ["cart"]], ["is", "event:page", ["/b"]]]]], [["is_not", "event:name", ["view"]]],
         [["is", "event:name", ["VIEW", "Cart"], {"case_sensitive": False}]]]
WINDOWS = {None: 0, "5m": 300, "1h": 3600, "90m": 5400, "24h": 86400, "7d": 7 * 86400}
SPANS = [["2026-09-20", "2026-11-04"], ["2026-10-01", "2026-10-02"], ["2026-10-24T12:00:00", "2026-10-26T01:03:00"]]


def random_funnel(d, rnd, events):
    among = rnd.choice([STEPS, STEPS[:3] + STEPS[-1:]])  # the latter all name events
    steps = [rnd.choice(among) for _ in range(rnd.randrange(1, 6))]
    window, span = rnd.choice(list(WINDOWS)), rnd.choice(SPANS)
    filters = rnd.choice([[], [["is", "event:props:item", ["ink"]]], [["not", ["is", "event:page", ["/"]]]]])
    body = {"site_id": "shop.example", "date_range": span, "steps": steps, "filters": filters}
    if window:
        body["window"] = window
    a, b = oracle.date_range(span, ZONE, 0, events)
    want = funnel_oracle(events, a, b, filters, steps, WINDOWS[window] * oracle.US)
    status, got = d.json("POST", "/v1/query/funnel", body)
    equal((status, [r["visitors"] for r in got["results"]]), (200, want), json.dumps(body))
    for k, r in enumerate(got["results"]):
        equal((r["step"], r["conversion_rate"], r["step_rate"]),
              (k + 1, oracle.share(want[k], want[0]), oracle.share(want[k], want[max(k - 1, 0)])), json.dumps(body))


def random_retention(d, rnd, events):
    period, span = rnd.choice(["day", "week", "month"]), rnd.choice(SPANS)
    first, again = rnd.choice([[]] + STEPS), rnd.choice([[]] + STEPS)
    filters = rnd.choice([[], [["is", "event:props:item", ["ink"]]]])
    body = {"site_id": "shop.example", "date_range": span, "period": period, "filters": filters, "first": first, "again": again}
    labels, want = retention_oracle(events, *oracle.date_range(span, ZONE, 0, events), filters, period, first, again)
    status, got = d.json("POST", "/v1/query/retention", body)
    equal((status, [[r["cohort"], r["visitors"], r["returned"]] for r in got["results"]]),
          (200, [[t, w[0], w] for t, w in zip(labels, want)]), json.dumps(body))
    for r in got["results"]:
        equal(r["rates"], [oracle.share(n, r["visitors"]) for n in r["returned"]], json.dumps(body))


# ---- formats, other forms of a step, caching, refusals

FUNNEL = {"site_id": "shop.example", "date_range": SPANS[0], "steps": ["view", {"name": "in, the cart", "filters": STEPS[1]}, STEPS[2]]}
RETENTION = {"site_id": "shop.example", "date_range": SPANS[0], "period": "week", "first": "view"}


def formats(d):
    for path, body, keys in (("funnel", FUNNEL, ["step", "name", "visitors", "conversion_rate", "step_rate"]), ("retention", RETENTION, None)):
        _, whole = d.json("POST", "/v1/query/" + path, body)
        text = d.request("POST", "/v1/query/%s?format=csv" % path, json.dumps(body))[2].decode()
        table = list(csv.reader(io.StringIO(text, newline="")))
        if keys:
            equal(table[0], keys, "CSV: columns")
            equal(table[1:], [[("%g" % v if isinstance(v, float) else str(v)) for v in (r[k] for k in keys)] for r in whole["results"]], "CSV")
        else:
            n = len(whole["results"])
            equal(table[0], ["cohort", "visitors"] + [str(i) for i in range(n)], "CSV: columns")
            equal(table[1:], [[r["cohort"], str(r["visitors"])] + [str(x) for x in r["returned"]] + [""] * (n - len(r["returned"]))
                              for r in whole["results"]], "CSV")
        lines = d.request("POST", "/v1/query/" + path, json.dumps(body), {"Accept": "application/x-ndjson"})[2].decode().splitlines()
        equal([json.loads(x) for x in lines], whole["results"], "NDJSON")
        status, h, _ = d.request("POST", "/v1/query/" + path, json.dumps(body))
        equal((status, h["cache-control"]), (200, "public, max-age=60"), "a closed range")
        equal(d.request("POST", "/v1/query/" + path, json.dumps(body), {"If-None-Match": h["etag"]})[0], 304, "ETag")
        _, plan = d.json("POST", "/v1/query/%s?explain=1" % path, body)
        check("ORDER BY `time`" in plan["statements"][0]["sql"], "explain: %r" % plan)
    equal([r["name"] for r in d.json("POST", "/v1/query/funnel", FUNNEL)[1]["results"]], ["view", "in, the cart", "step 3"], "names of steps")
    equal(d.json("POST", "/v1/query/funnel", dict(FUNNEL, steps=["view", "cart"]))[1]["results"][1]["visitors"],
          d.json("POST", "/v1/query/funnel", dict(FUNNEL, steps=STEPS[:2]))[1]["results"][1]["visitors"], "a step by its name")


REFUSALS = [
    ("funnel", {"steps": []}, 400, "missing_field", "/steps"), ("funnel", {"steps": "view"}, 400, "bad_type", "/steps"),
    ("funnel", {"steps": [5]}, 400, "bad_type", "/steps/0"), ("funnel", {"steps": ["view"] * 17}, 400, "too_many", "/steps/16"),
    ("funnel", {"steps": ["view", [["is", "event:nam", ["x"]]]]}, 400, "unknown_name", "/steps/1/0/1"),
    ("funnel", {"steps": [{"name": "x", "filter": []}]}, 400, "unknown_name", "/steps/0/filter"),
    ("funnel", {"steps": [{"name": "x", "filters": [["matches", "event:page", ["("]]]}]}, 400, "bad_pattern", "/steps/0/filters/0/2/0"),
    ("funnel", {"window": "1"}, 400, "out_of_range", "/window"), ("funnel", {"window": "0s"}, 400, "out_of_range", "/window"),
    ("funnel", {"steps": ["x" * 129]}, 400, "too_long", "/steps/0"),
    ("funnel", {"window": 3600}, 400, "bad_type", "/window"), ("funnel", {"metrics": ["events"]}, 400, "unknown_name", "/metrics"),
    ("funnel", {"date_range": "8d"}, 400, "bad_range", "/date_range"), ("retention", {"period": "year"}, 400, "unknown_name", "/period"),
    ("retention", {"period": "day", "date_range": ["2020-01-01", "2026-01-01"]}, 400, "too_many_buckets", "/period"),
    ("retention", {"first": 1}, 400, "bad_type", "/first"), ("retention", {"steps": []}, 400, "unknown_name", "/steps")]


def refusals(d):
    for path, change, status, code, pointer in REFUSALS:
        got, p = d.json("POST", "/v1/query/" + path, dict(FUNNEL if path == "funnel" else RETENTION, **change))
        equal((got, p["code"], p.get("pointer")), (status, code, pointer), "%s %r: %r" % (path, change, p))
    equal(d.request("GET", "/v1/query/funnel")[0], 405, "GET")


def limits(scene, sink):
    d = scene.tallyd((CONF % sink).replace("query_rows: 400000", "query_rows: 100"), "small")
    d.send([{"site": "shop.example", "name": "view", "visitor": "v%d" % i, "time": 1790000000 + i} for i in range(150)])
    d.flush()
    body = dict(FUNNEL, date_range=["2026-09-01", "2026-10-01"])
    status, p = d.json("POST", "/v1/query/funnel", body)
    equal((status, p["code"]), (422, "too_expensive"), "past limits.query_rows")
    check("100 raw events" in p["detail"] and "shorter range" in p["detail"], p["detail"])
    # events that no step looks at are not read
    equal(d.json("POST", "/v1/query/funnel", dict(body, steps=["cart", "purchase"]))[0], 200, "narrowed by its steps")
    d.stop()


def main(scene):
    db = scene.mariadb() if MARIADB else None
    sink = 'mariadb: { url: "%s" }' % db.url() if db else "sqlite: {}"
    d = scene.tallyd(CONF % sink)
    n = sum(check_truth(d, name) for name in SETS)
    rnd = random.Random(SEED)
    events = make_events(rnd)
    send(d, events)
    d.flush()
    for _ in range(RANDOM):
        random_funnel(d, rnd, events)
        random_retention(d, rnd, events)
    formats(d)
    refusals(d)
    d.stop()
    if not MARIADB:
        limits(scene, sink)
    print("%d funnels as the truth has them, %d of each kind as the oracle says, %d refusals" % (n, RANDOM, len(REFUSALS)))


if __name__ == "__main__":
    run(main)
