#!/usr/bin/python3
"""The demo while its store is out of reach, with a provider that is loaded as a module."""
import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import DemoServer

MODULE = pathlib.Path(os.environ["SESAME_OUTAGE"]).resolve()
LIBRARY = pathlib.Path(os.environ["SESAME_LIBRARY_DIR"]).resolve() / "libsesame.so.0"


class Outage(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "sesame").mkdir()
        (self.folder / "sesame/outage.so").symlink_to(MODULE)
        (self.folder / LIBRARY.name).symlink_to(LIBRARY)
        config = json.dumps({"providerConfig": str(self.folder)})
        # Modules are looked for beside the library: so it is loaded from there.
        environment = {"LD_PRELOAD": str(self.folder / LIBRARY.name)}
        self.server = self.enterContext(DemoServer(
            "--provider", "outage", "--config", config, environment=environment))
        self.visitor = self.enterContext(self.server.visitor())
        self.ask = self.visitor.ask
        self.ask("POST", "/api/login?user=alice")

    def take_away(self, *what):
        for name in what:
            (self.folder / name).touch()

    def bring_back(self, *what):
        for name in what:
            (self.folder / name).unlink()

    def remembered(self):
        """A browser that is logged in, and would be again."""
        browser = self.server.visitor()
        browser.ask("POST", "/login", "name=alice&remember=yes")
        self.assertTrue(browser.cookie and browser.remembered)
        return browser

    def assert_unavailable(self, answer):
        self.assertEqual(answer.status, 503)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertEqual(answer.headers.get_all("Cache-Control"), ["no-store"])
        self.assertEqual(answer.headers.get_all("Vary"), ["Cookie"])

    def test_a_log_out_that_does_not_reach_the_store_takes_the_cookie_away_and_says_so(self):
        for path in ("/api/logout", "/logout"):
            with self.subTest(path=path), self.visitor.twin() as browser:
                self.take_away("write")
                answer = browser.ask("POST", path, f"csrf={browser.token()}")
                self.bring_back("write")
                self.assert_unavailable(answer)
                self.assertRegex(answer.set_cookie, r"\Aid=; .*Max-Age=0")
                self.assertIsNone(browser.cookie)
        self.assertEqual(self.visitor.session()["user"], "alice")

    def test_nobody_counts_as_logged_out_while_sessions_cannot_be_read(self):
        self.take_away("load", "write")
        for method, path in (("GET", "/"), ("GET", "/api/session"), ("PUT", "/api/session/a"),
                             ("GET", "/devices"), ("POST", "/devices/end-others"),
                             ("GET", "/account/email"), ("POST", "/account/email"),
                             ("GET", "/account/confirm"), ("POST", "/account/confirm"),
                             ("POST", "/login"), ("POST", "/notes")):
            with self.subTest(path=path):
                answer = self.ask(method, path)
                self.assert_unavailable(answer)
                self.assertIsNone(answer.set_cookie)
        self.bring_back("load", "write")
        self.assertEqual(self.visitor.session()["user"], "alice")

    def test_who_leaves_while_sessions_cannot_be_read_loses_the_cookies_all_the_same(self):
        for path in ("/api/logout", "/logout"):
            with self.subTest(path=path), self.remembered() as browser:
                self.take_away("load", "write")
                answer = browser.ask("POST", path)
                self.bring_back("load", "write")
                self.assert_unavailable(answer)
                self.assertEqual((browser.cookie, browser.remembered), (None, None))

    def test_a_log_out_takes_the_cookie_that_remembers_too(self):
        with self.remembered() as browser:
            self.take_away("write")
            answer = browser.ask("POST", "/logout", f"csrf={browser.token()}")
            self.bring_back("write")
            self.assert_unavailable(answer)
            self.assertEqual((browser.cookie, browser.remembered), (None, None))

    def test_a_log_in_and_a_step_up_that_are_not_stored_change_nothing(self):
        before = self.visitor.cookie
        csrf = f"csrf={self.visitor.token()}"
        self.take_away("write")
        for path, fields in (("/login", "name=bob&remember=yes"), ("/account/confirm", "to=/"),
                             ("/devices/end-others", ""), ("/account/email", "email=a%40b")):
            with self.subTest(path=path):
                answer = self.ask("POST", path, f"{csrf}&{fields}")
                self.assert_unavailable(answer)
                self.assertIn("<h1>Sorry <small>503", answer.text)
        self.bring_back("write")
        self.assertEqual(self.visitor.session()["user"], "alice")
        self.assertEqual(self.visitor.cookie, before)

    def test_a_change_that_is_not_stored_is_told(self):
        self.take_away("write")
        answer = self.ask("PUT", "/api/session/a", "1")
        self.bring_back("write")
        self.assert_unavailable(answer)
        self.assertEqual(self.visitor.session()["data"], {})


if __name__ == "__main__":
    unittest.main()
