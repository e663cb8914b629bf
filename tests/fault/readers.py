#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows 60 to 62 and 67: replicas that lag, or on which a reading fails. Every answer is compared with what was stored when it
was asked."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from reading import (  # noqa: E402
    LAG_S, Asker, Truth, ask, cached, events_of, finish, is_up, name, passed, reads, readyz, scene_of, stored, wait_up)
from rig import check, equal, full, main, row, wait_for  # noqa: E402


@row("60", "replication stops: its lag is seen, it is passed over; goes on: it is asked again")
def replication_stops(scene, fig):
    db, (copy,), d, load = scene_of(scene, config=cached)
    truth = Truth(db)
    asker = Asker(d, truth)
    was = reads(d, copy)
    wait_for("readings of the replica", lambda: reads(d, copy) > was + 20)
    for _ in range(3 if full() else 1):
        copy.pause()
        wait_up(d, copy, False)
        fig.fired += 1
        status, text = readyz(d)
        check(status == 200 and name(copy) in text and "behind" in text, "readyz: %d %r" % (status, text))
        (line,) = [s for s in json.loads(d.tally("status", "--json"))["readers"] if s["name"] == name(copy)]
        check(line["state"] == "lag" and line["lag_seconds"] >= LAG_S and "behind" in line["trouble"], "status: %r" % line)
        was = reads(d, "primary")
        asker.wait(30)
        check(reads(d, "primary") > was, "the other server is read")
        check(passed(d, copy, reason="lag") > 0, "by reason")
        copy.go_on()
        wait_up(d, copy)
        was = reads(d, copy)
        wait_for("readings of the replica", lambda: reads(d, copy) > was + 20)
    equal(readyz(d)[1], "ready\n", "readyz")
    finish(d, load, db, fig, asker.judge())
    with open(d.process.log, errors="replace") as f:
        said = [s for s in f if "reader " + name(copy) in s]
    equal(len(said), 1 + 2 * fig.fired, "lines in the log: %r" % said)


@row("61", "nobody writes: a replica does not age, also while replication stands")
def idle(scene, fig):
    db, (copy,), d, load = scene_of(scene, lag="1s", load=False)
    copy.pause()
    was, over = reads(d, copy), passed(d, copy)
    until = time.monotonic() + 3        # three times what a replica may lag
    n = 0
    while time.monotonic() < until:
        status, answer = ask(d)
        equal((status, events_of(answer)), (200, 10), "an answer")
        fresh = answer["meta"]["freshness"]
        check(fresh["lag_seconds"] < 60, "freshness: %r" % fresh)
        n += 1
        time.sleep(0.02)
    check(reads(d, copy) - was >= n / 2, "%d answers of %d are the replica's, it was passed over %d times" % (
        reads(d, copy) - was, n, passed(d, copy) - over))
    load.deliver(load.events(5))        # and now it lacks something
    wait_up(d, copy, False)
    wait_for("the answer", lambda: events_of(ask(d)[1]) == 15, 30)
    fig.fired = 1
    finish(d, load, db, fig, n)


@row("62", "what this node wrote: flush and no-cache see it, meta says what others see")
def own_writes(scene, fig):
    db, (copy,), d, load = scene_of(scene, lag="10m", load=False)
    wait_for("the replica to be asked", lambda: ask(d)[0] == 200 and reads(d, copy) > 0)
    copy.pause()
    load.deliver(load.events(7))
    wait_for("them to be stored", lambda: stored(db) == 17)
    first = time.time()
    status, answer = ask(d)
    equal((status, events_of(answer)), (200, 10), "a replica's answer")
    old = answer["meta"]["freshness"]
    etag = d.request("POST", "/v1/query", json.dumps({"site_id": "default", "metrics": ["events"], "date_range": "all"}))[1]["etag"]
    status, answer = ask(d, {"Cache-Control": "no-cache"})
    equal((status, events_of(answer)), (200, 17), "no-cache")
    new = answer["meta"]["freshness"]
    check(new["revision"] > old["revision"], "revisions: %r, %r" % (old, new))
    wait_for("its freshness to stand still", lambda: ask(d)[1]["meta"]["freshness"]["lag_seconds"] > 2, 30)
    stands = ask(d)[1]["meta"]["freshness"]["complete_through"]
    check(stands <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first + 1)), "complete through %s, stored before %f" % (stands, first))
    d.flush()
    status, answer = ask(d)
    equal((status, events_of(answer)), (200, 17), "after a flush")
    check(answer["meta"]["freshness"]["lag_seconds"] < 2, "its freshness: %r" % answer["meta"]["freshness"])
    equal(d.request("POST", "/v1/query", json.dumps({"site_id": "default", "metrics": ["events"], "date_range": "all"}),
                    {"If-None-Match": etag})[0], 200, "the older version's ETag")
    copy.go_on()
    was = reads(d, copy)
    wait_for("the replica to be asked again", lambda: ask(d)[0] == 200 and reads(d, copy) > was + 3, 60)
    fig.fired = 1
    finish(d, load, db, fig)


@row("67", "a reading fails in the middle on a replica: once more on the next")
def fails_midway(scene, fig):
    db, (copy,), d, load = scene_of(scene, lag="60s", load=False)
    copy.sql("SET sql_log_bin = 0; RENAME TABLE tally_rollup_total TO aside")
    was = reads(d, "primary")

    def is_tried():
        status, answer = ask(d)
        equal((status, events_of(answer)), (200, 10), "an answer")
        return passed(d, copy, reason="error") > 0
    wait_for("a reading that fails", is_tried)
    check(reads(d, "primary") > was, "it was done elsewhere")
    fig.fired = int(passed(d, copy, reason="error"))
    wait_for("the log to say it", lambda: name(copy) in readyz(d)[1] or is_up(d, copy))
    copy.sql("SET sql_log_bin = 0; RENAME TABLE aside TO tally_rollup_total")
    was = reads(d, copy)
    wait_for("the replica to be asked again", lambda: ask(d)[0] == 200 and reads(d, copy) > was + 5, 120)
    finish(d, load, db, fig)


if __name__ == "__main__":
    main()
