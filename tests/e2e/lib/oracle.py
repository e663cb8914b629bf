# SPDX-License-Identifier: Apache-2.0
"""What a question comes to, worked out from the events themselves by a plain walk: nothing of it is shared with tally.
Time is cut by zoneinfo, patterns by re, distinct visitors by sets."""

import datetime
import re
from zoneinfo import ZoneInfo

US = 1000000
UTC = datetime.timezone.utc


def local(t_us, zone):
    return datetime.datetime.fromtimestamp(t_us // US, UTC).astimezone(ZoneInfo(zone))


def stamp(dt):
    return int(dt.timestamp()) * US


def midnight(day, zone):
    return stamp(datetime.datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)))


def add_months(day, n):
    m = day.year * 12 + day.month - 1 + n
    return datetime.date(m // 12, m % 12 + 1, 1)


def floor(t_us, unit, zone):
    seconds = {"minute": 60, "quarter": 900, "hour": 3600}.get(unit)
    dt = local(t_us, zone)
    if seconds:
        off = int(dt.utcoffset().total_seconds())
        return ((t_us // US + off) // seconds * seconds - off) * US
    day = dt.date()
    if unit == "week":
        day -= datetime.timedelta(day.weekday())
    elif unit == "month":
        day = day.replace(day=1)
    return midnight(day, zone)


def following(t_us, unit, zone):
    seconds = {"minute": 60, "quarter": 900, "hour": 3600}.get(unit)
    if seconds:
        return t_us + seconds * US
    day = local(t_us, zone).date()
    day = add_months(day, 1) if unit == "month" else day + datetime.timedelta(7 if unit == "week" else 1)
    return midnight(day, zone)


def label(t_us, zone):
    return local(t_us, zone).isoformat()


# ---- ranges

def parse_bound(text, zone):
    """(microseconds, is a date)"""
    if len(text) == 10:
        return midnight(datetime.date.fromisoformat(text), zone), True
    dt = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return stamp(dt if dt.tzinfo else dt.replace(tzinfo=ZoneInfo(zone))), False


def date_range(r, zone, now_us, events):
    if isinstance(r, list):
        (a, _), (b, is_date) = parse_bound(r[0], zone), parse_bound(r[1], zone)
        return a, following(b, "day", zone) if is_date else b
    today = local(now_us, zone).date()
    end = midnight(today + datetime.timedelta(1), zone)
    days = {"day": 1, "7d": 7, "28d": 28, "30d": 30, "91d": 91}
    if r in days:
        return midnight(today - datetime.timedelta(days[r] - 1), zone), end
    months = {"month": 0, "6mo": 5, "12mo": 11}
    if r in months:
        return midnight(add_months(today, -months[r]), zone), end
    if r == "year":
        return midnight(today.replace(month=1, day=1), zone), end
    times = [e["t"] for e in events]  # all
    return floor(min(times), "day", zone), min(end, following(floor(max(times), "day", zone), "day", zone))


def year_before(t_us, zone, is_end):
    dt = local(t_us, zone)
    inside = t_us - midnight(dt.date(), zone)
    try:
        day = dt.date().replace(year=dt.year - 1)
    except ValueError:  # 29 February
        day = datetime.date(dt.year - 1, 3, 1) if is_end else datetime.date(dt.year - 1, 2, 28)
    return midnight(day, zone) + inside


def compared_range(how, a, b, zone):
    if how == "year_over_year":
        return year_before(a, zone, False), year_before(b, zone, True)
    if floor(a, "day", zone) == a and floor(b, "day", zone) == b:
        days = (local(b, zone).date() - local(a, zone).date()).days
        return midnight(local(a, zone).date() - datetime.timedelta(days), zone), a
    return a - (b - a), a


# ---- events

def field(e, name):
    keys = {"event:name": "name", "event:page": "page", "event:hostname": "host", "visit:referrer": "referrer"}
    if name in keys:
        return e.get(keys[name]) or ""
    value = e.get("props", {}).get(name[len("event:props:"):], "")
    return "true" if value is True else "false" if value is False else value if isinstance(value, str) else e["text"](value)


def folded(text):
    """Character by character: what casefold() or lower() makes one character of."""
    return "".join(next((x for x in (c.casefold(), c.lower()) if len(x) == 1), c) for c in text)


def passes(f, e):
    op = f[0]
    if op == "and":
        return all(passes(k, e) for k in f[1])
    if op == "or":
        return any(passes(k, e) for k in f[1])
    if op == "not":
        return not passes(f[1], e)
    v = field(e, f[1])
    test = {"is": lambda x: v == x, "contains": lambda x: x in v,
            "matches": lambda x: re.search(x.encode(), v.encode()) is not None}[op.replace("_not", "")]
    values = [x if isinstance(x, str) else str(x).lower() for x in f[2]]
    if len(f) > 3 and f[3].get("case_sensitive") is False:
        if op.startswith("matches"):
            return any(re.search(x, v, re.IGNORECASE) is not None for x in values) != op.endswith("_not")
        v, values = folded(v), list(map(folded, values))
    return any(map(test, values)) != op.endswith("_not")


def number(e, f):
    value = e.get("value") if f == "value" else e.get("props", {}).get(f[len("props."):])
    return None if value is None or isinstance(value, (bool, str)) else float(value)


def seen(events):
    return set(e["visitor"] for e in events if e["visitor"])


def share(part, whole):
    return int(1000 * part / whole + 0.5) / 10 if whole else 0


def metric(name, events, everybody, base):
    if name == "events":
        return len(events)
    if name == "pageviews":
        return sum(e["name"] in ("view", "pageview") for e in events)
    if name == "visitors":
        return len(seen(events))
    if name == "percentage":
        return share(len(seen(events)), len(everybody))
    if name == "conversion_rate":
        return share(len(seen(events)), len(seen(base)))
    how, f = name.split(":", 1)
    numbers = [n for n in (number(e, f) for e in events) if n is not None]
    if how == "sum":
        return sum(numbers)
    if not numbers:
        return None
    return sum(numbers) / len(numbers) if how == "avg" else min(numbers) if how == "min" else max(numbers)


# ---- a question

def mentions_goal(f):
    if f[0] in ("and", "or"):
        return any(map(mentions_goal, f[1]))
    return mentions_goal(f[1]) if f[0] == "not" else f[1] == "event:name" or f[1].startswith("event:props:")


def flat(filters):
    """Those that all events must pass, one by one."""
    out = []
    for f in filters:
        while f[0] == "not" and f[1][0] == "not":
            f = f[1][1]
        out += flat(f[1]) if f[0] == "and" or (f[0] == "or" and len(f[1]) == 1) else [f]
    return out


class Answer:
    """rows: [(dimensions, metrics, compare or None)] of the page; total, rest (of other_row), labels."""


def time_unit(dims, a, b):
    length = (b - a) // US
    for d in dims:
        if d == "time":
            return "hour" if length <= 49 * 3600 else "day" if length <= 40 * 86400 else \
                "week" if length <= 366 * 86400 else "month"
        if d.startswith("time:"):
            return d[5:]
    return None


def starts(a, b, unit, zone):
    out, t = [], floor(a, unit, zone)
    while t < b:
        out.append(t)
        t = following(t, unit, zone)
    return out


def group(events, dims, axis, unit, zone):
    place = dict((t, i) for i, t in enumerate(axis))
    out = {}
    for e in events:
        key = tuple(place[floor(e["t"], unit, zone)] if d.startswith("time") else field(e, d) for d in dims)
        out.setdefault(key, []).append(e)
    return out


class Side:
    """One range of a question: its events, in groups."""

    def __init__(self, events, q, zone, a, b, unit):
        self.axis = starts(a, b, unit, zone) if unit else []
        filters = q.get("filters", [])
        inside = [e for e in events if a <= e["t"] < b]
        self.events = [e for e in inside if all(passes(f, e) for f in filters)]
        self.base = [e for e in inside if all(passes(f, e) for f in flat(filters) if not mentions_goal(f))]
        self.unit, self.zone, self.q = unit, zone, q
        self.dims = q.get("dimensions", [])
        self.groups = group(self.events, self.dims, self.axis, unit, zone)
        if not self.dims:
            self.groups.setdefault((), [])
        self.at = next((i for i, d in enumerate(self.dims) if d.startswith("time")), None)
        self.base_groups = group(self.base, ["time"], self.axis, unit, zone) if unit else {}
        self.everybody = seen(self.events)

    def base_of(self, key):
        return self.base if self.at is None else self.base_groups.get((key[self.at],), [])

    def metrics(self, key):
        return self.of(self.groups.get(key, []), self.base_of(key))

    def of(self, events, base):
        return [metric(m, events, self.everybody, base) for m in self.q["metrics"]]


def sort_key(q, side, key, values):
    order = q.get("order_by") or (([[side.dims[side.at], "asc"]] if side.at is not None else []) + [[q["metrics"][0], "desc"]])
    out = []
    for name, way in order:
        sign = -1 if way == "desc" else 1
        if name in q["metrics"]:
            v = values[q["metrics"].index(name)]
            out.append((1, 0) if v is None else (0, sign * v))
        else:
            v = key[side.dims.index(name)]
            out.append(v * sign if isinstance(v, int) else Reversed(v.encode()) if sign < 0 else v.encode())
    return out + [v if isinstance(v, int) else v.encode() for v in key]


class Reversed:
    def __init__(self, v):
        self.v = v

    def __lt__(self, other):
        return other.v < self.v

    def __eq__(self, other):
        return other.v == self.v


def answer(events, q, site_zone, now_us):
    zone = q.get("timezone", site_zone)
    a, b = date_range(q["date_range"], zone, now_us, events)
    unit = time_unit(q.get("dimensions", []), a, b)
    side, before = Side(events, q, zone, a, b, unit), None
    if q.get("compare"):
        before = Side(events, q, zone, *compared_range(q["compare"], a, b, zone), unit)
    rows = sorted(((k, side.metrics(k)) for k in side.groups), key=lambda r: sort_key(q, side, *r))
    page = q.get("pagination", {})
    first, limit = page.get("offset", 0), page.get("limit", 10000)
    shown = rows[first:first + limit]
    out = Answer()
    out.range = (a, b)
    out.rows = [([label(side.axis[v], zone) if i == side.at else v for i, v in enumerate(k)], m,
                 before.metrics(k) if before else None) for k, m in shown]
    out.total = len(rows)
    left = rows[:first] + rows[first + limit:]
    rest = [e for k, _ in left for e in side.groups[k]]
    out.rest = (side.of(rest, side.base), len(left)) if left else None
    out.labels = [label(t, zone) for t in side.axis]
    return out
