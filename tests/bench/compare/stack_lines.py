# SPDX-License-Identifier: Apache-2.0
"""P7, P8: from a POST to rows and counters in MariaDB. Everything but the load is on one core: tally and MariaDB; Express,
Redis, a Node worker and MariaDB; rsyslog and MariaDB. Events that are stored count, over the time until they are."""

import json
import socket
import subprocess

from harness import MariaDB, Redis
from http_lines import load
from kit import (
    LOAD, SECONDS, SITES, Failed, Missing, Row, Sample, check, cpu_us, equal, in_turn, line, must_hold, now, peak_kb,
    pid_of, pinned, stage, tool, wait_for)
from yardsticks import Node, Rsyslog

CONF = ('lanes: 1\nack: written\nlog: { level: warn }\npipeline: [ degrade: {}, dedup: { window: 10m }, rollup: {} ]\n%s'
        'rollups: [ { name: pages, by: ["event:name", "event:page"], metrics: [events] } ]\n'
        'sinks: [ mariadb: { name: store, url: "%s" } ]\n')


class Ours:
    def __init__(self, scene, db, batch):
        self.db, self.batch = db, batch
        self.d = scene.tallyd(CONF % (SITES, db.url()))
        self.pids = [pid_of(self.d.process), pid_of(db.process)]
        self.runs = self.acknowledged = 0

    def run(self):
        self.runs += 1
        before, began = cpu_us(*self.pids), now()
        got = load(self.d.port, "/v1/events", run=self.runs, batch=self.batch)
        self.acknowledged += got["accepted"]
        self.d.flush()
        took = now() - began
        cost = (cpu_us(*self.pids) - before) / got["accepted"]
        must_hold(self.d, self.acknowledged)
        equal(self.db.sql("SELECT COUNT(*), COUNT(DISTINCT id) FROM tally_event"), [[str(self.acknowledged)] * 2],
              "rows and ids stored")
        return Sample(got["accepted"] / took, cost, peak_kb(self.pids[0]))


class Theirs:
    """A worker that waits, then load until `events` are stored: what it stores while requests go on coming."""

    def __init__(self, scene, db, mode, batch, events):
        self.scene, self.db, self.mode, self.batch, self.events = scene, db, mode, batch, events
        self.redis = Redis(scene, "redis", ["--appendonly", "no"])
        self.node = Node(scene, self.redis, db)
        self.pids = [pid_of(p) for p in (self.node.front, self.redis.process, db.process)]
        load(self.node.port, "/e", batch=batch)     # warms the front

    def run(self):
        self.redis.command("FLUSHALL")
        worker = self.node.worker(self.mode, self.events)
        wait_for("the worker's tables", lambda: "ready" in worker.tail(), 60)
        before = cpu_us(*self.pids)
        with open(self.scene.path("load.log"), "wb") as log:
            feeder = subprocess.Popen(pinned(LOAD, [tool("load"), str(self.node.port), "/e", "seconds=300",
                                                    "batch=%d" % self.batch]), stdout=log, stderr=log)
        try:
            wait_for("the worker", lambda: not worker.alive(), 240, 0.05)
        finally:
            feeder.kill()
            feeder.wait()
        said = [text for text in worker.tail().splitlines() if text.startswith("{")]
        check(said, "the worker said nothing:\n" + worker.tail())
        got = json.loads(said[-1])
        equal(self.db.sql("SELECT COUNT(*) FROM bench.node_event"), [[str(got["events"])]], "rows of the worker")
        cost = (cpu_us(*self.pids) - before + got["cpu_us"]) / got["events"]
        return Sample(got["events"] / got["seconds"], cost, sum(peak_kb(p) for p in self.pids[:2]))


def beside_node(batch, mode, events):
    with stage() as scene:
        db = MariaDB(scene, "mariadb", ["--innodb-buffer-pool-size=128M"])
        theirs = Theirs(scene, db, mode, batch, events)
        ours = Ours(scene, db, batch)
        ours.run()
        return in_turn(ours.run, theirs.run)


@line("P7", "end to end, single POSTs, the whole stack on one core")
def single():
    for mode, events, must, aim in (("batch", 4000, 15, 30), ("each", 500, 80, 170)):
        a, b = beside_node(1, mode, int(events * SECONDS))
        yield Row("P7", "POST to MariaDB, single", "events/s", a, b, "Express, Redis, Node worker (%s)" % mode, must, aim)


@line("P8", "end to end, batches of 100, the whole stack on one core")
def hundreds():
    a, b = beside_node(100, "batch", int(25000 * SECONDS))
    yield Row("P8", "POST to MariaDB, batches of 100", "events/s", a, b, "Express, Redis, Node worker (batch)", 5, 9)
    with stage() as scene:
        db = MariaDB(scene, "mariadb", ["--innodb-buffer-pool-size=128M"])
        theirs, ours = Syslog(scene, db, int(10000 * SECONDS)), Ours(scene, db, 100)
        ours.run()
        a, b = in_turn(ours.run, theirs.run)
    yield Row("P8", "POST to MariaDB, batches of 100", "events/s", a, b, "rsyslog, TCP lines to ommysql", 5, 9)


class Syslog:
    LINE = ('<13>Jan  1 00:00:00 h t: {"id":"%08x-%012x","name":"%s","time":1767225600123,"visitor":'
            '"6f1c2b9e4d7a4c0f8e21a3b5%08x","page":"https://shop.example/products/shoes/%06d","target":"#buy-now",'
            '"props":{"plan":"pro","ab":"B","x":100,"y":100}}\n')

    def __init__(self, scene, db, events):
        self.db, self.events, self.runs = db, events, 0
        self.syslog = Rsyslog(scene, db)
        self.pids = [pid_of(self.syslog.process), pid_of(db.process)]

    def run(self):
        self.runs += 1
        text = "".join(self.LINE % (self.runs, n, "view" if n % 4 else "like", n % 100000, n % 5000)
                       for n in range(self.events)).encode()
        before, began = cpu_us(*self.pids), now()
        with socket.create_connection(("127.0.0.1", self.syslog.port), 60) as s:
            s.settimeout(120)
            s.sendall(text)
        wait_for("rsyslog's rows", lambda: self.rows() >= self.events, 120, 0.1)
        took, cost = now() - began, (cpu_us(*self.pids) - before) / self.events
        equal(self.rows(), self.events, "rows of rsyslog")
        return Sample(self.events / took, cost, peak_kb(self.pids[0]))

    def rows(self):
        return int(self.db.sql("SELECT COUNT(*) FROM bench.syslog WHERE id LIKE '%08x-%%'" % self.runs)[0][0])
