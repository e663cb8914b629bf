#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What statistics cost over many stored events: tally without its cache, tally with it, and the SQL that one would write over
the raw rows, in turn, in one run; and whether they say the same.

A private MariaDB (its own defaults) is filled once, through a tallyd, by heavy_events, and kept for the next run.
  TALLY_BENCH_DIR     where it is kept (/tmp/tally-bench)
  TALLY_BENCH_EVENTS  10000000
  TALLY_BENCH_ROUNDS  5
  TALLY_BENCH_NAIVE   rounds in which the SQL is run, and answers are compared with it, too (5; 0 = none): with MariaDB's own
                      defaults pages take minutes each"""

import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e", "lib"))
from harness import BUILD, Failed, check, free_port, program, wait_for  # noqa: E402

DIR = os.environ.get("TALLY_BENCH_DIR", "/tmp/tally-bench")
EVENTS = int(os.environ.get("TALLY_BENCH_EVENTS", "10000000"))
ROUNDS = int(os.environ.get("TALLY_BENCH_ROUNDS", "5"))
NAIVE = int(os.environ.get("TALLY_BENCH_NAIVE", str(ROUNDS)))
DAY = 86400 * 10**6
BEGIN = 1768435200 * 10**6  # heavy_events.c: 2026-01-15
SITE = "shop.example"
HLL = 0.0081
PLUGINS = os.environ.get("TALLY_TEST_PLUGINS") or os.path.join(BUILD, "plugins", ".libs")

CONF = """listen: 127.0.0.1:%d
admin: %s
ack: written
sites: { shop.example: { timezone: UTC, time_window: { past: any, future: 10m } } }
limits: { query_timeout: 300s }
pipeline: [ %s ]
rollups:
  - { name: total, by: [], metrics: [events, pageviews, visitors, "sum:value"] }
  - { name: pages, by: ["event:page"], metrics: [events, visitors] }
  - { name: names, by: ["event:name", "event:page"], metrics: [events, visitors] }
sinks:
  - mariadb: { name: main, url: "mysql://tally:secret@127.0.0.1:%d/tally"%s }
"""


def path(*parts):
    return os.path.join(DIR, *parts)


# ---- servers, stopped by their own pid

class Server:
    def __init__(self, argv, log):
        self.out = open(path(log), "ab")
        self.child = subprocess.Popen(argv, stdout=self.out, stderr=self.out, stdin=subprocess.DEVNULL)

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        self.child.wait(600)
        self.out.close()

    def cpu(self):
        with open("/proc/%d/stat" % self.child.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class MariaDB(Server):
    def __init__(self, options=()):
        self.port, self.socket = free_port(), path("db.sock")
        super().__init__(["mariadbd", "--no-defaults", "--user=root", "--datadir=" + path("db"), "--tmpdir=" + path("db.tmp"),
                          "--socket=" + self.socket, "--port=%d" % self.port, "--bind-address=127.0.0.1", "--skip-name-resolve",
                          "--pid-file=" + path("db.pid")] + list(options), "mariadb.log")
        wait_for("MariaDB", lambda: subprocess.run(["mariadb-admin", "--no-defaults", "-uroot", "-S", self.socket, "ping"],
                                                   capture_output=True).returncode == 0, 300)
        self.client = None

    def run(self, sql, database="tally"):
        p = subprocess.run(["mariadb", "--no-defaults", "-uroot", "-S", self.socket, "-N", "-B", "-r", database, "-e", sql],
                           capture_output=True)
        check(p.returncode == 0, p.stderr.decode())
        return [line.split("\t") for line in p.stdout.decode().splitlines()]

    def ask(self, sql):
        """Over one connection that is kept; rows and seconds."""
        if not self.client:
            self.client = subprocess.Popen(["mariadb", "--no-defaults", "-uroot", "-S", self.socket, "-N", "-B", "-r", "--unbuffered",
                                            "tally"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        began, rows = time.monotonic(), []
        self.client.stdin.write(sql + ";\nSELECT 'end of the answer';\n")
        self.client.stdin.flush()
        while (line := self.client.stdout.readline()) != "end of the answer\n":
            check(line, "the client has ended over: " + sql)
            rows.append(line.rstrip("\n").split("\t"))
        return rows, time.monotonic() - began

    def stop(self):
        if self.client:
            self.client.stdin.close()
            self.client.wait()
        super().stop()


class Tallyd(Server):
    def __init__(self, name, db, pipeline, more=""):
        self.port, self.connection = free_port(), None
        with open(path(name + ".yaml"), "w") as f:
            f.write(CONF % (self.port, path(name + ".sock"), pipeline, db.port, more))
        super().__init__([program("tallyd"), "-c", path(name + ".yaml"), "-d", path(name), "-p", PLUGINS], name + ".log")
        wait_for("tallyd to be ready", self.ready, 900, 0.2)

    def ready(self):
        check(self.child.poll() is None, "tallyd ended, see its log in " + DIR)
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            c.request("GET", "/readyz")
            return c.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(self, question):
        """The answer and seconds, over one connection that is kept."""
        if not self.connection or time.monotonic() - self.used > 10:  # the server closes what lies idle
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        began = time.monotonic()
        self.connection.request("POST", "/v1/query", question)
        r = self.connection.getresponse()
        text = r.read()
        self.used = time.monotonic()
        took = self.used - began
        check(r.status == 200, "%s: %d %s" % (question, r.status, text[:300]))
        return text, took


# ---- filling

def fill():
    """Faster settings than those measured with: what is in the store afterwards is the same."""
    if os.path.exists(path("filled")):
        with open(path("filled")) as f:
            check(f.read().split()[0] == str(EVENTS), "%s holds another number of events; remove it" % DIR)
        return
    shutil.rmtree(DIR, ignore_errors=True)
    os.makedirs(path("db.tmp"))
    p = subprocess.run(["mariadb-install-db", "--no-defaults", "--user=root", "--datadir=" + path("db"), "--tmpdir=" + path("db.tmp"),
                        "--auth-root-authentication-method=normal", "--skip-test-db"], capture_output=True)
    check(p.returncode == 0, p.stdout.decode()[-1000:])
    db = MariaDB(["--innodb-buffer-pool-size=2G", "--innodb-log-file-size=1G", "--innodb-flush-log-at-trx-commit=2"])
    db.run("CREATE DATABASE tally CHARACTER SET utf8mb4; CREATE USER tally@'127.0.0.1' IDENTIFIED BY 'secret'; "
           "GRANT ALL ON tally.* TO tally@'127.0.0.1'", "mysql")
    d = Tallyd("plain", db, "rollup: {}", ", batch: 100000, flush: 10s")
    began = time.monotonic()
    subprocess.run([os.path.join(BUILD, "tests", "bench", "heavy_events"), str(d.port), str(EVENTS)], check=True)
    taken = time.monotonic() - began
    wait_for("all to be stored", lambda: int(db.run("SELECT COALESCE(SUM(stored), 0) FROM tally_ledger")[0][0]) >= EVENTS, 7200, 1)
    stored = time.monotonic() - began
    d.stop()
    db.stop()
    text = "%d events: taken in %.0f s, stored in %.0f s (%.0f/s)" % (EVENTS, taken, stored, EVENTS / stored)
    with open(path("filled"), "w") as f:
        f.write(text + "\n")
    print(text)


# ---- the lines: a question, the SQL, and whether they agree

def dates(first, last):
    return [time.strftime("%Y-%m-%d", time.gmtime(BEGIN // 10**6 + 86400 * d)) for d in (first, last)]


def ask(first, last, **more):
    return json.dumps(dict({"site_id": SITE, "metrics": ["events", "visitors"], "date_range": dates(first, last)}, **more))


def sql(first, last, what, rest="", where=""):
    return ("SELECT %s COUNT(*), COUNT(DISTINCT visitor) FROM tally_event WHERE site = '%s' AND time >= %d AND time < %d%s %s"
            % (what, SITE, BEGIN + first * DAY, BEGIN + (last + 1) * DAY, where, rest))


def near(got, want, what):
    check(abs(got - want) <= max(4 * HLL * want, 0.5), "%s: %d visitors, counted %d" % (what, got, want))


def same_rows(answer, rows, by_visitors=False):
    got = [[r["dimensions"][0] if r["dimensions"] else ""] + r["metrics"] for r in answer["results"]]
    want = [[""] * (3 - len(r)) + r for r in rows]
    if by_visitors:
        counted = {r[0]: r for r in want}
        got_pages = {r[0] for r in got}
        least = min(int(r[2]) for r in want[:len(got)])
        for r in want[:len(got)]:
            check(r[0] in got_pages or int(r[2]) <= least * (1 + 8 * HLL), "%r is not among the first" % r)
        want = [counted[r[0]] for r in got]
    check(len(got) == len(want[:len(got)]) and len(got) > 0, "%d rows, %d counted" % (len(got), len(want)))
    for g, w in zip(got, want):
        name = w[0] if not w[0].isdigit() else time.strftime("%Y-%m-%dT00:00:00+00:00", time.gmtime(int(w[0])))
        check((g[0], g[1]) == (name, int(w[1])), "%r is not %r" % (g, w))
        near(g[2], int(w[2]), name)


def compared(answer, rows):
    for at, key in ((0, "metrics"), (1, "compare")):
        check(answer["results"][0][key][0] == int(rows[at][0]), "%r is not %r" % (answer["results"][0], rows))
        near(answer["results"][0][key][1], int(rows[at][1]), key)


PAGE = ["event:page"]
HUNDRED = {"limit": 100}
LATEST = " GROUP BY page ORDER BY 2 DESC, page LIMIT 100"
LINES = (
    ("totals", ask(0, 89), sql(0, 89, ""), same_rows),
    ("90-day series", ask(0, 89, dimensions=["time:day"]),
     sql(0, 89, "time DIV %d * 86400," % DAY, "GROUP BY 1 ORDER BY 1"), same_rows),
    ("top 100 pages by events", ask(0, 89, dimensions=PAGE, pagination=HUNDRED), sql(0, 89, "page,", LATEST), same_rows),
    ("top 100 pages by visitors", ask(0, 89, dimensions=PAGE, order_by=[["visitors", "desc"]], pagination=HUNDRED),
     sql(0, 89, "page,", "GROUP BY page ORDER BY 3 DESC, page LIMIT 300"), lambda a, r: same_rows(a, r, True)),
    ("filtered: totals of a page", ask(0, 89, filters=[["is", "event:page", ["/shop/ab/item-00026"]]]),
     sql(0, 89, "", where=" AND page = '/shop/ab/item-00026'"), same_rows),
    ("filtered: top 100 of views", ask(0, 89, dimensions=PAGE, pagination=HUNDRED, filters=[["is", "event:name", ["view"]]]),
     sql(0, 89, "page,", LATEST, " AND name = 'view'"), same_rows),
    ("compared: 30 days", ask(60, 89, compare="previous_period"), sql(60, 89, "") + " UNION ALL " + sql(30, 59, ""), compared),
)


# ---- measuring

def quantile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(share * len(times)))]


def many(d, question, least, seconds):
    """At least so many answers, more while there is time."""
    times, until = [], time.monotonic() + seconds
    while len(times) < least or (time.monotonic() < until and len(times) < 50 * least):
        text, took = d.ask(question)
        times.append(took)
    return times, text


def measure(db, plain, cached, results):
    for r in range(ROUNDS):
        for name, question, statement, agree in LINES:
            here = results.setdefault(name, {"plain": [], "cached": [], "naive": []})
            if r == 0:
                plain.ask(question)  # what the buffer pool has to read first
            cached.ask(question)
            times, text = many(plain, question, 8, 1)
            here["plain"].append(times)
            here["answer"] = json.loads(text)
            times, text = many(cached, question, 40, 0.3)
            here["cached"].append(times)
            check(json.loads(text)["results"] == here["answer"]["results"], "%s: the cache says otherwise" % name)
            if r < NAIVE:
                rows, took = db.ask(statement)
                here["naive"].append([took])
                agree(here["answer"], rows)
        print("round %d of %d done, load %.1f" % (r + 1, ROUNDS, os.getloadavg()[0]), file=sys.stderr)


def print_table(results):
    def both(rounds):
        if not rounds:
            return "-", 0
        p50 = statistics.median(quantile(t, 0.5) for t in rounds) * 1e3
        return "%.3g / %.3g" % (p50, quantile([x for t in rounds for x in t], 0.99) * 1e3), p50
    print("| question | SQL over raw rows, ms | tally uncached, p50 / p99 ms | cached, p50 / p99 ms | SQL : uncached | rows read |")
    print("|---|---|---|---|---|---|")
    for name, r in results.items():
        (naive, a), (plain, b), (cached, _) = both(r["naive"]), both(r["plain"]), both(r["cached"])
        print("| %s | %s | %s | %s | %s | %d |" % (name, "%.0f" % a if a else naive, plain, cached, "%.0f" % (a / b) if a else "-",
                                                   r["answer"]["meta"]["cost"]["rows_read"]))


def rate(cached):
    """All of the daemon on one core, who asks on another; 64 questions of a week each."""
    tool = os.path.join(BUILD, "tests", "bench", "ask")
    cores = sorted(os.sched_getaffinity(0))
    questions = "\n".join(ask(d, d + 6, dimensions=["time:day"]) for d in range(64)) + "\n"
    subprocess.run(["taskset", "-a", "-p", "-c", str(cores[0]), str(cached.child.pid)], check=True, capture_output=True)
    for connections in (64, 1):
        rates, middles, lasts, cpus, hits = [], [], [], [], []
        for _ in range(ROUNDS):
            before = cached.cpu()
            p = subprocess.run(["taskset", "-c", str(cores[-1]), tool, str(cached.port), str(connections), "3"], input=questions,
                               capture_output=True, text=True)
            check(p.returncode == 0, p.stderr)
            w = p.stdout.split()
            rates.append(float(w[3]))
            middles.append(int(w[5]))
            lasts.append(int(w[7]))
            hits.append(int(w[9]) / int(w[1]))
            cpus.append((cached.cpu() - before) / int(w[1]) * 1e6)
        print("cached, %d connection%s, one core: %.0f answers/s (%.0f..%.0f), p50 %.0f us, p99 %.0f us, %.1f us CPU an answer, %.1f %% hits"
              % (connections, "s" if connections > 1 else "", statistics.median(rates), min(rates), max(rates),
                 statistics.median(middles), statistics.median(lasts), statistics.median(cpus), 100 * min(hits)))


def machine():
    model = ""
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "")
    version = subprocess.run(["mariadbd", "--version"], capture_output=True, text=True).stdout.split()[2]
    return "%s, %d cores, MariaDB %s, load %.1f" % (model, os.cpu_count(), version, os.getloadavg()[0])


def main():
    for name in ("mariadbd", "mariadb-install-db", "taskset"):
        if not shutil.which(name):
            print("skipped queries: %s is not installed" % name)
            return 77
    servers = []
    fill()
    try:
        db = MariaDB()
        servers.append(db)
        plain = Tallyd("plain", db, "rollup: {}")
        servers.append(plain)
        cached = Tallyd("cached", db, "rollup: {}, cache: {}")
        servers.append(cached)
        print("%s; %d events, %d rounds" % (machine(), EVENTS, ROUNDS))
        results = {}
        measure(db, plain, cached, results)
        print_table(results)
        rate(cached)
        print("load at the end %.1f" % os.getloadavg()[0])
    finally:
        for s in reversed(servers):
            s.stop()
    return 0


try:
    sys.exit(main())
except Failed as why:
    print("queries: FAILED: %s" % why)
    sys.exit(1)
