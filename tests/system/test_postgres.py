#!/usr/bin/python3
"""Two servers on one PostgreSQL, and what visitors see while it is restarted."""
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fleet import Fleet
from postgres_server import PostgresServer


class PostgreSQL(Fleet, unittest.TestCase):
    Server, provider = PostgresServer, "postgres"

    def faults(self):
        return {"restarted": (lambda: self.store.stop(signal.SIGINT), self.store.start),
                "crashed": (self.store.kill, self.store.start)}


if __name__ == "__main__":
    unittest.main()
