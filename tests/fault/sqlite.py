#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rows of MariaDB that have a sense for one file: the fate of a COMMIT in doubt, another program's lock, a full disk, refused
rows, a changed table, counters near the end of their range."""

import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rig import (  # noqa: E402
    Load, Sent, Sqlite, check, conf, equal, fired_in, main, metric, restart, row, sqlite, verify, wait_for, wait_ready)


def scene_of(scene, fault=None, extra=""):
    d = scene.tallyd(conf(sqlite(extra=extra)), env={"TALLY_FAULT": fault} if fault else None)
    wait_ready(d)
    return d, Load(d).start()


def sql(d, text):
    db = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30)
    try:
        with db:
            return db.execute(text).fetchall()
    finally:
        db.close()


def retries(d, **labels):
    return int(metric(d, "tally_sink_retries_total", sink="near", **labels))


def finish(fig, d, load):
    load.wait_acked(50)
    load.stop()
    fig.recovery_s = wait_ready(d)
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


@row("12s", "COMMIT done and not known: found moved, counted")
def commit_in_doubt(scene, fig):
    d, load = scene_of(scene, "sqlite.committed:10:EIO,sqlite.committed:20:EIO")
    wait_for("the faults", lambda: fired_in(d, "sqlite.committed") == 2)
    wait_for("the recovered commits", lambda: metric(d, "tally_sink_commits_recovered_total", sink="near") == 2)
    fig.fired = 2
    finish(fig, d, load)


@row("13s", "COMMIT fails, and the disk is full")
def commit_fails(scene, fig):
    d, load = scene_of(scene, "sqlite.commit:10:EIO,sqlite.commit:20:ENOSPC")
    wait_for("the faults", lambda: fired_in(d, "sqlite.commit") == 2)
    load.wait_acked(50)
    equal(metric(d, "tally_sink_commits_recovered_total", sink="near"), 0, "commits found done")
    fig.fired = retries(d)
    finish(fig, d, load)


@row("17s", "another program holds the write lock")
def locked(scene, fig):
    d, load = scene_of(scene, extra="busy_timeout: 50ms")
    wait_for("rows", lambda: sql(d, "SELECT COUNT(*) FROM tally_event")[0][0] > 0)
    other = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    wait_for("the retries", lambda: retries(d, **{"class": "retry"}) > 3)
    fig.fired = retries(d, **{"class": "retry"})
    other.execute("ROLLBACK")
    other.close()
    finish(fig, d, load)


@row("21s", "refused rows: few are laid aside, many stop the sink")
def poison(scene, fig):
    d, load = scene_of(scene)
    load.wait_acked(3000)
    sql(d, "CREATE TRIGGER no_poison BEFORE INSERT ON tally_event WHEN NEW.name = 'poison' BEGIN SELECT RAISE(ABORT, 'no'); END")

    def send(n, step):
        events = load.events(n)
        for e in events[::step]:
            e["name"] = "poison"
            load.sent[e["id"]] = Sent("poison", e["visitor"], e["value"])
        load.deliver(events)
    send(900, 300)
    wait_for("three letters", lambda: sql(d, "SELECT COUNT(*) FROM tally_dead")[0][0] == 3)
    equal(retries(d, **{"class": "bad_row"}), 1, "three of one batch are named at once")
    send(5000, 10)
    wait_for("the stop", lambda: retries(d, **{"class": "stop"}) > 0)
    check(b"1 %" in d.request("GET", "/readyz")[2], "readyz: %r" % d.request("GET", "/readyz")[2])
    equal(sql(d, "SELECT COUNT(*) FROM tally_dead"), [(3,)], "letters")
    sql(d, "DROP TRIGGER no_poison")
    fig.fired = 2
    finish(fig, d, load)


@row("21d", "refused rows, and the spool takes no dead letter")
def unburied(scene, fig):
    """A letter that cannot be written down is tried again, and what is tried again is refused again: that is no more bad rows."""
    d = scene.tallyd(conf(sqlite()), env={"TALLY_FAULT": "spool.write:3:EIO,spool.write:4:EIO,spool.write:5:EIO"})
    wait_ready(d)
    sql(d, "CREATE TRIGGER no_poison BEFORE INSERT ON tally_event WHEN NEW.name = 'poison' BEGIN SELECT RAISE(ABORT, 'no'); END")
    load = Load(d)
    events = load.events(20)
    for e in events[:6]:
        e["name"] = "poison"
        load.sent[e["id"]] = Sent("poison", e["visitor"], e["value"])
    load.deliver(events)
    began = time.monotonic()
    wait_for("six letters", lambda: sql(d, "SELECT COUNT(*) FROM tally_dead")[0][0] == 6, 20)
    fig.recovery_s = time.monotonic() - began
    fig.fired = fired_in(d, "spool.write")
    check(retries(d, **{"class": "bad_row"}) < 20, "the store is asked again and again")
    equal(retries(d, **{"class": "stop"}), 0, "stops")
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


@row("22s", "a renamed table: stops, nothing dies, goes on when it is back")
def drift(scene, fig):
    d, load = scene_of(scene)
    wait_for("rows", lambda: sql(d, "SELECT COUNT(*) FROM tally_event")[0][0] > 0)
    sql(d, "ALTER TABLE tally_rollup_names RENAME TO aside")
    wait_for("the stop, again and again", lambda: retries(d, **{"class": "stop"}) > 2)   # nobody makes it anew
    wait_for("readyz to say it", lambda: b"tally_rollup_names" in d.request("GET", "/readyz")[2])
    load.wait_acked(50)
    sql(d, "ALTER TABLE aside RENAME TO tally_rollup_names")
    d.tally("flush", ok=(0, 1))
    wait_ready(d)
    equal(sql(d, "SELECT COUNT(*) FROM tally_dead"), [(0,)], "letters")
    fig.fired = 1
    finish(fig, d, load)


@row("55s", "counters near the ends of their range")
def ends_of_range(scene, fig):
    d, load = scene_of(scene)
    wait_for("rows", lambda: sql(d, "SELECT COUNT(*) FROM tally_event")[0][0] > 0)
    load.stop()
    d.flush()
    top = 2 ** 63 - 1
    sql(d, "UPDATE tally_rollup_total SET events = %d, sum_value = 1.7976931348623157e308, count_value = %d" % (top - 1, top))
    sql(d, "UPDATE tally_ledger SET stored = %d" % (top - 3))
    restart(d)
    wait_ready(d)
    load2 = Load(d).start()
    load2.wait_acked(300)
    load2.stop()
    d.flush()
    fig.fired = 1
    got = sql(d, "SELECT MAX(events), MIN(events) >= 0, MAX(sum_value) >= 1.7e308, MIN(count_value) >= 0 FROM tally_rollup_total")
    equal(got, [(top, 1, 1, 1)], "the rollup")
    equal(sql(d, "SELECT MAX(stored) FROM tally_ledger"), [(top,)], "the ledger's row")
    equal(retries(d), 0, "retries")
    equal(d.request("GET", "/v1/ledger")[0], 200, "the ledger answers")
    ids = [r[0] for r in sql(d, "SELECT id FROM tally_event")]
    acked = set(load.acked) | set(load2.acked)
    fig.sent, fig.acked, fig.stored = len(load.sent) + len(load2.sent), len(acked), len(ids)
    fig.duplicates, fig.lost = len(ids) - len(set(ids)), len(acked - set(ids))
    d.stop()


if __name__ == "__main__":
    main()
