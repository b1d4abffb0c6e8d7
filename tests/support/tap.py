#!/usr/bin/python3
"""Runs unittest modules and speaks TAP, so that each test counts by itself.

    tap.py FILE.py [FILE.py...]       or, at the end of a module:   tap.main()

A method `test_a_port_in_use_is_one_clear_line` is told as "a port in use is one clear line". What
tests and their children print goes to standard error; a SkipTest of a whole module is a skip.
"""
import importlib.util
import os
import pathlib
import sys
import traceback
import unittest


class Result(unittest.TestResult):
    """Tells each result as it comes. The plan comes last: a class that fails to set up runs none
    of its tests, and a program that dies is known by its status."""

    def __init__(self, out):
        super().__init__()
        self.out = out
        self.told = 0
        self.parts_failed = False

    def tell(self, ok, test, directive=""):
        self.told += 1
        name = getattr(test, "_testMethodName", None) or str(test)
        name = name.removeprefix("test_").replace("_", " ").replace("#", "")
        verdict = "ok" if ok else "not ok"
        print(f"{verdict} {self.told} - {name}{directive}", file=self.out, flush=True)

    def explain(self, text):
        for line in text.splitlines():
            print(f"# {line}", file=self.out, flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.parts_failed = False

    def stopTest(self, test):
        super().stopTest(test)
        if self.parts_failed:
            self.tell(False, test)

    def addSuccess(self, test):
        self.tell(True, test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell(False, test)
        self.explain(self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.tell(False, test)
        self.explain(self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.parts_failed = True
            failed = issubclass(err[0], test.failureException)
            text = (self.failures if failed else self.errors)[-1][1]
            self.explain(f"{subtest}\n{text}")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.tell(True, test, f" # SKIP {reason}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.tell(False, test, " # TODO expected to fail")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.tell(False, test)


def load(path):
    """The tests of a file."""
    path = pathlib.Path(path).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def run(suites):
    """Runs them; returns the exit status."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        result = Result(out)
        unittest.TestSuite(make() for make in suites).run(result)
    except unittest.SkipTest as skipped:
        print(f"1..0 # SKIP {skipped}", file=out, flush=True)
        return 0
    print(f"1..{result.told}", file=out, flush=True)
    return 0 if result.wasSuccessful() else 1


def main():
    """For the end of a module that can also be run by itself."""
    sys.exit(run([lambda: unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])]))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(run([lambda path=path: load(path) for path in sys.argv[1:]]))
