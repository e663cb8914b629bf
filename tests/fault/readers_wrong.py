#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows 65 and 66: servers that are no replicas of the store, or of its past."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from reading import Asker, Truth, ask, events_of, finish, is_up, name, passed, reads, readyz, scene_of, sink_of, states, stored, wait_up  # noqa: E402
from replication import Primary, Server  # noqa: E402
from rig import Load, check, conf, equal, main, row, wait_for, wait_ready  # noqa: E402


def shell(command):
    equal(os.system(command), 0, command)


@row("65", "the wrong server: nothing there, another store, a copy that no replication follows")
def wrong_servers(scene, fig):
    db = Primary(scene)
    empty = Server(scene, "empty", 21)
    other = Server(scene, "other", 22)
    copy = Server(scene, "copy", 23)
    stranger = scene.tallyd(conf(sink_of(other, [])), "stranger")
    wait_ready(stranger)
    theirs = Load(stranger)
    theirs.deliver(theirs.events(500))
    stranger.flush()
    stranger.stop()
    d = scene.tallyd(conf(sink_of(db, [empty, other, copy], "60s")))
    wait_ready(d)
    load = Load(d, singles=1, batches=1, size=20, pause=0.01)
    load.deliver(load.events(50))
    d.flush()
    # one taken while it runs, and then written to by others: its positions are ahead of all that is noted
    shell("mariadb-dump --no-defaults -uroot --socket=%s --single-transaction tally | mariadb --no-defaults -uroot --socket=%s tally" % (
        db.socket, copy.socket))
    copy.sql("UPDATE tally_position SET lsn = lsn + 1000000; UPDATE tally_rollup_total SET events = events + 1000")
    wait_for("the copy to be found out", lambda: states(d)[name(copy)] == "strange")
    truth = Truth(db)
    was = reads(d, copy)
    asker = Asker(d, truth, 0.0)
    load.start()
    load.wait_acked(300)
    check("is not read from" in readyz(d)[1], "readyz names them: %r" % readyz(d)[1])
    asker.wait(50)
    for server in (empty, other, copy):
        equal(reads(d, server) - (was if server is copy else 0), 0, "readings of " + server.name)
        check(not is_up(d, server), server.name + " is asked")
        fig.fired += int(passed(d, server) > 0)
    equal(fig.fired, 3, "servers that were passed over")
    equal(readyz(d)[0], 200, "readyz")
    equal(states(d), {name(empty): "away", name(other): "strange", name(copy): "strange"}, "states")
    finish(d, load, db, fig, asker.judge())


@row("66", "a copy that was in step and that replication left behind, after the store went back")
def went_back(scene, fig):
    """The positions of the replica are ahead of those of the restored store: an lsn alone would say that it lacks nothing."""
    db, (copy,), d, load = scene_of(scene, lag="60s", load=False)
    dump = scene.path("dump.sql")
    shell("mariadb-dump --no-defaults -uroot --socket=%s --single-transaction tally > %s" % (db.socket, dump))
    load.deliver(load.events(5))
    d.flush()
    wait_up(d, copy)
    wait_for("the replica to have them", lambda: stored(copy) == 15)
    copy.pause()
    copy.sql("UPDATE tally_rollup_total SET events = events + 1000")      # whoever reads it is found out
    shell("mariadb --no-defaults -uroot --socket=%s tally < %s" % (db.socket, dump))
    fig.fired = 1
    wait_up(d, copy, False, 90)
    wait_ready(d)
    d.flush()
    load.deliver(load.events(5))
    d.flush()
    for _ in range(50):
        equal(events_of(ask(d)[1]), 20, "an answer")
    check(not is_up(d, copy), "it is passed over")
    copy.sql("UPDATE tally_rollup_total SET events = events - 1000")
    finish(d, load, db, fig)


if __name__ == "__main__":
    main()
