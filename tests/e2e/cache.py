#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cache with real daemons. A thousand askers of one cold, expensive question: the store is read once. A closed day
stays a hit while today is written. Two nodes on one MariaDB share a Redis: what one was answered the other finds, a Redis
that dies in the middle changes no answer, nor does one that remembers a store which is no more; when rows are deleted and
the generation is raised, no old number is given as a new one."""

import json
import os
import resource
import selectors
import shutil
import socket
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

ASKERS = 1000
TODAY = datetime.now(timezone.utc).date()
CLOSED = str(TODAY - timedelta(days=3))

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
pipeline: [ dedup: {}, rollup: {}, cache: { %s } ]
rollups: [ { name: total, by: [], metrics: [events, visitors, "sum:value"] } ]
sinks: [ %s ]
"""


def events(n, day, value=1):
    return [{"name": "view", "site": "shop.example", "visitor": "v%d" % (i % 500), "time": "%sT10:%02d:00Z" % (day, i % 60),
             "value": value, "props": {"item": "i%d" % (i % 97)}} for i in range(n)]


def send(d, batch):
    for i in range(0, len(batch), 5000):
        status, answer = d.send(batch[i:i + 5000])
        equal((status, answer["accepted"]), (200, len(batch[i:i + 5000])), "sent")
    d.flush()


def question(day, **more):
    return dict({"site_id": "shop.example", "metrics": ["events", "sum:value"], "date_range": [day, day]}, **more)


def metric(d, start):
    """The sum of all series that begin so."""
    text = d.request("GET", "/metrics")[2].decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(start))


def counted(d, name):
    return metric(d, 'tally_plugin_count_total{plugin="cache",name="%s"}' % name)


# ---- a thousand at once

def ask_at_once(port, body, n):
    """All connected first, then all asked; (status, answer) of each."""
    request = (b"POST /v1/query HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
    sockets = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(n)]
    for s in sockets:
        s.sendall(request)
    parts, todo = {s: [] for s in sockets}, selectors.DefaultSelector()
    for s in sockets:
        todo.register(s, selectors.EVENT_READ)
    left, until = n, time.monotonic() + 120
    while left:
        check(time.monotonic() < until, "%d of %d askers have no answer after 120 s" % (left, n))
        for key, _ in todo.select(1):
            piece = key.fileobj.recv(65536)
            if piece:
                parts[key.fileobj].append(piece)
                continue
            todo.unregister(key.fileobj)
            left -= 1
    for s in sockets:
        s.close()
    answers = []
    for s in sockets:
        head, _, text = b"".join(parts[s]).partition(b"\r\n\r\n")
        answers.append((int(head.split()[1]), json.loads(text)))
    return answers


def stampede(scene):
    d = scene.tallyd(CONF % ("memory: 64MiB", "sqlite: { path: tally.db }"), "stampede")
    send(d, events(30000, CLOSED))
    before = metric(d, 'tally_queries_total{source="store"}')
    q = question(CLOSED, dimensions=["event:props:item"])  # of no rollup: a scan of raw events
    answers = ask_at_once(d.port, json.dumps(q).encode(), ASKERS)
    equal(sorted({status for status, _ in answers}), [200], "status of all")
    equal(answers[0][1]["meta"]["source"], "raw", "an expensive question")
    equal(len({json.dumps(a["results"]) for _, a in answers}), 1, "different answers")
    equal(metric(d, 'tally_queries_total{source="store"}') - before, 1, "readings of the store")
    equal(sum(a["meta"]["cache"] == "miss" for _, a in answers), 1, "answers made by the store")
    shared, hits = counted(d, "shared"), counted(d, "hits")
    equal(shared + hits, ASKERS - 1, "answers from the cache")
    check(shared > 0, "nobody waited for another's answer: there was no stampede")
    print("%d askers at once: 1 reading of the store, %d waited for it, %d came later" % (ASKERS, shared, hits))
    closed_day(d)
    d.stop()


# ---- a closed day while today is written

class Writer(threading.Thread):
    def __init__(self, d):
        super().__init__(daemon=True)
        self.d, self.sent, self.stop_now = d, 0, False

    def run(self):
        while not self.stop_now:
            batch = events(20, TODAY)
            for e in batch:
                del e["time"]  # now
            self.sent += self.d.send(batch)[1]["accepted"]
            time.sleep(0.02)


def closed_day(d):
    want = d.rows(**question(CLOSED))
    writer = Writer(d)
    writer.start()
    wait_for("events of today", lambda: writer.sent >= 100)
    states, todays = [], []
    for _ in range(40):
        answer = d.query(**question(CLOSED))
        states.append(answer["meta"]["cache"])
        equal([r["metrics"] for r in answer["results"]], want, "the closed day")
        todays.append(d.rows(**question(str(TODAY)))[0][0])
        time.sleep(0.05)
    writer.stop_now = True
    writer.join(60)
    equal(set(states), {"hit"}, "the closed day while today is written")
    equal(todays, sorted(todays), "today only grows")
    check(len(set(todays)) > 3, "today did not grow while it was asked for: %r" % todays)
    d.flush()
    equal(d.rows(**question(str(TODAY)))[0][0], writer.sent, "today in the end")
    print("closed day: 40 hits while today grew from %d to %d" % (todays[0], writer.sent))


# ---- two nodes, one Redis

def node(scene, db, redis, name, more=""):
    return scene.tallyd(CONF % ("memory: 16MiB, unasked: 0s, redis: '%s'%s" % (redis.url(), more), "mariadb: { name: %s, url: '%s' }" % (name, db.url())), name)


def connected(d, what):
    """Questions nobody asked before, until one of them was put into Redis."""
    before, n = counted(d, "redis_puts"), [0]

    def put():
        n[0] += 1
        d.query(**question(CLOSED, pagination={"limit": 5000 + n[0] + 100 * os.getpid() % 3000}))
        time.sleep(0.05)
        return counted(d, "redis_puts") > before
    wait_for("%s to use Redis" % what, put, 30, 0.1)


def second_finds_what_first_stored(a, b):
    for d, name in ((a, "the first node"), (b, "the second node")):
        connected(d, name)
    q = question(CLOSED, dimensions=["event:props:item"])
    puts = counted(a, "redis_puts")
    first = a.query(**q)
    equal(first["meta"]["cache"], "miss", "asked first")
    wait_for("it to be in Redis", lambda: counted(a, "redis_puts") > puts)
    reads = metric(b, 'tally_queries_total{source="store"}')
    second = b.query(**q)
    equal(second["meta"]["cache"], "redis", "asked on the other node")
    equal(second["results"], first["results"], "the same answer")
    equal(metric(b, 'tally_queries_total{source="store"}'), reads, "readings of the store by the second node")
    equal(b.query(**q)["meta"]["cache"], "hit", "and again")
    print("the second node found what the first had stored")


def redis_dies(a, b, redis, total):
    """Questions on both nodes, each one new, while Redis is killed and comes back."""
    slowest, n, states = 0.0, 0, set()

    def ask():
        nonlocal slowest, n
        n += 1
        q = question(CLOSED, pagination={"limit": 1 + n})
        for d in (a, b):
            begun = time.monotonic()
            answer = d.query(**q)
            slowest = max(slowest, time.monotonic() - begun)
            equal(answer["results"][0]["metrics"], [total, total], "with a Redis that dies, question %d" % n)
            states.add(answer["meta"]["cache"])
    for _ in range(20):
        ask()
    check("redis" in states, "the second node took nothing from Redis: %r" % states)
    redis.process.kill()
    for _ in range(60):
        ask()
    failed = counted(a, "redis_errors") + counted(b, "redis_errors")
    check(failed > 0, "nobody noticed that Redis is dead")
    redis.start()
    connected(a, "the first node, again,")
    connected(b, "the second node, again,")
    states.clear()
    for _ in range(20):
        ask()
    check("redis" in states, "the Redis that came back is not used: %r" % states)
    print("Redis killed and back: %d answers right, the slowest after %.0f ms, %d failures" % (2 * n, slowest * 1e3, failed))


def ask_many(port, body, n):
    return [answer for _, answer in ask_at_once(port, body, n)]


def generation_raised(a, b, db, total):
    """As retention and rebuild do it: rows change and the generation of their days rises, in one transaction. `a` may give
    stale answers, and must say so."""
    q = question(CLOSED)
    for d in (a, b):
        equal(d.rows(**q)[0][0], total, "before")
    half = total // 2
    db.sql("START TRANSACTION; UPDATE tally_rollup_total SET events = %d, sum_value = %d WHERE site = 'shop.example' AND grain = 2 AND bucket = %d; "
           "UPDATE tally_rollup_total SET events = 0, sum_value = 0 WHERE site = 'shop.example' AND grain < 2 AND bucket >= %d AND bucket < %d; "
           "UPDATE tally_revision SET generation = generation + 1 WHERE site = 'shop.example'; COMMIT" % (
               half, half, day_us(CLOSED), day_us(CLOSED), day_us(CLOSED) + 86400 * 10**6))
    old = 0
    for d in (a, b):
        for answer in ask_many(d.port, json.dumps(q).encode(), 60):
            events_now, state = answer["results"][0]["metrics"][0], answer["meta"]["cache"]
            if state == "stale":
                check(d is a, "a stale answer of a node that may not give any")
                equal(events_now, total, "a stale answer")
                old += 1
            else:
                equal(events_now, half, "after the generation was raised, %s" % state)
    equal(a.query(**q)["results"][0]["metrics"][0], half, "and from then on")
    print("generation raised: no old number as a new one (%d said to be stale)" % old)


def day_us(day):
    return int(datetime.fromisoformat(day + "T00:00:00+00:00").timestamp()) * 10**6


def store_made_anew(scene, db, redis, nodes, total):
    """Another store behind the same Redis, with the same nodes, positions and days: what Redis remembers is of no use."""
    q = question(CLOSED)
    for d in nodes:
        d.stop()
        shutil.rmtree(d.data)
    redis.command("FLUSHALL")
    for value in (1, 2):
        db.sql("DROP DATABASE tally; CREATE DATABASE tally CHARACTER SET utf8mb4", database="mysql")
        d = node(scene, db, redis, "anew")
        send(d, events(1000, CLOSED, value))
        connected(d, "the new store's node")
        puts = counted(d, "redis_puts")
        answer = d.query(**q)
        equal(answer["results"][0]["metrics"], [1000, 1000 * value], "store %d of two" % value)
        equal(answer["meta"]["cache"], "miss", "store %d of two" % value)
        wait_for("it to be in Redis", lambda: counted(d, "redis_puts") > puts)
        d.stop()
        shutil.rmtree(d.data)
    print("a store made anew takes nothing from the one before")


def two_nodes(scene):
    db, redis, total = scene.mariadb(), scene.redis(), 4000
    a, b = node(scene, db, redis, "a", ", stale: 30s"), node(scene, db, redis, "b")
    send(a, events(total, CLOSED))
    second_finds_what_first_stored(a, b)
    redis_dies(a, b, redis, total)
    generation_raised(a, b, db, total)
    store_made_anew(scene, db, redis, (a, b), total)


def main(scene):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard != resource.RLIM_INFINITY else 8192, hard))
    stampede(scene)
    two_nodes(scene)


run(main)
