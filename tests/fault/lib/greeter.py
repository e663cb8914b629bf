# SPDX-License-Identifier: Apache-2.0
"""A server that speaks as much of MySQL's protocol as a greeting, and answers OK to whatever comes after: what a client sees of a
server that is not the one it needs. `real = PORT` makes it a plain relay to a real one from the next connection on."""

import socket
import struct
import threading

CAPABILITIES = 0x81bff7ff       # all of a MySQL 8 but TLS and compression; with the lowest bit off a MariaDB says that it is one
OK = b"\x00\x00\x00\x02\x00\x00\x00"


class Greeter:
    def __init__(self, version, mariadb=0):
        """mariadb: the extended capabilities of a MariaDB, 0 = it is none."""
        self.version, self.mariadb, self.real, self.greeted = version, mariadb, None, 0
        self.said = []          # the statements that it was sent
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay if self.real else self.talk, args=(s,), daemon=True).start()

    def close(self):
        self.listener.close()

    def greeting(self):
        capabilities = CAPABILITIES & ~1 if self.mariadb else CAPABILITIES
        return (b"\x0a" + self.version.encode() + b"\0" + struct.pack("<I", 7) + b"saltsalt\0"
                + struct.pack("<HBHHB", capabilities & 0xffff, 45, 2, capabilities >> 16, 21)
                + bytes(6) + struct.pack("<I", self.mariadb) + b"saltsaltsalt\0" + b"mysql_native_password\0")

    def talk(self, s):
        try:
            self.greeted += 1
            self.send(s, 0, self.greeting())
            f = s.makefile("rb")
            while True:
                head = f.read(4)
                if len(head) < 4:
                    return
                body = f.read(head[0] | head[1] << 8 | head[2] << 16)
                if head[3] == 0 and body[:1] == b"\x01":
                    return      # COM_QUIT
                if head[3] == 0 and body[:1] == b"\x03":
                    self.said.append(body[1:].decode(errors="replace"))
                self.send(s, head[3] + 1, OK)
        except OSError:
            pass
        finally:
            s.close()

    @staticmethod
    def send(s, number, body):
        s.sendall(struct.pack("<I", len(body))[:3] + bytes([number]) + body)

    def relay(self, s):
        try:
            real = socket.create_connection(("127.0.0.1", self.real))
        except OSError:
            s.close()
            return
        for a, b in ((s, real), (real, s)):
            threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(1 << 16):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
