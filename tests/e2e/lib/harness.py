# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: a private tallyd, MariaDB and Redis in a temporary folder on free ports, stopped by
pid; HTTP without proxies; checks that print what they compared.

A test is a script: it calls run(main) and ends with exit 0, 1 or 77 (skipped, said as `skipped NAME: why`)."""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.environ.get("abs_top_builddir") or os.getcwd()
SOURCE = os.path.realpath(os.environ.get("abs_top_srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))
DATA = os.environ.get("TALLY_DATA") or os.path.join(os.path.dirname(SOURCE), "shared", "data")
NAME = os.path.basename(sys.argv[0])


class Skip(Exception):
    pass


class Failed(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Failed(what)


def equal(got, want, what):
    if got != want:
        raise Failed("%s: got %r, want %r" % (what, got, want))


def need_data(name):
    path = os.path.join(DATA, name)
    if not os.path.exists(path):
        raise Skip("the shared data folder is not there (TALLY_DATA)")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, fn, seconds=30, every=0.02):
    until = time.monotonic() + seconds
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > until:
            raise Failed("waited %d s for %s" % (seconds, what))
        time.sleep(every)


def program(name):
    """The built program; libtool's wrapper where there is one."""
    path = os.path.join(BUILD, "core", "main", name)
    check(os.path.exists(path), "%s is not built" % path)
    return path


class Process:
    """A child with a log file, stopped by its own pid."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.log = log
        self.out = open(log, "ab")
        self.child = subprocess.Popen(argv, stdout=self.out, stderr=self.out, stdin=subprocess.DEVNULL, env=env,
                                      cwd=cwd)

    def alive(self):
        return self.child.poll() is None

    def kill(self):
        if self.alive():
            self.child.kill()
        self.child.wait()
        self.out.close()

    def stop(self, seconds=30, sig=signal.SIGTERM):
        if self.alive():
            self.child.send_signal(sig)
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise Failed("%s did not end within %d s" % (self.log, seconds))
        self.out.close()
        return code

    def tail(self, n=40):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-n:])


class Scene:
    """A temporary folder and everything started in it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="tally-test-")
        self.processes = []
        self.keep = bool(os.environ.get("TALLY_KEEP"))

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def start(self, argv, name, env=None):
        p = Process(argv, self.path(name + ".log"), env)
        self.processes.append(p)
        return p

    def close(self, failed):
        for p in reversed(self.processes):
            if failed and p.alive() is not None:
                sys.stdout.write("---- %s\n%s" % (p.log, p.tail()))
            try:
                p.kill()
            except (OSError, ValueError):
                pass
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- servers

    def mariadb(self, name="mariadb", options=()):
        return MariaDB(self, name, options)

    def redis(self, name="redis", options=()):
        return Redis(self, name, options)

    def tallyd(self, conf, name="tallyd", env=None):
        return Tallyd(self, conf, name, env)


class MariaDB:
    def __init__(self, scene, name, options=()):
        self.scene, self.name, self.options = scene, name, list(options)
        self.data, self.socket = scene.path(name), scene.path(name + ".sock")
        self.port = free_port()
        self.install()
        self.start()
        self.sql("CREATE DATABASE tally CHARACTER SET utf8mb4; CREATE USER tally@'127.0.0.1' IDENTIFIED BY 'secret'; "
                 "GRANT ALL ON tally.* TO tally@'127.0.0.1'", database="mysql")

    def install(self):
        # a temporary folder of its own: a server removes what it takes for its leavings there when it starts
        os.makedirs(self.data + ".tmp", exist_ok=True)
        p = subprocess.run(["mariadb-install-db", "--no-defaults", "--datadir=" + self.data, "--tmpdir=" + self.data + ".tmp",
                            "--auth-root-authentication-method=normal", "--skip-test-db", "--user=root"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(p.returncode == 0, "mariadb-install-db: %s" % p.stdout.decode(errors="replace")[-1500:])

    def start(self):
        self.process = self.scene.start(
            ["mariadbd", "--no-defaults", "--user=root", "--datadir=" + self.data, "--tmpdir=" + self.data + ".tmp",
             "--socket=" + self.socket,
             "--port=%d" % self.port, "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=1",
             "--innodb-buffer-pool-size=64M", "--skip-name-resolve", "--pid-file=" + self.scene.path(self.name + ".pid")]
            + self.options, self.name)
        wait_for("MariaDB", self.answers, 60)

    def answers(self):
        return subprocess.run(["mariadb-admin", "--no-defaults", "-uroot", "--socket=" + self.socket, "ping"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def stop(self):
        self.process.stop(60)

    def url(self):
        return "mysql://tally:secret@127.0.0.1:%d/tally" % self.port

    def sql(self, text, database="tally"):
        """Rows as lists of texts."""
        p = subprocess.run(["mariadb", "--no-defaults", "-uroot", "--socket=" + self.socket, "-N", "-B", "-r", database, "-e", text],
                           capture_output=True)
        check(p.returncode == 0, "%s: %s" % (text[:200], p.stderr.decode(errors="replace").strip()))
        return [line.split("\t") for line in p.stdout.decode().splitlines()]


class Redis:
    def __init__(self, scene, name, options=()):
        self.scene, self.name, self.options = scene, name, list(options)
        self.port = free_port()
        os.makedirs(scene.path(name), exist_ok=True)
        self.start()

    def start(self):
        self.process = self.scene.start(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.scene.path(self.name),
             "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"] + self.options, self.name)
        wait_for("Redis", self.answers, 30)

    def answers(self):
        try:
            return self.command("PING") == "PONG"
        except (OSError, Failed):
            return False

    def command(self, *args):
        """One command; bulk, status and integer answers, lists flat."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            return self.on(s, *args)

    @staticmethod
    def encode(args):
        out = b"*%d\r\n" % len(args)
        for a in args:
            b = a if isinstance(a, bytes) else str(a).encode()
            out += b"$%d\r\n%s\r\n" % (len(b), b)
        return out

    def on(self, s, *args):
        s.sendall(self.encode(args))
        return self.read(s.makefile("rb"))

    def read(self, f):
        line = f.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise Failed("Redis: " + rest.decode())
        if kind == b"$":
            n = int(rest)
            if n < 0:
                return None
            data = f.read(n + 2)[:-2]
            return data.decode(errors="replace")
        if kind == b"*":
            return [self.read(f) for _ in range(int(rest))]
        raise Failed("Redis: no answer")

    def push(self, key, elements, chunk=1000):
        """RPUSH of many elements over one connection."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as s:
            f = s.makefile("rb")
            for i in range(0, len(elements), chunk):
                s.sendall(self.encode(["RPUSH", key] + elements[i:i + chunk]))
                self.read(f)

    def url(self):
        return "redis://127.0.0.1:%d/0" % self.port

    def stop(self):
        self.process.stop(30)


class Tallyd:
    """conf is YAML text; listen, admin, plugin_dir and data_dir are set here."""

    def __init__(self, scene, conf, name="tallyd", env=None):
        self.scene, self.name, self.env = scene, name, env
        self.port = free_port()
        self.data = scene.path(name + ".data")
        self.admin = scene.path(name + ".sock")
        self.file = scene.path(name + ".yaml")
        self.configure(conf)
        self.start()

    def configure(self, conf):
        with open(self.file, "w") as f:
            f.write("listen: 127.0.0.1:%d\nadmin: %s\n" % (self.port, self.admin))
            f.write(conf)

    def start(self, wait=True):
        env = dict(os.environ, **(self.env or {}))
        self.process = self.scene.start(
            [program("tallyd"), "-c", self.file, "-d", self.data, "-p", self.plugin_dir()], self.name, env)
        if wait:
            self.wait_alive()

    @staticmethod
    def plugin_dir():
        return os.environ.get("TALLY_TEST_PLUGINS") or os.path.join(BUILD, "plugins", ".libs")

    def wait_alive(self, seconds=60):
        def up():
            if not self.process.alive():
                raise Failed("tallyd ended:\n" + self.process.tail())
            try:
                return self.request("GET", "/healthz")[0] == 200
            except (OSError, http.client.HTTPException):
                return False
        wait_for("tallyd", up, seconds)

    def request(self, method, path, body=None, headers=None, timeout=60):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            if isinstance(body, str):
                body = body.encode()
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read()
        finally:
            c.close()

    def json(self, method, path, body=None, headers=None):
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        status, _, text = self.request(method, path, body, headers)
        try:
            return status, json.loads(text)
        except ValueError:
            raise Failed("%s %s: %d %r is not JSON" % (method, path, status, text[:200]))

    def send(self, events, path="/v1/events"):
        return self.json("POST", path, events)

    def query(self, **q):
        status, answer = self.json("POST", "/v1/query", q)
        check(status == 200, "query %r: %d %r" % (q, status, answer))
        return answer

    def rows(self, **q):
        """[[dimensions…, metrics…], …]"""
        return [r["dimensions"] + r["metrics"] for r in self.query(**q)["results"]]

    def tally(self, *args, stdin=None, ok=(0,)):
        p = subprocess.run([program("tally"), "-s", self.admin] + list(args), input=stdin, capture_output=True)
        check(p.returncode in ok, "tally %s: exit %d\n%s%s" % (" ".join(args), p.returncode,
              p.stdout.decode(errors="replace")[-2000:], p.stderr.decode(errors="replace")[-2000:]))
        return p.stdout.decode(errors="replace")

    def flush(self):
        return self.tally("flush")

    def kill(self):
        self.process.kill()

    def stop(self, seconds=30):
        equal(self.process.stop(seconds), 0, "exit of tallyd")

    def sqlite(self, sql, args=()):
        db = sqlite3.connect(os.path.join(self.data, "tally.db"), timeout=30)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()


def run(main):
    scene = Scene()
    failed = True
    try:
        main(scene)
        failed = False
        print("%s: ok" % NAME)
        code = 0
    except Skip as why:
        failed = False
        print("skipped %s: %s" % (NAME, why))
        code = 77
    except Failed as why:
        print("%s: FAILED: %s" % (NAME, why))
        code = 1
    except Exception:
        traceback.print_exc(file=sys.stdout)
        code = 1
    finally:
        scene.close(failed)
    sys.exit(code)
