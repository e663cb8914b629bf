#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples of docs/query.md are run as they stand, over the sample that they are written for: every curl is answered,
and where its answer is printed in full below it, this is what comes out (numbers of time and cost aside)."""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import BUILD, SOURCE, Tallyd, check, equal, run  # noqa: E402


def blocks(text):
    return re.findall(r"```(\w*)\n(.*?)```", text, re.S)


def commands(block):
    """The curls of a block, each with the lines of output that stand below it."""
    out = []
    for line in block.splitlines():
        if line.startswith("curl "):
            out.append([line, []])
        elif out and not quoted(out[-1][0]):
            out[-1][0] += "\n" + line
        elif out:
            out[-1][1].append(line)
    return out


def quoted(text):
    try:
        shlex.split(text)
        return True
    except ValueError:
        return False


def ask(d, command):
    """(status, body) of a curl."""
    words = [w for w in shlex.split(command)[1:] if w not in ("-s", "-sN")]
    body = words[words.index("-d") + 1] if "-d" in words else None
    url = next(w for w in words if w.startswith("localhost:8470"))
    parts = urllib.parse.urlsplit("http://" + url)
    path = parts.path + ("?" + parts.query if parts.query else "")
    if path.endswith("/live"):
        return 200, None  # tests/e2e/live.py
    status, _, text = d.request("POST" if body else "GET", path, body)
    return status, text.decode()


def check_json(got, shown, command):
    """Rows of results that are printed without a gap are the rows."""
    rows = re.search(r'"results":\[(.*?)\](?=,\s*"meta"|, …)', shown, re.S)
    if not rows or "…" in rows.group(1):
        return 0
    want = json.loads("[" + rows.group(1) + "]")
    equal(json.loads(got)["results"], want, command)
    return 1


def main(scene):
    day = scene.path("day.ndjson")
    with open(day, "wb") as f:
        subprocess.run([os.path.join(BUILD, "tests", "sample", "day")], stdout=f, check=True)
    d = Tallyd(scene, "include: %s\n" % os.path.join(SOURCE, "conf", "quickstart.yaml"))
    d.tally("--json", "send", day)
    d.flush()
    with open(os.path.join(SOURCE, "docs", "query.md")) as f:
        found = blocks(f.read())
    ran = compared = 0
    for i, (kind, block) in enumerate(found):
        if kind != "sh":
            continue
        for command, below in commands(block):
            status, got = ask(d, command)
            equal(status, 200, "%s: %r" % (command, got))
            ran += 1
            below = [line for line in below if line]
            if below and got:
                for line, want in zip(got.splitlines(), below):
                    if want != "…":
                        equal(line, want, command)
                        compared += 1
            elif got and i + 1 < len(found) and found[i + 1][0] == "json" and "2024-11-29" in command:
                compared += check_json(got, found[i + 1][1], command)
    check(ran >= 8 and compared >= 9, "%d commands run, %d answers compared" % (ran, compared))
    print("%d commands run, %d answers or lines compared" % (ran, compared))
    d.stop()


run(main)
