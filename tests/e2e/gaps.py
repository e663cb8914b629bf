#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a line never gets: refused or skipped at its share of the spool, behind the oldest record kept, younger than the
events, under another name. Nothing of it is silent, each event is in one term, and the doors and the other lines go on."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, program, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
spool: { max: 2MiB, segment: 64KiB, retain: 0s, retain_max: 64KiB, keep_free: 0%% }
pipeline: [ rollup: {} ]
rollups: [ { name: total, by: [], metrics: [events, visitors] } ]
sinks: [ %s ]
"""
MAIN = "sqlite: { name: main, flush: 20ms, busy_timeout: 50ms, %s }"
TAPE = "file: { name: tape, path: tape.ndjson, flush: 20ms }"
FILL = "x" * 900


class Sender:
    def __init__(self, d):
        self.d, self.n, self.acked, self.refusals = d, 0, [], []

    def send(self, n=50):
        events = [{"name": "n", "id": "e%d" % (self.n + i), "fill": FILL} for i in range(n)]
        self.n += n
        status, answer = self.d.json("POST", "/v1/events", events)
        if status == 200:
            equal(answer["accepted"], n, "accepted")
            self.acked += [e["id"] for e in events]
            return True
        equal((status, answer["code"]), (503, "spool_full"), "a refusal")
        self.refusals.append(answer["detail"])
        return False

    def bytes(self, n):
        for _ in range(n // 50000 + 1):
            self.send()


def locked(d):
    """The store cannot be written until the connection is closed."""
    db = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    return db


def ids(d, table="tally_event"):
    return [r[0] for r in d.sqlite("SELECT id FROM %s" % table)]


def tape(d):
    with open(os.path.join(d.data, "tape.ndjson")) as f:
        return [json.loads(line)["id"] for line in f]


def account(d, line="main"):
    ledger = d.json("GET", "/v1/ledger")[1]
    equal(ledger["balance"], 0, "balance of %r" % ledger)
    (site,) = ledger["sites"]
    return site, site["sinks"][line]


def whole(d, acked, lost, reason, line="main"):
    """Every acknowledged event is in the store once, or counted as lost for that reason."""
    d.flush()
    got = ids(d)
    equal(len(got), len(set(got)), "no event twice")
    check(set(got) <= set(acked), "none that was refused")
    site, sink = account(d, line)
    equal((sink["stored"], sink["in_flight"]), (len(got), 0), "stored, in flight")
    equal(sink["lost"], {reason: len(acked) - len(got)} if lost else {}, "lost by reason")
    check(lost == (len(acked) > len(got)), "%d acknowledged, %d stored" % (len(acked), len(got)))
    return len(acked) - len(got)


def told(d, n, reason):
    """Readiness, answers, metrics and the store say so."""
    # a line whose place is not known yet is past its share, if all that is kept is: for a second the doors may refuse
    wait_for("readiness", lambda: d.request("GET", "/readyz")[0] == 200, 5)
    status, _, text = d.request("GET", "/readyz")
    check(status == 200 and ("main: %d events lost (%s)" % (n, reason)).encode() in text, "readyz: %d %r" % (status, text))
    (warning,) = d.query(site_id="default", metrics=["events"], date_range="all")["meta"]["warnings"]
    check(warning.startswith("%d events of this site" % n), "a warning in answers: %r" % warning)
    equal(d.sqlite("SELECT reason, events FROM tally_gap"), [(reason, n)], "tally_gap")
    equal(d.sqlite("SELECT SUM(lost) FROM tally_ledger"), [(n,)], "tally_ledger")


def refuse(scene):
    d = scene.tallyd(CONF % (MAIN % "spool_max: 50%" + ", " + TAPE), "refuse")
    s = Sender(d)
    s.send()
    d.flush()
    db = locked(d)
    for _ in range(100):
        if not s.send():
            break
    check(s.refusals and "sink main" in s.refusals[0], "the refusal names the line: %r" % s.refusals[:1])
    held = json.loads(d.tally("status", "--json"))["spool"]
    check(16 <= held["segments"] <= 18, "half of the spool is left: %r" % held)
    check(b"sink main" in d.request("GET", "/readyz")[2], "readyz names it")
    wait_for("the other line to have all", lambda: len(tape(d)) == len(s.acked))
    account(d)
    db.close()
    wait_for("the doors to open again", lambda: s.send())
    whole(d, s.acked, False, "")
    equal(sorted(tape(d)), sorted(s.acked), "the other line has each once")
    print("refuse: %d taken, then 503 naming the line, and on by itself" % len(s.acked))
    d.stop()


def skip(scene):
    d = scene.tallyd(CONF % (MAIN % "spool_max: 25%, when_spool_full: skip" + ", " + TAPE), "skip")
    s = Sender(d)
    s.send()
    d.flush()
    db = locked(d)
    s.bytes(6 << 20)
    equal(s.refusals, [], "the doors never stopped")
    wait_for("the other line to have all", lambda: len(tape(d)) == len(s.acked))
    site, sink = wait_for("skipped events in the account", lambda: account(d)[1]["lost"].get("skipped") and account(d))
    check(sink["in_flight"] < len(s.acked) - 50, "in flight is what the spool still holds: %r" % sink)
    db.close()
    n = whole(d, s.acked, True, "skipped")
    told(d, n, "skipped")
    check(b'tally_sink_lost_total{sink="main",reason="skipped"} %d' % n in d.request("GET", "/metrics")[2], "a metric")
    d.stop()
    d.start()
    whole(d, s.acked, True, "skipped")
    told(d, n, "skipped")

    # killed while it is behind, and again while the store is away
    db = locked(d)
    s.bytes(3 << 20)
    d.kill()
    d.start()
    s.bytes(1 << 20)
    d.kill()
    d.start()
    db.close()
    more = whole(d, s.acked, True, "skipped")
    check(more > n, "more was skipped")
    told(d, more, "skipped")
    equal(s.refusals, [], "the doors never stopped")
    equal(sorted(tape(d)), sorted(s.acked), "the other line has each once")
    print("skip: %d of %d counted as skipped over two kills, the doors never stopped" % (more, len(s.acked)))
    d.stop()


def too_old(scene, name, policy):
    d = scene.tallyd(CONF % (MAIN % policy), name)
    s = Sender(d)
    s.send()
    d.flush()
    d.stop()
    path = os.path.join(d.data, "tally.db")
    shutil.copy(path, path + ".kept")
    d.start()
    for _ in range(60):
        s.send()
        d.flush()
    wait_for("the spool to let go", lambda: json.loads(d.tally("status", "--json"))["spool"]["begin"] > 0)
    d.stop()
    os.replace(path + ".kept", path)
    for name in (path + "-wal", path + "-shm"):
        if os.path.exists(name):
            os.remove(name)
    d.start()
    s.send()
    n = whole(d, s.acked, True, "store_too_old")
    told(d, n, "store_too_old")
    d.kill()
    d.start()
    whole(d, s.acked, True, "store_too_old")
    told(d, n, "store_too_old")
    print("a store put back behind the spool (%s): %d of %d counted as too old" % (policy, n, len(s.acked)))
    d.stop()


def lines_come_and_go(scene):
    d = scene.tallyd(CONF % (MAIN % "prefix: ''"), "lines")
    s = Sender(d)
    for _ in range(40):
        s.send()
        d.flush()
    wait_for("the spool to let go", lambda: json.loads(d.tally("status", "--json"))["spool"]["begin"] > 0)
    d.stop()
    two = MAIN % "prefix: ''" + ", sqlite: { name: second, prefix: b_, flush: 20ms }"
    d.configure(CONF % two)
    d.start()
    s.send()
    whole(d, s.acked, False, "")
    site, sink = account(d, "second")
    second = ids(d, "b_tally_event")
    equal((sink["stored"], sink["before"], sink["lost"]), (len(second), len(s.acked) - len(second), {}), "the new line")
    check(0 < sink["before"] < len(s.acked) and set(s.acked[-50:]) <= set(second), "it began at the oldest record kept")
    equal(d.request("GET", "/readyz")[2], b"ready\n", "that is no loss")
    d.kill()

    # the line of a sink that is taken out of the configuration holds nothing
    d.configure(CONF % (MAIN % "prefix: ''"))
    d.start()
    for _ in range(60):
        check(s.send(), "the spool is not held by a line that is gone")
        d.flush()
    d.stop()
    d.configure(CONF % two)
    d.start()
    d.flush()
    site, sink = account(d, "second")
    check(sink["lost"].get("store_too_old", 0) > 0, "what it missed meanwhile is counted: %r" % sink)
    print("a line added (%d before it), removed, added again (%d lost)" % (sink["before"], sink["lost"]["store_too_old"]))
    d.stop()


def tape_comes(scene):
    """A file line that is younger than the events, and then bears another name: what was before it is known over restarts."""
    one = MAIN % "prefix: ''"
    d = scene.tallyd(CONF % one, "tape")
    s = Sender(d)

    def more(n):
        for _ in range(n):
            check(s.send(), "taken")
            d.flush()
        wait_for("the spool to let go", lambda: json.loads(d.tally("status", "--json"))["spool"]["begin"] > 0)

    def young(line, path):
        d.flush()
        site, sink = account(d, line)
        with open(os.path.join(d.data, path)) as f:
            lines = [json.loads(text)["id"] for text in f]
        equal(len(lines), len(set(lines)), "no event twice")
        equal((sink["stored"], sink["before"]), (len(lines), len(s.acked) - len(lines)), "stored, before")
        equal((sink["lost"], sink["in_flight"], sink.get("balance")), ({}, 0, 0), "lost, in flight, balance")
        return sink["before"]

    more(40)
    told = []
    for line in ("tape", "roll"):
        d.stop()
        d.configure(CONF % (one + ", file: { name: %s, path: %s.ndjson, flush: 20ms }" % (line, line)))
        d.start()
        s.send()
        n = young(line, line + ".ndjson")
        check(n > 0, "events were taken before it")
        d.kill()
        d.start()
        equal(young(line, line + ".ndjson"), n, "before, after kill -9")
        s.send()
        d.stop()
        d.start()
        equal(young(line, line + ".ndjson"), n, "before, after a stop")
        told.append(n)
        more(40)
    print("a file line added (%d before it) and renamed (%d before it): the account balances over restarts" % tuple(told))
    d.stop()


def rename(scene):
    d = scene.tallyd(CONF % (MAIN % "prefix: ''"), "rename")
    s = Sender(d)
    s.send()
    d.flush()
    d.stop()
    d.configure(CONF % (MAIN % "prefix: ''").replace("name: main", "name: other"))
    d.start()
    s.send()
    wait_for("the line to stand", lambda: b"tally adopt other --from main" in d.request("GET", "/readyz")[2])
    d.tally("adopt", "other", "--from", "nobody", ok=(1,))
    d.tally("adopt", "nobody", "--from", "main", ok=(1,))
    equal(d.sqlite("SELECT line FROM tally_position"), [("main",)], "nothing was changed")
    d.tally("adopt", "other", "--from", "main")
    whole(d, s.acked, False, "", "other")
    equal(d.sqlite("SELECT DISTINCT line FROM tally_position UNION SELECT line FROM tally_ledger"), [("other",)], "names")
    d.tally("adopt", "other", "--from", "main", ok=(1,))
    print("a renamed line stands, says how, adopts, goes on")
    d.stop()


def one_database(scene):
    for second in ("path: tally.db", "path: ./tally.db", "path: %s/tally.db" % scene.dir):
        path = scene.path("check.yaml")
        with open(path, "w") as f:
            f.write("listen: 127.0.0.1:1\nsinks: [ sqlite: { name: a }, sqlite: { name: b, %s } ]\n" % second)
        p = subprocess.run([program("tallyd"), "-c", path, "-d", scene.dir, "-p", scene_plugins(), "-t"],
                           capture_output=True, text=True)
        check(p.returncode == 1 and "same database" in p.stderr, "%s: %r" % (second, p.stderr))
        with open(path, "w") as f:
            f.write("listen: 127.0.0.1:1\nsinks: [ sqlite: { name: a }, sqlite: { name: b, prefix: b_, %s } ]\n" % second)
        p = subprocess.run([program("tallyd"), "-c", path, "-d", scene.dir, "-p", scene_plugins(), "-t"],
                           capture_output=True, text=True)
        equal(p.returncode, 0, "with a prefix: %r" % p.stderr)
    print("two lines in one database need a prefix, however the path is written")


def scene_plugins():
    return os.environ.get("TALLY_TEST_PLUGINS") or os.path.join(os.environ["abs_top_builddir"], "plugins", ".libs")


def main(scene):
    one_database(scene)
    refuse(scene)
    skip(scene)
    too_old(scene, "old", "spool_max: 50%")
    too_old(scene, "old-skip", "spool_max: 50%, when_spool_full: skip")
    lines_come_and_go(scene)
    tape_comes(scene)
    rename(scene)


if __name__ == "__main__":
    run(main)
