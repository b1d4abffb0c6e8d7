#!/usr/bin/python3
"""Two servers on one PostgreSQL, and what visitors see while it is restarted."""
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import PATIENCE_S, DemoServer, run_demo
from postgres_server import PostgresServer

BUDGET_S, SLACK_S = 2, 1


class Fleet(unittest.TestCase):
    def setUp(self):
        self.database = self.enterContext(PostgresServer())

    def server(self, **settings):
        return DemoServer("--provider", "postgres", "--config", self.database.config(**settings))

    def log_in(self, server):
        with server.visitor() as browser:
            browser.ask("POST", "/login", "name=alice")
            self.assertEqual(browser.session()["user"], "alice")
            return browser.cookie

    def assert_unavailable(self, browser, method, path):
        before = time.monotonic()
        answer = browser.ask(method, path)
        self.assertEqual(answer.status, 503)
        self.assertIsNone(answer.set_cookie)
        self.assertLess(time.monotonic() - before, BUDGET_S + SLACK_S)

    def wait_until_back(self, browser):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status = browser.ask("GET", "/api/session").status
            if status == 200:
                return
            self.assertEqual(status, 503)
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_servers_of_one_database_share_log_ins_and_log_outs(self):
        with self.server() as first, self.server() as second:
            cookie = self.log_in(first)
            with second.visitor(cookie) as browser, first.visitor(cookie) as other:
                self.assertEqual(browser.session()["user"], "alice")
                browser.ask("POST", "/logout", f"csrf={browser.token()}")
                self.assertNotEqual(other.session().get("user"), "alice")

    def test_a_database_that_is_restarted_is_a_503_meanwhile_and_nobody_is_logged_out(self):
        with self.server() as server:
            cookie = self.log_in(server)
            with server.visitor(cookie) as browser:
                for how in (signal.SIGINT, signal.SIGQUIT):
                    with self.subTest(how=how):
                        self.database.stop(how)
                        for _ in range(8):
                            self.assert_unavailable(browser, "GET", "/")
                        self.assert_unavailable(browser, "POST", "/api/increment/n")
                        self.database.start()
                        self.wait_until_back(browser)
                        self.assertEqual(browser.session()["user"], "alice")

    def test_connections_that_the_database_ended_meanwhile_are_no_error_to_anybody(self):
        with self.server() as server:
            cookie = self.log_in(server)
            self.database.stop()
            self.database.start()
            with server.visitor(cookie) as browser:
                answer = browser.ask("GET", "/api/session")
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.json()["user"], "alice")

    def test_without_a_database_the_server_does_not_start_and_says_why_in_one_line(self):
        self.database.stop()
        said = run_demo("--provider", "postgres", "--config", self.database.config())
        self.assertNotEqual(said.returncode, 0)
        self.assertEqual(said.stderr.count("\n"), 1)
        self.assertIn(self.database.folder, said.stderr)
        self.database.start()


if __name__ == "__main__":
    unittest.main()
