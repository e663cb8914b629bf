#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Facts about time zones from Python's zoneinfo, for test_zone_oracle.c.

One line a moment: zone, second, offset, then start and end of its hour, day, week and month, all in seconds since 1970.
Starts are found by their definition (the first moment at which the local clock shows the date or a later one), with
nothing but "what is the offset at this second" asked of zoneinfo.
usage: zone_oracle.py [moments per zone [all]]   (all = every zone there is)
"""
import random
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

ZONES = """UTC Europe/Berlin America/New_York Asia/Kolkata Asia/Kathmandu Australia/Lord_Howe America/St_Johns
Africa/Casablanca Asia/Tehran Pacific/Apia America/Sao_Paulo Europe/London Europe/Dublin Europe/Moscow America/Los_Angeles
America/Caracas America/Nuuk America/Asuncion Asia/Tokyo Asia/Pyongyang Asia/Gaza Africa/Cairo Africa/Monrovia
Antarctica/Troll Pacific/Chatham Pacific/Kiritimati Pacific/Kwajalein""".split()
EPOCH = date(1970, 1, 1)
FROM, TO = 0, 2840140800  # 1970 to 2060
REACH = 28 * 3600  # no clock is further from UTC


class Zone:
    def __init__(self, name):
        self.info = ZoneInfo(name)
        self.offsets = {}
        self.firsts = {}

    def offset(self, s):
        if s not in self.offsets:
            at = datetime.fromtimestamp(s, timezone.utc).astimezone(self.info)
            self.offsets[s] = int(at.utcoffset().total_seconds())
        return self.offsets[s]

    def change(self, low, high):
        """The second in (low, high] at which the offset differs from that at low; they differ at the ends."""
        while high - low > 1:
            middle = (low + high) // 2
            if self.offset(middle) == self.offset(low):
                low = middle
            else:
                high = middle
        return high

    def changes(self, start, end, step):
        found = []
        for s in range(start, end, step):
            low = s
            while self.offset(low) != self.offset(s + step):
                low = self.change(low, s + step)
                found.append(low)
        return found

    def first(self, day):
        """First second at which the local clock shows this date or a later one."""
        if day not in self.firsts:
            local = (day - EPOCH).days * 86400
            start = local - REACH
            candidates = set(self.changes(start, local + REACH, 2 * 3600))
            for c in [start] + sorted(candidates):
                candidates.add(local - self.offset(c))
            self.firsts[day] = min(c for c in candidates if c >= start and c + self.offset(c) >= local)
        return self.firsts[day]

    def local_date(self, s):
        return EPOCH + timedelta(days=(s + self.offset(s)) // 86400)

    def bucket(self, s, starts):
        """Of the first moments of these dates: the last not after s, and the next one."""
        moments = sorted({self.first(d) for d in starts})
        return max(m for m in moments if m <= s), min(m for m in moments if m > s)

    def day(self, s):
        today = self.local_date(s)
        return self.bucket(s, [today + timedelta(days=n) for n in range(-2, 4)])

    def week(self, s):
        today = self.local_date(s)
        monday = today - timedelta(days=today.weekday())
        return self.bucket(s, [monday + timedelta(days=n) for n in (-7, 0, 7, 14)])

    def month(self, s):
        today = self.local_date(s)
        months = [today.year * 12 + today.month - 1 + n for n in (-1, 0, 1, 2)]
        return self.bucket(s, [date(m // 12, m % 12 + 1, 1) for m in months])

    def hour(self, s):
        """From :00 of the local clock, or a change of offset, to the next of either."""
        offset = self.offset(s)
        start = (s + offset) // 3600 * 3600 - offset
        changes = self.changes(start - 1, start + 3600, 300)
        return (
            max([start] + [c for c in changes if c <= s]),
            min([start + 3600] + [c for c in changes if c > s]),
        )


def moments(zone, count):
    """Random ones, and the neighbourhood of every change: the seconds beside it, and some hours around."""
    result = [random.randrange(FROM, TO) for _ in range(count)]
    changes = zone.changes(FROM, TO, 10 * 86400)
    for change in random.sample(changes, min(len(changes), count // 4)):
        near = [-86400, -3601, -3600, -1800, -60, -1, 0, 1, 59, 60, 1799, 1800, 3599, 3600, 7200, 86400]
        result += [change + d for d in random.sample(near, 6) + [-1, 0]]
        result.append(change + random.randrange(-90000, 90000))
    return result


def main():
    random.seed(20261025)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for name in sorted(available_timezones()) if "all" in sys.argv else ZONES:
        zone = Zone(name)
        for s in moments(zone, count):
            facts = [s, zone.offset(s), *zone.hour(s), *zone.day(s), *zone.week(s), *zone.month(s)]
            print(name, *facts)


main()
