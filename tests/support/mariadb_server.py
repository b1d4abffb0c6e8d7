"""A MariaDB of a test's own, in a temporary folder, on a unix socket.

    with MariadbServer() as mariadb:
        DemoServer("--provider", "mysql", "--config", mariadb.config())
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

PATIENCE_S = 60
PREPARATION = """CREATE DATABASE IF NOT EXISTS site;
CREATE USER IF NOT EXISTS site@localhost IDENTIFIED BY 'secret';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON site.* TO site@localhost;
"""


class MariadbServer:
    def __enter__(self):
        self.program = shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin")
        if not self.program or not shutil.which("mariadb-install-db"):
            if os.environ.get("CI") == "true":
                raise AssertionError("mariadb-server is needed")
            raise unittest.SkipTest("mariadb-server is missing")
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        self.path = str(folder / "s")
        (folder / "init").write_text(PREPARATION)
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder / 'data'}",
             f"--tmpdir={folder}", "--auth-root-authentication-method=normal", "--skip-test-db",
             "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M"],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        self.folder.cleanup()

    def config(self, **settings):
        return json.dumps({"providerConfig": f"site:secret@unix({self.path})/site",
                           "createTable": True, **settings})

    def start(self):
        folder = self.folder.name
        self.process = subprocess.Popen(
            [self.program, "--no-defaults", f"--datadir={folder}/data", f"--tmpdir={folder}",
             f"--socket={self.path}",
             f"--pid-file={folder}/pid", f"--init-file={folder}/init", "--user=root",
             "--skip-networking", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("mariadbd did not come up")
            time.sleep(0.01)

    def answers(self):
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.path)
                return bool(client.recv(1))
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
