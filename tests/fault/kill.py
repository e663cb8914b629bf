#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Row 1: kill -9 of tallyd (one time in five TERM, which must exit 0) at random moments under mixed load: HTTP senders
that try again with the same ids, and a producer that pushes to a Redis list. 200 times on each store in full, 10 in short;
TALLY_KILLS says otherwise. And the daemon frozen under load."""

import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rig import (  # noqa: E402
    Lines, Load, Maria, Sqlite, conf, file_sink, full, main, maria, row, sqlite, verify, wait_ready)


def storm(d, load, fig):
    kills = int(os.environ.get("TALLY_KILLS") or (200 if full() else 10))
    worst = 0.0
    for _ in range(kills):
        time.sleep(random.uniform(0.02, 0.5))
        if random.random() < 0.2:
            d.stop()    # TERM drains and exits 0, under load too
        else:
            d.kill()
        began = time.monotonic()
        d.start()
        worst = max(worst, time.monotonic() - began)
        fig.fired += 1
    load.wait_acked(1)
    fig.recovery_s = worst
    load.stop()


@row("1s", "kill -9 at random, SQLite and a file, HTTP and Redis")
def kill_sqlite(scene, fig):
    redis = scene.redis()
    lines = scene.path("lines-%H.ndjson")
    d = scene.tallyd(conf(sqlite(), file_sink(lines), redis=redis.port))
    load = Load(d, redis, batches=3).start()
    storm(d, load, fig)
    verify(d, [load], [Sqlite(d), Lines(scene.path("lines-*.ndjson"))], fig, redis)
    d.stop()


@row("1m", "kill -9 at random, MariaDB, HTTP and Redis")
def kill_mariadb(scene, fig):
    redis, db = scene.redis(), scene.mariadb()
    d = scene.tallyd(conf(maria(db.port), redis=redis.port))
    load = Load(d, redis, batches=3).start()
    storm(d, load, fig)
    verify(d, [load], [Maria(db)], fig, redis)
    d.stop()


@row("1f", "frozen and thawed under load, MariaDB and SQLite")
def frozen(scene, fig):
    db = scene.mariadb()
    d = scene.tallyd(conf(maria(db.port), sqlite()))
    load = Load(d, timeout=1.0).start()
    for seconds in (1.5, 12) if full() else (1.5, 0.3, 1.5):   # the server ends the session that holds a transaction after 10 s
        load.wait_acked(100)
        d.process.child.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        d.process.child.send_signal(signal.SIGCONT)
        fig.fired += 1
    load.wait_acked(100)
    load.stop()
    fig.recovery_s = wait_ready(d)
    fig.note = "%d without an answer" % load.broken
    verify(d, [load], [Maria(db), Sqlite(d)], fig)
    d.stop()


if __name__ == "__main__":
    main()
