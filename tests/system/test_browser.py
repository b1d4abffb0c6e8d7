#!/usr/bin/python3
"""The site in a real browser, and the cookie that the browser keeps."""
import os
import pathlib
import shutil
import sys
import tempfile
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


class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (CHROMIUM and DRIVER and webdriver):
            if os.environ.get("CI") == "true":
                raise AssertionError("chromium, chromium-driver and python3-selenium are needed")
            raise unittest.SkipTest("chromium, chromium-driver or python3-selenium is missing")
        cls.server = cls.enterClassContext(DemoServer())
        profile = cls.enterClassContext(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        cls.browser = start_browser(profile)
        cls.addClassCleanup(cls.browser.quit)

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

    def log_in(self, name="Ali Baba"):
        self.find("#name").send_keys(name)
        self.press("Log in")

    def add_note(self, text):
        self.find("#text").send_keys(text)
        self.press("Add")

    def cookies(self):
        return {cookie["name"]: cookie for cookie in self.browser.get_cookies()}

    # ---- tests ----

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


if __name__ == "__main__":
    unittest.main()
