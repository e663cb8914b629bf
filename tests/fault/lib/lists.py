# SPDX-License-Identifier: Apache-2.0
"""What the rows about Redis lists share. No dedup: an element taken twice must be seen as stored twice. So a push whose
answer is lost is not tried again under the same ids; it may or may not have arrived, and either is right."""

import json
import random
import socket
import threading
import time

from rig import (
    LIST, Failed, Load, Sqlite, check, compare_ledger, compare_rollups, conf, judge_now, sqlite, verify, wait_for, wait_stored)

LEASE, ACKED, DEAD = "{%s}:lease" % LIST, "{%s}:acked" % LIST, "%s:dead" % LIST


def plain(conf):
    out = conf.replace("dedup: { window: 30m }, ", "")
    check(out != conf, "the configuration has no dedup to leave out")
    return out


class Pusher(Load):
    """Only a list. end: the one that is read, so pushes go to the other. at: fn() -> a Redis to push to."""

    def __init__(self, redis, end="left", size=20, pause=0.002, at=None, key=LIST, pad=0):
        super().__init__(None, redis, singles=0, batches=0, size=size, pause=pause)
        self.command = "LPUSH" if end == "right" else "RPUSH"
        self.at, self.key, self.pad = at or (lambda: redis), key, pad
        self.unsure = set()     # pushed without an answer
        self.when = {}          # id -> monotonic time of the answer

    def element(self, e):
        return json.dumps(dict(e, props={"pad": "x" * self.pad}) if self.pad else e)

    def push(self, events):
        ids = [e["id"] for e in events]
        try:
            r = self.at()
            with socket.create_connection(("127.0.0.1", r.port), 3) as s:
                r.on(s, self.command, self.key, *[self.element(e) for e in events])
        except (OSError, Failed, ValueError):
            self.broken += 1
            self.unsure.update(ids)
            time.sleep(0.05)
            return True     # never under the same ids again
        self.note(events, "redis")
        now = time.monotonic()
        for i in ids:
            self.when[i] = now
        return True

    def stop(self, seconds=60):
        return super().stop(seconds) if self.threads[0].ident else self

    def push_all(self, n, chunk=500):
        while n > 0:
            self.push(self.events(min(n, chunk)))
            n -= chunk
        return self


def status(d, key=LIST):
    """The source's account in `tally status`."""
    out = json.loads(d.tally("status", "--json"))
    return next(s for s in out["sources"] if s["list"] == key)


def trouble(d, words, seconds=20):
    """Until the source says so."""
    wait_for("trouble %r" % words, lambda: words in status(d)["trouble"], seconds, 0.05)


def drained(redis, d, seconds=60, key=LIST):
    """Until the list is empty and what came of it is released. d: daemons, one or some."""
    ds = d if isinstance(d, list) else [d]
    wait_for("the list to empty", lambda: redis.command("LLEN", key) == 0, seconds, 0.05)

    def count():
        return [sum(s["taken"] for s in x.json("GET", "/v1/ledger")[1]["sites"]) for x in ds]
    before, until = None, time.monotonic() + seconds
    while before != (now := count()):
        check(time.monotonic() < until, "the ledger goes on taking events")
        before = now
        time.sleep(0.4)


def daemon(scene, port, name="tallyd", env=None, **more):
    return scene.tallyd(plain(conf(sqlite(), redis=port, **more)), name, env)


def finish(d, load, redis, fig):
    load.stop()
    drained(redis, d)
    verify(d, [load], [Sqlite(d)], fig, redis)
    d.stop()


def verify_union(ds, loads, stores, fig):
    """Several nodes read one list in turn: together they hold each element once."""
    sent, acked = {}, set()
    for load in loads:
        sent.update(load.sent)
        acked |= set(load.acked)
    ids = []
    for d, store in zip(ds, stores):
        wait_stored(d)
        rows = store.events()
        compare_rollups(store, rows)
        ids += [r[0] for r in rows]
    there = set(ids)
    fig.sent, fig.acked, fig.stored = len(sent), len(acked), len(ids)
    fig.duplicates, fig.lost = len(ids) - len(there), len(acked - there)
    check(not there - set(sent), "stored but never sent: %r" % sorted(there - set(sent))[:3])
    judge_now(fig)
    for d in ds:
        compare_ledger(d, [])


class Stranger(threading.Thread):
    """Pushes and pops at the end that is read. What it pops is its own: it must not be stored."""

    def __init__(self, redis, load, end="left"):
        super().__init__(daemon=True)
        self.redis, self.load, self.side = redis, load, end[0].upper()
        self.popped, self.quit, self.turns = set(), False, 0

    def run(self):
        while not self.quit:
            self.turns += 1
            if random.random() < 0.5:
                events = self.load.events(1)
                self.redis.command(self.side + "PUSH", LIST, json.dumps(events[0]))
                self.load.note(events, "redis")
            else:
                got = self.redis.command(self.side + "POP", LIST)
                if got:
                    eid = json.loads(got)["id"]
                    self.popped.add(eid)
            time.sleep(0.002)

    def stop(self):
        self.quit = True
        self.join(10)
        for eid in self.popped:
            self.load.acked.pop(eid, None)
        return self
