# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that stands between tallyd and MariaDB or Redis and does to chosen messages what a bad network does.

Requests are cut out of the stream by their protocol, so that a rule acts on a whole one: a MySQL packet, a RESP array.
Both clients of tally wait for an answer before they send again, so what comes back after a request is its answer.

Rules (Proxy.on) act on the requests that `match` picks:
    lose          the request is not passed on; both ends are cut: the server never saw it
    lose_answer   passed on; the answer is thrown away and the client cut: the server did it, nobody was told
    freeze        not passed on; this connection stands still, both ends open, until thaw()
    freeze_answer passed on; then the connection stands still: the session on the server lives on with its locks
    delay=S       passed on after S seconds
    delay_answer=S  the answer comes S seconds late
"""

import socket
import struct
import threading
import time

RST = struct.pack("ii", 1, 0)
CHUNK = 1 << 16


def mysql_message(buf):
    """Length of the first whole request in buf: packets are joined while they are full. 0 = more is needed."""
    at = 0
    while True:
        if len(buf) < at + 4:
            return 0
        n = buf[at] | buf[at + 1] << 8 | buf[at + 2] << 16
        at += 4 + n
        if len(buf) < at:
            return 0
        if n < 0xFFFFFF:
            return at


def redis_message(buf):
    """The same for RESP: one array of bulk strings, or a line."""
    end = buf.find(b"\r\n")
    if end < 0:
        return 0
    if buf[:1] != b"*":
        return end + 2
    at = end + 2
    for _ in range(int(buf[1:end])):
        end = buf.find(b"\r\n", at)
        if end < 0:
            return 0
        at = end + 2 + int(buf[at + 1:end]) + 2
        if len(buf) < at:
            return 0
    return at


MESSAGE = {"mysql": mysql_message, "redis": redis_message, "tcp": len}


def mysql_text(message):
    """The SQL of a COM_QUERY, b'' of anything else."""
    return bytes(message[5:]) if len(message) > 5 and message[4] == 3 else b""


def writes_commit(link, message):
    """A COMMIT of a batch: one that ends a transaction in which the position was moved."""
    return mysql_text(message) == b"COMMIT" and link.moved


class Rule:
    def __init__(self, match, action, times, after):
        name, _, value = action.partition("=")
        self.match, self.action, self.seconds = match, name, float(value or 0)
        self.times, self.after = times, after

    def picks(self, link, message):
        if callable(self.match):
            return self.match(link, message)
        return self.match in message


class Link:
    """One connection: two threads that pump."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.moved = False      # mysql: the position was moved in the transaction under way
        self.lost = False       # the answer is thrown away, then the client is cut
        self.late = 0.0         # the next answer comes so much later
        self.still = threading.Event()
        self.still.set()
        self.over = False
        for fn in (self.up, self.down):
            threading.Thread(target=fn, daemon=True).start()

    def close(self):
        """Both ends learn of it: a close() alone would wait for the thread that sits in recv()."""
        if self.over:
            return
        self.over = True
        self.still.set()
        for s in (self.client, self.server):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
        self.proxy.forget(self)

    def wait(self):
        self.still.wait()
        self.proxy.still.wait()
        return not self.over

    def act(self, message):
        """False: the message is not to be passed on."""
        rule = self.proxy.rule_for(self, message)
        if not rule:
            return True
        if rule.action == "lose":
            self.close()
            return False
        if rule.action == "lose_answer":
            self.lost = True
        elif rule.action == "freeze":
            self.still.clear()
            return self.wait()
        elif rule.action == "freeze_answer":
            self.still.clear()
        elif rule.action == "delay":
            time.sleep(rule.seconds)
        elif rule.action == "delay_answer":
            self.late = rule.seconds
        return True

    def note(self, message):
        if self.proxy.protocol == "mysql":
            sql = mysql_text(message)
            if sql.startswith(b"START TRANSACTION"):
                self.moved = False
            elif sql.startswith(b"UPDATE") and b"tally_position" in sql:
                self.moved = True

    def up(self):
        buf = bytearray()
        try:
            while True:
                data = self.client.recv(CHUNK)
                if not data:
                    break
                buf += data
                while buf:
                    n = self.proxy.message(buf)
                    if not n:
                        break
                    message = bytes(buf[:n])
                    del buf[:n]
                    self.note(message)
                    if not self.act(message):
                        return
                    # a frozen answer still lets its request through
                    self.proxy.still.wait()
                    self.server.sendall(message)
        except OSError:
            pass
        self.close()

    def down(self):
        try:
            while True:
                data = self.server.recv(CHUNK)
                if not data:
                    break
                if self.lost:
                    self.close()
                    return
                if self.late:
                    late, self.late = self.late, 0.0
                    time.sleep(late)
                if not self.wait():
                    return
                self.client.sendall(data)
        except OSError:
            pass
        self.close()


class Proxy:
    def __init__(self, upstream, protocol="tcp"):
        self.upstream, self.protocol = upstream, protocol
        self.message = MESSAGE[protocol]
        self.lock = threading.Lock()
        self.links, self.rules = set(), []
        self.fired = 0          # how often a rule, cut() or freeze() did something
        self.connects = []      # monotonic times at which somebody connected
        self.refusing = False
        self.still = threading.Event()
        self.still.set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connects.append(time.monotonic())
            try:
                if self.refusing:
                    raise OSError
                server = socket.create_connection(("127.0.0.1", self.upstream), 10)
                server.settimeout(None)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                client.close()
                continue
            for s in (client, server):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.links.add(Link(self, client, server))

    def forget(self, link):
        with self.lock:
            self.links.discard(link)

    def on(self, match, action, times=1, after=0):
        """match: bytes that the request holds, or fn(link, message). Acts `times` times, on the picked ones behind the
        first `after`. Gives the rule; rule.times is what is left of it."""
        rule = Rule(match, action, times, after)
        with self.lock:
            self.rules.append(rule)
        return rule

    def clear(self):
        with self.lock:
            self.rules = []

    def rule_for(self, link, message):
        with self.lock:
            for rule in self.rules:
                if rule.times <= 0 or not rule.picks(link, message):
                    continue
                if rule.after > 0:
                    rule.after -= 1
                    continue
                rule.times -= 1
                self.fired += 1
                return rule
        return None

    def cut(self):
        """Every connection is reset. How many there were."""
        with self.lock:
            links = list(self.links)
        for link in links:
            link.close()
        self.fired += len(links)
        return len(links)

    def freeze(self):
        """Nothing moves in either direction; connections stay open, new ones too."""
        self.fired += 1
        self.still.clear()

    def thaw(self):
        self.still.set()
        with self.lock:
            links = list(self.links)
        for link in links:
            link.still.set()

    def refuse(self, yes=True):
        self.refusing = yes
        if yes:
            self.cut()

    def close(self):
        self.listener.close()
        self.thaw()
        self.cut()
