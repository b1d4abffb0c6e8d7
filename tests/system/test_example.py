#!/usr/bin/python3
"""The program that the README shows is the one in examples/, and it works."""
import http.client
import os
import pathlib
import re
import shlex
import socket
import subprocess
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCE = TOP / "examples/minimal_microhttpd.c"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def compile_example(program):
    """As a reader of the README would, against the library that was built."""
    library = os.environ["SESAME_LIBRARY_DIR"]
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")),
                    *shlex.split(os.environ.get("SESAME_CFLAGS", "")), "-Wall", "-Wextra", "-Werror",
                    "-o", program, SOURCE, f"-I{TOP}/include", f"-L{library}",
                    f"-Wl,-rpath,{library}", "-lsesame", "-lmicrohttpd"],
                   check=True, timeout=120)


class Example(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.program = pathlib.Path(folder, "visits")
        compile_example(self.program)

    def start(self):
        port = free_port()
        process = subprocess.Popen([self.program, str(port)])
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return port

    def connect(self, port):
        deadline = time.monotonic() + 30
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.connect()
                self.addCleanup(connection.close)
                return connection
            except ConnectionRefusedError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)

    def test_it_counts_the_visits_of_each_visitor(self):
        connection = self.connect(self.start())

        def visit(cookie):
            connection.request("GET", "/", headers={"Cookie": cookie} if cookie else {})
            response = connection.getresponse()
            return response.read().decode(), response.headers["Set-Cookie"]

        text, cookie = visit(None)
        self.assertEqual(text, "Visit number 1.\n")
        cookie = cookie.split(";")[0]
        self.assertEqual(visit(cookie), ("Visit number 2.\n", None))
        self.assertEqual(visit(cookie), ("Visit number 3.\n", None))
        self.assertEqual(visit(None)[0], "Visit number 1.\n")

    def test_a_port_in_use_is_told(self):
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", 0))
            taken.listen()
            # It leaves freeing to its end, which only a leak checker minds.
            done = subprocess.run([self.program, str(taken.getsockname()[1])], capture_output=True,
                                  text=True, timeout=30,
                                  env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})
        self.assertEqual((done.returncode, done.stderr), (1, "the port is taken\n"))


class Readme(unittest.TestCase):
    def test_the_readme_shows_exactly_this_program(self):
        blocks = re.findall(r"^```c\n(.*?)^```$", (TOP / "README.md").read_text(), re.S | re.M)
        self.assertIn(SOURCE.read_text(), blocks)


if __name__ == "__main__":
    unittest.main()
