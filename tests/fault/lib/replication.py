# SPDX-License-Identifier: Apache-2.0
"""Two MariaDB servers, one replicating the other by its binary log, as an operator would set them up."""

import os
import shutil
import signal
import subprocess
import tempfile

from rig import MariaDB, check, wait_for


class Template:
    """A data directory as the installation leaves it, made once: a copy of it is much sooner there."""

    name = "template"

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="tally-test-")
        self.data = os.path.join(self.dir.name, "data")
        MariaDB.install(self)

    made = None

    @classmethod
    def copy(cls, to):
        cls.made = cls.made or cls()
        shutil.copytree(cls.made.data, to)


class Server(MariaDB):
    """One that writes a binary log. number: its server-id."""

    def __init__(self, scene, name, number, options=()):
        self.number, self.options = number, list(options)
        super().__init__(scene, name)

    def install(self):
        os.makedirs(self.data + ".tmp", exist_ok=True)
        Template.copy(self.data)

    def start(self):
        self.process = self.scene.start(
            ["mariadbd", "--no-defaults", "--user=root", "--datadir=" + self.data, "--tmpdir=" + self.data + ".tmp",
             "--socket=" + self.socket, "--port=%d" % self.port, "--bind-address=127.0.0.1",
             "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M", "--skip-name-resolve",
             "--pid-file=" + self.scene.path(self.name + ".pid"), "--server-id=%d" % self.number, "--log-bin=bin",
             "--binlog-format=ROW", "--slave-net-timeout=5", "--relay-log=relay"] + self.options, self.name)
        wait_for("MariaDB", self.answers, 60)

    def freeze(self):
        os.kill(self.process.child.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.child.pid, signal.SIGCONT)


class Primary(Server):
    def __init__(self, scene, name="primary"):
        super().__init__(scene, name, 1)
        self.sql("CREATE USER replica@'127.0.0.1' IDENTIFIED BY 'copy'; GRANT REPLICATION SLAVE ON *.* TO replica@'127.0.0.1'",
                 database="mysql")


class Replica(Server):
    """Of an empty primary, from the beginning of its log."""

    def __init__(self, scene, primary, name="replica", number=2):
        self.primary = primary
        super().__init__(scene, name, number)
        # what both did for themselves is not to come twice
        at = primary.sql("SHOW MASTER STATUS", database="mysql")[0]
        self.sql("SET GLOBAL read_only = 1; CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = %d, MASTER_USER = 'replica', "
                 "MASTER_PASSWORD = 'copy', MASTER_LOG_FILE = '%s', MASTER_LOG_POS = %s, MASTER_CONNECT_RETRY = 1; START SLAVE" % (
                     primary.port, at[0], at[1]), database="mysql")
        self.wait_running()

    def status(self, field):
        for line in self.vertical("SHOW SLAVE STATUS"):
            name, _, value = line.partition(":")
            if name.strip() == field:
                return value.strip()
        return ""

    def vertical(self, text):
        p = subprocess.run(["mariadb", "--no-defaults", "-uroot", "--socket=" + self.socket, "mysql", "-e", text + "\\G"],
                           capture_output=True)
        check(p.returncode == 0, p.stderr.decode(errors="replace"))
        return p.stdout.decode().splitlines()

    def wait_running(self):
        wait_for("the replica to run", lambda: self.status("Slave_IO_Running") == "Yes" and self.status("Slave_SQL_Running") == "Yes", 60)

    def pause(self):
        self.sql("STOP SLAVE", database="mysql")

    def go_on(self):
        self.sql("START SLAVE", database="mysql")
        self.wait_running()
