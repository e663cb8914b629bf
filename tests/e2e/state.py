#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""State that outlives a batch (hooks save and load). A plugin numbers the events of each visitor; the numbers that are
stored must be 1, 2, 3 … without a gap or a repetition, in the order of the log: after kill -9 between any two steps of a
snapshot and of a batch, with damaged, foreign and later snapshots, after a store went back, over dead letters and their
replay, over reloads. TALLY_FULL=1: every step at several passings, and many more random kills."""

import glob
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import BUILD, SOURCE, check, equal, run, wait_for  # noqa: E402

FULL = bool(os.environ.get("TALLY_FULL"))
CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
spool: { segment: 1MiB, retain: %s }
pipeline: [ %s ]
rollups: [ { name: total, by: [], metrics: [events] } ]
sinks: [ sqlite: { flush: 5ms, batch: 200, snapshot: 1ms } ]
"""

NTH = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tally/plugin.h>
#define VISITORS 64
struct nth { const struct tally_host *host; struct tally_instance *in; uint32_t count[VISITORS]; };
static int nth_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	struct nth *n = calloc(1, sizeof *n);
	if (!n) return -1;
	n->host = host; n->in = in; *self = n;
	return 0;
}
static int nth_event(void *self, struct tally_event *ev)
{
	struct nth *n = self;
	struct tally_str key = { "nth", 3 }, text;
	char id[16] = "", number[16];
	if (ev->visitor.len < 2 || ev->visitor.len > 8) return TALLY_PASS;
	memcpy(id, ev->visitor.ptr + 1, ev->visitor.len - 1);
	text.len = (size_t)snprintf(number, sizeof number, "%%u", ++n->count[atoi(id) %% VISITORS]);
	text.ptr = number;
	return n->host->prop_set(n->in, ev, key, text, TALLY_PROP_NUMBER);
}
static void nth_reset(void *self) { struct nth *n = self; memset(n->count, 0, sizeof n->count); }
static int nth_save(void *self, int (*put)(void *to, const void *bytes, size_t len), void *to)
{
	struct nth *n = self;
	int rc = put(to, "N", 1);
	return rc ? rc : put(to, n->count, sizeof n->count);
}
static int nth_load(void *self, const void *bytes, size_t len)
{
	struct nth *n = self;
	if (len != 1 + sizeof n->count || *(const char *)bytes != 'N') return -74;
	memcpy(n->count, (const char *)bytes + 1, sizeof n->count);
	return 0;
}
const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, "%(name)s", "%(version)s", "numbers the events of each visitor",
	.open = nth_open, .close = free, .event = nth_event, .reset = nth_reset, .save = nth_save, .load = nth_load };
"""


def compile_nth(scene, plugins, version="1.2", name="nth"):
    source, made = scene.path("nth.c"), scene.path("nth.so.new")
    with open(source, "w") as f:
        f.write(NTH % {"name": name, "version": version})
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-I", os.path.join(SOURCE, "core/include"), "-o", made, source], check=True)
    os.rename(made, os.path.join(plugins, name + ".so"))


class Sender:
    """Batches under ids, sent again until they are taken."""

    def __init__(self, d):
        self.d, self.i = d, 0

    def send(self, n, name="view"):
        for _ in range(n):
            events = []
            for _ in range(random.randint(1, 30)):
                self.i += 1
                events.append({"name": name, "id": "e%d" % self.i, "visitor": "v%d" % random.randrange(64)})
            while True:
                try:
                    if self.d.send(events)[0] == 200:
                        break
                except Exception:
                    if not self.d.process.alive():
                        self.d.start()
                time.sleep(0.01)


def sql(d, text, args=()):
    db = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30)
    try:
        with db:
            return db.execute(text, args).fetchall()
    finally:
        db.close()


def numbers_are_whole(d, sent, first_lsn=0):
    d.flush()
    rows = sql(d, "SELECT visitor, json_extract(props, '$.nth') FROM tally_event WHERE lsn >= ? ORDER BY lsn, idx", (first_lsn,))
    equal(len(rows), sent, "rows")
    last = {}
    for visitor, n in rows:
        equal(n, last.get(visitor, 0) + 1, "number of the next event of %s, %d rows stored" % (visitor, len(rows)))
        last[visitor] = n
    return len(rows)


def snapshots(d, plugin="nth"):
    return sorted(glob.glob(os.path.join(d.data, "snapshots", "sqlite.%s.%s" % (plugin, "[0-9a-f]" * 16))))


def said(d, words):
    with open(d.process.log, errors="replace") as f:
        return f.read().count(words)


PIPELINE = "dedup: { window: 30m }, nth: {}, rollup: {}"
STEPS = ["snapshot." + s for s in ("open", "write", "sync", "rename", "dirsync", "unlink")] + \
        ["sqlite." + s for s in ("begin", "moved", "rows", "commit", "committed")]


def kills(scene):
    """Killed at every step of a snapshot and of a batch, at several passings, and at random moments."""
    d = scene.tallyd(CONF % ("1h", PIPELINE), "kills")
    s = Sender(d)
    s.send(20)
    fired = 0
    for step in STEPS:
        for n in (1, 2, 3, 5, 9) if FULL else (1, 4):
            d.kill()
            before = said(d, "seam %s fired" % step)
            d.env = {"TALLY_FAULT": "%s:%d:kill" % (step, n)}
            d.start(wait=False)
            d.env = None
            until = time.monotonic() + 20
            while said(d, "seam %s fired" % step) == before:
                check(time.monotonic() < until, "%s was not reached" % step)
                s.send(1)
                time.sleep(0.01)
            fired += 1
            d.kill()
            d.start()
            numbers_are_whole(d, s.i)
    for _ in range(100 if FULL else 15):
        s.send(random.randint(1, 20))
        if random.random() < 0.2:
            d.stop()
        else:
            d.kill()
        d.start()
    n = numbers_are_whole(d, s.i)
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")
    kept = snapshots(d)
    check(5 <= len(kept) <= 40, "%d snapshots are kept" % len(kept))
    print("kills: %d at steps, %d at random; %d events, all numbers whole; %d snapshots kept" % (
        fired, 100 if FULL else 15, n, len(kept)))
    d.stop()


def patch(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def rehead(path, offset, data):
    """A changed head with a right checksum."""
    patch(path, offset, data)
    with open(path, "rb") as f:
        head = f.read(252)
    patch(path, 252, struct.pack("<I", crc32c(head)))


def truncate(path):
    os.truncate(path, os.path.getsize(path) - 1)


DAMAGES = [
    ("a flipped byte of data", lambda p: patch(p, 300, b"\xff\xff"), "is damaged"),
    ("a flipped byte of the head", lambda p: patch(p, 30, b"\xff\xff"), "is damaged"),
    ("a torn end", truncate, "is damaged"),
    ("an empty file", lambda p: os.truncate(p, 0), "is damaged"),
    ("another node's", lambda p: rehead(p, 48, b"0" * 8), "belongs to another node"),
    ("another plugin's", lambda p: rehead(p, 160, b"xth"), "is not what its name says"),
    ("a later form", lambda p: rehead(p, 8, b"\x02"), "was written by a later tally"),
    ("a later plugin's", lambda p: rehead(p, 192, b"1.10\0"), "was written by a later version of the plugin"),
    ("another history's", lambda p: rehead(p, 32, b"\x01" * 8), "is of no place in this spool"),
]


def damage(scene):
    """One that cannot be used is said and skipped: an older one serves, or the oldest record kept."""
    d = scene.tallyd(CONF % ("1h", PIPELINE), "damage")
    s = Sender(d)
    for what, do, words in DAMAGES:
        for all_of_them in (False, True):
            s.send(30)
            d.flush()
            d.kill()
            files = snapshots(d)
            check(len(files) >= 2, "two snapshots: %r" % files)
            before, oldest = said(d, words), said(d, "made from the oldest record kept")
            for f in files if all_of_them else files[-1:]:
                do(f)
            d.start()
            s.send(3)
            numbers_are_whole(d, s.i)
            check(said(d, words) > before, "%s is said" % what)
            equal(said(d, "made from the oldest record kept") - oldest, int(all_of_them), "%s: from the oldest record" % what)
    d.stop()
    print("damage: %d kinds, the newest alone and all of them; %d events, all numbers whole" % (len(DAMAGES), s.i))


def begin(d):
    return json.loads(d.tally("status", "--json"))["spool"]["begin"]


def unwritable(scene):
    """A disk that takes no snapshot: said, the spool is kept, and nothing is wrong after a kill."""
    d = scene.tallyd(CONF % ("0s", "nth: {}, rollup: {}"), "unwritable", {"TALLY_FAULT": "snapshot.write:3+:ENOSPC"})
    s = Sender(d)
    size = 4000
    for _ in range(3):
        for _ in range(40):
            s.send(1)
            d.send([{"name": "big", "id": "b%d-%d" % (s.i, k), "props": {"x": "y" * size}} for k in range(10)])
    d.flush()
    check(said(d, "cannot be kept in"), "it is said")
    until = time.monotonic() + 3
    while time.monotonic() < until:  # long enough for a trim: below it takes less
        equal(begin(d), 0, "the spool is kept from its beginning")
        time.sleep(0.1)
    d.kill()
    d.env = None
    d.start()
    s.send(20)
    d.flush()
    wait_for("a trim, now that a snapshot is safe", lambda: s.send(1) or begin(d) > 0, 3)
    d.flush()
    rows = sql(d, "SELECT visitor, json_extract(props, '$.nth') FROM tally_event WHERE name = 'view' ORDER BY lsn, idx")
    last = {}
    for visitor, n in rows:
        equal(n, last.get(visitor, 0) + 1, "number of %s" % visitor)
        last[visitor] = n
    equal(len(rows), s.i, "rows")
    d.stop()
    print("unwritable: %d events behind one snapshot, all numbers whole" % len(rows))


def goes_back(scene):
    """The store is replaced by an older copy while the daemon runs, and while it is down."""
    d = scene.tallyd(CONF % ("1h", PIPELINE), "back")
    s = Sender(d)
    for running in (True, False):
        s.send(30)
        copy = scene.path("copy.db")
        if os.path.exists(copy):
            os.unlink(copy)
        d.flush()
        d.tally("backup", copy)
        s.send(60)
        d.flush()
        if running:
            d.tally("restore", copy)
        else:
            d.kill()
            for end in ("", "-wal", "-shm"):
                if os.path.exists(os.path.join(d.data, "tally.db" + end)):
                    os.unlink(os.path.join(d.data, "tally.db" + end))
            shutil.copy(copy, os.path.join(d.data, "tally.db"))
            d.start()
        s.send(20)
        numbers_are_whole(d, s.i)
    d.stop()
    print("back: the store went back twice; %d events, all numbers whole" % s.i)


def letters(scene):
    """A refused event has no number; sent again it gets one where it is stored, also by a replay of the log."""
    d = scene.tallyd(CONF % ("1h", PIPELINE), "letters")
    s = Sender(d)
    s.send(40)
    d.flush()
    sql(d, "CREATE TRIGGER poison BEFORE INSERT ON tally_event WHEN NEW.name = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END")
    d.kill()
    d.env = {"TALLY_FAULT": "snapshot.write:1+:ENOSPC"}  # what follows is known from the log alone
    d.start()
    for _ in range(3):
        bad = {"name": "bad", "id": "bad%d" % s.i, "visitor": "v1"}
        equal(d.send([bad])[0], 200, "bad")
        s.send(5)
        d.kill()
        d.start()
    wait_for("three letters", lambda: sql(d, "SELECT COUNT(*) FROM tally_dead")[0][0] == 3)
    numbers_are_whole(d, s.i)
    sql(d, "DROP TRIGGER poison")
    d.kill()
    d.start()
    d.env = None
    s.send(10)
    d.tally("dead", "replay", "--line", "sqlite")
    s.send(10)
    numbers_are_whole(d, s.i + 3)
    d.kill()
    d.start()
    s.send(10)
    numbers_are_whole(d, s.i + 3)
    d.stop()
    print("letters: 3 refused, sent again and replayed; %d events, all numbers whole" % (s.i + 3))


def reloads(scene, plugins, restart):
    """A plugin that is put in begins where the log is; one that is replaced gives its state to its successor."""
    os.unlink(os.path.join(plugins, "nth.so"))
    d = scene.tallyd(CONF % ("1h", "dedup: { window: 30m }, auto: {}, rollup: {}"), "restarts" if restart else "reloads")
    s = Sender(d)
    s.send(20)
    d.flush()
    before = s.i
    compile_nth(scene, plugins)
    if restart:
        d.kill()
        d.start()
    else:
        d.tally("reload")
    s.send(5)
    d.kill()
    d.start()
    s.send(20)
    d.flush()
    first = sql(d, "SELECT MIN(lsn) FROM tally_event WHERE json_extract(props, '$.nth') IS NOT NULL")[0][0]
    numbers_are_whole(d, s.i - before, first)
    for i in range(8 if FULL else 4):
        compile_nth(scene, plugins, "1.%d" % (10 + i))
        s.send(5)
        d.process.child.send_signal(signal.SIGHUP)
        s.send(10)
        if i % 2:
            d.kill()
            d.start()
    numbers_are_whole(d, s.i - before, first)
    print("put in by a %s, replaced: %d events, all numbers whole" % ("restart" if restart else "reload", s.i - before))
    d.stop()


def main(scene):
    seed = int(os.environ.get("TALLY_SEED") or random.randrange(1 << 30))
    print("seed", seed)
    random.seed(seed)
    plugins = scene.path("plugins")
    os.mkdir(plugins, 0o755)
    for so in glob.glob(os.path.join(BUILD, "plugins", ".libs", "*.so")):
        shutil.copy(so, plugins)
    os.environ["TALLY_TEST_PLUGINS"] = plugins
    compile_nth(scene, plugins)
    for part in (kills, damage, unwritable, goes_back, letters):
        part(scene)
        sys.stdout.flush()
    for restart in (False, True):
        reloads(scene, plugins, restart)


if __name__ == "__main__":
    run(main)
