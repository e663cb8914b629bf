# SPDX-License-Identifier: Apache-2.0
"""What tally is compared with: each is started privately, as its own packages come, or named as missing."""

import os
import shutil
import socket
import subprocess

from harness import BUILD, Failed, free_port, wait_for
from kit import HERE, Missing, tool

CACHE = os.path.join(BUILD, "bench-cache")
MODULES = ("express@5", "ioredis@5", "mysql2@3")


def find(program, remedy):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Missing("%s is not installed (%s)" % (program, remedy))
    return path


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_listens(process, port, what):
    def up():
        if not process.alive():
            raise Failed("%s ended:\n%s" % (what, process.tail()))
        return listens(port)
    wait_for(what, up, 30)


# ---- nginx: `return 204`, the body read and thrown away ----

NGINX = """daemon off; master_process off; pid %(dir)s/nginx.pid; error_log %(dir)s/nginx-error.log crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300; client_body_buffer_size 64k; server_tokens off;
  client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/p; fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u;
  scgi_temp_path %(dir)s/s;
  server { listen 127.0.0.1:%(port)d backlog=1024; location / { return 204; } }
}
"""


class Nginx:
    def __init__(self, scene):
        path = find("nginx", "./bootstrap bench, or the package nginx-light")
        self.port = free_port()
        with open(scene.path("nginx.conf"), "w") as f:
            f.write(NGINX % {"dir": scene.dir, "port": self.port})
        self.process = scene.start([path, "-c", scene.path("nginx.conf"), "-e", scene.path("nginx-early.log")], "nginx")
        wait_listens(self.process, self.port, "nginx")


class Http204:
    """tally's own HTTP room, which answers 204 and does nothing else: an answer from a program's memory."""

    def __init__(self, scene):
        self.port = free_port()
        self.process = scene.start([os.path.join(BUILD, "tests/bench/http204"), "127.0.0.1:%d" % self.port], "http204")
        wait_listens(self.process, self.port, "http204")


# ---- Express, Redis and a worker in Node ----

def node_modules():
    """A folder with the three packages, by NODE_PATH or in a cache of the build."""
    for place in os.environ.get("NODE_PATH", "").split(":") + [os.path.join(CACHE, "node_modules")]:
        if place and all(os.path.isdir(os.path.join(place, m.split("@")[0])) for m in MODULES):
            return place
    npm = find("npm", "or set NODE_PATH to a folder with express, ioredis and mysql2")
    os.makedirs(CACHE, exist_ok=True)
    p = subprocess.run([npm, "install", "--prefix", CACHE, "--no-audit", "--no-fund"] + list(MODULES),
                       capture_output=True)
    if p.returncode != 0:
        raise Missing("npm cannot install %s (set NODE_PATH to a folder that has them): %s" % (
            ", ".join(MODULES), p.stderr.decode(errors="replace").strip().splitlines()[-1:]))
    return os.path.join(CACHE, "node_modules")


class Node:
    """The two halves of that stack: front.js takes requests and pushes, worker.js stores."""

    def __init__(self, scene, redis, db):
        self.scene, self.redis, self.db = scene, redis, db
        self.node = find("node", "the packages nodejs and npm")
        self.env = dict(os.environ, NODE_PATH=node_modules())
        self.port = free_port()
        self.front = scene.start([self.node, os.path.join(HERE, "node/front.js"), str(self.port), str(redis.port)],
                                 "front", self.env)
        wait_listens(self.front, self.port, "the front of the Node stack")

    def worker(self, mode, events):
        """Stores `events`, then prints its figures and ends."""
        return self.scene.start([self.node, os.path.join(HERE, "node/worker.js"), mode, str(self.redis.port),
                                 self.db.socket, str(events)], "worker", self.env)


# ---- rsyslog: lines by TCP, JSON read, rows in MariaDB ----

RSYSLOG = """module(load="imptcp")
module(load="mmjsonparse")
module(load="ommysql")
global(workDirectory="%(dir)s" maxMessageSize="8k")
template(name="ins" type="list" option.sql="on") {
  constant(value="insert into bench.syslog (id,ts,type,page,visitor,props) values ('") property(name="$!id")
  constant(value="',from_unixtime(") property(name="$!time") constant(value="/1000),'") property(name="$!name")
  constant(value="','") property(name="$!page") constant(value="',unhex('") property(name="$!visitor")
  constant(value="'),'") property(name="$!props") constant(value="')")
}
input(type="imptcp" address="127.0.0.1" port="%(port)d" ruleset="r")
ruleset(name="r" queue.type="LinkedList" queue.size="200000" queue.fullDelayMark="190000"
        queue.dequeueBatchSize="1000" queue.workerThreads="1") {
  action(type="mmjsonparse" cookie="")
  action(type="ommysql" server="localhost" socket="%(socket)s" db="bench" uid="root" pwd="" template="ins")
}
"""


class Rsyslog:
    def __init__(self, scene, db):
        path = find("rsyslogd", "./bootstrap bench, or the packages rsyslog and rsyslog-mysql")
        if not any(os.path.exists(os.path.join(d, "rsyslog/ommysql.so"))
                   for d in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64")):
            raise Missing("rsyslog has no ommysql (./bootstrap bench, or the package rsyslog-mysql)")
        self.port, self.db = free_port(), db
        db.sql("CREATE DATABASE IF NOT EXISTS bench; CREATE OR REPLACE TABLE bench.syslog (id CHAR(21) PRIMARY KEY, "
               "ts DATETIME(6), type VARCHAR(32), page VARCHAR(512), visitor BINARY(16), props JSON)", "mysql")
        with open(scene.path("rsyslog.conf"), "w") as f:
            f.write(RSYSLOG % {"dir": scene.dir, "port": self.port, "socket": db.socket})
        self.process = scene.start([path, "-n", "-i", scene.path("rsyslog.pid"), "-f", scene.path("rsyslog.conf")],
                                   "rsyslog")
        wait_listens(self.process, self.port, "rsyslog")


def have_tools(*names):
    for name in names:
        if not os.path.exists(tool(name)):
            raise Missing("%s is not built (make bench does it)" % tool(name))
