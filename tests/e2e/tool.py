#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The client and the operator's view: send in three forms with a field map, query, top, status; health, metrics that
promtool accepts; a reload that is refused takes nothing; tallyd -t, -T, -V, -l."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Skip, check, equal, program, run  # noqa: E402

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
pipeline: [ dedup: { window: 10m }, rollup: {}, cache: {} ]
rollups: [ { name: total, by: [], metrics: [events, visitors, "sum:value"] }, { name: items, by: ["event:props:item"], metrics: [events] } ]
sinks: [ sqlite: { flush: 50ms }, file: { path: events.ndjson, flush: 50ms }, null: {} ]
"""

CSV = '''event_time,event_type,product_id,price,user_id,note
2019-10-01 00:00:00 UTC,view,44600062,35.79,541312140,"a, ""b"""
2019-10-01 00:00:01 UTC,view,3900821,33.20,554748717,
2019-10-01 00:00:02 UTC,purchase,3900821,33.20,554748717,"two
lines"
'''


def sending(scene, d):
    with open(scene.path("x.csv"), "w") as f:
        f.write(CSV)
    fields = "name=event_type,time=event_time,value=price,visitor=user_id,props.item=product_id"
    out = json.loads(d.tally("--json", "send", "--site", "csv.example", "--field-map", fields, scene.path("x.csv")))
    equal((out["read"], out["accepted"], out["rejected"]), (3, 3, 0), "CSV")
    d.flush()
    rows = d.sqlite("SELECT name, time, value, visitor, props FROM tally_event WHERE site = 'csv.example' ORDER BY time")
    equal(rows[0][:4], ("view", 1569888000000000, 35.79, "541312140"), "first row")
    props = json.loads(rows[0][4])
    equal((str(props["item"]), props["note"]), ("44600062", 'a, "b"'), "props of the first row")
    equal(json.loads(rows[2][4])["note"], "two\nlines", "a field over two lines")
    ids = [r[0] for r in d.sqlite("SELECT id FROM tally_event WHERE site = 'csv.example'")]
    equal(len(set(ids)), 3, "every event got an id")

    array = json.dumps([{"name": "a", "site": "json.example", "id": "j%d" % i} for i in range(1000)]).encode()
    out = json.loads(d.tally("--json", "send", "--batch", "37", "--connections", "5", stdin=array))
    equal(out["accepted"], 1000, "JSON array")
    out = json.loads(d.tally("--json", "send", stdin=array))
    equal((out["accepted"], out["duplicates"]), (0, 1000), "the same again")
    bad = b'{"name":"ok","site":"json.example"}\n{"nam":1}\nrubbish\n{"name":"ok","site":"json.example"}\n'
    out = json.loads(d.tally("--json", "send", stdin=bad, ok=(1,)))
    equal((out["accepted"], out["rejected"]), (2, 2), "two bad lines of four")
    print("send: CSV with a field map, JSON array, NDJSON; ids; duplicates; bad lines named")


def asking(d):
    d.flush()
    q = {"site_id": "json.example", "metrics": ["events"], "date_range": "all"}
    answer = json.loads(d.tally("query", json.dumps(q), "--json"))
    equal(answer["results"][0]["metrics"], [1002], "query")
    text = d.tally("query", json.dumps(dict(q, dimensions=["event:name"])), "--csv")
    equal(text.split(), ["event:name,events", "a,1000", "ok,2"], "query as CSV")
    top = json.loads(d.tally("top", "csv.example", "--by", "event:props:item", "--metric", "events", "--from", "2019-10-01", "--to", "2019-10-01", "--json"))
    equal([r["dimensions"] + r["metrics"] for r in top["results"]], [["3900821", 2], ["44600062", 1]], "top")
    p = subprocess.run([program("tally"), "-s", "/nonexistent", "status"], capture_output=True)
    equal(p.returncode, 3, "exit where there is no daemon")
    equal(subprocess.run([program("tally"), "-s", d.admin, "explain"], capture_output=True).returncode, 2, "exit of what is not there yet")
    d.tally("query", '{"site_id":"x","metrics":["nonsense"],"date_range":"all"}', ok=(1,))
    print("query, top, CSV, exit codes")


def caching(d):
    q = {"site_id": "json.example", "metrics": ["events"], "date_range": "all"}
    states = [d.query(**q)["meta"]["cache"] for _ in range(3)]
    check("hit" in states[1:], "the cache answers: %r" % states)
    d.send({"name": "new", "site": "json.example"})
    d.flush()
    equal(d.query(**q)["results"][0]["metrics"], [1003], "after a change the cache does not answer with the old count")
    status, fields, _ = d.request("POST", "/v1/query", json.dumps(q))
    status, _, body = d.request("POST", "/v1/query", json.dumps(q), {"If-None-Match": fields["etag"]})
    equal((status, body), (304, b""), "If-None-Match")
    print("cache: hit, right after a change, ETag")


def watching(d):
    equal(d.request("GET", "/healthz")[0], 200, "healthz")
    equal(d.request("GET", "/readyz")[0], 200, "readyz")
    text = d.request("GET", "/metrics")[2]
    for name in (b"tally_events_received_total{", b"tally_sink_rows_total{", b"tally_spool_sync_seconds_bucket{", b"tally_level ",
                 b"tally_ledger_balance 0", b"tally_plugin_seconds_count{", b"tally_sink_lag_seconds{"):
        check(name in text, "%r in /metrics" % name)
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed")
    p = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    equal((p.returncode, p.stderr), (0, b""), "promtool check metrics")
    sinks = json.loads(d.tally("status", "--json"))["sinks"]
    equal([(s["name"], s["connected"]) for s in sinks], [("sqlite", True), ("file", True), ("null", True)], "status")
    lines = open(os.path.join(d.data, "events.ndjson")).read().splitlines()
    equal(len(lines), d.sqlite("SELECT COUNT(*) FROM tally_event")[0][0], "lines of the file sink")
    for line in lines:
        json.loads(line)
    status, answer = d.json("GET", "/admin/status")
    equal(status, 404, "admin paths are not on the public port")
    print("healthz, readyz, metrics (promtool), status, file sink")


def reloading(scene, d):
    d.configure(CONF.replace("any", "1d").replace("flush: 50ms }, file", "flush: 60ms }, file"))
    d.tally("reload", ok=(1,))
    equal(d.send({"name": "old", "time": 1000000000})[0], 200, "a refused reload takes nothing")
    d.configure(CONF.replace("any", "1d"))
    d.tally("reload")
    equal(d.send({"name": "old", "time": 1000000000})[0], 422, "the new window holds")
    d.configure(CONF + "nonsense: 1\n")
    d.tally("reload", ok=(1,))
    p = subprocess.run([program("tallyd"), "-c", d.file, "-d", d.data, "-p", d.plugin_dir(), "-t"], capture_output=True)
    equal(p.returncode, 1, "-t of a wrong file")
    check(b":%d:" % (CONF.count("\n") + 3) in p.stderr and b"nonsense" in p.stderr, "-t: %r" % p.stderr)
    d.configure(CONF)
    base = [program("tallyd"), "-c", d.file, "-d", d.data, "-p", d.plugin_dir()]
    for option, word in (("-t", b"ok"), ("-T", b"pipeline:"), ("-V", b"tallyd"), ("-l", b"rollup")):
        p = subprocess.run(base + [option], capture_output=True)
        check(p.returncode == 0 and word in p.stdout, "tallyd %s: %d %r %r" % (option, p.returncode, p.stdout[-300:], p.stderr[-300:]))
    print("reload: all or nothing; -t -T -V -l")


def main(scene):
    d = scene.tallyd(CONF)
    sending(scene, d)
    asking(d)
    caching(d)
    watching(d)
    reloading(scene, d)
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance")
    d.stop()


if __name__ == "__main__":
    run(main)
