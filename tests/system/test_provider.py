#!/usr/bin/python3
"""What the demo says of a provider's name: modules are looked for beside the library."""
import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import run_demo

LIBRARY = pathlib.Path(os.environ["SESAME_LIBRARY_DIR"]).resolve() / "libsesame.so.0"
MODULES = LIBRARY.parent / "sesame"


class Provider(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "sesame").mkdir()
        (self.folder / LIBRARY.name).symlink_to(LIBRARY)

    def said_of(self, name, config="{}"):
        """The one line of a demo that does not start."""
        done = run_demo("--provider", name, "--config", config,
                        env=os.environ | {"LD_PRELOAD": str(self.folder / LIBRARY.name)})
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def install(self, *names):
        for name in names:
            (self.folder / "sesame" / name).touch()

    def test_an_unknown_name_is_told_with_the_modules_that_are_there(self):
        self.install("zebra.so", "antelope.so", "Upper.so", "notes.txt", ".so", "a.so.1", "file.so")
        said = self.said_of("nothing")
        self.assertIn("known are: file, memory, cookie, antelope, zebra "
                      f"(there is no module {self.folder}/sesame/nothing.so)", said)

    def test_without_a_folder_of_modules_those_built_in_are_known(self):
        (self.folder / "sesame").rmdir()
        self.assertIn("known are: file, memory, cookie (", self.said_of("nothing"))

    def test_a_module_that_is_there_may_be_meant(self):
        self.install("zebra.so")
        self.assertIn('unknown provider "zebr"; perhaps "zebra" is meant; known', self.said_of("zebr"))

    def test_a_module_of_sesame_that_is_not_there_is_told_with_what_builds_it(self):
        self.assertIn('provider "redis" is not installed; it is a module, which sesame built with '
                      f"-Dredis=enabled installs (there is no module {self.folder}/sesame/redis.so)",
                      self.said_of("redis"))

    def test_the_ancestors_names_are_those_of_our_modules(self):
        self.install("postgres.so", "memcached.so", "redis.so")
        for name, ours in (("postgresql", "postgres"), ("memcache", "memcached"),
                           ("redis_cluster", "redis"), ("redis_sentinel", "redis"),
                           ("cookie+postgresql", "postgres")):
            with self.subTest(name=name):
                self.assertIn(f"module {self.folder}/sesame/{ours}.so: ", self.said_of(name))

    def test_a_module_that_has_the_ancestors_name_itself_comes_first(self):
        self.install("memcached.so", "memcache.so")
        self.assertIn(f"module {self.folder}/sesame/memcache.so: ", self.said_of("memcache"))

    @unittest.skipUnless((MODULES / "memcached.so").exists(), "built without memcached")
    def test_the_demo_starts_by_the_ancestors_name_as_by_ours(self):
        (self.folder / "sesame/memcached.so").symlink_to(MODULES / "memcached.so")
        config = json.dumps({"providerConfig": "host:no-port"})
        self.assertEqual(self.said_of("memcache", config), self.said_of("memcached", config))
        self.assertNotIn("provider \"memcache", self.said_of("memcache", config))


if __name__ == "__main__":
    unittest.main()
