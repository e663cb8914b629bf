#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows 63, 64 and 68: servers that are read from die, freeze, come back; the one that is written to as well."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from reading import Asker, Truth, ask, events_of, finish, reads, scene_of, stored, wait_up  # noqa: E402
from rig import Load, Maria, check, equal, full, main, row, verify, wait_for, wait_ready  # noqa: E402


@row("63", "a replica is killed under questions, comes back")
def killed(scene, fig):
    db, copies, d, load = scene_of(scene, replicas=2, lag="5s")
    truth = Truth(db)
    asker = Asker(d, truth, 5.0)
    second = Asker(d, truth, 5.0)
    for copy in copies * (3 if full() else 1):
        asker.wait(20)
        copy.process.kill()
        fig.fired += 1
        wait_up(d, copy, False)
        asker.wait(20)
        copy.start()
        copy.wait_running()
        wait_up(d, copy, seconds=120)
        was = reads(d, copy)
        wait_for("readings of it", lambda: reads(d, copy) > was + 5)
    finish(d, load, db, fig, asker.judge() + second.judge())


@row("64", "a replica is frozen under questions: they end elsewhere, in time")
def frozen(scene, fig):
    db, (copy,), d, load = scene_of(scene, lag="5s", extra="query_timeout: 20s")
    truth = Truth(db)
    askers = [Asker(d, truth, 5.0) for _ in range(6)]
    for _ in range(3 if full() else 1):
        askers[0].wait(20)
        copy.freeze()
        fig.fired += 1
        wait_up(d, copy, False)
        askers[0].wait(20)
        copy.thaw()
        wait_up(d, copy, seconds=120)
        was = reads(d, copy)
        wait_for("readings of it", lambda: reads(d, copy) > was + 5)
    n = sum(a.judge() for a in askers)
    slowest = max(end - begin for a in askers for begin, end, *_ in a.answers)
    check(slowest < 20, "an answer took %.1f s, longer than a question may" % slowest)
    finish(d, load, db, fig, n)
    fig.note += ", slowest %.1f s" % slowest


@row("68", "the server that is written to is away: a replica stands in, and says so")
def primary_away(scene, fig):
    db, (copy,), d, load = scene_of(scene, lag="1s", extra="query_timeout: 8s", load=False)
    wait_for("the replica to have them", lambda: stored(copy) == 10)
    was = reads(d, copy)
    wait_for("it to be known how far it is", lambda: ask(d)[1]["meta"]["freshness"]["complete_through"] and reads(d, copy) > was, 30)
    db.freeze()
    fig.fired += 1
    more = Load(d, singles=1, batches=1, size=20, pause=0.01).start()

    def stands_in():
        status, answer = ask(d)
        return status == 200 and any("cannot be reached" in w for w in answer["meta"]["warnings"]) and answer
    answer = wait_for("a replica to stand in", stands_in, 60)
    equal(events_of(answer), 10, "its answer")
    check(answer["meta"]["freshness"]["complete_through"], "its freshness: %r" % answer["meta"])
    more.wait_acked(50)         # the doors go on
    wait_for("its freshness to stand still", lambda: ask(d)[1]["meta"]["freshness"]["lag_seconds"] > 1, 30)
    db.thaw()
    wait_for("the warning to go", lambda: ask(d)[1]["meta"]["warnings"] == [], 60)
    db.process.kill()
    fig.fired += 1
    wait_for("a replica to stand in", stands_in, 60)
    db.start()
    wait_ready(d, 120)
    wait_for("the warning to go", lambda: ask(d)[1].get("meta", {}).get("warnings") == [], 60)
    more.stop()
    verify(d, [load, more], [Maria(db)], fig)
    d.stop()


if __name__ == "__main__":
    main()
