"""A PostgreSQL of a test's own, in a temporary folder, on a unix socket; as root it runs as nobody.

    with PostgresServer() as database:
        DemoServer("--provider", "postgres", "--config", database.config())
"""
import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PATIENCE_S = 60
PORT = 5432  # of the socket's name alone
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=KILL"]


class PostgresServer:
    def __enter__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            if os.environ.get("CI") == "true":
                raise AssertionError("PostgreSQL is needed")
            raise unittest.SkipTest("PostgreSQL is missing")
        self.programs = pathlib.Path(found[-1])
        self.path = self.folder = tempfile.mkdtemp()
        if os.geteuid() == 0:
            os.chown(self.folder, 65534, 65534)
        self.data = f"{self.folder}/data"
        self.run("initdb", "-D", self.data, "--username=postgres", "--auth=trust", "--locale=C",
                 "--encoding=UTF8", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder)

    def words(self, name, *args):
        return [*(AS_NOBODY if os.geteuid() == 0 else []), str(self.programs / name), *args]

    def run(self, name, *args):
        subprocess.run(self.words(name, *args), check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def config(self, **settings):
        words = f"host={self.folder} user=postgres dbname=postgres"
        return json.dumps({"providerConfig": words, "createTable": True, **settings})

    def start(self):
        self.process = subprocess.Popen(
            self.words("postgres", "-D", self.data, "-k", self.folder, "-p", str(PORT),
                       "-c", "listen_addresses=", "-c", "shared_buffers=16MB"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("postgres did not come up")
            time.sleep(0.02)

    def answers(self):
        words = self.words("pg_isready", "-q", "-h", self.folder, "-p", str(PORT))
        return subprocess.run(words, stdin=subprocess.DEVNULL).returncode == 0

    def stop(self, how):
        """SIGINT: at once, with a checkpoint; SIGQUIT: as if it had crashed."""
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)

    def kill(self):
        self.stop(signal.SIGQUIT)
