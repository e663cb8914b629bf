# SPDX-License-Identifier: Apache-2.0
"""Damage on the disk, in the spool of a daemon that is stopped: see `damaged()`."""

import glob
import os
import sqlite3
import struct

from rig import Load, Sqlite, check, conf, equal, seen, sqlite, verify, wait_for

HEAD = 4096
SEGMENT = "{ segment: 64KiB, max: 1GiB, keep_free: 0%, retain: 1h }"


def locked(d):
    """The store takes nothing until this is closed, so that the spool alone holds what comes."""
    db = sqlite3.connect(os.path.join(d.data, "tally.db"), timeout=30, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    return db


def live_segments(d):
    """Paths, oldest first."""
    found = []
    for path in glob.glob(os.path.join(d.data, "spool", "*.seg")):
        with open(path, "rb") as f:
            head = f.read(48)
        if len(head) < 48:  # it is just being made
            continue
        magic, _, kind, number = struct.unpack("<8sII16xQ", head[:40])
        if magic == b"TALLYSEG" and kind == 1:
            found.append((number, path))
    return [path for _, path in sorted(found)]


def written(path):
    """Bytes of records."""
    with open(path, "rb") as f:
        return len(f.read().rstrip(b"\0")) - HEAD


def break_bytes(path, share, n=64):
    """n bytes at that share of the segment's records are not what they were."""
    at = HEAD + int(written(path) * share)
    with open(path, "r+b") as f:
        f.seek(at)
        old = f.read(n)
        f.seek(at)
        f.write(bytes(b ^ 0xa5 for b in old))


def account(d, line):
    (site,) = d.json("GET", "/v1/ledger")[1]["sites"]
    return site, site["sinks"][line]


def damaged(scene, fig, env=None, last=False):
    """What waits in the spool for a store that is away is damaged on the disk while the daemon is stopped, in segments that others
    follow, after a kill; or in the last one, after an orderly end. Exactly the events of the records that were hit are lost; /v1/ledger says how many, by name, and balances; the rest is stored once,
    also after kill -9."""
    d = scene.tallyd(conf(sqlite(extra="busy_timeout: 50ms"), spool=SEGMENT), env=env)
    loads = [Load(d).start()]
    loads[0].wait_acked(100)
    loads[0].stop()
    d.flush()
    db = locked(d)
    before = len(live_segments(d))
    loads.append(Load(d, batches=3, fill=300).start())
    wait_for("six more segments", lambda: len(live_segments(d)) >= before + 6, 60)
    loads[-1].stop()
    while last and not 16384 < written(live_segments(d)[-1]) < 49152:
        loads[-1].deliver(loads[-1].events(4))
    if last:
        d.stop()
    else:
        d.kill()
    for i, share in ((-1, 0.5),) if last else ((before + 1, 0.3), (before + 3, 0.6)):
        break_bytes(live_segments(d)[i], share)
        fig.fired += 1
    db.close()
    d.start()
    fig.allowed_lost = sum(len(load.acked) for load in loads)
    for _ in range(2):
        verify(d, loads, [Sqlite(d)], fig)
        with seen():
            site, sink = account(d, "near")
            equal(sink["lost"], {"damaged": fig.lost}, "lost by reason")
            equal((sink["balance"], sink["in_flight"]), (0, 0), "balance, in flight")
            equal(site["taken"], sink["stored"] + fig.lost, "taken = stored + damaged")
            check(0 < fig.lost < fig.acked / 4, "%d of %d acknowledged events were hit" % (fig.lost, fig.acked))
            equal(Sqlite(d).gaps(), {"damaged": fig.lost}, "tally_gap")
            text = d.request("GET", "/readyz")[2].decode()
            check("%d events lost (damaged)" % fig.lost in text, "/readyz: " + text)
        d.kill()
        d.start()
    d.stop()
