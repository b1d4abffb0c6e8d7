#!/usr/bin/python3
"""Two servers on one MariaDB, and what visitors see while it is gone."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fleet import Fleet
from mariadb_server import MariadbServer


class MariaDB(Fleet, unittest.TestCase):
    Server, provider = MariadbServer, "mysql"


if __name__ == "__main__":
    unittest.main()
