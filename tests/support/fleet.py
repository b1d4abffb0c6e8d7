"""Two demo servers on one store, and what visitors see while that is gone.

    class Redis(Fleet, unittest.TestCase):
        Server, provider = RedisServer, "redis"
"""
import time

from demo_server import PATIENCE_S, DemoServer, run_demo

BUDGET_S, SLACK_S = 2, 1


class Fleet:
    def setUp(self):
        self.store = self.enterContext(self.Server())

    def faults(self):
        """By name: what takes the store away, and what brings it back."""
        return {"frozen": (self.store.freeze, self.store.thaw),
                "killed": (self.store.kill, self.store.start)}

    def server(self, **settings):
        return DemoServer("--provider", self.provider, "--config", self.store.config(**settings))

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
        while (status := browser.ask("GET", "/api/session").status) != 200:
            self.assertEqual(status, 503)
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_servers_of_one_store_share_log_ins_and_log_outs(self):
        with self.server() as first, self.server() as second:
            cookie = self.log_in(first)
            with second.visitor(cookie) as browser, first.visitor(cookie) as other:
                self.assertEqual(browser.session()["user"], "alice")
                browser.ask("POST", "/logout", f"csrf={browser.token()}")
                self.assertNotEqual(other.session().get("user"), "alice")

    def test_who_was_logged_in_still_is_after_both_were_killed(self):
        with self.server() as server:
            cookie = self.log_in(server)
        self.store.kill()
        self.store.start()
        with self.server() as server, server.visitor(cookie) as browser:
            self.assertEqual(browser.session()["user"], "alice")

    def test_connections_that_the_store_ended_meanwhile_are_no_error_to_anybody(self):
        with self.server() as server:
            cookie = self.log_in(server)
            self.store.kill()
            self.store.start()
            with server.visitor(cookie) as browser:
                answer = browser.ask("GET", "/api/session")
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.json()["user"], "alice")

    def test_a_store_that_is_gone_is_a_503_within_the_budget_and_nobody_is_logged_out(self):
        with self.server() as server:
            cookie = self.log_in(server)
            with server.visitor(cookie) as browser:
                for fault, (take_away, bring_back) in self.faults().items():
                    with self.subTest(fault=fault):
                        take_away()
                        for _ in range(8):
                            self.assert_unavailable(browser, "GET", "/")
                        self.assert_unavailable(browser, "POST", "/api/increment/n")
                        bring_back()
                        self.wait_until_back(browser)
                        self.assertEqual(browser.session()["user"], "alice")

    def test_without_a_store_the_server_does_not_start_and_says_why_in_one_line(self):
        self.store.kill()
        said = run_demo("--provider", self.provider, "--config", self.store.config())
        self.assertNotEqual(said.returncode, 0)
        self.assertEqual(said.stderr.count("\n"), 1)
        self.assertIn(self.store.path, said.stderr)
