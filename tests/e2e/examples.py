#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every example of conf/ is run as it is, but for its port: the day of the shop goes in, and its totals come out."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import BUILD, SOURCE, Tallyd, equal, run, wait_for  # noqa: E402

# what tests/sample/day.sh holds the generator to
EVENTS, VISITORS, PURCHASES, REVENUE = 4977, 331, 334, 15445.85
DAY = ["2024-11-29", "2024-11-29"]


def example(scene, name, env=None):
    text = "include: %s\n" % os.path.join(SOURCE, "conf", name)
    return Tallyd(scene, text, "tallyd-" + name.replace(".yaml", ""), env)


def totals(d, **more):
    q = dict(site_id="shop.example", metrics=["events", "visitors", "sum:value"], date_range=DAY,
             timezone="Europe/Berlin", **more)
    rows = d.query(**q)["results"]
    return [round(m, 2) for m in rows[0]["metrics"]] if rows else None




def play(d, day):
    out = json.loads(d.tally("--json", "send", day))
    equal((out["accepted"], out["rejected"]), (EVENTS, 0), "events taken")
    d.flush()


def shop(scene, name, day, env=None):
    d = example(scene, name, env)
    play(d, day)
    equal(totals(d), [EVENTS, VISITORS, REVENUE], name + ": totals of the day")
    return d


def quickstart(scene, day):
    d = shop(scene, "quickstart.yaml", day)
    equal(totals(d, filters=[["is", "event:name", ["purchase"]]])[0], PURCHASES, "purchases")
    top = d.rows(site_id="shop.example", metrics=["sum:value"], date_range=DAY, dimensions=["event:props:item"],
                 filters=[["is", "event:name", ["purchase"]]], order_by=[["sum:value", "desc"]])
    equal(top[0][0], "rug", "what sold best")
    equal(round(sum(r[1] for r in top), 2), REVENUE, "revenue by item")
    d.stop()
    print("quickstart.yaml: %d events, %d visitors, %.2f" % (EVENTS, VISITORS, REVENUE))


def every_option(scene, day):
    shop(scene, "tally.yaml", day).stop()
    print("tally.yaml: all defaults said aloud")


def mariadb(scene, day):
    db = scene.mariadb()
    secret = scene.path("password")
    with open(secret, "w") as f:
        f.write("secret\n")
    # the example takes a month of the past and keeps raw events for a while; the day of the sample is older
    env = {"TALLY_DB": "mysql://tally@127.0.0.1:%d/tally" % db.port, "TALLY_DB_PASSWORD_FILE": secret}
    text = "include: %s\nsites: { default: { time_window: { past: any } } }\nretention: { events: forever }\n" % (
        os.path.join(SOURCE, "conf", "mariadb.yaml"))
    d = Tallyd(scene, text, "tallyd-mariadb", env)
    play(d, day)
    equal(totals(d), [EVENTS, VISITORS, REVENUE], "mariadb.yaml: totals of the day")
    equal(db.sql("SELECT COUNT(*) FROM tally_event")[0], [str(EVENTS)], "rows in MariaDB")
    d.stop()
    print("mariadb.yaml: the password from its file, the rows there")


def redis(scene, day):
    server = scene.redis()
    d = example(scene, "redis.yaml", {"TALLY_REDIS": server.url()})
    with open(day) as f:
        lines = f.read().splitlines()
    server.push("tally:events", lines)
    server.push("legacy:clicks", [json.dumps({"action": "click", "uid": "old", "ts": 1732880000, "product_id": "lamp"})])
    wait_for("the day out of the list", lambda: totals(d) == [EVENTS + 1, VISITORS + 1, REVENUE], 60, 0.2)
    lamp = totals(d, filters=[["is", "event:props:item", ["lamp"]], ["is", "event:name", ["click"]]])
    clicks = sum('"click"' in x and '"lamp"' in x for x in lines)
    equal(lamp[0], clicks + 1, "clicks on the lamp, one of them by its old names")
    equal(server.command("LLEN", "tally:events"), 0, "what is left in the list")
    d.stop()
    print("redis.yaml: two lists, one with names of its own")


def main(scene):
    day = scene.path("day.ndjson")
    with open(day, "wb") as f:
        subprocess.run([os.path.join(BUILD, "tests", "sample", "day")], stdout=f, check=True)
    quickstart(scene, day)
    every_option(scene, day)
    mariadb(scene, day)
    redis(scene, day)


run(main)
