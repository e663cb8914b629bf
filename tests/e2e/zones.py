#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Series by hour and day in zones that are hard: a quarter of an hour off (Kathmandu, and the night of 1986 in which it
became so), changes by half an hour (Lord Howe), at midnight (Sao Paulo 2017, whose day begins at 01:00 then), and both
changes of Berlin. What /v1/query answers, from rollups and from raw events, for a site of that zone and for a site in UTC
that is asked in it, equals what Python's zoneinfo makes of the same events.

SQLite; with TALLY_FULL MariaDB too."""

import os
import random
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run  # noqa: E402

# zone: the first and last date of each span; a change of the clock lies in the middle of all but one
SPANS = {
    "Asia/Kathmandu": [("1985-12-30", "1986-01-02"), ("2017-03-25", "2017-03-28")],
    "Australia/Lord_Howe": [("2017-03-31", "2017-04-03"), ("2017-09-29", "2017-10-02")],
    "America/Sao_Paulo": [("2017-02-17", "2017-02-20"), ("2017-10-13", "2017-10-16")],
    "Europe/Berlin": [("2017-03-24", "2017-03-27"), ("2017-10-27", "2017-10-30")],
}
CHANGES = {"Asia/Kathmandu": 1, "Australia/Lord_Howe": 2, "America/Sao_Paulo": 2, "Europe/Berlin": 2}
EVENTS = 1200  # a span

CONF = """
sites:
  default: { timezone: UTC, time_window: { past: any, future: 10m } }
%s
retention: { minute: forever }
rollups: [ { name: total, by: [], metrics: [events, visitors, "sum:value", "p:value"] } ]
sinks:
  - %s
"""

METRICS = ["events", "visitors", "sum:value", "p90:value"]


class Zone:
    """Buckets by their definition, from nothing but the offset at a second."""

    def __init__(self, name):
        self.name, self.info = name, ZoneInfo(name)

    def offset(self, s):
        return int(datetime.fromtimestamp(s, self.info).utcoffset().total_seconds())

    def change(self, low, high):
        """The second in (low, high] at which the offset at high begins."""
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.offset(middle) == self.offset(high) else (middle, high)
        return high

    def hour(self, s):
        """Since the local clock showed :00, or was changed."""
        start = s - (s + self.offset(s)) % 3600
        return start if self.offset(start) == self.offset(s) else self.change(start, s)

    def midnight(self, date):
        """The first second of a date; where midnight is skipped, that of the change."""
        return int(datetime(date.year, date.month, date.day, tzinfo=self.info).timestamp())

    def day(self, s):
        return self.midnight(datetime.fromtimestamp(s, self.info).date())

    def label(self, s):
        return datetime.fromtimestamp(s, self.info).isoformat()

    def bounds(self, span):
        first, last = (datetime.fromisoformat(d).date() for d in span)
        return self.midnight(first), self.midnight(last + timedelta(days=1))

    def changes(self, span):
        start, end = self.bounds(span)
        return [self.change(s, s + 900) for s in range(start, end, 900) if self.offset(s) != self.offset(s + 900)]


def moments(zone, span):
    start, end = zone.bounds(span)
    found = [random.randrange(start, end) for _ in range(EVENTS)]
    for c in zone.changes(span):
        found += [c + d for d in (-5400, -3601, -3600, -1800, -900, -1, 0, 1, 899, 900, 1799, 1800, 3599, 3600, 5400)]
        found += [c + random.randrange(-7200, 7200) for _ in range(200)]
    return [start, end - 1] + found + [start - 1, end]  # the last two belong to other days


def make(zone):
    events = []
    for span in SPANS[zone.name]:
        for s in moments(zone, span):
            events.append({"name": "view", "time": datetime.fromtimestamp(s, timezone.utc).isoformat(), "s": s,
                           "visitor": "v%d" % random.randrange(40), "value": random.randrange(-50, 500)})
    return events


def expected(zone, events, span, start_of):
    start, end = zone.bounds(span)
    buckets = {}
    for e in events:
        if start <= e["s"] < end:
            buckets.setdefault(start_of(e["s"]), []).append(e)
    rows = []
    for s in sorted(buckets):
        values = sorted(e["value"] for e in buckets[s])
        rows.append([zone.label(s), len(values), len({e["visitor"] for e in buckets[s]}), sum(values),
                     values[(len(values) * 90 + 99) // 100 - 1]])
    return rows


def compare(got, want, what):
    equal([r[:4] for r in got], [r[:4] for r in want], what)
    for g, w in zip(got, want):
        check(abs(g[4] - w[4]) <= 0.01 * abs(w[4]) * (1 + 1e-9), "%s: p90 of %s is %r, exactly %r" % (what, g[0], g[4], w[4]))


def ask(d, site, zone, span, unit, source, **more):
    answer = d.query(site_id=site, timezone=zone.name, date_range=list(span), metrics=METRICS, dimensions=["time:" + unit],
                     include={"time_labels": True}, **more)
    equal(answer["meta"]["source"], source, "source of %ss of %s in %s" % (unit, site, zone.name))
    return answer["meta"]["time_labels"], [r["dimensions"] + r["metrics"] for r in answer["results"]]


RAW = {"filters": [["is_not", "event:props:nothing", ["x"]]]}


def check_zone(d, zone, sites, events):
    rows = 0
    for span in SPANS[zone.name]:
        start, end = zone.bounds(span)
        for unit, start_of in (("hour", zone.hour), ("day", zone.day)):
            want = expected(zone, events, span, start_of)
            # every change is on a quarter hour: no bucket is shorter
            labels = [zone.label(s) for s in sorted({start_of(s) for s in range(start, end, 900)})]
            for site in sites:
                for source, more in (("rollup:total", {}), ("raw", RAW)):
                    what = "%ss of %s in %s from %s" % (unit, site, zone.name, source)
                    got_labels, got = ask(d, site, zone, span, unit, source, **more)
                    equal(got_labels, labels, what + ": labels")
                    compare(got, want, what)
                    rows += len(got)
    return rows


def check_oddities(zones):
    """The test is about what it says: half hours, 23 and 25 hours, a day that begins at 01:00."""
    def lengths(name, i):
        z = zones[name]
        start, end = z.bounds(SPANS[name][i])
        days = sorted({z.day(s) for s in range(start, end, 900)}) + [end]
        return sorted((b - a) / 3600 for a, b in zip(days, days[1:]))
    equal(lengths("Europe/Berlin", 0), [23, 24, 24, 24], "days of Berlin in March")
    equal(lengths("Europe/Berlin", 1), [24, 24, 24, 25], "days of Berlin in October")
    equal(lengths("Australia/Lord_Howe", 0), [24, 24, 24, 24.5], "days of Lord Howe in April")
    equal(lengths("Asia/Kathmandu", 0), [23.75, 24, 24, 24], "days of Kathmandu in 1986")
    sao = zones["America/Sao_Paulo"]
    equal(sao.label(sao.midnight(datetime(2017, 10, 15))), "2017-10-15T01:00:00-02:00", "a day of Sao Paulo")
    for name, z in zones.items():
        equal(sum(len(z.changes(span)) for span in SPANS[name]), CHANGES[name], "changes of " + name)


def site_of(name):
    return name.split("/")[1].lower().replace("_", "-") + ".example"


def check_store(scene, zones, sink, name):
    sites = "\n".join('  %s: { timezone: %s, time_window: { past: any, future: 10m } }' % (site_of(z), z) for z in zones)
    d = scene.tallyd(CONF % (sites, sink), name=name)
    rows = 0
    for zone_name, zone in zones.items():
        events = make(zone)
        own, utc = site_of(zone_name), "utc-" + site_of(zone_name)
        for site in (own, utc):
            for i in range(0, len(events), 500):
                batch = [dict(e, site=site) for e in events[i:i + 500]]
                status, answer = d.send(batch)
                equal((status, answer["accepted"]), (200, len(batch)), "events of " + site)
        d.flush()
        rows += check_zone(d, zone, (own, utc), events)
    print("%s: %d rows in %d zones" % (name, rows, len(zones)))
    d.stop()


def main(scene):
    random.seed(int(os.environ.get("TALLY_SEED") or 1))
    zones = dict((name, Zone(name)) for name in SPANS)
    check_oddities(zones)
    check_store(scene, zones, "sqlite: {}", "sqlite")
    if os.environ.get("TALLY_FULL"):
        check_store(scene, zones, 'mariadb: { url: "%s" }' % scene.mariadb().url(), "tallyd-mariadb")


if __name__ == "__main__":
    run(main)
