#!/usr/bin/python3
"""One session, many connections at once: nothing is lost, and nothing comes back."""
import concurrent.futures
import contextlib
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import DemoServer

CONNECTIONS = 8


class Races(unittest.TestCase):
    config = "{}"

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(
            DemoServer("--threads", str(CONNECTIONS), "--config", cls.config))

    def setUp(self):
        self.visitor = self.enterContext(self.server.visitor())
        self.assertEqual(self.visitor.ask("PUT", "/api/session/begun", "1").status, 200)

    def race(self, *requests_of_connections):
        """Sends each list of requests on a connection of its own, all with the visitor's cookie and
        all at once; returns the answers, a list for each."""
        token = self.visitor.token()
        cookie = self.visitor.cookie
        with contextlib.ExitStack() as stack, \
                concurrent.futures.ThreadPoolExecutor(len(requests_of_connections)) as pool:
            pipelines = [stack.enter_context(self.server.pipeline(requests, cookie, token))
                         for requests in requests_of_connections]
            answers = [pool.submit(pipeline.answers) for pipeline in pipelines]
            for pipeline in pipelines:
                pipeline.send()
            return [each.result() for each in answers]

    def data(self):
        return self.visitor.session()["data"]


class Merging(Races):
    def test_parallel_increments_add_up_exactly(self):
        each = 250
        answers = self.race(*[[("POST", "/api/increment/n", "")] * each] * CONNECTIONS)
        told = [answer.text for connection in answers for answer in connection]
        self.assertEqual(self.data()["n"], each * CONNECTIONS)
        # Each answer is the value that this very increment has made: none is told twice.
        self.assertEqual(sorted(map(int, told)), list(range(1, each * CONNECTIONS + 1)))

    def test_parallel_increments_stop_at_64_bits_and_say_why(self):
        for turn in range(100):  # in some of them a commit finds what the reading did not
            path = f"/api/increment/n{turn}"
            self.visitor.ask("POST", f"{path}?by={2**63 - 9}")
            answers = self.race(*[[("POST", path, "")] * 5] * CONNECTIONS)
            statuses = [answer.status for connection in answers for answer in connection]
            self.assertEqual((statuses.count(200), statuses.count(409)), (8, 32))
            self.assertEqual(self.data()[f"n{turn}"], 2**63 - 1)

    def test_parallel_writes_of_different_keys_are_all_kept(self):
        rounds = 60
        keys = [[f"k{connection}-{i}" for i in range(rounds)] for connection in range(CONNECTIONS)]
        answers = self.race(*[[("PUT", f"/api/session/{key}", key) for key in some]
                              for some in keys])
        self.assertEqual({answer.status for some in answers for answer in some}, {200})
        expected = {key: key for some in keys for key in some}
        self.assertEqual(self.data(), expected | {"begun": "1"})

    def test_parallel_writes_and_deletes_of_others_do_not_meet(self):
        rounds = 60
        for i in range(rounds):
            self.visitor.ask("PUT", f"/api/session/old{i}", "x")
        self.race([("DELETE", f"/api/session/old{i}", "") for i in range(rounds)],
                  [("PUT", f"/api/session/new{i}", "y") for i in range(rounds)],
                  [("POST", "/api/increment/n", "")] * rounds)
        expected = {f"new{i}": "y" for i in range(rounds)}
        self.assertEqual(self.data(), expected | {"begun": "1", "n": rounds})

    def test_a_value_is_taken_by_exactly_one_of_many(self):
        for i in range(30):
            self.visitor.ask("PUT", "/api/session/ticket", f"number {i}")
            answers = self.race(*[[("POST", "/api/take/ticket", "")] * 2] * CONNECTIONS)
            told = [answer.text for connection in answers for answer in connection
                    if answer.status == 200]
            self.assertEqual(told, [f"number {i}"])

    def test_parallel_first_requests_of_a_stranger_make_whole_sessions(self):
        self.visitor.cookie = None
        before = self.server.count()
        answers = self.race(*[[("PUT", "/api/session/a", "1")]] * CONNECTIONS)
        cookies = {answer.set_cookie for connection in answers for answer in connection}
        self.assertEqual(len(cookies), CONNECTIONS)
        self.assertEqual(self.server.count(), before + CONNECTIONS)


class LogOut(Races):
    def test_a_session_that_was_ended_never_comes_back(self):
        for _ in range(40):
            self.visitor.ask("PUT", "/api/session/mine", "1")
            with self.visitor.twin() as replay:
                self.race(*[[("PUT", f"/api/session/k{i}", "late")] * 6 for i in range(5)],
                          [("POST", "/api/increment/n", "")] * 6,
                          [("GET", "/api/session", "")] * 3 + [("POST", "/api/logout", "")])
                session = replay.session()
                self.assertEqual((session["new"], session["data"]), (True, {}))
            self.visitor.cookie = None

    def test_a_write_that_meets_the_end_is_refused_or_begins_anew(self):
        for _ in range(20):
            self.visitor.ask("PUT", "/api/session/mine", "1")
            answers = self.race([("POST", "/api/logout", "")],
                                *[[("POST", "/api/increment/n", "")] * 6] * 6)
            for connection in answers[1:]:
                for answer in connection:
                    # Before the end, refused at it, or after it: a new session with a new cookie.
                    fits = answer.status == 409 or answer.set_cookie is None or answer.text == "1"
                    self.assertTrue(fits, answer)
            self.visitor.cookie = None


class LogIn(Races):
    def test_a_late_request_with_the_old_id_cannot_undo_the_log_in(self):
        with self.visitor.twin() as late:
            self.visitor.ask("POST", "/api/login?user=alice")
            for method, path, status in (("GET", "/api/session", 200), ("GET", "/", 200),
                                         ("PUT", "/api/session/a", 409),
                                         ("POST", "/api/increment/n", 409),
                                         ("POST", "/api/regenerate", 409),
                                         ("POST", "/api/logout", 200)):
                with self.subTest(method=method, path=path):
                    answer = late.ask(method, path, "x")
                    self.assertEqual(answer.status, status)
                    self.assertIsNone(answer.set_cookie)
        session = self.visitor.session()
        self.assertEqual((session["user"], session["data"]), ("alice", {"begun": "1"}))

    def test_requests_in_flight_keep_their_writes_or_are_told_that_they_lost(self):
        for i in range(30):
            log_in, *writers = self.race(
                [("GET", "/api/session", "")] * (i % 6) + [("POST", "/api/login?user=alice", "")],
                *[[("PUT", f"/api/session/k{i}-{c}-{j}", "x") for j in range(6)]
                  for c in range(CONNECTIONS - 1)])
            self.assertEqual(log_in[-1].status, 200)
            self.visitor.cookie = log_in[-1].set_cookie.split(";")[0]
            session = self.visitor.session()
            self.assertEqual(session["user"], "alice")
            for c, answers in enumerate(writers):
                for j, answer in enumerate(answers):
                    self.assertIn(answer.status, (200, 409))
                    self.assertIsNone(answer.set_cookie)
                    self.assertEqual(f"k{i}-{c}-{j}" in session["data"], answer.status == 200)

    def test_of_many_log_ins_with_one_id_each_has_a_session_of_its_own(self):
        for _ in range(30):
            before = self.server.count()
            answers = self.race(*[[("POST", "/api/login?user=alice", "")]] * CONNECTIONS)
            cookies = {connection[0].set_cookie.split(";")[0] for connection in answers}
            self.assertEqual(len(cookies), CONNECTIONS)
            # One of them took the place of the session that all have come with.
            self.assertEqual(self.server.count(), before + CONNECTIONS - 1)
            self.visitor.cookie = cookies.pop()


class NoReplays(Races):
    config = '{"maxReplays": 0}'

    def test_without_replays_some_conflict_and_the_others_add_up(self):
        stored = conflicts = 0
        deadline = time.monotonic() + 60
        while conflicts == 0 and time.monotonic() < deadline:
            answers = self.race(*[[("POST", "/api/increment/n", "")] * 250] * CONNECTIONS)
            statuses = [answer.status for connection in answers for answer in connection]
            self.assertLessEqual(set(statuses), {200, 409})
            stored += statuses.count(200)
            conflicts += statuses.count(409)
            self.assertEqual(self.data()["n"], stored)
        self.assertGreater(conflicts, 0)


if __name__ == "__main__":
    unittest.main()
