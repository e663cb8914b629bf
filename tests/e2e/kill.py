#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of tallyd (one time in five TERM) at random moments under load on both inputs, restarted each time: HTTP clients that retry under the
same ids, and a producer that pushes to a Redis list.

Afterwards: acknowledged and pushed are subsets of stored, stored of sent, no id is stored twice, rollups equal raw, the
ledger balances. TALLY_KILLS sets how often (default 20), TALLY_SEED the moments."""

import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
ack: durable
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
spool: { segment: 1MiB, retain: 1h }
pipeline: [ dedup: { window: 30m }, session: {}, rollup: {} ]
rollups: [ { name: total, by: [], metrics: [events, visitors, "sum:value", "p:value"] }, { name: names, by: ["event:name"], metrics: [events] } ]
sources: [ redis: { url: "%s", list: "tally:events" } ]
sinks:
  - %s
"""

SQLITE = "sqlite: { flush: 50ms }"
SENDERS = 4


class Sender(threading.Thread):
    def __init__(self, d, n):
        super().__init__(daemon=True)
        self.d, self.n, self.i = d, n, 0
        self.sent, self.acked = {}, set()
        self.quit = False

    def batch(self):
        events = []
        for _ in range(random.randint(1, 20)):
            self.i += 1
            eid = "s%d-%d" % (self.n, self.i)
            value = self.i % 100 - 30
            events.append({"name": "n%d" % (self.i % 7), "id": eid, "visitor": "v%d" % (self.i % 300), "value": value})
            self.sent[eid] = value
        return events

    def run(self):
        while not self.quit:
            events = self.batch()
            while not self.quit:
                try:
                    status, answer = self.d.send(events)
                except Exception:
                    time.sleep(0.02)
                    continue
                if status == 200:
                    check(answer["accepted"] + answer["duplicates"] == len(events), "answer %r" % answer)
                    self.acked.update(e["id"] for e in events)
                    break
                time.sleep(0.02)


class Pusher(Sender):
    """Pushes to the list; what Redis has taken counts as acknowledged. No ids are repeated: there is nothing to retry."""

    def __init__(self, redis, n):
        super().__init__(None, n)
        self.redis = redis

    def run(self):
        while not self.quit:
            events = self.batch()
            self.redis.push("tally:events", [json.dumps(e) for e in events])
            self.acked.update(e["id"] for e in events)
            time.sleep(random.uniform(0, 0.005))


def one_visit_each(d, rows):
    """The storm is shorter than the gap between two visits."""
    seen = [[int(x) for x in r] for r in rows("SELECT COUNT(*), MIN(time), MAX(time) FROM tally_event GROUP BY visitor")]
    got = d.query(site_id="default", metrics=["visits", "bounce_rate", "visit_duration"], date_range="all")["results"][0]["metrics"]
    equal(got[0], len(seen), "visits")
    equal(round(got[0] * got[1] / 100), sum(n == 1 for n, _, _ in seen), "bounces")
    equal(round(got[0] * got[2] * 1e6), sum(b - a for _, a, b in seen), "microseconds of all visits")


def verify(d, senders, rows):
    sent, acked = {}, set()
    for s in senders:
        sent.update(s.sent)
        acked |= s.acked
    stored = [r[0] for r in rows("SELECT id FROM tally_event")]
    equal(len(stored), len(set(stored)), "distinct ids stored")
    missing = acked - set(stored)
    check(not missing, "%d acknowledged events are not stored, such as %r" % (len(missing), sorted(missing)[:3]))
    strange = set(stored) - set(sent)
    check(not strange, "stored but never sent: %r" % sorted(strange)[:3])
    n, total = len(stored), sum(sent[i] for i in stored)
    got = d.query(site_id="default", metrics=["events", "sum:value"], date_range="all")["results"][0]["metrics"]
    equal(got[0], n, "events by rollup")
    check(abs(got[1] - total) < 1e-6, "sum by rollup %r, raw %r" % (got[1], total))
    values = sorted(sent[i] for i in stored)
    asked = list(range(1, 100, 7))
    got = d.rows(site_id="default", metrics=["p%d:value" % p for p in asked], date_range="all")[0]
    for p, number in zip(asked, got):
        exact = values[(n * p + 99) // 100 - 1]
        check(abs(number - exact) <= 0.01 * abs(exact) * (1 + 1e-9), "p%d by rollup %r, exactly %r" % (p, number, exact))
    names = {}
    for i in stored:
        k = "n%d" % (int(i.split("-")[1]) % 7)
        names[k] = names.get(k, 0) + 1
    equal(dict((r[0], r[1]) for r in d.rows(site_id="default", metrics=["events"], date_range="all", dimensions=["event:name"])),
          names, "events by name")
    one_visit_each(d, rows)
    status, ledger = d.json("GET", "/v1/ledger")
    equal(status, 200, "ledger")
    equal(ledger["balance"], 0, "ledger balance %s" % json.dumps(ledger))
    found = json.loads(d.tally("verify", "--json", ok=(0, 1)))
    check(found["ok"], "verify: %s" % json.dumps(found)[:1000])
    return n, len(acked), len(sent)


def taken(d):
    return sum(s["taken"] for s in d.json("GET", "/v1/ledger")[1]["sites"])


def settle(d):
    """The list is empty a moment before its last batch is released: wait until nothing more is taken."""
    before, until = -1, time.monotonic() + 30
    while before != taken(d):
        check(time.monotonic() < until, "the ledger goes on taking events")
        before = taken(d)
        time.sleep(1)


def storm(d, redis, rows, kills):
    senders = [Sender(d, n) for n in range(SENDERS)] + [Pusher(redis, SENDERS)]
    for s in senders:
        s.start()
    for _ in range(kills):
        time.sleep(random.uniform(0.02, 0.5))
        if random.random() < 0.2:
            d.stop()   # TERM drains and exits 0, under load too
        else:
            d.kill()
        d.start()
    time.sleep(0.3)
    for s in senders:
        s.quit = True
    for s in senders:
        s.join(60)
    wait_for("the list to empty", lambda: redis.command("LLEN", "tally:events") == 0, 60)
    settle(d)
    d.flush()
    n, acked, sent = verify(d, senders, rows)
    print("kills %d  sent %d  acknowledged %d  stored %d  lost 0  doubled 0" % (kills, sent, acked, n))


def main(scene):
    seed = int(os.environ.get("TALLY_SEED") or random.randrange(1 << 30))
    print("seed", seed)
    random.seed(seed)
    kills = int(os.environ.get("TALLY_KILLS") or 20)
    redis = scene.redis()
    db = scene.mariadb() if NAME_MARIADB else None
    d = scene.tallyd(CONF % (redis.url(), 'mariadb: { url: "%s", flush: 50ms }' % db.url() if db else SQLITE))
    storm(d, redis, db.sql if db else d.sqlite, kills)
    d.stop()


NAME_MARIADB = "mariadb" in os.path.basename(sys.argv[0])

if __name__ == "__main__":
    run(main)
