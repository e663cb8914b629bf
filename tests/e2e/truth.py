#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real event data, sent four ways, must come out as independently computed truth says: counts exact, visitors exact up
to 500 and within 2.5 % above, sums to 1e-9, percentiles within 1 %. Raw rows = ledger = sum of rollups. One way's daemon
is killed as soon as it has acknowledged everything.

The name says the store (truth_sqlite.py, truth_mariadb.py). Without TALLY_FULL the large set goes one way only and
the small ones all four ways."""

import gzip
import json
import os
import sqlite3
import subprocess
import sys
import time
from datetime import datetime, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Failed, check, equal, need_data, program, run, wait_for  # noqa: E402

MARIADB = "mariadb" in os.path.basename(sys.argv[0])
FULL = bool(os.environ.get("TALLY_FULL"))
SETS = {"rees46": "event:props:item", "wikiticker": "event:page", "email_eu": "event:props:item"}
WAYS = ("batch", "redis", "gzip", "single")

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
limits: { body: 8MiB, inflated: 64MiB }
pipeline: [ dedup: { window: 10m }, rollup: {} ]
rollups:
  - { name: total, by: [], metrics: [events, visitors, "sum:value", "min:value", "max:value", "p:value"] }
  - { name: names, by: ["event:name"], metrics: [events, visitors, "p:value"] }
  - { name: pages, by: ["event:page"], metrics: [events] }
  - { name: items, by: ["event:props:item"], metrics: [events] }
sources:
%s
sinks:
  - %s
"""


def load(name):
    path = need_data(name + ".events.ndjson.zst")
    text = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
    with open(need_data(name + ".truth.json")) as f:
        return text, json.load(f)


def resite(text, site):
    """The same events under another site, so that every way has its own."""
    out = []
    for line in text.splitlines():
        head, rest = line.split(b'"site":"', 1)
        out.append(head + b'"site":"' + site.encode() + rest[rest.index(b'"'):])
    return out


# ---- the four ways

def send_batch(d, _, lines):
    for i in range(0, len(lines), 1000):
        status, answer = d.json("POST", "/v1/events", b"[" + b",".join(lines[i:i + 1000]) + b"]")
        equal((status, answer["accepted"]), (200, len(lines[i:i + 1000])), "batch at %d" % i)


def send_gzip(d, _, lines):
    for i in range(0, len(lines), 5000):
        body = gzip.compress(b"\n".join(lines[i:i + 5000]), 1)
        status, answer = d.json("POST", "/v1/events", body, {"Content-Encoding": "gzip"})
        equal((status, answer["accepted"]), (200, len(lines[i:i + 5000])), "NDJSON at %d" % i)


def send_single(d, _, lines):
    """One event a request, by the client: 16 connections."""
    out = subprocess.run([program("tally"), "-u", "http://127.0.0.1:%d" % d.port, "--json", "send", "--batch", "1",
                          "--connections", "16"], input=b"\n".join(lines), capture_output=True)
    equal(out.returncode, 0, "tally send: " + out.stderr.decode()[-500:])
    equal(json.loads(out.stdout)["accepted"], len(lines), "accepted singly")


def send_redis(d, redis, lines):
    redis.push("tally:events", lines)
    wait_for("the list to empty", lambda: redis.command("LLEN", "tally:events") == 0, 120)
    # an element leaves the list before its batch is released; the flush that follows waits for what is released
    time.sleep(0.5)


SEND = {"batch": send_batch, "gzip": send_gzip, "single": send_single, "redis": send_redis}


# ---- the checks

def near(got, want, rel, what):
    check(abs(got - want) <= rel * max(1.0, abs(want)), "%s: got %r, want %r" % (what, got, want))


def visitors(got, want, what):
    if want <= 500:
        equal(got, want, what)
    else:
        near(got, want, 0.025, what)


def check_totals(d, site, truth):
    (got,) = d.rows(site_id=site, date_range="all", metrics=["events", "visitors"])
    equal(got[0], truth["events"], site + " events")
    visitors(got[1], truth["distinct_visitors"], site + " visitors")
    names = dict((r[0], r[1]) for r in d.rows(site_id=site, date_range="all", metrics=["events"], dimensions=["event:name"]))
    equal(sorted(names.values()), sorted(truth["by_type"].values()), site + " events by name")
    if len(names) > 1:
        equal(names, truth["by_type"], site + " events by name")


def check_top(d, site, dim, truth):
    rows = d.rows(site_id=site, date_range="all", metrics=["events"], dimensions=[dim], order_by=[["events", "desc"]],
                  pagination={"limit": 20, "offset": 0})
    equal([[r[0], r[1]] for r in rows], truth["top_20_items_by_events"]["list"], site + " top 20")


def check_series(d, site, truth):
    for unit, key, width in (("day", "per_day_utc__events_and_distinct_visitors", 10),
                             ("hour", "per_hour_utc__events_and_distinct_visitors", 13)):
        rows = d.rows(site_id=site, date_range="all", metrics=["events", "visitors"], dimensions=["time:" + unit],
                      pagination={"limit": 10000, "offset": 0})
        got = dict((r[0][:width], r[1:]) for r in rows if r[1])
        want = truth[key]
        equal(sorted(got), sorted(want), "%s %ss" % (site, unit))
        for k, (n, v) in want.items():
            equal(got[k][0], n, "%s events of %s" % (site, k))
            visitors(got[k][1], v, "%s visitors of %s" % (site, k))


def check_numbers(d, site, truth):
    numeric = truth.get("numeric")
    if not numeric:
        return
    (got,) = d.rows(site_id=site, date_range="all", metrics=["sum:value", "min:value", "max:value", "avg:value"])
    near(got[0], float(numeric["sum"]), 1e-9, site + " sum")
    near(got[1], float(numeric["min"]), 1e-9, site + " min")
    near(got[2], float(numeric["max"]), 1e-9, site + " max")
    near(got[3], float(numeric["sum"]) / numeric["count"], 1e-9, site + " avg")


def percentile(numbers, p):
    return sorted(numbers)[(len(numbers) * p + 99) // 100 - 1]  # the nearest rank


def within(got, want, what):
    check(got is not None and abs(got - want) <= 0.01 * abs(want) * (1 + 1e-9), "%s: got %r, want %r" % (what, got, want))


PERCENTS = (50, 90, 95, 99)
QUANTILES = ["p%d:value" % p for p in PERCENTS]


def ask_quantiles(d, site, source, **more):
    answer = d.query(site_id=site, date_range="all", metrics=QUANTILES, **more)
    equal(answer["meta"]["source"], source, site + " percentiles")
    for m in QUANTILES:
        equal(answer["meta"]["exactness"][m], {"kind": "ddsketch", "rel_error": 0.01}, "exactness of " + m)
    return answer["results"]


def by_dimension(lines, key):
    groups = {}
    for line in lines:
        e = json.loads(line)
        if "value" in e:
            groups.setdefault(key(e), []).append(e["value"])
    return groups


def check_quantiles(d, site, dim, lines, truth):
    """The whole by published figures; rows by nearest rank of the events sent: a rollup's, hours, and raw events."""
    numeric = truth.get("numeric")
    if not numeric:
        return
    (got,) = ask_quantiles(d, site, "rollup:total")
    for p, number in zip(PERCENTS, got["metrics"]):
        within(number, numeric["p%d" % p]["nearest_rank"], "%s p%d" % (site, p))
    asked = ((["event:name"], "rollup:names", lambda e: e["name"]),
             (["time:hour"], "rollup:total", lambda e: utc_hour(e["time"])),
             ([dim], "raw", lambda e: e.get("page") or e.get("props", {}).get("item", "")))
    for dims, source, key in asked:
        want = by_dimension(lines, key)
        rows = ask_quantiles(d, site, source, dimensions=dims, order_by=[["p99:value", "desc"]])
        found = 0
        for row in rows:
            label = row["dimensions"][0][:13] if dims[0] == "time:hour" else row["dimensions"][0]
            for p, number in zip(PERCENTS, row["metrics"]):
                within(number, percentile(want[label], p), "%s p%d of %r" % (site, p, label))
            found += 1
        equal(found, min(len(want), 10000), "%s rows by %s" % (site, dims[0]))
        numbers = [row["metrics"][3] for row in rows]
        equal(numbers, sorted(numbers, reverse=True), "%s by p99" % site)


def utc_hour(when):
    if isinstance(when, str):
        return datetime.fromisoformat(when.replace("Z", "+00:00")).astimezone(timezone.utc).strftime("%Y-%m-%dT%H")
    seconds = when if when < 1e11 else when / 1e3 if when < 1e14 else when / 1e6
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H")


def check_rows(d, site, truth, sql):
    n = truth["events"]
    equal(int(sql("SELECT COUNT(*) FROM tally_event WHERE site = '%s'" % site)[0][0]), n, site + " raw rows")
    for grain in (1, 2, 3):
        total = sql("SELECT SUM(events) FROM tally_rollup_total WHERE site = '%s' AND grain = %d" % (site, grain))
        equal(int(total[0][0]), n, "%s rollup of grain %d" % (site, grain))
    status, ledger = d.json("GET", "/v1/ledger")
    (account,) = [s for s in ledger["sites"] if s["site"] == site]
    equal([account["taken"]] + [s["stored"] for s in account["sinks"].values()], [n, n], site + " ledger")
    equal((status, ledger["balance"]), (200, 0), "balance")


def change_sqlite(d, text):
    store = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30, isolation_level=None)
    store.execute(text)
    store.close()


def check_verify_sees(d, change):
    """What was whole is not, once a sketch lacks numbers or its bytes are none."""
    for value, words in (("''", "count of p:value"), ("'none'", "is damaged")):
        change("UPDATE tally_rollup_total SET quantiles_value = CAST(%s AS %s) WHERE grain = 2 AND site = 'rees46-batch.example'"
               % (value, "BINARY" if MARIADB else "BLOB"))
        found = json.loads(d.tally("verify", "--json", ok=(1,)))
        check(not found["ok"] and words in json.dumps(found), "verify of a sketch that is %s: %s" % (value, json.dumps(found)[:500]))


def main(scene):
    data = dict((name, load(name)) for name in SETS)
    redis = scene.redis(options=["--appendfsync", "everysec"])
    db = scene.mariadb() if MARIADB else None
    sink = 'mariadb: { url: "%s" }' % db.url() if db else "sqlite: {}"
    d = scene.tallyd(CONF % ('  - redis: { url: "%s", list: "tally:events" }' % redis.url(), sink))
    sql = db.sql if db else d.sqlite
    for name, dim in SETS.items():
        text, truth = data[name]
        for way in WAYS if FULL or name != "email_eu" else WAYS[:1]:
            site = "%s-%s.example" % (name.replace("_", "-"), way)
            lines = resite(text, site)
            began = time.monotonic()
            SEND[way](d, redis, lines)
            if way == "gzip":
                d.kill()
                d.start()
            sent = time.monotonic()
            d.flush()
            stored = time.monotonic()
            check_totals(d, site, truth)
            check_top(d, site, dim, truth)
            check_series(d, site, truth)
            check_numbers(d, site, truth)
            check_quantiles(d, site, dim, lines, truth)
            check_rows(d, site, truth, sql)
            print("%-28s %6d events  sent in %5.1f s, stored after %4.1f s more, checked in %4.1f s" % (
                site, truth["events"], sent - began, stored - sent, time.monotonic() - stored))
            sys.stdout.flush()
    equal(redis.command("LLEN", "tally:events:dead"), 0, "dead list")
    found = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(found["ok"], "verify: %s" % json.dumps(found)[:1000])
    check_verify_sees(d, db.sql if db else lambda text: change_sqlite(d, text))
    d.stop()


if __name__ == "__main__":
    run(main)
