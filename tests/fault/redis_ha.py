#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis with more than one server: Sentinel that makes a replica the master because the master died or was cut off, and a
Cluster whose slot moves under load. Nothing is deduplicated here, so what comes back after a failover and is taken again is
seen. Redis replicates after it has answered: a push that it acknowledged in the last moment may be gone with the master.
That is the window, WINDOW_S before the master's end; losses inside it are counted and told, outside it they fail."""

import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lists import Pusher, drained, plain, status, trouble  # noqa: E402
from rig import Failed, Redis, Sqlite, check, conf, equal, free_port, full, main, row, sqlite, verify, wait_for  # noqa: E402

WINDOW_S = 1.0
TAGGED = "{tally}:events"


class Node(Redis):
    """A server whose options may change from life to life."""

    def become(self, *options):
        self.options = list(options)
        self.start()


class Watch:
    """A master, a replica and three Sentinels."""

    AT_ONCE = ["--repl-diskless-sync-delay", "0"]   # a replica that comes back is filled without waiting for others

    def __init__(self, scene):
        self.scene = scene
        self.nodes = [Node(scene, "one", self.AT_ONCE)]
        self.nodes.append(Node(scene, "two", self.follow(self.nodes[0])))
        self.sentinels = [self.sentinel(i) for i in range(3)]
        wait_for("the Sentinels to know each other", lambda: all(
            "num-other-sentinels 2" in " ".join(map(str, s.command("SENTINEL", "MASTER", "m"))) and
            "num-slaves 1" in " ".join(map(str, s.command("SENTINEL", "MASTER", "m"))) for s in self.sentinels), 30)

    @staticmethod
    def follow(node):
        return Watch.AT_ONCE + ["--replicaof", "127.0.0.1 %d" % node.port]

    def sentinel(self, i):
        s = Redis.__new__(Redis)
        s.scene, s.name, s.port = self.scene, "sentinel%d" % i, free_port()
        path = self.scene.path(s.name + ".conf")
        with open(path, "w") as f:
            f.write("port %d\nbind 127.0.0.1\nsentinel monitor m 127.0.0.1 %d 2\nsentinel down-after-milliseconds m 1000\n"
                    "sentinel failover-timeout m 3000\n" % (s.port, self.nodes[0].port))
        s.process = self.scene.start(["redis-server", path, "--sentinel"], s.name)
        wait_for("a Sentinel", s.answers, 20)
        return s

    def url(self):
        return "redis+sentinel://%s/m/0" % ",".join("127.0.0.1:%d" % s.port for s in self.sentinels)

    def master(self):
        host, port = self.sentinels[1].command("SENTINEL", "get-master-addr-by-name", "m")
        return next(n for n in self.nodes if n.port == int(port))

    def other(self, node):
        return self.nodes[self.nodes[0] is node]

    def in_step(self):
        m = self.master()
        wait_for("the replica to be in step", lambda: "state=online" in m.command("INFO", "replication"), 60)


def sentinel_daemon(scene, watch):
    return scene.tallyd(plain(conf(sqlite(), redis=1)).replace("redis://127.0.0.1:1/0", watch.url()))


def count_window(load, ends):
    """How many pushes were acknowledged so shortly before an end of a master that they may be gone."""
    return sum(any(end - WINDOW_S <= t <= end + WINDOW_S for end in ends) for t in load.when.values())


def failovers(scene, fig, end_master, back, times):
    watch = Watch(scene)
    d = sentinel_daemon(scene, watch)
    load = Pusher(watch.nodes[0], at=watch.master, pause=0.004).start()
    ends, worst = [], 0.0
    for _ in range(times):
        load.wait_acked(200)
        watch.in_step()
        time.sleep(random.uniform(0, 0.3))
        old = watch.master()
        ends.append(time.monotonic())
        end_master(old)
        wait_for("a new master", lambda: watch.master() is not old, 30)
        load.wait_acked(50, 30)
        wait_for("tally to read there", lambda: watch.master().command("LLEN", "tally:events") < 100, 40)
        worst = max(worst, time.monotonic() - ends[-1])
        back(watch, old, ends)
        fig.fired += 1
    fig.recovery_s = worst
    load.stop()
    fig.allowed_lost = count_window(load, ends)
    drained(watch.master(), d)
    verify(d, [load], [Sqlite(d)], fig)
    s = status(d)
    fig.note = "%d of %d in the window lost, went back %d times, %d known again" % (
        fig.lost, fig.allowed_lost, s["went_back"], s["trimmed"])
    d.stop()


def killed(node):
    node.process.kill()


def back_as_replica(watch, old, ends):
    old.become(*watch.follow(watch.master()))


@row("36a", "Sentinel failover, the master killed")
def sentinel_kill(scene, fig):
    failovers(scene, fig, killed, back_as_replica, 20 if full() else 2)


def frozen(node):
    node.process.child.send_signal(signal.SIGSTOP)


def thaw(watch, old, ends):
    """It comes back as a master that nobody follows, and is told so; what it answered until then was of no avail."""
    old.process.child.send_signal(signal.SIGCONT)
    ends.append(time.monotonic())
    wait_for("the old master to follow", lambda: old.command("ROLE")[0] == "slave", 60)
    ends.append(time.monotonic())


@row("36b", "Sentinel failover, the master cut off and back")
def sentinel_freeze(scene, fig):
    failovers(scene, fig, frozen, thaw, 5 if full() else 1)


# ---- Cluster ----

class Cluster:
    def __init__(self, scene):
        self.nodes = [Node(scene, "node%d" % i, ["--cluster-enabled", "yes", "--cluster-port", str(free_port()),
                                                  "--cluster-node-timeout", "2000"]) for i in range(3)]
        made = subprocess.run(["redis-cli", "--cluster", "create"] + ["127.0.0.1:%d" % n.port for n in self.nodes] +
                              ["--cluster-yes"], capture_output=True, timeout=60)
        check(made.returncode == 0, made.stdout.decode() + made.stderr.decode())
        wait_for("the cluster", lambda: all("cluster_state:ok" in n.command("CLUSTER", "INFO") for n in self.nodes), 30)
        self.slot = self.nodes[0].command("CLUSTER", "KEYSLOT", TAGGED)
        self.ids = [n.command("CLUSTER", "MYID") for n in self.nodes]

    def owner(self):
        """Which node answers for the slot; asked of all, since news travel slowly."""
        for i, n in enumerate(self.nodes):
            try:
                n.command("LLEN", TAGGED)
                return i
            except Failed:
                continue
        raise Failed("no node has the slot")

    def move(self, src, dst):
        a, b = self.nodes[src], self.nodes[dst]
        b.command("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self.ids[src])
        a.command("CLUSTER", "SETSLOT", self.slot, "MIGRATING", self.ids[dst])
        while keys := a.command("CLUSTER", "GETKEYSINSLOT", self.slot, 1):
            a.command("MIGRATE", "127.0.0.1", b.port, "", 0, 5000, "KEYS", *keys)
            time.sleep(0.02)    # one key after the other: the script finds half of them here and half of them there
        for n in (b, a, *self.nodes):
            n.command("CLUSTER", "SETSLOT", self.slot, "NODE", self.ids[dst])


@row("R11", "Cluster: the list's slot moves under load")
def cluster_slot(scene, fig):
    cluster = Cluster(scene)
    at = cluster.owner()
    d = scene.tallyd(plain(conf(sqlite(), redis=1)).replace("redis://127.0.0.1:1/0", "redis://" + ",".join(
        "127.0.0.1:%d" % n.port for n in cluster.nodes)).replace('"tally:events"', '"%s"' % TAGGED))
    where = [cluster.nodes[at]]
    load = Pusher(where[0], at=lambda: where[0], key=TAGGED, pause=0.004).start()
    load.wait_acked(300)
    for i in range(12 if full() else 3):
        to = (at + 1) % 3
        where[0].command("RPUSH", TAGGED, '{"name":""}')        # so that there is a dead list to move too
        cluster.move(at, to)
        at = to
        where[0] = cluster.nodes[at]
        load.wait_acked(200)
        fig.fired += 1
    load.stop()
    drained(where[0], d, key=TAGGED)
    equal(where[0].command("LLEN", TAGGED + ":dead"), fig.fired, "entries of the dead list")
    verify(d, [load], [Sqlite(d)], fig)
    d.stop()


@row("R12", "Cluster: a list without a hash tag is refused by name")
def cluster_untagged(scene, fig):
    cluster = Cluster(scene)
    d = scene.tallyd(plain(conf(sqlite(), redis=cluster.nodes[0].port)))
    trouble(d, "hash tag")
    fig.fired = 1
    d.stop()


if __name__ == "__main__":
    main()
