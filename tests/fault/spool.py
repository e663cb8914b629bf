#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Faults of the disk under the spool: crash images, torn and flipped bytes (the C programs make them by the thousand), segment
files lost, doubled and swapped, syncs and writes that fail, a disk that is full, slow or read-only, formats old and new."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from damage import damaged  # noqa: E402
from rig import (BUILD, LIST, SOURCE, Load, Skip, Sqlite, check, conf, equal, fired_in, full, main,  # noqa: E402
                 program, restart, row, rss_kib, sqlite, verify, wait_for, wait_ready)

SMALL = "{ segment: 1MiB, max: 1GiB, keep_free: 0%, retain: 1h }"


def figures_of(name, pattern):
    """Runs a C program of tests/unit and gives the numbers that it printed."""
    path = os.path.join(BUILD, "tests", "unit", name)
    if not os.path.exists(path):
        raise Skip("%s is not built (make check TESTS=)" % name)
    p = subprocess.run([path], capture_output=True, text=True, env=dict(os.environ, srcdir=SOURCE), timeout=1200)
    check(p.returncode == 0, "%s: exit %d\n%s" % (name, p.returncode, p.stdout[-3000:]))
    found = re.search(pattern, p.stdout)
    check(found, "%s printed no figures:\n%s" % (name, p.stdout[-1000:]))
    return [int(n) for n in found.groups()]


def spool(d, *args, ok=(0,)):
    p = subprocess.run([program("tally"), "spool"] + list(args) + ["-d", d.data, "--json"], capture_output=True, text=True)
    check(p.returncode in ok, "tally spool %s: exit %d\n%s%s" % (args[0], p.returncode, p.stdout[-2000:], p.stderr[-2000:]))
    return json.loads(p.stdout)


# ---- images and bytes ----

@row(2, "power cut: unsynced sectors gone, last write torn")
def power_cut(scene, fig):
    images, distinct, openings = figures_of("test_spool_crash", r"crash images: (\d+), distinct: (\d+), openings: (\d+)")
    check(images >= (10000 if full() else 1500), "only %d images" % images)
    fig.fired = images
    fig.note = "%d images, %d distinct, each recovered and lived on from" % (images, distinct)


@row(3, "torn tail at every byte")
def torn_tail(scene, fig):
    fig.fired, = figures_of("test_spool_recover", r"torn tails: (\d+)")


@row(4, "a byte flipped anywhere")
def flipped(scene, fig):
    fig.fired, = figures_of("test_spool_recover", r"flipped bytes: (\d+)")
    fig.note = "found, later records live, the bad bytes in quarantine"


# ---- segment files ----

@row(5, "a segment file lost, one doubled, two swapped")
def segment_files(scene, fig):
    d = scene.tallyd(conf(sqlite(), spool=SMALL))
    load = Load(d, batches=3, size=100, pause=0).start()
    wait_for("six segments", lambda: len(spool(d, "check")["segments"]) >= 6, 60)
    load.stop()
    d.flush()
    d.stop()
    folder = os.path.join(d.data, "spool")
    names = [s["file"] for s in spool(d, "check")["segments"]]
    os.unlink(os.path.join(folder, names[1]))
    shutil.copy(os.path.join(folder, names[2]), os.path.join(folder, "copy.seg"))
    for a, b in ((names[3], "x"), (names[4], names[3]), ("x", names[4])):
        os.rename(os.path.join(folder, a), os.path.join(folder, b))
    seen = spool(d, "check", ok=(1,))
    equal(sorted(f["kind"] for f in seen["findings"] if f["kind"] != "torn"), ["missing", "strange"], "what check finds")
    d.start()
    log = d.process.tail(400)
    fig.fired = ("no segment has them" in log) + ("is a copy of another segment" in log) + 1
    equal(fig.fired, 3, "what the start says: %s" % log)
    more = Load(d).run_for(1)
    verify(d, [load, more], [Sqlite(d)], fig)
    fig.note = "the gap is counted and said"
    d.stop()


@row("5d", "bytes broken in what waits for a store")
def broken(scene, fig):
    damaged(scene, fig)
    fig.note, fig.lost = "%d lost, counted as damaged" % fig.lost, 0


@row("5e", "bytes broken in the last segment, after an orderly end")
def broken_last(scene, fig):
    damaged(scene, fig, last=True)
    fig.note, fig.lost = "%d lost, counted as damaged" % fig.lost, 0


# ---- calls that fail ----

def failing(scene, fig, faults, seams, **load_options):
    d = scene.tallyd(conf(sqlite(), spool=SMALL), env={"TALLY_FAULT": faults})
    load = Load(d, redis=None, batches=4, pause=0, **load_options).start()
    wait_for("the last fault", lambda: all(fired_in(d, s) >= n for s, n in seams.items()), 60)
    load.wait_acked(300)
    load.stop()
    fig.fired = sum(fired_in(d, s) for s in seams)
    fig.recovery_s = wait_ready(d)
    verify(d, [load], [Sqlite(d)], fig)
    restart(d)  # and what is on disk is what was acknowledged
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()
    return load


@row(6, "fdatasync EIO: once, twice, while leaving behind")
def sync_eio(scene, fig):
    load = failing(scene, fig, "spool.sync:8:EIO,spool.sync:20:EIO,spool.abandon:2:EIO,spool.sync:40:EIO", {"spool.sync": 3, "spool.abandon": 1})
    fig.note = "refused: %s" % ", ".join(sorted(load.refused))


@row(7, "write EIO, short write, both")
def write_eio(scene, fig):
    load = failing(scene, fig, "spool.write:20:EIO,spool.write:40:short,spool.write:60:short,spool.write:61:EIO,spool.header:2:EIO",
                   {"spool.write": 4})
    fig.note = "refused: %s" % ", ".join(sorted(load.refused))


@row(9, "ENOSPC and EDQUOT at fdatasync only")
def sync_enospc(scene, fig):
    load = failing(scene, fig, "spool.sync:8:ENOSPC,spool.sync:25:EDQUOT", {"spool.sync": 2})
    fig.note = "refused: %s" % ", ".join(sorted(load.refused))


@row(10, "slow disk: every fdatasync takes 300 ms")
def slow_disk(scene, fig):
    d = scene.tallyd(conf(sqlite(), spool=SMALL), env={"TALLY_FAULT": "spool.sync:3+:stall=300"})
    first = Load(d).run_for(0.5)
    before = rss_kib(d)
    load = Load(d, singles=8, batches=8, size=200, pause=0).run_for(8 if full() else 4)
    grown = rss_kib(d) - before
    fig.fired = fired_in(d, "spool.sync")
    check(load.slowest_s > 0.25, "acknowledgements come late: %.3f s" % load.slowest_s)
    check(grown < 128 << 10, "memory grew by %d KiB" % grown)
    restart(d)  # what was acknowledged is there, however late it was
    verify(d, [first, load], [Sqlite(d)], fig)
    fig.note = "slowest answer %.1f s, memory +%d KiB" % (load.slowest_s, grown)
    d.stop()


# ---- a small file system ----

class SmallDisk:
    """A file system of memory under a daemon's data_dir; as root only."""

    def __init__(self, path, mib):
        self.path, self.layers = path, 0
        os.makedirs(path, exist_ok=True)
        self.mount("-t", "tmpfs", "-o", "size=%dm" % mib, "tally-test", path)
        self.layers = 1

    def mount(self, *args):
        p = subprocess.run(["mount"] + list(args), capture_output=True, text=True)
        if p.returncode:
            raise Skip("mount %s: %s" % (" ".join(args), p.stderr.strip()))

    def fill(self):
        """To the last page. Gives the bytes that it took."""
        n = 0
        with open(os.path.join(self.path, "ballast"), "ab", buffering=0) as f:
            for block in (1 << 16, 4096):
                try:
                    while True:
                        n += f.write(b"x" * block)
                except OSError:
                    pass
        return n

    def free(self):
        os.unlink(os.path.join(self.path, "ballast"))

    def read_only(self):
        self.mount("--bind", self.path, self.path)
        self.layers += 1
        self.mount("-o", "remount,bind,ro", self.path)

    def writable(self):
        self.mount("-o", "remount,bind,rw", self.path)  # files opened meanwhile keep it from being unmounted

    def close(self):
        while self.layers:
            if subprocess.run(["umount", "-l", self.path]).returncode:
                break
            self.layers -= 1


class Locked:
    """The store takes nothing while this is held, so that the spool cannot drain."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.db.execute("BEGIN IMMEDIATE")

    def release(self):
        self.db.execute("ROLLBACK")
        self.db.close()


@row("10b", "reads fail while a batch is on its way")
def read_eio(scene, fig):
    """The line reads ahead while its sink commits; a place that it cannot read must not make it forget that batch."""
    pairs = ",".join("spool.read:%d:EIO,spool.read:%d:EIO" % (n, n + 1) for n in range(60, 180, 20))
    d = scene.tallyd(conf(sqlite(), spool=SMALL), env={"TALLY_FAULT": "sqlite.commit:1+:stall=100," + pairs})
    load = Load(d, batches=2, pause=0.01).start()

    def all_failed():
        d.flush()  # a line that cannot read asks again in 30 s, or at once if it is told to
        return fired_in(d, "spool.read") >= 12
    wait_for("the reads to fail", all_failed, 60)
    load.wait_acked(100)
    load.stop()
    fig.fired = fired_in(d, "spool.read")
    d.flush()
    fig.recovery_s = wait_ready(d)
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


def on_small_disk(scene, mib, body):
    disk = SmallDisk(scene.path("tallyd.data"), mib)
    try:
        body(disk)
    finally:
        for p in scene.processes:  # a mount in use cannot go
            if p.alive():
                p.kill()
        disk.close()


def ready_words(d):
    status, _, text = d.request("GET", "/readyz")
    return status, text.decode()


@row(8, "disk full: full, started full, freed")
def disk_full(scene, fig):
    store = scene.path("store.db")

    def body(disk):
        d = scene.tallyd(conf(sqlite(extra="path: %s" % store), spool=SMALL))
        first = Load(d).run_for(0.5)
        d.flush()
        lock = Locked(store)
        load = Load(d, batches=3, size=100, pause=0).start()
        load.wait_acked(200)
        disk.fill()
        wait_for("503 spool_full", lambda: load.refused["503 spool_full"] > 20, 60)
        status, words = ready_words(d)
        check(status == 503 and "spool" in words, "/readyz on a full disk: %d %s" % (status, words))
        fig.fired += load.refused["503 spool_full"]
        acked, refused = len(load.acked), load.refused["503 spool_full"]
        restart(d)  # starts on the full disk
        wait_for("refusals after the start", lambda: load.refused["503 spool_full"] > refused + 50)
        check(ready_words(d)[0] == 503, "/readyz after a start on a full disk")
        # what was under way at the stop, and a record or two that find the last bytes of a segment
        check(len(load.acked) - acked < 1000, "%d events are taken on a full disk" % (len(load.acked) - acked))
        began = time.monotonic()
        disk.free()
        load.wait_acked(500)  # with the store still away, and no restart
        fig.recovery_s = time.monotonic() - began
        lock.release()
        load.stop()
        wait_ready(d)
        verify(d, [first, load], [Sqlite(d, path=store)], fig)
        equal(spool(d, "check")["sound"], True, "check")
        d.stop()
    on_small_disk(scene, 24, body)


@row("8b", "no room for even the START record")
def no_start(scene, fig):
    store = scene.path("store.db")

    def body(disk):
        yaml = conf(sqlite(extra="path: %s" % store), spool=SMALL)
        d = scene.tallyd(conf("null: {}", spool=SMALL))
        d.flush()
        d.stop()
        for name in os.listdir(os.path.join(d.data, "spool")):
            if name.endswith(".seg"):
                os.unlink(os.path.join(d.data, "spool", name))
        disk.fill()
        d.configure(yaml)
        d.start()
        load = Load(d).start()
        wait_for("503 spool_full", lambda: load.refused["503 spool_full"] > 10, 30)
        equal(len(load.acked), 0, "acknowledged without a START")
        fig.fired = load.refused["503 spool_full"]
        load.stop()
        began = time.monotonic()
        disk.free()
        fig.recovery_s = wait_ready(d)  # nobody sends: it comes by itself
        check(spool(d, "check")["records"][0]["START"] == 1, "START stands")
        load2 = Load(d).run_for(0.5)
        verify(d, [load2, load], [Sqlite(d, path=store)], fig)
        d.stop()
    on_small_disk(scene, 16, body)


def is_full(d, load, seconds=1):
    """Not one of the load's events is taken for so long."""
    before = len(load.acked)
    time.sleep(seconds)
    return len(load.acked) == before


@row("8c", "full to the last byte with a pending Redis batch")
def full_with_pending(scene, fig):
    store = scene.path("store.db")
    redis = scene.redis()

    def body(disk):
        d = scene.tallyd(conf(sqlite(extra="path: %s" % store), redis=redis.port, spool=SMALL),
                         env={"TALLY_FAULT": "redis.settle:5:stall=8500"})
        load, last = Load(d, batches=3, size=60, pause=0), Load(d, singles=1, batches=0, pause=0)
        load.redis = redis
        for _ in range(8):
            check(load.push(load.events(500)), "pushed")
        wait_for("a pending batch", lambda: fired_in(d, "redis.settle") >= 1, 30)
        lock = Locked(store)
        disk.fill()
        load.start()
        wait_for("503 spool_full", lambda: load.refused["503 spool_full"] > 20, 30)
        load.quit = True  # what is left is filled by single events, to the last byte that they can have
        last.start()
        wait_for("503 spool_full", lambda: last.refused["503 spool_full"] > 40 and is_full(d, last), 30)
        pending = spool(d, "check")["pending"]
        check(len(pending) == 1 and pending[0]["events"] >= 300, "pending while the disk is full: %r" % pending)
        fig.fired = load.refused["503 spool_full"] + last.refused["503 spool_full"]
        wait_for("its RELEASE on the full disk", lambda: not spool(d, "check")["pending"], 30)
        check(ready_words(d)[0] == 503, "still full")
        check(spool(d, "check")["records"][0]["RELEASE"] >= 5, "released")
        restart(d)
        check(ready_words(d)[0] == 503, "started on the full disk")
        began = time.monotonic()
        disk.free()
        last.wait_acked(100)
        fig.recovery_s = time.monotonic() - began
        lock.release()
        load.stop()
        last.stop()
        wait_ready(d)
        verify(d, [load, last], [Sqlite(d, path=store)], fig, redis)
        d.stop()
    on_small_disk(scene, 24, body)


@row(11, "data_dir read-only, and back")
def read_only(scene, fig):
    store = scene.path("store.db")

    def body(disk):
        d = scene.tallyd(conf(sqlite(extra="path: %s" % store), spool=SMALL))
        load = Load(d, batches=3, size=100, pause=0).start()
        load.wait_acked(500)
        disk.read_only()
        wait_for("503", lambda: load.refused["503 spool_error"] > 20, 60)
        status, words = ready_words(d)
        check(status == 503 and "spool" in words, "/readyz on a read-only disk: %d %s" % (status, words))
        fig.fired = load.refused["503 spool_error"]
        began = time.monotonic()
        disk.writable()
        load.wait_acked(500)
        fig.recovery_s = time.monotonic() - began
        load.stop()
        wait_ready(d)
        verify(d, [load], [Sqlite(d, path=store)], fig)
        restart(d)
        verify(d, [load], [Sqlite(d, path=store)], fig)
        equal(spool(d, "check")["sound"], True, "no gap where segments could not be let go")
        fig.note = "as a read-only mount over the writable one: files open for writing stay so"
        d.stop()
    on_small_disk(scene, 32, body)


# ---- formats ----

@row(59, "formats: old ones read, a newer one refused")
def formats(scene, fig):
    fig.fired, = figures_of("test_spool_frozen", r"formats read: (\d+)")
    d = scene.tallyd(conf(sqlite(), spool=SMALL))
    load = Load(d).run_for(0.5)
    d.flush()
    d.stop()
    folder = os.path.join(d.data, "spool")
    with open(os.path.join(folder, spool(d, "check")["segments"][0]["file"]), "rb") as f:
        head = bytearray(f.read(4096))
    for at in (0, 2048):
        head[at + 8] += 1
        head[at + 124:at + 128] = crc32c(bytes(head[at:at + 124])).to_bytes(4, "little")
    newer = os.path.join(folder, "newer.seg")
    with open(newer, "wb") as f:
        f.write(head)
    d.start(wait=False)
    equal(d.process.child.wait(30), 1, "exit over a newer segment")
    log = d.process.tail()
    check("newer.seg is of format 2" in log and "start the version that wrote it" in log, "what the start says: " + log)
    found = spool(d, "check", ok=(1,))["findings"]
    equal([(f["kind"], f["file"]) for f in found if f["kind"] != "torn"], [("newer", "newer.seg")], "what check says")
    with open(newer, "rb") as f:
        equal(f.read(), bytes(head), "the newer segment")
    fig.fired += 1
    os.unlink(newer)
    d.start()
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


def crc32c(data):
    crc = 0xffffffff
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


if __name__ == "__main__":
    main()
