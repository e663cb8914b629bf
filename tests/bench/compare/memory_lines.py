# SPDX-License-Identifier: Apache-2.0
"""P10: memory, idle and at full load. All plugins of the default pipeline, SQLite behind them."""

import os

from http_lines import load
from kit import SITES, Row, Sample, equal, in_turn, line, must_hold, pid_of, stage, status_kb
from yardsticks import Nginx

EVENTS = int(os.environ.get("BENCH_MEMORY_EVENTS") or 500000)
CONF = ('lanes: 1\nack: written\nlog: { level: warn }\n%s'
        'rollups:\n  - { name: pages, by: ["event:page"], metrics: [events], keys: 100000 }\n'
        '  - { name: xs, by: ["event:props:x"], metrics: [events, visitors] }\nsinks: [ sqlite: { name: store } ]\n')


def mb(pid, field):
    return Sample(status_kb(pid, field) / 1024, None, status_kb(pid, "VmHWM"))


def idle_run(scene):
    def run():
        d = scene.tallyd(CONF % SITES, "idle%d" % len(scene.processes))     # each with a data_dir of its own
        d.send([{"name": "view", "page": "/"}])
        must_hold(d, 1)
        sample = mb(pid_of(d.process), "VmRSS")
        d.stop()
        return sample
    return run


def nginx_run(scene):
    def run():
        nginx = Nginx(scene)
        sample = mb(pid_of(nginx.process), "VmRSS")
        nginx.process.stop()
        return sample
    return run


@line("P10", "memory")
def memory():
    with stage() as scene:
        a, b = in_turn(idle_run(scene), nginx_run(scene))
    yield Row("P10", "RSS idle", "MB", a, b, "nginx", 12, 6, less=True, absolute=True)
    with stage() as scene:
        d = scene.tallyd(CONF % SITES)
        got = load(d.port, "/v1/events", requests=EVENTS // 100, batch=100, pages=100000, visitors=EVENTS)
        equal(got["accepted"], EVENTS, "accepted")
        must_hold(d, EVENTS)
        pages = d.sqlite("SELECT COUNT(DISTINCT event_page), (SELECT COUNT(*) FROM tally_rollup_xs WHERE visitors_hll IS NOT NULL"
                         " AND LENGTH(visitors_hll) > 12288) FROM tally_rollup_pages")[0]
        a = [mb(pid_of(d.process), "VmHWM")]
    yield Row("P10", "RSS at full load, at most", "MB", a, [], None, 48, 32, less=True,
              note="%d events in batches of 100; then %d counters a grain, %d dense sketches in the store" % ((EVENTS,) + pages))
