#!/usr/bin/python3
"""What the scripts refuse, they refuse at once and in one line."""
import pathlib
import subprocess
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]


class Refusals(unittest.TestCase):
    def assert_refused(self, *command, says):
        done = subprocess.run([TOP / command[0], *command[1:]], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done)
        self.assertRegex(done.stderr, r"\A.+\n\Z")
        self.assertIn(says, done.stderr)

    def test_an_argument_that_meson_does_not_know_is_refused_before_building(self):
        self.assert_refused("script/test", "--bogus", says="script/test: unrecognized arguments: --bogus")
        self.assert_refused("script/test", "unit/abi", "--repeat=x", says="--repeat")

    def test_help_tells_what_the_arguments_are(self):
        for word in ("-h", "--help"):
            done = subprocess.run([TOP / "script/test", word], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("--suite", done.stdout)

    def test_formatting_takes_one_known_argument(self):
        self.assert_refused("script/format", "--bogus", says="usage")

    def test_an_unknown_set_of_packages_is_refused(self):
        self.assert_refused("script/setup", "bogus", says="usage")


if __name__ == "__main__":
    unittest.main()
