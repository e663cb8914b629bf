#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows L1 to L8: dead letters by the hundred, replayed while the daemon is killed; a line at its share of the spool, refused
and skipped; a line renamed and adopted; two lines in one database; a line added and removed, all under load."""

import json
import os
import random
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rig import (  # noqa: E402
    Lines, Load, Maria, Sqlite, check, conf, equal, file_sink, full, main, maria, restart, row, sqlite, verify,
    wait_dead, wait_for, wait_ready)

ROUNDS = 12 if full() else 3
SMALL = "{ max: 4MiB, segment: 64KiB, retain: 30s, retain_max: 64KiB, keep_free: 0% }"


def open_db(d):
    return sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=60, isolation_level=None)


def sqlite_script(d, text):
    db = open_db(d)
    try:
        db.execute(text)
    finally:
        db.close()


def sqlite_poison(d):
    sqlite_script(d, "CREATE TRIGGER IF NOT EXISTS poison BEFORE INSERT ON tally_event WHEN NEW.visitor = 'v7' "
                     "BEGIN SELECT RAISE(ABORT, 'refused by the test'); END")


def sqlite_cure(d):
    sqlite_script(d, "DROP TRIGGER IF EXISTS poison")


def maria_poison(db):
    db.sql("CREATE OR REPLACE TRIGGER poison BEFORE INSERT ON tally_event FOR EACH ROW "
           "SET NEW.name = IF(NEW.visitor = 'v7', NULL, NEW.name)")


def maria_cure(db):
    db.sql("DROP TRIGGER IF EXISTS poison")


# ---- letters ----

def order(d, *args):
    """As an operator gives it, who may be cut off by the daemon's death."""
    text = d.tally("dead", *args, "--json", ok=(0, 1, 3))
    return json.loads(text) if text else {}


def letters(d):
    return len(order(d, "list", "--limit", "1000") or [])


def poison_storm(d, load, fig, poison, cure):
    """One event in 300 is refused for a while; then replays, each killed somewhere, some of them while it is still refused."""
    for _ in range(ROUNDS):
        poison()
        before = letters(d)
        wait_for("letters", lambda: letters(d) >= before + 3, 60)
        restart(d)
        for cured in (False, True):
            if cured:
                cure()
            asked = threading.Thread(target=order, args=(d, "replay", "--all"))
            asked.start()
            time.sleep(random.uniform(0.0, 0.25))
            restart(d)
            asked.join()
            fig.fired += 1
    load.stop()
    d.flush()
    wait_for("all letters to be stored", lambda: order(d, "replay", "--all").get("letters") == 0, 60)
    equal(letters(d), 0, "letters left")


@row("L1", "poison rows, replayed under kill -9, SQLite and a file")
def storm_sqlite(scene, fig):
    d = scene.tallyd(conf(sqlite(), file_sink("lines.ndjson")))
    load = Load(d).start()
    load.wait_acked(200)
    d.flush()
    poison_storm(d, load, fig, lambda: sqlite_poison(d), lambda: sqlite_cure(d))
    verify(d, [load], [Sqlite(d), Lines(os.path.join(d.data, "lines.ndjson"))], fig)
    d.stop()


@row("L2", "poison rows, replayed under kill -9, MariaDB")
def storm_mariadb(scene, fig):
    db = scene.mariadb()
    d = scene.tallyd(conf(maria(db.port)))
    load = Load(d).start()
    load.wait_acked(200)
    d.flush()
    poison_storm(d, load, fig, lambda: maria_poison(db), lambda: maria_cure(db))
    verify(d, [load], [Maria(db)], fig)
    d.stop()


@row("L3", "kill at each step of a replay's transaction")
def replay_steps(scene, fig):
    steps = ("begin", "moved", "rows", "commit", "committed")
    for step in steps:
        d = scene.tallyd(conf(sqlite(extra="busy_timeout: 100ms"), file_sink("lines.ndjson")), "steps-" + step)
        load = Load(d).start()
        load.wait_acked(200)
        d.flush()
        sqlite_poison(d)
        wait_for("letters", lambda: letters(d) >= 2, 60)
        load.stop()
        d.flush()
        sqlite_cure(d)
        restart(d)
        d.flush()
        restart(d, {"TALLY_FAULT": "sqlite.%s:1:kill" % step})
        order(d, "replay", "--all")
        wait_dead(d)
        fig.fired += 1
        restart(d)
        order(d, "replay", "--all")
        equal(letters(d), 0, "letters left")
        verify(d, [load], [Sqlite(d), Lines(os.path.join(d.data, "lines.ndjson"))], fig)
        d.stop()
    equal(fig.fired, len(steps), "steps killed")


# ---- a line at its share of the spool ----

def behind(name, policy):
    return conf(sqlite(name, extra="busy_timeout: 50ms, spool_max: 25%%, when_spool_full: %s" % policy),
                file_sink("lines.ndjson"), spool=SMALL, dedup="window: 30s")


def wait_spool(d, what, fn, seconds=60):
    wait_for(what, lambda: fn(json.loads(d.tally("status", "--json"))["spool"]), seconds)


@row("L4", "a store away, its line at its share of the spool: refuse")
def quota_refuse(scene, fig):
    d = scene.tallyd(behind("near", "refuse"))
    load = Load(d, batches=3, size=100).start()
    load.wait_acked(100)
    d.flush()
    for _ in range(ROUNDS):
        refused = load.refused["503 spool_full"]
        db = open_db(d)
        db.execute("BEGIN IMMEDIATE")
        wait_for("refusals", lambda: load.refused["503 spool_full"] > refused, 60)
        status, text = d.request("GET", "/readyz")[::2]
        check(status == 503 and b"sink near" in text, "readyz names the line: %r" % text)
        db.close()
        began = time.monotonic()
        load.wait_acked(100)
        fig.recovery_s = max(fig.recovery_s or 0, time.monotonic() - began)
        fig.fired += 1
    load.stop()
    verify(d, [load], [Sqlite(d), Lines(os.path.join(d.data, "lines.ndjson"))], fig)
    d.stop()


@row("L4b", "a line at its share, nobody sends: said until it is over")
def quota_quiet(scene, fig):
    """Counts of what was refused are written all the while; that the spool takes these is no room for events."""
    d = scene.tallyd(behind("near", "refuse"))
    load = Load(d, batches=3, size=100).start()
    load.wait_acked(100)
    d.flush()
    db = open_db(d)
    db.execute("BEGIN IMMEDIATE")
    wait_for("refusals", lambda: load.refused["503 spool_full"], 60)
    load.stop()
    until = time.monotonic() + 3
    while time.monotonic() < until:
        text = d.request("GET", "/readyz")[2]
        check(b"spool_full" in text and b"sink near" in text, "readyz: %r" % text)
        fig.fired += 1
        time.sleep(0.05)
    db.close()
    fig.recovery_s = wait_ready(d)
    verify(d, [load], [Sqlite(d), Lines(os.path.join(d.data, "lines.ndjson"))], fig)
    equal(d.process.tail(100000).count("the spool takes events again"), 1, "times that it was over")
    d.stop()


@row("L5", "a store away, its line at its share of the spool: skip")
def quota_skip(scene, fig):
    d = scene.tallyd(behind("near", "skip"))
    load = Load(d, batches=3, size=100).start()
    load.wait_acked(100)
    d.flush()
    for i in range(ROUNDS):
        db = open_db(d)
        db.execute("BEGIN IMMEDIATE")
        end = json.loads(d.tally("status", "--json"))["spool"]["end"]
        wait_spool(d, "more than the spool holds", lambda s: s["end"] > end + (5 << 20), 120)
        if i % 2:
            restart(d)
        db.close()
        fig.fired += 1
    refused = dict(load.refused)
    load.stop()
    check("503 spool_full" not in refused, "the doors never stopped: %r" % refused)
    fig.allowed_lost = len(load.acked)
    verify(d, [load], [Lines(os.path.join(d.data, "lines.ndjson")), Sqlite(d)], fig, same=False)
    (site,) = d.json("GET", "/v1/ledger")[1]["sites"]
    near = site["sinks"]["near"]
    equal(list(near["lost"]), ["skipped"], "reasons")
    equal(site["taken"], near["stored"] + near["lost"]["skipped"], "taken = stored + skipped")
    check(fig.lost <= near["lost"]["skipped"], "%d are missing, %r counted" % (fig.lost, near["lost"]))
    check(b"ready; sink near" in d.request("GET", "/readyz")[2], "readyz is degraded")
    check(d.query(site_id="default", metrics=["events"], date_range="all")["meta"]["warnings"], "answers warn")
    fig.note, fig.lost = "%d skipped and counted" % near["lost"]["skipped"], 0
    d.stop()


# ---- names ----

@row("L5b", "a line that skips and has parted holds nothing up")
def parted_skip(scene, fig):
    d = scene.tallyd(behind("near", "skip"))
    load = Load(d, batches=3, size=100).start()
    load.wait_acked(100)
    load.stop()
    d.flush()
    d.stop()
    sqlite_script(d, "UPDATE tally_position SET mark = mark + 1")
    d.start()
    wait_for("the parting", lambda: b"parted" in d.request("GET", "/readyz")[2])
    end = json.loads(d.tally("status", "--json"))["spool"]["end"]
    more = Load(d, batches=3, size=100).start()
    wait_spool(d, "more than the spool holds", lambda s: s["end"] > end + (5 << 20), 60)
    more.stop()
    check("503 spool_full" not in more.refused, "the doors never stopped: %r" % more.refused)
    fig.fired = 1
    rows = d.sqlite("SELECT COUNT(*) FROM tally_event")
    for again in (lambda: d.tally("flush", ok=(0, 1)), lambda: restart(d)):  # behind the oldest record now, and still parted
        again()
        wait_for("the parting to be said", lambda: b"parted" in d.request("GET", "/readyz")[2])
    equal(d.sqlite("SELECT COUNT(*) FROM tally_event"), rows, "what is stored in a store that has parted")
    sqlite_script(d, "UPDATE tally_position SET mark = mark - 1")
    d.tally("flush", ok=(0, 1))
    fig.recovery_s = wait_ready(d)
    fig.allowed_lost = len(load.acked) + len(more.acked)
    verify(d, [load, more], [Lines(os.path.join(d.data, "lines.ndjson")), Sqlite(d)], fig, same=False)
    fig.lost = 0
    d.stop()


@row("L6", "a line renamed, adopted, killed, under load")
def renamed(scene, fig):
    names = ["near", "far"] * ROUNDS
    d = scene.tallyd(conf(sqlite(names[0])))
    load = Load(d).start()
    for old, new in zip(names, names[1:]):
        load.wait_acked(100)
        d.kill()
        d.configure(conf(sqlite(new)))
        d.start()
        load.wait_acked(20)     # into the spool, with the line standing
        wait_for("the line to stand", lambda: b"tally adopt" in d.request("GET", "/readyz")[2], 60)
        asked = threading.Thread(target=d.tally, args=("adopt", new, "--from", old), kwargs={"ok": (0, 1, 3)})
        asked.start()
        time.sleep(random.uniform(0, 0.05))
        restart(d)
        asked.join()
        wait_for("the adopted line", lambda: d.request("GET", "/readyz")[0] == 200 or
                 d.tally("adopt", new, "--from", old, ok=(0, 1)) is None, 60)
        fig.fired += 1
    load.stop()
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


@row("L7", "two lines in one MariaDB, kill -9")
def two_lines(scene, fig):
    db = scene.mariadb()
    d = scene.tallyd(conf(maria(db.port), maria(db.port, "second", extra="prefix: b_")))
    load = Load(d).start()
    for _ in range(2 * ROUNDS):
        load.wait_acked(50)
        time.sleep(random.uniform(0, 0.2))
        restart(d)
        fig.fired += 1
    load.stop()
    verify(d, [load], [Maria(db), Maria(db, "b_", "second")], fig)
    d.stop()


@row("L8", "a line added, removed and added again, under load")
def come_and_go(scene, fig):
    one, two = conf(sqlite()), conf(sqlite(), sqlite("second", extra="prefix: b_"))
    d = scene.tallyd(one)
    load = Load(d).start()
    for i in range(2 * ROUNDS + 1):
        load.wait_acked(100)
        d.kill()
        d.configure(one if i % 2 else two)
        d.start()
        fig.fired += 1
    load.wait_acked(100)
    load.stop()
    verify(d, [load], [Sqlite(d), Sqlite(d, "b_", "second")], fig)
    d.stop()


if __name__ == "__main__":
    main()
