"""The built demo, running, and clients to talk to it.

    with DemoServer("--threads", "4") as server:
        alice = server.visitor()
        alice.ask("POST", "/api/login?user=alice")
"""
import contextlib
import dataclasses
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import tempfile

DEMO = os.environ.get("SESAME_DEMO", "")
PATIENCE_S = 60  # under a sanitizer, on a busy machine
READY = re.compile(r"sesame demo on http://(\[.*\]|[\d.]+):(\d+) \(provider ([\w+]+)\)\n")


def run_demo(*args, **options):
    """Runs the demo to its end: for what does not serve."""
    return subprocess.run([DEMO, *args], capture_output=True, text=True, timeout=PATIENCE_S,
                          stdin=subprocess.DEVNULL, **options)


class DemoServer:
    """The demo on a free port, from `with` to its end. Ending it cleanly is part of every test."""

    def __init__(self, *args, listen="127.0.0.1:0", environment=None, folder=None):
        self.environment = os.environ | (environment or {})
        self.args = ("--listen", listen, *args)
        self.folder = folder
        self.status = None

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([DEMO, *self.args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log,
                                        env=self.environment, cwd=self.folder)
        try:
            self.ready = self.read_ready_line()
            match = READY.fullmatch(self.ready)
            if not match:
                raise AssertionError(f"not ready: {self.ready!r} {self.errors()}")
        except BaseException:
            self.process.kill()
            self.process.wait()
            self.close()
            raise
        self.host, self.port, self.provider = match[1].strip("[]"), int(match[2]), match[3]
        self.authority = f"{match[1]}:{match[2]}"
        self.origin = f"http://{self.authority}"
        return self

    def __exit__(self, kind, *_):
        try:
            status = self.stop()
            if kind is None and status != 0:
                raise AssertionError(f"the demo ended with {status}: {self.errors()}")
        finally:
            self.close()

    def close(self):
        self.process.stdout.close()
        self.log.close()

    def read_ready_line(self):
        if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
            return ""
        return self.process.stdout.readline().decode()

    def errors(self):
        """All that it has said on standard error."""
        self.log.seek(0)
        return self.log.read()

    def stop(self, how=signal.SIGTERM):
        """Ends it, once; returns its status."""
        if self.status is None:
            self.process.send_signal(how)
            try:
                self.status = self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.status = self.process.wait()
        return self.status

    def visitor(self, cookie=None):
        return Visitor(self, cookie)

    def pipeline(self, requests, cookie=None, token=None):
        return Pipeline(self, requests, cookie, token)

    def count(self):
        """Sessions alive."""
        with self.visitor() as nobody:
            return nobody.ask("GET", "/api/count").json()["count"]


@dataclasses.dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    @property
    def set_cookie(self):
        """The one Set-Cookie field of the session, or None."""
        return self.cookie_field(False)

    @property
    def set_remember(self):
        """The one of a remembered log-in, or None."""
        return self.cookie_field(True)

    def cookie_field(self, remembers):
        fields = [field for field in self.headers.get_all("Set-Cookie", [])
                  if field.split("=")[0].endswith("-remember") == remembers]
        if len(fields) > 1:
            raise AssertionError(f"more than one: {fields}")
        return fields[0] if fields else None


def cookie_after(cookie, field):
    """What a browser that had this cookie has after that Set-Cookie; None: none."""
    if field is None:
        return cookie
    return None if "Max-Age=0" in field else field.split(";")[0]


class Visitor(contextlib.AbstractContextManager):
    """One browser: one connection that is kept, one cookie ("id=...") and perhaps a second one that
    remembers it. Like a script of the site, it sends the session's CSRF token with each call of the
    JSON interface that changes something."""

    def __init__(self, server, cookie=None, remembered=None):
        self.server = server
        self.cookie = cookie
        self.remembered = remembered
        self.known_token = (None, None)  # of which cookie, and the token
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, method, path, body=None, headers=()):
        fields = dict(headers)
        if method not in ("GET", "HEAD") and path.startswith("/api/") and self.token():
            fields.setdefault("X-CSRF-Token", self.token())
        return self.send(method, path, body, fields)

    def send(self, method, path, body, fields):
        cookies = [cookie for cookie in (self.cookie, self.remembered) if cookie]
        if cookies:
            fields = {"Cookie": "; ".join(cookies)} | fields
        self.connection.request(method, path, body, fields)
        response = self.connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        self.cookie = cookie_after(self.cookie, answer.set_cookie)
        self.remembered = cookie_after(self.remembered, answer.set_remember)
        return answer

    def token(self):
        """The CSRF token of the session; None without one, or while it cannot be read."""
        if not self.cookie:
            return None
        if self.known_token[0] != self.cookie:
            answer = self.send("GET", "/api/session", None, {})
            self.known_token = (self.cookie, answer.json().get("csrf"))
        return self.known_token[1]

    def twin(self):
        """The same browser's next connection, as its cookies are now."""
        twin = Visitor(self.server, self.cookie, self.remembered)
        twin.known_token = self.known_token
        return twin

    def session(self):
        return self.ask("GET", "/api/session").json()


class Pipeline(contextlib.AbstractContextManager):
    """Many requests sent at once on one connection: so several connections keep all threads of the
    server busy with one session, which a client that waits for each answer does not."""

    def __init__(self, server, requests, cookie=None, token=None):
        self.socket = socket.create_connection((server.host, server.port), timeout=PATIENCE_S)
        self.file = self.socket.makefile("rb")
        field = f"Cookie: {cookie}\r\n" if cookie else ""
        field += f"X-CSRF-Token: {token}\r\n" if token else ""
        self.requests = [
            f"{method} {path} HTTP/1.1\r\nHost: {server.authority}\r\n{field}"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            for method, path, body in requests]

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self):
        self.socket.sendall(b"".join(self.requests))

    def answers(self):
        return [self.answer() for _ in self.requests]

    def answer(self):
        status = int(self.file.readline().split()[1])
        headers = http.client.parse_headers(self.file)
        return Answer(status, headers, self.file.read(int(headers["Content-Length"])))
