#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tally spool check, dump and adopt. A data_dir is cloned; the original goes on, the clone takes events that its store
has no place for, restarts, and is adopted: killed behind every step and run again. What both acknowledged is in the
store once; what the clone had from before is not stored again."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, program, run, wait_for  # noqa: E402

CONF = """
spool: { segment: 1MiB, max: 64MiB }
pipeline: [ dedup: { window: 10m }, rollup: {} ]
rollups: [ { name: total, by: [], metrics: [events] } ]
sinks: [ sqlite: { path: "%s", flush: 20ms } ]
"""
STEPS = ["decided", "copied", "copied_all", "built", "aside", "in_place", "node", "told"]


def spool(*args, ok=(0,), env=None):
    p = subprocess.run([program("tally"), "spool"] + list(args) + ["--json"], capture_output=True, env=dict(os.environ, **(env or {})))
    check(p.returncode in ok, "tally spool %s: exit %d\n%s%s" % (" ".join(args), p.returncode, p.stdout.decode()[-2000:], p.stderr.decode()[-2000:]))
    p.words = p.stderr.decode()
    p.json = json.loads(p.stdout) if p.stdout and args[0] != "dump" and p.returncode >= 0 else None
    return p


def events(prefix, n):
    return [{"name": "e", "id": "%s-%d" % (prefix, i)} for i in range(n)]


def send(d, prefix, n):
    status, answer = d.send(events(prefix, n))
    equal((status, answer["accepted"]), (200, n), "sent " + prefix)


def stored(path):
    db = sqlite3.connect(path, timeout=30)
    try:
        return db.execute("SELECT id FROM tally_event").fetchall(), db.execute("SELECT uuid FROM tally_node ORDER BY number").fetchall()
    finally:
        db.close()


def dump(d, *args):
    return [json.loads(line) for line in spool("dump", "-d", d.data, *args).stdout.splitlines()]


def looking(d):
    """Beside the running daemon."""
    before = sorted(os.listdir(os.path.join(d.data, "spool")))
    c = spool("check", "-d", d.data).json
    equal((c["sound"], c["findings"], c["pending"], c["events"], c["records"][0]["START"]), (True, [], [], 55, 1), "check")
    check(c["daemon"] > 0, "the daemon is seen")
    equal(sorted(os.listdir(os.path.join(d.data, "spool"))), before, "nothing changed")
    records = dump(d)
    equal([r["lsn"] for r in records][1:], [r["end"] for r in records][:-1], "records follow each other")
    equal((records[-1]["end"], records[-1]["mark"]), (c["end"], c["mark"]), "the last record ends where check says")
    ids = [e["id"] for r in records if r["type"] == "EVENTS" for e in r["events"]]
    equal(ids, [e["id"] for e in events("one", 50) + events("two", 5)], "events of the dump")
    start = [r for r in records if r["type"] == "START"]
    equal([r["lsn"] for r in start], [c["last_start"]], "START")
    equal(dump(d, "--from", str(start[0]["lsn"]), "--to", str(start[0]["end"])), start, "a range")
    words = spool("adopt", "--as-new-node", "-d", d.data, ok=(1,)).words
    check("stop it first" in words, "adopt beside a daemon: " + words)
    spool("adopt", "-d", d.data, ok=(2,))
    print("check and dump beside a running daemon; adopt refuses there")


def damage(d, scene):
    """One flipped byte inside durable records: check says where and exits 1."""
    copy = scene.path("damaged")
    shutil.copytree(d.data, copy)
    segments = [s for s in spool("check", "-d", copy).json["segments"]]
    record = [r for r in dump(d) if r["type"] == "EVENTS"][0]
    path = os.path.join(copy, "spool", segments[0]["file"])
    with open(path, "r+b") as f:
        f.seek(4096 + record["lsn"] - segments[0]["first"] + 60)
        byte = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([byte[0] ^ 1]))
    c = spool("check", "-d", copy, ok=(1,)).json
    equal(([(f["kind"], f["from"], f["to"]) for f in c["findings"]], c["sound"]), ([("damaged", record["lsn"], record["end"])], False), "damage")
    check(not os.path.exists(os.path.join(copy, "spool", "quarantine")), "check moves nothing")
    with open(path, "r+b") as f:
        f.seek(8)
        head = f.read(4)
    equal(head, b"\1\0\0\0", "version")
    shutil.rmtree(copy)
    print("check: damage is named by lsn, exit 1, nothing is touched")


def parting(scene, a, path):
    """The clone finds its store parted, at its first start; it starts once more before anybody looks."""
    b = scene.tallyd(CONF % scene.path("other.db"), "clone")  # its folder is made anew
    b.flush()
    b.stop()
    b.configure(CONF % path)
    shutil.rmtree(b.data)
    shutil.copytree(a.data, b.data)
    a.start()
    send(a, "original", 40)
    a.flush()
    a.stop()
    for i in range(2):
        b.start()
        send(b, "clone-%d" % i, 30)
        wait_for("the line to part", lambda: "parted" in b.request("GET", "/readyz")[2].decode())
        b.stop()
    notes = [n for n in os.listdir(b.data) if n.startswith("parted-")]
    equal(len(notes), 1, "the place is noted")
    return b


def adopting(scene, b, path):
    whole = spool("check", "-d", b.data).json
    starts = [r["lsn"] for r in dump(b) if r["type"] == "START"]
    equal(len(starts), 3, "starts: original, clone twice")
    before = stored(path)
    for step in STEPS:
        p = spool("adopt", "--as-new-node", "-d", b.data, env={"TALLY_FAULT": "adopt.%s:1:kill" % step}, ok=(-9, 137))
        check(p.returncode != 0, "killed at " + step)
        p = b.process
        b.start(wait=False)
        equal(b.process.child.wait(30), 1, "tallyd refuses a half-adopted folder (behind %s)" % step)
        check("adoption was begun" in b.process.tail(), "and says why")
        b.process = p
    did = spool("adopt", "--as-new-node", "-d", b.data).json
    equal((did["did"], did["from_lsn"], did["events_stored_again"], did["events_skipped"], did["old_node"]),
          ("adopted", starts[1], 60, 55, whole["node"]), "the report")
    again = spool("adopt", "--as-new-node", "-d", b.data).json
    equal((again["did"], again["new_node"]), ("nothing: it was adopted before", did["new_node"]), "a second time")
    now = spool("check", "-d", b.data).json
    equal((now["node"], now["sound"], now["events"], now["begin"]), (did["new_node"], True, 60, 0), "the new log")
    check(os.path.isdir(os.path.join(b.data, did["old_spool"])), "the old log is kept")
    equal(sorted(n for n in os.listdir(b.data) if n.startswith("parted-") or n == "adopting" or n.endswith(".adopt")), [], "no leavings")
    equal(stored(path), before, "the store is not touched")
    print("adopt: killed behind each of %d steps, tallyd refused in between; then %r" % (len(STEPS), did))


def main(scene):
    path = scene.path("shared.db")
    a = scene.tallyd(CONF % path, "original")
    send(a, "one", 50)
    send(a, "two", 5)
    a.flush()
    looking(a)
    a.stop()
    damage(a, scene)
    words = spool("adopt", "--as-new-node", "-d", a.data, ok=(1,)).words
    check("nothing to adopt" in words, "a store that has not parted: " + words)
    b = parting(scene, a, path)
    adopting(scene, b, path)
    b.start()
    send(b, "after", 10)
    b.flush()
    status, ledger = b.json("GET", "/v1/ledger")
    b.stop()
    ids, nodes = stored(path)
    want = ["%s-%d" % (p, i) for p, n in (("one", 50), ("two", 5), ("original", 40), ("clone-0", 30), ("clone-1", 30), ("after", 10)) for i in range(n)]
    equal(sorted(i for i, in ids), sorted(want), "exactly once")
    equal(len(nodes), 2, "two nodes")
    equal((ledger["balance"], ledger["sites"][0]["sinks"]["sqlite"]["stored"]), (0, 70), "the ledger of the new node")
    a.start()
    a.flush()
    a.stop()
    equal(len(stored(path)[0]), len(want), "the original goes on beside it")


run(main)
