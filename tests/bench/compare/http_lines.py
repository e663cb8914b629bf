# SPDX-License-Identifier: Apache-2.0
"""P1, P2, P3, P9: what comes in by HTTP. tally on one core with all its threads, the load on the other."""

import os

from kit import (
    LOAD, ROLLUPS, SECONDS, SERVER, SITES, Missing, Row, Sample, cpu_us, in_turn, line, measure, must_hold, peak_kb,
    pid_of, stage)
from yardsticks import Nginx

LEAN = "pipeline: [ degrade: {}, dedup: { window: 10m }, rollup: {} ]\n"


def conf(ack, pipeline=LEAN, sinks="[ null: {} ]"):
    return "lanes: 1\nack: %s\nlog: { level: warn }\n%s%s%ssinks: %s\n" % (
        ack, SITES, pipeline, ROLLUPS, sinks)


class Ingest:
    """A tallyd under load; every run's events have ids of their own, and after each all that was acknowledged is stored."""

    def __init__(self, scene, text):
        self.d = scene.tallyd(text)
        self.pid = pid_of(self.d.process)
        self.runs = self.acknowledged = 0
        self.behind_s = []

    def run(self, **options):
        self.runs += 1
        before = cpu_us(self.pid)
        got = load(self.d.port, "/v1/events", run=self.runs, **options)
        events = got["accepted"]
        self.acknowledged += events
        must_hold(self.d, self.acknowledged)
        return Sample(got["per_second"] * events / max(1, got["answered"]), (cpu_us(self.pid) - before) / max(1, events),
                      peak_kb(self.pid))


def load(port, path, **options):
    options.setdefault("seconds", SECONDS)
    got = measure("load", port, path, *["%s=%s" % o for o in options.items()])
    if got["failed"] or not got["answered"]:
        raise AssertionError("the load generator was answered with errors: %r" % got)
    return got


def nginx_run(nginx, **options):
    pid = pid_of(nginx.process)

    def run():
        before = cpu_us(pid)
        got = load(nginx.port, "/", **options)
        return Sample(got["per_second"], (cpu_us(pid) - before) / got["answered"], peak_kb(pid))
    return run


def beside_nginx(text, **options):
    """Samples of both, the first pair thrown away: it warms both."""
    with stage() as scene:
        nginx = Nginx(scene)
        ours = Ingest(scene, text)
        theirs = nginx_run(nginx, **options)
        ours.run(**dict(options, seconds=0.3))
        theirs()
        return in_turn(lambda: ours.run(**options), theirs)


def limited(row):
    row.note = row.limits()
    return row


@line("P1", "HTTP, single events, ack written")
def written():
    a, b = beside_nginx(conf("written"))
    yield limited(Row("P1", "HTTP single, written, 64 connections", "events/s", a, b, "nginx 204", 0.85, 1.0))


@line("P2", "HTTP, single events, ack durable")
def durable():
    for connections, must, aim in ((64, 0.50, 0.75), (256, 0.70, 0.95), (1024, 0.95, 1.05)):
        a, b = beside_nginx(conf("durable"), connections=connections)
        yield limited(Row("P2", "HTTP single, durable, %d connections" % connections, "events/s", a, b, "nginx 204", must, aim))


@line("P3", "HTTP, batches of 100, ack written")
def batches():
    with stage() as scene:
        ours = Ingest(scene, conf("written"))
        ours.run(batch=100, seconds=0.3)
        a, b = in_turn(lambda: ours.run(batch=100), scan_run)
    yield limited(Row("P3", "HTTP batches of 100, written", "events/s", a, b, "JSON scan alone", 0.25, 0.45))


def scan_run():
    got = measure("scan", 100, SECONDS, cpu=SERVER)
    return Sample(got["per_second"], 1e6 / got["per_second"], None)


@line("P9", "CPU of a single event, with all plugins of the default pipeline")
def cpu():
    a, b = beside_nginx(conf("written", pipeline=""))
    a, b = ([Sample(s.cpu_us, s.cpu_us, s.rss_kb) for s in side] for side in (a, b))
    yield Row("P9", "CPU of a single event, all plugins", "us", a, b, "nginx 204", 1.5, 1.15, less=True)
