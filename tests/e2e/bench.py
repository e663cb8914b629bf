#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tally bench: measures the disk and a tallyd of its own, in three forms of output; leaves nothing behind, neither when it
is done nor when it is stopped; says what it cannot do."""

import csv
import io
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import Tallyd, check, equal, program, run, wait_for  # noqa: E402


def command(folder, *args):
    return [program("tally"), "bench", "--dir", folder, "--seconds", "0.1", "-p", Tallyd.plugin_dir()] + list(args)


def bench(folder, *args, code=0):
    p = subprocess.run(command(folder, *args), capture_output=True, text=True)
    equal(p.returncode, code, "exit of tally bench %s: %s%s" % (args, p.stdout, p.stderr))
    equal(os.listdir(folder) if os.path.isdir(folder) else [], [], "what is left in the folder")
    return p


def figures(folder):
    rows = json.loads(bench(folder, "--json").stdout)
    equal([r["what"].split(",")[0] for r in rows], ["write and sync of 4 KiB"] * 2 + ["events"] * 6, "rows")
    equal([r["what"].split()[-1] for r in rows[2:]], ["written"] * 2 + ["durable"] * 2 + ["stored"] * 2, "levels")
    for r in rows:
        check(r["per_second"] > 0 and 0 < r["p50_us"] <= r["p99_us"], repr(r))
    got = list(csv.DictReader(io.StringIO(bench(folder, "--csv").stdout)))
    equal([r["what"] for r in got], [r["what"] for r in rows], "rows of CSV")
    check(all(int(r["per_second"]) > 0 for r in got), repr(got))


def stopped(folder):
    p = subprocess.Popen(command(folder)[:4] + ["--seconds", "60", "-p", Tallyd.plugin_dir()], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    wait_for("its folder", lambda: os.listdir(folder))
    p.send_signal(signal.SIGINT)
    equal((p.wait(120), os.listdir(folder)), (1, []), "exit and what is left after INT")


def refused(scene, folder):
    said = bench(scene.path("nowhere"), code=1).stderr
    check("nowhere" in said and "--dir" in said, said)
    empty = scene.path("no-sinks")
    os.mkdir(empty)
    p = subprocess.run(command(folder)[:6] + ["-p", empty], capture_output=True, text=True)
    equal((p.returncode, os.listdir(folder)), (1, []), "without sinks")
    check("tallyd ended at its start" in p.stderr and "sqlite" in p.stderr, p.stderr)
    p = subprocess.run([program("tally"), "bench", "--seconds", "x"], capture_output=True, text=True)
    equal(p.returncode, 2, "a time that is none")
    p = subprocess.run([program("tally"), "bench", "--help"], capture_output=True, text=True)
    check(p.returncode == 0 and "--seconds" in p.stdout, p.stdout)


def main(scene):
    folder = scene.path("disk")
    os.mkdir(folder)
    figures(folder)
    stopped(folder)
    refused(scene, folder)


if __name__ == "__main__":
    run(main)
