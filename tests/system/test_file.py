#!/usr/bin/python3
"""Sessions in a folder outlive the process that made them, however it ended."""
import json
import pathlib
import signal
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import DemoServer


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def server(self):
        config = json.dumps({"providerConfig": f"{self.folder}/x"})
        return DemoServer("--provider", "file", "--config", config)

    def log_in(self, server):
        with server.visitor() as browser:
            browser.ask("POST", "/login", "name=alice")
            self.assertEqual(browser.session()["user"], "alice")
            return browser.cookie

    def test_who_was_logged_in_still_is_after_the_server_was_killed(self):
        server = self.server()
        server.__enter__()
        cookie = self.log_in(server)
        server.stop(signal.SIGKILL)
        server.close()
        with self.server() as again, again.visitor(cookie) as browser:
            self.assertEqual(browser.session()["user"], "alice")
            browser.ask("POST", "/logout", f"csrf={browser.token()}")
            self.assertIsNone(browser.cookie)

    def test_two_servers_of_one_folder_share_log_ins_and_log_outs(self):
        with self.server() as first, self.server() as second:
            cookie = self.log_in(first)
            with second.visitor(cookie) as browser, first.visitor(cookie) as other:
                self.assertEqual(browser.session()["user"], "alice")
                browser.ask("POST", "/logout", f"csrf={browser.token()}")
                self.assertNotEqual(other.session().get("user"), "alice")


if __name__ == "__main__":
    unittest.main()
