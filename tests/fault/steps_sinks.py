#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 between any two adjacent steps of a batch, in each sink, under load; each kill is followed by a start. Short: each step
once, and the events are counted at the end. Full: several passings of each, and the events are counted after every kill."""

import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rig import (  # noqa: E402
    Figures, Lines, Load, Maria, Sqlite, check, conf, file_sink, fired_in, full, main, maria, row, sqlite, verify, wait_dead,
    wait_ready)

STORE = ("begin", "moved", "rows", "send", "trim", "commit", "committed")
FILE = ("begin", "write", "sync", "mark", "commit", "renamed", "committed")
# retention moves by the hour: a horizon that lies further back has it move, and trim, with the next batch
HORIZON = "UPDATE tally_meta SET horizon = horizon - 7200000000 WHERE name = 'horizon/minute'"


def passings(name):
    if not full():
        return (2,)
    return (1, 2) if name.endswith(".trim") else (1, 2, 3, 7)   # a horizon that moves trims each of the two rollups once


def kill_at_each(d, names, loads, fig, stores, before=lambda: None):
    """Everything that a kill may leave is met by the next start."""
    for name in names:
        for n in passings(name):
            fired = fired_in(d, name)
            d.kill()
            before()
            d.env = {"TALLY_FAULT": "%s:%d:kill" % (name, n)}
            d.start(wait=False)
            wait_dead(d)
            check(fired_in(d, name) == fired + 1, "%s was not reached" % name)
            fig.fired += 1
            d.env = None
            d.start()
            loads[-1].wait_acked(20)
            if full():
                wait_ready(d)
                loads[-1].stop()
                verify(d, loads, stores, Figures())
                loads.append(Load(d).start())


@row("s1", "killed at every step of SQLite")
def steps_sqlite(scene, fig):
    d = scene.tallyd(conf(sqlite()))
    store = Sqlite(d)
    wait_ready(d)
    loads = [Load(d).start()]
    kill_at_each(d, ["sqlite." + s for s in STORE if s not in ("send", "trim")], loads, fig, [store])
    kill_at_each(d, ["sqlite.trim"], loads, fig, [store], lambda: change(d, HORIZON))
    loads[-1].stop()
    verify(d, loads, [store], fig)
    d.stop()


def change(d, sql):
    db = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30)
    with db:
        db.execute(sql)
    db.close()


@row("s2", "killed at every step of MariaDB")
def steps_mariadb(scene, fig):
    db = scene.mariadb()
    d = scene.tallyd(conf(maria(db.port)))
    wait_ready(d)
    loads = [Load(d).start()]
    kill_at_each(d, ["mariadb." + s for s in STORE if s != "trim"], loads, fig, [Maria(db)])
    kill_at_each(d, ["mariadb.trim"], loads, fig, [Maria(db)], lambda: db.sql(HORIZON))
    loads[-1].stop()
    verify(d, loads, [Maria(db)], fig)
    d.stop()


@row("s3", "killed at every step of a file, its account balances")
def steps_file(scene, fig):
    lines = scene.path("lines-%H%M.ndjson")
    d = scene.tallyd(conf(file_sink(lines), sqlite()))
    stores = [Sqlite(d), Lines(scene.path("lines-*.ndjson"))]
    wait_ready(d)
    loads = [Load(d).start()]
    kill_at_each(d, ["file." + s for s in FILE], loads, fig, stores)
    loads[-1].stop()
    verify(d, loads, stores, fig)
    (site,) = d.json("GET", "/v1/ledger")[1]["sites"]
    account = site["sinks"]["lines"]
    check(account.get("balance") == 0 and account["stored"] == fig.stored, "the file's account: %r" % account)
    d.stop()


if __name__ == "__main__":
    main()
