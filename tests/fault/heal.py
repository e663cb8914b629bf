#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stores that went back in time, and data_dirs that parted from them: after each, what was acknowledged is stored exactly
once, with no command given; or the line stops by name, the doors go on, and one command heals.

Rows 25 to 27 and 30 are those of the fault matrix; the H rows are this module's own. In the short form each kind runs
once; in full also the variants."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rig import (  # noqa: E402
    Load, Maria, MariaDB, Sent, Sqlite, Tallyd, check, conf, equal, free_port, full, main, maria, metric, program, row,
    sqlite, verify, wait_for, wait_ready, wait_stored)


def variant(number, words):
    """A row of the full form only: the short form shows the like of it."""
    return row(number, words) if full() or os.environ.get("TALLY_ROWS") else lambda fn: fn


def whole(d):
    """tally verify finds the stores one whole."""
    out = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(out["ok"], "tally verify: %s" % json.dumps(out))
    return out


def ready(d):
    status, _, text = d.request("GET", "/readyz")
    return status, text.decode()


def count(db):
    return int(db.sql("SELECT COUNT(*) FROM tally_event")[0][0])


# ---- MariaDB ----

class Server(MariaDB):
    """With a binary log, for replication."""

    def __init__(self, scene, name, number):
        self.number, self.extra = number, []
        super().__init__(scene, name)
        self.sql("RESET MASTER", database="mysql")

    def start(self):
        os.makedirs(self.data + ".tmp", exist_ok=True)
        self.process = self.scene.start(
            ["mariadbd", "--no-defaults", "--user=root", "--datadir=" + self.data, "--tmpdir=" + self.data + ".tmp",
             "--socket=" + self.socket, "--port=%d" % self.port, "--bind-address=127.0.0.1", "--skip-name-resolve",
             "--innodb-buffer-pool-size=64M", "--pid-file=" + self.scene.path(self.name + ".pid"),
             "--server-id=%d" % self.number, "--log-bin=" + self.data + "/bin", "--binlog-format=ROW", "--log-slave-updates",
             "--slave-net-timeout=5", "--gtid-strict-mode=1"] + self.extra, self.name)
        wait_for("MariaDB", self.answers, 60)

    def kill(self):
        self.process.kill()

    def follow(self, primary):
        self.sql("CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = %d, MASTER_USER = 'repl',"
                 " MASTER_PASSWORD = 'repl', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1; START SLAVE;"
                 " SET GLOBAL read_only = 1" % primary.port, database="mysql")

    def promote(self):
        self.sql("STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0", database="mysql")

    def slave_status(self, field):
        out = subprocess.run(["mariadb", "--no-defaults", "-uroot", "--socket=" + self.socket, "-E", "-e", "SHOW SLAVE STATUS"],
                             check=True, capture_output=True).stdout.decode()
        for text in out.splitlines():
            name, _, value = text.strip().partition(": ")
            if name.rstrip(":") == field:
                return value
        return ""


def pair(scene):
    a, b = Server(scene, "a", 1), Server(scene, "b", 2)
    a.sql("CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'repl'; GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1'", database="mysql")
    b.follow(a)
    return a, b


def both(a, b, extra=""):
    return 'mariadb: { name: main, url: "mysql://tally:secret@127.0.0.1:%d,127.0.0.1:%d/tally", flush: 50ms%s }' % (
        a.port, b.port, extra)


def dump(db, path):
    with open(path, "wb") as f:
        subprocess.run(["mariadb-dump", "--no-defaults", "-uroot", "--socket=" + db.socket, "--single-transaction", "tally"],
                       check=True, stdout=f)


def read_back(db, path):
    with open(path, "rb") as f:
        subprocess.run(["mariadb", "--no-defaults", "-uroot", "--socket=" + db.socket, "tally"], check=True, stdin=f)


def read_back_slowly(db, path):
    """Table by table, with time between them for batches, and without locks: a batch in the middle would be in one table and
    not in the other."""
    with open(path, "rb") as f:
        parts = f.read().replace(b"LOCK TABLES", b"-- LOCK TABLES").replace(b"UN-- LOCK", b"-- UNLOCK").split(b"DROP TABLE")
    p = subprocess.Popen(["mariadb", "--no-defaults", "-uroot", "--socket=" + db.socket, "tally"], stdin=subprocess.PIPE)
    for i, part in enumerate(parts):
        p.stdin.write((b"DROP TABLE" if i else b"") + part)
        p.stdin.flush()
        time.sleep(0.4)
    p.stdin.close()
    equal(p.wait(), 0, "reading the dump back")


def poison(d, load, n):
    """Events that the store refuses: dead letters."""
    for i in range(n):
        (e,) = load.events(1)
        e["name"] = "poison"
        load.sent[e["id"]] = Sent("poison", e["visitor"], e["value"])
        load.deliver([e])


def restored(scene, fig, restore, loaded=True):
    """A dump is taken under load; more is sent; the dump is read back by restore(db, path)."""
    db = scene.mariadb()
    d = scene.tallyd(conf(maria(db.port)))
    wait_ready(d)
    db.sql("ALTER TABLE tally_event ADD CONSTRAINT no_poison CHECK (name <> 'poison')")
    load, bad = Load(d, pause=0.02), Load(d, singles=0, batches=0)
    load.start()
    load.wait_acked(300)
    poison(d, bad, 1)
    wait_stored(d)
    path = scene.path("dump.sql")
    dump(db, path)
    before = count(db)
    poison(d, bad, 1)
    load.wait_acked(1000)
    if not loaded:
        load.stop()
    wait_stored(d)
    fig.fired = count(db) - before   # what the store is to forget
    began = time.monotonic()
    restore(db, path)
    if loaded:
        load.wait_acked(300)
        load.stop()
    # idle, nothing is asked of the store: the line finds out by itself
    wait_for("what was forgotten", lambda: d.request("GET", "/readyz")[0] == 200 and
             int(db.sql("SELECT COUNT(*) FROM tally_event")[0][0]) + 2 >= len(load.acked) + len(bad.acked), 90, 0.2)
    fig.recovery_s = time.monotonic() - began
    verify(d, [load, bad], [Maria(db)], fig)
    whole(d)
    d.stop()


@row("30", "an old dump read back into the database, under load")
def dump_under_load(scene, fig):
    restored(scene, fig, read_back_slowly)


@variant("30l", "the same as the tools do it, with locks")
def dump_with_locks(scene, fig):
    restored(scene, fig, read_back)


@variant("30i", "the same, while nothing comes")
def dump_while_idle(scene, fig):
    restored(scene, fig, read_back, loaded=False)


def another_server(db, path):
    db.process.kill()
    shutil.rmtree(db.data)
    port = db.port
    fresh = MariaDB.__new__(MariaDB)
    fresh.scene, fresh.name, fresh.data, fresh.socket, fresh.port = db.scene, db.name, db.data, db.socket, port
    db.install()
    db.start()
    db.sql("CREATE DATABASE tally CHARACTER SET utf8mb4; CREATE USER tally@'127.0.0.1' IDENTIFIED BY 'secret'; "
           "GRANT ALL ON tally.* TO tally@'127.0.0.1'", database="mysql")
    time.sleep(1.5)     # the daemon is in before the dump
    read_back(db, path)


@variant("30s", "the server replaced by an empty one, the dump read into it")
def dump_into_another(scene, fig):
    restored(scene, fig, another_server)


@variant("30d", "the database dropped and made anew, nothing read back")
def dropped(scene, fig):
    restored(scene, fig, lambda db, _: db.sql("DROP DATABASE tally; CREATE DATABASE tally CHARACTER SET utf8mb4", database="mysql"))


def lose_tail(scene, fig, a, b):
    """Fails over from a to b, which misses what a took last. Gives daemon and load, which runs on."""
    d = scene.tallyd(conf(both(a, b)))
    wait_ready(d)
    load = Load(d, pause=0.02).start()
    load.wait_acked(300)
    wait_for("the replica to follow", lambda: count(b) > 0, 30)
    b.sql("STOP SLAVE", database="mysql")
    load.wait_acked(500)
    wait_for("the tail", lambda: count(a) > count(b) + 100, 30)
    fig.fired = count(a) - count(b)
    a.kill()
    began = time.monotonic()
    b.promote()
    load.wait_acked(200)
    wait_for("the new primary to take batches", lambda: d.request("GET", "/readyz")[0] == 200 and count(b) > fig.fired, 60)
    fig.recovery_s = time.monotonic() - began
    return d, load


@row("25", "failover to a replica that missed the last commits")
def failover(scene, fig):
    a, b = pair(scene)
    d, load = lose_tail(scene, fig, a, b)
    load.stop()
    verify(d, [load], [Maria(b)], fig)
    whole(d)
    d.stop()


@variant("26", "the old primary returns with commits of its own; then it is used")
def old_primary(scene, fig):
    a, b = pair(scene)
    d, load = lose_tail(scene, fig, a, b)
    a.extra = ["--read-only"]
    a.start()
    a.follow(b)
    wait_for("the replication to refuse", lambda: a.slave_status("Last_IO_Errno") not in ("", "0") or
             a.slave_status("Last_SQL_Errno") not in ("", "0"), 30)
    fig.note = "replication says %s" % (a.slave_status("Last_IO_Errno") + "/" + a.slave_status("Last_SQL_Errno"))
    load.wait_acked(200)
    load.stop()
    verify(d, [load], [Maria(b)], fig)      # live data is what it is
    whole(d)
    more = Load(d).start()
    a.promote()
    b.kill()                                # now the other one, with its extra commits, is the one to write to
    more.wait_acked(200)
    more.stop()
    wait_for("the old primary", lambda: d.request("GET", "/readyz")[0] == 200, 60)
    verify(d, [load, more], [Maria(a)], fig)
    whole(d)
    d.stop()


@variant("27", "semi-synchronous replication falls back")
def semisync(scene, fig):
    a, b = pair(scene)
    b.sql("STOP SLAVE; SET GLOBAL rpl_semi_sync_slave_enabled = 1; START SLAVE", database="mysql")
    a.sql("SET GLOBAL rpl_semi_sync_master_enabled = 1; SET GLOBAL rpl_semi_sync_master_timeout = 300", database="mysql")
    d = scene.tallyd(conf(both(a, b)))
    wait_ready(d)
    load = Load(d).start()
    def said(value):
        return b'tally_sink_state{sink="main",name="semisync"} %d\n' % value in d.request("GET", "/metrics")[2]
    wait_for("semi-sync to be seen", lambda: said(1), 30)
    equal(ready(d), (200, "ready\n"), "readyz")
    b.sql("STOP SLAVE", database="mysql")
    wait_for("the fall-back to be told", lambda: said(0), 30)
    status, text = ready(d)
    check(status == 200 and "semi-synchronous" in text and "main" in text, "readyz says so: %r" % text)
    fig.fired = int(a.sql("SHOW STATUS LIKE 'Rpl_semi_sync_master_no_times'")[0][1])
    began = time.monotonic()
    b.sql("START SLAVE", database="mysql")
    wait_for("semi-sync to come back", lambda: said(1), 30)
    fig.recovery_s = time.monotonic() - began
    equal(ready(d), (200, "ready\n"), "readyz again")
    load.stop()
    verify(d, [load], [Maria(a)], fig)
    d.stop()


# ---- SQLite put back by hand ----

def rows_in(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=30)
    try:
        return db.execute("SELECT COUNT(*) FROM tally_event").fetchone()[0]
    finally:
        db.close()


def noticed(d):
    with open(d.process.log, errors="replace") as f:
        return "another file stands there now" in f.read()


def put_back(scene, fig, replace, loaded=True, kept=True):
    """A copy of the store is taken; more is sent; replace(live, copy) puts it back under the running daemon."""
    d = scene.tallyd(conf(sqlite()))
    wait_ready(d)
    load = Load(d).start()
    load.wait_acked(300)
    live, copy = os.path.join(d.data, "tally.db"), scene.path("copy.db")
    wait_stored(d)
    d.tally("backup", copy)
    before = rows_in(copy)
    load.wait_acked(1500)
    if not loaded:
        load.stop()
    wait_stored(d)
    fig.fired = rows_in(live) - (before if kept else 0)
    began = time.monotonic()
    restarted = replace(d, live, copy)
    if loaded:
        load.wait_acked(300)
        load.stop()
    # the file alone does not tell: SQLite reads the old log on top of it
    wait_for("the daemon to notice", lambda: restarted or noticed(d), 60)

    def back():
        try:
            return d.request("GET", "/readyz")[0] == 200 and os.path.exists(live) and rows_in(live) >= len(load.acked)
        except sqlite3.Error:
            return False
    wait_for("what was forgotten", back, 90, 0.2)
    fig.recovery_s = time.monotonic() - began
    verify(d, [load], [Sqlite(d)], fig)
    whole(d)
    d.kill()        # what is on the disk is whole too, log and all
    d.start()
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


def cp_over(d, live, copy):
    subprocess.run(["cp", copy, live], check=True)


def mv_over(d, live, copy):
    shutil.copyfile(copy, copy + ".2")
    os.rename(copy + ".2", live)


def cp_all(d, live, copy):
    """With a log beside it, as a copy taken under another program has."""
    db = sqlite3.connect(copy)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("INSERT OR REPLACE INTO tally_meta (name, value) VALUES ('test', 'x')")
    db.commit()
    for suffix in ("", "-wal"):
        shutil.copyfile(copy + suffix, live + suffix + ".2")
    os.rename(live + "-wal.2", live + "-wal")
    os.rename(live + ".2", live)
    db.close()


@row("H1", "SQLite: an old copy written over the file (cp), under load")
def sqlite_cp(scene, fig):
    put_back(scene, fig, cp_over)


@variant("H1i", "SQLite: the same, while nothing comes")
def sqlite_cp_idle(scene, fig):
    put_back(scene, fig, cp_over, loaded=False)


@variant("H2", "SQLite: an old copy renamed over the file (mv), under load")
def sqlite_mv(scene, fig):
    put_back(scene, fig, mv_over)


@variant("H2w", "SQLite: an old copy with its -wal renamed over")
def sqlite_mv_log(scene, fig):
    put_back(scene, fig, cp_all)


@variant("H3", "SQLite: the file deleted, under load")
def sqlite_rm(scene, fig):
    put_back(scene, fig, lambda d, live, copy: os.unlink(live), kept=False)


@variant("H3a", "SQLite: the file deleted with -wal and -shm, while nothing comes")
def sqlite_rm_all(scene, fig):
    put_back(scene, fig, lambda d, live, copy: [os.unlink(live + s) for s in ("", "-wal", "-shm")] and None, loaded=False, kept=False)


@row("H4", "SQLite: tally backup, tally restore; a damaged copy is refused")
def sqlite_restore(scene, fig):
    def restore(d, live, copy):
        bad = copy + ".bad"
        shutil.copyfile(copy, bad)
        with open(bad, "r+b") as f:
            f.seek(4096 * 3)
            f.write(os.urandom(4096 * 4))
        d.tally("restore", bad, ok=(1,))
        d.tally("backup", copy, ok=(1,))         # replaces nothing
        p = subprocess.run([program("tally"), "restore", copy, "--into", live], capture_output=True)
        equal(p.returncode, 1, "a restore under the daemon's feet is refused")
        d.tally("restore", copy)
    put_back(scene, fig, restore)


@variant("H4o", "SQLite: tally restore --into while the daemon is stopped")
def sqlite_restore_stopped(scene, fig):
    def restore(d, live, copy):
        d.kill()
        p = subprocess.run([program("tally"), "restore", copy, "--into", live], capture_output=True)
        equal(p.returncode, 0, "restore: %r" % p.stderr)
        d.start()
        return True
    put_back(scene, fig, restore)


# ---- data_dirs ----

def copy_data(d, to):
    shutil.copytree(d.data, to, ignore=lambda _, names: [n for n in names if n.endswith(".sock")])


def started_on(scene, name, data, text):
    """A daemon on a data_dir that is there already."""
    d = Tallyd.__new__(Tallyd)
    d.scene, d.name, d.env = scene, name, None
    d.port, d.data = free_port(), data
    d.admin, d.file = scene.path(name + ".sock"), scene.path(name + ".yaml")
    d.configure(text)
    d.start()
    return d


def parted(d, load, what="parted"):
    """The line stands, by name, with the lsn and the remedy; the doors take events."""
    def told():
        status, text = ready(d)
        return status == 503 and what in text and text
    text = wait_for("the line to stop", told, 60)
    check("main" in text and "lsn" in text and "adopt" in text, "readyz names line, lsn and remedy: %r" % text)
    with open(d.process.log, errors="replace") as f:
        check(any(what in line and "adopt" in line for line in f), "so does the log")
    check(load.deliver(load.events(3)), "the doors go on")


def adopt(d):
    d.stop()
    p = subprocess.run([program("tally"), "spool", "adopt", "--as-new-node", "-d", d.data], capture_output=True)
    equal(p.returncode, 0, "adopt: %r" % p.stderr)
    d.start()
    wait_ready(d)


@variant("H5", "a data_dir cloned: two daemons of one node on one store")
def cloned(scene, fig):
    db = scene.mariadb()
    text = conf(maria(db.port))
    d = scene.tallyd(text)
    wait_ready(d)
    first = Load(d).start()
    first.wait_acked(300)
    first.stop()
    wait_stored(d)
    d.stop()
    copy_data(d, scene.path("clone.data"))
    d.start()
    twin = started_on(scene, "clone", scene.path("clone.data"), text)
    # the same data_dir twice is refused outright
    p = subprocess.run([program("tallyd"), "-c", d.file, "-d", d.data, "-p", d.plugin_dir()], capture_output=True, timeout=60)
    check(p.returncode != 0, "two daemons on one data_dir")
    loads = [Load(d).start()]
    loads[0].wait_acked(300)
    wait_stored(d)
    loads.append(Load(twin).start())
    loads[1].wait_acked(300)
    parted(twin, loads[1])
    fig.fired = 1
    for load in loads:
        load.stop()
    verify(d, [first, loads[0]], [Maria(db)], fig)      # the one goes on, undisturbed
    whole(d)
    adopt(twin)
    wait_stored(twin)
    ids = {r[0] for r in db.sql("SELECT id FROM tally_event")}
    missing = set(loads[1].acked) - ids
    equal(len(missing), 0, "events of the clone that are not stored after adopt, such as %r" % sorted(missing)[:3])
    equal(int(db.sql("SELECT COUNT(*) - COUNT(DISTINCT id) FROM tally_event")[0][0]), 0, "doubles after adopt")
    whole(twin)
    twin.stop()
    d.stop()


@variant("H6", "a data_dir put back, older than the store's position")
def older_data_dir(scene, fig):
    db = scene.mariadb()
    text = conf(maria(db.port))
    d = scene.tallyd(text)
    wait_ready(d)
    load = Load(d).start()
    load.wait_acked(300)
    wait_stored(d)
    load.stop()
    d.stop()
    copy_data(d, scene.path("old.data"))
    d.start()
    load = [load, Load(d).start()]
    load[1].wait_acked(500)
    load[1].stop()
    wait_stored(d)
    stored = count(db)
    d.stop()
    shutil.rmtree(d.data)
    shutil.copytree(scene.path("old.data"), d.data)
    d.start()
    more = Load(d)
    parted(d, more)
    fig.fired = 1
    equal(count(db), stored, "nothing is committed")
    more.start()
    more.wait_acked(200)
    more.stop()
    adopt(d)
    wait_stored(d)
    ids = {r[0] for r in db.sql("SELECT id FROM tally_event")}
    acked = set(more.acked) | set(load[0].acked) | set(load[1].acked)
    fig.sent, fig.acked, fig.stored = len(more.sent) + sum(len(x.sent) for x in load), len(acked), len(ids)
    fig.lost, fig.duplicates = len(acked - ids), count(db) - len(ids)
    whole(d)
    d.stop()


@variant("H7", "a store exchanged for one of another history")
def exchanged(scene, fig):
    db = scene.mariadb()
    text = conf(maria(db.port))
    d = scene.tallyd(text)
    wait_ready(d)
    load = Load(d).start()
    load.wait_acked(300)
    load.stop()
    wait_stored(d)
    dump(db, scene.path("own.sql"))
    lsn, mark = db.sql("SELECT lsn, mark FROM tally_position")[0]
    # the same lsn, another mark: a history that this spool never wrote
    db.sql("UPDATE tally_position SET mark = %d" % (int(mark) ^ 1))
    fig.fired = 1
    more = Load(d).start()
    more.wait_acked(300)
    parted(d, more)
    more.stop()
    began = time.monotonic()
    read_back(db, scene.path("own.sql"))         # the right one is put back: no other command
    wait_for("ready", lambda: d.request("GET", "/readyz")[0] == 200, 60)
    fig.recovery_s = time.monotonic() - began
    wait_stored(d)
    verify(d, [load, more], [Maria(db)], fig, answers=False)
    whole(d)
    d.stop()


@variant("H8", "a data_dir lost entirely: a new node on the same store")
def lost_data_dir(scene, fig):
    db = scene.mariadb()
    d = scene.tallyd(conf(maria(db.port)))
    wait_ready(d)
    load = Load(d).start()
    load.wait_acked(300)
    load.stop()
    wait_stored(d)
    before = count(db)
    d.stop()
    shutil.rmtree(d.data)
    d.start()
    wait_ready(d)
    fig.fired = 1
    more = Load(d).start()
    more.wait_acked(300)
    more.stop()
    wait_stored(d)
    equal([int(r[0]) for r in db.sql("SELECT DISTINCT node FROM tally_event ORDER BY node")], [1, 2], "nodes")
    equal(int(db.sql("SELECT COUNT(*) FROM tally_event WHERE node = 1")[0][0]), before, "old rows stay")
    ids = {r[0] for r in db.sql("SELECT id FROM tally_event")}
    fig.sent, fig.acked, fig.stored = len(load.sent) + len(more.sent), len(load.acked) + len(more.acked), len(ids)
    fig.lost = len((set(load.acked) | set(more.acked)) - ids)
    fig.duplicates = count(db) - len(ids)
    (got,) = d.rows(site_id="default", metrics=["events"], date_range="all")
    equal(got, [count(db)], "the statistics are of both nodes")
    whole(d)
    d.stop()


@row("H9", "two nodes on one database, under load, one's rows locked")
def two_nodes(scene, fig):
    db = scene.mariadb()
    a = scene.tallyd(conf(maria(db.port)), "a")
    wait_ready(a)
    b = scene.tallyd(conf(maria(db.port)), "b")
    wait_ready(b)
    loads = [Load(a, pause=0.02).start(), Load(b, pause=0.02).start()]
    for load in loads:
        load.wait_acked(400)
    # a batch of one node waits for a stranger who holds its rows; the other node does not
    other = subprocess.Popen(["mariadb", "--no-defaults", "-uroot", "--socket=" + db.socket, "tally", "-e",
                              "BEGIN; SELECT * FROM tally_position WHERE node = 1 FOR UPDATE; SELECT SLEEP(7); ROLLBACK"],
                             stdout=subprocess.DEVNULL)
    loads[1].wait_acked(200)
    wait_stored(b)
    other.wait()
    for load in loads:
        load.wait_acked(200)
        load.stop()
    wait_stored(a)
    wait_stored(b)
    fig.fired = int(metric(a, "tally_sink_retries_total", sink="main"))
    acked = set(loads[0].acked) | set(loads[1].acked)
    ids = [r[0] for r in db.sql("SELECT id FROM tally_event")]
    fig.sent, fig.acked, fig.stored = sum(len(x.sent) for x in loads), len(acked), len(ids)
    fig.lost, fig.duplicates = len(acked - set(ids)), len(ids) - len(set(ids))
    equal([r[0] for r in db.sql("SELECT DISTINCT node FROM tally_rollup_total ORDER BY node")], ["1", "2"], "rollup rows by node")
    for d in (a, b):
        (got,) = d.rows(site_id="default", metrics=["events", "sum:value"], date_range="all")
        want = sum(s.value for x in loads for i, s in x.sent.items() if i in set(ids))
        equal(got, [len(ids), want], "either answers for both")
        equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")
        whole(d)
        d.stop()


@row("H10", "tally verify finds planted damage")
def planted(scene, fig):
    d = scene.tallyd(conf(sqlite()))
    wait_ready(d)
    load = Load(d).start()
    load.wait_acked(500)
    load.stop()
    wait_stored(d)
    whole(d)
    live = os.path.join(d.data, "tally.db")

    def plant(sql, undo, what, words):
        db = sqlite3.connect(live, timeout=30)
        db.executescript(sql)
        db.commit()
        out = json.loads(d.tally("verify", "--json", ok=(1,)))
        found = json.dumps(out["differences"])
        check(words in found, "%s is found: %s" % (what, found))
        fig.fired += 1
        db.executescript(undo)
        db.commit()
        db.close()
        whole(d)
    plant("CREATE TEMP TABLE gone AS SELECT * FROM tally_event ORDER BY lsn LIMIT 1;"
          "DELETE FROM tally_event WHERE (lsn, idx) IN (SELECT lsn, idx FROM gone)",
          "INSERT INTO tally_event SELECT * FROM gone", "a row deleted", '"ledger"')
    plant("UPDATE tally_rollup_names SET events = events + 1 WHERE grain = 2 AND event_name = 'n1'",
          "UPDATE tally_rollup_names SET events = events - 1 WHERE grain = 2 AND event_name = 'n1'", "a rollup changed", '"names"')
    plant("CREATE TEMP TABLE gone AS SELECT * FROM tally_rollup_total WHERE grain = 1;"
          "DELETE FROM tally_rollup_total WHERE grain = 1",
          "INSERT INTO tally_rollup_total SELECT * FROM gone", "a rollup's rows deleted", '"quarter"')
    plant("UPDATE tally_ledger SET stored = stored + 2", "UPDATE tally_ledger SET stored = stored - 2", "a count changed", '"stored"')
    plant("CREATE TEMP TABLE p AS SELECT * FROM tally_position; UPDATE tally_position SET lsn = 8, mark = 1",
          "UPDATE tally_position SET lsn = (SELECT lsn FROM p), mark = (SELECT mark FROM p)", "the position moved", '"position"')
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


if __name__ == "__main__":
    main()
