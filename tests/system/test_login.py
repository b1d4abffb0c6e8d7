#!/usr/bin/python3
"""Log-ins on the demo's pages: devices, remembered browsers, fresh log-ins, forged forms, thefts."""
import html
import pathlib
import re
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import PATIENCE_S, DemoServer

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1"
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
HANDLE = re.compile(r'name="handle" value="([0-9a-f]{32})"')


class Browser:
    """A visitor who reads pages and sends the forms that are in them."""

    def __init__(self, visitor, agent="curl/8"):
        self.visitor = visitor
        self.agent = agent

    def get(self, path="/"):
        return self.visitor.ask("GET", path, headers={"User-Agent": self.agent})

    def post(self, path, **fields):
        return self.visitor.ask("POST", path, urllib.parse.urlencode(fields),
                                {"User-Agent": self.agent})

    def submit(self, path, page="/", **fields):
        """The form of that page that is sent to the path, with what is hidden in it."""
        text = self.get(page).text
        form = re.search(rf'<form method="post" action="{path}".*?</form>', text, re.S)
        if not form:
            raise AssertionError(f"no form for {path} in {text}")
        hidden = re.findall(r'type="hidden" name="(\w+)" value="(.*?)"', form[0])
        return self.post(path, **{name: html.unescape(value) for name, value in hidden} | fields)

    def log_in(self, name="alice", **fields):
        return self.submit("/login", name=name, **fields)

    def is_in(self):
        return "Hello, " in self.get().text


class Site(unittest.TestCase):
    config = "{}"
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(
            DemoServer("--config", cls.config, *cls.options))

    def browser(self, agent="curl/8"):
        return Browser(self.enterContext(self.server.visitor()), agent)

    def logged_in(self, agent="curl/8", name="alice", **fields):
        browser = self.browser(agent)
        self.assert_sent(browser.log_in(name, **fields))
        return browser

    def assert_sent(self, answer, path="/"):
        self.assertEqual((answer.status, answer.headers["Location"]), (303, path), answer)

    def wait_until(self, happens):
        deadline = time.monotonic() + PATIENCE_S
        while not happens():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)


class Devices(Site):
    def setUp(self):
        """Nobody has a device of a test before."""
        self.name = self.id().rsplit(".", 1)[1][:60]

    def mine(self, agent="curl/8", **fields):
        return self.logged_in(agent, self.name, **fields)

    def devices(self, browser):
        """(name, is this one) of each."""
        page = browser.get("/devices").text
        return [(name, bool(here)) for here, name in
                re.findall(r'<li( aria-current="true")?><div><p><strong>(.*?)</strong>', page)]

    def test_each_is_shown_by_its_browser_and_this_one_first(self):
        phone, laptop = self.mine(IPHONE), self.mine(LINUX)
        self.assertEqual(self.devices(phone),
                         [("Safari on an iPhone", True), ("Firefox on Linux", False)])
        self.assertEqual(self.devices(laptop),
                         [("Firefox on Linux", True), ("Safari on an iPhone", False)])
        page = phone.get("/devices").text
        self.assertEqual(page.count("127.0.0.1 · since <time"), 2)
        self.assertEqual(page.count("last seen <time"), 2)

    def test_a_browser_may_call_itself_anything(self):
        for agent in ("", "<script>", "x" * 3000, "Mozilla/5.0 (Linux; Android 14) Chrome/120.0"):
            with self.subTest(agent=agent):
                browser = self.logged_in(agent, f"agent of {len(agent)}")
                name = "Chrome on Android" if "Android" in agent else "A browser"
                self.assertEqual(self.devices(browser), [(name, True)])

    def test_one_is_logged_out_and_the_others_stay(self):
        here, phone, laptop = self.mine(), self.mine(IPHONE), self.mine(LINUX)
        page = here.get("/devices").text
        form = page[page.index("Safari"):]
        answer = here.submit("/devices/end", "/devices", handle=HANDLE.search(form)[1])
        self.assert_sent(answer, "/devices")
        self.assertIn('role="status">That device is logged out.<', here.get("/devices").text)
        self.assertEqual([each.is_in() for each in (here, phone, laptop)], [True, False, True])

    def test_all_others_are_logged_out_at_once_with_what_remembers_them(self):
        here, *others = self.mine(remember="yes"), self.mine(remember="yes"), self.mine(LINUX)
        self.assert_sent(here.submit("/devices/end-others", "/devices"), "/devices")
        self.assertEqual(self.devices(here), [("curl", True)])
        for other in others:
            self.assertNotIn("Welcome back", other.get().text)
            self.assertFalse(other.is_in())
        here.visitor.cookie = None
        self.assertIn("Welcome back", here.get().text)

    def test_a_handle_of_somebody_else_or_of_nobody_ends_nothing(self):
        here, other = self.mine(), self.logged_in(LINUX, "somebody else")
        # Shown to the other user only: a second device of that one has to be there.
        self.logged_in(IPHONE, "somebody else")
        foreign = HANDLE.search(other.get("/devices").text)[1]
        self.mine(LINUX)
        for handle in (foreign, "0" * 32, "", "x", "A" * 32, "0" * 33, "0" * 5000, "\0" * 32):
            with self.subTest(handle=handle):
                answer = here.submit("/devices/end", "/devices", handle=handle)
                self.assertEqual(answer.status, 404)
                self.assertIn("You have no such device", answer.text)
        self.assertEqual(len(self.devices(other)), 2)
        self.assertEqual(len(self.devices(here)), 2)

    def test_ones_own_handle_is_a_log_out(self):
        here, laptop = self.mine(), self.mine(LINUX)
        own = HANDLE.search(laptop.get("/devices").text)[1]
        answer = here.submit("/devices/end", "/devices", handle=own)
        self.assert_sent(answer)
        self.assertIsNone(here.visitor.cookie)
        self.assertTrue(laptop.is_in())

    def test_who_is_not_logged_in_is_sent_home(self):
        stranger = self.browser()
        for path in ("/devices", "/account/email", "/account/confirm"):
            self.assert_sent(stranger.get(path))
        for path in ("/devices/end", "/devices/end-others", "/account/email", "/account/confirm"):
            self.assert_sent(stranger.post(path, handle="0" * 32, email="a@b"))
        self.assertIsNone(stranger.visitor.cookie)


class Limit(Site):
    config = '{"maxSessionsPerUser": 2}'

    def test_a_log_in_too_many_is_refused_with_a_page_that_says_why(self):
        self.logged_in(), self.logged_in(LINUX)
        answer = self.browser(IPHONE).log_in()
        self.assertEqual(answer.status, 403)
        self.assertIn("as many devices as this site permits", answer.text)
        self.assertIsNone(answer.set_cookie)
        self.logged_in(name="bob")


class Forged(Site):
    FORMS = (("/login", {"name": "eve"}), ("/logout", {}), ("/notes", {"text": "forged"}),
             ("/notes/delete", {"key": "note:"}), ("/devices/end", {"handle": "0" * 32}),
             ("/devices/end-others", {}), ("/account/email", {"email": "eve@evil.test"}),
             ("/account/confirm", {"to": "/"}))

    def test_no_form_is_taken_without_the_token_of_this_session(self):
        here, elsewhere = self.logged_in(), self.logged_in(LINUX)
        token = here.visitor.token()
        forged = {"none": {}, "empty": {"csrf": ""}, "of another session":
                  {"csrf": elsewhere.visitor.token()}, "cut": {"csrf": token[:-1]},
                  "longer": {"csrf": token + "A"}, "made up": {"csrf": "A" * len(token)},
                  "no text": {"csrf": "\0\xff"}, "huge": {"csrf": "A" * 100_000}}
        before = here.visitor.session()["data"]
        for path, fields in self.FORMS:
            for kind, csrf in forged.items():
                with self.subTest(path=path, token=kind):
                    answer = here.post(path, **fields, **csrf)
                    self.assertEqual(answer.status, 403)
                    self.assertIn("<h1>Sorry", answer.text)
                    self.assertIn("Nothing was changed", answer.text)
                    self.assertIsNone(answer.set_cookie)
        self.assertEqual(here.visitor.session()["data"], before)
        self.assertTrue(here.is_in() and elsewhere.is_in())

    def test_every_form_of_every_page_carries_the_token(self):
        here, _ = self.logged_in(remember="yes"), self.logged_in(LINUX)
        here.submit("/notes", text="one")
        for path in ("/", "/devices", "/account/email", "/account/confirm"):
            forms = re.findall(r'<form method="post".*?</form>', here.get(path).text, re.S)
            self.assertTrue(forms, path)
            for form in forms:
                self.assertRegex(form, r'name="csrf" value="[\w-]{43}"')

    def test_a_stranger_logs_in_without_token_and_without_a_trace_before(self):
        stranger = self.browser()
        answer = stranger.get()
        self.assertNotIn("csrf", answer.text)
        self.assertIsNone(answer.set_cookie)
        self.assert_sent(stranger.post("/login", name="alice"))

    def test_a_visitor_with_a_basket_needs_the_token_to_log_in(self):
        here = self.browser()
        here.visitor.ask("PUT", "/api/session/basket", "melon")
        self.assertEqual(here.post("/login", name="alice").status, 403)
        self.assert_sent(here.log_in())
        self.assertEqual(here.visitor.session()["data"], {"basket": "melon"})

    def test_a_form_from_before_the_step_up_is_too_old(self):
        here = self.logged_in()
        old = here.visitor.token()
        self.assert_sent(here.submit("/account/confirm", "/account/confirm"))
        self.assertEqual(here.post("/notes", text="late", csrf=old).status, 403)

    def test_the_form_of_a_page_without_a_session_any_more_leads_home(self):
        here = self.logged_in()
        old = here.visitor.token()
        here.submit("/logout")
        self.assert_sent(here.post("/notes", text="late", csrf=old))
        self.assertIsNone(here.visitor.cookie)


class Leaving(Site):
    def test_a_log_out_asks_the_browser_to_forget_the_site(self):
        here = self.logged_in(remember="yes")
        answer = here.submit("/logout")
        self.assertEqual(answer.headers["Clear-Site-Data"], '"cache", "cookies", "storage"')
        self.assertEqual((here.visitor.cookie, here.visitor.remembered), (None, None))

    def test_what_was_remembered_is_forgotten_also_for_who_has_kept_the_cookie(self):
        here = self.logged_in(remember="yes")
        with here.visitor.twin() as thief:
            here.submit("/logout")
            self.assertIn("Open sesame", thief.ask("GET", "/").text)


class Remembering(Site):
    config = '{"idleTimeout": 1, "backgroundHeader": "X-Background"}'

    def expire(self, browser):
        """Its session; looking at it in the background does not keep it alive."""
        with self.server.visitor(browser.visitor.cookie) as helper:
            self.wait_until(lambda: helper.ask("GET", "/api/session", headers={
                "X-Background": "1"}).json()["user"] is None)

    def test_a_browser_is_remembered_only_if_that_is_asked_for(self):
        here = self.logged_in()
        self.assertIsNone(here.visitor.remembered)
        self.expire(here)
        self.assertIn("Open sesame", here.get().text)

    def test_the_demo_remembers_for_thirty_days(self):
        answer = self.browser().log_in(remember="yes")
        self.assertIn("Max-Age=2592000", answer.set_remember)
        self.assertNotIn("Max-Age", answer.set_cookie)

    def test_who_is_remembered_is_greeted_with_less_until_it_is_confirmed(self):
        here = self.logged_in(remember="yes")
        here.submit("/notes", text="a secret")
        self.expire(here)
        page = here.get().text
        self.assertIn('Welcome back, <span id="user">alice</span>', page)
        for private in ("a secret", "visits", "<nav>", "/devices"):
            self.assertNotIn(private, page)
        self.assert_sent(here.submit("/account/confirm"))
        self.assertTrue(here.is_in())

    def test_what_asks_for_a_log_in_leads_to_the_confirmation_and_back(self):
        here = self.logged_in(remember="yes")
        self.expire(here)
        for path in ("/devices", "/account/email"):
            confirm = f"/account/confirm?to={path}"
            self.assert_sent(here.get(path), confirm)
        self.assert_sent(here.submit("/account/confirm", confirm), "/account/email")

    def test_who_is_only_remembered_changes_nothing(self):
        here = self.logged_in(remember="yes")
        self.expire(here)
        here.get()
        for path, back in (("/notes", "/"), ("/notes/delete", "/"), ("/devices/end", "/devices"),
                           ("/devices/end-others", "/devices"),
                           ("/account/email", "/account/email")):
            with self.subTest(path=path):
                answer = here.post(path, text="x", handle="0" * 32, email="a@b",
                                   csrf=here.visitor.token())
                self.assert_sent(answer, f"/account/confirm?to={back}")
        session = here.visitor.session()
        self.assertEqual((session["user"], session["level"], session["data"]), ("alice", 1, {}))

    def test_a_form_that_was_open_while_the_session_expired_is_refused(self):
        here = self.logged_in(remember="yes")
        old = here.visitor.token()
        self.expire(here)
        self.assertEqual(here.post("/account/confirm", csrf=old).status, 403)
        self.assertEqual(here.visitor.session()["level"], 1)

    def test_somebody_else_at_that_browser_is_not_greeted_again(self):
        here = self.logged_in(remember="yes")
        self.expire(here)
        self.assert_sent(here.submit("/logout"))
        self.assertIsNone(here.visitor.remembered)
        self.assertIn("Open sesame", here.get().text)

    def test_a_remembered_browser_without_a_session_is_shown_and_can_be_forgotten(self):
        away = self.logged_in(IPHONE, "walker", remember="yes")
        self.expire(away)
        here = self.logged_in(LINUX, "walker")
        page = here.get("/devices").text
        shown = page[page.index("Safari on an iPhone"):]
        self.assertIn("no session, but remembered since <time", shown)
        self.assertIn(">Forget</button>", shown)
        self.assert_sent(here.post("/devices/end", handle=HANDLE.search(shown)[1],
                                   csrf=here.visitor.token()), "/devices")
        self.assertIn("Open sesame", away.get().text)


class NotRemembering(Site):
    config = '{"rememberLifetime": 0}'

    def test_a_site_that_remembers_nobody_logs_in_all_the_same_and_says_so(self):
        here = self.logged_in(remember="yes")
        self.assertIsNone(here.visitor.remembered)
        self.assertIn("set up not to remember browsers", here.get().text)


class Email(Site):
    def test_it_is_saved_and_that_is_told_exactly_once(self):
        here = self.logged_in()
        self.assert_sent(here.submit("/account/email", "/account/email", email=" ali@cave.test "),
                         "/account/email")
        self.assertEqual(here.visitor.ask("HEAD", "/account/email").status, 200)
        pages = [here.get("/account/email").text for _ in range(2)]
        self.assertEqual([page.count('role="status">Saved.<') for page in pages], [1, 0])
        self.assertIn('value="ali@cave.test"', pages[1])

    def test_of_two_tabs_one_tells_it(self):
        here = self.logged_in()
        here.submit("/account/email", "/account/email", email="ali@cave.test")
        with here.visitor.twin() as tab:
            pages = [tab.ask("GET", "/devices").text, here.get().text, here.get("/devices").text]
        self.assertEqual([page.count("Saved.") for page in pages], [1, 0, 0])

    def test_a_message_is_never_markup_and_a_number_is_none(self):
        here = self.logged_in()
        here.visitor.ask("PUT", "/api/session/flash", "<script>1</script>")
        self.assertIn("&lt;script&gt;1", here.get().text)
        here.visitor.ask("POST", "/api/increment/flash")
        self.assertNotIn('role="status"', here.get().text)

    def test_what_is_no_address_is_refused_and_changes_nothing(self):
        here = self.logged_in()
        for email in ("", "   ", "x", "@", "a@", "@b", "a b@c", "a@b" + "c" * 252, "\0@b", b"\xff@b"):
            with self.subTest(email=email):
                answer = here.submit("/account/email", "/account/email", email=email)
                self.assertEqual(answer.status, 400)
                self.assertIn('role="alert"', answer.text)
        self.assertNotIn("email", here.visitor.session()["data"])
        here.submit("/account/email", "/account/email", email='"><script>@b')
        self.assertIn('value="&quot;&gt;&lt;script&gt;@b"', here.get("/account/email").text)

    def test_the_confirmation_leads_to_pages_of_this_site_only(self):
        here = self.logged_in()
        for to, back in (("/devices", "/devices"), ("/account/email", "/account/email"),
                         ("//evil.test", "/"), ("http://evil.test/", "/"), ("", "/"),
                         ("/account/confirm", "/"), ("/\r\nX: y", "/"), ("x" * 5000, "/")):
            with self.subTest(to=to):
                self.assert_sent(here.submit("/account/confirm", "/account/confirm", to=to), back)
                page = f"/account/confirm?to={urllib.parse.quote(to)}"
                self.assertIn(f'name="to" value="{back if back == to else "/"}"',
                              here.get(page).text)


class Fresh(Site):
    options = ("--fresh", "1")

    def test_a_log_in_that_is_too_long_ago_is_to_be_confirmed_first(self):
        here = self.logged_in()
        confirm = "/account/confirm?to=/account/email"
        self.wait_until(lambda: here.get("/account/email").status == 303)
        self.assert_sent(here.get("/account/email"), confirm)
        self.assert_sent(here.post("/account/email", email="a@b", csrf=here.visitor.token()),
                         confirm)
        self.assertNotIn("email", here.visitor.session()["data"])

        before = here.visitor.cookie

        def opens():
            self.assert_sent(here.submit("/account/confirm", confirm), "/account/email")
            return here.get("/account/email").status == 200  # not on a machine that took a second
        self.wait_until(opens)
        self.assertNotEqual(here.visitor.cookie, before)


class Theft(Site):
    config = '{"renewalInterval": 1, "renewalGrace": 1, "whenStolen": "end"}'
    BANNER = "Somebody used an old id of your session"

    def robbed(self):
        """A browser whose old id somebody has used."""
        here = self.logged_in()
        old = here.visitor.cookie
        self.wait_until(lambda: here.get() and here.visitor.cookie != old)
        here.get()
        self.wait_until(lambda: not self.opens(old))
        return here

    def opens(self, cookie):
        with self.server.visitor(cookie) as thief:
            return thief.session()["user"] is not None

    def test_the_session_was_ended_and_the_next_page_says_why(self):
        here = self.robbed()
        page = here.get().text
        self.assertIn(self.BANNER, page)
        self.assertIn("that session was ended", page)
        self.assertIn('action="/login"', page)
        self.assert_sent(here.log_in())
        self.assertNotIn(self.BANNER, here.get().text)


class TheftReported(Theft):
    config = '{"renewalInterval": 1, "renewalGrace": 1, "whenStolen": "report"}'

    def test_the_session_was_ended_and_the_next_page_says_why(self):
        """Here it was not: it is told on every page, until the visitor confirms that it is he."""
        here = self.robbed()
        for path in ("/", "/devices", "/account/email"):
            self.assertIn(self.BANNER, here.get(path).text)
        self.assert_sent(here.submit("/account/confirm", "/account/confirm"))
        self.assertTrue(here.is_in())
        self.assertNotIn(self.BANNER, here.get().text)


if __name__ == "__main__":
    unittest.main()
