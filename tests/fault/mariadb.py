#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows 12 to 24 and 55: MariaDB, and the network before it, fail under load. Short forms hold a fault for seconds, full ones as long
as the matrix says."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from greeter import Greeter  # noqa: E402
from rig import (  # noqa: E402
    Load, Maria, Proxy, Sent, Sqlite, check, conf, equal, fired_in, full, main, maria, metric, restart, row, sqlite,
    verify, wait_for, wait_ready, writes_commit)

PATIENT = "write_timeout: 2s, connect_timeout: 2s"
CONNECTS_A_SECOND = 12      # of one line: a try has a reader's and a writer's connection, and the first waits grow from 0.2 s


def scene_of(scene, extra=PATIENT, env=None, sinks=(), **load):
    """MariaDB behind a proxy, a daemon that stores there, a load."""
    db = scene.mariadb()
    proxy = Proxy(db.port, "mysql")
    d = scene.tallyd(conf(maria(proxy.port, extra=extra), *sinks), env=env)
    wait_ready(d)
    return db, proxy, d, Load(d, **load).start()


def retries(d, name="main", **labels):
    return int(metric(d, "tally_sink_retries_total", sink=name, **labels))


def number(db, sql):
    return int(float(db.sql(sql)[0][0]))


def rows_of(db):
    return number(db, "SELECT COUNT(*) FROM tally_event")


def finish(scene, fig, d, load, stores):
    load.wait_acked(50)
    load.stop()
    fig.recovery_s = wait_ready(d)
    verify(d, [load], stores, fig)
    d.stop()


class Session(threading.Thread):
    """SQL in a session of root's, beside all else."""

    def __init__(self, db, text):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            ["mariadb", "--no-defaults", "-uroot", "--socket=" + db.socket, "-N", "-B", "-f", "tally"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text, self.said = text, ""
        self.start()

    def run(self):
        self.said = self.process.communicate(self.text.encode())[0].decode(errors="replace")

    def end(self, seconds=60):
        self.join(seconds)
        check(not self.is_alive(), "a session does not end")
        return self.said


@row("12", "COMMIT's answer lost: found moved, counted")
def commit_answer_lost(scene, fig):
    db, proxy, d, load = scene_of(scene)
    times = 10 if full() else 3
    for i in range(times):
        rule = proxy.on(writes_commit, "lose_answer", after=2)
        wait_for("the answer to be lost", lambda: rule.times == 0)
    wait_for("the recovered commits", lambda: metric(d, "tally_sink_commits_recovered_total", sink="main") == times)
    fig.fired = proxy.fired
    finish(scene, fig, d, load, [Maria(db)])


@row("13", "COMMIT lost before the server saw it")
def commit_lost(scene, fig):
    db, proxy, d, load = scene_of(scene)
    for i in range(10 if full() else 3):
        rule = proxy.on(writes_commit, "lose", after=2)
        wait_for("the COMMIT to be lost", lambda: rule.times == 0)
    fig.fired = proxy.fired
    load.wait_acked(100)
    equal(metric(d, "tally_sink_commits_recovered_total", sink="main"), 0, "commits found done")
    check(retries(d, **{"class": "reconnect"}) >= fig.fired, "retries are counted")
    finish(scene, fig, d, load, [Maria(db)])


@row("14", "zombie session that holds the position")
def zombie(scene, fig):
    db, proxy, d, load = scene_of(scene)
    rule = proxy.on(b"SAVEPOINT tally_rows", "freeze", after=3)     # the position has moved in that session
    wait_for("the freeze", lambda: rule.times == 0)
    before = rows_of(db)
    # its lock is waited for, longer than a statement of ours may take; the server ends it after a while
    wait_for("the second try to wait for the zombie", lambda: retries(d, **{"class": "reconnect"}) >= 2)
    equal(rows_of(db), before, "nothing is stored past the zombie")
    fig.fired = proxy.fired
    proxy.thaw()
    finish(scene, fig, d, load, [Maria(db)])


@row("15", "KILL CONNECTION and KILL QUERY every 50 ms")
def kill_loop(scene, fig):
    db, proxy, d, load = scene_of(scene)
    n = 600 if full() else 60
    fig.fired = int(Session(db, """DELIMITER $
CREATE PROCEDURE storm(n INT) BEGIN
DECLARE v BIGINT; DECLARE killed INT DEFAULT 0; DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
WHILE n > 0 DO
SET v = (SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'tally' ORDER BY RAND() LIMIT 1);
IF v IS NOT NULL THEN IF n %% 3 = 0 THEN KILL CONNECTION v; ELSE KILL QUERY v; END IF; SET killed = killed + 1; END IF;
DO SLEEP(0.05); SET n = n - 1;
END WHILE;
SELECT killed;
END$
DELIMITER ;
CALL storm(%d);
""" % n).end().split()[-1])
    fig.note = "%d retries" % retries(d)
    check(retries(d) > 0, "nothing was hit")
    finish(scene, fig, d, load, [Maria(db)])


@row("16", "deadlock storm: a rival takes the same rows in reverse")
def deadlocks(scene, fig):
    db, proxy, d, load = scene_of(scene)
    wait_for("rollup rows", lambda: number(db, "SELECT COUNT(*) FROM tally_rollup_names") > 20)
    db.sql("CREATE TABLE ballast (n INT PRIMARY KEY) ENGINE=InnoDB")
    want = 50 if full() else 3
    until = time.monotonic() + (300 if full() else 40)
    said = ""
    while retries(d, **{"class": "retry"}) < want and time.monotonic() < until:
        # a batch has the position and wants the rollups; who has changed less is the victim: the rival brings ballast,
        # and gives all of it back
        said += Session(db, """START TRANSACTION;
INSERT INTO ballast SELECT seq FROM seq_1_to_3000;
UPDATE tally_rollup_names SET events = events + 1 ORDER BY site DESC, grain DESC, bucket DESC, `key` DESC, node DESC;
DO SLEEP(0.2);
UPDATE tally_position SET committed = 1;
ROLLBACK;
""" * 3).end(120)
    fig.fired = retries(d, **{"class": "retry"})
    fig.note = "the rival was the victim %d times" % said.count("1213")
    finish(scene, fig, d, load, [Maria(db)])


@row("17", "a rival holds a row longer than the lock wait; SQLite goes on")
def lock_wait(scene, fig):
    db, proxy, d, load = scene_of(scene, "write_timeout: 30s", sinks=[sqlite()])
    wait_for("rollup rows", lambda: number(db, "SELECT COUNT(*) FROM tally_rollup_total") > 0)
    rival = Session(db, "START TRANSACTION; SELECT COUNT(*) FROM tally_rollup_total FOR UPDATE; DO SLEEP(%d); ROLLBACK;" % (
        60 if full() else 7))
    wait_for("1205", lambda: retries(d, **{"class": "retry"}) > 0, 30)
    before = d.sqlite("SELECT COUNT(*) FROM tally_event")[0][0]
    wait_for("the other line to go on", lambda: d.sqlite("SELECT COUNT(*) FROM tally_event")[0][0] > before)
    equal(retries(d, "near"), 0, "retries of the other line")
    fig.fired = retries(d, **{"class": "retry"})
    rival.end(90)
    finish(scene, fig, d, load, [Maria(db), Sqlite(d)])


@row("18", "1020, record has changed (signalled: see the note)")
def snapshot_conflict(scene, fig):
    db, proxy, d, load = scene_of(scene)
    wait_for("rows", lambda: rows_of(db) > 0)
    db.sql("CREATE TRIGGER changed BEFORE INSERT ON tally_event FOR EACH ROW"
           " SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020, MESSAGE_TEXT = 'Record has changed'")
    wait_for("1020", lambda: retries(d, **{"class": "retry"}) > 2)
    db.sql("DROP TRIGGER changed")
    fig.fired = retries(d, **{"class": "retry"})
    fig.note = "a trigger sends the code: sessions of READ COMMITTED never meet it by themselves"
    finish(scene, fig, d, load, [Maria(db)])


@row("19", "read_only is set and taken back")
def read_only(scene, fig):
    db, proxy, d, load = scene_of(scene)
    for _ in range(5 if full() else 2):
        was = retries(d, **{"class": "reconnect"})
        db.sql("SET GLOBAL read_only = 1")
        wait_for("the refusals", lambda: retries(d, **{"class": "reconnect"}) > was + 1)
        stood = rows_of(db)
        load.wait_acked(50)
        equal(rows_of(db), stood, "rows while it is read-only")
        db.sql("SET GLOBAL read_only = 0")
        wait_for("rows again", lambda: rows_of(db) > stood, 60)
        fig.fired += 1
    equal(db.sql("SELECT COUNT(*) FROM tally_dead"), [["0"]], "dead letters")
    finish(scene, fig, d, load, [Maria(db)])


@row("19v", "no MariaDB at all, or one that is too old; then the right one")
def wrong_server(scene, fig):
    db = scene.mariadb()
    for version, extensions in (("8.0.36", 0), ("5.5.5-10.4.32-MariaDB-log", 0x1f)):
        server = Greeter(version, extensions)
        d = scene.tallyd(conf(maria(server.port, extra=PATIENT), sqlite()), "wrong-" + version)
        load = Load(d).start()
        load.wait_acked(300)
        want = "127.0.0.1:%d says it is %s" % (server.port, version.replace("5.5.5-", ""))
        wait_for("/readyz to name it", lambda: want in d.request("GET", "/readyz")[2].decode())
        status, _, text = d.request("GET", "/readyz")
        check(status == 503 and b"MariaDB of 10.5 or later is needed" in text, "the remedy: %d %r" % (status, text))
        check(retries(d, **{"class": "stop"}) > 0, "class stop")
        equal(server.said, [], "statements that it was sent")
        load.wait_acked(300)
        check(server.greeted < 20, "%d connections" % server.greeted)
        (site,) = d.json("GET", "/v1/ledger")[1]["sites"]
        equal([site["sinks"]["main"][k] for k in ("stored", "dead", "lost")], [0, 0, {}], "nothing is laid aside")
        fig.fired += server.greeted
        server.real = db.port
        d.tally("flush", ok=(0, 1))     # ends the wait
        finish(scene, fig, d, load, [Maria(db), Sqlite(d)])
        db.sql("DROP DATABASE tally; CREATE DATABASE tally CHARACTER SET utf8mb4", database="mysql")
        server.close()


@row("20", "max_allowed_packet becomes 64 KiB under way")
def small_packets(scene, fig):
    db, proxy, d, load = scene_of(scene, batches=3, size=300, visitors=5000)
    wait_for("rows", lambda: rows_of(db) > 500)
    db.sql("SET GLOBAL max_allowed_packet = 65536")
    load.wait_acked(1000)       # the old connection keeps its own limit
    proxy.cut()
    fig.fired = proxy.fired
    load.wait_acked(3000 if not full() else 100000, 300)
    for name in ("stop", "bad_row", "full"):
        equal(retries(d, **{"class": name}), 0, "retries of class " + name)
    equal(db.sql("SELECT COUNT(*) FROM tally_dead"), [["0"]], "dead letters")
    finish(scene, fig, d, load, [Maria(db)])


@row("21", "a row that is refused among 5000")
def poison(scene, fig):
    db, proxy, d, load = scene_of(scene, env={"TALLY_FAULT": "mariadb.send:1+:stall=0"}, batches=0, singles=0)
    load.stop()
    load.quit = False
    load.deliver(load.events(10))
    d.flush()
    db.sql("ALTER TABLE tally_event ADD CONSTRAINT no_poison CHECK (name <> 'poison')")
    tried = fired_in(d, "mariadb.send")
    events = load.events(5000)
    bad = events[random.randrange(5000)]
    bad["name"] = "poison"
    load.sent[bad["id"]] = Sent("poison", bad["visitor"], bad["value"])
    load.deliver(events)
    wait_for("the dead letter", lambda: number(db, "SELECT COUNT(*) FROM tally_dead") == 1)
    d.flush()
    tries = fired_in(d, "mariadb.send") - tried
    # twice two statements of events and one for each other table of the batch, and the search
    check(tries <= 2 * (2 + 6) + 13, "%d statements" % tries)
    equal(retries(d, **{"class": "bad_row"}), 1, "refusals")
    fig.fired, fig.note = 1, "%d statements in all" % tries
    load2 = Load(d).start()
    load2.wait_acked(200)
    # more than 1 % of all of them: a schema error, nothing dies of it
    worse = load2.events(2000)
    for e in worse[::10]:
        e["name"] = "poison"
        load2.sent[e["id"]] = Sent("poison", e["visitor"], e["value"])
    load2.deliver(worse)
    wait_for("the stop", lambda: retries(d, **{"class": "stop"}) > 0)
    check(b"1 %" in d.request("GET", "/readyz")[2], "readyz: %r" % d.request("GET", "/readyz")[2])
    equal(number(db, "SELECT COUNT(*) FROM tally_dead"), 1, "dead letters")
    db.sql("ALTER TABLE tally_event DROP CONSTRAINT no_poison")
    load2.wait_acked(50)
    load2.stop()
    fig.recovery_s = wait_ready(d)
    verify(d, [load, load2], [Maria(db)], fig)
    d.stop()


DRIFTS = (
    ("ALTER TABLE tally_event DROP COLUMN referrer",
     "ALTER TABLE tally_event ADD COLUMN referrer TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL AFTER page", b"referrer"),
    ("RENAME TABLE tally_rollup_names TO aside", "RENAME TABLE aside TO tally_rollup_names", b"tally_rollup_names"),
    ("ALTER TABLE tally_event DROP INDEX tally_index", "ALTER TABLE tally_event ADD INDEX tally_index (site, time)", b"tally_index"),
    ("REVOKE ALL ON tally.* FROM tally@'127.0.0.1'", "GRANT ALL ON tally.* TO tally@'127.0.0.1'", b"GRANT"),
)


@row("22", "schema drift and lost rights: stops, nothing dies, goes on when mended")
def drift(scene, fig):
    db, proxy, d, load = scene_of(scene)
    wait_for("rows", lambda: rows_of(db) > 0)
    for change, back, words in DRIFTS:
        was = retries(d, **{"class": "stop"})
        db.sql(change)
        proxy.cut()     # what a prepared statement does not notice, the next connection does
        wait_for("the stop after " + change, lambda: retries(d, **{"class": "stop"}) > was + 1)    # and again: nobody makes it anew
        wait_for("readyz to say it", lambda: words in d.request("GET", "/readyz")[2])
        equal(d.request("GET", "/readyz")[0], 503, "readyz")
        load.wait_acked(50)
        db.sql(back)
        d.tally("flush", ok=(0, 1))
        wait_ready(d)
        fig.fired += 1
    equal(number(db, "SELECT COUNT(*) FROM tally_dead"), 0, "dead letters")
    finish(scene, fig, d, load, [Maria(db)])


def busiest_second(times, begin):
    times = [t for t in times if t >= begin]
    return max((sum(1 for u in times if t <= u < t + 1) for t in times), default=0)


@row("23", "MariaDB frozen, killed, restarted; SQLite and the doors go on; no herd")
def outages(scene, fig):
    db, proxy, d, load = scene_of(scene, sinks=[sqlite()])
    begin = time.monotonic()

    def others_go_on():
        stored = d.sqlite("SELECT COUNT(*) FROM tally_event")[0][0]
        load.wait_acked(100)
        wait_for("the other line to go on", lambda: d.sqlite("SELECT COUNT(*) FROM tally_event")[0][0] >= stored + 100)

    db.process.child.send_signal(signal.SIGSTOP)
    wait_for("the frozen server to be given up", lambda: retries(d) > 0, 90)     # a reader: its limit, and 5 s
    others_go_on()
    time.sleep(60 if full() else 1)
    db.process.child.send_signal(signal.SIGCONT)
    wait_ready(d)
    db.process.kill()
    others_go_on()
    wait_for("readyz to say it", lambda: d.request("GET", "/readyz")[0] == 503)
    db.start()
    wait_ready(d)
    db.stop()
    db.start()
    fig.fired = 3
    equal(retries(d, "near"), 0, "retries of the other line")
    load.wait_acked(50)
    load.stop()
    fig.recovery_s = wait_ready(d)
    busiest = busiest_second(proxy.connects, begin)
    fig.note = "at most %d connects a second, slowest answer %.2f s" % (busiest, load.slowest_s)
    check(busiest <= CONNECTS_A_SECOND, "a herd: %d connects in a second" % busiest)
    verify(d, [load], [Maria(db), Sqlite(d)], fig)
    d.stop()


@row("23r", "at a start the counts of the store cannot be read")
def counts_unread(scene, fig):
    """What is lost and what balances is reckoned from them: a line that does not know them does not begin."""
    db, proxy, d, load = scene_of(scene)
    load.wait_acked(200)
    load.stop()
    d.flush()
    d.stop()
    rule = proxy.on(b"`tally_ledger` l JOIN", "lose", times=2)
    d.start()
    wait_for("the question to be lost", lambda: rule.times == 0, 30)
    began = time.monotonic()
    more = Load(d).start()
    more.wait_acked(100)
    more.stop()
    fig.recovery_s = wait_ready(d)
    d.flush()
    fig.recovery_s = time.monotonic() - began
    fig.fired = proxy.fired
    (site,) = d.json("GET", "/v1/ledger")[1]["sites"]
    equal(site["sinks"]["main"].get("balance"), 0, "balance of a store whose counts are known: %r" % site)
    verify(d, [load, more], [Maria(db)], fig)
    d.stop()


@row("24", "prepared statements lost between two executes")
def statements_lost(scene, fig):
    db, proxy, d, load = scene_of(scene, env={"TALLY_FAULT": "mariadb.rows:40:stall=4000"})
    wait_for("the pause in the middle of a batch", lambda: fired_in(d, "mariadb.rows") == 1)
    db.process.kill()
    db.start()
    stood = rows_of(db)
    wait_for("rows again", lambda: rows_of(db) > stood)
    fig.fired = fired_in(d, "mariadb.rows")
    check(number(db, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'COM_STMT_PREPARE'") > 0,
          "statements of the new server")
    finish(scene, fig, d, load, [Maria(db)])


@row("55", "counters near the ends of their range")
def ends_of_range(scene, fig):
    db, proxy, d, load = scene_of(scene)
    wait_for("rows", lambda: rows_of(db) > 0)
    load.stop()
    d.flush()
    top = 2 ** 63 - 1
    db.sql("UPDATE tally_rollup_total SET events = %d, sum_value = 1.7976931348623157e308, count_value = %d" % (top - 1, top))
    db.sql("UPDATE tally_rollup_names SET events = %d" % top)
    db.sql("UPDATE tally_ledger SET stored = %d" % (top - 3))
    d = restart_in(d)
    load2 = Load(d).start()
    load2.wait_acked(300)
    load2.stop()
    d.flush()
    fig.fired = 1
    got = db.sql("SELECT MAX(events), MIN(events) >= 0, MAX(sum_value) >= 1.7e308, MIN(count_value) >= 0 FROM tally_rollup_total")
    equal(got, [[str(top), "1", "1", "1"]], "the rollup")
    equal(db.sql("SELECT MAX(events), MIN(events) >= 0 FROM tally_rollup_names"), [[str(top), "1"]], "the other rollup")
    equal(db.sql("SELECT MAX(stored) FROM tally_ledger"), [[str(top)]], "the ledger's row")
    for name in ("stop", "bad_row", "full", "retry"):
        equal(retries(d, **{"class": name}), 0, "retries of class " + name)
    equal(d.request("GET", "/v1/ledger")[0], 200, "the ledger answers")
    ids = [r[0] for r in db.sql("SELECT id FROM tally_event")]
    acked = set(load.acked) | set(load2.acked)
    fig.sent, fig.acked, fig.stored = len(load.sent) + len(load2.sent), len(acked), len(ids)
    fig.duplicates, fig.lost = len(ids) - len(set(ids)), len(acked - set(ids))
    d.stop()


def restart_in(d):
    restart(d)
    wait_ready(d)
    return d


if __name__ == "__main__":
    main()
