#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Dead letters: what a letter keeps, how they are listed, and that one replayed is stored exactly once in its own line,
whatever is refused again, asked twice, or killed in between. Purged ones stay counted."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
pipeline: [ dedup: { window: 10m }, rollup: {} ]
rollups: [ { name: total, by: [], metrics: [events, visitors, "sum:value"] } ]
sinks:
  - sqlite: { name: main, flush: 50ms }
  - file: { name: tape, path: tape.ndjson, flush: 50ms }
"""

COLUMNS = "site, name, time, visitor, user, host, page, referrer, value, weight, props"


def sql(d, text, args=()):
    db = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30)
    try:
        with db:
            return db.execute(text, args).fetchall()
    finally:
        db.close()


def poison(d, name="bad"):
    sql(d, "CREATE TRIGGER poison BEFORE INSERT ON tally_event WHEN NEW.name = '%s' "
           "BEGIN SELECT RAISE(ABORT, 'no such thing here'); END" % name)


def cure(d):
    sql(d, "DROP TRIGGER poison")


def dead(d, *args, ok=(0,)):
    return json.loads(d.tally("dead", *args, "--json", ok=ok))


def tape(d):
    with open(os.path.join(d.data, "tape.ndjson"), encoding="utf-8") as f:
        return sorted(json.loads(line)["id"] for line in f)


def settled(d, stored, letters):
    """Rows, rollup, letters and the account of every line."""
    d.flush()
    equal(sql(d, "SELECT COUNT(*), COUNT(DISTINCT id) FROM tally_event"), [(stored, stored)], "rows and ids")
    equal(sql(d, "SELECT SUM(events) FROM tally_rollup_total WHERE grain = 1"), [(stored,)], "rollup")
    equal(sql(d, "SELECT COUNT(*) FROM tally_dead"), [(letters,)], "letters")
    ledger = d.json("GET", "/v1/ledger")[1]
    equal(ledger["balance"], 0, "balance of %r" % ledger)
    return ledger


def rich(i, name):
    """An event with everything in it; the id tells them apart and nothing else does."""
    return {"name": name, "id": "%s-%d" % (name, i), "time": "2026-03-01T10:00:00.123456Z", "visitor": "vé%d" % (i % 3), "user": "u",
            "url": "https://Shop.Example/a b/ü?utm_source=x", "referrer": "https://r.example/", "value": 1.50,
            "props": {"long": "ä" * 2048, "n": 10.0, "yes": True, "quote": "\"\\\n\t\u0001", "emoji": "🙂", "item": "é"}}


def fidelity(scene):
    d = scene.tallyd(CONF, "fidelity")
    d.send([{"name": "first"}])
    d.flush()
    poison(d)
    d.send([rich(i, "bad") for i in range(4)] + [rich(i, "good") for i in range(20)])
    wait_for("four letters", lambda: len(dead(d, "list")) == 4)
    settled(d, 21, 4)
    letters = dead(d, "list")
    (whole,) = dead(d, "show", "main", str(letters[0]["lsn"]), str(letters[0]["idx"]))
    sent = rich(int(whole["event"]["id"][4:]), "bad")
    for field in ("name", "id", "time", "visitor", "user", "referrer"):
        equal(whole["event"][field], sent[field], "the letter's " + field)
    equal({k: whole["event"]["props"][k] for k in sent["props"]}, sent["props"], "the letter's props")
    check(b'"value":1.5' in sql(d, "SELECT raw FROM tally_dead LIMIT 1")[0][0], "numbers as sent")
    check("no such thing here" in whole["error"] and whole["code"], "error and code: %r" % whole)

    # filters and pages
    equal(len(dead(d, "list", "--line", "main", "--site", "default", "--since", "1h", "--code", str(whole["code"]))), 4, "all filters")
    equal(dead(d, "list", "--code", "1"), [], "another code")
    equal(dead(d, "list", "--since", "2100-01-01T00:00:00Z"), [], "the future")
    equal(dead(d, "list", "--site", "other"), [], "another site")
    equal(dead(d, "list", "--limit", "1", "--offset", "1") + dead(d, "list", "--limit", "9", "--offset", "2"), letters[1:], "pages")
    d.tally("dead", "list", "--line", "nobody", ok=(1,))
    d.tally("dead", "show", "main", "1", "1", ok=(1,))
    d.tally("dead", "replay", ok=(1,))
    d.tally("dead", "purge", ok=(1,))

    # still poison: refused again, letters again
    got = dead(d, "replay", "--line", "main")
    equal((got["letters"], got["replayed"], got["refused_again"], got["pending"]), (4, 0, 4, 0), "replay of poison")
    settled(d, 21, 4)
    check(min(x["lsn"] for x in dead(d, "list")) > letters[0]["lsn"], "they stand under a new place")

    cure(d)
    one = dead(d, "list")[0]
    equal(dead(d, "replay", "main", str(one["lsn"]), str(one["idx"]))["replayed"], 1, "one letter")
    settled(d, 22, 3)
    got = dead(d, "replay", "--all", "--since", "1h", "--site", "default")
    equal((got["letters"], got["replayed"], got["refused_again"]), (3, 3, 0), "the rest")
    equal(dead(d, "replay", "--all")["letters"], 0, "nothing is left")
    ledger = settled(d, 25, 0)
    (site,) = ledger["sites"]
    equal((site["taken"], site["sinks"]["main"]["stored"], site["sinks"]["main"]["dead"]), (25, 25, 0), "terms of main")
    equal(len(tape(d)), 25, "the other line has each once")

    # an event that went through the letters is the same row as one that did not
    rows = [sql(d, "SELECT %s, received / 60000000 / 60 FROM tally_event WHERE id = ?" % COLUMNS, (i,))[0] for i in ("bad-1", "good-1")]
    equal([v for k, v in enumerate(rows[0]) if k != 1], [v for k, v in enumerate(rows[1]) if k != 1], "columns but the name")
    times = sql(d, "SELECT COUNT(DISTINCT received) FROM tally_event WHERE id LIKE 'bad-%' OR id LIKE 'good-%'")
    equal(times, [(1,)], "received is when it was taken, not when it was replayed")

    # the id is still known
    equal(d.send([rich(0, "bad")])[1]["duplicates"], 1, "a duplicate of a replayed event")

    # a letter that cannot be read stays and is named; a purged one stays counted
    d.stop()
    d.start()  # so few events bear five refusals a run
    poison(d, "worse")
    d.send([rich(0, "worse"), rich(1, "worse")])
    wait_for("two letters", lambda: len(dead(d, "list")) == 2)
    sql(d, "UPDATE tally_dead SET raw = CAST('{\"name\":' AS BLOB) WHERE idx = (SELECT MAX(idx) FROM tally_dead)")
    cure(d)
    got = dead(d, "replay", "--all")
    equal((got["letters"], got["replayed"], got["unreadable_letters"]), (2, 1, 1), "one is unreadable")
    check("invalid_json" in got["unreadable"][0]["why"], "why: %r" % got)
    got = dead(d, "purge", "--line", "main")
    equal((got["letters"], got["purged"]), (1, 1), "purge")
    ledger = settled(d, 26, 0)
    equal(ledger["sites"][0]["sinks"]["main"]["dead"], 1, "dead stays counted")
    print("letters keep what was sent, are listed, refused again, replayed once, purged")
    d.stop()


def asked_twice(scene):
    """Two orders for the same letters, both on disk before the line comes to either."""
    d = scene.tallyd(CONF, "twice")
    d.send([{"name": "first"}])
    d.flush()
    poison(d)
    d.send([{"name": "bad", "id": "b%d" % i} for i in range(4)])
    wait_for("letters", lambda: len(dead(d, "list")) == 4)
    cure(d)
    db = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")  # the line cannot commit
    d.send([{"name": "more"}])     # and has something in hand
    answers, threads = [], []
    for _ in range(2):
        end = json.loads(d.tally("status", "--json"))["spool"]["durable"]
        threads.append(threading.Thread(target=lambda: answers.append(dead(d, "replay", "--all"))))
        threads[-1].start()
        wait_for("the order on disk", lambda: json.loads(d.tally("status", "--json"))["spool"]["durable"] > end)
    db.execute("ROLLBACK")
    db.close()
    for t in threads:
        t.join()
    equal(sorted((a["replayed"], a["gone_before"]) for a in answers), [(0, 4), (4, 0)], "one replays, the other finds them gone")
    settled(d, 6, 0)
    print("asked twice, replayed once")
    d.stop()


def dies(d):
    """The client may see the connection end a moment before the process has."""
    try:
        d.process.child.wait(1)
        return True
    except subprocess.TimeoutExpired:
        return False


def killed(scene):
    """kill -9 at every step of a replay's transaction, and of the record before it."""
    fired = 0
    for at in ("sqlite.commit:1:kill", "sqlite.committed:1:kill", "spool.write:1:kill", "spool.sync:1:kill", "spool.sync:2:kill"):
        d = scene.tallyd(CONF, "kill-" + at.replace(":", "-").replace(".", "-"))
        d.send([{"name": "first"}])
        d.flush()
        poison(d)
        d.send([{"name": "bad", "id": "b%d" % i} for i in range(5)])
        wait_for("letters", lambda: len(dead(d, "list")) == 5)
        cure(d)
        d.flush()
        d.stop()
        d.env = {"TALLY_FAULT": at.replace(":1:", ":%d:" % (3 if at.startswith("spool") else 1))}
        d.start()
        d.tally("dead", "replay", "--all", ok=(0, 1, 3))
        fired += dies(d)
        d.kill()
        d.env = None
        d.start()
        d.tally("dead", "replay", "--all")
        settled(d, 6, 0)
        equal(len(tape(d)), 6, "the other line")
        d.stop()
    check(fired >= 3, "the kill fired %d times" % fired)
    print("killed at %d steps: stored once each" % fired)


def storm(scene):
    """Many letters, replayed by kill after kill."""
    d = scene.tallyd(CONF, "storm")
    d.send([{"name": "first"}])
    d.flush()
    poison(d)
    for k in range(8):
        d.send([{"name": "bad" if i % 110 == 7 else "good", "id": "%d-%d" % (k, i)} for i in range(1000)])
        wait_for("letters", lambda: len(dead(d, "list")) == 10 * (k + 1), 60)
    cure(d)
    n, kills = 80, 0
    while n and kills < 20:
        t = threading.Thread(target=lambda: d.tally("dead", "replay", "--all", ok=(0, 1, 3)))
        t.start()
        time.sleep(0.01 * (kills + 1))
        d.kill()
        t.join()
        kills += 1
        d.start()
        d.flush()
        n = sql(d, "SELECT COUNT(*) FROM tally_dead")[0][0]
    settled(d, 8001, 0)
    equal(len(tape(d)), 8001, "the other line")
    print("80 letters replayed under %d kills: stored once each" % kills)
    d.stop()


def main(scene):
    fidelity(scene)
    asked_twice(scene)
    killed(scene)
    storm(scene)


if __name__ == "__main__":
    run(main)
