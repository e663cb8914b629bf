#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of the disk and of single rows, injected: a failed fdatasync refuses its group and forgets its ids, a full disk
refuses and recovers by itself, a row that the store will not have costs one dead letter and nothing else."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
pipeline: [ dedup: { window: 10m }, rollup: {} ]
rollups: [ { name: total, by: [], metrics: [events, visitors] } ]
sinks: [ %s ]
"""


def batch(k, n=20):
    return [{"name": "n", "id": "f%d-%d" % (k, i), "visitor": "v%d" % i} for i in range(n)]


def until_taken(d, events):
    """Sends until it is taken, as a client does; the refusals met on the way, and the answer that took it."""
    refusals = []
    for _ in range(200):
        status, fields, text = d.request("POST", "/v1/events", json.dumps(events))
        answer = json.loads(text)
        if status == 200:
            return refusals, answer
        equal(status, 503, "a refusal")
        check("retry-after" in fields, "Retry-After: %r" % fields)
        refusals.append(answer["code"])
        time.sleep(0.02)
    check(False, "never taken: %r" % refusals[-1])


def verify(d, n):
    d.flush()
    equal(d.sqlite("SELECT COUNT(*), COUNT(DISTINCT id) FROM tally_event"), [(n, n)], "rows and ids")
    equal(d.sqlite("SELECT SUM(events) FROM tally_rollup_total WHERE grain = 1"), [(n,)], "rollup")
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")


def failed_sync(scene):
    d = scene.tallyd(CONF % "sqlite: { flush: 50ms }", "sync", {"TALLY_FAULT": "spool.sync:12:EIO,spool.sync:30:EIO"})
    met = []
    for k in range(60):
        refusals, answer = until_taken(d, batch(k))
        equal((answer["accepted"], answer["duplicates"]), (20, 0), "what a failed sync refused is no duplicate")
        met += refusals
    check(met, "the fault fired: a sender was refused")
    verify(d, 1200)
    d.kill()
    d.env = None
    d.start()
    verify(d, 1200)
    print("fdatasync fails twice: refusals %r, each taken at the retry, 1200 stored once, also after kill -9" % met)
    d.stop()


def full_disk(scene):
    d = scene.tallyd(CONF % "sqlite: { flush: 50ms }", "full", {"TALLY_FAULT": "spool.write:10:ENOSPC,spool.write:11:short,spool.write:12:EIO"})
    met = []
    for k in range(40):
        refusals, answer = until_taken(d, batch(k))
        equal((answer["accepted"], answer["duplicates"]), (20, 0), "what a full disk refused is no duplicate")
        met += refusals
    check("spool_full" in met, "a sender was told spool_full: %r" % met)
    equal(d.request("GET", "/readyz")[0], 200, "ready again by itself")
    verify(d, 800)
    d.kill()
    d.env = None
    d.start()
    verify(d, 800)
    print("writes fail (ENOSPC, half, EIO): refusals %r, each taken at the retry, 800 stored once, also after kill -9" % sorted(set(met)))
    d.stop()


def poison(scene):
    db = scene.mariadb()
    d = scene.tallyd(CONF % ('mariadb: { name: main, url: "%s", flush: 100ms }' % db.url()), "poison")
    d.send({"name": "first"})
    d.flush()
    db.sql("ALTER TABLE tally_event ADD CONSTRAINT no_poison CHECK (name <> 'poison')")
    events = [{"name": "n", "id": "p%d" % i, "visitor": "v%d" % (i % 50)} for i in range(5000)]
    events[3210] = {"name": "poison", "id": "bad", "visitor": "poisoner"}
    equal(d.send(events)[1]["accepted"], 5000, "taken")
    wait_for("the dead letter", lambda: json.loads(d.tally("dead", "list", "--json")), 30)
    d.flush()
    equal(db.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM tally_event"), [["5000", "5000"]], "rows without the bad one")
    equal(db.sql("SELECT SUM(events) FROM tally_rollup_total WHERE grain = 1"), [["5000"]], "rollup without the bad one")
    (letter,) = json.loads(d.tally("dead", "list", "--json"))
    (whole,) = json.loads(d.tally("dead", "show", "main", str(letter["lsn"]), str(letter["idx"]), "--json"))
    equal((whole["event"]["id"], whole["event"]["name"]), ("bad", "poison"), "the letter holds the event")
    (got,) = d.rows(site_id="default", metrics=["events", "visitors"], date_range="all")
    equal(got, [5000, 51], "statistics without the bad one")
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")
    print("one bad row in 5000: one dead letter (%s), 4999 stored, rollups without it" % letter["error"][:60])
    d.stop()


def main(scene):
    failed_sync(scene)
    full_disk(scene)
    poison(scene)


if __name__ == "__main__":
    run(main)
