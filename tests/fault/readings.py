#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows 69 and 70: readings that take for ever. Events go on being stored, the desk answers, askers are told."""

import os
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from reading import ask, stored  # noqa: E402
from replication import Server  # noqa: E402
from rig import Load, Maria, Proxy, Sqlite, check, conf, equal, full, main, row, sqlite, verify, wait_for, wait_ready  # noqa: E402

SNAPSHOT = b"CONSISTENT SNAPSHOT"       # of readers only
BIG = 120000                            # events of a site that no rollup answers for


def widen(d):
    """A site with so many events, beside the others, in the file of a daemon that is stopped."""
    db = sqlite3.connect(os.path.join(d.data, "tally.db"))
    columns = [r[1] for r in db.execute("PRAGMA table_info(tally_event)")]
    values = {"lsn": "-n", "site": "'big'", "id": "'big' || n", "visitor": "'v' || (n % 1000)"}
    db.execute("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) INSERT INTO tally_event (%s) SELECT %s "
               "FROM c, (SELECT * FROM tally_event LIMIT 1)" % (BIG, ", ".join(columns), ", ".join(values.get(c, c) for c in columns)))
    db.commit()
    db.close()


def narrow(d):
    db = sqlite3.connect(os.path.join(d.data, "tally.db"))
    db.execute("DELETE FROM tally_event WHERE site = 'big'")
    db.commit()
    db.close()


def log_salt(d):
    """Changes when the write-ahead log is begun again."""
    with open(os.path.join(d.data, "tally.db-wal"), "rb") as f:
        return f.read(24)[16:]


@row("69", "readings that never end: events are stored, the desk answers, askers are told")
def readings_never_end(scene, fig):
    db = Server(scene, "mariadb", 1)
    proxy = Proxy(db.port, "mysql")
    d = scene.tallyd(conf('mariadb: { name: main, url: "mysql://tally:secret@127.0.0.1:%d/tally", flush: 50ms, query_timeout: 3s }' % proxy.port))
    wait_ready(d)
    load = Load(d, singles=1, batches=1, size=20, pause=0.01).start()
    load.wait_acked(100)
    d.flush()
    rule = proxy.on(SNAPSHOT, "freeze", times=1000)
    proxy_cut = proxy.connects
    got = []

    def one():
        got.append(d.json("POST", "/v1/query", {"site_id": "default", "metrics": ["events"], "date_range": "all",
                                                 "dimensions": ["event:hostname"]}) )
    threads = [threading.Thread(target=one, daemon=True) for _ in range(40)]
    for t in threads:
        t.start()
    wait_for("readings to stand still", lambda: proxy.fired >= 2, 30)
    for _ in range(3):
        before = stored(db)
        load.wait_acked(200)
        wait_for("events to be stored", lambda: stored(db) >= before + 200, 60)
        equal(d.request("GET", "/healthz")[0], 200, "healthz")
        equal(d.request("GET", "/v1/ledger")[0], 200, "ledger")
    for t in threads:
        t.join(60)
        check(not t.is_alive(), "an asker waits for ever")
    for status, answer in got:
        equal((status, answer["code"] in ("store_unavailable", "busy")), (503, True), "what askers are told: %r" % answer)
    fig.fired = proxy.fired
    rule.times = 0
    proxy.thaw()
    wait_for("answers again", lambda: ask(d)[0] == 200, 60)
    check(len(proxy_cut) < 400, "connections: %d" % len(proxy_cut))
    load.stop()
    verify(d, [load], [Maria(db)], fig)
    d.stop()


@row("70", "SQLite: long readings without a pause; events are stored, its log is begun again")
def sqlite_readings(scene, fig):
    d = scene.tallyd(conf(sqlite(), extra="limits: { query_timeout: 2s }\n"))
    load = Load(d, singles=1, batches=1, size=50, fill=4000, pause=0.01)
    load.deliver(load.events(20))
    d.flush()
    d.stop()
    widen(d)
    d.start()
    wait_ready(d)
    codes, quit = {}, threading.Event()

    def long_ones(i):
        while not quit.is_set():
            status, answer = d.json("POST", "/v1/query", {
                "site_id": "big", "metrics": ["visitors"], "date_range": "all", "dimensions": ["event:hostname"],
                "filters": [["matches_not", "event:name", ["x(y|z)*%d" % i]]]})
            code = answer.get("code", "answered")
            codes[code] = codes.get(code, 0) + 1
            if status == 503:
                time.sleep(0.1)
    ask(d)      # so that the desk knows its rollups
    threads = [threading.Thread(target=long_ones, args=(i,), daemon=True) for i in range(6)]
    for t in threads:
        t.start()
    wait_for("a long reading to end", lambda: sum(codes.values()) > 0, 60)
    load.start()
    store, salts, quick = Sqlite(d), set(), 0
    until = time.monotonic() + 90
    again = 3 if full() else 1
    while (len(salts) <= again or quick < 5) and time.monotonic() < until:
        before = len(store.rows("SELECT 1 FROM tally_ledger")) and store.ledger()[0]
        load.wait_acked(200)
        wait_for("events to be stored", lambda: store.ledger()[0] >= before + 200, 60)
        equal(ask(d)[0], 200, "a question that a rollup answers")
        equal(d.request("GET", "/healthz")[0], 200, "healthz")
        salts.add(log_salt(d))
        quick += 1
    quit.set()
    for t in threads:
        t.join(60)
        check(not t.is_alive(), "a long reading does not end")
    load.stop()
    d.flush()
    check(len(salts) > again, "the log was begun again %d times; it has %d bytes" % (len(salts) - 1, os.path.getsize(os.path.join(d.data, "tally.db-wal"))))
    check(set(codes) <= {"answered", "too_expensive", "busy"}, "what long questions were told: %r" % codes)
    fig.fired = sum(codes.values())
    d.stop()
    narrow(d)
    d.start()
    wait_ready(d)
    verify(d, [load], [store], fig)
    fig.note = "%r, log begun again %d times" % (codes, len(salts) - 1)
    d.stop()


if __name__ == "__main__":
    main()
