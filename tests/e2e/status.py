#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every row of the ingest status list, tried with a real request, and the body that came back; bad input harms nobody
else."""

import gzip
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, run, wait_for  # noqa: E402

CONF = """
limits: { body: 64KiB, inflated: 256KiB, events: 500, header_timeout: 500ms }
sites:
  default: { timezone: UTC, time_window: { past: 1d, future: 10m } }
  shop.example: { timezone: UTC, origins: ["https://shop.example"], time_window: { past: any, future: 10m } }
pipeline: [ dedup: { window: 10m }, rollup: {} ]
sinks: [ sqlite: {} ]
"""

GOOD = {"name": "view", "page": "/a", "visitor": "v1"}


def show(what, status, body):
    print("%-44s %d %s" % (what, status, body.decode(errors="replace").strip()[:150]))


def expect(d, what, want, code, body, headers=None, path="/v1/events", method="POST"):
    status, fields, text = d.request(method, path, body, headers)
    show(what, status, text)
    equal(status, want, what)
    if code:
        answer = json.loads(text)
        equal(answer["errors"][0]["code"] if status == 422 else answer["code"], code, what + " code")
        check("problem+json" in fields["content-type"] and answer["status"] == want, "%s: %s" % (what, fields))
    return fields, text


def accepted(d):
    expect(d, "200 one event", 200, None, json.dumps(GOOD))
    expect(d, "200 as text/plain (sendBeacon)", 200, None, json.dumps(GOOD), {"Content-Type": "text/plain;charset=UTF-8"})
    expect(d, "200 curl's default type", 200, None, json.dumps(GOOD), {"Content-Type": "application/x-www-form-urlencoded"})
    _, text = expect(d, "200 NDJSON, gzip", 200, None, gzip.compress(b'{"name":"a"}\n\n{"name":"b"}\n'), {"Content-Encoding": "gzip"})
    equal(json.loads(text)["accepted"], 2, "NDJSON")
    batch = [dict(GOOD, id="b%d" % i) for i in range(100)]
    batch[42] = {"name": "view", "time": "yesterday"}
    _, text = expect(d, "200 one bad among 100", 200, None, json.dumps(batch))
    answer = json.loads(text)
    equal((answer["accepted"], answer["rejected"], answer["errors"][0]["index"], answer["errors"][0]["code"]),
          (99, 1, 42, "invalid_time"), "one bad among 100")
    _, text = expect(d, "200 again: duplicates", 200, None, json.dumps(batch[:42]))
    equal((json.loads(text)["accepted"], json.loads(text)["duplicates"]), (0, 42), "duplicates")
    _, text = expect(d, "200 with ids", 200, None, json.dumps([GOOD, GOOD]), path="/v1/events?ids=1")
    equal(len(set(json.loads(text)["ids"])), 2, "ids")


def refused(d):
    expect(d, "400 not JSON", 400, "invalid_json", "hello")
    expect(d, "400 array that breaks off", 400, "invalid_json", '[{"name":"a"},')
    expect(d, "400 empty body", 400, "invalid_json", "")
    expect(d, "400 empty array", 400, "no_events", "[]")
    expect(d, "400 truncated gzip", 400, None, gzip.compress(b'{"name":"a"}')[:-6], {"Content-Encoding": "gzip"})
    expect(d, "413 body over the limit", 413, None, "x" * (65 * 1024))
    expect(d, "413 gzip bomb", 413, None, gzip.compress(b" " * (1 << 20)), {"Content-Encoding": "gzip"})
    expect(d, "413 too many events", 413, "too_many_events", "\n".join(['{"name":"a"}'] * 501))
    expect(d, "415 unknown coding", 415, None, "x", {"Content-Encoding": "br"})
    expect(d, "415 a form with files", 415, "unsupported_media_type", "x", {"Content-Type": "multipart/form-data; boundary=x"})
    expect(d, "422 no name", 422, "missing_name", '{"page":"/a"}')
    expect(d, "422 too old", 422, "time_out_of_range", '{"name":"a","time":1000000000}')
    expect(d, "422 value as text", 422, "invalid_type", '{"name":"a","value":"12"}')
    expect(d, "422 name too long", 422, "too_long", json.dumps({"name": "n" * 129}))
    for path in ("/v1/click", "/tally.js"):
        expect(d, "501 not in this version", 501, "not_implemented", None, path=path, method="GET")
    expect(d, "404 no such path", 404, None, None, path="/v1/nothing", method="GET")
    expect(d, "405 wrong method", 405, "method_not_allowed", None, method="DELETE")
    expect(d, "404 no such lookup", 404, "unknown_name", None, path="/v1/lookup/products/1", method="GET")


def raw(d, data):
    with socket.create_connection(("127.0.0.1", d.port), 10) as s:
        s.sendall(data)
        out = b""
        while True:
            part = s.recv(65536)
            if not part:
                return out
            out += part


def smuggled(d):
    for what, head in (("CL and TE", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
                       ("two lengths", b"Content-Length: 3\r\nContent-Length: 4\r\n"),
                       ("space before colon", b"Transfer-Encoding : chunked\r\n"),
                       ("bare LF", b"A: b\nContent-Length: 0\r\n")):
        out = raw(d, b"POST /v1/events HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        show("400 " + what, int(out.split(b" ", 2)[1]), out.split(b"\r\n\r\n", 1)[1])
        check(out.startswith(b"HTTP/1.1 400 ") and out.count(b"HTTP/1.1 ") == 1, "%s: %r" % (what, out))
    out = raw(d, b"POST /v1/events HTTP/1.1\r\nHos")   # and then nothing: the header time-out closes it
    print("%-44s %r" % ("slow header", out[:60]))
    check(out == b"" or out.startswith(b"HTTP/1.1 408"), "slow header: %r" % out)


def pipelined(d):
    one = b'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{"name":"pipe"}'[:-1] + b"}"
    body = b'{"name":"pipe"}'
    one = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    out = raw(d, one * 49 + last)
    equal(out.count(b'"accepted":1'), 50, "pipelined answers")


def browsers(d):
    origin = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    status, fields, _ = d.request("OPTIONS", "/v1/events", None, origin)
    equal((status, fields.get("access-control-allow-origin")), (204, "https://shop.example"), "preflight")
    status, _, _ = d.request("OPTIONS", "/v1/events", None, dict(origin, Origin="https://evil.example"))
    equal(status, 403, "preflight of a stranger")
    status, fields, _ = d.request("POST", "/v1/events", json.dumps(GOOD), origin)
    equal((status, fields.get("access-control-allow-origin"), fields.get("vary")), (200, "https://shop.example", "Origin"), "CORS")
    status, fields, gif = d.request("GET", "/v1/pixel.gif?site=shop.example&name=pixel&page=%2Fbuy&value=3.5&colour=red")
    equal((status, fields["content-type"], fields["cache-control"], len(gif), gif[:6]), (200, "image/gif", "no-store", 43, b"GIF89a"), "pixel")
    d.flush()
    (row,) = d.sqlite("SELECT site, name, page, value, props FROM tally_event WHERE name = 'pixel'")
    equal(row, ("shop.example", "pixel", "/buy", 3.5, '{"colour":"red"}'), "pixel's event")


def main(scene):
    d = scene.tallyd(CONF)
    accepted(d)
    refused(d)
    smuggled(d)
    pipelined(d)
    browsers(d)
    d.flush()
    status, ledger = d.json("GET", "/v1/ledger")
    equal(ledger["balance"], 0, "balance")
    rows = d.sqlite("SELECT COUNT(*) FROM tally_event")[0][0]
    equal(sum(s["taken"] for s in ledger["sites"]), rows, "taken and stored")
    d.stop()


if __name__ == "__main__":
    run(main)
