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
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from damage import account, damaged, locked  # noqa: E402
from rig import (BUILD, LIST, Failed, Figures, Load, Maria, Proxy, Scene, Skip, Sqlite, Tallyd, Wrong, check, conf,  # noqa: E402
                 equal, fired_in, harness, judge, maria, program, restart, seen, sqlite, verify, wait_dead, wait_for,
                 writes_commit)
from process import Clock  # noqa: E402

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
    """kill -9 ten times under load, over many small segments."""
    fig = Figures()
    d = scene.tallyd(conf(sqlite(), spool="{ segment: 64KiB, retain: 1h }"), env=env)
    load = Load(d).start()
    for _ in range(10):
        load.wait_acked(100)
        restart(d, env)
    load.stop()
    last = Load(d)
    for _ in range(3):      # the last kill finds the line behind records of a segment, not at its beginning
        last.deliver(last.events(5))
        d.flush()
    restart(d, env)
    verify(d, [load, last], [Sqlite(d)], fig)
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


# ---- a line behind, renamed, damaged; the clock ----

def at_share(policy):
    return conf(sqlite(extra="batch: 200, busy_timeout: 50ms, spool_max: 25%, when_spool_full: " + policy),
                spool="{ max: 2MiB, segment: 64KiB, retain: 1s, retain_max: 64KiB, keep_free: 0% }", dedup="window: 1s")


def spool_of(d):
    return json.loads(d.tally("status", "--json"))["spool"]


def share_refused(scene, env):
    """The store is away until its line has its share of the spool: refused there, and not later."""
    fig = Figures()
    d = scene.tallyd(at_share("refuse"), env=env)
    load = Load(d, batches=3, fill=900).start()
    load.wait_acked(50)
    d.flush()   # the line is at work
    db = locked(d)
    before = spool_of(d)["segments"]
    wait_for("refusals", lambda: load.refused["503 spool_full"] > 5)
    segments = spool_of(d)["segments"] - before
    db.close()
    load.stop()
    verify(d, [load], [Sqlite(d)], fig)
    with seen():
        check(segments <= 11, "%d of 32 segments more are held at a share of a quarter" % segments)
    d.stop()


def share_skipped(scene, env):
    """The store is away for longer than the spool lasts, and is skipped: the doors do not stop, what is missing is counted as that."""
    fig = Figures()
    d = scene.tallyd(at_share("skip"), env=env)
    load = Load(d, batches=3, fill=900).start()
    load.wait_acked(50)
    d.flush()   # the line is at work
    db = locked(d)
    wait_for("the spool to go on without it", lambda: load.refused or account(d, "near")[1]["lost"])
    db.close()
    load.stop()
    fig.allowed_lost = len(load.acked)
    for _ in range(2):
        verify(d, [load], [Sqlite(d)], fig)
        with seen():
            equal(dict(load.refused), {}, "refused at the doors")
            equal(account(d, "near")[1]["lost"], {"skipped": fig.lost}, "lost by reason")
        restart(d, env)
    d.stop()


def put_back(scene, env):
    """The store of a line that skips is put back to an old copy while tallyd is stopped: that is no skip."""
    fig = Figures()
    d = scene.tallyd(at_share("skip"), env=env)
    loads = [Load(d).run_for(0.2)]
    d.flush()
    d.stop()
    store = os.path.join(d.data, "tally.db")
    shutil.copy(store, store + ".old")
    d.start()
    loads.append(Load(d, batches=3, fill=900).start())
    wait_for("the spool to let go", lambda: spool_of(d)["begin"] > 1 << 20)
    loads[-1].stop()
    d.flush()
    d.stop()
    os.rename(store + ".old", store)
    for end in ("-wal", "-shm"):
        if os.path.exists(store + end):
            os.remove(store + end)
    d.start()
    fig.allowed_lost = sum(len(load.acked) for load in loads)
    verify(d, loads, [Sqlite(d)], fig)
    with seen():
        equal(account(d, "near")[1]["lost"], {"store_too_old": fig.lost}, "lost by reason")
    d.stop()


def watched(scene, env):
    """/v1/ledger is read again and again while batches are on their way; it balances each time."""
    d = scene.tallyd(conf(sqlite()), env=dict(env, TALLY_FAULT="sqlite.commit:1+:stall=20"))
    load = Load(d).start()
    load.wait_acked(50)
    with seen():
        for _ in range(100):
            equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance under load")
    load.stop()
    verify(d, [load], [Sqlite(d)], Figures())
    d.stop()


def adopted(scene, env):
    """A line gets another name, and its tables with it."""
    d = scene.tallyd(conf(sqlite("near")), env=env)
    loads = [Load(d).run_for(0.3)]
    d.flush()
    d.stop()
    d.configure(conf(sqlite("far")))
    d.start()
    loads.append(Load(d).run_for(0.3))
    wait_for("the line to stand", lambda: b"tally adopt far --from near" in d.request("GET", "/readyz")[2])
    d.tally("adopt", "far", "--from", "near")
    verify(d, loads, [Sqlite(d)], Figures())
    d.stop()


def spool_damaged(scene, env):
    """Bytes of the spool are broken on the disk before the store has them."""
    damaged(scene, Figures(), env)


def clock_leapt(scene, env):
    """The clock is set right by an hour between an event and its retry."""
    clock = Clock(scene)
    d = scene.tallyd(conf(sqlite()), env=dict(env, **clock.env))
    load = Load(d)
    events = load.events(20)
    load.deliver(events)
    clock.set(3600)
    load.deliver(events)
    verify(d, [load], [Sqlite(d)], Figures(), answers=False)
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
    ("taken_short", killed),            # what a line has read is counted from its segment's checkpoint alone
    ("in_hand_hidden", watched),        # what is in a line's batches is in no count
    ("quota_ignored", share_refused),   # a line may have all of the spool, whatever its spool_max
    ("quota_held", share_skipped),      # a line that skips holds the spool like any other
    ("skip_uncounted", share_skipped),  # a line is skipped forward and nobody counts
    ("gap_misnamed", share_skipped),    # what was skipped is said to be the store's fault
    ("gap_unnamed", share_skipped),     # a loss is in tally_ledger, its reason in no row of tally_gap
    ("furthest_forgotten", put_back),   # after a restart nobody knows how far the store was
    ("damage_uncounted", spool_damaged),    # damaged records are passed by and nobody counts
    ("adopt_counts_left", adopted),     # a renamed line takes its position with it and leaves its counts
    ("step_uncapped", clock_leapt),     # a leap of the clock makes dedup forget at once
]


def mutant_program(name):
    if name != "tallyd":
        return program(name)
    path = os.path.join(BUILD, "tests", "fault", "tallyd-mutant")
    if not os.path.exists(path):
        raise Skip("tests/fault/tallyd-mutant is not built")
    return path


def mutant_plugins(folder):
    """The modules as they are, but for those with bugs of their own."""
    for name in os.listdir(Tallyd.plugin_dir()):
        if name.endswith(".so"):
            shutil.copy(os.path.join(Tallyd.plugin_dir(), name), folder)
    for name in ("dedup.so", "sqlite.so"):
        path = os.path.join(BUILD, "tests", "fault", ".libs", name)
        if not os.path.exists(path):
            raise Skip("%s is not built" % path)
        shutil.copy(path, folder)
    return folder


def not_built(folder):
    """Names that stand in no program: the file with the bug was compiled without it."""
    parts = [mutant_program("tallyd")] + [os.path.join(folder, name) for name in ("dedup.so", "sqlite.so")]
    code = b"".join(open(path, "rb").read() for path in parts)
    return [name for name, _ in MUTANTS if name.encode() + b"\0" not in code]


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
    folder = tempfile.TemporaryDirectory(prefix="tally-mutants-")
    os.environ["TALLY_TEST_PLUGINS"] = mutant_plugins(folder.name)
    wanted = os.environ.get("TALLY_ROWS")
    wanted = wanted.split(",") if wanted else None
    failed = False
    print(HEAD)
    if missing := not_built(folder.name):
        raise Failed("no program has the mutants %s: add their files to tests/fault/local.mk" % ", ".join(missing))
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
