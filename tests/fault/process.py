#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What happens to the process itself: ids across restarts, the wall clock, allocations and sockets that fail, signals,
descriptors. Rows with names of their own (P1 …) are not in the numbered matrix."""

import http.client
import json
import mmap
import os
import random
import resource
import signal
import socket
import sqlite3
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rig import (  # noqa: E402
    BUILD, LIST, Failed, Load, Maria, Skip, Sqlite, Tallyd, check, conf, equal, fired_in, full, main, maria, need_data,
    program, row, sqlite, taken, verify, wait_for, wait_ready, wait_stored)

FOREVER = "retention: { minute: forever }\n"


# ---- the library that makes calls fail (tests/fault/shim.c) ----

ERRNO, SHORT, STALL, SWALLOW, CUT = 1, 2, 3, 4, 5
EPIPE, ENOMEM, EMFILE, ECONNABORTED, ECONNRESET, ECONNREFUSED = 32, 12, 24, 103, 104, 111


class Shim:
    FORM = struct.Struct("<16sIIiIQQQ8x")

    def __init__(self, scene):
        library = os.path.join(BUILD, "tests", "fault", ".libs", "shim.so")
        with open(program("tallyd"), "rb") as f:
            text = f.read()
            if b"__asan_init" in text or b"__tsan_init" in text:
                raise Skip("a sanitized build has an allocator of its own")
        check(os.path.exists(library), "%s is not built" % library)
        self.path = scene.path("shim.%d" % random.randrange(1 << 30))
        with open(self.path, "wb") as f:
            f.write(bytes(1024))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 1024)
        self.env = {"LD_PRELOAD": library, "TALLY_SHIM": self.path}

    def read(self, i):
        """passed, fired"""
        return self.FORM.unpack_from(self.map, 64 * i)[6:8]

    def arm(self, i, name, action, value=0, at=1, every=0, port=0):
        """The at-th passing from now on, and each every-th behind it."""
        passed, fired = self.read(i)
        self.FORM.pack_into(self.map, 64 * i, name.encode(), port, 0, value, every, passed + at, passed, fired)
        struct.pack_into("<I", self.map, 64 * i + 20, action)

    def disarm(self, i):
        struct.pack_into("<I", self.map, 64 * i + 20, 0)

    def fired(self):
        return sum(self.read(i)[1] for i in range(16))


# ---- small helpers ----

def post(d, events, port=None):
    """The answer of a request that must be taken, sent until it is."""
    body = "\n".join(json.dumps(e) for e in events)
    for _ in range(400):
        try:
            status, _, text = d.request("POST", "/v1/events", body)
            if status == 200:
                return json.loads(text)
            check(status in (429, 503), "a sender was told %d %r" % (status, text[:200]))
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.02)
    raise Failed("never taken")


def some(prefix, n, first=0):
    return [{"name": "n", "id": "%s-%d" % (prefix, i), "visitor": "v%d" % (i % 9), "value": i % 5} for i in range(first, first + n)]


def stored_ids(d):
    return [r[0] for r in Sqlite(d).rows("SELECT id FROM tally_event")]


def once_each(d, ids, fig):
    wait_stored(d)
    got = stored_ids(d)
    fig.sent, fig.acked, fig.stored = len(ids), len(ids), len(got)
    fig.lost, fig.duplicates = len(set(ids) - set(got)), len(got) - len(set(got))
    check(fig.lost == 0, "%d of %d events are missing" % (fig.lost, len(ids)))
    check(fig.duplicates == 0, "%d stored twice" % fig.duplicates)
    equal(d.sqlite("SELECT SUM(events) FROM tally_rollup_total WHERE grain = 2")[0][0], len(got), "rollup")
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- dedup ----

@row("P1", "ids across kill -9, TERM, HTTP and Redis, pending, void")
def ids_across_restarts(scene, fig):
    redis = scene.redis()
    d = scene.tallyd(conf(sqlite(), redis=redis.port))
    web, listed = some("web", 40), some("list", 40)
    equal(post(d, web)["accepted"], 40, "accepted")
    redis.push(LIST, [json.dumps(e) for e in listed])
    wait_for("the list", lambda: redis.command("LLEN", LIST) == 0)

    def again(what):
        answer = post(d, web)
        equal((answer["accepted"], answer["duplicates"]), (0, 40), "%s: what came over HTTP" % what)
        wait_for("the batch", lambda: post(d, listed)["duplicates"] == 40 or None, 10)
        redis.push(LIST, [json.dumps(e) for e in web + listed])
        wait_for("the list", lambda: redis.command("LLEN", LIST) == 0)
        fig.fired += 1
    again("before a restart")
    for _ in range(10 if full() else 3):
        d.kill()
        d.start()
        again("after kill -9")
        d.stop()
        d.start()
        again("after TERM")
    # the same ids over HTTP while their batch is pending: whoever is admitted first, they are stored once
    d.stop()
    d.env = {"TALLY_FAULT": "redis.pended:1:stall=800"}
    d.start()
    pending = some("pending", 20)
    redis.push(LIST, [json.dumps(e) for e in pending])
    wait_for("the pending record", lambda: fired_in(d, "redis.pended"), 10)
    answer = post(d, pending)
    equal((answer["accepted"], answer["duplicates"]), (20, 0), "a pending batch is not known yet")
    wait_for("the list", lambda: redis.command("LLEN", LIST) == 0)
    fig.fired += fired_in(d, "redis.pended")
    # somebody else takes the elements away meanwhile: the batch is void, and its ids were never seen
    d.stop()
    d.env = {"TALLY_FAULT": "redis.pended:1:stall=800"}
    before = fired_in(d, "redis.pended")
    d.start()
    void = some("void", 20)
    redis.push(LIST, [json.dumps(e) for e in void])
    wait_for("the pending record", lambda: fired_in(d, "redis.pended") > before, 10)
    redis.command("DEL", LIST)
    wait_for("the void", lambda: "reading again" in d.process.tail(200), 10)
    equal(post(d, void)["accepted"], 20, "ids of a void batch are new")
    d.kill()
    d.env = None
    d.start()
    equal(post(d, void)["duplicates"], 20, "and known from then on")
    ids = [e["id"] for e in web + listed + pending + void]
    time.sleep(0.2)
    once_each(d, ids, fig)
    d.stop()


def forgotten(d):
    for line in d.request("GET", "/metrics")[2].decode().splitlines():
        if line.startswith("tally_plugin_count_total") and 'plugin="dedup"' in line and 'name="forgotten_early"' in line:
            return float(line.split()[-1])
    return 0


@row("P2", "more ids than memory holds")
def memory_bound(scene, fig):
    d = scene.tallyd(conf(sqlite(), dedup="window: 30m, memory: 1MiB"))
    holds = (1 << 20) // 46
    total = holds + 5000
    ids = some("m", total)
    for i in range(0, total, 5000):
        answer = post(d, ids[i:i + 5000])
        equal(answer["duplicates"], 0, "an id that never came is no duplicate")
    fig.fired = int(forgotten(d))
    equal(fig.fired, 5000, "forgotten early")
    for i in range(total - holds, total, 5000):
        part = ids[i:i + 5000]
        equal(post(d, part)["duplicates"], len(part), "the youngest are known")
    equal(d.process.tail(400).count("memory is full"), 1, "said once")
    equal(d.request("GET", "/readyz")[0], 200, "ready")
    d.kill()
    d.start()
    equal(post(d, ids[-5000:])["duplicates"], 5000, "and after kill -9")
    once_each(d, [e["id"] for e in ids], fig)
    d.stop()


# ---- time ----

class Clock:
    def __init__(self, scene):
        self.path = scene.path("clock")
        self.set(0)
        self.env = {"TALLY_FAULT_CLOCK": self.path}

    def set(self, seconds):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as f:
            f.write(b"%-24d\n" % int(seconds * 1e6))
        self.offset = seconds
        time.sleep(0.02)    # it is looked at every 5 ms


def made_ids(d, n):
    """Ids that tally makes, over one connection, so by one lane."""
    c = http.client.HTTPConnection("127.0.0.1", d.port, timeout=20)
    out = []
    for _ in range(n):
        c.request("POST", "/v1/events?ids=1", json.dumps([{"name": "made", "visitor": "v", "value": 0}] * 3))
        r = c.getresponse()
        text = json.loads(r.read())
        equal(r.status, 200, "answer %r" % text)
        out += text["ids"]
    c.close()
    return out


@row("48", "clock +1 h, -1 h, 1970, past 2038, and back")
def clock_jumps(scene, fig):
    clock = Clock(scene)
    d = scene.tallyd(conf(sqlite(), extra=FOREVER), env=clock.env)
    load = Load(d, batches=1).start()
    made, now = [], time.time()
    kept = http.client.HTTPConnection("127.0.0.1", d.port, timeout=20)
    one = some("kept", 1)
    equal(post(d, one)["accepted"], 1, "accepted")

    def ids_of_one_lane():
        kept.request("POST", "/v1/events?ids=1", json.dumps([{"name": "n1", "id": None, "visitor": "v", "value": 0}] * 5))
        r = kept.getresponse()
        return json.loads(r.read())["ids"]
    for offset in (0, 3600, 0, -3600, 0, 60 - now, 0, 2 ** 31 - now + 5, 0, 4.2e9 - now, 0):
        clock.set(offset)
        made += ids_of_one_lane()
        answer = post(d, one)
        equal(answer["duplicates"], 1, "an id of before, the clock %+d s off" % offset)
        load.wait_acked(30, 20)
        check(wait_stored(d) < 15, "timers are those of the monotonic clock")
        fig.fired += 1
    equal(len(set(made)), len(made), "ids are unique")
    equal(made, sorted(made), "ids of one lane rise whatever the clock does")
    d.kill()
    d.start()
    equal(post(d, one)["duplicates"], 1, "after kill -9 too")
    load.stop()
    for i in made:
        load.sent[i], load.acked[i] = load_sent("n1", "v", 0), "durable"
    load.sent["kept-0"], load.acked["kept-0"] = load_sent("n", "v0", 0), "durable"
    times = [r[0] for r in d.sqlite("SELECT received FROM tally_event ORDER BY lsn, idx")]
    equal(times, sorted(times), "received never goes back")
    late = d.sqlite("SELECT COUNT(*) FROM tally_rollup_total WHERE grain = 0 AND bucket %% %d <> 0" % (60 * 10 ** 6))[0][0]
    equal(late, 0, "minutes begin at minutes of UTC")
    verify(d, [load], [Sqlite(d)], fig, answers=False)
    d.stop()


def load_sent(name, visitor, value):
    import rig
    return rig.Sent(name, visitor, value)


def table_of(path, table):
    db = sqlite3.connect(path)
    try:
        # the hash of a rollup's key is keyed by each store
        columns = [r[1] for r in db.execute("PRAGMA table_info(%s)" % table) if r[1] != "key"]
        return sorted(db.execute("SELECT %s FROM %s" % (", ".join(columns), table)).fetchall(), key=repr)
    finally:
        db.close()


@row("P5", "one spool, live and replayed after the clock has moved")
def replay_equal(scene, fig):
    clock = Clock(scene)
    d = scene.tallyd(conf(sqlite(), extra=FOREVER), env=clock.env)
    load = Load(d, batches=2).start()
    for offset in (0, 5400, -86400, 0):
        clock.set(offset)
        load.wait_acked(300)
    load.stop()
    wait_stored(d)
    live = scene.path("live.db")
    d.stop()
    os.rename(os.path.join(d.data, "tally.db"), live)
    clock.set(3 * 86400)
    d.start()
    wait_stored(d)
    fig.fired = 1
    verify(d, [load], [Sqlite(d)], fig, answers=False)
    d.stop()
    again = os.path.join(d.data, "tally.db")
    for table in ("tally_event", "tally_rollup_total", "tally_rollup_names", "tally_ledger", "tally_dead"):
        a, b = table_of(live, table), table_of(again, table)
        equal(len(b), len(a), "rows of %s" % table)
        for x, y in zip(a, b):
            equal(y, x, "a row of %s" % table)
        fig.note += "%s %d rows equal, " % (table, len(a))
    fig.note = fig.note[:-2]


# ---- allocations ----

def session(d, redis, k, tolerant):
    """Everything a client does; what of it was acknowledged. tolerant: no answer and 5xx are no failures."""
    acked = []

    def http_(method, path, body=None, headers=None):
        try:
            return d.request(method, path, body, headers or {}, timeout=15)
        except (OSError, http.client.HTTPException):
            check(tolerant, "no answer to %s %s" % (method, path))
            return None, None, b""
    one, many = some("a%d" % k, 1), some("b%d" % k, 30)
    for events, coding in ((one, None), (many, None), (some("c%d" % k, 20), "gzip")):
        body = json.dumps(events).encode()
        headers = {}
        if coding:
            import gzip
            body, headers = gzip.compress(body), {"Content-Encoding": coding}
        status, _, text = http_("POST", "/v1/events", body, headers)
        check(status in (200, 503, 500, None), "events: %r %r" % (status, text[:200]))
        if status == 200:
            acked += [e["id"] for e in events]
    http_("POST", "/v1/query", json.dumps({"site_id": "default", "metrics": ["events", "visitors"], "date_range": "all"}))
    http_("GET", "/v1/ledger")
    http_("GET", "/metrics")
    if redis:
        events = some("r%d" % k, 10)
        redis.push(LIST, [json.dumps(e) for e in events])
        acked += [e["id"] for e in events]
        until = time.monotonic() + 5
        while redis.command("LLEN", LIST) and time.monotonic() < until and d.process.alive():
            time.sleep(0.01)
    return acked


def is_well(d):
    """It answers; one that is about to die, or dies of the fault a moment later, does not."""
    for _ in range(100):
        if not d.process.alive():
            return False
        try:
            if d.request("GET", "/healthz", timeout=5)[0] == 200:
                return True
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.02)
    raise Failed("it neither answers nor ends")


def warm(d, shim, k):
    """Until the reserve is whole again and all is as before. A line or a source may meet the fault late, and the daemon
    end of it then: it is started again as by its supervisor."""
    event = some("warm%d" % k, 1)
    for _ in range(20):
        if not is_well(d):
            d.process.kill()
            d.start()
        status = None
        for _ in range(50):
            try:
                status = d.request("POST", "/v1/events", json.dumps(event))[0]
            except (OSError, http.client.HTTPException):
                break
            if status == 200:
                return [event[0]["id"]]
            time.sleep(0.02)
    raise Failed("an event is never taken")


@row("43", "the n-th allocation of the process fails")
def allocations(scene, fig):
    shim = Shim(scene)
    redis = scene.redis()
    d = scene.tallyd(conf(sqlite(flush="20ms"), redis=redis.port), env=shim.env)
    shim.arm(0, "alloc", 0)
    acked = session(d, redis, 0, False)
    before = shim.read(0)[0]
    acked += session(d, redis, 1, False)    # all is warm by now
    count = shim.read(0)[0] - before
    check(count > 100, "a session allocates: %d" % count)
    step = 1 if full() else max(1, count // 40)
    runs = [(n, 0) for n in range(1, count + 1, step)]
    runs += [(n, 1) for n in range(1, count + 1, step * 10)]    # and every one behind it: the reserve cannot help
    deaths, ended, slowest = 0, 0, 0.0
    for k, (n, every) in enumerate(runs, 2):
        acked += warm(d, shim, k)
        shim.arm(0, "alloc", ERRNO, ENOMEM, at=n, every=every)
        began = time.monotonic()
        acked += session(d, redis, k, True)
        slowest = max(slowest, time.monotonic() - began)
        shim.disarm(0)
        if not is_well(d):
            deaths += every == 0
            ended += 1
            d.process.kill()
            d.start()
    check(slowest < 20, "a session hung for %.1f s" % slowest)
    fig.fired = shim.fired()
    check(fig.fired >= len(runs) // 2, "most runs met the fault")
    check(ended > deaths, "without any memory it ends")
    wait_for("the list", lambda: redis.command("LLEN", LIST) == 0)
    wait_for("all to be taken", lambda: (wait_stored(d), set(acked) <= set(stored_ids(d)))[1], 30, 0.2)
    got = stored_ids(d)
    fig.sent, fig.acked, fig.stored = len(acked), len(acked), len(got)
    fig.lost, fig.duplicates = len(set(acked) - set(got)), len(got) - len(set(got))
    equal(d.sqlite("SELECT SUM(events) FROM tally_rollup_total WHERE grain = 2")[0][0], len(got), "rollup")
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")
    fig.note = "%d allocations a session, %d runs; one failure ended the daemon %d times, all failing %d times; slowest %.1f s" % (
        count, len(runs), deaths, ended - deaths, slowest)
    d.stop()


# ---- sockets ----

@row("P3", "the answer is lost after the acknowledgement")
def answer_lost(scene, fig):
    shim = Shim(scene)
    d = scene.tallyd(conf(sqlite()), env=shim.env)
    load = Load(d, timeout=2.0)
    shim.arm(0, "send", SWALLOW, at=5, every=7, port=d.port)
    load.start()
    load.wait_acked(500)
    shim.disarm(0)
    load.stop()
    fig.fired = shim.fired()
    check(load.duplicates > 0, "a retry was answered as a duplicate")
    fig.note = "%d without an answer, %d answered as duplicates" % (load.broken, load.duplicates)
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


def socket_faults(scene, fig, ports, faults):
    shim = Shim(scene)
    redis, db = scene.redis(), scene.mariadb()
    d = scene.tallyd(conf(maria(db.port), redis=redis.port), env=shim.env)
    load = Load(d, redis, timeout=5.0).start()
    load.wait_acked(100)
    for name, action, value, every in faults:
        for port in ports(d, redis, db):
            shim.arm(1, name, action, value, at=3, every=every, port=port)
            load.wait_acked(60, 60)
            shim.disarm(1)
    load.stop()
    fig.fired = shim.fired()
    began = time.monotonic()
    verify(d, [load], [Maria(db)], fig, redis)
    fig.recovery_s = time.monotonic() - began
    d.stop()


FAULTS = [("recv", SHORT, 0, 1), ("send", SHORT, 0, 2), ("recv", ERRNO, ECONNRESET, 23), ("send", ERRNO, EPIPE, 23), ("recv", STALL, 30, 10),
          ("recv", CUT, 0, 31), ("send", SWALLOW, 0, 37)]


@row("P4", "sends and receives fail at the doors")
def door_sockets(scene, fig):
    socket_faults(scene, fig, lambda d, redis, db: [d.port], FAULTS + [("accept", ERRNO, ECONNABORTED, 3), ("accept", ERRNO, EMFILE, 9)])


@row("P6", "sends and receives fail at MariaDB and Redis")
def store_sockets(scene, fig):
    socket_faults(scene, fig, lambda d, redis, db: [db.port, redis.port], FAULTS + [("connect", ERRNO, ECONNREFUSED, 2)])


# ---- signals ----

def window(past):
    return conf(sqlite()).replace("past: any", "past: %s" % past)


@row("45", "HUP x100 under load and within a reload, then TERM")
def hups(scene, fig):
    d = scene.tallyd(window("any"))
    load = Load(d).start()
    load.wait_acked(50)

    def storm(n):
        for i in range(n):
            d.configure(window("%dd" % (400 + i)))
            d.process.child.send_signal(signal.SIGHUP)
            time.sleep(random.uniform(0, 0.01))
    asker = threading.Thread(target=lambda: [d.tally("reload", ok=(0, 1)) for _ in range(5)])
    asker.start()
    storm(100)
    asker.join()
    d.configure(window("30d"))
    d.process.child.send_signal(signal.SIGHUP)
    old = {"name": "old", "id": "old", "time": int(time.time()) - 31 * 86400}
    wait_for("the last configuration", lambda: d.send(old)[1].get("rejected") == 1, 10)
    load.wait_acked(50)
    storm(20)
    began = time.monotonic()
    d.stop(20)
    fig.recovery_s = time.monotonic() - began
    d.configure(window("any"))
    d.start()
    load.wait_acked(20)
    load.stop()
    with open(d.process.log, errors="replace") as f:
        fig.fired = sum("room=\"reload\" msg=\"taken" in line for line in f)
    ids = [i for i in load.acked]
    wait_stored(d)
    got = stored_ids(d)
    fig.sent, fig.acked, fig.stored = len(load.sent), len(ids), len(got)
    fig.lost, fig.duplicates = len(set(ids) - set(got)), len(got) - len(set(got))
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")
    fig.note = "TERM to exit 0 in %.1f s" % fig.recovery_s
    d.stop()


def term_with_dead_sink(scene, fig, kill, revive):
    db = scene.mariadb()
    d = scene.tallyd(conf(maria(db.port)))
    load = Load(d).start()
    load.wait_acked(50)
    kill(db)
    load.wait_acked(200)
    for _ in range(20):
        d.process.child.send_signal(signal.SIGHUP)
    began = time.monotonic()
    d.stop(20)
    took = time.monotonic() - began
    # a second TERM ends it at once
    d.start()
    load.wait_acked(100)
    began = time.monotonic()
    d.process.child.send_signal(signal.SIGTERM)
    wait_for("the drain", lambda: "draining" in d.process.tail(30), 5)
    time.sleep(0.3)
    check(d.process.alive(), "it drains")
    d.process.child.send_signal(signal.SIGTERM)
    equal(d.process.child.wait(5), 0, "exit after the second TERM")
    second = time.monotonic() - began
    d.process.kill()
    revive(db)
    fig.fired = 2
    d.start()
    load.wait_acked(20)
    load.stop()
    began = time.monotonic()
    verify(d, [load], [Maria(db)], fig)
    fig.recovery_s = time.monotonic() - began
    fig.note = "TERM to exit 0 in %.1f s, with a second TERM %.1f s" % (took, second)
    check(second < 3, "a second TERM took %.1f s" % second)
    d.stop()


@row("46s", "TERM with MariaDB stopped; a second TERM")
def term_store_stopped(scene, fig):
    term_with_dead_sink(scene, fig, lambda db: db.stop(), lambda db: db.start())


@row("46f", "TERM with MariaDB frozen; a second TERM")
def term_store_frozen(scene, fig):
    term_with_dead_sink(scene, fig, lambda db: db.process.child.send_signal(signal.SIGSTOP),
                        lambda db: db.process.child.send_signal(signal.SIGCONT))


@row("46a", "TERM while senders and commands wait for a store")
def term_awaited(scene, fig):
    """ack: stored waits 10 s for a line, a lane only 5 s for its answers: what comes later finds no lane any more."""
    d = scene.tallyd(conf(sqlite(extra="busy_timeout: 12s"), ack="stored"))
    wait_ready(d)
    post(d, some("first", 10))
    other = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    load = Load(d, timeout=30)
    threads = [threading.Thread(target=load.post, args=(json.dumps(some("w%d" % i, 10)),), daemon=True) for i in range(4)]
    threads += [threading.Thread(target=d.tally, args=("flush",), kwargs={"ok": (0, 1, 3)}, daemon=True) for _ in range(2)]
    for t in threads:
        t.start()
    wait_for("them to be taken", lambda: taken(d) == 50, 10)
    began = time.monotonic()
    d.process.child.send_signal(signal.SIGTERM)
    equal(d.process.child.wait(20), 0, "exit")
    fig.note = "TERM to exit 0 in %.1f s" % (time.monotonic() - began)
    fig.fired = len(threads)
    other.close()
    for t in threads:
        t.join(20)
    d.start()
    began = time.monotonic()
    once_each(d, [e["id"] for e in some("first", 10) + sum((some("w%d" % i, 10) for i in range(4)), [])], fig)
    fig.recovery_s = time.monotonic() - began
    d.stop()


# ---- descriptors ----

class Limited(Tallyd):
    """Started with at most 64 descriptors."""

    def start(self, wait=True):
        env = dict(os.environ, **(self.env or {}))
        self.process = self.scene.start(
            ["prlimit", "--nofile=64:64", program("tallyd"), "-c", self.file, "-d", self.data, "-p", self.plugin_dir()], self.name, env)
        if wait:
            self.wait_alive()


def exhaust(d, fig):
    """Connects until nothing is accepted, and measures; gives the sockets."""
    held = []
    for _ in range(150):
        s = socket.create_connection(("127.0.0.1", d.port), 5)
        s.setblocking(False)
        held.append(s)
    pid = d.process.child.pid
    time.sleep(0.5)
    cpu, wall = cpu_seconds(pid), time.monotonic()
    time.sleep(2)
    share = (cpu_seconds(pid) - cpu) / (time.monotonic() - wall)
    check(share < 0.2, "%.0f %% of a processor for nothing" % (100 * share))
    fig.note += "idle cpu %.1f %%, " % (100 * share)
    turned = 0
    for s in held:
        try:
            turned += b"too_many_connections" in s.recv(4096)
        except OSError:
            pass
    return held, turned


def descriptors(scene, fig, d, limit):
    kept = http.client.HTTPConnection("127.0.0.1", d.port, timeout=20)
    taken = []

    def on_kept(events):
        kept.request("POST", "/v1/events", json.dumps(events))
        r = kept.getresponse()
        text = r.read()
        equal(r.status, 200, "on a connection that is open: %r" % text[:200])
        taken.extend(e["id"] for e in events)
    on_kept(some("first", 10))
    if limit:
        resource.prlimit(d.process.child.pid, resource.RLIMIT_NOFILE, (limit, limit))
    held, turned_away = exhaust(d, fig)
    long = "p" * 2000
    for k in range(30):     # several segments of the spool
        on_kept([dict(e, page=long) for e in some("k%d" % k, 60)])
    log = d.process.tail(2000)
    fig.fired = log.count("Too many open files") + turned_away
    check(fig.fired, "it ran out of descriptors or turned connections away")
    for s in held:
        s.close()
    began = time.monotonic()
    wait_for("new connections", lambda: d.request("GET", "/healthz")[0] == 200, 10)
    wait_ready(d, 30)
    fig.recovery_s = time.monotonic() - began
    more = some("after", 10)
    equal(post(d, more)["accepted"], 10, "taken again")
    kept.close()
    once_each(d, taken + [e["id"] for e in more], fig)
    fig.note = fig.note[:-2]
    d.stop()


@row("49a", "a running process runs out of descriptors")
def out_of_descriptors(scene, fig):
    d = scene.tallyd(conf(sqlite()))
    used = len(os.listdir("/proc/%d/fd" % d.process.child.pid))
    descriptors(scene, fig, d, used + 12)


@row("49b", "started with 64 descriptors")
def few_descriptors(scene, fig):
    descriptors(scene, fig, Limited(scene, conf(sqlite())), 0)


# ---- JSON ----

OWN = [
    b"1e999", b"-1e999", b"1e-999", b"18446744073709551616", b"9223372036854775808", b"-0", b"-0.0", b"1.0000000000000000000001", b"1E400",
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\xc0\xaf"', b'"\xe0\x80\xaf"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"',
    b'"\\u0000"', b'"a\\u0000b"', b'"\x00"', b'"\\uffff"', b'"\xef\xbf\xbf"', b'" a "', b'"\xe2\x80\xa8"', b'"\\\\\\/\\b\\f\\n\\r\\t\\""',
    b"[" * 100000 + b"]" * 100000, b"[" * 40 + b"]" * 40, b'{"a":' * 100000, b"true", b"null", b'"' + b"x" * 4096 + b'"', b'"' + b"x" * 4097 + b'"',
]


def cases():
    """(name, bytes of one JSON text)"""
    folder = need_data("suites/json/test_parsing")
    out = [("own_%d" % i, b) for i, b in enumerate(OWN)]
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            out.append((name[:-5], f.read()))
    return out


def event_of(i, door, text):
    return b'{"name":"n","id":"%s-%d","props":{"v":%s}}' % (door, i, text)


def decoded(text):
    """What the store must give back for v; None: no scalar, or nothing Python reads."""
    try:
        v = json.loads(text.decode(), parse_int=str, parse_float=str, parse_constant=lambda c: None)
        if isinstance(v, str):
            v.encode()
        return v if isinstance(v, (str, bool)) else None
    except (ValueError, RecursionError, UnicodeError):
        return None


@row("41", "JSONTestSuite and worse, both doors, both stores and back")
def json_texts(scene, fig):
    texts = cases()
    redis, db = scene.redis(), scene.mariadb()
    d = scene.tallyd(conf(sqlite(), maria(db.port), redis=redis.port))
    codes, expected = {}, set()
    for i, (name, text) in enumerate(texts):
        near = [b'{"name":"n","id":"%s%d"}' % (w, i) for w in (b"l", b"r")]
        one = event_of(i, b"http", text)
        whole = name.startswith("y_") or b"\n" not in text
        if name.startswith("y_"):
            body = b"[" + near[0] + b"," + one + b"," + near[1] + b"]"
        else:
            body = near[0] + b"\n" + one + b"\n" + near[1]
        status, _, answer = d.request("POST", "/v1/events", body)
        answer = json.loads(answer)
        equal(status, 200, "%s: the neighbours are taken: %r" % (name, answer))
        expected |= {"l%d" % i, "r%d" % i}
        errors = [e for e in answer["errors"]]
        if name.startswith("n_"):
            check(errors, "%s is refused" % name)
        if name.startswith("y_"):
            check(all(e["code"] != "invalid_json" for e in errors), "%s is JSON: %r" % (name, errors))
        if not errors:
            expected.add("http-%d" % i)
        codes[i] = errors[0]["code"] if errors else ""
        fig.fired += 1
        # over the list: the same verdict
        redis.push(LIST, [b'{"name":"n","id":"L%d"}' % i, event_of(i, b"list", text), b'{"name":"n","id":"R%d"}' % i])
        expected |= {"L%d" % i, "R%d" % i}
        if whole and not errors:
            expected.add("list-%d" % i)
    wait_for("the list", lambda: redis.command("LLEN", LIST) == 0, 60)
    time.sleep(0.5)
    wait_stored(d)
    columns = "SELECT id, props FROM tally_event"
    stores = {"sqlite": dict(d.sqlite(columns))}
    stores["mariadb"] = dict((bytes.fromhex(r[0]).decode(), bytes.fromhex(r[1]).decode()) for r in db.sql(
        "SELECT HEX(id), HEX(props) FROM tally_event"))
    for where, got in stores.items():
        missing = expected - set(got)
        check(not missing, "%s lacks %r" % (where, [(m, codes.get(int(m.split("-")[-1])) if "-" in m else "") for m in sorted(missing)[:5]]))
        for i, (name, text) in enumerate(texts):
            http_, list_ = got.get("http-%d" % i), got.get("list-%d" % i)
            if b"\n" not in text:
                equal(list_ is None, http_ is None, "%s: both doors in %s" % (name, where))
            if http_ is None or list_ is None:
                continue
            equal(list_, http_, "%s: both doors in %s" % (name, where))
            want = decoded(text)
            if want is not None:
                back = json.loads(http_, parse_int=str, parse_float=str)["v"]
                equal(back, want, "%s back from %s" % (name, where))
    equal(stores["mariadb"], stores["sqlite"], "the two stores")
    total, each = d.sqlite("SELECT COUNT(*), COUNT(DISTINCT id) FROM tally_event")[0]
    fig.sent, fig.acked, fig.stored, fig.duplicates = 6 * len(texts), len(expected), total, total - each
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")
    fig.note = "%d texts" % len(texts)
    d.stop()


if __name__ == "__main__":
    main()
