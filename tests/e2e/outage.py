#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MariaDB is stopped under load and started again: no error reaches a sender, nothing is lost, the backlog drains, the
retries are in /metrics. TALLY_OUTAGE sets the seconds (default 6). A second line (SQLite) never notices."""

import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
pipeline: [ dedup: { window: 10m }, rollup: {} ]
rollups: [ { name: total, by: [], metrics: [events] } ]
sinks:
  - sqlite: { name: near, flush: 100ms }
  - mariadb: { name: far, url: "%s", flush: 100ms }
"""


class Sender(threading.Thread):
    def __init__(self, d):
        super().__init__(daemon=True)
        self.d, self.sent, self.errors, self.quit, self.slowest = d, 0, [], False, 0.0

    def run(self):
        while not self.quit:
            began = time.monotonic()
            try:
                status, answer = self.d.send([{"name": "n", "id": "o%d" % (self.sent + i)} for i in range(10)])
                if status != 200 or answer["accepted"] != 10:
                    self.errors.append((status, answer))
            except Exception as e:  # noqa: BLE001
                self.errors.append(repr(e))
            self.sent += 10
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.002)


def metric(d, name, label):
    text = d.request("GET", "/metrics")[2].decode()
    return sum(float(v) for labels, v in re.findall(r"^%s\{([^}]*)\} (\S+)$" % name, text, re.M) if label in labels)


def stored(d):
    return d.sqlite("SELECT COUNT(*) FROM tally_event")[0][0]


def main(scene):
    seconds = float(os.environ.get("TALLY_OUTAGE") or 6)
    db = scene.mariadb()
    d = scene.tallyd(CONF % db.url())
    wait_for("ready", lambda: d.request("GET", "/readyz")[0] == 200)
    sender = Sender(d)
    sender.start()
    time.sleep(1)
    db.stop()
    time.sleep(seconds / 2)
    status, _, why = d.request("GET", "/readyz")
    equal(status, 503, "readyz without MariaDB")
    check(b"far" in why, "readyz names the sink: %r" % why)
    before = stored(d)
    time.sleep(seconds / 2)
    check(stored(d) > before, "the other line goes on storing")
    db.start()
    restarted = time.monotonic()
    wait_for("the backlog to drain", lambda: d.request("GET", "/readyz")[0] == 200, 60)
    sender.quit = True
    sender.join(30)
    d.flush()
    drained = time.monotonic() - restarted
    equal(sender.errors[:3], [], "errors that reached the sender")
    for name, sql in (("far", db.sql), ("near", d.sqlite)):
        equal(int(sql("SELECT COUNT(*) FROM tally_event")[0][0]), sender.sent, "rows in " + name)
        equal(int(sql("SELECT COUNT(DISTINCT id) FROM tally_event")[0][0]), sender.sent, "ids in " + name)
        equal(int(sql("SELECT SUM(events) FROM tally_rollup_total WHERE grain = 1")[0][0]), sender.sent, "rollup in " + name)
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")
    retries = metric(d, "tally_sink_retries_total", 'sink="far"')
    check(retries > 0, "retries are in /metrics")
    equal(metric(d, "tally_sink_retries_total", 'sink="near"'), 0, "retries of the other line")
    print("away %.0f s  sent %d  errors 0  lost 0  doubled 0  retries %d  drained after %.1f s  slowest answer %.3f s" % (
        seconds, sender.sent, retries, drained, sender.slowest))
    d.stop()


if __name__ == "__main__":
    run(main)
