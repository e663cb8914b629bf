#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The salt that anonymous visitors are hashed with: one for all nodes of a store, another each UTC day, and nowhere once
its day is over; with the store away at midnight, the node away at midnight, events that come late."""

import datetime
import json
import os
import sqlite3
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
trusted_proxies: [127.0.0.1/32]
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
pipeline: [ dedup: {}, rollup: {} ]
sinks: [ %s ]
"""
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
DAY = 86400


class Clock:
    """All daemons' wall clock, moved by whole seconds."""

    def __init__(self, scene):
        self.path = scene.path("clock")
        self.set(0)
        self.env = {"TALLY_FAULT_CLOCK": self.path}

    def set(self, seconds):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as f:
            f.write(b"%-24d\n" % int(seconds * 1e6))
        self.offset = seconds
        time.sleep(0.02)    # it is looked at every 5 ms

    def now(self):
        return time.time() + self.offset

    def today(self):
        return int(self.now() // DAY)

    def to(self, day, seconds):
        """The clock shows that many seconds behind the beginning of that day."""
        self.set(day * DAY + seconds - time.time())


def visitor(d, address="192.0.2.1", agent=AGENT, **event):
    """What a node makes of them, read back from its answer's event: it is stored under the id."""
    visitor.n += 1
    event = dict({"name": "view", "id": "e%d" % visitor.n}, **event)
    status, answer = d.json("POST", "/v1/events", json.dumps(event), {"X-Forwarded-For": address, "User-Agent": agent})
    equal((status, answer["accepted"]), (200, 1), "sent")
    return event["id"]


visitor.n = 0


def hashes(store, *ids):
    rows = dict(store("SELECT id, visitor FROM tally_event"))
    return [rows[i] for i in ids]


def slots(d):
    """[(day, whether it is the store's, salt)] of visitor.salt."""
    with open(os.path.join(d.data, "visitor.salt"), "rb") as f:
        data = f.read()
    equal(len(data), 64, "bytes of visitor.salt")
    found = [struct.unpack("<qQ16s", data[i:i + 32]) for i in (0, 32)]
    return [(day, bool(flags & 1), salt) for day, flags, salt in found if day]


def files_with(needles, *tops):
    found = []
    for top in tops:
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    with open(path, "rb") as f:
                        data = f.read()
                except OSError:
                    continue
                if any(n in data for n in needles):
                    found.append(path)
    return found


def forms(salt):
    return [salt, salt.hex().encode(), salt.hex().upper().encode()]


def settled(d, clock):
    """Waits until the node's salt of today is the store's."""
    def there():
        s = slots(d)
        return s and s[0][0] == clock.today() and s[0][1] and s[0]
    return wait_for("the salt of the day", there, 20)


def gone(what, salt, *tops):
    wait_for(what + ": the old salt is gone from " + " ".join(tops), lambda: not files_with(forms(salt), *tops), 20)


# ---- one node on SQLite ----

def alone(scene):
    clock = Clock(scene)
    clock.to(clock.today(), 10 * 3600)
    d = scene.tallyd(CONF % "sqlite: { flush: 50ms }", "alone", clock.env)
    equal(settled(d, clock)[0], clock.today(), "at the start, before a door opens")
    a, b, c = visitor(d), visitor(d, "192.0.2.2"), visitor(d, agent="another")
    d.flush()
    one, two, three = hashes(d.sqlite, a, b, c)
    check(len({one, two, three}) == 3 and len(one) == 22, "others, others: %r" % [one, two, three])
    d.kill()
    d.start()
    again = visitor(d)
    d.flush()
    equal(hashes(d.sqlite, again), [one], "the same after a kill")
    old = slots(d)[0][2]
    equal(d.sqlite("SELECT day, hex(salt) FROM tally_salt"), [(clock.today(), old.hex().upper())], "in the store")
    check(any("tally.db" in f for f in files_with([old], d.data)), "the search finds the salt in the store while it lives")

    copy = scene.path("copies", "copy.db")
    os.mkdir(scene.path("copies"))
    d.tally("backup", copy)
    equal(files_with(forms(old), scene.path("copies")), [], "a backup with today's salt")
    equal(sqlite3.connect(copy).execute("SELECT COUNT(*) FROM tally_event").fetchall()[0][0], 4, "events of the backup")

    # the last hour: the next one is agreed upon, nothing changes
    clock.to(clock.today(), 23.5 * 3600)
    wait_for("the salt of tomorrow", lambda: len(slots(d)) == 2 and slots(d)[1][1], 20)
    next_salt = slots(d)[1][2]
    late = visitor(d)
    # over midnight
    clock.to(clock.today() + 1, 1)
    first = visitor(d)
    yesterday = datetime.datetime.fromtimestamp(clock.now() - 600, datetime.timezone.utc).isoformat()
    came_late = visitor(d, time=yesterday)
    d.flush()
    got = hashes(d.sqlite, late, first, came_late)
    equal(got[0], one, "before midnight")
    check(got[1] != one, "after midnight")
    equal(got[2], got[1], "an event of yesterday that comes today has today's visitor")
    equal(slots(d)[0][2], next_salt, "what was agreed upon")
    gone("after midnight", old, d.data)
    equal(d.sqlite("SELECT day FROM tally_salt"), [(clock.today(),)], "days in the store")

    # a clock that is set back over midnight stays with what there is
    clock.to(clock.today() - 1, DAY - 5)
    back = visitor(d)
    clock.to(clock.today() + 1, 5)
    d.flush()
    equal(hashes(d.sqlite, back), [got[1]], "a clock set back by seconds")

    # the node is away at midnight
    old = slots(d)[0][2]
    d.stop()
    clock.to(clock.today() + 3, 100)
    d.start()
    equal(settled(d, clock)[0], clock.today(), "after days away")
    gone("after days away", old, d.data)

    # nobody sends anything: the salt goes all the same
    old = slots(d)[0][2]
    clock.to(clock.today() + 1, 50)
    settled(d, clock)
    gone("without events", old, d.data)
    d.stop()
    print("one node: over restarts, midnights, clocks; nothing of the old salt is left")


# ---- two nodes on one MariaDB ----

def both(nodes, store, what, same=True):
    ids = [visitor(d) for d in nodes]
    for d in nodes:
        d.flush()
    got = hashes(store, *ids)
    check((got[0] == got[1]) == same, "%s: %r" % (what, got))
    return got[0]


def shared(scene):
    db = scene.mariadb()
    clock = Clock(scene)
    clock.to(clock.today(), 12 * 3600)
    conf = CONF % ("mariadb: { url: \"%s\", flush: 50ms }" % db.url())
    nodes = [scene.tallyd(conf, "one", clock.env), scene.tallyd(conf, "two", clock.env)]
    first = both(nodes, db.sql, "two nodes, one visitor")
    old = slots(nodes[0])[0][2]
    equal(db.sql("SELECT COUNT(*), HEX(MIN(salt)) FROM tally_salt"), [["1", old.hex().upper()]], "one row for both")

    # over midnight with the store there
    clock.to(clock.today(), DAY - 60)
    for d in nodes:
        wait_for("the salt of tomorrow", lambda: len(slots(d)) == 2 and slots(d)[1][1], 20)
    clock.to(clock.today() + 1, 0.5)
    second = both(nodes, db.sql, "after midnight, at once")
    check(first != second, "another day, another visitor")
    for d in nodes:
        gone("after midnight", old, d.data)
    wait_for("the row of yesterday goes", lambda: db.sql("SELECT COUNT(*) FROM tally_salt") == [["1"]], 20)
    old = slots(nodes[0])[0][2]

    # the store is away at midnight: each by itself, until it is back
    clock.to(clock.today(), 12 * 3600)
    db.stop()
    clock.to(clock.today() + 1, 10)
    apart = [visitor(d) for d in nodes]
    for d in nodes:
        gone("with the store away", old, d.data)
        equal([s[1] for s in slots(d)], [False], "its own salt")
    db.start()
    for d in nodes:
        settled(d, clock)
    third = both(nodes, db.sql, "the store is back")
    got = hashes(db.sql, *apart)
    check(got[0] != got[1] and third in got, "one of the two went on for both: %r, %r" % (got, third))
    wait_for("the old rows go", lambda: db.sql("SELECT day FROM tally_salt") == [[str(clock.today())]], 20)
    equal(db.sql("SELECT COUNT(*) FROM tally_salt WHERE HEX(salt) = '%s'" % old.hex()), [["0"]], "the old salt")

    # a node that starts with the store away opens its doors, and joins later
    db.stop()
    nodes[1].kill()
    os.unlink(os.path.join(nodes[1].data, "visitor.salt"))
    began = time.monotonic()
    nodes[1].start()
    check(time.monotonic() - began < 10, "doors open without the store")
    lonely = visitor(nodes[1])
    db.start()
    settled(nodes[1], clock)
    equal(both(nodes, db.sql, "joined"), third, "the salt of the store stays")
    check(hashes(db.sql, lonely) != [third], "by itself before")

    # the row is lost (a failover): one of those that know it puts it back
    db.sql("DELETE FROM tally_salt")
    nodes[0].stop()
    nodes[0].start()
    equal(both(nodes, db.sql, "put back"), third, "the salt of the day after its row was lost")
    for d in nodes:
        d.stop()
    print("two nodes on one store: one visitor; midnight with and without the store")


def main(scene):
    alone(scene)
    shared(scene)


run(main)
