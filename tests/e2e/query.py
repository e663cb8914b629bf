#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The query contract, row by row: every metric, dimension, operator, range, order, comparison, inclusion, page and format
is asked over generated events, and the answer must be what lib/oracle.py works out from the events alone; what is not
answered must be refused with a problem that points at the place.

The name says the store (query_sqlite.py, query_mariadb.py). TALLY_QUERY_SEED (1), TALLY_QUERY_RANDOM (150)"""

import csv
import io
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import oracle  # noqa: E402
from harness import check, equal, run  # noqa: E402
from refusals import check_refusals  # noqa: E402

MARIADB = "mariadb" in os.path.basename(sys.argv[0])
SEED = int(os.environ.get("TALLY_QUERY_SEED", "1"))
RANDOM = int(os.environ.get("TALLY_QUERY_RANDOM", "150"))
SITES = {"shop.example": "Europe/Berlin", "india.example": "Asia/Kolkata"}
ZONES = ["Europe/Berlin", "America/St_Johns", "UTC", "Asia/Kolkata"]
ROWS = 5000  # limits.query_rows: a site has fewer events, big.example more

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } }, shop.example: { timezone: Europe/Berlin }, india.example: { timezone: Asia/Kolkata } }
limits: { query_rows: %d, query_timeout: 5s }
pipeline: [ session: {}, rollup: {} ]
rollups:
  - { name: total, by: [], metrics: [events, visitors, pageviews, "sum:value", "min:value", "max:value", "sum:props.price"] }
  - { name: names, by: ["event:name"], metrics: [events, visitors] }
  - { name: pages, by: ["event:name", "event:page"], metrics: [events, visitors] }
  - { name: items, by: ["event:name", "event:props:item"], metrics: [events, visitors, "sum:value", "sum:props.price", "min:props.price", "max:props.price"] }
%ssinks:
  - %s
"""


class Raw:
    """A JSON number whose text is kept."""

    def __init__(self, text):
        self.text = text

    def __float__(self):
        return float(self.text)


def text_of(value):
    return value.text if isinstance(value, Raw) else json.dumps(value)


def dump(v):
    if isinstance(v, Raw):
        return v.text
    if isinstance(v, dict):
        return "{" + ",".join(json.dumps(k) + ":" + dump(x) for k, x in v.items()) + "}"
    return json.dumps(v)


# ---- events

def make_time(rnd, now):
    zone_changes = [1774746000, 1792890000, 1761440400, 1743296400, 1730595600]  # Berlin's clocks, 2024 to 2026
    kind = rnd.randrange(6)
    if kind == 0:
        t = rnd.choice(zone_changes) + rnd.randrange(-86400, 86400)
    elif kind == 1:
        t = now - rnd.randrange(3 * 86400)
    elif kind == 2:
        t = rnd.choice([1709164800, 1677542400]) + rnd.randrange(-86400, 2 * 86400)  # 29 February 2024, 28 February 2023
    else:
        t = now - rnd.randrange(420 * 86400)
    if rnd.random() < 0.3:
        t -= t % 900
    return min(t, now) * oracle.US + (rnd.randrange(oracle.US) if rnd.random() < 0.5 and t < now else 0)


def make_event(rnd, now, site):
    e = {"site": site, "name": rnd.choice(["view", "view", "pageview", "click", "purchase", "View"]), "t": make_time(rnd, now),
         "visitor": "v%d" % rnd.randrange(60), "props": {}, "text": text_of}
    if rnd.random() < 0.9:
        e["page"] = rnd.choice(["/", "/buy", "/buy/now", "/admin", "/été", "/a|b", "/a", "/a ", "/A", "/ÉTÉ", "/item/12", "/日本"])
    if rnd.random() < 0.7:
        e["host"] = rnd.choice(["shop.example", "www.shop.example"])
    if rnd.random() < 0.5:
        e["referrer"] = rnd.choice(["https://search.example/?q=1", "https://news.example/"])
    if rnd.random() < 0.6:
        e["value"] = rnd.randrange(-120, 400) / 4
    props = e["props"]
    if rnd.random() < 0.8:
        props["item"] = rnd.choice(["pen", "ink", "pen ", '"quoted"', "", "naïve", True, False, Raw("1.50"), Raw("1e2"), 7])
    if rnd.random() < 0.6:
        props["price"] = rnd.choice([rnd.randrange(800) / 8, rnd.randrange(20), "n/a", Raw("2.50")])
    return e


def sent(e):
    out = {"site": e["site"], "name": e["name"], "visitor": e["visitor"], "time": Raw(str(e["t"])), "props": e["props"]}
    for k in ("value", "referrer"):
        if k in e:
            out[k] = e[k]
    if "host" in e and "page" in e:
        out["url"] = "https://" + e["host"] + e["page"]
    elif "page" in e:
        out["page"] = e["page"]
    else:
        e.pop("host", None)
    return out


def send(d, events):
    for i in range(0, len(events), 500):
        body = "[" + ",".join(dump(sent(e)) for e in events[i:i + 500]) + "]"
        status, answer = d.json("POST", "/v1/events", body)
        equal((status, answer["accepted"]), (200, len(events[i:i + 500])), "events taken")
    for e in events:  # a url is stored by its parts: what it holds is percent-encoded by nobody
        assert "page" in e or "host" not in e


# ---- one question

def near(a, b):
    return a == b or (a is not None and b is not None and abs(a - b) <= 1e-9 * max(1, abs(a), abs(b)))


def same_numbers(got, want, what):
    check(len(got) == len(want) and all(map(near, got, want)), "%s: got %r, want %r" % (what, got, want))


def compare_rows(got, want, what):
    equal([r["dimensions"] for r in got], [w[0] for w in want], what + ": dimensions")
    for r, (dims, metrics, before) in zip(got, want):
        same_numbers(r["metrics"], metrics, "%s: %r" % (what, dims))
        equal("compare" in r, before is not None, what + ": has compare")
        if before is not None:
            same_numbers(r["compare"], before, "%s: %r compared" % (what, dims))


class Asker:
    def __init__(self, d, events):
        self.d, self.events, self.sources, self.n = d, events, {}, 0

    def now(self):
        return int(time.time()) * oracle.US

    def ask(self, site="shop.example", **q):
        q.setdefault("metrics", ["events"])
        q.setdefault("date_range", "91d")
        what = json.dumps(q, ensure_ascii=False)
        now = self.now()
        want = oracle.answer(self.events[site], q, SITES[site], now)
        got = self.d.query(site_id=site, **q)
        compare_rows(got["results"], want.rows, what)
        inc = q.get("include", {})
        meta = got["meta"]
        equal(meta.get("total_rows"), want.total if inc.get("total_rows") else None, what + ": total_rows")
        equal(meta.get("time_labels"), want.labels if inc.get("time_labels") and want.labels else None, what + ": labels")
        self.check_rest(got, want, inc, what)
        for kind in meta["exactness"].values():
            equal(kind["kind"], "exact", what + ": exactness")
        self.sources[meta["source"]] = self.sources.get(meta["source"], 0) + 1
        self.n += 1
        return got

    def check_rest(self, got, want, inc, what):
        if not inc.get("other_row"):
            check("other_row" not in got, what + ": an other_row nobody asked for")
        elif want.rest is None:
            equal(got["other_row"], None, what + ": other_row")
        else:
            same_numbers(got["other_row"]["metrics"], want.rest[0], what + ": other_row")
            equal(got["other_row"]["rows"], want.rest[1], what + ": rows of other_row")


# ---- the contract, row by row

METRICS = ["events", "pageviews", "visitors", "sum:value", "avg:value", "min:value", "max:value", "sum:props.price",
           "avg:props.price", "min:props.price", "max:props.price"]
SHARES = ["percentage", "conversion_rate"]
TIMES = ["time", "time:minute", "time:quarter", "time:hour", "time:day", "time:week", "time:month"]
FIELDS = ["event:name", "event:page", "event:hostname", "event:props:item", "visit:referrer"]
NAMED = ["day", "7d", "28d", "30d", "91d", "month", "6mo", "12mo", "year", "all"]
PAIRS = [["2026-10-24", "2026-10-26"], ["2026-10-25", "2026-10-25"], ["2026-03-29", "2026-03-29"], ["2024-02-28", "2024-02-29"],
         ["2026-10-25T00:30:00+02:00", "2026-10-25T04:15:00+01:00"], ["2026-10-24T12:00:00", "2026-10-25T12:00:00"],
         ["2026-10-24T10:07:00Z", "2026-10-25T11:01:30Z"], ["2025-12-15", "2026-01-20"]]
ANY_CASE = {"case_sensitive": False}
FILTERS = [
    [["is", "event:page", ["/", "/buy"]]], [["is_not", "event:page", ["/"]]], [["contains", "event:page", ["buy", "admin"]]],
    [["contains_not", "event:page", ["a"]]], [["matches", "event:page", ["^/(buy|item/[0-9]+)$"]]],
    [["matches_not", "event:page", ["^/[a-z]+", "é"]]], [["is", "event:props:item", [""]]],
    [["is", "event:props:item", ["1.50"]]], [["is", "event:props:item", [True, 7]]], [["is", "event:page", ["/a "]]],
    [["not", ["contains", "event:page", ["/buy"]]]], [["is", "event:hostname", ["shop.example"]]],
    [["matches", "visit:referrer", ["search"]]], [["and", [["is", "event:name", ["view"]], ["is", "event:page", ["/buy"]]]]],
    [["or", [["is", "event:name", ["click"]], ["not", ["or", [["contains", "event:page", ["a"]], ["is", "event:props:item", ["pen"]]]]]]]],
    [["not", ["and", [["is", "event:name", ["view", "click"]], ["contains", "event:page", ["/"]]]]]],
    [["is", "event:name", ["view"]], ["not", ["contains", "event:page", ["/admin"]]]], [["is", "event:page", ["nothing is so"]]],
    [["is", "event:name", ["VIEW", "click"], ANY_CASE], ["is", "event:page", ["/BUY", "/a"], ANY_CASE]],
    [["is", "event:page", ["/BUY", "/a"], ANY_CASE]], [["is_not", "event:page", ["/A", "/ÉtÉ"], ANY_CASE]],
    [["contains", "event:page", ["BUY", "É"], ANY_CASE]], [["contains_not", "event:page", ["/A"], ANY_CASE]],
    [["matches", "event:page", ["^/[A-B](UY)?$", "ÉT"], ANY_CASE]], [["matches_not", "event:page", ["^/\\W*É", "N"], ANY_CASE]],
    [["is", "event:name", ["VIEW"], ANY_CASE], ["is", "event:name", ["view"]]], [["is", "event:props:item", ["PEN", "TRUE", "NAÏVE"], ANY_CASE]],
    [["not", ["or", [["is", "event:name", ["View"], ANY_CASE], ["is", "event:page", ["/a"], {"case_sensitive": True}]]]]]]


def every_one(asker):
    for m in METRICS:
        asker.ask(metrics=[m])
        asker.ask(metrics=[m], dimensions=["event:props:item"], filters=[["is", "event:name", ["view"]]])
    for d in TIMES + FIELDS:
        span = ["2026-10-24", "2026-10-26"] if d in ("time:minute", "time:quarter", "time:hour") else "12mo"
        asker.ask(metrics=["events", "visitors"], dimensions=[d], date_range=span)
        asker.ask(metrics=SHARES + ["visitors"], dimensions=[d], date_range=span, filters=[["is", "event:name", ["view"]]])
    for r in NAMED + PAIRS:
        for zone in ZONES:
            asker.ask(metrics=["events", "visitors", "sum:value"], date_range=r, timezone=zone)
            asker.ask(metrics=["events"], date_range=r, timezone=zone, dimensions=["time:day"], include={"time_labels": True})
            asker.ask("india.example", metrics=["visitors"], date_range=r, dimensions=["time:week"])
    for f in FILTERS:
        asker.ask(metrics=["events", "visitors", "conversion_rate"] if "event:name" in json.dumps(f) or "props" in json.dumps(f)
                  else ["events", "visitors"], filters=f, dimensions=["event:page"])
        asker.ask(metrics=["events"], filters=f, date_range="12mo", dimensions=["time:month"])


def orders_and_pages(asker):
    by = {"dimensions": ["event:page", "event:name"], "date_range": "12mo"}
    for order in ([["events", "desc"]], [["events", "asc"]], [["event:page", "desc"]], [["event:name", "asc"], ["visitors", "desc"]],
                  [["avg:value", "asc"]], [["avg:value", "desc"]], [["event:page", "asc"], ["event:name", "desc"]]):
        asker.ask(metrics=["events", "visitors", "avg:value"], order_by=order, **by)
    asker.ask(metrics=["pageviews"], **by)  # many ties: byte order
    asker.ask(metrics=["visitors"], dimensions=["time:month", "event:name"], date_range="12mo", order_by=[["visitors", "desc"]])
    asker.ask(metrics=["visitors"], dimensions=["event:name", "time:month"], date_range="12mo", order_by=[["time:month", "desc"]])
    for page in ({"limit": 3}, {"limit": 3, "offset": 5}, {"limit": 0}, {"offset": 1000}, {"limit": 10000, "offset": 2}):
        for inc in ({}, {"total_rows": True, "other_row": True}):
            asker.ask(metrics=["events", "visitors", "percentage", "conversion_rate", "max:value"], pagination=page, include=inc, **by)


def comparisons(asker):
    for how in ("previous_period", "year_over_year"):
        for r in [x for x in NAMED if x != "all"] + PAIRS + [["2024-02-29", "2024-02-29"]]:
            asker.ask(metrics=["events", "visitors"], date_range=r, compare=how)
        for d in ("time:day", "time:month", "event:name"):
            asker.ask(metrics=["events", "sum:value", "percentage", "conversion_rate", "avg:value"], date_range="6mo", compare=how,
                      dimensions=[d], filters=[["is_not", "event:name", ["click"]]], include={"other_row": True}, pagination={"limit": 2})


def random_question(rnd):
    dims = rnd.sample(FIELDS, rnd.randrange(3)) + ([rnd.choice(["time:day", "time:week", "time:month", "time:hour", "time"])]
                                                   if rnd.random() < 0.5 else [])
    rnd.shuffle(dims)
    q = {"metrics": rnd.sample(METRICS + (["percentage"] if dims else []), rnd.randrange(1, 4)), "dimensions": dims}
    q["date_range"] = rnd.choice(NAMED + PAIRS)
    if any(d in ("time:hour", "time") for d in dims):
        q["date_range"] = rnd.choice(PAIRS + ["7d", "30d"])
    if rnd.random() < 0.5:
        q["filters"] = rnd.choice(FILTERS) + (rnd.choice(FILTERS) if rnd.random() < 0.3 else [])
    if rnd.random() < 0.3:
        q["order_by"] = [[rnd.choice(q["metrics"] + dims), rnd.choice(["asc", "desc"])]]
    if rnd.random() < 0.3 and q["date_range"] != "all":
        q["compare"] = rnd.choice(["previous_period", "year_over_year"])
    if rnd.random() < 0.5:
        q["timezone"] = rnd.choice(ZONES)
    q["include"] = {"total_rows": rnd.random() < 0.5, "other_row": rnd.random() < 0.5, "time_labels": rnd.random() < 0.5}
    q["pagination"] = {"limit": rnd.choice([2, 10, 10000]), "offset": rnd.choice([0, 0, 3])}
    return q


# ---- formats, short forms, caching

def formats(asker):
    q = {"site_id": "shop.example", "metrics": ["events", "avg:value"], "date_range": "12mo", "dimensions": ["event:page", "event:props:item"],
         "compare": "previous_period"}
    want = asker.d.query(**q)["results"]
    flat = [r["dimensions"] + r["metrics"] + r["compare"] for r in want]
    head = q["dimensions"] + q["metrics"] + ["compare:" + m for m in q["metrics"]]
    for path, headers in (("/v1/query?format=csv", {}), ("/v1/query", {"Accept": "text/csv"})):
        status, h, body = asker.d.request("POST", path, json.dumps(q), headers)
        equal((status, h["content-type"].split(";")[0]), (200, "text/csv"), "CSV")
        rows = list(csv.reader(io.StringIO(body.decode(), newline="")))
        equal(rows[0], head, "CSV: columns")
        equal(len(rows) - 1, len(flat), "CSV: rows")
        for got, row in zip(rows[1:], flat):
            equal(got[:2], row[:2], "CSV: dimensions")
            same_numbers([float(x) if x else None for x in got[2:]], row[2:], "CSV: metrics")
    for path, headers in (("/v1/query?format=ndjson", {}), ("/v1/query", {"Accept": "application/x-ndjson"})):
        status, h, body = asker.d.request("POST", path, json.dumps(q), headers)
        equal((status, h["content-type"]), (200, "application/x-ndjson"), "NDJSON")
        for line, r in zip(body.decode().splitlines(), want):
            o = json.loads(line)
            equal([o[k] for k in head[:4]] + [o["compare"][m] for m in q["metrics"]], r["dimensions"] + r["metrics"] + r["compare"], "NDJSON")
        equal(len(body.decode().splitlines()), len(want), "NDJSON: rows")
    equal(asker.d.json("POST", "/api/v2/query", q)[1]["results"], want, "/api/v2/query")


def short_forms(asker):
    d = asker.d
    for path, q in (
            ("totals?metric=visitors,events&range=30d", {"metrics": ["visitors", "events"], "date_range": "30d"}),
            ("totals?from=2026-10-24&to=2026-10-25&compare=year_over_year", {"metrics": ["visitors", "events"], "date_range": ["2026-10-24", "2026-10-25"], "compare": "year_over_year"}),
            ("top?by=event:page&limit=3&metric=events&range=12mo&filter=event:name%3D%3Dview%7Cclick%3Bevent:page!%40adm",
             {"metrics": ["events"], "date_range": "12mo", "dimensions": ["event:page"], "pagination": {"limit": 3},
              "filters": [["is", "event:name", ["view", "click"]], ["contains_not", "event:page", ["adm"]]]})):
        want = oracle.answer(asker.events["shop.example"], q, "Europe/Berlin", asker.now())
        status, got = d.json("GET", "/v1/sites/shop.example/" + path)
        equal(status, 200, path)
        compare_rows(got["results"], want.rows, path)
    status, got = d.json("GET", "/v1/sites/shop.example/series?unit=day&metric=events&from=2026-10-20&to=2026-10-30&tz=Europe/Berlin")
    want = oracle.answer(asker.events["shop.example"], {"metrics": ["events"], "date_range": ["2026-10-20", "2026-10-30"], "dimensions": ["time:day"]}, "Europe/Berlin", asker.now())
    found = dict((w[0][0], w[1]) for w in want.rows)
    equal([[r["dimensions"][0], r["metrics"]] for r in got["results"]], [[t, found.get(t, [0])] for t in want.labels], "series has every bucket")


def caching(asker):
    d = asker.d
    closed = json.dumps({"site_id": "shop.example", "metrics": ["events"], "date_range": ["2026-10-01", "2026-10-20"]})
    status, h, body = d.request("POST", "/v1/query", closed)
    equal((status, h["cache-control"]), (200, "public, max-age=60"), "a closed range")
    check(h["etag"].startswith('W/"'), "a weak ETag: " + h["etag"])
    status, again, body = d.request("POST", "/v1/query", closed, {"If-None-Match": '"x", ' + h["etag"]})
    equal((status, body, again["etag"]), (304, b"", h["etag"]), "If-None-Match")
    equal(d.request("POST", "/v1/query", closed, {"If-None-Match": 'W/"other"'})[0], 200, "another ETag")
    other = closed.replace("events", "visitors")
    equal(d.request("POST", "/v1/query", other, {"If-None-Match": h["etag"]})[0], 200, "the ETag of another question")
    today = d.request("POST", "/v1/query", closed.replace('["2026-10-01", "2026-10-20"]', '"7d"'))
    equal(today[1]["cache-control"], "no-cache", "a range that is not over")
    e = dict(site="shop.example", name="view", visitor="late", time=oracle.midnight(oracle.datetime.date(2026, 10, 10), "UTC") // oracle.US)
    d.send([e])
    d.flush()
    status, after, body = d.request("POST", "/v1/query", closed, {"If-None-Match": h["etag"]})
    equal(status, 200, "a late event changes a closed range")
    check(after["etag"] != h["etag"], "and its ETag")


def explains(asker):
    status, e = asker.d.json("POST", "/v1/query?explain=1", {"site_id": "shop.example", "metrics": ["visitors"],
                             "date_range": ["2026-10-24", "2026-10-25"], "dimensions": ["event:page"]})
    equal((status, e["source"], e["rollup"]), (200, "rollup", "pages"), "explain")
    check(e["statements"] and all(s["sql"].startswith("SELECT ") and s["rows"] >= 0 and s["grain"] == "day" for s in e["statements"]), repr(e))
    check("does not hold" in e["not_taken"]["total"], "why not total: %r" % e["not_taken"])
    status, e = asker.d.json("POST", "/v1/query?explain=1", {"site_id": "shop.example", "metrics": ["events"],
                             "date_range": "7d", "dimensions": ["event:hostname"]})
    equal((status, e["source"], e["statements"][0]["grain"]), (200, "raw", "event"), "explain of raw events")


def too_expensive(scene, asker, sink):
    d = asker.d
    q = {"site_id": "big.example", "metrics": ["events", "avg:value"], "date_range": "30d", "dimensions": ["event:hostname", "event:props:it em"]}
    status, p = d.json("POST", "/v1/query", q)
    equal((status, p["code"]), (422, "too_expensive"), "more raw events than the limit")
    line = p["declare"]
    check(line in p["detail"], "the words name it too: %r" % p)
    file = scene.path("declared.yaml")
    with open(file, "w") as f:
        f.write("data_dir: %s\n" % scene.path("nowhere") + CONF % (ROWS, "  " + line + "\n", sink))
    import subprocess
    from harness import Tallyd, program
    t = subprocess.run([program("tallyd"), "-t", "-c", file, "-p", Tallyd.plugin_dir()], capture_output=True)
    equal(t.returncode, 0, "the line as it was given is taken: " + t.stderr.decode())
    return line


def schema(d):
    """What /v1/schema says may be asked is answered, pair by pair, and the rest is refused by name."""
    status, s = d.json("GET", "/v1/schema")
    equal(status, 200, "schema")
    equal([(r["name"], r["by"]) for r in s["rollups"]], [("total", []), ("names", ["event:name"]), ("pages", ["event:name", "event:page"]),
          ("items", ["event:name", "event:props:item"])], "rollups")
    for r in s["rollups"]:
        two_days = time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 2 * 86400))
        check(r["whole_since"].pop("minute").startswith(two_days), "minutes are kept for two days")
        equal(r["whole_since"], dict.fromkeys(["quarter", "day", "month"]), "whole from the beginning")
    equal((s["raw"], s["limits"]["raw_rows"], s["limits"]["seconds"]), ({"whole_since": None}, ROWS, 5), "limits")
    equal(sorted(m for p in s["legal_pairs"] for m in p["metrics"]), sorted(s["metrics"]), "every metric is in one pair")
    n = 0
    for pair in s["legal_pairs"]:
        check(set(pair["dimensions"]) <= set(s["dimensions"]), "dimensions of a pair")
        for metric in pair["metrics"]:
            for dim in pair["dimensions"]:
                span = ["2026-10-24", "2026-10-26"] if dim in ("time:minute", "time:quarter", "time:hour") else "91d"
                d.query(site_id="shop.example", metrics=[metric.replace(":F", ":value")], dimensions=[dim.replace(":X", ":item")],
                        date_range=span, filters=[] if "visits" in pair["metrics"] else [["is", "event:name", ["view"]]])
                n += 1
    for r in s["date_ranges"]:
        d.query(site_id="shop.example", metrics=["events"], date_range=r)
    for c in s["comparisons"]:
        d.query(site_id="shop.example", metrics=["events"], date_range="7d", compare=c)
    d.query(site_id="shop.example", metrics=["events"], date_range="7d", include=dict.fromkeys(s["includes"], True))
    for op in s["filters"]:
        f = [op, [["is", "event:name", ["view"]]]] if op in ("and", "or") else [op, ["is", "event:name", ["view"]]] if op == "not" \
            else [op, "event:name", ["view"]]
        d.query(site_id="shop.example", metrics=["events"], date_range="7d", filters=[f])
    for f in s["formats"]:
        equal(d.request("GET", "/v1/sites/shop.example/totals?format=" + f)[0], 200, f)
    return n


def declared_later(scene, d, line, sink):
    """A rollup over stored events: whole after the latest of them, and read from there on only."""
    d.stop()
    d.configure(CONF % (ROWS, "  " + line + "\n", sink))
    d.start()
    d.send([dict(site="big.example", name="view", visitor="v", value=2, props={"it em": "x"}, time=int(time.time()))])
    d.flush()
    (r,) = [r for r in d.json("GET", "/v1/schema")[1]["rollups"] if r["name"].startswith("by_")]
    since = r["whole_since"]["quarter"]
    check(since and since >= time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 86400)), "whole since %r" % since)
    q = {"site_id": "big.example", "metrics": ["events"], "dimensions": ["event:props:it em"]}
    status, p = d.json("POST", "/v1/query", dict(q, date_range="30d"))
    equal((status, p["code"]), (422, "too_expensive"), "not over what was there before")
    check(r["name"] in p["detail"] and "not whole" in p["detail"], p["detail"])


def main(scene):
    rnd = random.Random(SEED)
    now = int(time.time())
    db = scene.mariadb() if MARIADB else None
    sink = 'mariadb: { url: "%s" }' % db.url() if db else "sqlite: {}"
    d = scene.tallyd(CONF % (ROWS, "", sink))
    events = dict((s, [make_event(rnd, now, s) for _ in range(3000)]) for s in SITES)
    for site in SITES:
        send(d, events[site])
    send(d, [dict(make_event(rnd, now, "big.example"), t=(now - 86400) * oracle.US) for _ in range(ROWS + 500)])
    d.flush()
    asker = Asker(d, events)
    every_one(asker)
    orders_and_pages(asker)
    comparisons(asker)
    for _ in range(RANDOM):
        asker.ask(rnd.choice(list(SITES)), **random_question(rnd))
    formats(asker)
    short_forms(asker)
    explains(asker)
    line = too_expensive(scene, asker, sink)
    n = check_refusals(d)
    pairs = schema(d)
    caching(asker)
    declared_later(scene, d, line, sink)
    print("%d questions answered as the oracle says, %d refusals, %d legal pairs; sources: %s" % (
        asker.n, n, pairs, json.dumps(asker.sources, sort_keys=True)))
    d.stop()


if __name__ == "__main__":
    run(main)
