#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench-instructions`: instructions an event by station, which no noise moves. tallyd runs under callgrind twice, for
N and for 2 N events; half of the difference is what N events cost, without start and end.

    BENCH_LINES="P1 P4"   only these        BENCH_EVENTS=20000   N        BENCH_TOP=12   functions a station

P1 and P3 count doors, ledger and line; P4 the Redis door; P5 and P6 the line and the sink, as the spool is drained."""

import collections
import glob
import os
import re
import sys

os.environ.setdefault("TMPDIR", os.environ.get("abs_top_builddir") or os.getcwd())

import kit  # noqa: E402
from harness import MariaDB, Redis, Tallyd, program  # noqa: E402
from http_lines import LEAN, conf, load  # noqa: E402
from kit import ROLLUPS, SITES, check, equal, measure, must_hold, taken, wait_for  # noqa: E402
import redis_lines, store_lines  # noqa: E402,E401
from yardsticks import find  # noqa: E402

EVENTS = int(os.environ.get("BENCH_EVENTS") or 20000)
TOP = int(os.environ.get("BENCH_TOP") or 12)
# a thread is known by the function it runs
STATIONS = [("lane_main", "door"), ("source_main", "Redis door"), ("ledger_main", "ledger"), ("syncer_main", "ledger's syncer"),
            ("line_main", "line"), ("thread_main", "sink"), ("helper_main", "spool's helper"), ("run_loop", "desk"),
            ("writer_main", "snapshots")]


def read_dump(path, into):
    """Self cost by function of one thread's dump; a call's line of cost belongs to whom it calls."""
    names, cost, fn, skip = {}, collections.Counter(), None, False
    with open(path, errors="replace") as f:
        for text in f:
            text = text.rstrip("\n")
            m = re.match(r"c?fn=\((\d+)\)(?: (.*))?$", text)
            if m:
                if m.group(2):
                    names[m.group(1)] = re.sub(r"'\d+$", "", m.group(2))
                if text.startswith("fn="):
                    fn = names[m.group(1)]
            elif text.startswith("calls="):
                skip = True
            elif re.match(r"[0-9+*-]", text) and fn:
                if not skip:
                    cost[fn] += int(text.split()[-1])
                skip = False
    into[next((station for main, station in STATIONS if main in names.values()), "others")].update(cost)


class Watched(Tallyd):
    """tallyd under callgrind; stop() leaves the dumps of its threads."""

    def start(self, wait=True):
        self.out = self.scene.path("callgrind")
        for old in glob.glob(self.out + "*"):
            os.unlink(old)
        self.process = self.scene.start(
            [find("valgrind", "the package valgrind"), "--tool=callgrind", "--separate-threads=yes",
             "--callgrind-out-file=" + self.out, program("tallyd"), "-c", self.file, "-d", self.data, "-p",
             self.plugin_dir()], self.name, dict(os.environ, **(self.env or {})))
        if wait:
            self.wait_alive(120)

    def costs(self):
        """{station: {function: instructions}} of the life that has ended."""
        self.stop(600)
        into = collections.defaultdict(collections.Counter)
        dumps = glob.glob(self.out + "-*")
        check(dumps, "callgrind left nothing:\n" + self.process.tail())
        for path in dumps:
            read_dump(path, into)
        return into


# batches by size alone: in slow motion those by time would be small, and their rollup rows many
PATIENT = "[ null: { flush: 10m } ]"


def over_http(batch):
    def once(scene, n):
        d = Watched(scene, conf("written", sinks=PATIENT), "tallyd%d" % n)
        got = load(d.port, "/v1/events", requests=n // batch, batch=batch, connections=16)
        must_hold(d, got["accepted"])
        equal(got["accepted"], n, "accepted")
        return d.costs()
    return once


def over_redis(scene, n):
    redis = Redis(scene, "redis%d" % n, ["--appendonly", "no"])
    measure("redis_list", redis.port, "fill", "tally:events", n)
    d = Watched(scene, redis_lines.CONF.replace("[ null: {} ]", PATIENT) % (SITES, LEAN, ROLLUPS, redis.url()),
                "tallyd%d" % n)
    wait_for("the list to be taken", lambda: taken(d)[0] == n, 600, 0.2)
    must_hold(d, n)
    return d.costs()


def into_store(sink):
    def once(scene, n):
        text = store_lines.conf(store_lines.PAGES, "null: { name: none }")
        filler = scene.tallyd(text, "fill%d" % n)
        got = load(filler.port, "/v1/events", requests=n // 100, batch=100, connections=4)
        equal(got["accepted"], n, "accepted")
        filler.flush()
        filler.stop()
        d = Watched.__new__(Watched)
        d.__dict__.update(filler.__dict__)
        d.configure(store_lines.conf(store_lines.PAGES, sink(scene, n)))
        d.start()
        wait_for("the drain", lambda: taken(d)[1]["store"] == n, 600, 0.2)
        return d.costs()
    return once


def mariadb(scene, n):
    return 'mariadb: { name: store, url: "%s" }' % MariaDB(scene, "mariadb%d" % n).url()


LINES = [("P1", "HTTP single", over_http(1), 1), ("P3", "HTTP batches of 100", over_http(100), 10),
         ("P4", "Redis list", over_redis, 10), ("P5", "spool to MariaDB, raw rows and a rollup", into_store(mariadb), 10),
         ("P6", "spool to SQLite, raw rows and a rollup", into_store(lambda scene, n: "sqlite: { name: store }"), 5)]


def report(name, words, once, twice, events):
    print("\n%s, %s: instructions an event" % (name, words))
    per = {s: {f: (twice[s][f] - once.get(s, {}).get(f, 0)) / events for f in twice[s]} for s in twice}
    sums = {s: sum(fs.values()) for s, fs in per.items()}
    print("  %-20s %9.0f" % ("all", sum(sums.values())))
    for station in sorted(sums, key=lambda s: -sums[s]):
        if sums[station] < 1:
            continue
        print("  %-20s %9.0f" % (station, sums[station]))
        for f in sorted(per[station], key=lambda f: -per[station][f])[:TOP]:
            if per[station][f] >= sums[station] / 100:
                print("      %8.0f  %s" % (per[station][f], f))
    sys.stdout.flush()


def main():
    wanted = (os.environ.get("BENCH_LINES") or "").split()
    try:
        find("valgrind", "the package valgrind")
    except kit.Missing as why:
        sys.exit("bench-instructions: %s" % why)
    for name, words, run, times in LINES:
        if wanted and name not in wanted:
            continue
        n = EVENTS * times // 2
        with kit.stage() as scene:
            once = run(scene, n)
            twice = run(scene, 2 * n)
        report(name, words, once, twice, n)


if __name__ == "__main__":
    main()
