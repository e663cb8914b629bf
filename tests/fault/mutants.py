#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checker is proven: each mutant is a tallyd with one bug planted on purpose (core/base/seam.h), run through the fault that it
fails under; verify() must find it. The same fault with no bug must pass. A bug that is not caught is a hole in the checker.

One line a mutant: the bug, the fault it is run under, and the words with which it was caught."""

import contextlib
import io
import json
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from rig import (BUILD, LIST, Failed, Figures, Load, Maria, Proxy, Scene, Skip, Sqlite, Wrong, conf,  # noqa: E402
                 fired_in, harness, judge, maria, program, restart, sqlite, verify, wait_dead, wait_for, writes_commit)

HEAD = "%-24s %-44s %-7s %s" % ("mutant", "under", "result", "how")


# ---- the faults: each runs a daemon through one and verifies ----

def plain(scene, env):
    """Load, flush, compare."""
    fig = Figures()
    d = scene.tallyd(conf(sqlite()), env=env)
    load = Load(d).start()
    load.wait_acked(1500)
    load.stop()
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


def failing_sync(scene, env):
    """fdatasync fails three times; senders try again with the same ids."""
    fig = Figures()
    faults = "spool.sync:12:EIO,spool.sync:30:EIO,spool.sync:50:EIO"
    d = scene.tallyd(conf(sqlite()), env=dict(env, TALLY_FAULT=faults))
    load = Load(d, batches=4, pause=0).start()
    wait_for("the third failed sync", lambda: fired_in(d, "spool.sync") >= 3, 30)
    load.wait_acked(500)
    load.stop()
    fig.fired = fired_in(d, "spool.sync")
    verify(d, [load], [Sqlite(d)], fig)
    judge(fig)
    d.stop()


def lost_commits(scene, env, action):
    """COMMITs, or their answers, are lost on the way to MariaDB."""
    fig = Figures()
    db = scene.mariadb()
    proxy = Proxy(db.port, "mysql")
    d = scene.tallyd(conf(maria(proxy.port)), env=env)
    load = Load(d).start()
    load.wait_acked(100)
    proxy.on(writes_commit, action, times=3, after=1)
    load.wait_acked(1000)
    wait_for("three lost", lambda: proxy.fired >= 3, 30)
    load.stop()
    fig.fired = proxy.fired
    verify(d, [load], [Maria(db)], fig)
    judge(fig)
    d.stop()


def lost_commit(scene, env):
    lost_commits(scene, env, "lose")


def lost_answer(scene, env):
    lost_commits(scene, env, "lose_answer")


def poison(scene, env):
    """One bad row in MariaDB."""
    fig = Figures()
    db = scene.mariadb()
    d = scene.tallyd(conf(maria(db.port)), env=env)
    load = Load(d)
    load.deliver(load.events(1))
    d.flush()
    db.sql("ALTER TABLE tally_event ADD CONSTRAINT no_poison CHECK (id NOT LIKE '%-777')")
    load.start()
    load.wait_acked(1500)
    load.stop()
    verify(d, [load], [Maria(db)], fig)
    d.stop()


def store_away(scene, env):
    """The store is away for longer than `retain`, over many small segments."""
    fig = Figures()
    db = scene.mariadb()
    proxy = Proxy(db.port, "mysql")
    d = scene.tallyd(conf(maria(proxy.port), spool="{ segment: 64KiB, retain: 1s }", dedup="window: 1s"), env=env)
    load = Load(d).start()
    load.wait_acked(100)
    proxy.refuse()
    load.wait_acked(3000)
    time.sleep(1.5)     # a trim comes every second
    load.wait_acked(500)
    load.stop()
    proxy.refuse(False)
    verify(d, [load], [Maria(db)], fig)
    d.stop()


def parted(scene, env):
    """The data_dir is put back to a copy that is older than the store's position, and goes on under other events: the line must stop,
    commit nothing and say so; what was acknowledged waits in the spool."""
    d = scene.tallyd(conf(sqlite(extra="path: %s" % scene.path("apart.db"))), env=env)
    first = Load(d).start()
    first.wait_acked(300)
    first.stop()
    d.stop()
    shutil.copytree(d.data, scene.path("copy"))
    d.start()
    second = Load(d).start()
    second.wait_acked(500)
    second.stop()
    d.stop()
    shutil.rmtree(d.data)
    shutil.move(scene.path("copy"), d.data)
    d.start()
    third = Load(d).start()
    third.wait_acked(3000)
    third.stop()
    status, _, words = d.request("GET", "/readyz")
    if status != 503 or b"have parted" not in words:
        raise Wrong("a parted store goes on unnoticed: %d %r" % (status, words[:80]))
    d.kill()


def killed(scene, env):
    """kill -9 ten times under load."""
    fig = Figures()
    d = scene.tallyd(conf(sqlite()), env=env)
    load = Load(d).start()
    for _ in range(10):
        load.wait_acked(100)
        restart(d, env)
    load.stop()
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


def redis_killed_at(scene, env, seam):
    """The daemon dies at a step of the hand-over from a Redis list, with no dedup behind it."""
    fig = Figures()
    redis = scene.redis()
    text = conf(sqlite(), redis=redis.port).replace("dedup: { window: 30m }, ", "")
    d = scene.tallyd(text, env=dict(env, TALLY_FAULT=seam + ":3:kill"))
    load = Load(d, redis, singles=0, batches=0, pushers=2).start()
    wait_dead(d)
    restart(d, env)
    load.wait_acked(300)
    load.stop()
    fig.fired = fired_in(d, seam)
    verify(d, [load], [Sqlite(d)], fig, redis)
    judge(fig)
    d.stop()


def redis_before_script(scene, env):
    redis_killed_at(scene, env, "redis.settle")


def redis_behind_script(scene, env):
    redis_killed_at(scene, env, "redis.settled")


def redis_stranger(scene, env):
    """Somebody pushes at the end that is read, while a batch is between peek and script."""
    fig = Figures()
    redis = scene.redis()
    text = conf(sqlite(), redis=redis.port).replace("dedup: { window: 30m }, ", "")
    d = scene.tallyd(text, env=dict(env, TALLY_FAULT="redis.settle:1+:stall=150"))
    load = Load(d, redis, singles=0, batches=0, pushers=1, pause=0.05).start()
    for _ in range(12):
        events = load.events(1)
        redis.command("LPUSH", LIST, json.dumps(events[0]))
        load.note(events, "redis")
        fig.fired += 1
        time.sleep(0.11)
    load.stop()
    verify(d, [load], [Sqlite(d)], fig, redis)
    d.stop()


# bug -> the fault that shows it
MUTANTS = [
    ("event_dropped", plain),           # one event is dropped after its acknowledgement
    ("record_twice", plain),            # a group's record is appended twice
    ("batch_twice", plain),             # a batch's rollups are sent a second time
    ("position_without_rows", plain),   # the position moves, the rows do not
    ("rows_without_rollup", plain),     # rows go without their rollups
    ("ack_before_sync", failing_sync),  # `durable` is answered before fdatasync
    ("refused_id_kept", failing_sync),  # dedup does not forget the ids of a refused group
    ("commit_taken_for_done", lost_commit),     # a COMMIT without an answer is taken for done
    ("stages_not_reset", lost_commit),  # the stages keep their deltas over a rewind
    ("letter_lost", poison),            # a refused row vanishes instead of becoming a dead letter
    ("trim_too_far", store_away),       # the spool is trimmed past a line
    ("mark_ignored", parted),           # a position is looked up by its lsn alone
    ("void_released", redis_before_script),     # a batch that Redis never gave is released
    ("acked_ignored", redis_behind_script),     # a batch that Redis gave is made void
    ("trim_unchecked", redis_stranger),         # the list is trimmed without a look at its head
]


def mutant_program(name):
    if name != "tallyd":
        return program(name)
    path = os.path.join(BUILD, "tests", "fault", "tallyd-mutant")
    if not os.path.exists(path):
        raise Skip("tests/fault/tallyd-mutant is not built")
    return path


def attempt(fault, env):
    """(None, "") where nothing was found, (Wrong, words) where the checker found something, (Failed, words) where the test itself broke.
    What the checker prints on the way is not shown."""
    scene = Scene()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            fault(scene, env)
        return None, ""
    except Failed as why:
        return type(why), (str(why).splitlines() or [""])[0][:90]
    finally:
        scene.close(False)


def tell(name, fault, result, words):
    print("%-24s %-44s %-7s %s" % (name, fault.__name__, result, words))
    sys.stdout.flush()


def main():
    harness.program = mutant_program
    wanted = os.environ.get("TALLY_ROWS")
    wanted = wanted.split(",") if wanted else None
    failed = False
    print(HEAD)
    mutants = [(name, fault) for name, fault in MUTANTS if not wanted or name in wanted]
    for fault in dict.fromkeys(fault for _, fault in mutants):
        found, words = attempt(fault, {})
        failed |= found is not None
        tell("(none)", fault, "FAILED" if found else "ok", words)
    for name, fault in mutants:
        found, words = attempt(fault, {"TALLY_MUTANT": name})
        failed |= found is not Wrong
        tell(name, fault, "caught" if found is Wrong else "FAILED" if found else "MISSED", words or "the bug went unseen")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        main()
    except Skip as why:
        print("skipped mutants: %s" % why)
        sys.exit(77)
