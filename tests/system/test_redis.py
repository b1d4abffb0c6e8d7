#!/usr/bin/python3
"""Two servers on one Redis, and what visitors see while it is gone."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fleet import Fleet
from redis_server import RedisServer


class Redis(Fleet, unittest.TestCase):
    Server, provider = RedisServer, "redis"


if __name__ == "__main__":
    unittest.main()
