#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plugins dropped into the folder of a running daemon: one compiled outside the tree with one cc line changes events
after a HUP; broken ones are refused by name, reason and remedy, and harm nothing."""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import BUILD, SOURCE, check, equal, run, wait_for  # noqa: E402

CONF = """
sites: { default: { timezone: UTC, time_window: { past: any, future: 10m } } }
pipeline: [ dedup: { window: 10m }, auto: {}, rollup: {} ]
sinks: [ sqlite: { flush: 50ms } ]
"""

MARK = """
#include <stdlib.h>
#include <string.h>
#include <tally/plugin.h>
struct mark { const struct tally_host *host; struct tally_instance *in; };
static int mark_open(const struct tally_host *host, struct tally_instance *in, void **self)
{
	struct mark *m = malloc(sizeof *m);
	if (!m) return -1;
	m->host = host; m->in = in; *self = m;
	return %s;
}
static int mark_event(void *self, struct tally_event *ev)
{
	struct mark *m = self;
	struct tally_str key = { "marked", 6 }, yes = { "yes", 3 };
	if (ev->name.len == 4 && !memcmp(ev->name.ptr, "skip", 4)) { m->host->reason(m->in, "skipped", 0); return TALLY_DROP; }
	if (ev->page.len == 4 && !memcmp(ev->page.ptr, "/bad", 4)) return -22;
	m->host->prop_set(m->in, ev, key, yes, TALLY_PROP_STRING);
	return TALLY_PASS;
}
const struct tally_plugin tally_plugin = { %s, "%s", "1.0", "marks every event", .open = mark_open, .close = free, .event = mark_event };
"""


def compile_so(scene, plugins, name, opens="0", head="TALLY_PLUGIN_HEAD"):
    source = scene.path(name + ".c")
    with open(source, "w") as f:
        f.write(MARK % (opens, head, name))
    made = scene.path(name + ".so.new")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-I", os.path.join(SOURCE, "core/include"), "-o", made, source], check=True)
    os.rename(made, os.path.join(plugins, name + ".so"))


def one(d, **event):
    equal(d.send(event)[0], 200, "event")
    d.flush()


def main(scene):
    plugins = scene.path("plugins")
    os.mkdir(plugins, 0o755)
    for so in glob.glob(os.path.join(BUILD, "plugins", ".libs", "*.so")):
        shutil.copy(so, plugins)
    os.environ["TALLY_TEST_PLUGINS"] = plugins
    d = scene.tallyd(CONF)
    one(d, name="before", id="1")

    compile_so(scene, plugins, "mark")
    d.process.child.send_signal(signal.SIGHUP)
    wait_for("mark to run", lambda: any(p["name"] == "mark" and p["running"] for p in json.loads(d.tally("plugins", "--json"))))
    one(d, name="after", id="2")
    one(d, name="skip", id="3")
    one(d, name="after", id="4", page="/bad")
    rows = dict(d.sqlite("SELECT id, props FROM tally_event"))
    equal(rows, {"1": "{}", "2": '{"marked":"yes"}'}, "events before and after the plugin")
    (dead,) = json.loads(d.tally("dead", "list", "--json"))
    check("mark" in dead["error"], "the dead letter names the plugin: %r" % dead)
    (letter,) = json.loads(d.tally("dead", "show", dead["line"], str(dead["lsn"]), str(dead["idx"]), "--json"))
    equal((letter["event"]["id"], letter["event"]["page"]), ("4", "/bad"), "dead show")
    equal(d.json("GET", "/v1/ledger")[1]["balance"], 0, "balance with dropped and dead")
    print("mark.so: runs after HUP, changes events, drops with a reason, sends to the dead letters")

    compile_so(scene, plugins, "wrongabi", head="(uint32_t)sizeof(struct tally_plugin), 999u")
    compile_so(scene, plugins, "openfails", opens='host->fail(in, "the moon is not full; wait for it")')
    with open(os.path.join(plugins, "x.so"), "w") as f:
        f.write("not a shared object\n")
    compile_so(scene, plugins, "open2all")
    os.chmod(os.path.join(plugins, "open2all.so"), 0o666)
    d.tally("reload")
    refused = dict((os.path.basename(p["path"]), p["refusal"]) for p in json.loads(d.tally("plugins", "--json")) if p["refusal"])
    for name, words in (("wrongabi.so", "999"), ("x.so", "shared object"), ("openfails.so", "the moon is not full"), ("open2all.so", "writ")):
        check(words in refused.get(name, ""), "%s is refused with %r: %r" % (name, words, refused))
        print("refused %s: %s" % (name, refused[name]))
    one(d, name="after", id="5")
    equal(d.sqlite("SELECT COUNT(*) FROM tally_event")[0][0], 3, "events still come in")
    d.stop()


if __name__ == "__main__":
    run(main)
