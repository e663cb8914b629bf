#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A site's time zone, and that of `default`, is changed while events stream in and the daemon is killed: series by month,
day and hour are what Python's zoneinfo makes of the acknowledged events, in the new zone, in the old one and in others,
before and after a rebuild; days of the old zone are never read again, and a remembered answer of before is not given.
Nodes that differ say so, and mix nothing.

The name says the store. Raw events answer nothing (limits.query_rows is 1), so that it is the rows that are looked at."""

import json
import os
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rollups  # noqa: E402
from harness import check, equal, run, wait_for  # noqa: E402
from rollups import BASE, DAY, MARIADB, SITE, Load, verified  # noqa: E402

FULL = bool(os.environ.get("TALLY_FULL"))
BERLIN, YORK, KOLKATA, CHATHAM = "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham"
PLAIN = "plain.example"  # named nowhere: its zone is the default's

CONF = """
sites: { default: { timezone: %(default)s }, shop.example: { timezone: %(zone)s } }
limits: { query_rows: 1 }
retention: { minute: forever }
pipeline: [ dedup: { window: 10m }, rollup: {}, cache: { negative: 0s } ]
rollups:
  - { name: total, by: [], metrics: [events, visitors] }
  - { name: pages, by: ["event:page"], metrics: [events, "sum:value"] }
sinks: [ %(sink)s ]
"""


# ---- the independent computation

def start_of(zone, unit, t):
    """The bucket's label: local time with its offset, as ISO 8601."""
    at = datetime.fromtimestamp(t, zone)
    if unit == "hour":
        s = t - (t + at.utcoffset().total_seconds()) % 3600  # no zone here changes by less than an hour at :00
        return datetime.fromtimestamp(s, zone).isoformat()
    return datetime(at.year, at.month, at.day if unit == "day" else 1, tzinfo=zone).isoformat()


def expect(events, zone_name, unit, first, last, by_page):
    zone = ZoneInfo(zone_name)
    low = datetime.fromisoformat(first).replace(tzinfo=zone).timestamp()
    high = (datetime.fromisoformat(last) + timedelta(days=1)).replace(tzinfo=zone).timestamp()
    groups = {}
    for e in events:
        if low <= e["time"] < high:
            key = (start_of(zone, unit, e["time"]),) + ((e["page"],) if by_page else ())
            groups.setdefault(key, []).append(e)
    if by_page:
        return {k: [len(g), sum(e["value"] for e in g)] for k, g in groups.items()}
    return {k: [len(g), len({e["visitor"] for e in g})] for k, g in groups.items()}


def question(site, zone, unit, first, last, by_page):
    return {"site_id": site, "metrics": ["events", "sum:value"] if by_page else ["events", "visitors"],
            "date_range": [first, last], "timezone": zone, "dimensions": ["time:" + unit] + (["event:page"] if by_page else [])}


def grains(d, q):
    """Of the statements that answer it: {grain: [(from, to)]}."""
    status, answer = d.json("POST", "/v1/query?explain=1", q)
    equal(status, 200, "explain %r: %r" % (q, answer))
    out = {}
    for s in answer["statements"]:
        out.setdefault(s["grain"], []).append(tuple(datetime.fromisoformat(s[k].replace("Z", "+00:00")).timestamp() for k in ("from", "to")))
    return out


class Truth:
    """What was acknowledged of both sites, against what is answered."""

    def __init__(self, load):
        self.load = load

    def events(self, site):
        return [e for e in self.load.acked if e["site"] == site]

    def check(self, d, what, last_day, zones, site=SITE):
        first = "2026-02-27"
        last = (datetime(2026, 3, 1) + timedelta(days=last_day)).date().isoformat()
        events, n = self.events(site), 0
        for zone in zones:
            for unit in ("month", "day", "hour"):
                for by_page in (False, True):
                    if by_page and unit == "hour":
                        continue
                    q = question(site, zone, unit, first, last, by_page)
                    status, answer = d.json("POST", "/v1/query", q)
                    equal(status, 200, "%s: %r: %r" % (what, q, answer))
                    got = {tuple(r["dimensions"]): r["metrics"] for r in answer["results"]}
                    equal(got, expect(events, zone, unit, first, last, by_page), "%s: %s of %s in %s%s" % (
                        what, unit, site, zone, " by page" if by_page else ""))
                    check(answer["meta"]["source"].startswith("rollup:"), "from rows: %r" % answer["meta"])
                    n += 1
        print("%-60s %6d events of %s: %d series right" % (what, len(events), site, n))
        sys.stdout.flush()


# ---- load: two sites

class TwoSites(Load):
    def event(self):
        e = super().event()
        if self.random.random() < 0.3:
            e["site"] = PLAIN
        return e


def settle(load, *nodes):
    load.pause()
    for d in nodes:
        d.flush()


def restart(d, conf, load, kills):
    """Under load: killed and started a few times, so that a change is met half way too."""
    d.kill()
    d.configure(conf)
    for _ in range(kills):
        d.start(wait=False)
        wait = load.random.uniform(0.02, 0.5)
        try:
            d.process.child.wait(wait)
        except rollups.subprocess.TimeoutExpired:
            pass
        d.kill()
    d.start()
    load.more(200)


def sites_days(d):
    """{rollup: {site: since}} of the schema."""
    return {r["name"]: r.get("days_since", {}) for r in d.json("GET", "/v1/schema")[1]["rollups"]}


def stamp(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def latest(load, site=SITE):
    return max(e["time"] for e in load.acked if e["site"] == site)


def next_day(zone, t):
    at = datetime.fromtimestamp(t, ZoneInfo(zone)) + timedelta(days=1)
    return datetime(at.year, at.month, at.day, tzinfo=ZoneInfo(zone)).timestamp()


def check_horizon(d, load, zone, what, last_day, site=SITE):
    """Days are read from behind the latest event of before on, and not before."""
    since = stamp(sites_days(d)["total"][site])
    q = question(site, zone, "day", "2026-02-27", (datetime(2026, 3, 1) + timedelta(days=last_day)).date().isoformat(), False)
    used = grains(d, q)
    check("quarter" in used, "%s: quarter hours answer for the time before: %r" % (what, used))
    for low, high in used.get("day", []) + used.get("month", []):
        check(low >= since, "%s: days from %r on are read, whole since %r" % (what, low, since))
    return since, used


# ---- steps

def changed(d, load, truth, conf, kills):
    load.more(600)
    settle(load, d)
    truth.check(d, "in Berlin from the beginning", 4, (BERLIN, "UTC"))
    day = question(SITE, BERLIN, "day", "2026-03-02", "2026-03-02", False)
    used = grains(d, day)
    equal(list(used), ["day"], "a closed day is read from its row: %r" % used)
    status, head, _ = d.request("POST", "/v1/query", json.dumps(day))
    equal(status, 200, "a day of Berlin")
    load.go_on()
    for i, (zone, others) in enumerate(((YORK, (BERLIN, KOLKATA)), (CHATHAM, (YORK, "UTC")))):
        at, what = 4 + 5 * i, "%s after %s" % (zone, (BERLIN, YORK)[i])
        settle(load, d)
        before = latest(load)
        load.go_on()
        restart(d, conf(zone=zone), load, kills)
        settle(load, d)
        truth.check(d, what, at, (zone,) + others)
        since, _ = check_horizon(d, load, zone, what, at)
        check(since > before, "the horizon %r lies behind what was stored" % since)
        verified(d, what)
        load.phase(at + 1, 3)
        load.go_on()
        load.more(400)
        settle(load, d)
        truth.check(d, what + ", days on", at + 4, (zone,) + others)
        since, used = check_horizon(d, load, zone, what, at + 4)
        check("day" in used, "%s: days behind the horizon are read: %r" % (what, used))
        verified(d, what + ", days on")
        load.go_on()
    status, again, _ = d.request("POST", "/v1/query", json.dumps(day), {"If-None-Match": head["etag"]})
    equal(status, 200, "an answer of the zone before is not the present one")


def rebuilt(d, load, truth, last_day, zone, others):
    for name in ("total", "pages"):
        d.tally("rebuild", name, "--json")
    load.more(100)
    settle(load, d)
    equal(sites_days(d), {"total": {}, "pages": {}}, "days are whole from the beginning")
    truth.check(d, "rebuilt", last_day, (zone,) + others)
    used = grains(d, question(SITE, zone, "day", "2026-03-01", "2026-03-08", False))
    equal(list(used), ["day"], "days are read for all time: %r" % used)
    verified(d, "rebuilt")
    load.go_on()
    late = [dict(load.event(), site=SITE, time=BASE + 3600 * 7 * i + 0.5) for i in range(40)]
    check(load.try_send(late), "late events are taken")
    settle(load, d)
    truth.check(d, "late events behind the rebuild", last_day, (zone,) + others)
    verified(d, "late events")
    load.go_on()


def partly(d, load, truth, conf, last_day):
    """Only the last days are made anew: those before are answered by quarter hours, and none is mixed."""
    restart(d, conf(zone=KOLKATA), load, 0)
    refused = d.tally("rebuild", "total", "--to", "2026-03-05", ok=(1,))
    out = json.loads(d.tally("rebuild", "total", "--from", "2026-03-08", "--json"))
    equal(out["state"], "done", "rebuild of a part: %r, refused before: %r" % (out, refused))
    load.more(50)
    settle(load, d)
    equal(sites_days(d)["total"][SITE], "2026-03-08T00:00:00+00:00", "whole from there on")
    truth.check(d, "rebuilt from 8 March on", last_day, (KOLKATA, CHATHAM, "UTC"))
    since, used = check_horizon(d, load, KOLKATA, "rebuilt in part", last_day)
    check("day" in used, "days from there on are read: %r" % used)
    verified(d, "rebuilt in part")
    load.go_on()


def default_changed(d, load, truth, conf, kills, last_day):
    restart(d, conf(default=YORK), load, kills)
    settle(load, d)
    truth.check(d, "default: New York", last_day, (YORK, "UTC"), PLAIN)
    since, used = check_horizon(d, load, YORK, "default", last_day, "default")
    truth.check(d, "default: New York", last_day, (KOLKATA, "UTC"))
    verified(d, "default changed")
    load.go_on()


def two_nodes(scene, d, load, truth, conf, last_day):
    """The other node has the configuration of before: it says so, makes its rows in the store's zone, and turns nothing
    back, not even when it is started again."""
    other = scene.tallyd(conf(zone=KOLKATA), "tallyd2")
    load.nodes = [d, other]
    load.more(300)
    settle(load, d, other)
    still = question("still.example", KOLKATA, "day", "2026-03-03", "2026-03-03", False)
    check(d.send([{"site": "still.example", "name": "view", "time": BASE + 2 * DAY + i} for i in range(9)])[0] == 200, "sent")
    d.flush()
    etag = other.request("POST", "/v1/query", json.dumps(still))[1]["etag"]

    def repeated():
        return other.request("POST", "/v1/query", json.dumps(still), {"If-None-Match": etag})[0]
    equal(repeated(), 304, "a closed day is as it was")
    load.go_on()
    load.nodes = [other]
    load.more(10)
    d.stop()
    d.configure(conf(zone=YORK, default=BERLIN))
    d.start()
    load.nodes = [d, other]
    load.more(100)
    load.phase(last_day + 1, 3)
    load.more(300)
    last_day += 4
    for _ in range(2):
        wait_for("the other node to say so", lambda: "default: timezone America/New_York here, Europe/Berlin in the store" in said(other), 60)
        check("in the store" not in said(d), "the node that was configured is content: %r" % said(d))
        settle(load, d, other)
        for node in (d, other):
            truth.check(node, "two nodes, one of them as before", last_day, (YORK, KOLKATA, "UTC"))
        check("day" in check_horizon(other, load, YORK, "two nodes", last_day)[1], "days of both nodes are read")
        equal(repeated(), 200, "the other node does not give its answer of before")
        verified(d, "two nodes")
        load.go_on()
        load.nodes = [d]
        load.more(10)
        other.stop()
        other.start()
        load.nodes = [d, other]
        load.more(100)
    load.nodes = [d]
    load.more(10)
    other.stop()
    other.configure(conf(zone=YORK))
    other.start()
    load.nodes = [d, other]
    load.more(100)
    settle(load, d, other)
    check("in the store" not in said(other), "and is content once it is configured so")
    truth.check(other, "two nodes with the new zone", last_day, (YORK, KOLKATA))
    load.go_on()
    d.tally("rebuild", "total", "--json")
    load.more(200)
    settle(load, d, other)
    truth.check(other, "rebuilt while two nodes store", last_day, (YORK, KOLKATA))
    verified(d, "rebuilt")
    load.nodes = [d]
    other.stop()
    load.go_on()
    return last_day


def said(d):
    return d.request("GET", "/readyz")[2].decode()


def no_quarters(scene, sink):
    """Where only days are kept, those of the zone before are of no use: refused with the reason, until raw events make
    them anew."""
    text = """
sites: { default: { timezone: UTC }, shop.example: { timezone: %%s } }
limits: { query_rows: %%d }
retention: { minute: 1d, quarter: 1d }
pipeline: [ rollup: {} ]
rollups: [ { name: total, by: [], metrics: [events, visitors] } ]
sinks: [ %s ]
""" % sink
    d = scene.tallyd(text % (BERLIN, 1), "tallyd3")
    events = [{"site": SITE, "name": "view", "page": "/", "visitor": "v%d" % (i % 40), "value": 1, "time": BASE + i * 1800}
              for i in range(400)]
    d.send(events)
    d.flush()
    q = question(SITE, BERLIN, "day", "2026-02-27", "2026-03-12", False)

    def days(zone):
        status, answer = d.json("POST", "/v1/query", dict(q, timezone=zone))
        return status, answer if status != 200 else {tuple(r["dimensions"]): r["metrics"] for r in answer["results"]}
    equal(days(BERLIN), (200, expect(events, BERLIN, "day", "2026-02-27", "2026-03-12", False)), "days of Berlin")
    d.stop()
    d.configure(text % (YORK, 1))
    d.start()
    d.flush()
    for zone in (BERLIN, YORK):
        status, answer = days(zone)
        equal(status, 422, "days of %s: %r" % (zone, answer))
        check("zone was changed" in answer["detail"] and "tally rebuild total" in answer["detail"], "the reason: %r" % answer)
    verified(d, "days only")
    d.tally("rebuild", "total", "--json")
    equal(days(YORK), (200, expect(events, YORK, "day", "2026-02-27", "2026-03-12", False)), "days of New York, rebuilt")
    equal(days(BERLIN)[0], 422, "no rows are of Berlin any more")
    verified(d, "days only, rebuilt")
    d.stop()


def reloaded(d, load, truth, conf, last_day):
    """A reload takes it as a restart does."""
    d.configure(conf(zone=CHATHAM))
    d.tally("reload")
    load.more(50)
    wait_for("the new zone", lambda: SITE in sites_days(d)["total"], 60)
    settle(load, d)
    truth.check(d, "reloaded", last_day, (CHATHAM, YORK))
    verified(d, "reloaded")
    load.go_on()


def main(scene):
    print("seed %d" % rollups.SEED)
    db = scene.mariadb() if MARIADB else None
    sink = 'mariadb: { url: "%s", flush: 50ms%s }'
    now = {"zone": BERLIN, "default": "UTC",
           "sink": sink % (db.url(), "") if db else "sqlite: { flush: 50ms }"}

    def conf(**changes):
        now.update(changes)
        return CONF % now
    kills = 6 if FULL else 2
    d = scene.tallyd(conf())
    load = TwoSites(d)
    truth = Truth(load)
    try:
        load.phase(0, 4)
        changed(d, load, truth, conf, kills)
        last = 13
        rebuilt(d, load, truth, last, CHATHAM, (BERLIN, "UTC"))
        partly(d, load, truth, conf, last)
        default_changed(d, load, truth, conf, kills, last)
        if db:
            last = two_nodes(scene, d, load, truth, conf, last)
        rebuilt(d, load, truth, last, YORK if db else KOLKATA, (BERLIN,))
        reloaded(d, load, truth, conf, last)
    finally:
        load.ended = True
    d.stop()
    no_quarters(scene, sink % (db.url(), ", prefix: days_, name: days") if db else "sqlite: {}")


if __name__ == "__main__":
    run(main)
