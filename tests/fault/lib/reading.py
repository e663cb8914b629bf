# SPDX-License-Identifier: Apache-2.0
"""What the tests of the read side share: a daemon with replicas, questions whose answers are compared with what was stored when
they were asked."""

import json
import threading
import time

from replication import Primary, Replica
from rig import Load, Maria, check, conf, metric, verify, wait_for, wait_ready

LAG_S = 2.0
PATIENT = "write_timeout: 20s, connect_timeout: 2s"


def sink_of(db, readers, lag="2s", extra="", flush="50ms"):
    urls = ", ".join('"mysql://tally:secret@127.0.0.1:%d/tally"' % (r if isinstance(r, int) else r.port) for r in readers)
    return 'mariadb: { name: main, url: "mysql://tally:secret@127.0.0.1:%d/tally", flush: %s, readers: [%s], max_reader_lag: %s, %s%s }' % (
        db if isinstance(db, int) else db.port, flush, urls, lag, PATIENT, ", " + extra if extra else "")


def cached(text):
    out = text.replace("rollup: {} ]", "rollup: {}, cache: {} ]")
    check(out != text, "the configuration has no place for a cache")
    return out


def name(server):
    return "127.0.0.1:%d" % (server if isinstance(server, int) else server.port)


def reads(d, server):
    return metric(d, "tally_reader_reads_total", reader=server if server == "primary" else name(server))


def passed(d, server, **labels):
    return metric(d, "tally_reader_passed_over_total", reader=name(server), **labels)


def is_up(d, server):
    return metric(d, "tally_reader_up", reader=name(server)) == 1


def wait_up(d, server, up=True, seconds=60):
    wait_for("reader %s to be %s" % (name(server), "asked" if up else "passed over"), lambda: is_up(d, server) == up, seconds)


def states(d):
    return dict((s["name"], s["state"]) for s in json.loads(d.tally("status", "--json"))["readers"])


def readyz(d):
    status, _, text = d.request("GET", "/readyz")
    return status, text.decode()


def ask(d, headers=None, **more):
    q = dict({"site_id": "default", "metrics": ["events"], "date_range": "all"}, **more)
    return d.json("POST", "/v1/query", q, headers)


def events_of(answer):
    return answer["results"][0]["metrics"][0] if answer["results"] else 0


def stored(db):
    return int(db.sql("SELECT COALESCE(SUM(events), 0) FROM tally_rollup_total WHERE grain = 3")[0][0])


class Truth(threading.Thread):
    """How many events the server that is written to has, again and again."""

    def __init__(self, db):
        super().__init__(daemon=True)
        self.db, self.seen, self.quit, self.broken = db, [], False, 0
        self.look()
        self.start()

    def look(self):
        before = time.monotonic()
        try:
            n = stored(self.db)
        except Exception:
            self.broken += 1
            return
        self.seen.append((before, n, time.monotonic()))

    def run(self):
        while not self.quit:
            self.look()
            time.sleep(0.02)

    def stop(self):
        self.quit = True
        self.join(30)
        self.look()
        return self

    def at_least(self, t):
        """Known to have been there at t."""
        return max([n for _, n, after in self.seen if after <= t], default=0)

    def at_most(self, t):
        """Known to be all there was at t."""
        return min([n for before, n, _ in self.seen if before >= t], default=None)


class Asker(threading.Thread):
    """One question after the other; every answer and when it was asked."""

    def __init__(self, d, truth, lag_s=LAG_S):
        super().__init__(daemon=True)
        self.d, self.truth, self.lag_s, self.answers, self.quit = d, truth, lag_s, [], False
        self.start()

    def run(self):
        while not self.quit:
            begin, wall = time.monotonic(), time.time()
            try:
                status, answer = ask(self.d)
            except Exception as why:
                status, answer = 0, {"detail": repr(why)}
            self.answers.append((begin, time.monotonic(), wall, status, answer))
            time.sleep(0.01)

    def wait(self, n, seconds=60):
        """Until n more questions are answered."""
        want = len(self.answers) + n
        wait_for("%d more answers" % n, lambda: len(self.answers) >= want, seconds)
        return self

    def stop(self):
        self.quit = True
        self.join(60)
        return self

    def judge(self, old=0):
        """None was refused, none was older than a replica may be, none had what was not stored. Of the first `old` seconds
        it may be older."""
        self.stop()
        self.truth.stop()
        bad = [a for a in self.answers if a[3] != 200]
        check(not bad, "%d of %d questions were refused, such as %r" % (len(bad), len(self.answers), bad[:2]))
        for begin, end, wall, _, answer in self.answers:
            n, fresh = events_of(answer), answer["meta"]["freshness"]
            least, most = self.truth.at_least(begin - self.lag_s), self.truth.at_most(end)
            check(n >= least, "an answer has %d events, %d were stored %g s before it was asked: %r" % (n, least, self.lag_s, answer))
            check(most is None or n <= most, "an answer has %d events of %d" % (n, most))
            check(fresh["lag_seconds"] is not None and fresh["lag_seconds"] <= (wall - begin + end) * 0 + 600, "freshness %r" % fresh)
        return len(self.answers)


def scene_of(scene, replicas=1, lag="2s", extra="", env=None, config=lambda text: text, load=True):
    db = Primary(scene)
    copies = [Replica(scene, db, "replica%d" % i, 10 + i) for i in range(replicas)]
    d = scene.tallyd(config(conf(sink_of(db, copies, lag, extra))), env=env)
    wait_ready(d)
    sender = Load(d, singles=1, batches=1, size=20, pause=0.01)
    sender.deliver(sender.events(10))
    d.flush()
    for copy in copies:
        wait_up(d, copy)
    if load:
        sender.start()
    return db, copies, d, sender


def finish(d, load, db, fig, answers=None):
    if load.threads[0].ident:
        load.stop()
    verify(d, [load], [Maria(db)], fig)
    fig.note = "%d answers compared" % answers if answers else fig.note
    d.stop()
