#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis lists, what the matrix does not name: strangers at the end that is read, a Redis that forgot, elements that cannot be
read, what Redis refuses, a spool that takes nothing, a long list. Nothing is deduplicated here: what is taken twice is stored
twice, and seen."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lists import ACKED, DEAD, Pusher, Stranger, daemon, drained, finish, plain, status, trouble  # noqa: E402
from rig import (  # noqa: E402
    LIST, SOURCE, Load, Proxy, Redis, Sqlite, check, compare_ledger, conf, equal, full, main, program, row, rss_kib, sqlite,
    verify, wait_for, wait_stored)


# ---- strangers ----

def strangers(scene, fig, end):
    redis = scene.redis()
    d = daemon(scene, redis.port, list_extra="end: %s" % end)
    load = Pusher(redis, end).start()
    other = Stranger(redis, load, end)
    other.start()
    wait_for("batches that moved", lambda: status(d)["moved"] >= (50 if full() else 5), 60, 0.1)
    fig.fired = status(d)["moved"]
    load.stop()
    other.stop()
    drained(redis, d)
    verify(d, [load], [Sqlite(d)], fig, redis)
    stored = {r[0] for r in Sqlite(d).events()}
    both = stored & other.popped
    check(not both, "%d were popped by a stranger and stored too" % len(both))
    fig.note = "%d popped by the stranger" % len(other.popped)
    d.stop()


@row("R1", "strangers push and pop at the left end that is read")
def strangers_left(scene, fig):
    strangers(scene, fig, "left")


@row("R2", "the same at the right end")
def strangers_right(scene, fig):
    strangers(scene, fig, "right")


# ---- Redis that went back ----

def snapshot(redis, scene, name):
    """The append-only files as they are at this moment: what a backup holds."""
    shutil.copytree(os.path.join(scene.path(redis.name), "appendonlydir"), scene.path(name))


def restore(redis, scene, name):
    redis.process.kill()
    live = os.path.join(scene.path(redis.name), "appendonlydir")
    shutil.rmtree(live)
    shutil.copytree(scene.path(name), live)
    redis.start()


@row("R3", "Redis restored from an older copy")
def restored(scene, fig):
    """The copy is made while elements stand in the list that are taken before it comes back."""
    redis = scene.redis()
    d = daemon(scene, redis.port)
    load = Pusher(redis).push_all(3000)
    drained(redis, d)
    for turn in range(3):
        kept = (3000, 0, 700)[turn]
        d.process.child.send_signal(signal.SIGSTOP)
        load.push_all(kept)
        snapshot(redis, scene, "copy%d" % turn)
        d.process.child.send_signal(signal.SIGCONT)
        load.push_all(1500)
        drained(redis, d)
        if turn == 2:
            d.kill()    # and what was released last is found in the spool
        restore(redis, scene, "copy%d" % turn)
        equal(redis.command("LLEN", LIST), kept, "elements that are there again") if turn == 2 else None
        if turn == 2:
            d.start()
        wait_for("it to be seen", lambda: status(d)["went_back"] >= (1 if turn == 2 else turn + 1), 20)
        load.push_all(500)
        fig.fired += 1
        drained(redis, d)
    verify(d, [load], [Sqlite(d)], fig, redis)
    d.stop()


@row("R3b", "Redis gone back twice, the second time to before it was noticed")
def gone_back_twice(scene, fig):
    """What it lost the first time stands in a batch beside what it kept; behind that batch come those taken since, which it has
    again the second time."""
    redis = scene.redis()
    d = daemon(scene, redis.port)
    load = Pusher(redis).push_all(1000)
    drained(redis, d)
    d.process.child.send_signal(signal.SIGSTOP)
    load.push_all(3000)
    snapshot(redis, scene, "first")
    lost = Pusher(redis)
    lost.push_all(1500)
    d.process.child.send_signal(signal.SIGCONT)
    drained(redis, d)
    d.process.child.send_signal(signal.SIGSTOP)
    restore(redis, scene, "first")
    load.push_all(800)
    snapshot(redis, scene, "second")
    d.process.child.send_signal(signal.SIGCONT)
    drained(redis, d)
    equal(status(d)["trimmed"], 3000, "elements known again")
    d.process.child.send_signal(signal.SIGSTOP)  # or it has trimmed some before they are counted
    restore(redis, scene, "second")
    equal(redis.command("LLEN", LIST), 3800, "elements that are there again")
    d.process.child.send_signal(signal.SIGCONT)
    wait_for("it to be seen", lambda: status(d)["went_back"] == 2, 20)
    load.push_all(500)
    fig.fired = 2
    drained(redis, d)
    equal(status(d)["trimmed"], 6800, "elements known again")
    verify(d, [load, lost], [Sqlite(d)], fig, redis)
    d.stop()


@row("R4", "a replica promoted that had not heard the last writes")
def failover_behind(scene, fig):
    """What the master tells its replica is held back while the list is read on; then the master dies."""
    redis = scene.redis()
    between, proxy = Proxy(redis.port), Proxy(redis.port, "redis")
    replica = Redis(scene, "replica", ["--replicaof", "127.0.0.1 %d" % between.port])
    now = [redis]
    d = daemon(scene, proxy.port)
    load = Pusher(redis, at=lambda: now[0])
    wait_for("the replica", lambda: "master_link_status:up" in replica.command("INFO", "replication"), 20)
    load.push_all(1000)
    drained(redis, d)
    d.process.child.send_signal(signal.SIGSTOP)
    load.push_all(2000)
    wait_for("the replica to hear", lambda: replica.command("LLEN", LIST) == 2000, 20)
    between.freeze()
    d.process.child.send_signal(signal.SIGCONT)
    drained(redis, d)
    redis.process.kill()
    replica.command("REPLICAOF", "NO", "ONE")
    equal(replica.command("LLEN", LIST), 2000, "elements that came back")
    now[0], proxy.upstream = replica, replica.port
    load.push_all(500)
    fig.fired = 1
    drained(replica, d)
    equal((status(d)["went_back"], status(d)["trimmed"]), (1, 2000), "times that it went back, and elements known")
    verify(d, [load], [Sqlite(d)], fig, replica)
    d.stop()


# ---- elements that cannot be read ----

@row("R5", "elements that cannot be read, too large, of many bad events")
def unreadable(scene, fig):
    redis = scene.redis()
    d = daemon(scene, redis.port)
    load = Pusher(redis)
    bad = [b"{", b"[]", b"\xff\xfe", b'{"name":""}', b"", b'[{"name":"a","id":"x1"},{"name":""},{"nom":1}]']
    many = json.dumps([{"name": ""}] * 9000).encode()
    huge = b'{"name":"h","props":{"a":"' + b"x" * (9 << 20) + b'"}}'
    for element in bad + [many, huge]:
        load.push_all(200)
        redis.command("RPUSH", LIST, element)
        fig.fired += 1
    load.push_all(200)
    drained(redis, d)
    d.flush()
    equal(d.sqlite("SELECT COUNT(*) FROM tally_event WHERE id = 'x1'")[0][0], 1, "the good event of a bad array")
    d.flush()
    ids = {r[0] for r in d.sqlite("SELECT id FROM tally_event")}
    fig.sent = fig.acked = len(load.acked)
    fig.lost, fig.stored = len(set(load.acked) - ids), len(ids)
    fig.duplicates = d.sqlite("SELECT COUNT(*) - COUNT(DISTINCT id) FROM tally_event")[0][0]
    dead = redis.command("LRANGE", DEAD, 0, -1)
    reasons = [json.loads(e)["reason"] for e in dead if len(e) < 9 << 20]
    equal(len(dead), len(bad) + 3, "entries of the dead list: %r" % reasons)
    equal(reasons.count("too_large"), 1, "the note before the large element")
    equal(len(dead[-1]), len(huge), "the large element, whole")
    equal(json.loads(dead[len(bad)])["rejected"], 9000, "events counted in the one entry of the bad array")
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "ledger")
    d.stop()


# ---- refusals ----

@row("R6", "what Redis refuses is said, and over when it is mended")
def refusals(scene, fig):
    redis = scene.redis()
    redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    d = daemon(scene, redis.port)
    load = Pusher(redis).push_all(300)
    trouble(d, "noeviction")
    redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    drained(redis, d)
    for key in (LIST, ACKED):
        kind = redis.command("TYPE", key)
        moved = kind != "none" and redis.command("RENAME", key, key + ":away") == "OK"
        redis.command("SET", key, "a string")
        redis.command("RPUSH", LIST, '{"name":""}') if key != LIST else None    # an idle source does not touch its note
        trouble(d, "WRONGTYPE")
        redis.command("DEL", key)
        if moved:
            redis.command("RENAME", key + ":away", key)
        load.push_all(300)
        drained(redis, d)
        fig.fired += 1
    redis.command("RENAME", DEAD, DEAD + ":away")
    redis.command("SET", DEAD, "a string")
    redis.command("RPUSH", LIST, "not json")
    load.push_all(300)
    trouble(d, "WRONGTYPE")
    redis.command("RENAME", DEAD + ":away", DEAD)
    drained(redis, d)
    equal(redis.command("LLEN", DEAD), 2, "entries of the dead list")
    redis.command("CONFIG", "SET", "requirepass", "secret")
    cut(redis, "secret")
    trouble(d, "write the password into the url")
    with socket.create_connection(("127.0.0.1", redis.port), 5) as s:
        redis.on(s, "AUTH", "secret")
        redis.on(s, "CONFIG", "SET", "requirepass", "")
    fig.fired += 2
    load.push_all(300)
    finish(d, load, redis, fig)


def cut(redis, password):
    with socket.create_connection(("127.0.0.1", redis.port), 5) as s:
        redis.on(s, "AUTH", password)
        redis.on(s, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@row("R7", "a user that may not trim, or not note: nothing is half done")
def no_permission(scene, fig):
    redis = scene.redis()
    redis.command("ACL", "SETUSER", "t", "on", ">p", "~*", "+@all", "-ltrim")
    text = plain(conf(sqlite(), redis=redis.port)).replace("redis://", "redis://t:p@")
    load = Pusher(redis).push_all(500)
    d = scene.tallyd(text)
    for forbidden in ("ltrim", "hset", "eval"):
        redis.command("ACL", "SETUSER", "t", "+@all", "-" + forbidden)
        trouble(d, "may not do that")
        time.sleep(0.3)
        check(redis.command("LLEN", LIST) >= 500, "something was taken")
        equal(status(d)["events"], 0, "events released")
        fig.fired += 1
    redis.command("ACL", "SETUSER", "t", "reset", "on", ">p", *documented_rights())
    redis.command("RPUSH", LIST, "{", "x" * (9 << 20))
    load.push_all(500)
    load.stop()
    drained(redis, d)
    equal(redis.command("LLEN", DEAD), 3, "entries of the dead list")
    finish(d, load, redis, fig)


def documented_rights():
    """What docs/redis.md says that a user needs is enough."""
    with open(os.path.join(SOURCE, "docs", "redis.md")) as f:
        words = re.search(r"`ACL SETUSER tally on >\S+ ([^`]*)`", f.read()).group(1).split()
    check("+ltrim" in words, "rights in docs/redis.md: %r" % words)
    return words


@row("R8", "a replica is not read; a Redis at its maxmemory is")
def replica_and_full(scene, fig):
    redis = scene.redis()
    load = Pusher(redis, pad=1000).push_all(2000)
    replica = Redis(scene, "replica", ["--replicaof", "127.0.0.1 %d" % redis.port])
    wait_for("the replica", lambda: replica.command("LLEN", LIST) == 2000, 20)
    d = daemon(scene, replica.port)
    trouble(d, "is a replica")
    replica.process.kill()
    d.stop()
    redis.command("CONFIG", "SET", "maxmemory", "1mb")
    try:
        redis.command("SET", "one", "more")
        check(False, "Redis is not full")
    except Exception as why:
        check("OOM" in str(why), str(why))
    d.configure(plain(conf(sqlite(), redis=redis.port)))
    d.start()
    fig.fired = 2
    finish(d, load, redis, fig)


@row("R9", "the spool full: not reading, and says so")
def spool_full(scene, fig):
    redis = scene.redis()
    db = scene.path("nowhere", "x.db")
    d = scene.tallyd(plain(conf("sqlite: { name: near, path: %s, flush: 50ms }" % db, redis=redis.port,
                                spool="{ segment: 256KiB, max: 1MiB, retain: 0s }")))
    load = Pusher(redis, pad=200).push_all(12000 if full() else 5000)
    trouble(d, "not reading", 30)
    waiting = redis.command("LLEN", LIST)
    check(waiting > 1000, "the list was read on: %d left" % waiting)
    fig.fired = 1
    os.mkdir(scene.path("nowhere"))
    began = time.monotonic()
    drained(redis, d, 90)
    fig.recovery_s = time.monotonic() - began
    verify(d, [load], [Sqlite(d, path=db)], fig, redis)
    d.stop()


def cut_in_two(d):
    """The spool's oldest record is a RELEASE whose batch went with the segment before."""
    out = subprocess.run([program("tally"), "spool", "dump", "-d", d.data, "--json"], capture_output=True, text=True).stdout
    records = [json.loads(text) for text in out.splitlines()]
    begin = records[0]["lsn"]
    return any(r["type"] == "RELEASE" and r["of"] < begin and r["taken"] for r in records)


@row("R9b", "a line begins where a batch is gone and its RELEASE is not")
def release_alone(scene, fig):
    """What the batch held cannot be had any more, and is counted as what went before it."""
    redis = scene.redis()
    spool = "{ segment: 64KiB, max: 8MiB, retain: 0s }"
    d = scene.tallyd(plain(conf(sqlite(), redis=redis.port, spool=spool)))
    loads = []
    while not fig.fired:
        check(len(loads) < 60, "no segment began between a batch and its RELEASE")
        loads.append(Load(d, redis, batches=1, pause=0).start())  # what comes over HTTP comes in between
        loads[-1].wait_acked(1000)
        loads[-1].stop()
        drained(redis, d)
        d.flush()
        d.stop()
        fig.fired += cut_in_two(d)
        if not fig.fired:
            d.start()
    d.configure(plain(conf(sqlite(), sqlite("second", extra="prefix: b_"), redis=redis.port, spool=spool)))
    d.start()
    wait_stored(d)
    (site,) = compare_ledger(d, [])["sites"]
    second = site["sinks"]["second"]
    check(second["before"] > 0 and second["stored"] > 0, "a new line: %r" % second)
    equal(second["before"] + second["stored"], site["taken"], "before + stored")
    equal(second["lost"], {}, "lost to a line that is new")
    fig.note = "%d rounds until one did" % len(loads)
    verify(d, loads, [Sqlite(d)], fig, redis)
    d.stop()


# ---- a long list ----

@row("R10", "a long list drains while producers push")
def long_list(scene, fig):
    n = 1000000 if full() else 50000
    redis = scene.redis("redis", ["--appendfsync", "everysec"])
    load = Pusher(redis, pause=0.01)
    load.push_all(n, 2000)
    d = daemon(scene, redis.port, spool="{ segment: 16MiB, retain: 0s }")
    began, early = time.monotonic(), 0
    load.start()
    while redis.command("LLEN", LIST) > 1000:
        early = early or (status(d)["events"] > n / 10 and rss_kib(d))
        check(time.monotonic() - began < 900, "it does not drain")
        time.sleep(0.2)
    took, late = time.monotonic() - began, rss_kib(d)
    load.stop()
    fig.fired, fig.recovery_s = n, took
    finish(d, load, redis, fig)
    check(late < (early or late) * 1.5 + 65536, "memory grew from %d to %d KiB" % (early, late))
    fig.note = "%d/s, RSS %d MiB after a tenth, %d MiB at the end" % (n / took, (early or 0) / 1024, late / 1024)


if __name__ == "__main__":
    main()
