# SPDX-License-Identifier: Apache-2.0
"""What a question must not be, and where the refusal has to point: a table."""

import json
import time

from harness import check, equal

GOOD = {"site_id": "shop.example", "metrics": ["events"], "date_range": "7d"}


def deep(n):
    f = ["is", "event:name", ["view"]]
    for _ in range(n):
        f = ["not", f]
    return f


# what is different from GOOD, status, code, pointer, a name that must be among the legal ones
BODIES = [
    ({"metrics": ["evnts"]}, 400, "unknown_name", "/metrics/0", "events"),
    ({"metrics": ["events", "events"]}, 400, "repeated", "/metrics/1", None),
    ({"metrics": []}, 400, "missing_field", "/metrics", None),
    ({"metrics": "events"}, 400, "bad_type", "/metrics", None),
    ({"metrics": [1]}, 400, "bad_type", "/metrics/0", None),
    ({"metrics": ["sum"]}, 400, "unknown_name", "/metrics/0", "sum:F"),
    ({"metrics": ["sum:price"]}, 400, "unknown_name", "/metrics/0", "props.X"),
    ({"metrics": ["sum:props."]}, 400, "unknown_name", "/metrics/0", "props.X"),
    ({"metrics": ["percentage"]}, 400, "bad_pair", "/metrics/0", None),
    ({"metrics": ["events", "conversion_rate"]}, 400, "bad_pair", "/metrics/1", None),
    ({"dimensions": ["event:pag"]}, 400, "unknown_name", "/dimensions/0", "event:page"),
    ({"dimensions": ["time:year"]}, 400, "unknown_name", "/dimensions/0", "time:month"),
    ({"dimensions": ["time:day", "time:hour"]}, 400, "repeated", "/dimensions/1", None),
    ({"dimensions": ["event:page", "event:page"]}, 400, "repeated", "/dimensions/1", None),
    ({"dimensions": ["event:props:" + "x" * 65]}, 400, "unknown_name", "/dimensions/0", "event:props:X"),
    ({"dimensions": ["event:props:a%d" % i for i in range(9)]}, 400, "too_many", "/dimensions/8", None),
    ({"dimensions": ["time:minute"], "date_range": "year"}, 400, "too_many_buckets", "/dimensions/0", None),
    ({"date_range": "8d"}, 400, "bad_range", "/date_range", "7d"),
    ({"date_range": ["2026-10-25"]}, 400, "bad_range", "/date_range", "7d"),
    ({"date_range": ["2026-10-25", "2026-10-24"]}, 400, "bad_range", "/date_range", None),
    ({"date_range": ["2026-02-30", "2026-03-01"]}, 400, "bad_range", "/date_range/0", None),
    ({"date_range": ["2026-03-01", "tomorrow"]}, 400, "bad_range", "/date_range/1", None),
    ({"date_range": ["2026-10-25T12:00:00Z", "2026-10-25T12:00:00Z"]}, 400, "bad_range", "/date_range", None),
    ({"date_range": 7}, 400, "bad_range", "/date_range", "7d"),
    ({"date_range": None}, 400, "bad_range", "/date_range", "7d"),
    ({"timezone": "Europe/Berlim"}, 400, "unknown_timezone", "/timezone", None),
    ({"timezone": 2}, 400, "bad_type", "/timezone", None),
    ({"filters": [["is", "event:page"]]}, 400, "bad_filter", "/filters/0", None),
    ({"filters": [["equals", "event:page", ["/"]]]}, 400, "unknown_name", "/filters/0/0", "contains"),
    ({"filters": [["is", "event:page", ["/"]], ["is", "event:pages", ["/"]]]}, 400, "unknown_name", "/filters/1/1", "event:page"),
    ({"filters": [["is", "time:day", ["2026-10-25"]]]}, 400, "unknown_name", "/filters/0/1", "event:page"),
    ({"filters": [["and", [["is", "event:page", ["/"]], ["or", [["is", "event:nam", ["x"]]]]]]]}, 400, "unknown_name", "/filters/0/1/1/1/0/1", "event:name"),
    ({"filters": [["not", ["isnt", "event:page", ["/"]]]]}, 400, "unknown_name", "/filters/0/1/0", "is_not"),
    ({"filters": [["and", []]]}, 400, "bad_filter", "/filters/0", None),
    ({"filters": [["is", "event:page", []]]}, 400, "bad_filter", "/filters/0/2", None),
    ({"filters": [["is", "event:page", [None]]]}, 400, "bad_type", "/filters/0/2/0", None),
    ({"filters": [["matches", "event:page", ["/ok", "(unclosed"]]]}, 400, "bad_pattern", "/filters/0/2/1", None),
    ({"filters": [["matches", "event:page", ["(a)\\1"]]]}, 400, "bad_pattern", "/filters/0/2/0", None),
    ({"filters": [["matches", "event:page", ["a" * 300]]]}, 400, "bad_pattern", "/filters/0/2/0", None),
    ({"filters": [["is", "event:page", ["x" * 5000]]]}, 400, "too_long", "/filters/0/2/0", None),
    ({"filters": [["is", "event:page", [str(i) for i in range(1001)]]]}, 400, "too_many", "/filters/0/2", None),
    ({"filters": [deep(12)]}, 400, "too_many", "/filters/0" + "/1" * 8, None),
    ({"filters": {}}, 400, "bad_type", "/filters", None),
    ({"order_by": [["visitors", "desc"]]}, 400, "unknown_name", "/order_by/0/0", "events"),
    ({"order_by": [["events", "down"]]}, 400, "unknown_name", "/order_by/0/1", "desc"),
    ({"order_by": ["events"]}, 400, "bad_type", "/order_by/0", None),
    ({"compare": "last_week"}, 400, "unknown_name", "/compare", "year_over_year"),
    ({"compare": "previous_period", "date_range": "all"}, 400, "bad_pair", "/compare", None),
    ({"include": {"labels": True}}, 400, "unknown_name", "/include/labels", "time_labels"),
    ({"include": {"total_rows": 1}}, 400, "bad_type", "/include/total_rows", None),
    ({"pagination": {"limit": 10001}}, 400, "out_of_range", "/pagination/limit", None),
    ({"pagination": {"limit": -1}}, 400, "out_of_range", "/pagination/limit", None),
    ({"pagination": {"limit": 1.5}}, 400, "out_of_range", "/pagination/limit", None),
    ({"pagination": {"page": 2}}, 400, "unknown_name", "/pagination/page", "offset"),
    ({"metric": ["events"]}, 400, "unknown_name", "/metric", "metrics"),
    ({"a/b~c": 1}, 400, "unknown_name", "/a~1b~0c", "metrics"),
    ({"site_id": 5}, 400, "bad_type", "/site_id", None),
    ({"site_id": "x" * 129}, 400, "bad_site", "/site_id", None),
]

TEXTS = [
    (b"", 400, "invalid_json"), (b"{", 400, "invalid_json"), (b"[]", 400, "bad_type"), (b"null", 400, "bad_type"),
    (b'{"metrics":["events"],"date_range":"7d"}', 400, "missing_field"),
    (b'{"site_id":"shop.example","metrics":["events"]}', 400, "missing_field"),
    (b'{"site_id":"shop.example","date_range":"7d"}', 400, "missing_field"),
    (b'{"site_id":"\xff","metrics":["events"],"date_range":"7d"}', 400, "invalid_json"),
    (b"[" * 5000, 400, "invalid_json"), (b" " * 70000, 413, "too_large"),
]

PATHS = [
    ("GET", "/v1/sites/shop.example/top", 400, "missing_field", "by"),
    ("GET", "/v1/sites/shop.example/totals?metric=evnts", 400, "unknown_name", "metric"),
    ("GET", "/v1/sites/shop.example/totals?metrics=events", 400, "unknown_name", "metrics"),
    ("GET", "/v1/sites/shop.example/totals?from=yesterday", 400, "bad_range", "from"),
    ("GET", "/v1/sites/shop.example/totals?from=2026-10-01&to=x", 400, "bad_range", "to"),
    ("GET", "/v1/sites/shop.example/totals?range=9d", 400, "bad_range", "range"),
    ("GET", "/v1/sites/shop.example/totals?tz=Mars", 400, "unknown_timezone", "tz"),
    ("GET", "/v1/sites/shop.example/series?unit=year", 400, "unknown_name", "unit"),
    ("GET", "/v1/sites/shop.example/top?by=event:page&limit=x", 400, "out_of_range", "limit"),
    ("GET", "/v1/sites/shop.example/totals?filter=event:page", 400, "bad_filter", "filter"),
    ("GET", "/v1/sites/shop.example/totals?compare=x", 400, "unknown_name", "compare"),
    ("GET", "/v1/sites/shop.example/totals?format=xml", 400, "unknown_name", "format"),
    ("POST", "/v1/sites/shop.example/totals", 405, "method_not_allowed", None),
    ("GET", "/v1/query", 405, "method_not_allowed", None),
    ("GET", "/v1/nothing", 404, "not_found", None),
]

# Patterns that make a careless matcher run for ever: answered or refused, but soon.
NASTY = ["(a*)*b", "(a|a)*b", "(a|aa)+$", "((a{1,30}){1,30}){1,30}", "(.*)(.*)(.*)(.*)(.*)x", "(a?){50}a{50}", "(x+x+)+y",
         "([a-z]?[a-z]?[a-z]?[a-z]?[a-z]?[a-z]?[a-z]?){140}", "(.{1,250}){1,4}", "(a|b)*a(a|b){14}", "(" * 60 + "a" + ")" * 60,
         "(a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?){1,50}", "a{1000}", "[[:alpha:]]{1,99}[[:digit:]]{1,9}z"]


def problem(status, p, want_status, code, what):
    equal((status, p.get("code")), (want_status, code), "%s: %r" % (what, p))
    equal((p["status"], p["type"]), (want_status, "about:blank"), what)
    check(p["title"] and p["detail"], what + ": words")


def check_bodies(d):
    for change, status, code, pointer, legal in BODIES:
        body = json.dumps(dict(GOOD, **change))
        got, p = d.json("POST", "/v1/query", body)
        what = json.dumps(change)[:200]
        problem(got, p, status, code, what)
        equal(p.get("pointer"), pointer, what)
        check(0 <= p["offset"] < len(body), what + ": offset")
        if legal:
            check(legal in p.get("legal", []), "%s: legal names %r" % (what, p.get("legal")))


def check_nasty(d):
    for pattern in NASTY:
        body = dict(GOOD, date_range="all", filters=[["matches", "event:page", [pattern]]], dimensions=["event:page"])
        began = time.monotonic()
        status, p = d.json("POST", "/v1/query", body)
        took = time.monotonic() - began
        check(status in (200, 400, 422), "%s: %r" % (pattern, p))
        check(took < 7, "%s took %.1f s" % (pattern, took))
        began = time.monotonic()
        equal(d.request("GET", "/healthz")[0], 200, "alive")


def check_refusals(d):
    check_bodies(d)
    for body, status, code in TEXTS:
        got, p = d.json("POST", "/v1/query", body)
        problem(got, p, status, code, repr(body[:60]))
    for method, path, status, code, parameter in PATHS:
        got, p = d.json(method, path)
        problem(got, p, status, code, path)
        equal(p.get("parameter"), parameter, path)
    check_nasty(d)
    return len(BODIES) + len(TEXTS) + len(PATHS) + len(NASTY)
