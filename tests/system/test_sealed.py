#!/usr/bin/python3
"""The demo with sealed sessions: no store, so nothing is lost with the process."""
import base64
import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import DemoServer

KEY_FILE = "sesame-demo.keys"


class Sealed(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def serve(self, *args, provider="cookie"):
        return DemoServer("--provider", provider, *args, folder=self.folder)

    def user_of(self, server, cookie):
        with server.visitor(cookie) as visitor:
            return visitor.ask("GET", "/api/session").json()["user"]

    def log_in(self, server):
        with server.visitor() as visitor:
            visitor.ask("POST", "/api/login?user=alice")
            return visitor.cookie

    def test_a_visitor_stays_logged_in_over_a_restart(self):
        with self.serve() as server:
            cookie = self.log_in(server)
            self.assertEqual(self.user_of(server, cookie), "alice")
        with self.serve() as server:
            self.assertEqual(self.user_of(server, cookie), "alice")

    def test_the_key_is_made_once_and_for_its_owner_only(self):
        with self.serve():
            key = (self.folder / KEY_FILE).read_text()
        self.assertEqual((self.folder / KEY_FILE).stat().st_mode & 0o777, 0o600)
        self.assertEqual(len(base64.urlsafe_b64decode(key.strip() + "=")), 32)
        with self.serve():
            self.assertEqual((self.folder / KEY_FILE).read_text(), key)

    def test_a_key_is_exchanged_without_logging_anyone_out(self):
        with self.serve() as server:
            cookie = self.log_in(server)
        old = (self.folder / KEY_FILE).read_text()
        new = base64.b64encode(os.urandom(32)).decode() + "\n"
        (self.folder / KEY_FILE).write_text(new + old)
        with self.serve() as server, server.visitor(cookie) as visitor:
            self.assertEqual(visitor.ask("GET", "/api/session").json()["user"], "alice")
            self.assertNotEqual(visitor.cookie, cookie)
            cookie, before = visitor.cookie, cookie
        (self.folder / KEY_FILE).write_text(new)
        with self.serve() as server:
            self.assertEqual(self.user_of(server, cookie), "alice")
            self.assertIsNone(self.user_of(server, before))

    def test_with_a_ledger_a_log_out_is_one(self):
        with self.serve(provider="cookie+memory") as server, server.visitor() as visitor:
            visitor.ask("POST", "/api/login?user=alice")
            kept = visitor.cookie
            self.assertEqual(self.user_of(server, kept), "alice")
            visitor.ask("POST", "/api/logout")
            self.assertIsNone(self.user_of(server, kept))

    def test_a_page_that_needs_a_store_says_so(self):
        with self.serve() as server, server.visitor(self.log_in(server)) as visitor:
            answer = visitor.ask("GET", "/devices")
            self.assertEqual(answer.status, 501)

    def test_a_key_file_of_nonsense_is_told_in_one_line(self):
        (self.folder / "keys").write_text("nonsense\n")
        (self.folder / "keys").chmod(0o600)
        config = json.dumps({"sealKeyFile": str(self.folder / "keys")})
        with self.assertRaisesRegex(AssertionError, "key 1 is not 32 bytes in base64"):
            with self.serve("--config", config):
                pass

    def test_a_key_file_that_others_can_change_is_told_in_one_line(self):
        with self.serve():
            pass
        (self.folder / KEY_FILE).chmod(0o666)
        with self.assertRaisesRegex(AssertionError, f"{KEY_FILE}: refused, .*: chmod g-w,o= mends that"):
            with self.serve():
                pass


if __name__ == "__main__":
    unittest.main()
