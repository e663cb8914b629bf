#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make soak: faults picked at random, for as long as asked (SOAK_MINUTES, default 30), by a seed that is printed and can be given back
(TALLY_SEED). One daemon with three lines (MariaDB, SQLite, file) behind proxies, HTTP senders and a Redis producer all the time; about
every two minutes the load rests and everything is compared. At the end one line a fault: how often it fired."""

import collections
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rig import (HEAD, SEED, Failed, Figures, Lines, Load, Maria, Proxy, Row, Scene, Sqlite, check, conf,  # noqa: E402
                 file_sink, line_of, maria, rss_kib, sqlite, verify, wait_for, writes_commit)

ROUND_S = 120
RSS_CAP_KIB = 600 * 1024


class World:
    def __init__(self, scene):
        self.scene = scene
        self.db, self.redis = scene.mariadb(), scene.redis()
        self.to_db, self.to_redis = Proxy(self.db.port, "mysql"), Proxy(self.redis.port, "redis")
        self.d = scene.tallyd(conf(
            sqlite(), maria(self.to_db.port), file_sink(scene.path("lines-%H.ndjson")), redis=self.to_redis.port))
        self.stores = [Maria(self.db), Sqlite(self.d), Lines(scene.path("lines-*.ndjson"))]
        self.loads = []

    def load(self):
        self.loads.append(Load(self.d, self.redis, batches=2, pause=0.01).start())

    def seams(self, faults):
        """Restarts the daemon with these armed, lets them fire, and arms nothing at the next start."""
        self.d.kill()
        self.d.env = {"TALLY_FAULT": faults}
        try:
            self.d.start()
        except Failed:
            check(not self.d.process.alive(), "a daemon with seams neither answers nor ends")   # one fired before it answered
        self.d.env = None


# ---- the faults: each ends with the world whole again ----

def kill_daemon(w):
    w.d.kill()
    w.d.start()


def term_daemon(w):
    w.d.stop(60)
    w.d.start()


def freeze_daemon(w):
    pid = w.d.process.child.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(random.uniform(0.2, 12))     # past the lease, now and then
    os.kill(pid, signal.SIGCONT)


def reload_daemon(w):
    for _ in range(random.randint(1, 20)):
        w.d.process.child.send_signal(signal.SIGHUP)
        time.sleep(random.uniform(0, 0.05))


def kill_mariadb(w):
    w.db.process.kill()
    time.sleep(random.uniform(0, 4))
    w.db.start()


def freeze_mariadb(w):
    pid = w.db.process.child.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(random.uniform(0.2, 8))
    os.kill(pid, signal.SIGCONT)


def kill_connections(w):
    for _ in range(random.randint(1, 20)):
        for (pid,) in w.db.sql("SELECT id FROM information_schema.processlist WHERE user = 'tally'", "mysql"):
            try:
                w.db.sql("KILL %s %s" % (random.choice(["CONNECTION", "QUERY"]), pid), "mysql")
            except Exception:   # it has gone meanwhile
                pass
        time.sleep(0.05)


def read_only(w):
    w.db.sql("SET GLOBAL read_only = 1", "mysql")
    time.sleep(random.uniform(0.2, 5))
    w.db.sql("SET GLOBAL read_only = 0", "mysql")


def small_packets(w):
    w.db.sql("SET GLOBAL max_allowed_packet = 65536", "mysql")
    w.to_db.cut()
    time.sleep(random.uniform(0.5, 3))
    w.db.sql("SET GLOBAL max_allowed_packet = 16777216", "mysql")
    w.to_db.cut()


def lose_commit(w):
    w.to_db.on(writes_commit, random.choice(["lose", "lose_answer"]), times=random.randint(1, 4))
    time.sleep(1)


def cut_mariadb(w):
    for _ in range(random.randint(1, 10)):
        w.to_db.cut()
        time.sleep(random.uniform(0, 0.2))


def kill_redis(w):
    w.redis.process.kill()
    time.sleep(random.uniform(0, 3))
    w.redis.start()


def freeze_redis(w):
    pid = w.redis.process.child.pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(random.uniform(0.2, 6))
    os.kill(pid, signal.SIGCONT)


def lose_script(w):
    w.to_redis.on(b"EVAL", random.choice(["lose", "lose_answer", "delay_answer=2"]), times=random.randint(1, 4))
    time.sleep(1)


def cut_redis(w):
    for _ in range(random.randint(1, 10)):
        w.to_redis.cut()
        time.sleep(random.uniform(0, 0.2))


def failing_disk(w):
    n = random.randint(5, 60)
    w.seams(",".join("%s:%d:%s" % (name, n + k * random.randint(3, 9), act) for k, (name, act) in enumerate([
        ("spool.sync", "EIO"), ("spool.write", "ENOSPC"), ("spool.write", "short"), ("spool.sync", "stall=300")])))
    time.sleep(2)
    check(w.d.process.alive(), "a failing disk ended the daemon")


def die_at_a_step(w):
    step = random.choice(["redis.settle", "redis.settled", "redis.pended", "mariadb.commit", "mariadb.committed",
                          "sqlite.commit", "sqlite.committed", "file.commit", "file.committed", "spool.write"])
    w.seams("%s:%d:kill" % (step, random.randint(1, 8)))
    until = time.monotonic() + 5
    while w.d.process.alive() and time.monotonic() < until:
        time.sleep(0.05)
    w.d.kill()
    w.d.start()


FAULTS = [kill_daemon, term_daemon, freeze_daemon, reload_daemon, kill_mariadb, freeze_mariadb, kill_connections, read_only,
          small_packets, lose_commit, cut_mariadb, kill_redis, freeze_redis, lose_script, cut_redis, failing_disk,
          die_at_a_step]


# ---- rounds ----

def found_done(d):
    with open(d.process.log, errors="replace") as f:
        return sum("was found done" in text for text in f)


def one_round(w, fired, until):
    w.load()
    end = min(until, time.monotonic() + ROUND_S)
    while time.monotonic() < end:
        fault = random.choice(FAULTS)
        fault(w)
        fired[fault.__name__] += 1
        time.sleep(random.uniform(0.1, 2))
    load = w.loads[-1]
    wait_for("the daemon", lambda: w.d.process.alive(), 30)
    load.stop(120)


def compare(w, fig):
    began = time.monotonic()
    w.to_db.clear()
    w.to_redis.clear()
    verify(w.d, w.loads, w.stores, fig, w.redis)
    fig.recovery_s = max(fig.recovery_s or 0, time.monotonic() - began)


def main():
    random.seed(SEED)
    minutes = float(os.environ.get("SOAK_MINUTES") or 30)
    print("seed %d, %g minutes" % (SEED, minutes))
    scene, fig, fired, failed = Scene(), Figures(), collections.Counter(), True
    began = time.monotonic()
    try:
        w = World(scene)
        rounds, rss = 0, []
        while time.monotonic() - began < minutes * 60:
            one_round(w, fired, began + minutes * 60)
            compare(w, fig)
            rounds += 1
            rss.append(rss_kib(w.d))
            check(rss[-1] < RSS_CAP_KIB, "resident memory is %d KiB" % rss[-1])
            print("round %d: sent %d  acked %d  stored %d  duplicates %d  lost %d  rss %d KiB  %d s" % (
                rounds, fig.sent, fig.acked, fig.stored, fig.duplicates, fig.lost, rss[-1], time.monotonic() - began))
            sys.stdout.flush()
        fig.fired = sum(fired.values())
        fig.note = "%d rounds; a COMMIT without an answer found done %d times" % (rounds, found_done(w.d))
        failed, result = False, "ok"
    except Exception as why:    # noqa: BLE001
        result = "FAILED: %r" % why
    finally:
        print("%-24s %s" % ("fault", "fired"))
        for fault in FAULTS:
            print("%-24s %d" % (fault.__name__, fired[fault.__name__]))
        print(HEAD)
        print(line_of(Row("soak", "faults at random", None), fig, result))
        sys.stdout.flush()
        scene.close(failed)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
