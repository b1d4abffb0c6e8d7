#!/usr/bin/python3
"""Two servers on one MariaDB, and what visitors see while it is gone."""
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import PATIENCE_S, DemoServer, run_demo
from mariadb_server import MariadbServer

BUDGET_S, SLACK_S = 2, 1


class Fleet(unittest.TestCase):
    def setUp(self):
        self.mariadb = self.enterContext(MariadbServer())

    def server(self, **settings):
        return DemoServer("--provider", "mysql", "--config", self.mariadb.config(**settings))

    def log_in(self, server):
        with server.visitor() as browser:
            browser.ask("POST", "/login", "name=alice")
            self.assertEqual(browser.session()["user"], "alice")
            return browser.cookie

    def assert_unavailable(self, browser, method, path, body=None):
        before = time.monotonic()
        answer = browser.ask(method, path, body)
        self.assertEqual(answer.status, 503)
        self.assertLess(time.monotonic() - before, BUDGET_S + SLACK_S)
        return answer

    def wait_until_back(self, browser):
        deadline = time.monotonic() + PATIENCE_S
        while browser.ask("GET", "/api/session").status != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_servers_of_one_mariadb_share_log_ins_and_log_outs(self):
        with self.server() as first, self.server() as second:
            cookie = self.log_in(first)
            with second.visitor(cookie) as browser, first.visitor(cookie) as other:
                self.assertEqual(browser.session()["user"], "alice")
                browser.ask("POST", "/logout", f"csrf={browser.token()}")
                self.assertNotEqual(other.session().get("user"), "alice")

    def test_who_was_logged_in_still_is_after_both_were_killed(self):
        with self.server() as server:
            cookie = self.log_in(server)
        self.mariadb.kill()
        self.mariadb.start()
        with self.server() as server, server.visitor(cookie) as browser:
            self.assertEqual(browser.session()["user"], "alice")

    def test_a_mariadb_that_is_gone_or_frozen_is_a_503_within_the_budget_and_nobody_is_logged_out(self):
        with self.server() as server:
            cookie = self.log_in(server)
            with server.visitor(cookie) as browser:
                for take_away, bring_back in ((self.mariadb.freeze, self.mariadb.thaw),
                                              (self.mariadb.kill, self.mariadb.start)):
                    with self.subTest(fault=take_away.__name__):
                        take_away()
                        for _ in range(8):
                            answer = self.assert_unavailable(browser, "GET", "/")
                            self.assertIsNone(answer.set_cookie)
                        self.assert_unavailable(browser, "POST", "/api/increment/n")
                        bring_back()
                        self.wait_until_back(browser)
                        self.assertEqual(browser.session()["user"], "alice")

    def test_without_a_mariadb_the_server_does_not_start_and_says_why_in_one_line(self):
        self.mariadb.kill()
        said = run_demo("--provider", "mysql", "--config", self.mariadb.config())
        self.assertNotEqual(said.returncode, 0)
        self.assertEqual(said.stderr.count("\n"), 1)
        self.assertIn(self.mariadb.path, said.stderr)


if __name__ == "__main__":
    unittest.main()
