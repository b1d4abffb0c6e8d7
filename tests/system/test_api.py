#!/usr/bin/python3
"""The JSON interface of the demo: every call, every error, and the cookie."""
import pathlib
import socket
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import DemoServer

INT_MAX, INT_MIN = 2**63 - 1, -2**63


class Api(unittest.TestCase):
    """Each test has its own visitors at one server."""
    config = "{}"

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(DemoServer("--config", cls.config))

    def setUp(self):
        self.visitor = self.enterContext(self.server.visitor())
        self.ask = self.visitor.ask

    def assert_error(self, answer, status, word=""):
        """A JSON object with a sentence."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(list(answer.json()), ["error"])
        self.assertRegex(answer.json()["error"], r"\A[A-Z].*[.?]\Z")
        self.assertIn(word, answer.json()["error"])

    def assert_ok(self, answer):
        self.assertEqual(answer.status, 200, answer)


class Values(Api):
    def test_a_stranger_has_an_empty_new_session(self):
        session = self.visitor.session()
        self.assertEqual(list(session), ["new", "user", "level", "csrf", "data", "created_ms",
                                         "expires_ms"])
        self.assertEqual(list(session.values())[:5], [True, None, 0, None, {}])

    def test_a_value_is_kept_until_it_is_deleted(self):
        self.assert_ok(self.ask("PUT", "/api/session/colour", "blue"))
        session = self.visitor.session()
        self.assertEqual((session["new"], session["data"]), (False, {"colour": "blue"}))
        self.assert_ok(self.ask("PUT", "/api/session/colour", "red"))
        self.assertEqual(self.visitor.session()["data"], {"colour": "red"})
        self.assert_ok(self.ask("DELETE", "/api/session/colour"))
        self.assertEqual(self.visitor.session()["data"], {})

    def test_a_value_may_be_empty(self):
        self.assert_ok(self.ask("PUT", "/api/session/empty"))
        self.assertEqual(self.visitor.session()["data"], {"empty": ""})

    def test_keys_and_values_of_any_text_come_back_as_they_were(self):
        kept = {"a/b": "slash", "ключ": "значение", "%41": "percent", "a b+c": "a+b c&d=e",
                "?": "\x01\x7f\r\n\t\"\\", "\N{BELL}": "\U0001f98a", "x" * 255: "y" * 65536}
        for key, value in kept.items():
            path = "".join(f"%{byte:02x}" for byte in key.encode())
            self.assert_ok(self.ask("PUT", f"/api/session/{path}", value.encode()))
        self.assertEqual(self.visitor.session()["data"], kept)

    def test_a_slash_in_the_address_belongs_to_the_key(self):
        self.assert_ok(self.ask("PUT", "/api/session/a/b", "1"))
        self.assertEqual(self.visitor.session()["data"], {"a/b": "1"})

    def test_begin_and_end_are_told_in_milliseconds(self):
        self.assert_ok(self.ask("PUT", "/api/session/a", "1"))
        session = self.visitor.session()
        self.assertLess(abs(session["created_ms"] - time.time() * 1000), 60_000)
        self.assertEqual(session["expires_ms"] - session["created_ms"], 1800_000)

    def test_deleting_what_is_not_there_is_no_error(self):
        self.assert_ok(self.ask("DELETE", "/api/session/nothing"))


class Numbers(Api):
    def increment(self, by=""):
        answer = self.ask("POST", f"/api/increment/n{by}")
        self.assert_ok(answer)
        return answer.text

    def test_an_increment_answers_the_new_value(self):
        self.assertEqual([self.increment(), self.increment(), self.increment("?by=40"),
                          self.increment("?by=-100"), self.increment("?by=0")],
                         ["1", "2", "42", "-58", "-58"])
        self.assertEqual(self.visitor.session()["data"], {"n": -58})

    def test_the_whole_range_of_64_bits_is_exact(self):
        self.assertEqual(self.increment(f"?by={INT_MAX}"), str(INT_MAX))
        self.assertEqual(self.visitor.session()["data"], {"n": INT_MAX})
        self.assertEqual(self.increment(f"?by={INT_MIN}"), "-1")

    def test_a_sum_over_64_bits_is_refused_and_changes_nothing(self):
        self.increment(f"?by={INT_MAX}")
        self.assert_error(self.ask("POST", "/api/increment/n"), 409, "64 bits")
        self.assertEqual(self.visitor.session()["data"], {"n": INT_MAX})

    def test_a_step_may_be_percent_encoded(self):
        self.assertEqual([self.increment("?by=%35"), self.increment("?by=%2D%31")], ["5", "4"])

    def test_a_step_that_is_no_whole_number_is_refused(self):
        for by in ("x", "1.5", "", "%201", "1%20", "+1", "%2B1", "%", "%zz", "1%00", str(INT_MAX + 1)):
            with self.subTest(by=by):
                self.assert_error(self.ask("POST", f"/api/increment/n?by={by}"), 400, "by")

    def test_a_text_cannot_be_incremented(self):
        self.ask("PUT", "/api/session/n", "1")
        self.assert_error(self.ask("POST", "/api/increment/n"), 409, "type")
        self.assertEqual(self.visitor.session()["data"], {"n": "1"})


class Taking(Api):
    def test_a_value_is_taken_once(self):
        self.ask("PUT", "/api/session/flash", "Saved. \u2713".encode())
        answer = self.ask("POST", "/api/take/flash")
        self.assertEqual((answer.status, answer.text), (200, "Saved. \u2713"))
        self.assert_error(self.ask("POST", "/api/take/flash"), 404)
        self.assertEqual(self.visitor.session()["data"], {})

    def test_a_number_is_taken_as_text(self):
        self.ask("POST", "/api/increment/n?by=7")
        self.assertEqual(self.ask("POST", "/api/take/n").text, "7")

    def test_a_stranger_has_nothing_to_take(self):
        answer = self.ask("POST", "/api/take/flash")
        self.assert_error(answer, 404)
        self.assertIsNone(answer.set_cookie)


class LogIn(Api):
    def test_log_in_changes_the_id_and_keeps_the_values(self):
        self.ask("PUT", "/api/session/cart", "melon")
        before = self.visitor.cookie
        answer = self.ask("POST", "/api/login?user=alice")
        self.assert_ok(answer)
        self.assertIsNotNone(answer.set_cookie)
        self.assertNotEqual(self.visitor.cookie, before)
        session = self.visitor.session()
        self.assertEqual((session["user"], session["data"]), ("alice", {"cart": "melon"}))

    def test_the_id_from_before_log_in_is_dead(self):
        self.ask("PUT", "/api/session/cart", "melon")
        with self.visitor.twin() as thief:
            self.ask("POST", "/api/login?user=alice")
            session = thief.session()
            self.assertEqual((session["new"], session["user"], session["data"]), (True, None, {}))

    def test_a_stranger_gets_the_cookie_at_log_in(self):
        answer = self.ask("POST", "/api/login?user=J%C3%B6rg+%2B%20%3Cb%3E")
        self.assertIsNotNone(answer.set_cookie)
        self.assertEqual(self.visitor.session()["user"], "Jörg + <b>")

    def test_somebody_else_who_logs_in_finds_nothing_of_the_one_before(self):
        self.ask("POST", "/api/login?user=alice")
        self.ask("PUT", "/api/session/secret", "hers")
        self.ask("POST", "/api/login?user=bob")
        session = self.visitor.session()
        self.assertEqual((session["user"], session["data"]), ("bob", {}))

    def test_log_in_without_a_name_is_refused(self):
        for query in ("", "?user=", "?user", "?name=alice", "?user=%zz", "?user=a%00b",
                      "?user=%ff"):
            with self.subTest(query=query):
                answer = self.ask("POST", f"/api/login{query}")
                self.assert_error(answer, 400)
                self.assertIsNone(answer.set_cookie)

    def test_a_name_that_is_blank_or_padded_or_too_long_is_refused(self):
        for name in ("%20", "+++", "%09%0d%0a", "+alice", "alice%20", "x" * 61, "x" * 5000):
            with self.subTest(name=name):
                answer = self.ask("POST", f"/api/login?user={name}")
                self.assert_error(answer, 400, "1 to 60 letters")
                self.assertIsNone(answer.set_cookie)
        self.assert_ok(self.ask("POST", "/api/login?user=" + "%c3%a9" * 60))
        self.assertEqual(self.visitor.session()["user"], "é" * 60)

    def test_a_value_called_user_logs_nobody_in(self):
        for user in (None, "alice"):
            if user:
                self.ask("POST", f"/api/login?user={user}")
            self.assert_ok(self.ask("PUT", "/api/session/user", "root"))
            session = self.visitor.session()
            self.assertEqual((session["user"], session["data"]), (user, {"user": "root"}))

    def test_log_in_is_of_the_level_full(self):
        self.ask("POST", "/api/login?user=alice")
        self.assertEqual(self.visitor.session()["level"], 3)

    def test_regenerate_changes_the_id_only(self):
        self.ask("PUT", "/api/session/a", "1")
        before = self.visitor.cookie
        with self.visitor.twin() as old:
            self.assert_ok(self.ask("POST", "/api/regenerate"))
            self.assertNotEqual(self.visitor.cookie, before)
            self.assertEqual(self.visitor.session()["data"], {"a": "1"})
            self.assertTrue(old.session()["new"])

    def test_log_out_ends_the_session_and_removes_the_cookie(self):
        self.ask("POST", "/api/login?user=alice")
        with self.visitor.twin() as replay:
            answer = self.ask("POST", "/api/logout")
            self.assert_ok(answer)
            self.assertRegex(answer.set_cookie, r"\Aid=; .*Max-Age=0")
            self.assertIsNone(self.visitor.cookie)
            self.assertTrue(replay.session()["new"])

    def test_nobody_can_log_out(self):
        answer = self.ask("POST", "/api/logout")
        self.assert_ok(answer)
        self.assertIsNone(answer.set_cookie)


class Cookie(Api):
    def test_it_is_bound_to_scripts_and_sites_as_the_default_says(self):
        field = self.ask("PUT", "/api/session/a", "1").set_cookie
        name, *attributes = field.split("; ")
        self.assertRegex(name, r"\Aid=[A-Za-z0-9_-]{43,}\Z")
        self.assertEqual(sorted(attributes), ["HttpOnly", "Path=/", "SameSite=Lax"])

    def test_it_is_sent_once_and_not_again(self):
        self.assertIsNotNone(self.ask("PUT", "/api/session/a", "1").set_cookie)
        self.assertIsNone(self.ask("PUT", "/api/session/a", "2").set_cookie)
        self.assertIsNone(self.ask("GET", "/api/session").set_cookie)

    def test_what_belongs_to_a_session_is_not_to_be_cached(self):
        for method in ("PUT", "DELETE"):
            answer = self.ask(method, "/api/session/a", "1")
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertEqual(answer.headers["Vary"], "Cookie")
        self.assertEqual(self.ask("POST", "/api/take/a").headers["Cache-Control"], "no-store")

    def test_what_a_stranger_gets_is_not_for_others_either(self):
        for method, path in (("GET", "/api/session"), ("POST", "/api/take/a"),
                             ("POST", "/api/logout"), ("POST", "/api/increment/n?by=x")):
            with self.subTest(path=path):
                headers = self.ask(method, path).headers
                self.assertEqual(headers.get_all("Cache-Control"), ["no-store"])
                self.assertEqual(headers.get_all("Vary"), ["Cookie"])

    def test_an_id_that_we_did_not_give_is_never_adopted(self):
        for made_up in ("id=" + "A" * 44, "id=", "id=x", 'id="quoted"', "id"):
            with self.subTest(cookie=made_up), self.server.visitor(made_up) as stranger:
                self.assertTrue(stranger.session()["new"])
                stranger.ask("PUT", "/api/session/a", "1")
                self.assertNotEqual(stranger.cookie, made_up)

    def test_no_answer_tells_the_id(self):
        self.ask("POST", "/api/login?user=alice")
        secret = self.visitor.cookie.split("=", 1)[1]
        for path in ("/api/session", "/api/count", "/"):
            answer = self.ask("GET", path)
            self.assertNotIn(secret, answer.text + str(answer.headers))


class Tokens(Api):
    CHANGES = (("PUT", "/api/session/a"), ("DELETE", "/api/session/kept"),
               ("POST", "/api/increment/n"), ("POST", "/api/take/kept"),
               ("POST", "/api/login?user=eve"), ("POST", "/api/regenerate"),
               ("POST", "/api/logout"))

    def test_each_change_of_a_session_asks_for_its_token(self):
        self.ask("POST", "/api/login?user=alice")
        self.ask("PUT", "/api/session/kept", "1")
        before = self.visitor.cookie
        with self.server.visitor() as eve:
            eve.ask("POST", "/api/login?user=eve")
            tokens = {"none": "", "short": "A", "of another session": eve.token(),
                      "made up": "A" * len(eve.token()), "long": "A" * 5000,
                      "cut": self.visitor.token()[:-1]}
        for method, path in self.CHANGES:
            for kind, token in tokens.items():
                with self.subTest(path=path, token=kind):
                    answer = self.ask(method, path, "x", {"X-CSRF-Token": token})
                    self.assert_error(answer, 403, "X-CSRF-Token")
        session = self.visitor.session()
        self.assertEqual((session["user"], session["data"]), ("alice", {"kept": "1"}))
        self.assertEqual(self.visitor.cookie, before)

    def test_a_token_differs_at_each_call_and_all_are_good(self):
        self.ask("PUT", "/api/session/a", "1")
        tokens = {self.visitor.session()["csrf"] for _ in range(5)}
        self.assertEqual(len(tokens), 5)
        for token in tokens:
            self.assert_ok(self.ask("PUT", "/api/session/a", "1", {"X-CSRF-Token": token}))

    def test_a_log_in_ends_the_token_from_before(self):
        self.ask("PUT", "/api/session/a", "1")
        before = self.visitor.token()
        self.ask("POST", "/api/login?user=alice")
        self.assert_error(self.ask("PUT", "/api/session/a", "2", {"X-CSRF-Token": before}), 403)
        self.assertEqual(self.visitor.session()["data"], {"a": "1"})

    def test_regenerate_keeps_the_token(self):
        self.ask("PUT", "/api/session/a", "1")
        before = self.visitor.token()
        self.ask("POST", "/api/regenerate")
        self.assert_ok(self.ask("PUT", "/api/session/a", "2", {"X-CSRF-Token": before}))


class Laziness(Api):
    def test_visitors_who_store_nothing_leave_no_trace(self):
        asked = [("GET", "/"), ("GET", "/api/session"), ("GET", "/api/count"), ("GET", "/nothing"),
                 ("DELETE", "/api/session/a"), ("POST", "/api/take/a"), ("POST", "/api/logout"),
                 ("POST", "/logout"), ("POST", "/notes"), ("POST", "/api/regenerate"),
                 ("POST", "/api/increment/n?by=x"), ("PUT", "/api/session/"),
                 ("GET", "/style.css"), ("HEAD", "/")]
        for method, path in asked:
            with self.subTest(method=method, path=path):
                self.assertIsNone(self.ask(method, path).set_cookie)
        self.assertEqual(self.server.count(), 0)

    def test_count_counts_the_sessions_alive(self):
        before = self.server.count()
        with self.server.visitor() as one, self.server.visitor() as other:
            one.ask("PUT", "/api/session/a", "1")
            other.ask("POST", "/api/login?user=bob")
            self.assertEqual(self.server.count(), before + 2)
            one.ask("POST", "/api/regenerate")
            self.assertEqual(self.server.count(), before + 2)
            one.ask("POST", "/api/logout")
            other.ask("POST", "/api/logout")
        self.assertEqual(self.server.count(), before)


class Refusals(Api):
    def test_a_key_that_is_none_is_refused(self):
        for key in ("", "%ff", "%00", "a%00b", "%", "%4", "%zz", "x" * 256):
            with self.subTest(key=key):
                self.assert_error(self.ask("PUT", f"/api/session/{key}", "1"), 400)
                self.assert_error(self.ask("DELETE", f"/api/session/{key}"), 400)
                self.assert_error(self.ask("POST", f"/api/increment/{key}"), 400)
                self.assert_error(self.ask("POST", f"/api/take/{key}"), 400)

    def test_a_value_that_is_no_text_is_refused(self):
        for value in (b"\xff", b"a\0b", b"\0", b"\xc0\xaf", b"\xed\xa0\x80"):
            with self.subTest(value=value):
                self.assert_error(self.ask("PUT", "/api/session/a", value), 400)
        self.assertTrue(self.visitor.session()["new"])

    def test_an_address_that_is_none_is_not_found(self):
        for path in ("/api", "/api?a", "/api/", "/api/nothing", "/api/sessions", "/api/session2/a"):
            with self.subTest(path=path):
                self.assert_error(self.ask("GET", path), 404)

    def test_a_method_that_does_not_fit_is_told_which_does(self):
        for method, path, allow in (("POST", "/api/session", "GET, HEAD"),
                                    ("PUT", "/api/session", "GET, HEAD"),
                                    ("GET", "/api/session/a", "PUT, DELETE"),
                                    ("GET", "/api/increment/a", "POST"),
                                    ("GET", "/api/logout", "POST"),
                                    ("DELETE", "/api/count", "GET, HEAD"),
                                    ("OPTIONS", "/api/count", "GET, HEAD")):
            with self.subTest(method=method, path=path):
                answer = self.ask(method, path)
                self.assert_error(answer, 405)
                self.assertEqual(answer.headers["Allow"], allow)

    def test_a_value_over_the_limit_is_too_large_and_changes_nothing(self):
        self.ask("PUT", "/api/session/a", "small")
        self.assert_error(self.ask("PUT", "/api/session/a", "y" * 65537), 413)
        self.assertEqual(self.visitor.session()["data"], {"a": "small"})

    def test_a_session_over_the_limit_is_too_large_and_changes_nothing(self):
        statuses = [self.ask("PUT", f"/api/session/{i}", "y" * 60000).status for i in range(6)]
        self.assertEqual(statuses, [200] * 4 + [413] * 2)
        self.assertEqual(sorted(self.visitor.session()["data"]), ["0", "1", "2", "3"])

    def test_a_body_that_is_announced_too_long_is_refused_before_it_is_sent(self):
        with socket.create_connection((self.server.host, self.server.port), timeout=30) as raw:
            raw.sendall(b"PUT /api/session/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n"
                        b"\r\n")
            self.assertTrue(raw.recv(100).startswith(b"HTTP/1.1 413 "))

    def test_a_body_of_untold_length_is_refused_when_it_is_too_long(self):
        answer = self.ask("PUT", "/api/session/a", iter([b"y" * 10000] * 30))
        self.assert_error(answer, 413)

    def test_a_body_without_end_is_cut(self):
        with socket.create_connection((self.server.host, self.server.port), timeout=30) as raw:
            raw.sendall(b"PUT /api/session/a HTTP/1.1\r\nHost: a\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
            chunk = b"10000\r\n" + b"y" * 0x10000 + b"\r\n"
            with self.assertRaises(OSError):
                for _ in range(2000):
                    raw.sendall(chunk)

    def test_another_site_can_change_nothing(self):
        self.ask("POST", "/api/login?user=alice")
        for field in ({"Origin": "http://evil.test"}, {"Origin": "null"},
                      {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                      {"Origin": f"http://{self.server.host}:1"},
                      {"Origin": self.server.origin.replace("http:", "https:")},
                      {"Origin": self.server.origin.replace("http:", "ftp:")},
                      {"Origin": self.server.origin.replace("http:", "")},
                      {"Origin": self.server.origin + "/"}, {"Origin": ""}):
            with self.subTest(field=field):
                self.assert_error(self.ask("POST", "/api/logout", headers=field), 403)
                self.assert_error(self.ask("PUT", "/api/session/a", "1", headers=field), 403)
        session = self.visitor.session()
        self.assertEqual((session["user"], session["data"]), ("alice", {}))

    def test_each_of_several_fields_must_tell_of_this_site(self):
        ours, evil = f"Origin: {self.server.origin}", "Origin: http://evil.test"
        same, cross = "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"
        for fields, status in (([ours, ours], 200), ([same, same], 200), ([same, evil], 200),
                               ([ours, evil], 403), ([evil, ours], 403), ([same, cross], 403),
                               ([cross, same], 403), ([cross, ours], 403)):
            with self.subTest(fields=fields), self.server.pipeline(
                    [("PUT", "/api/session/a", "1")], "\r\n".join(["x=y", *fields])) as pipeline:
                pipeline.send()
                self.assertEqual(pipeline.answers()[0].status, status)

    def test_our_own_pages_and_plain_programs_can_change_things(self):
        for field in ({}, {"Origin": self.server.origin}, {"Sec-Fetch-Site": "same-origin"},
                      {"Sec-Fetch-Site": "none"}):
            with self.subTest(field=field):
                self.assert_ok(self.ask("PUT", "/api/session/a", "1", headers=field))


class FullStore(Api):
    config = '{"maxSessions": 1}'

    def test_a_full_store_is_unavailable_for_new_visitors_only(self):
        self.assert_ok(self.ask("PUT", "/api/session/a", "1"))
        with self.server.visitor() as late:
            answer = late.ask("PUT", "/api/session/a", "1")
            self.assert_error(answer, 503)
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertIsNone(answer.set_cookie)
            self.assertEqual(late.ask("GET", "/").status, 200)
        self.assert_ok(self.ask("PUT", "/api/session/b", "2"))
        self.assertEqual(self.visitor.session()["data"], {"a": "1", "b": "2"})


class LimitByDefault(Api):
    """Of the memory provider, when nobody has given one."""

    def fill(self, sessions):
        """Makes so many; returns the statuses."""
        with self.server.pipeline([("PUT", "/api/session/a", "1")] * sessions) as pipeline:
            statuses = set()
            for start in range(0, sessions, 200): # fewer than fill the socket's buffers
                requests = pipeline.requests[start:start + 200]
                pipeline.socket.sendall(b"".join(requests))
                for _ in requests:
                    statuses.add(int(pipeline.file.readline().split()[1]))
                    while (line := pipeline.file.readline()) != b"\r\n":
                        if line.startswith(b"Content-Length: "):
                            length = int(line.split()[1])
                    pipeline.file.read(length)
            return statuses

    def test_it_keeps_a_hundred_thousand_sessions_and_no_more(self):
        self.assertEqual(self.fill(100_000), {200})
        self.assert_error(self.ask("PUT", "/api/session/a", "1"), 503, "full")
        self.assertEqual(self.server.count(), 100_000)


class ShortLife(Api):
    config = '{"idleTimeout": 1, "gclifetime": 1}'

    def test_a_session_that_nobody_uses_ends(self):
        self.ask("PUT", "/api/session/a", "1")
        deadline = time.monotonic() + 30
        while self.server.count() > 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        session = self.visitor.session()
        self.assertEqual((session["new"], session["data"]), (True, {}))


if __name__ == "__main__":
    unittest.main()
