#!/usr/bin/python3
"""The pages of the demo, by HTTP: what forms do, and what is safe about them."""
import pathlib
import re
import sys
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import DemoServer

NASTY = "<script>alert(\"1\")</script> & 'quotes' \u2713"


class Site(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(DemoServer())

    def setUp(self):
        self.visitor = self.enterContext(self.server.visitor())

    def page(self, path="/"):
        answer = self.visitor.ask("GET", path)
        self.assertEqual(answer.status, 200)
        return answer.text

    def send(self, path, **fields):
        """As the page's form does, with its token."""
        if self.visitor.token():
            fields.setdefault("csrf", self.visitor.token())
        return self.visitor.ask("POST", path, urllib.parse.urlencode(fields),
                                {"Content-Type": "application/x-www-form-urlencoded"})

    def assert_sent_home(self, answer):
        self.assertEqual((answer.status, answer.headers["Location"]), (303, "/"))

    def log_in(self, name="alice"):
        self.assert_sent_home(self.send("/login", name=name))

    def visits(self):
        return int(re.search(r'id="visits">(\d+)<', self.page())[1])


class Visits(Site):
    def test_a_stranger_is_asked_for_a_name(self):
        page = self.page()
        self.assertIn('<form method="post" action="/login"', page)
        self.assertIn('<label for="name">', page)
        self.assertIsNone(self.visitor.cookie)

    def test_log_in_shows_the_session(self):
        self.log_in()
        page = self.page()
        self.assertIn('Hello, <span id="user">alice</span>', page)
        self.assertEqual(len(re.findall(r'<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ">', page)),
                         2)
        self.assertIn("in 30 minutes", page)

    def test_visits_are_counted(self):
        self.log_in()
        self.assertEqual([self.visits(), self.visits(), self.visits()], [1, 2, 3])

    def test_a_count_that_has_become_a_text_breaks_no_page(self):
        self.log_in()
        self.visitor.ask("PUT", "/api/session/visits", "many")
        self.assertEqual(self.visits(), 0)

    def test_log_out_ends_it(self):
        self.log_in()
        self.assert_sent_home(self.send("/logout"))
        self.assertIsNone(self.visitor.cookie)
        self.assertIn('action="/login"', self.page())

    def test_a_name_is_trimmed_and_has_limits(self):
        for name in ("", "   ", "x" * 61):
            with self.subTest(name=name):
                answer = self.send("/login", name=name)
                self.assertEqual(answer.status, 400)
                self.assertIn('role="alert"', answer.text)
                self.assertIsNone(answer.set_cookie)
        self.log_in("  Ünï " + "é" * 56 + "  ")
        self.assertEqual(self.visitor.session()["user"], "Ünï " + "é" * 56)

    def test_a_name_that_is_no_text_is_refused(self):
        for body in ("name=%ff", "name=a%00b", "name=%zz", "nam=x", "", b"name=a\0b"):
            with self.subTest(body=body):
                answer = self.visitor.ask("POST", "/login", body)
                self.assertEqual(answer.status, 400)
                self.assertIsNone(answer.set_cookie)

    def test_the_second_of_two_clicks_is_a_log_in_as_good(self):
        self.visitor.ask("PUT", "/api/session/a", "1")
        with self.visitor.twin() as second_click:
            self.log_in()
            self.assert_sent_home(second_click.ask("POST", "/login", "name=alice"))
            self.assertIn("Hello", second_click.ask("GET", "/").text)
        self.assertIn("Hello", self.page())


class Notes(Site):
    def notes(self):
        """(key, text as it stands in the page) of each."""
        return [(key, text) for text, key in
                re.findall(r'<li><p>(.*?)</p>\n<form.*?name="key" value="(.*?)"', self.page(), re.S)]

    def test_notes_are_kept_in_order_and_deleted_one_by_one(self):
        self.log_in()
        for text in ("first", "second", "third"):
            self.assert_sent_home(self.send("/notes", text=text))
        self.assertEqual([text for _, text in self.notes()], ["first", "second", "third"])
        self.assert_sent_home(self.send("/notes/delete", key=self.notes()[1][0]))
        self.assertEqual([text for _, text in self.notes()], ["first", "third"])

    def test_what_visitors_write_is_never_markup(self):
        self.log_in(NASTY[:60])
        self.send("/notes", text=NASTY)
        page = self.page()
        self.assertNotIn("<script", page)
        self.assertIn("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;quotes&#39; \u2713",
                      page)
        self.assertEqual(self.visitor.session()["user"], NASTY[:60])

    def test_an_empty_note_is_none(self):
        self.log_in()
        self.assert_sent_home(self.send("/notes", text="  "))
        self.assertEqual(self.notes(), [])

    def test_a_note_has_a_limit_counted_in_letters(self):
        self.log_in()
        self.assert_sent_home(self.send("/notes", text="ж" * 500))
        self.assertEqual(self.send("/notes", text="ж" * 501).status, 413)
        self.assertEqual(len(self.notes()), 1)

    def test_only_notes_can_be_deleted_as_notes(self):
        self.log_in()
        self.visitor.ask("PUT", "/api/session/kept", "1")
        for key in ("kept", "", "x" * 5000):
            self.assert_sent_home(self.send("/notes/delete", key=key))
        self.assertEqual(self.visitor.session()["data"], {"kept": "1"})

    def test_a_stranger_can_keep_no_notes(self):
        answer = self.send("/notes", text="hello")
        self.assert_sent_home(answer)
        self.assertIsNone(answer.set_cookie)


class Safety(Site):
    def test_every_answer_carries_the_security_headers(self):
        for path in ("/", "/style.css", "/seed.svg", "/nothing", "/api/session", "/api/nothing"):
            with self.subTest(path=path):
                headers = self.visitor.ask("GET", path).headers
                policy = headers["Content-Security-Policy"].split("; ")
                for directive in ("default-src 'none'", "style-src 'self'", "form-action 'self'"):
                    self.assertIn(directive, policy)
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(headers["Referrer-Policy"], "same-origin")

    def test_pages_need_no_script_and_no_style_of_their_own(self):
        self.log_in()
        self.assertNotRegex(self.page(), r"<script|<style| style=| on\w+=")

    def test_pages_of_a_session_are_not_to_be_cached(self):
        self.log_in()
        self.assertEqual(self.visitor.ask("GET", "/").headers["Cache-Control"], "no-store")

    def test_pages_that_depend_on_the_session_are_not_cached_for_strangers_either(self):
        for method, path in (("GET", "/"), ("HEAD", "/"), ("POST", "/notes"), ("POST", "/login")):
            with self.subTest(method=method, path=path):
                headers = self.visitor.ask(method, path).headers
                self.assertEqual(headers.get_all("Cache-Control"), ["no-store"])
                self.assertEqual(headers.get_all("Vary"), ["Cookie"])

    def test_style_and_icon_are_served_for_browsers_to_keep(self):
        for path, kind in (("/style.css", "text/css"), ("/seed.svg", "image/svg+xml")):
            answer = self.visitor.ask("GET", path)
            self.assertTrue(answer.headers["Content-Type"].startswith(kind))
            self.assertIn("max-age", answer.headers["Cache-Control"])
            self.assertGreater(len(answer.body), 100)

    def test_forms_of_another_site_are_refused(self):
        self.log_in()
        for path in ("/logout", "/login", "/notes", "/notes/delete"):
            for field in ({"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}):
                with self.subTest(path=path, field=field):
                    answer = self.visitor.ask("POST", path, "name=eve", field)
                    self.assertEqual(answer.status, 403)
        self.assertIn("alice", self.page())

    def test_errors_are_pages_with_a_way_back(self):
        answer = self.visitor.ask("GET", "/nothing")
        self.assertEqual(answer.status, 404)
        self.assertIn("<h1>Sorry", answer.text)
        self.assertIn('<a href="/">', answer.text)
        answer = self.visitor.ask("GET", "/login")
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "POST"))

    def test_a_head_request_is_answered_without_body(self):
        answer = self.visitor.ask("HEAD", "/")
        self.assertEqual((answer.status, answer.body), (200, b""))


if __name__ == "__main__":
    unittest.main()
