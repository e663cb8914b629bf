#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is known of a sender becomes coarse words at the door: device, browser, system, country; source and channel; what
DNT and Sec-GPC do; no address reaches the disk. Countries need a database of MaxMind's test data (TALLY_DATA)."""

import ipaddress
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import DATA, check, equal, run, wait_for  # noqa: E402

CONF = """
lanes: 1
trusted_proxies: [127.0.0.1/32]
sites:
  default: { timezone: UTC, time_window: { past: any, future: 10m } }
  plain.example: { privacy: ignore }
pipeline: [ dedup: {}, enrich: %s, rollup: {} ]
rollups:
  - { name: agents, by: ["visit:device", "visit:browser", "visit:os", "visit:country"], metrics: [events, visitors] }
  - { name: sources, by: ["visit:source", "visit:channel", "visit:utm_campaign"], metrics: [events] }
sinks: [ sqlite: { flush: 50ms } ]
"""

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
DESK = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:127.0) Gecko/20100101 Firefox/127.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

BRITISH, SWEDISH, JAPANESE = "2.125.160.216", "89.160.20.128", "2001:218::77"
ADDRESSES = [BRITISH, SWEDISH, JAPANESE, "127.0.0.1"]


def send(d, address, agent, event, **headers):
    h = {"X-Forwarded-For": address, "User-Agent": agent}
    h.update({k.replace("_", "-"): v for k, v in headers.items()})
    body = event if isinstance(event, str) else json.dumps(event)
    status, answer = d.json("POST", "/v1/events", body, h)
    equal((status, answer.get("accepted")), (200, body.count('"name"')), "sent: %r" % answer)


def stored(d, name):
    """(visitor, props) of the one event of that name."""
    rows = d.sqlite("SELECT visitor, props FROM tally_event WHERE name = ?", (name,))
    equal(len(rows), 1, "rows of " + name)
    return rows[0][0], json.loads(rows[0][1])


def files(*tops):
    for top in tops:
        if os.path.isfile(top):
            yield top
        for folder, _, names in os.walk(top):
            yield from (os.path.join(folder, n) for n in names)


def holding(needle, *tops):
    """Files under these that hold the bytes."""
    found = []
    for path in files(*tops):
        try:
            with open(path, "rb") as f:
                if needle in f.read():
                    found.append(path)
        except OSError:
            pass
    return found


def addresses_in(*tops):
    found = []
    for text in ADDRESSES[:3]:
        found += holding(text.encode(), *tops)
    return found + holding(ipaddress.ip_address(JAPANESE).packed, *tops)


def agents_and_countries(d, countries):
    def there(code):
        return {"$country": code} if countries else {}
    send(d, BRITISH, PHONE, {"name": "phone"})
    send(d, SWEDISH, DESK, {"name": "desk", "props": {"item": "kettle"}})
    send(d, JAPANESE, BOT, {"name": "bot"})
    send(d, SWEDISH, DESK, {"name": "own", "props": {"$browser": "Lynx", "$country": "DE"}})
    send(d, SWEDISH, "python-requests/2.31", {"name": "forwarded", "user_agent": PHONE, "visitor": "v1"})
    send(d, SWEDISH, DESK, '{"name":"many1"}\n{"name":"many2"}')
    status, _, _ = d.request("GET", "/v1/pixel.gif?name=pixel&page=/p", headers={"X-Forwarded-For": BRITISH, "User-Agent": DESK})
    equal(status, 200, "pixel")
    d.flush()
    phone = {"$device": "mobile", "$browser": "Safari", "$os": "iOS"}
    desk = {"$device": "desktop", "$browser": "Firefox", "$os": "Windows"}
    equal(stored(d, "phone")[1], dict(phone, **there("GB")), "phone")
    equal(stored(d, "desk")[1], dict(desk, item="kettle", **there("SE")), "desk")
    equal(stored(d, "bot")[1], dict({"$device": "bot"}, **there("JP")), "bot")
    equal(stored(d, "own")[1], dict(desk, **{"$browser": "Lynx", "$country": "DE"}), "what was sent")
    equal(stored(d, "forwarded")[1], dict(phone, user_agent=PHONE), "forwarded by a server")
    equal(stored(d, "many1")[1], stored(d, "many2")[1], "two of one body")
    equal(stored(d, "pixel")[1], dict(desk, **there("GB")), "pixel")
    visitors = [stored(d, n)[0] for n in ("phone", "desk", "bot", "own", "many1", "pixel")]
    check(all(len(v) == 22 for v in visitors), "visitors are hashes: %r" % visitors)
    equal(visitors[1], visitors[3], "one address and agent, one visitor")
    equal(len(set(visitors)), 4, "four of address and agent, four visitors: %r" % visitors)
    print("user agents%s; what was sent counts more" % (" and countries" if countries else ""))


def privacy(d, countries):
    country = {"$country": "SE"} if countries else {}
    for header in ("DNT", "Sec_GPC"):
        send(d, SWEDISH, DESK, {"name": "no" + header, "referrer": "https://www.bing.com/"}, **{header: "1"})
        send(d, SWEDISH, DESK, {"name": "id" + header, "visitor": "mine"}, **{header: "1"})
        send(d, SWEDISH, DESK, {"name": "zero" + header}, **{header: "0"})
        send(d, SWEDISH, DESK, {"name": "plain" + header, "site": "plain.example"}, **{header: "1"})
    d.flush()
    for header in ("DNT", "Sec_GPC"):
        visitor, props = stored(d, "no" + header)
        equal(visitor, "", header + ": no visitor")
        equal(props, dict({"$device": "desktop", "$source": "Bing", "$channel": "Organic Search"}, **country), header)
        equal(stored(d, "id" + header)[0], "mine", "a visitor that was sent stays")
        for other in ("zero", "plain"):
            visitor, props = stored(d, other + header)
            equal((len(visitor), props.get("$browser")), (22, "Firefox"), other + header)
    print("DNT and Sec-GPC, by site")


def sources(d):
    site = "https://shop.example/p?utm_source=%s&utm_medium=%s&utm_campaign=spring"
    send(d, SWEDISH, DESK, {"name": "view", "site": "s", "url": "https://shop.example/", "referrer": "https://www.google.de/"})
    send(d, SWEDISH, DESK, {"name": "view", "site": "s", "url": site % ("google", "cpc")})
    send(d, SWEDISH, DESK, {"name": "view", "site": "s", "url": "https://shop.example/2", "referrer": "https://shop.example/p"})
    send(d, SWEDISH, DESK, {"name": "view", "site": "s", "page": "/"})
    d.flush()
    want = [["", "", "", 1], ["", "Direct", "", 1], ["Google", "Organic Search", "", 1], ["Google", "Paid Search", "spring", 1]]
    dims = ["visit:source", "visit:channel", "visit:utm_campaign"]
    q = dict(site_id="s", metrics=["events"], date_range="day", dimensions=dims, order_by=[[n, "asc"] for n in dims])
    answer = d.query(**q)
    equal([r["dimensions"] + r["metrics"] for r in answer["results"]], want, "sources")
    equal(answer["meta"]["source"], "rollup:sources", "from the rollup")
    raw = d.query(**dict(q, dimensions=dims + ["event:page"], order_by=[[n, "asc"] for n in dims]))
    equal(raw["meta"]["source"], "raw", "from raw events")
    equal([r["dimensions"][:3] + r["metrics"] for r in raw["results"]], want, "sources of raw events")
    rows = d.rows(site_id="s", metrics=["events"], date_range="day", filters=[["is", "visit:channel", ["Paid Search"]]])
    equal(rows, [[1]], "filtered by channel")
    print("sources and channels, from the rollup and from raw events")


def dimensions(d):
    q = dict(site_id="default", metrics=["events"], date_range="day", dimensions=["visit:device"],
             order_by=[["visit:device", "asc"]], filters=[["is", "event:name", ["phone", "desk", "bot"]]])
    equal(d.rows(**q), [["bot", 1], ["desktop", 1], ["mobile", 1]], "devices of raw events")
    q["filters"] = [["is_not", "visit:device", ["bot"]]]
    q["dimensions"] = ["visit:browser"]
    q["order_by"] = [["visit:browser", "asc"]]
    answer = d.query(**q)
    equal(answer["meta"]["source"], "rollup:agents", "without bots")
    equal(sorted({r["dimensions"][0] for r in answer["results"]}), ["", "Firefox", "Lynx", "Safari"], "browsers")
    rate = d.rows(site_id="default", metrics=["conversion_rate"], date_range="day",
                  filters=[["is", "visit:device", ["desktop"]], ["is", "event:name", ["own"]]])
    equal(rate, [[33.3]], "of those at a desktop, who did it")
    rollups = {r["name"]: r["by"] for r in d.json("GET", "/v1/schema")[1]["rollups"]}
    equal(rollups["agents"], ["visit:device", "visit:browser", "visit:os", "visit:country"], "/v1/schema")
    columns = [r[1] for r in d.sqlite("PRAGMA table_info(tally_rollup_agents)")]
    check("visit_browser" in columns and "visit_country" in columns, "columns: %r" % columns)
    status, problem = d.json("POST", "/v1/query", dict(q, dimensions=["visit:brwser"]))
    equal((status, problem["code"], "visit:browser" in problem["legal"]), (400, "unknown_name", True), "a name that is none")


def no_address(scene, d):
    d.flush()
    places = [d.data, d.process.log]
    equal(addresses_in(*places), [], "files that hold an address")
    d.kill()  # what the kernel holds is in the files; nothing is tidied up
    equal(addresses_in(*places), [], "files that hold an address, after a kill")
    d.start()
    send(d, SWEDISH, DESK, {"name": "leak", "page": "/" + SWEDISH})  # the search finds what is there
    d.flush()
    check(any("spool" in p for p in addresses_in(d.data)) and any("tally.db" in p for p in addresses_in(d.data)),
          "the search finds an address in spool and store")
    print("no address on the disk")


def replaced(d, geo):
    """The country of the British becomes ZZ once another database lies there."""
    with open(geo, "rb") as f:
        other = f.read().replace(b"\x42GB", b"\x42ZZ")
    with open(geo + ".new", "wb") as f:
        f.write(other)
    os.rename(geo + ".new", geo)

    def taken():
        replaced.n += 1
        send(d, BRITISH, PHONE, {"name": "again%d" % replaced.n})
        d.flush()
        return stored(d, "again%d" % replaced.n)[1]["$country"] == "ZZ"
    replaced.n = 0
    wait_for("the other database", taken, every=0.2)

    # one that is none: a reload is refused, and the one before goes on
    with open(geo + ".new", "wb") as f:
        f.write(b"no database")
    os.rename(geo + ".new", geo)
    d.tally("reload", ok=(1,))
    send(d, BRITISH, PHONE, {"name": "still"})
    with open(geo + ".new", "wb") as f:
        f.write(other)
    os.rename(geo + ".new", geo)
    d.tally("reload")
    send(d, BRITISH, PHONE, {"name": "reloaded"})
    d.flush()
    for name in ("still", "reloaded"):
        equal(stored(d, name)[1]["$country"], "ZZ", name)
    print("the database is replaced under a running daemon; reloads")


def main(scene):
    source = os.path.join(DATA, "suites", "geo", "GeoIP2-Country-Test.mmdb")
    geo = None
    if os.path.exists(source) and not os.environ.get("TALLY_NO_GEO"):
        geo = scene.path("countries.mmdb")
        shutil.copy(source, geo)
    else:
        print("skipped countries: no %s; TALLY_DATA names the folder of test data" % source)
    d = scene.tallyd(CONF % ("{ geo: %s }" % geo if geo else "{}"))
    agents_and_countries(d, geo)
    privacy(d, geo)
    sources(d)
    dimensions(d)
    if geo:
        replaced(d, geo)
    no_address(scene, d)
    d.stop()


run(main)
