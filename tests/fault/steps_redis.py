#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon killed between every two adjacent steps of the protocol of a Redis list, at several passings, and once more while it
heals; elements counted on both sides. Nothing is deduplicated: what is taken twice is stored twice. One row a step."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lists import Pusher, drained, plain  # noqa: E402
from rig import ROWS, Row, Sqlite, check, conf, fired_in, full, main, sqlite, verify, wait_dead  # noqa: E402

# A batch is void after a break between its record and its script, which has to be made.
CUT = "redis.settle:2:ECONNRESET,"
STEPS = [
    ("link", "before it connects", ""),
    ("take", "before it takes the lease", ""),
    ("taken", "the lease taken, nothing settled", ""),
    ("peek", "before the peek", ""),
    ("peeked", "elements read, no record", ""),
    ("pended", "the pending record durable", ""),
    ("settle", "before the script", ""),
    ("settled", "behind the script, before RELEASE", ""),
    ("release", "RELEASE decided, not written", ""),
    ("released", "RELEASE durable", ""),
    ("void", "VOID decided, not written", CUT),
    ("voided", "VOID durable", CUT),
]


def die(d, spec):
    """One life that ends at a seam. d: stopped."""
    d.env = {"TALLY_FAULT": spec}
    d.start(wait=False)
    wait_dead(d)


def step(name, first):
    seam = "redis." + name
    passings = (1, 2, 3, 7) if full() else (2,)
    if first or name in ("link", "take", "taken"):
        passings = (1,) * len(passings)

    def fn(scene, fig):
        redis = scene.redis()
        end = "right" if len(name) % 2 else "left"
        d = scene.tallyd(plain(conf(sqlite(), redis=redis.port, list_extra="end: %s" % end)))
        load = Pusher(redis, end).start()
        load.wait_acked(100)
        lives = 0
        for n in passings:
            d.kill()
            die(d, "%s%s:%d:kill" % (first, seam, n))
            # and while what was pending heals
            for healing in ("redis.taken:1:kill", "redis.release:1:kill", "redis.void:1:kill") if full() else ():
                if "release" in healing and name in ("settled", "release") or "void" in healing and name in ("pended", "settle", "void"):
                    die(d, healing)
            lives += 1
            d.env = None
            began = time.monotonic()
            d.start()
            load.wait_acked(100)
            fig.recovery_s = time.monotonic() - began
        fig.fired = fired_in(d, seam)
        check(fig.fired >= lives, "%s fired %d times in %d lives" % (seam, fig.fired, lives))
        load.stop()
        drained(redis, d)
        verify(d, [load], [Sqlite(d)], fig, redis)
        d.stop()
    return fn


for at, (step_name, words, before) in enumerate(STEPS):
    ROWS.append(Row("34.%d" % (at + 1), "killed at %s: %s" % (step_name, words), step(step_name, before)))

if __name__ == "__main__":
    main()
