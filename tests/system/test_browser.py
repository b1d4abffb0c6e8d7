#!/usr/bin/python3
"""The site in a real browser, and the cookie that the browser keeps."""
import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait
except ImportError:
    webdriver = None

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import PATIENCE_S, DemoServer
from redis_server import RedisServer

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SWITCHES = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--window-size=900,800")


def start_browser(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service(DRIVER), options=options)


class Site(unittest.TestCase):
    """What a visitor does in a browser, at one demo."""
    config = "{}"

    @classmethod
    def setUpClass(cls):
        if not (CHROMIUM and DRIVER and webdriver):
            if os.environ.get("CI") == "true":
                raise AssertionError("chromium, chromium-driver and python3-selenium are needed")
            raise unittest.SkipTest("chromium, chromium-driver or python3-selenium is missing")
        cls.server = cls.enterClassContext(DemoServer("--config", cls.config))
        cls.browser = cls.open_browser()

    @classmethod
    def open_browser(cls):
        profile = cls.enterClassContext(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        browser = start_browser(profile)
        cls.addClassCleanup(browser.quit)
        return browser

    def setUp(self):
        """Each test is a stranger in a window of its own."""
        self.browser.get(self.server.origin)
        self.browser.delete_all_cookies()
        before = self.browser.window_handles
        self.browser.switch_to.new_window("window")
        for window in before:
            self.browser.switch_to.window(window)
            self.browser.close()
        self.browser.switch_to.window(self.browser.window_handles[0])
        self.browser.get(self.server.origin)
        self.browser.get_log("browser")

    # ---- what a visitor does ----

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        return [found.text for found in self.browser.find_elements(By.CSS_SELECTOR, selector)]

    def press(self, name, within="body"):
        """The button of that label; then waits for the page that follows."""
        buttons = [button for button in self.find(within).find_elements(By.TAG_NAME, "button")
                   if name in (button.text, button.accessible_name)]
        self.browser.execute_script("window.left = true")
        buttons[0].click()
        # While one page makes way for the other, the driver may fail at any question.
        wait = WebDriverWait(self.browser, PATIENCE_S, ignored_exceptions=(WebDriverException,))
        wait.until(lambda browser: browser.execute_script(
            "return document.readyState === 'complete' && !window.left"))

    def log_in(self, name="Ali Baba", remember=False):
        self.find("#name").send_keys(name)
        if remember:
            self.find("[name=remember]").click()
        self.press("Log in")

    def add_note(self, text):
        self.find("#text").send_keys(text)
        self.press("Add")

    def visit(self, path="/"):
        self.browser.get(self.server.origin + path)

    def cookies(self):
        return {cookie["name"]: cookie for cookie in self.browser.get_cookies()}

    def wait_until(self, happens):
        WebDriverWait(self.browser, PATIENCE_S, poll_frequency=0.05).until(lambda _: happens())


class Visit(Site):
    def test_a_stranger_gets_no_cookie(self):
        self.assertEqual(self.texts("h1"), ["Open sesame"])
        self.assertEqual(self.cookies(), {})

    def test_log_in_sets_one_cookie_that_scripts_cannot_read(self):
        self.log_in()
        self.assertEqual(self.find("#user").text, "Ali Baba")
        self.assertEqual(list(self.cookies()), ["id"])
        cookie = self.cookies()["id"]
        self.assertEqual((cookie["httpOnly"], cookie["sameSite"], cookie["path"]),
                         (True, "Lax", "/"))
        self.assertNotIn("expiry", cookie)
        self.assertEqual(self.browser.execute_script("return document.cookie"), "")

    def test_log_in_changes_the_id_that_the_browser_had(self):
        with self.server.visitor() as helper:
            helper.ask("PUT", "/api/session/melon", "ripe")
            before = helper.cookie.split("=", 1)[1]
        self.browser.add_cookie({"name": "id", "value": before, "httpOnly": True,
                                 "sameSite": "Lax"})
        self.browser.refresh()
        self.assertEqual(self.cookies()["id"]["value"], before)
        self.log_in()
        self.assertNotEqual(self.cookies()["id"]["value"], before)
        self.assertEqual(list(self.cookies()), ["id"])
        self.browser.get(f"{self.server.origin}/api/session")
        self.assertIn('"melon":"ripe"', self.find("body").text)

    def test_reading_on_keeps_the_id_and_counts_visits(self):
        self.log_in()
        before = self.cookies()
        self.browser.refresh()
        self.browser.get(self.server.origin)
        self.assertEqual(self.find("#visits").text, "3")
        self.assertEqual(self.cookies(), before)

    def test_notes_are_added_and_deleted(self):
        self.log_in()
        for text in ("Forty jars", "<b>oil</b> & \"donkeys\"", "Open"):
            self.add_note(text)
        self.assertEqual(self.texts(".notes p"), ["Forty jars", "<b>oil</b> & \"donkeys\"", "Open"])
        self.press("Delete the note: <b>oil</b> & \"donkeys\"")
        self.assertEqual(self.texts(".notes p"), ["Forty jars", "Open"])
        self.browser.refresh()
        self.assertEqual(self.texts(".notes p"), ["Forty jars", "Open"])

    def test_log_out_removes_the_cookie_and_going_back_shows_nothing(self):
        self.log_in()
        self.add_note("a secret")
        kept = self.cookies()["id"]
        self.press("Log out")
        self.assertEqual(self.texts("h1"), ["Open sesame"])
        self.assertEqual(self.cookies(), {})

        self.browser.back()
        self.assertNotIn("a secret", self.find("body").text)

        # Whoever has kept the cookie has kept nothing.
        self.browser.add_cookie(kept)
        self.browser.get(self.server.origin)
        self.assertEqual(self.texts("h1"), ["Open sesame"])

    def test_two_windows_of_one_browser_share_the_session(self):
        self.log_in()
        first = self.browser.current_window_handle
        self.browser.switch_to.new_window("tab")
        self.browser.get(self.server.origin)
        self.add_note("from the other tab")
        self.browser.switch_to.window(first)
        self.browser.refresh()
        self.assertEqual(self.texts(".notes p"), ["from the other tab"])

    def test_the_browser_finds_nothing_to_complain_about(self):
        self.log_in()
        self.add_note("x")
        self.press("Log out")
        complaints = [line["message"] for line in self.browser.get_log("browser")
                      if line["level"] != "INFO"]  # such as what Clear-Site-Data has cleared
        self.assertEqual(complaints, [])
        style = self.browser.execute_script(
            "return getComputedStyle(document.querySelector('.card')).borderRadius")
        self.assertNotEqual(style, "0px")  # the policy lets our own style pass

    def test_every_field_has_a_label(self):
        unlabelled = "return [...document.querySelectorAll('input:not([type=hidden])')]" \
                     ".filter(input => input.labels.length != 1).length"
        self.assertEqual(self.browser.execute_script(unlabelled), 0)
        self.log_in()
        self.assertEqual(self.browser.execute_script(unlabelled), 0)

    def test_the_page_fits_a_narrow_window(self):
        self.log_in("A name without any place to break it, " + "o" * 20)
        self.add_note("w" * 300)
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": False})
        overflow = "return document.documentElement.scrollWidth - innerWidth"
        self.assertLessEqual(self.browser.execute_script(overflow), 0)


class Pages(Site):
    """Those of whoever is logged in."""

    def test_a_message_is_shown_once(self):
        self.log_in()
        self.visit("/account/email")
        self.find("#email").send_keys("ali@cave.test")
        self.press("Save")
        self.assertEqual(self.texts(".flash"), ["Saved."])
        self.assertEqual(self.find("#email").get_attribute("value"), "ali@cave.test")
        self.browser.refresh()
        self.assertEqual(self.texts(".flash"), [])

    def test_all_pages_fit_a_narrow_window_and_label_their_fields(self):
        self.log_in("o" * 60)
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": False})
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})
        for path in ("/", "/devices", "/account/email", "/account/confirm"):
            with self.subTest(path=path):
                self.visit(path)
                self.assertEqual(self.browser.execute_script(
                    "return [Math.max(0, document.documentElement.scrollWidth - innerWidth),"
                    " [...document.querySelectorAll('input:not([type=hidden])')]"
                    ".filter(input => input.labels.length != 1).length]"), [0, 0])


class TwoBrowsers(Site):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.open_browser()

    def setUp(self):
        super().setUp()
        self.other.get(self.server.origin)
        self.other.delete_all_cookies()

    @contextlib.contextmanager
    def at_the_other(self):
        first, self.browser = self.browser, self.other
        try:
            yield
        finally:
            self.browser = first

    def test_one_logs_the_other_out_at_its_next_click(self):
        self.log_in("two")
        with self.at_the_other():
            self.visit()
            self.log_in("two")
            self.add_note("not yet")
        self.visit("/devices")
        self.assertEqual(self.texts(".badge"), ["this one"])
        self.press("Log out Chrome on Linux", ".list li:not([aria-current])")
        self.assertEqual(self.texts(".flash"), ["That device is logged out."])
        self.assertEqual(len(self.texts(".list li")), 1)
        with self.at_the_other():
            self.find("#text").send_keys("too late")
            self.press("Add")
            self.assertEqual(self.texts("h1"), ["Open sesame"])
        self.visit()
        self.assertEqual(self.find("#user").text, "two")

    def test_everywhere_else_is_everywhere_else(self):
        with self.at_the_other():
            for _ in range(2):  # the first of them is left behind without its cookies
                self.other.delete_all_cookies()
                self.visit()
                self.log_in("all", remember=True)
        self.log_in("all")
        self.visit("/devices")
        self.assertEqual(len(self.texts(".list li")), 3)
        self.press("Log out everywhere else")
        self.assertEqual(len(self.texts(".list li")), 1)
        with self.at_the_other():
            self.visit()
            self.assertEqual(self.texts("h1"), ["Open sesame"])


class Fleet(Site):
    """Two servers on one Redis: a browser that goes from the one to the other."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        redis = cls.enterClassContext(RedisServer())
        cls.server, cls.second = (
            cls.enterClassContext(DemoServer("--provider", "redis", "--config", redis.config()))
            for _ in range(2))

    def test_who_logs_in_at_one_server_is_logged_in_and_out_at_both(self):
        self.log_in("fleet")
        self.add_note("written at the first")
        self.browser.get(self.second.origin)
        self.assertEqual(self.find("#user").text, "fleet")
        self.assertIn("written at the first", self.find("body").text)
        self.press("Log out")
        self.visit()
        self.assertEqual(self.texts("h1"), ["Open sesame"])


class Remembered(Site):
    config = '{"idleTimeout": 1, "backgroundHeader": "X-Background"}'

    def has_expired(self, cookie):
        """A look in the background does not keep the session alive."""
        with self.server.visitor(f"id={cookie}") as helper:
            answer = helper.ask("GET", "/api/session", headers={"X-Background": "1"})
            return answer.json()["user"] is None

    def test_a_browser_is_remembered_when_its_session_has_expired(self):
        self.log_in(remember=True)
        before = self.cookies()
        self.assertEqual(sorted(before), ["id", "id-remember"])
        self.assertTrue(before["id-remember"]["httpOnly"])
        self.assertGreater(before["id-remember"]["expiry"], time.time() + 29 * 86400)

        self.wait_until(lambda: self.has_expired(before["id"]["value"]))
        self.visit()
        self.assertEqual(self.texts("h1"), ["Welcome back, Ali Baba"])
        for name, cookie in self.cookies().items():
            self.assertNotEqual(cookie["value"], before[name]["value"])

        self.visit("/account/confirm")
        self.press("It is me")
        self.visit()
        self.assertIn("Ali Baba", self.find("h1").text)


class Renewal(Site):
    config = '{"renewalInterval": 1, "renewalGrace": 1}'
    INCREMENTS = """
        const [token, done] = arguments;
        const add = () => fetch("/api/increment/n", {method: "POST",
                                                     headers: {"X-CSRF-Token": token}});
        Promise.all([1, 2, 3, 4, 5, 6].map(add))
            .then(answers => done(answers.map(answer => answer.status)))
            .catch(error => done([String(error)]));
    """

    def setUp(self):
        super().setUp()
        # What these tests do by script, the site's own policy forbids.
        self.browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        self.visit()

    def data(self):
        return self.browser.execute_async_script(
            "fetch('/api/session').then(answer => answer.json()).then(arguments[0])")

    def test_requests_side_by_side_across_a_new_id_raise_no_alarm_and_lose_nothing(self):
        self.log_in()
        ids, sent = {self.cookies()["id"]["value"]}, 0
        token = self.data()["csrf"]

        def has_changed_thrice():
            nonlocal sent
            statuses = self.browser.execute_async_script(self.INCREMENTS, token)
            self.assertEqual(statuses, [200] * 6)
            sent += 6
            ids.add(self.cookies()["id"]["value"])
            return len(ids) > 3
        self.wait_until(has_changed_thrice)
        session = self.data()
        self.assertEqual((session["user"], session["data"]["n"]), ("Ali Baba", sent))
        self.visit()
        self.assertEqual(self.texts(".banner"), [])

    def rob(self):
        """Waits for a new id, then somebody uses the old one, until it is noticed."""
        old = self.cookies()["id"]["value"]

        def has_changed():
            self.visit()
            return self.cookies()["id"]["value"] != old
        self.wait_until(has_changed)
        self.visit()

        def is_noticed():
            with self.server.visitor(f"id={old}") as thief:
                return thief.session()["user"] is None
        self.wait_until(is_noticed)

    def test_who_is_thrown_out_for_a_theft_is_told_why(self):
        self.log_in()
        self.rob()
        self.visit()
        self.assertEqual(self.texts("h1"), ["Open sesame"])
        self.assertIn("Somebody used an old id of your session", self.find(".banner").text)
        self.log_in()
        self.assertEqual(self.texts(".banner"), [])


class Report(Renewal):
    config = '{"renewalInterval": 1, "renewalGrace": 1, "whenStolen": "report"}'

    def test_who_is_thrown_out_for_a_theft_is_told_why(self):
        """Here nobody is: the banner stays until the visitor has confirmed that it is he."""
        self.log_in()
        self.rob()
        self.visit("/devices")
        self.find(".banner a").click()
        self.press("It is me")
        self.assertEqual(self.texts("h1"), ["Hello, Ali Baba"])
        self.assertEqual(self.texts(".banner"), [])


if __name__ == "__main__":
    unittest.main()
