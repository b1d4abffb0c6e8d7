"""A Redis of a test's own, in a temporary folder, on a unix socket.

    with RedisServer() as redis:
        DemoServer("--provider", "redis", "--config", redis.config())
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


class RedisServer:
    def __enter__(self):
        if not shutil.which("redis-server"):
            if os.environ.get("CI") == "true":
                raise AssertionError("redis-server is needed")
            raise unittest.SkipTest("redis-server is missing")
        self.folder = tempfile.TemporaryDirectory()
        self.path = str(pathlib.Path(self.folder.name) / "s")
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        self.folder.cleanup()

    def config(self, **settings):
        return json.dumps({"providerConfig": f"unix://{self.path}", **settings})

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self.folder.name,
             "--appendonly", "yes", "--appendfsync", "always"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("redis-server did not come up")
            time.sleep(0.01)

    def answers(self):
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.path)
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
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
