# SPDX-License-Identifier: Apache-2.0
"""P4: a Redis list. Redis on the load's core; tally, and in its turn bare hiredis, on the other."""

import os
import socket

from harness import Redis
from http_lines import LEAN
from kit import (
    LOAD, ROLLUPS, SERVER, SITES, Row, Sample, check, cpu_us, equal, in_turn, line, measure, must_hold, now, peak_kb,
    pid_of, stage, wait_for)

EVENTS = int(os.environ.get("BENCH_LIST_EVENTS") or 300000)
CONF = ('lanes: 1\nlog: { level: warn }\n%s%s%ssources: [ redis: { url: "%s", list: "tally:events" } ]\n'
        "sinks: [ null: {} ]\n")


class Lists:
    def __init__(self, scene):
        with scene.on(LOAD):
            self.redis = Redis(scene, "redis", ["--appendonly", "no"])
        self.d = scene.tallyd(CONF % (SITES, LEAN, ROLLUPS, self.redis.url()))
        self.pid = pid_of(self.d.process)
        self.runs = self.pushed = 0

    def fill(self, name):
        self.runs += 1
        equal(measure("redis_list", self.redis.port, "fill", name, EVENTS, self.runs)["events"], EVENTS, "pushed")

    def ours(self):
        """From when the list is there at once, by a new name, until it is empty."""
        self.fill("waiting")
        self.pushed += EVENTS
        before = cpu_us(self.pid)
        with socket.create_connection(("127.0.0.1", self.redis.port), 60) as s:
            self.redis.on(s, "RENAME", "waiting", "tally:events")
            began = now()
            wait_for("the list to be taken", lambda: self.redis.on(s, "LLEN", "tally:events") == 0, 120, 0.002)
            took = now() - began
        wait_for("the last batch's release", lambda: self.redis_events() == self.pushed, 60)
        must_hold(self.d, self.pushed)
        return Sample(EVENTS / took, (cpu_us(self.pid) - before) / EVENTS, peak_kb(self.pid))

    def redis_events(self):
        for text in self.d.request("GET", "/metrics")[2].decode().splitlines():
            if text.startswith("tally_redis_events_total"):
                return int(float(text.split()[-1]))
        return 0

    def bare(self):
        self.fill("bare")
        got = measure("redis_list", self.redis.port, "pop", "bare", cpu=SERVER)
        equal(got["events"], EVENTS, "popped")
        return Sample(got["per_second"], got["cpu_us"] / EVENTS, None)


@line("P4", "Redis list: parsed, counted, spooled")
def redis_list():
    with stage() as scene:
        lists = Lists(scene)
        lists.ours()
        a, b = in_turn(lists.ours, lists.bare)
        equal(lists.redis.command("LLEN", "tally:events:dead"), 0, "dead letters of the list")
        check(len(a) == len(b), "pairs")
    yield Row("P4", "Redis list, parsed, counted, spooled", "events/s", a, b, "bare LPOP COUNT 1000, two in flight", 0.30, 0.60)
