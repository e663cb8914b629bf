# SPDX-License-Identifier: Apache-2.0
"""What visits came with, and what their events get of it, computed from events in the order in which they came; and random
questions after both, asked of a daemon and answered here by plain loops.

An event is (site, visitor, time in microseconds, page, is a view, referrer, props); all of one site."""

import bisect
import datetime
import random
import re

from harness import check, equal

INHERIT_MAX = 255  # plugins/session/session.h
GAP_US = 30 * 60 * 1000000
KEYS = {"visit:source": "$source", "visit:channel": "$channel", "visit:utm_source": "utm_source", "visit:utm_medium": "utm_medium",
        "visit:utm_campaign": "utm_campaign", "visit:utm_content": "utm_content", "visit:utm_term": "utm_term",
        "visit:device": "$device", "visit:browser": "$browser", "visit:os": "$os", "visit:country": "$country"}
FAMILIES = (("$source", "$channel", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"),
            ("$device", "$browser", "$os"), ("$country",))
POOLS = {"$source": ["Google", "Facebook", "news.example", "\u0130stanbul \u00e9t\u00e9"], "$channel": ["Direct", "Organic Search", "Paid Social"],
         "utm_source": ["google", "Google"], "utm_medium": ["cpc", "email"], "utm_campaign": ["sale", "SALE", "x" * 400],
         "utm_content": ["a"], "utm_term": ["shoes", "schuhe"], "$device": ["desktop", "mobile"],
         "$browser": ["Chrome", "Firefox", "Safari"], "$os": ["Windows", "Linux"], "$country": ["DE", "AT"]}
EPOCH = datetime.datetime(1970, 1, 1)


def some_props(rng):
    """Of some events all, of others little or nothing."""
    share = rng.choice((0, 0, 0.1, 0.6, 0.9))
    return dict((k, rng.choice(pool)) for k, pool in POOLS.items() if rng.random() < share)


def inherited(own, came):
    out = dict(own)
    for family in FAMILIES:
        if any(own.get(k) and (k, own[k]) != ("$channel", "Direct") for k in family):
            continue
        out.update((k, came[k]) for k in family if 0 < len(came.get(k, "").encode()) <= INHERIT_MAX)
    return out


def attributed(events):
    """The events with their props as they are stored: what their visit came with as it was known when they came."""
    seen, out = {}, []
    for arrival, (site, visitor, t, page, view, referrer, props) in enumerate(events):
        mine = seen.setdefault(visitor, [])
        at = bisect.bisect(mine, (t, arrival))
        mine.insert(at, (t, arrival))
        while at > 0 and mine[at][0] - mine[at - 1][0] <= GAP_US:
            at -= 1
        came = events[mine[at][1]][6]
        out.append({"t": t, "visitor": visitor, "view": view, "referrer": referrer, "props": inherited(props, came)})
    return out


# ---- questions

def value_of(thing, dim):
    if dim in KEYS:
        return thing["props"].get(KEYS[dim], "")
    return thing[{"visit:referrer": "referrer", "visit:entry_page": "entry", "visit:exit_page": "exit"}[dim]]


def passes(thing, filters):
    for op, dim, values in filters:
        v = value_of(thing, dim)
        word = op.replace("_not", "")
        hit = any(v == x if word == "is" else x in v if word == "contains" else re.search(x, v) is not None for x in values)
        if hit == op.endswith("_not"):
            return False
    return True


def unit_of(t, unit):
    at = EPOCH + datetime.timedelta(microseconds=t)
    at = at.replace(minute=at.minute if unit == "time:minute" else 0, second=0, microsecond=0)
    return (at.replace(hour=0) if unit == "time:day" else at).isoformat() + "+00:00"


def add_up(visits, events, unit, dims, filters, metrics, low, high):
    """key -> what the metrics are"""
    groups = {}
    for i, things in enumerate((visits, events if any(m in EVENT_METRICS for m in metrics) else ())):
        for x in things:
            t = x["begin"] if i == 0 else x["t"]
            if low <= t < high and passes(x, filters):
                key = ((unit_of(t, unit),) if unit else ()) + tuple(value_of(x, dim) for dim in dims)
                groups.setdefault(key, ([], []))[i].append(x)
    if not unit and not dims:
        groups.setdefault((), ([], []))

    def metric(name, mine, those):
        n = len(mine)
        return {"visits": n, "bounce_rate": 100.0 * sum(v["bounce"] for v in mine) / n if n else None,
                "visit_duration": sum(v["duration"] for v in mine) / 1e6 / n if n else None,
                "views_per_visit": sum(v["views"] for v in mine) / n if n else None, "events": len(those),
                "pageviews": sum(e["view"] for e in those), "visitors": len(set(e["visitor"] for e in those))}[name]
    out = dict((k, [metric(m, *both) for m in metrics]) for k, both in groups.items())
    if any(m in VISIT_METRICS for m in metrics) and (unit or dims):
        out = dict((k, row) for k, row in out.items() if groups[k][0] or any(row))  # a row of nothing is none, for visits may leave one
    return out


def same(got, want):
    return got == want or (got is not None and want is not None and abs(got - want) <= 1e-9 * max(1, abs(want)))


VISIT_METRICS = ["visits", "bounce_rate", "visit_duration", "views_per_visit"]
EVENT_METRICS = ["events", "visitors", "pageviews"]


def choose(rng, begin, end):
    both = rng.random() < 0.5
    legal = list(KEYS) + ["visit:referrer"] + ([] if both else ["visit:entry_page", "visit:exit_page"])
    if rng.random() < 0.4:  # what a rollup holds
        legal = rng.choice((["visit:source"], ["visit:browser", "visit:os"]))
    dims = rng.sample(legal, min(len(legal), rng.choice((0, 1, 1, 2))))
    metrics = rng.sample(VISIT_METRICS, rng.randrange(1, 4)) + (rng.sample(EVENT_METRICS, rng.randrange(1, 3)) if both else [])
    rng.shuffle(metrics)
    filters = []
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        dim = rng.choice(legal)
        pool = POOLS.get(KEYS.get(dim), ["/a", "/buy", "https://x.example/"]) + [""]
        op = rng.choice(("is", "is_not", "contains", "contains_not", "matches"))
        values = rng.sample(pool, min(len(pool), rng.choice((1, 2))))
        filters.append([op, dim, [re.escape(v)[:200] if op == "matches" and v else "^$" if op == "matches" else v for v in values]])
    days = sorted(rng.randrange(begin, end) // 86400000000 for _ in range(2))
    return dims, metrics, filters, rng.choice((None, None, "time:day", "time:hour")), days if rng.random() < 0.5 else None


def ask(d, rng, site, visits, events):
    """One question in all its forms: whole, ordered and cut into pages, beside the period before."""
    begin, end = min(e["t"] for e in events), max(e["t"] for e in events) + 1
    dims, metrics, filters, unit, days = choose(rng, begin, end)
    low, high = (days[0] * 86400000000, (days[1] + 1) * 86400000000) if days else (begin, end)
    texts = [(EPOCH + datetime.timedelta(days=n)).strftime("%Y-%m-%d") for n in days] if days else "all"
    q = dict(site_id=site, metrics=metrics, dimensions=([unit] if unit else []) + dims, filters=filters, date_range=texts)
    parts = (unit, dims, filters, metrics)
    want = add_up(visits, events, *parts, low, high)
    answer = d.query(pagination={"limit": 10000, "offset": 0}, **q)
    got = dict((tuple(r["dimensions"]), r["metrics"]) for r in answer["results"])
    check(sorted(got) == sorted(want), "rows of %r: too many %r, missing %r" % (
        q, [(k[0], k[1][:9] if len(k) > 1 else "", got[k]) for k in sorted(set(got) - set(want))][:9], [(k[0][:25], k[-1][:9], want[k]) for k in sorted(set(want) - set(got))][:9]))
    for k in want:
        check(all(same(g, w) for g, w in zip(got[k], want[k])), "%r %r: %r, not %r" % (q, k, got[k], want[k]))
    # ordered by the first metric that is whole numbers, ties by dimensions; a page of it
    by = next((i for i, m in enumerate(metrics) if m in ("visits", "events", "visitors", "pageviews")), None)
    if by is not None and dims:
        order = sorted(want, key=lambda k: (-want[k][by], [x.encode() for x in k]))
        offset, limit = rng.randrange(len(order) + 1), rng.randrange(1, 20)
        page = d.query(order_by=[[metrics[by], "desc"]], pagination={"limit": limit, "offset": offset}, include={"total_rows": True}, **q)
        equal([tuple(r["dimensions"]) for r in page["results"]], order[offset:offset + limit], "a page of %r" % q)
        equal(page["meta"]["total_rows"], len(order), "rows in all of %r" % q)
    if days and not unit:
        before = add_up(visits, events, *parts, low - (high - low), low)
        for r in d.query(compare="previous_period", pagination={"limit": 10000, "offset": 0}, **q)["results"]:
            was = before.get(tuple(r["dimensions"]))
            if was:
                check(all(same(g, w) for g, w in zip(r["compare"], was)), "%r before: %r, not %r" % (q, r, was))
    return answer["meta"]["source"] == "raw"


def questions(d, rng, site, visits, seen, n):
    events = attributed(seen)
    raw = sum(ask(d, rng, site, visits, events) for _ in range(n))
    return n - raw, raw
