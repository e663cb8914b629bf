#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lookups: events are joined with tables of the store where they come in, over HTTP and from a Redis list; what is joined
stays with the event. A changed table is seen after its ttl, an unchanged version is not read again, too many rows are
refused, and with the table or the server away the rows that were read go on, also over a restart, with their age told.

The name says the store (lookups_sqlite.py, lookups_mariadb.py)."""

import json
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import check, equal, program, run, wait_for  # noqa: E402

MARIADB = "mariadb" in os.path.basename(sys.argv[0])

PRODUCTS = "products: { sql: \"SELECT id, category, price, stock, note, version FROM products\", key: id, ttl: 200ms, version: version, max_rows: 6 }"
GROUPS = "groups: { sql: \"SELECT category, dept FROM groups_ -- of categories\", key: category, ttl: 200ms }"
OTHER = "other: { sql: \"SELECT category AS c, COUNT(*) AS n FROM products GROUP BY category\", key: c, ttl: 200ms }"

CONF = """
lanes: 2
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
sources: [ redis: { url: "%s", list: "in" } ]
pipeline:
  - dedup: {}
  - enrich:
      join:
        - props.category = products.category by props.item
        - props.price = products.price by props.item
        - "props.dept = groups.dept by props.category"
  - rollup: {}
rollups:
  - { name: categories, by: ["event:props:category"], metrics: [events, "sum:props.price"] }
  - { name: depts, by: ["event:props:dept"], metrics: [events] }
lookups:
  %s
sinks: [ %s ]
"""


class Store:
    """The tables that are looked up in, by a connection that is not tally's."""

    def __init__(self, d, db):
        self.d, self.db = d, db

    def sql(self, text):
        if self.db:
            return self.db.sql(text)
        c = sqlite3.connect(os.path.join(self.d.data, "tally.db"), timeout=60)
        try:
            c.executescript(text)
        finally:
            c.close()


def conf(redis, sink, *lookups):
    return CONF % (redis.url(), "\n  ".join(lookups), sink)


def send(d, *events):
    status, answer = d.send(list(events))
    equal((status, answer["accepted"]), (200, len(events)), "sent")


def event(name, item=None, **props):
    if item is not None:
        props["item"] = item
    return {"name": name, "props": props}


def metric(d, name, **labels):
    want = name + "{" + ",".join('%s="%s"' % p for p in labels.items()) + "} "
    for line in d.request("GET", "/metrics")[2].decode().splitlines():
        if line.startswith(want):
            return float(line[len(want):])
    return 0.0


def refreshes(d, result, lookup="products"):
    return metric(d, "tally_lookup_refreshes_total", lookup=lookup, result=result)


def look(d, key, lookup="products"):
    return d.json("GET", "/v1/lookup/%s/%s" % (lookup, key))


def category(d, key):
    status, answer = look(d, key)
    return answer["row"]["category"] if status == 200 else None


def props(d, db, name):
    """What is stored of the one event of that name."""
    text = "SELECT props FROM tally_event WHERE name = '%s'" % name
    rows = [r[0] for r in (db.sql(text) if db else d.sqlite(text))]
    equal(len(rows), 1, "rows of " + name)
    return {k: v for k, v in json.loads(rows[0]).items() if not k.startswith("$")}


# ---- scenes

def nothing_read(d):
    status, problem = look(d, "1")
    equal((status, problem["code"]), (503, "not_read"), "before the table is there: %r" % problem)
    check("products" in problem["detail"], "the reason is told: %r" % problem)
    send(d, event("early", "1"))
    check(metric(d, "tally_lookup_asked_total", lookup="products", result="unread") >= 1, "joins in vain are counted")
    status, _, text = d.request("GET", "/readyz")
    check(b"lookup products is not read" in text, "/readyz: %d %r" % (status, text))
    schema = {s["name"]: s for s in d.json("GET", "/v1/schema")[1]["lookups"]}
    equal((schema["products"]["rows"], schema["products"]["age_seconds"]), (0, None), "/v1/schema")
    print("before anything was read: 503, joins are absent and counted")


def make_tables(store):
    store.sql("CREATE TABLE products (id INTEGER PRIMARY KEY, category VARCHAR(64), price DOUBLE, stock BIGINT, note TEXT, "
              "version BIGINT NOT NULL); "
              "INSERT INTO products VALUES (1, 'shoes', 49.5, 9007199254740993, NULL, 1), (2, 'hats', 10, 3, 'l\u00e4uft \"gut\"', 2), "
              "(3, NULL, NULL, 0, '', 3); "
              "CREATE TABLE groups_ (category VARCHAR(64) PRIMARY KEY, dept VARCHAR(64)); "
              "INSERT INTO groups_ VALUES ('shoes', 'feet'), ('hats', 'heads'), ('a/b c', 'slash'), ('\u00e4', 'umlaut')")


def forms(d):
    status, head, text = d.request("GET", "/v1/lookup/products/1")
    answer = json.loads(text)
    equal((status, answer["row"]), (200, {"id": 1, "category": "shoes", "price": 49.5, "stock": 9007199254740993, "note": None,
                                          "version": 1}), "a row with its types")
    check(b'"stock":9007199254740993' in text, "whole numbers are whole: %r" % text)
    equal((answer["meta"]["lookup"], answer["meta"]["rows"], answer["meta"]["stale"]), ("products", 3, False), "meta")
    check(int(head["age"]) < 60 and head["etag"].startswith('W/"'), "Age and ETag: %r" % head)
    equal(look(d, "2")[1]["row"]["note"], 'l\u00e4uft "gut"', "text")
    status, again, text = d.request("GET", "/v1/lookup/products/1", headers={"If-None-Match": head["etag"]})
    equal((status, text, again["etag"]), (304, b"", head["etag"]), "If-None-Match")
    check("age" in again, "Age of a 304: %r" % again)
    equal(d.request("GET", "/v1/lookup/products/2", headers={"If-None-Match": head["etag"]})[0], 200, "of another row")
    equal(d.request("HEAD", "/v1/lookup/products/1")[0], 200, "HEAD")
    equal(look(d, "a%2Fb%20c", "groups")[1]["row"]["dept"], "slash", "a key is decoded")
    equal(look(d, "a/b%20c", "groups")[1]["row"]["dept"], "slash", "a key may hold slashes")
    equal(look(d, "%C3%A4", "groups")[1]["row"]["dept"], "umlaut", "a key is UTF-8")
    for key in ("9", "01", "", "1%20"):
        status, problem = look(d, key)
        equal((status, problem["code"]), (404, "unknown_key"), "key %r" % key)
    status, problem = look(d, "1", "product")
    equal((status, problem["code"], problem["legal"]), (404, "unknown_name", ["products", "groups"]), "no such lookup")
    equal(look(d, "%FF")[0], 400, "no UTF-8")
    equal(d.request("POST", "/v1/lookup/products/1", "x")[0], 405, "POST")
    equal(d.request("GET", "/v1/lookup/products")[0], 404, "without a key")
    schema = {s["name"]: s for s in d.json("GET", "/v1/schema")[1]["lookups"]}
    equal((schema["products"]["key"], schema["products"]["columns"], schema["products"]["rows"], schema["products"]["stale"]),
          ("id", ["id", "category", "price", "stock", "note", "version"], 3, False), "/v1/schema")
    print("GET /v1/lookup: types, ETag, 304, keys as sent, refusals")


def joined(d, db, redis):
    send(d, event("one", "1"), event("two", "2"), event("number", 2), event("null", "3"), event("nine", "9"),
         event("own", "1", category="mine", price=7), event("empty", "1", category=""), event("bare"))
    redis.push("in", [json.dumps(event("listed", "1")), json.dumps([event("listed2", "2"), event("listed9", "9")])])
    wait_for("the list", lambda: metric(d, "tally_redis_events_total", list="in") >= 3)
    d.flush()
    shoes = {"item": "1", "category": "shoes", "price": 49.5, "dept": "feet"}
    hats = {"item": "2", "category": "hats", "price": 10, "dept": "heads"}
    for name, want in (("early", {"item": "1"}), ("one", shoes), ("two", hats), ("number", dict(hats, item=2)),
                       ("null", {"item": "3"}), ("nine", {"item": "9"}), ("own", {"item": "1", "category": "mine", "price": 7}),
                       ("empty", dict(shoes, category="", dept=None)), ("bare", {}), ("listed", shoes), ("listed2", hats),
                       ("listed9", {"item": "9"})):
        want = {k: v for k, v in want.items() if v is not None}
        equal(props(d, db, name), want, "props of " + name)
    q = dict(site_id="default", metrics=["events", "sum:props.price"], date_range="day", dimensions=["event:props:category"],
             order_by=[["event:props:category", "asc"]])
    answer = d.query(**q)
    equal(answer["meta"]["source"], "rollup:categories", "from the rollup")
    equal([r["dimensions"] + r["metrics"] for r in answer["results"]],
          [["", 6, 49.5], ["hats", 3, 30], ["mine", 1, 7], ["shoes", 2, 99]], "by category")
    equal(d.rows(site_id="default", metrics=["events"], date_range="day", dimensions=["event:props:dept"],
                 order_by=[["event:props:dept", "asc"]]), [["", 7], ["feet", 2], ["heads", 3]], "by department")
    asked = {r: metric(d, "tally_lookup_asked_total", lookup="products", result=r) for r in ("found", "missing", "no_column")}
    check(asked["found"] >= 10 and asked["missing"] >= 4 and asked["no_column"] == 0, "counted: %r" % asked)
    print("joined over HTTP and from a list; what was sent counts more; dimensions and sums are right")


def changed(d, db, store):
    loaded = refreshes(d, "loaded")
    unchanged = refreshes(d, "unchanged")
    wait_for("readings that find nothing new", lambda: refreshes(d, "unchanged") > unchanged + 2)
    equal(refreshes(d, "loaded"), loaded, "an unchanged version is not read again")
    store.sql("UPDATE products SET category = 'silent' WHERE id = 1")  # its version stays
    unchanged = refreshes(d, "unchanged")
    wait_for("readings that find nothing new", lambda: refreshes(d, "unchanged") > unchanged + 2)
    equal((refreshes(d, "loaded"), category(d, "1")), (loaded, "shoes"), "a change that raises no version is not seen")
    store.sql("UPDATE products SET category = 'boots', version = 4 WHERE id = 1")
    wait_for("the new category", lambda: category(d, "1") == "boots")
    equal(refreshes(d, "loaded"), loaded + 1, "one change, one reading")
    store.sql("DELETE FROM products WHERE id = 2")  # the highest version stays, the number does not
    wait_for("a row to go", lambda: look(d, "2")[0] == 404)
    store.sql("INSERT INTO products VALUES (2, 'hats', 10, 3, '', 2)")
    wait_for("a row to come back", lambda: category(d, "2") == "hats")
    loaded = refreshes(d, "loaded", "groups")
    wait_for("readings without a version", lambda: refreshes(d, "loaded", "groups") > loaded + 1)
    send(d, event("later", "1"))
    d.flush()
    equal((props(d, db, "later")["category"], props(d, db, "one")["category"]), ("boots", "shoes"), "events keep what they had")
    print("a change is seen after the ttl; an unchanged version is not read again")


def over_limit(d, store):
    store.sql("INSERT INTO products VALUES (11, 'x', 1, 1, '', 20), (12, 'x', 1, 1, '', 20), (13, 'x', 1, 1, '', 20), (14, 'x', 1, 1, '', 20)")
    before = refreshes(d, "refused")
    wait_for("a refusal", lambda: refreshes(d, "refused") > before)
    status, answer = look(d, "1")
    equal((status, answer["row"]["category"], answer["meta"]["stale"]), (200, "boots", True), "the rows before stay")
    check("more than 6 rows" in answer["meta"]["why"] and "max_rows" in answer["meta"]["why"], "why: %r" % answer["meta"])
    equal(look(d, "11")[0], 404, "nothing of it was taken")
    check(b"more than 6 rows" in d.request("GET", "/readyz")[2], "/readyz tells")
    store.sql("DELETE FROM products WHERE id > 10")
    wait_for("the refusal to end", lambda: look(d, "1")[1]["meta"]["stale"] is False)
    print("too many rows: refused, told, the rows before stay")


def away(d, db, store, redis, sink):
    """The table (SQLite) or the whole server (MariaDB) goes, the daemon is killed and comes back without it."""
    if db:
        db.stop()
    else:
        store.sql("ALTER TABLE products RENAME TO gone_; ALTER TABLE groups_ RENAME TO gone_too")
    wait_for("a failure", lambda: refreshes(d, "failed") > 0 and look(d, "1")[1]["meta"]["stale"])
    age = look(d, "1")[1]["meta"]["age_seconds"]
    wait_for("age to grow", lambda: look(d, "1")[1]["meta"]["age_seconds"] > age + 1)
    status, head, text = d.request("GET", "/v1/lookup/products/1")
    meta = json.loads(text)["meta"]
    check(status == 200 and int(head["age"]) >= 1 and meta["why"], "age and reason are told: %r %r" % (head, meta))
    check(metric(d, "tally_lookup_age_seconds", lookup="products") >= 1, "its age is a metric")
    send(d, event("away", "1"))
    d.kill()
    d.start()
    status, answer = look(d, "1")
    equal((status, answer["row"]["category"], answer["meta"]["stale"]), (200, "boots", True), "after a restart")
    check(answer["meta"]["age_seconds"] >= 1, "its age is that of the reading: %r" % answer["meta"])
    send(d, event("restarted", "1"), event("restarted9", "9"))
    if db:
        db.start()
    store.sql(("" if db else "ALTER TABLE gone_ RENAME TO products; ALTER TABLE gone_too RENAME TO groups_; ") +
              "UPDATE products SET category = 'clogs', version = 30 WHERE id = 1")
    wait_for("the table again", lambda: category(d, "1") == "clogs", 120)
    equal(look(d, "1")[1]["meta"]["stale"], False, "no longer stale")
    send(d, event("back", "1"))
    d.flush()
    equal([props(d, db, n).get("category") for n in ("away", "restarted", "restarted9", "back")], ["boots", "boots", None, "clogs"],
          "what an event was joined with stays with it")
    print("away: the rows read before go on, also after a kill, and their age is told")


def refused_by_check(d, *words):
    p = subprocess.run([program("tallyd"), "-t", "-c", d.file, "-d", d.data, "-p", d.plugin_dir()], capture_output=True, text=True)
    check(p.returncode == 1 and all(w in p.stderr for w in words), "-t: %d %s" % (p.returncode, p.stderr))


def reloads(d, redis, sink):
    def configure(*lookups):
        d.configure(conf(redis, sink, *lookups))
    configure(PRODUCTS, GROUPS, OTHER)
    loaded = refreshes(d, "loaded")
    d.tally("reload")
    equal(look(d, "hats", "other")[1]["row"], {"c": "hats", "n": 1}, "one that a reload adds is there when it is done")
    equal((category(d, "1"), refreshes(d, "loaded")), ("clogs", loaded), "the others keep their rows")
    configure(PRODUCTS, OTHER)
    d.tally("reload", ok=(1,))
    equal(look(d, "hats", "groups")[0], 200, "one that a plugin needs cannot go")
    refused_by_check(d, "no lookup 'groups' is declared")
    configure(PRODUCTS, GROUPS)
    d.tally("reload")
    equal(look(d, "hats", "other")[0], 404, "one that is gone")
    check(not os.path.exists(os.path.join(d.data, "lookups", "other")), "nothing is left of it")
    configure(PRODUCTS.replace("FROM products", "FROM products WHERE id = 2"), GROUPS)
    d.tally("reload")
    wait_for("another definition", lambda: look(d, "1")[0] == 404 and category(d, "2") == "hats")
    configure(PRODUCTS.replace("key: id", "key: idd"), GROUPS)
    d.tally("reload")
    wait_for("a key that is none", lambda: "no column `idd`" in look(d, "2")[1].get("detail", ""))
    configure(PRODUCTS.replace("FROM products", "FROM products; DROP TABLE products"), GROUPS)
    refused_by_check(d, "lookups.products.sql", "`;`")
    d.tally("reload", ok=(1,))
    configure(PRODUCTS, GROUPS)
    d.tally("reload")
    wait_for("the definition before", lambda: category(d, "1") == "clogs")
    print("reload: added, removed, changed, refused")


def main(scene):
    db = scene.mariadb() if MARIADB else None
    redis = scene.redis()
    sink = 'mariadb: { url: "%s", flush: 50ms }' % db.url() if db else "sqlite: { flush: 50ms }"
    d = scene.tallyd(conf(redis, sink, PRODUCTS, GROUPS))
    store = Store(d, db)
    nothing_read(d)
    make_tables(store)
    wait_for("the tables", lambda: look(d, "1")[0] == 200 and look(d, "hats", "groups")[0] == 200)
    forms(d)
    joined(d, db, redis)
    changed(d, db, store)
    over_limit(d, store)
    away(d, db, store, redis, sink)
    reloads(d, redis, sink)
    d.stop()


run(main)
