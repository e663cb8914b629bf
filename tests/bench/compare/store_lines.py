# SPDX-License-Identifier: Apache-2.0
"""P5, P6: how fast a line drains a filled spool into a store, beside a C program that writes the very same rows to tables
made alike and does nothing else. tally, and in its turn that program, on one core; MariaDB on the other.

The spool is filled once through a line that keeps nothing, with all records retained. A line that is new begins at the
oldest record, so each run starts tallyd on that data_dir with an empty store, and is timed from the first rows that are
seen until the last."""

import os
import re

from harness import MariaDB
from http_lines import load
from kit import (
    LOAD, SERVER, SITES, Row, Sample, check, cpu_us, equal, in_turn, line, measure, now, peak_kb, pid_of, stage, taken,
    wait_for)
from yardsticks import have_tools

EVENTS = int(os.environ.get("BENCH_SPOOL_EVENTS") or 300000)
SPOOL = "spool: { retain: 2h, retain_max: 8GiB }\n"
NONE = "rollups: []\n"
PAGES = 'rollups: [ { name: pages, by: ["event:name", "event:page"], metrics: [events] } ]\n'


def conf(rollups, sink):
    return "lanes: 1\nack: written\npipeline: [ rollup: {} ]\n%s%s%ssinks: [ %s ]\n" % (SITES, SPOOL, rollups, sink)


class Drain:
    """A filled data_dir. rows: how many the line makes of it, events and rollups."""

    def __init__(self, scene, rollups, sink):
        self.scene, self.rollups, self.sink = scene, rollups, sink
        self.d = scene.tallyd(conf(rollups, "null: { name: none }"), "drain")
        got = load(self.d.port, "/v1/events", requests=EVENTS // 100, batch=100, run=1, connections=16)
        equal(got["accepted"], EVENTS, "accepted")
        self.d.flush()
        self.d.stop()
        self.alone = self.run(sink="none")
        said = re.findall(r"took (\d+) rows in (\d+) batches", self.d.process.tail())
        check(said, "the null sink says how many rows it took")
        self.rows = int(said[-1][0])

    def seen(self, sink):
        for text in self.d.request("GET", "/metrics")[2].decode().splitlines():
            if text.startswith('tally_sink_rows_total{sink="%s"}' % sink):
                return int(text.split()[-1])
        return 0

    def run(self, sink="store"):
        """Rows a second into a store that is empty, from the first events seen there to the last."""
        self.d.configure(conf(self.rollups, self.sink if sink == "store" else "null: { name: none }"))
        self.d.start()
        pid = pid_of(self.d.process)
        first = wait_for("the first events", lambda: self.seen(sink), 60, 0.002)
        began, cpu = now(), cpu_us(pid)
        wait_for("the last events", lambda: self.seen(sink) >= EVENTS, 300, 0.02)
        took, cpu = now() - began, cpu_us(pid) - cpu
        self.d.flush()
        got, stored = taken(self.d)
        equal((got, stored[sink]), (EVENTS, EVENTS), "events taken and stored")
        left, rss = (EVENTS - first) / EVENTS, peak_kb(pid)
        self.d.stop()
        check(left > 0.3, "the store was nearly full when it was first looked at; raise BENCH_SPOOL_EVENTS")
        share = left * getattr(self, "rows", EVENTS)
        return Sample(share / took, cpu / (left * EVENTS), rss)


def joined(*parts):
    """One sample of several tools' runs: rows and times add up."""
    rows, us = sum(p["rows"] for p in parts), sum(p["us"] for p in parts)
    return Sample(rows * 1e6 / us, None, None)


# ---- MariaDB ----

def mariadb_run(drain, db):
    def run():
        db.sql("DROP DATABASE IF EXISTS bench; DROP DATABASE tally; CREATE DATABASE tally CHARACTER SET utf8mb4; "
               "GRANT ALL ON tally.* TO tally@'127.0.0.1'", "mysql")
        sample = drain.run()
        equal(db.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM tally_event"), [[str(EVENTS)] * 2], "rows and ids stored")
        return sample
    return run


def mariadb_yard(drain, db):
    def run():
        parts = [measure("store_mariadb", db.socket, "tally", "bench", "tally_event", "insert", EVENTS, cpu=SERVER)]
        if drain.rollups != NONE:
            parts.append(measure("store_mariadb", db.socket, "tally", "bench", "tally_rollup_pages", "upsert",
                                 drain.rows - EVENTS, cpu=SERVER))
        equal(db.sql("SELECT COUNT(*) FROM bench.tally_event"), [[str(EVENTS)]], "rows of the yardstick")
        return joined(*parts)
    return run


@line("P5", "spool to MariaDB")
def mariadb():
    have_tools("store_mariadb")
    for rollups, words in ((NONE, "raw rows"), (PAGES, "raw rows and rollup upserts")):
        with stage() as scene:
            with scene.on(LOAD):
                db = MariaDB(scene, "mariadb", ["--innodb-buffer-pool-size=128M"])
            drain = Drain(scene, rollups, 'mariadb: { name: store, url: "%s" }' % db.url())
            a, b = in_turn(mariadb_run(drain, db), mariadb_yard(drain, db))
        yield Row("P5", "spool to MariaDB, %s" % words, "rows/s", a, b, "C, array binding of 5000", 0.85, 1.0,
                  note=said(drain))


# ---- SQLite ----

def sqlite_run(drain, path):
    def run():
        for ending in ("", "-wal", "-shm"):
            if os.path.exists(path + ending):
                os.unlink(path + ending)
        sample = drain.run()
        equal(drain.d.sqlite("SELECT COUNT(*), COUNT(DISTINCT id) FROM tally_event"), [(EVENTS, EVENTS)], "rows and ids stored")
        return sample
    return run


def sqlite_yard(drain, path):
    def run():
        parts = [measure("store_sqlite", path, path + ".copy", "tally_event", "insert", EVENTS, cpu=SERVER)]
        if drain.rollups != NONE:
            parts.append(measure("store_sqlite", path, path + ".copy", "tally_rollup_pages", "upsert",
                                 drain.rows - EVENTS, cpu=SERVER))
        return joined(*parts)
    return run


@line("P6", "spool to SQLite")
def sqlite():
    have_tools("store_sqlite")
    for rollups, words in ((NONE, "raw rows"), (PAGES, "raw rows and rollup upserts")):
        with stage() as scene:
            drain = Drain(scene, rollups, "sqlite: { name: store }")
            path = os.path.join(drain.d.data, "tally.db")
            a, b = in_turn(sqlite_run(drain, path), sqlite_yard(drain, path))
        yield Row("P6", "spool to SQLite, %s" % words, "rows/s", a, b, "C, prepared, 10 k a transaction", 0.80, 0.95,
                  note=said(drain))


def said(drain):
    return "%d events are %d rows; the line alone, into the null sink, %.0f k events/s" % (
        EVENTS, drain.rows, drain.alone.rate / 1000)
