#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis lists under the faults of the matrix: a server that freezes or dies, answers that get lost or come late, nodes that
are frozen past their lease, events that take the daemon down. Nothing is deduplicated here: what is taken twice is stored
twice, and seen. More of Redis: steps_redis.py (34, every step), redis_ha.py (36), redis_list.py."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lists import DEAD, LEASE, Pusher, daemon, drained, finish, plain, status, trouble, verify_union  # noqa: E402
from rig import (  # noqa: E402
    BUILD, LIST, SOURCE, Failed, Proxy, Sent, Sqlite, check, conf, equal, fired_in, full, main, row, sqlite, verify,
    wait_dead, wait_for)


def settle_of(message):
    """A settle script with elements to trim, not one that only extends the lease."""
    return b"EVAL" in message and b"LTRIM" in message and b"LINDEX" in message and b"sha1hex" in message \
        and not message.endswith(b"$0\r\n\r\n$0\r\n\r\n$6\r\n100000\r\n")


# ---- the server ----

@row("32a", "Redis frozen (SIGSTOP)")
def redis_frozen(scene, fig):
    redis = scene.redis()
    d = daemon(scene, redis.port)
    load = Pusher(redis).start()
    for seconds in (25, 3, 0.3) if full() else (1.5, 0.3):
        load.wait_acked(300)
        redis.process.child.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        redis.process.child.send_signal(signal.SIGCONT)
        fig.fired += 1
    load.wait_acked(300)
    finish(d, load, redis, fig)


@row("32b", "CLIENT PAUSE")
def redis_paused(scene, fig):
    redis = scene.redis()
    d = daemon(scene, redis.port)
    load = Pusher(redis, pause=0.01).start()
    load.wait_acked(300)
    redis.command("CLIENT", "PAUSE", 30000 if full() else 2000)
    fig.fired += 1
    load.wait_acked(600, 90)
    finish(d, load, redis, fig)


@row("32c", "Redis killed and started again, AOF always")
def redis_killed(scene, fig):
    redis = scene.redis()
    d = daemon(scene, redis.port)
    load = Pusher(redis, pause=0).start()
    for _ in range(20 if full() else 3):
        load.wait_acked(random.randint(50, 2000))
        redis.process.kill()
        time.sleep(random.uniform(0, 0.2))
        redis.start()
        fig.fired += 1
    began = time.monotonic()
    load.wait_acked(500)
    fig.recovery_s = time.monotonic() - began
    finish(d, load, redis, fig)
    check(status_was_back(d) == 0, "with AOF always Redis never goes back")


def status_was_back(d):
    with open(d.process.log) as f:
        return sum("went back" in line for line in f)


@row("32d", "TERM while Redis is frozen: the daemon ends in time")
def stop_frozen(scene, fig):
    redis = scene.redis()
    d = daemon(scene, redis.port)
    load = Pusher(redis).start()
    load.wait_acked(500)
    redis.process.child.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    d.stop(15)
    fig.recovery_s = time.monotonic() - began
    redis.process.child.send_signal(signal.SIGCONT)
    fig.fired = 1
    check(fig.recovery_s < 10, "it took %.1f s" % fig.recovery_s)
    d.start()
    finish(d, load, redis, fig)


# ---- answers ----

def through_proxy(scene, fig, action, times, after=3):
    redis = scene.redis()
    proxy = Proxy(redis.port, "redis")
    d = daemon(scene, proxy.port)
    load = Pusher(redis).start()
    rule = proxy.on(lambda link, m: settle_of(m), action, times=times, after=after)
    wait_for("the proxy to act", lambda: rule.times == 0, 60)
    load.wait_acked(300)
    fig.fired = proxy.fired
    finish(d, load, redis, fig)
    check(fig.fired == times, "acted %d times" % fig.fired)


@row("33a", "the script's answer lost")
def answer_lost(scene, fig):
    through_proxy(scene, fig, "lose_answer", 20 if full() else 4)


@row("33b", "the script lost on its way")
def script_lost(scene, fig):
    through_proxy(scene, fig, "lose", 20 if full() else 4)


@row("33c", "the script's answer late")
def answer_late(scene, fig):
    through_proxy(scene, fig, "delay_answer=%d" % (25 if full() else 1), 1)


@row("33d", "the script runs late, after the lease was taken anew")
def script_late(scene, fig):
    redis = scene.redis()
    proxy = Proxy(redis.port, "redis")
    d = daemon(scene, proxy.port)
    load = Pusher(redis).start()
    held = []

    def catch(link, message):
        if settle_of(message):
            held.append(message)
            return True
        return False
    rule = proxy.on(catch, "lose", times=4, after=3)
    wait_for("four scripts held back", lambda: rule.times == 0, 60)
    before = status(d)["batches"]       # before the lease is taken anew a late script may still do its work
    wait_for("a new taking", lambda: status(d)["batches"] > before, 30)
    for message in held:
        with socket.create_connection(("127.0.0.1", redis.port), 10) as s:
            s.sendall(message)
            got = redis.read(s.makefile("rb"))
            check(got == "lost", "a late script was answered %r" % got)
            fig.fired += 1
    finish(d, load, redis, fig)


# ---- crashes (all steps: steps_redis.py) ----

@row("34", "a crash before the script, behind it, before RELEASE")
def crash_around_script(scene, fig):
    redis = scene.redis()
    seams = ["redis.pended", "redis.settle", "redis.settled", "redis.release", "redis.released"]
    d = daemon(scene, redis.port, env={"TALLY_FAULT": "%s:2:kill" % seams[0]})
    load = Pusher(redis).start()
    for seam in seams[1:] + [None]:
        wait_dead(d)
        d.kill()
        d.env = {"TALLY_FAULT": "%s:2:kill" % seam} if seam else None
        d.start(wait=not seam)      # armed, it may die before it has answered anything
    fig.fired = sum(fired_in(d, s) for s in seams)
    check(fig.fired == len(seams), "fired %d times" % fig.fired)
    finish(d, load, redis, fig)


# ---- the lease ----

def stolen(scene, fig, seam, others):
    """Frozen with a batch in hand until `others` have had the list one after the other; then all thaw."""
    redis = scene.redis()
    ds = [daemon(scene, redis.port, "node1", env={"TALLY_FAULT": "%s:4:stall=1500" % seam})]
    load = Pusher(redis, size=50).start()
    wait_for("the seam", lambda: fired_in(ds[0], seam), 30, 0.005)
    for i in range(others):
        ds[-1].process.child.send_signal(signal.SIGSTOP)
        redis.command("PEXPIRE", LEASE, 1)
        ds.append(daemon(scene, redis.port, "node%d" % (i + 2)))
        wait_for("another owner", lambda: status(ds[-1])["owner"], 20)
        load.wait_acked(300)
        wait_for("batches of the other", lambda: status(ds[-1])["batches"] > 1, 20)
        fig.fired += 1
    for d in ds[:-1]:
        d.process.child.send_signal(signal.SIGCONT)
    load.wait_acked(300)
    trouble(ds[0], "another consumer holds the list")
    load.stop()
    drained(redis, ds)
    verify_union(ds, [load], [Sqlite(d) for d in ds], fig)
    for d in ds:
        d.stop()


@row("35a", "frozen before the script, lease stolen by another")
def stolen_by_one(scene, fig):
    stolen(scene, fig, "redis.settle", 1)


@row("35b", "frozen before the script, stolen by two in turn")
def stolen_by_two(scene, fig):
    stolen(scene, fig, "redis.settle", 2)


@row("35c", "frozen behind the script, lease stolen")
def stolen_behind(scene, fig):
    stolen(scene, fig, "redis.settled", 1)


# ---- an event that takes the daemon down ----

BOOM = """
#include <stdlib.h>
#include <string.h>
#include <tally/plugin.h>
static volatile int *nowhere;
static int is(const struct tally_event *ev, const char *name)
{
	return ev->name.len == strlen(name) && !memcmp(ev->name.ptr, name, ev->name.len);
}
static int deep(int n)
{
	volatile char room[4096];
	room[n % 4096] = (char)n;
	return deep(n + 1) + room[0];
}
static int boom_admit(void *self, uint64_t ticket, const struct tally_event *ev)
{
	if (is(ev, "abort-admit")) abort();
	return TALLY_PASS;
}
static int boom_event(void *self, struct tally_event *ev)
{
	if (is(ev, "abort")) abort();
	if (is(ev, "segv")) *nowhere = 1;
	if (is(ev, "exit")) exit(0);
	if (is(ev, "deep")) return deep(1) ? TALLY_PASS : TALLY_DROP;
	return TALLY_PASS;
}
static void boom_recall(void *self, const struct tally_event *ev)
{
	if (is(ev, "abort-recall")) abort();
}
const struct tally_plugin tally_plugin = { TALLY_PLUGIN_HEAD, "boom", "1.0", "dies", .admit = boom_admit,
	.event = boom_event, .recall = boom_recall };
"""


def plugins_with_boom(scene):
    folder = scene.path("plugins")
    shutil.copytree(os.path.join(BUILD, "plugins", ".libs"), folder)
    with open(scene.path("boom.c"), "w") as f:
        f.write(BOOM)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-I", os.path.join(SOURCE, "core/include"), "-o",
                    os.path.join(folder, "boom.so"), scene.path("boom.c")], check=True, stderr=subprocess.DEVNULL)
    return folder


def poison(scene, fig, name, give):
    """Dies three times on one event, no more, and its neighbours are stored."""
    redis = scene.redis()
    os.environ["TALLY_TEST_PLUGINS"] = plugins_with_boom(scene)
    try:
        d = scene.tallyd(plain(conf(sqlite(), redis=redis.port)).replace("rollup: {} ]", "auto: {}, rollup: {} ]"))
        load = Pusher(redis).push_all(100)
        drained(redis, d)
        culprit = {"name": name, "id": "culprit", "visitor": "v", "value": 1}
        load.sent["culprit"] = Sent(name, "v", 1)
        load.acked["culprit"] = "redis"
        before, behind = load.events(50), load.events(50)
        load.note(before + behind, "redis")
        give(d, redis, before + [culprit] + behind)
        for _ in range(3):
            wait_dead(d)
            fig.fired += 1
            d.start(wait=False)
        d.wait_alive()
        load.push_all(100)
        drained(redis, d)
        if "admit" in name:
            del load.acked["culprit"]
            dead = [json.loads(e) for e in redis.command("LRANGE", DEAD, 0, -1)]
            equal([(e["reason"], e["event"]["id"]) for e in dead], [("crashed", "culprit")], "the dead list")
        verify(d, [load], [Sqlite(d)], fig, redis)
        if "admit" not in name:
            error = d.sqlite("SELECT error FROM tally_dead")
            check(len(error) == 1 and "boom" in error[0][0], "dead letters: %r" % error)
        d.stop()
        d.start()       # and a start later the same
        verify(d, [load], [Sqlite(d)], fig, redis)
        d.stop()
    finally:
        del os.environ["TALLY_TEST_PLUGINS"]


def by_list(d, redis, events):
    redis.push(LIST, [json.dumps(e) for e in events])


def by_array(d, redis, events):
    redis.push(LIST, [json.dumps(events)])


def by_http(d, redis, events):
    try:
        d.send(events)
    except (OSError, Failed, http.client.HTTPException):
        pass        # it may die before it answers; what is durable counts all the same


@row("37a", "an element on which a plugin aborts in event()")
def poison_event(scene, fig):
    poison(scene, fig, "abort", by_list)


@row("37b", "the same in admit(), at RELEASE, in an array")
def poison_admit(scene, fig):
    poison(scene, fig, "abort-admit", by_array)


@row("37c", "an event over HTTP on which a plugin faults")
def poison_http(scene, fig):
    poison(scene, fig, "segv", by_http)


@row("37d", "a plugin that calls exit()")
def poison_exit(scene, fig):
    poison(scene, fig, "exit", by_http if full() else by_list)


@row("37e", "a plugin that runs out of its stack")
def poison_deep(scene, fig):
    poison(scene, fig, "deep", by_list)


if __name__ == "__main__":
    main()
