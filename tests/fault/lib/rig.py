# SPDX-License-Identifier: Apache-2.0
"""The rig of the fault tests: a load whose every acknowledgement is remembered, a checker that compares it with what is
stored, and a matrix of faults whose rows say how often the fault really happened.

A module of tests/fault defines rows and ends with `main()`:

    @row("12", "COMMIT's answer lost")
    def commit_answer_lost(scene, fig):
        db = scene.mariadb()
        proxy = Proxy(db.port, "mysql")
        d = scene.tallyd(conf(maria(proxy.port)))
        load = Load(d).start()
        proxy.on(writes_commit, "lose_answer", times=3, after=2)
        ...
        load.stop()
        fig.fired = proxy.fired
        verify(d, [load], [Maria(db)], fig)

A row fails where fig.fired is 0 (nothing was injected, so nothing was shown), where verify() finds an acknowledged event
missing, one stored twice, one stored that was never sent, rollups that are not the sum of the rows, or a ledger that does not balance.
Short by default; full() is true with TALLY_FULL=1. TALLY_ROWS=12,13 runs only these. TALLY_SEED seeds random."""

import collections
import contextlib
import glob
import http.client
import json
import os
import random
import re
import socket
import sqlite3
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../e2e/lib"))
import harness  # noqa: E402,F401
from harness import (  # noqa: E402,F401
    BUILD, DATA, SOURCE, Failed, MariaDB, Process, Redis, Scene, Skip, Tallyd, check, equal, free_port, need_data,
    program, wait_for)
from proxy import Proxy, mysql_text, writes_commit  # noqa: E402,F401

SEED = int(os.environ.get("TALLY_SEED") or random.randrange(1 << 30))
LIST = "tally:events"


class Wrong(Failed):
    """What the checker found: an event lost, doubled or changed, sums that are none, a ledger that does not balance."""


def full():
    return os.environ.get("TALLY_FULL") == "1"


# ---- the matrix ----

class Figures:
    """What a row shows. `allowed` is a window that docs/delivery.md declares (only a few rows have one): losses and doubles
    up to it are told and do not fail."""

    def __init__(self):
        self.fired = 0
        self.sent = self.acked = self.stored = self.duplicates = self.lost = 0
        self.recovery_s = None
        self.note = ""
        self.allowed_lost = self.allowed_duplicates = 0


Row = collections.namedtuple("Row", "number words fn")
ROWS = []


def row(number, words):
    def add(fn):
        ROWS.append(Row(str(number), words, fn))
        return fn
    return add


HEAD = "%-4s %-52s %7s %8s %8s %8s %4s %4s %8s  %s" % (
    "row", "fault", "fired", "sent", "acked", "stored", "dup", "lost", "recovery", "result")


def line_of(r, fig, result):
    recovery = "-" if fig.recovery_s is None else "%.1f s" % fig.recovery_s
    return "%-4s %-52s %7d %8d %8d %8d %4d %4d %8s  %s%s" % (
        r.number, r.words[:52], fig.fired, fig.sent, fig.acked, fig.stored, fig.duplicates, fig.lost, recovery, result,
        "  (%s)" % fig.note if fig.note else "")


def judge(fig):
    check(fig.fired > 0, "the fault never happened")
    check(fig.duplicates <= fig.allowed_duplicates, "%d stored twice" % fig.duplicates)
    check(fig.lost <= fig.allowed_lost, "%d acknowledged events are not stored" % fig.lost)


def run_row(r):
    """ok, skipped or FAILED."""
    scene, fig, failed = Scene(), Figures(), True
    random.seed("%d/%s" % (SEED, r.number))
    try:
        r.fn(scene, fig)
        judge(fig)
        failed, result = False, "ok"
    except Skip as why:
        failed, result = False, "skipped"
        print("skipped row %s, %s: %s" % (r.number, r.words, why))
    except Failed as why:
        result = "FAILED: %s" % why
    except Exception:
        traceback.print_exc(file=sys.stdout)
        result = "FAILED"
    finally:
        scene.close(failed)
    if result != "skipped":
        print(line_of(r, fig, result))
    sys.stdout.flush()
    return result


def main():
    wanted = os.environ.get("TALLY_ROWS")
    wanted = wanted.split(",") if wanted else None
    print("seed %d%s" % (SEED, ", full" if full() else ""))
    print(HEAD)
    results = [run_row(r) for r in ROWS if not wanted or r.number in wanted]
    if any(r.startswith("FAILED") for r in results):
        sys.exit(1)
    sys.exit(77 if "skipped" in results or not results else 0)


# ---- configurations ----

def sqlite(name="near", flush="50ms", extra=""):
    return "sqlite: { name: %s, flush: %s%s }" % (name, flush, ", " + extra if extra else "")


def maria(port, name="main", flush="50ms", extra=""):
    return 'mariadb: { name: %s, url: "mysql://tally:secret@127.0.0.1:%d/tally", flush: %s%s }' % (
        name, port, flush, ", " + extra if extra else "")


def file_sink(path, name="lines", flush="50ms", extra=""):
    return "file: { name: %s, path: %s, flush: %s%s }" % (name, path, flush, ", " + extra if extra else "")


def conf(*sinks, redis=None, ack="durable", spool="{ segment: 1MiB, retain: 1h }", dedup="window: 30m", extra="",
         list_extra=""):
    """YAML for scene.tallyd(): small segments, so that a short test crosses many. redis: a port."""
    source = ""
    if redis:
        source = 'sources: [ redis: { url: "redis://127.0.0.1:%d/0", list: "%s"%s } ]\n' % (
            redis, LIST, ", " + list_extra if list_extra else "")
    return (
        "ack: %s\n"
        "sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }\n"
        "spool: %s\n"
        "pipeline: [ dedup: { %s }, rollup: {} ]\n"
        'rollups: [ { name: total, by: [], metrics: [events, visitors, "sum:value"] },'
        ' { name: names, by: ["event:name"], metrics: [events, visitors] } ]\n'
        "%s%ssinks:\n%s" % (ack, spool, dedup, source, extra, "".join("  - %s\n" % s for s in sinks)))


# ---- the load ----

Sent = collections.namedtuple("Sent", "name visitor value")


class Load:
    """Senders that number their events. Each request is tried again with the same ids until it is answered 200, as a good client
    does; time-outs and refusals are counted. What Redis has taken of a push counts as acknowledged (AOF always).

    sent: id -> Sent, acked: id -> level ("written", "durable", "stored", "redis"); read them after stop()."""

    made = 0

    def __init__(self, daemon, redis=None, singles=1, batches=2, pushers=1, size=20, site=None, timeout=10.0, pause=0.002,
                 visitors=300, fill=0):
        Load.made += 1
        self.daemon, self.redis, self.site, self.timeout, self.pause = daemon, redis, site, timeout, pause
        self.size, self.visitors, self.fill = size, visitors, "x" * fill
        self.prefix = "L%d" % Load.made
        self.sent, self.acked = {}, {}
        self.refused = collections.Counter()    # status/code of answers that were not 200
        self.broken = 0                         # no answer: time-out, connection reset
        self.duplicates = 0                     # answered so: the request before was taken and its answer lost
        self.slowest_s = 0.0
        self.lock = threading.Lock()
        self.quit = False
        self.count = 0
        self.threads = [threading.Thread(target=self.send_loop, args=(1,), daemon=True) for _ in range(singles)]
        self.threads += [threading.Thread(target=self.send_loop, args=(size,), daemon=True) for _ in range(batches)]
        if redis:
            self.threads += [threading.Thread(target=self.push_loop, daemon=True) for _ in range(pushers)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self, seconds=60):
        self.quit = True
        for t in self.threads:
            t.join(seconds)
            check(not t.is_alive(), "a sender does not end")
        return self

    def run_for(self, seconds):
        self.start()
        time.sleep(seconds)
        return self.stop()

    def wait_acked(self, n, seconds=60):
        """Until n more are acknowledged than now."""
        want = len(self.acked) + n
        wait_for("%d more acknowledged events" % n, lambda: len(self.acked) >= want, seconds)

    def events(self, n):
        out = []
        with self.lock:
            for _ in range(n):
                self.count += 1
                i = self.count
                e = Sent("n%d" % (i % 7), "v%d" % (i % self.visitors), i % 100)
                eid = "%s-%d" % (self.prefix, i)
                self.sent[eid] = e
                one = {"name": e.name, "id": eid, "visitor": e.visitor, "value": e.value}
                if self.site:
                    one["site"] = self.site
                if self.fill:
                    one["fill"] = self.fill
                out.append(one)
        return out

    def note(self, events, level):
        with self.lock:
            for e in events:
                self.acked[e["id"]] = level

    def post(self, body):
        """(status, answer) or None: no answer came."""
        c = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=self.timeout)
        began = time.monotonic()
        try:
            c.request("POST", "/v1/events", body)
            r = c.getresponse()
            answer = json.loads(r.read())
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            return r.status, answer
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            c.close()

    def deliver(self, events):
        """One request until it is taken. False: the load ended before."""
        body = json.dumps(events if len(events) > 1 else events[0])
        while True:
            got = self.post(body)
            if got and got[0] == 200:
                check(got[1]["accepted"] + got[1]["duplicates"] == len(events), "answer %r" % (got,))
                self.duplicates += got[1]["duplicates"]
                self.note(events, got[1]["ack"])
                return True
            if got:
                self.refused["%d %s" % (got[0], got[1].get("code"))] += 1
                check(got[0] in (429, 503), "a sender was told %r" % (got,))
            else:
                self.broken += 1
            if self.quit:
                return False
            time.sleep(0.02)

    def send_loop(self, size):
        try:
            while not self.quit:
                self.deliver(self.events(random.randint(1, size)))
                time.sleep(self.pause)
        except Failed as why:
            print("sender: %s" % why)
            raise

    def push_loop(self):
        while not self.quit:
            events = self.events(random.randint(1, self.size))
            while not self.push(events):
                if self.quit:
                    return
                time.sleep(0.02)
            time.sleep(self.pause)

    def push(self, events):
        """RPUSH once, in one command: an answer that is lost may mean that it was pushed, so it is not tried again
        under other ids; with the same ids dedup takes care."""
        try:
            self.redis.push(LIST, [json.dumps(e) for e in events])
        except (OSError, Failed, ValueError):
            self.broken += 1
            return False
        self.note(events, "redis")
        return True


# ---- stores ----

class Store:
    """What a checker asks of a store: rows(sql) and a name."""

    letters = True      # has tally_dead

    def __init__(self, name, rows, prefix=""):
        self.name, self.rows, self.prefix = name, rows, prefix

    def events(self):
        """[(id, name, visitor, value)]"""
        return [(str(r[0]), str(r[1]), str(r[2]), float(r[3]))
                for r in self.rows("SELECT id, name, visitor, value FROM %stally_event" % self.prefix)]

    def dead_ids(self):
        return [json.loads(r[0])["id"] for r in self.rows("SELECT raw FROM %stally_dead" % self.prefix)]

    def rollup_totals(self):
        """grain -> (events, sum of value) of the rollup `total`."""
        return {int(r[0]): (int(r[1]), float(r[2])) for r in self.rows(
            "SELECT grain, SUM(events), SUM(sum_value) FROM %stally_rollup_total GROUP BY grain" % self.prefix)}

    def rollup_names(self):
        """(grain, name) -> events of the rollup `names`."""
        return {(int(r[0]), str(r[1])): int(r[2]) for r in self.rows(
            "SELECT grain, event_name, SUM(events) FROM %stally_rollup_names GROUP BY grain, event_name" % self.prefix)}

    def ledger(self):
        """stored, dead, lost of this store's own account, all nodes and sites."""
        r = self.rows("SELECT COALESCE(SUM(stored), 0), COALESCE(SUM(dead), 0), COALESCE(SUM(lost), 0)"
                      " FROM %stally_ledger" % self.prefix)[0]
        return int(r[0]), int(r[1]), int(r[2])

    def gaps(self):
        """reason -> events that the lines of this store never got, all nodes and sites."""
        return {str(r[0]): int(r[1]) for r in self.rows(
            "SELECT reason, SUM(events) FROM %stally_gap GROUP BY reason" % self.prefix)}


def Maria(db, prefix="", name="mariadb"):
    return Store(name, db.sql, prefix)


def Sqlite(d, prefix="", name="sqlite", path=None):
    def rows(sql):
        db = sqlite3.connect(path or os.path.join(d.data, "tally.db"), timeout=30)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()
    return Store(name, rows, prefix)


class Lines:
    """A `file` sink: every path that the pattern matches, line by line. A last line without its end does not count."""

    letters = False

    def __init__(self, pattern, name="file"):
        self.pattern, self.name = pattern, name

    def events(self):
        out = []
        for path in sorted(glob.glob(self.pattern)):
            if path.endswith(".position"):
                continue
            with open(path, "rb") as f:
                for text in f.read().split(b"\n")[:-1]:
                    e = json.loads(text)
                    out.append((e["id"], e["name"], e["visitor"], float(e["value"])))
        return out


# ---- the checker ----

def taken(d):
    return sum(s["taken"] for s in d.json("GET", "/v1/ledger")[1]["sites"])


def settle(d, redis, seconds=60):
    """Until the list is empty, and a moment longer: its last batch is released after that."""
    wait_for("the list to empty", lambda: redis.command("LLEN", LIST) == 0, seconds)
    before, until = -1, time.monotonic() + seconds
    while before != (now := taken(d)):
        check(time.monotonic() < until, "the ledger goes on taking events")
        before = now
        time.sleep(0.5)


def wait_ready(d, seconds=60):
    """/readyz is 200. The seconds it took."""
    began = time.monotonic()
    wait_for("/readyz", lambda: d.request("GET", "/readyz")[0] == 200, seconds)
    return time.monotonic() - began


def wait_stored(d, seconds=120):
    """All that was taken is committed in every line, as `tally flush` tells. The seconds it took."""
    began = time.monotonic()

    def done():
        text = d.tally("flush", "--json", ok=(0, 1))
        out = json.loads(text) if text else {"flushed": False}
        return out["flushed"] and all(s["flushed"] for s in out["sinks"])
    wait_for("everything to be stored", done, seconds, 0.1)
    return time.monotonic() - began


def compare_events(sent, acked, store, fig):
    """Raw rows and dead letters against what was sent: nothing lost, doubled, invented or changed. Gives the ids stored."""
    rows = store.events()
    dead = store.dead_ids() if store.letters else []
    ids = [r[0] for r in rows] + dead
    there = set(ids)
    fig.duplicates = max(fig.duplicates, len(ids) - len(there))
    missing = acked - there
    fig.lost = max(fig.lost, len(missing))
    if missing:
        print("%s: %d acknowledged events are missing, such as %r" % (store.name, len(missing), sorted(missing)[:5]))
    if len(ids) != len(there):
        twice = [i for i, n in collections.Counter(ids).items() if n > 1]
        print("%s: stored twice, such as %r" % (store.name, sorted(twice)[:5]))
    strange = there - set(sent)
    check(not strange, "%s: stored but never sent: %r" % (store.name, sorted(strange)[:5]))
    for eid, name, visitor, value in rows:
        e = sent[eid]
        check((name, visitor, value) == (e.name, e.visitor, e.value),
              "%s: %s is stored as %r" % (store.name, eid, (name, visitor, value)))
    return rows


def compare_rollups(store, rows):
    """Each grain of each rollup is the sum of the raw rows."""
    want = (len(rows), float(sum(r[3] for r in rows)))
    totals = store.rollup_totals()
    for grain in range(4) if rows else ():
        got = totals.get(grain)
        check(got and got[0] == want[0] and abs(got[1] - want[1]) < 1e-6 * max(1, abs(want[1])),
              "%s: rollup total of grain %d is %r, the rows are %r" % (store.name, grain, got, want))
    names = collections.Counter(r[1] for r in rows)
    got = store.rollup_names()
    for grain in range(4) if rows else ():
        here = {k[1]: n for k, n in got.items() if k[0] == grain}
        equal(here, dict(names), "%s: rollup names of grain %d" % (store.name, grain))


def compare_gaps(store):
    """What was lost is there by reason too."""
    equal(sum(n for reason, n in store.gaps().items() if reason != "before"), store.ledger()[2],
          "%s: tally_gap's sum is tally_ledger's lost" % store.name)


def compare_ledger(d, stores):
    status, ledger = d.json("GET", "/v1/ledger")
    equal(status, 200, "ledger")
    equal(ledger["balance"], 0, "ledger balance %s" % json.dumps(ledger))
    return ledger


def compare_answers(d, rows):
    """The statistics that the daemon gives are those of the rows of its store."""
    if not rows:
        return
    got = d.query(site_id="default", metrics=["events", "visitors", "sum:value"], date_range="all")["results"][0]["metrics"]
    equal(got[0], len(rows), "events as answered")
    check(abs(got[2] - sum(r[3] for r in rows)) < 1e-6 * max(1, abs(got[2])), "sum of value as answered: %r" % got[2])
    visitors = len(set(r[2] for r in rows))
    check(visitors > 500 or got[1] == visitors, "visitors as answered: %r of %d" % (got[1], visitors))


@contextlib.contextmanager
def seen():
    """What is found within is raised as Wrong."""
    try:
        yield
    except Failed as why:
        raise Wrong(str(why))


def verify(*args, **named):
    """As compare_all(); what it finds is raised as Wrong."""
    with seen():
        compare_all(*args, **named)


def compare_all(d, loads, stores, fig, redis=None, answers=True, same=True):
    """Ensures: every acknowledged event is in every store (or is a dead letter there) exactly once, nothing else is, rollups are the
    sum of the rows, /v1/ledger balances, answers agree with the first store. Fills sent, acked, stored, duplicates, lost.
    same=False: the stores need not hold the same unacknowledged events (they do where one spool feeds them)."""
    sent, acked = {}, set()
    for load in loads:
        sent.update(load.sent)
        acked |= set(load.acked)
    if redis:
        settle(d, redis)
    wait_stored(d)
    fig.sent, fig.acked = len(sent), len(acked)
    first = None
    for store in stores:
        rows = compare_events(sent, acked, store, fig)
        if first is None:
            first, fig.stored = rows, len(rows)
        elif same and store.letters:
            equal(len(rows) + len(store.dead_ids()), len(first) + len(stores[0].dead_ids()) if stores[0].letters else len(first),
                  "events in %s and in %s" % (store.name, stores[0].name))
        if store.letters:
            compare_rollups(store, rows)
            compare_gaps(store)
            if fig.lost == 0 and fig.duplicates == 0:
                equal(store.ledger()[:2], (len(rows), len(store.dead_ids())), "%s: its own account" % store.name)
    judge_now(fig)
    compare_ledger(d, stores)
    if answers and stores[0].letters:
        compare_answers(d, first)


def judge_now(fig):
    """Lost and doubled are the news; what follows from them need not be said."""
    check(fig.lost <= fig.allowed_lost, "%d acknowledged events are not stored" % fig.lost)
    check(fig.duplicates <= fig.allowed_duplicates, "%d stored twice" % fig.duplicates)


# ---- what happened ----

def fired_in(d, name):
    """How often the seam of this name fired in the daemon, in all its lives (its log goes on over restarts)."""
    with open(d.process.log, errors="replace") as f:
        return sum(1 for text in f if text.startswith("seam %s fired" % name))


def metric(d, name, **labels):
    """Sum of the samples of a metric that carry these labels."""
    total = 0.0
    for text, value in re.findall(r"^%s(?:\{([^}]*)\})? (\S+)$" % name, d.request("GET", "/metrics")[2].decode(), re.M):
        if all('%s="%s"' % kv in text for kv in labels.items()):
            total += float(value)
    return total


def rss_kib(d):
    with open("/proc/%d/status" % d.process.child.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def wait_dead(d, seconds=30):
    """The daemon has been killed by a seam."""
    wait_for("the daemon to die", lambda: not d.process.alive(), seconds)


def restart(d, env=None):
    """Kills it if it lives, starts it anew; the seconds until it answers."""
    d.kill()
    d.env = env
    began = time.monotonic()
    d.start()
    return time.monotonic() - began
