# SPDX-License-Identifier: Apache-2.0
"""P12, P13: what happens to answers and to goodput under load."""

import datetime
import json
import subprocess

from http_lines import LEAN, Ingest, conf, load
from kit import (
    LOAD, ROLLUPS, RUNS, SECONDS, SITES, Row, Sample, check, equal, in_turn, line, must_hold, now, peak_kb, pid_of, pinned,
    stage, taken, tool)
from yardsticks import Http204


# ---- P12: a cached answer while events come in at half of what tally can take ----

def yesterday():
    day = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(1)
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc).timestamp()
    events = [{"name": "view", "time": midnight + i * 43, "visitor": "v%d" % (i % 500), "page": "/%d" % (i % 50)}
              for i in range(2000)]
    query = {"site_id": "default", "metrics": ["visitors", "events"], "date_range": [day.isoformat()] * 2,
             "dimensions": ["time:hour"]}
    return events, query


def background(port, rate, seconds, run):
    return subprocess.Popen(pinned(LOAD, [tool("load"), str(port), "/v1/events", "rate=%d" % rate, "run=%d" % run,
                                          "seconds=%g" % seconds]), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def cached(d, query):
    answer = d.query(**query)
    return answer["meta"]["cache"], answer["results"]


@line("P12", "a cached answer, under ingest at half of capacity")
def answers():
    events, query = yesterday()
    with stage() as scene:
        ingest = Ingest(scene, conf("written", pipeline="pipeline: [ degrade: {}, dedup: { window: 10m }, rollup: {}, cache: {} ]\n",
                                    sinks="[ sqlite: { name: store } ]"))
        d = ingest.d
        other = Http204(scene)
        equal(d.send(events)[1]["accepted"], len(events), "events of yesterday")
        ingest.acknowledged += len(events)
        must_hold(d, ingest.acknowledged)
        capacity = ingest.run().rate
        cached(d, query)
        state, results = cached(d, query)
        equal((state, len(results)), ("hit", 24), "the answer is cached")
        ask = {"body": json.dumps(query), "rate": 200, "connections": 4}

        def ours():
            ingest.runs += 1
            feeder = background(d.port, capacity / 2, SECONDS + 1, ingest.runs)
            got = load(d.port, "/v1/query", **ask)
            fed = json.loads(feeder.communicate()[0])
            ingest.acknowledged += fed["accepted"]
            check(fed["accepted"] > 0 and got["answered"] == got["begun"], "both were answered")
            equal(cached(d, query), ("hit", results), "the answer is the same, and from the cache")
            return Sample(got["p99_us"] / 1000, None, peak_kb(pid_of(d.process)))

        def theirs():
            got = load(other.port, "/", **ask)
            return Sample(got["p99_us"] / 1000, None, None)
        a, b = in_turn(ours, theirs)
    yield Row("P12", "cached answer, p99, ingest at %d/s" % (capacity / 2), "ms", a, b, "a fixed answer, idle", 5, 1, less=True,
              absolute=True)


# ---- P13: a store that is too slow by a seam, and twice what it takes ----

STALL_MS = 50
SLOW = ("lanes: 1\nack: durable\nlog: { level: warn }\nspool: { max: 24MiB, segment: 1MiB, retain: 0s }\n"
        "pipeline: [ degrade: {}, rollup: {} ]\n%s%ssinks: [ sqlite: { name: store, batch: 1000 } ]\n" % (SITES, ROLLUPS))


class Slow:
    """Each commit takes STALL_MS longer; the spool is small, so that what is too much is refused soon."""

    def __init__(self, scene):
        self.d = scene.tallyd(SLOW, env={"TALLY_FAULT": "sqlite.commit:1+:stall=%d" % STALL_MS})
        self.runs = self.acknowledged = 0

    def send(self, **options):
        self.runs += 1
        got = load(self.d.port, "/v1/events", batch=10, run=self.runs, **options)
        self.acknowledged += got["accepted"]
        return got

    def stored(self):
        return taken(self.d)[1]["store"]

    def capacity(self):
        """What the store takes of a full spool, nothing else going on."""
        got = self.send(connections=64, seconds=60, refused=1)
        before, began = self.stored(), now()
        self.d.flush()
        rate = (self.stored() - before) / (now() - began)
        must_hold(self.d, self.acknowledged)
        check(got["refused"] > 0, "the spool was never full: no overload")
        return rate

    def overload(self, rate):
        """Events stored a second while twice as many come in, from when the first is refused."""
        self.send(connections=64, seconds=60, refused=1)
        before, began = self.stored(), now()
        got = self.send(connections=64, rate=int(rate * 2 / 10), seconds=max(2, SECONDS))
        goodput = (self.stored() - before) / (now() - began)
        check(got["refused"] > 0, "nothing was refused: no overload")
        return goodput


@line("P13", "twice what the store takes")
def overload():
    with stage() as scene:
        slow = Slow(scene)
        a, b = [], []
        for _ in range(min(RUNS, 3)):
            rate = slow.capacity()
            b.append(Sample(rate, None, None))
            a.append(Sample(slow.overload(rate), None, peak_kb(pid_of(slow.d.process))))
        must_hold(slow.d, slow.acknowledged)
    yield Row("P13", "goodput at twice the capacity", "events/s", a, b, "the same store, no load beside", 0.80, 0.95,
              note="a commit takes %d ms longer; the spool may hold 24 MiB" % STALL_MS)
