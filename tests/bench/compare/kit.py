# SPDX-License-Identifier: Apache-2.0
"""What the lines of the comparison share: two cores, runs in turn (A B A B …), what a process costs, the table.

A line is a function that fills a Row or several:

    @line("P4", "Redis list: parsed, counted, spooled")
    def redis_list(bench):
        with bench.scene() as scene: ...
            bench.row("P4", "…", "events/s", tally, bare, must=0.30, aim=0.60)

The goals are ratios. Each is the median of the ratios of pairs of runs that followed one another, with their quartiles: a
machine that is slower for a minute slows both of a pair."""

import collections
import contextlib
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../e2e/lib"))
from harness import BUILD, Failed, Scene, Skip, check, equal, program, wait_for  # noqa: E402,F401

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = int(os.environ.get("BENCH_RUNS") or 5)
SECONDS = float(os.environ.get("BENCH_SECONDS") or 2)
CORES = sorted(os.sched_getaffinity(0))
SERVER, LOAD = CORES[0], CORES[min(1, len(CORES) - 1)]
BUSY = 0.75     # of its core a server uses that is the limit
TICK_US = 1000000 / os.sysconf("SC_CLK_TCK")

# rate: in the row's unit; cpu_us: an event; rss_kb: the greatest so far
Sample = collections.namedtuple("Sample", "rate cpu_us rss_kb")


class Missing(Exception):
    """A yardstick that is not installed."""


# ---- processes ----

def tool(name):
    return os.path.join(BUILD, "tests", "bench", "compare", name)


def pinned(cpu, argv):
    return ["taskset", "-c", str(cpu)] + argv


def measure(name, *args, cpu=LOAD):
    """Runs one of our tools to its end; what it says."""
    p = subprocess.run(pinned(cpu, [tool(name)] + [str(a) for a in args]), capture_output=True)
    check(p.returncode == 0, "%s %s: %s" % (name, " ".join(map(str, args)), p.stderr.decode(errors="replace").strip()))
    return json.loads(p.stdout)


def cpu_us(*pids):
    """User and system time of these processes so far."""
    total = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid) as f:
            words = f.read().rsplit(")", 1)[1].split()
        total += (int(words[11]) + int(words[12])) * TICK_US
    return total


def status_kb(pid, field):
    with open("/proc/%d/status" % pid) as f:
        for text in f:
            if text.startswith(field + ":"):
                return int(text.split()[1])
    return 0


def peak_kb(pid):
    return status_kb(pid, "VmHWM")


def pid_of(process):
    return process.child.pid


class Stage(Scene):
    """A scene whose processes are pinned to one core; `with stage.on(LOAD):` changes which."""

    def __init__(self):
        super().__init__()
        self.cpu = SERVER

    @contextlib.contextmanager
    def on(self, cpu):
        before, self.cpu = self.cpu, cpu
        try:
            yield self
        finally:
            self.cpu = before

    def start(self, argv, name, env=None):
        return super().start(pinned(self.cpu, argv), name, env)


@contextlib.contextmanager
def stage():
    s, failed = Stage(), True
    try:
        yield s
        failed = False
    finally:
        s.close(failed)


# ---- what tally says it took and stored ----

SITES = "sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }\n"
ROLLUPS = ('rollups:\n  - { name: total, by: [], metrics: [events, visitors] }\n'
           '  - { name: pages, by: ["event:name", "event:page"], metrics: [events, visitors] }\n')


def taken(d):
    """(taken, {sink: stored}) of all sites; the ledger must balance."""
    status, ledger = d.json("GET", "/v1/ledger")
    equal((status, ledger["balance"]), (200, 0), "the ledger")
    stored = collections.Counter()
    for site in ledger["sites"]:
        for sink, terms in site["sinks"].items():
            stored[sink] += terms["stored"]
    return sum(site["taken"] for site in ledger["sites"]), stored


def flush(d):
    """What `tally flush` says; it gives up after a minute."""
    p = subprocess.run([program("tally"), "-s", d.admin, "flush"], capture_output=True)
    return (p.stdout + p.stderr).decode(errors="replace")


def must_hold(d, acknowledged):
    """Once flushed, what was acknowledged is taken and stored, each event once."""
    until = now() + 600
    while "flush_timed_out" in flush(d) and now() < until:
        pass
    got, stored = taken(d)
    equal(got, acknowledged, "events taken, of those acknowledged")
    for sink, n in stored.items():
        equal(n, acknowledged, "events stored in %s, of those acknowledged" % sink)


# ---- runs in turn and figures ----

def in_turn(ours, theirs, runs=None):
    """[Sample] of both, run alternately. theirs may be None."""
    a, b = [], []
    for _ in range(runs or RUNS):
        a.append(ours())
        if theirs:
            b.append(theirs())
    return a, b


def quantile(values, q):
    v = sorted(values)
    at = (len(v) - 1) * q
    low = int(at)
    return v[low] + (v[min(low + 1, len(v) - 1)] - v[low]) * (at - low)


def short(x):
    if x is None:
        return "-"
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if x >= limit:
            return "%.3g %s" % (x / limit, unit) if x < limit * 1000 else "%.0f %s" % (x / limit, unit)
    return "%.3g" % x


def spread(values):
    return "%s (%s..%s)" % (short(quantile(values, 0.5)), short(min(values)), short(max(values))) if values else "-"


class Row:
    """One line of the table. ratio: tally's figure to the yardstick's, pair by pair. less: the smaller the better;
    absolute: the goal is for tally's own figure."""

    def __init__(self, line, words, unit, ours, theirs, yardstick, must, aim, less=False, note="", absolute=False):
        self.line, self.words, self.unit, self.yardstick, self.note = line, words, unit, yardstick, note
        self.must, self.aim, self.less = must, aim, less
        self.ours, self.theirs = ours, theirs
        self.ratios = [a.rate / b.rate for a, b in zip(ours, theirs)]
        # what is judged: the ratio, or where there is no yardstick the figure itself
        self.judged = quantile([a.rate for a in ours] if absolute or not self.ratios else self.ratios, 0.5)

    def limits(self):
        """What to think of a ratio of rates that the CPU should have bounded: how much of its core each side used."""
        busy = [quantile([s.rate * s.cpu_us / 1e6 for s in side], 0.5) for side in (self.ours, self.theirs)]
        if busy[0] > 1.1:
            return "acknowledged faster than the line counts; by CPU an event %s events/s can be sustained" % short(
                1e6 / quantile([s.cpu_us for s in self.ours], 0.5))
        if min(busy) > BUSY:
            return ""
        return "tally used %.0f %% of its core, %s %.0f %%: something else was the limit. By CPU an event the ratio is %.2f" % (
            busy[0] * 100, self.yardstick, busy[1] * 100,
            quantile([b.cpu_us / a.cpu_us for a, b in zip(self.ours, self.theirs)], 0.5))

    def verdict(self):
        if self.must is None:
            return ""
        reaches = (lambda goal: self.judged <= goal) if self.less else (lambda goal: self.judged >= goal)
        return "aim" if reaches(self.aim) else "must" if reaches(self.must) else "BELOW"

    def cells(self):
        def middle(samples, field):
            values = [getattr(s, field) for s in samples if getattr(s, field) is not None]
            return quantile(values, 0.5) if values else None

        def cost(samples):
            us, kb = middle(samples, "cpu_us"), middle(samples, "rss_kb")
            return ["-" if us is None else "%.3g" % us, "-" if kb is None else "%.1f" % (kb / 1024)]
        ratio = "-"
        if self.ratios:
            ratio = "%.3g (%.3g..%.3g)" % tuple(quantile(self.ratios, q) for q in (0.5, 0.25, 0.75))
        goal = "-" if self.must is None else "%g / %g" % (self.must, self.aim)
        ours, theirs = cost(self.ours), cost(self.theirs)
        return [self.line, self.words, self.unit, spread([s.rate for s in self.ours]),
                spread([s.rate for s in self.theirs]), self.yardstick or "-", ratio, goal, self.verdict(),
                "%s / %s" % (ours[0], theirs[0]), "%s / %s" % (ours[1], theirs[1])]


HEAD = ["line", "what", "unit", "tally", "yardstick", "which", "ratio (quartiles)", "must / aim", "is",
        "CPU us an event", "RSS MB"]


def print_table(rows, out=sys.stdout):
    """Markdown that is also readable as it is."""
    table = [HEAD] + [r.cells() for r in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEAD))]
    for i, cells in enumerate(table):
        out.write("| %s |\n" % " | ".join(c.ljust(w) for c, w in zip(cells, widths)))
        if i == 0:
            out.write("|%s|\n" % "|".join("-" * (w + 2) for w in widths))
    for r in rows:
        if r.note:
            out.write("%s %s: %s\n" % (r.line, r.words, r.note))
    out.flush()


# ---- lines ----

Line = collections.namedtuple("Line", "name words fn")
LINES = []


def line(name, words):
    def add(fn):
        LINES.append(Line(name, words, fn))
        return fn
    return add


def now():
    return time.monotonic()


def take_priority():
    """BENCH_NICE=-5 (root): on a machine that others use too the load generator starves before the server does, and every
    ratio is pulled towards one. It takes a session of its own, since the kernel shares time between sessions first. Much
    less than -5 starves the kernel's own threads on that core, which the disk is waited for by."""
    wanted = os.environ.get("BENCH_NICE")
    if not wanted:
        return
    with contextlib.suppress(OSError):
        os.setsid()
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as f:
        f.write(wanted)
    os.nice(int(wanted) - os.nice(0))
