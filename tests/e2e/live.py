#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who is here: /active counts the visitors of the last five minutes, /live streams what is committed, once a second, to
many at once; bounded, and gone cleanly when the daemon drains.

The name says the store (live_sqlite.py, live_mariadb.py)."""

import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

MARIADB = "mariadb" in os.path.basename(sys.argv[0])
US = 1000000
MOST = 256

CONF = """
sites: { default: { timezone: Europe/Berlin, time_window: { past: any, future: 10m } } }
pipeline: [ rollup: {} ]
rollups:
  - { name: total, by: [], metrics: [events, visitors, pageviews] }
  - { name: names, by: ["event:name"], metrics: [events, visitors] }
sinks:
  - %s
"""


class Stream:
    """A subscriber: what has come, event by event."""

    def __init__(self, d, site, path="live"):
        self.s = socket.create_connection(("127.0.0.1", d.port), 30)
        self.s.sendall(b"GET /v1/sites/%s/%s HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n" % (site.encode(), path.encode()))
        self.f = self.s.makefile("rb")
        self.status = int(self.f.readline().split()[1])
        self.headers = {}
        for line in iter(self.f.readline, b"\r\n"):
            k, v = line.decode().split(":", 1)
            self.headers[k.lower()] = v.strip()
        self.text = b""

    def block(self):
        """The next event as (name, data); a comment is (None, its text). None at the end."""
        while b"\n\n" not in self.text:
            size = self.f.readline()
            n = int(size, 16) if size.strip() else 0
            if n == 0:
                return None
            self.text += self.f.read(n)
            self.f.read(2)
        block, self.text = self.text.split(b"\n\n", 1)
        fields = dict(line.split(b":", 1) for line in block.split(b"\n") if line and not line.startswith(b":"))
        if b"event" not in fields:
            return None, block.decode()
        return fields[b"event"].strip().decode(), json.loads(fields[b"data"])

    def delta(self):
        while True:
            got = self.block()
            check(got is not None, "the stream ended")
            if got[0] == "delta":
                return got[1]
            check(got[0] is None, "not a delta: %r" % (got,))

    def close(self):
        self.f.close()
        self.s.close()


def event(site, visitor, ago, name="view"):
    return {"site": site, "name": name, "visitor": visitor, "time": int((time.time() - ago) * US), "props": {"item": name}}


# ---- active

def active(d, **params):
    query = "&".join("%s=%s" % p for p in params.items())
    status, a = d.json("GET", "/v1/sites/shop.example/active?" + query)
    equal(status, 200, "active: %r" % a)
    return a


def check_active(d):
    d.send([event("shop.example", "long ago", 86400)])
    d.flush()
    equal(active(d)["results"], [{"dimensions": [], "metrics": [0]}], "nobody yet")
    sent = [event("shop.example", "gone", 305), event("shop.example", "gone too", 3600), event("shop.example", "a", 280),
            event("shop.example", "a", 10), event("shop.example", "b", 100, "click"), event("shop.example", "c", 0),
            event("shop.example", "from the future", -300), event("other.example", "d", 5)]
    d.send(sent)
    d.flush()
    a = active(d)
    equal(a["results"], [{"dimensions": [], "metrics": [3]}], "visitors of the last five minutes")
    equal(a["meta"]["source"], "rollup:total", "read from minutes, but for the first one")
    rows = [r["dimensions"] + r["metrics"] for r in active(d, by="event:name", metric="visitors,events")["results"]]
    equal(rows, [["view", 2, 3], ["click", 1, 1]], "by name")
    equal(active(d, filter="event:props:item%3D%3Dclick")["results"][0]["metrics"], [1], "filtered, from raw events")
    equal(d.request("GET", "/v1/sites/shop.example/active?format=csv")[2], b"visitors\r\n3\r\n", "CSV")
    status, p = d.json("GET", "/v1/sites/shop.example/active?range=7d")
    equal((status, p["code"], p["parameter"]), (400, "unknown_name", "range"), "it has a range of its own")
    h = d.request("GET", "/v1/sites/shop.example/active")[1]
    equal(h["cache-control"], "no-cache", "kept by nobody")


# ---- live

def gather(stream, events, seconds=15):
    """The sum of deltas, until it is `events`, and the last of them."""
    total, pageviews, until = 0, 0, time.monotonic() + seconds
    while True:
        d = stream.delta()
        total += d["events"]
        pageviews += d["pageviews"]
        if total >= events or time.monotonic() > until:
            return total, pageviews, d


def check_live(d):
    one = Stream(d, "shop.example")
    equal((one.status, one.headers["content-type"], one.headers["cache-control"]), (200, "text/event-stream", "no-store"), "head")
    first = one.delta()
    equal((first["events"], first["active"] >= 3), (0, True), "what was there before is no delta: %r" % first)
    two, other = Stream(d, "shop.example"), Stream(d, "other.example")
    two.delta()
    other.delta()
    d.send([event("shop.example", "n%d" % (i % 7), 0, "view" if i % 2 else "click") for i in range(20)])
    d.send([event("shop.example", "old", 86400 * 3)] * 5)  # not of these minutes
    d.send([event("other.example", "x", 30)])
    for s in (one, two):
        total, pageviews, last = gather(s, 20)
        equal((total, pageviews), (20, 10), "deltas of 20 events")
        check(last["active"] >= 7 and last["at"].endswith("+00:00"), repr(last))
    equal(gather(other, 1)[0], 1, "another site")
    began = time.monotonic()
    quiet = [one.delta()["events"] for _ in range(3)]
    took = time.monotonic() - began
    equal(quiet, [0, 0, 0], "quiet seconds")
    check(1.5 < took < 6, "three deltas in %.1f s" % took)
    two.close()
    other.close()
    status, h, body = d.request("HEAD", "/v1/sites/shop.example/live")
    equal((status, h["content-type"], body), (200, "text/event-stream", b""), "HEAD")
    status, p = d.json("GET", "/v1/sites/shop.example/live?every=5")
    equal((status, p["code"], p["parameter"]), (400, "unknown_name", "every"), "no such parameter")
    return one


def check_bounds(d, first):
    for _ in range(4):  # those who left are found out when something is sent to them
        first.delta()
    many = [Stream(d, "shop.example") for _ in range(MOST - 1)]
    equal(set(s.status for s in many), {200}, "as many as may be")
    status, h, body = d.request("GET", "/v1/sites/shop.example/live")
    equal((status, json.loads(body)["code"]), (503, "too_many_subscribers"), "one more")
    check(int(h["retry-after"]) > 0, "and when to come back")
    first.delta()
    for s in many:
        s.close()

    def again():
        s = Stream(d, "shop.example")
        s.close()
        return s.status == 200
    wait_for("places of those who left", again, 20, 0.3)
    equal(d.request("GET", "/healthz")[0], 200, "alive")


def check_drain(d, first):
    began = time.monotonic()
    d.stop()
    took = time.monotonic() - began
    last = None
    while True:
        got = first.block()
        if got is None:
            break
        last = got
    equal(last, ("end", {"code": "closing"}), "the last event")
    equal(first.f.read(), b"\r\n", "the connection is closed")
    check(took < 8, "draining took %.1f s" % took)
    return took


def main(scene):
    db = scene.mariadb() if MARIADB else None
    d = scene.tallyd(CONF % ('mariadb: { url: "%s" }' % db.url() if db else "sqlite: {}"))
    while time.time() % 60 > 40:  # what is sent as of one minute lies in it
        time.sleep(0.2)
    check_active(d)
    first = check_live(d)
    check_bounds(d, first)
    if db:
        db.stop()
        wait_for("a problem in the stream", lambda: first.block()[0] == "problem", 30)
        db.start()
        wait_for("deltas again", lambda: first.block()[0] == "delta", 30)
    print("drained in %.1f s" % check_drain(d, first))


if __name__ == "__main__":
    run(main)
