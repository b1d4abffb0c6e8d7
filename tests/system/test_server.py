#!/usr/bin/python3
"""The demo as a program: its options, how it starts, and how it ends."""
import pathlib
import re
import signal
import socket
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from demo_server import DemoServer, run_demo

TOP = pathlib.Path(__file__).resolve().parents[2]


class Options(unittest.TestCase):
    def assert_refused(self, *args, says):
        """One clear line and status 2."""
        done = run_demo(*args)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Asesame-demo: .+\n\Z")
        self.assertIn(says, done.stderr)

    def test_help_names_every_option(self):
        done = run_demo("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in ("--listen", "--provider", "--config", "--threads", "--fresh", "--policy",
                       "-h, --help", "--version"):
            self.assertIn(option, done.stdout)
        self.assertEqual(run_demo("-h").stdout, done.stdout)

    def test_version_tells_the_librarys(self):
        version = re.search(r"\bversion: '([\d.]+)'", (TOP / "meson.build").read_text())[1]
        done = run_demo("--version")
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, f"sesame-demo {version}\n", ""))

    def test_an_option_is_not_abbreviated(self):
        for option in ("--h", "--vers", "--thread=2", "--prov=memory", "--conf={}", "--l=:"):
            with self.subTest(option=option):
                self.assert_refused(option, says=option)
        self.assert_refused("--threads", "1", "--thread", "2", says="--thread;")

    def test_a_value_may_look_like_an_option(self):
        self.assert_refused("--provider", "--help", says="provider")
        self.assert_refused("--threads=--help", says="1 to 256")

    def test_an_unknown_option_is_refused(self):
        for option in ("--colour", "-x", "-xh", "--", "-"):
            with self.subTest(option=option):
                self.assert_refused(option, "1", says=option)

    def test_an_option_without_its_value_is_refused(self):
        self.assert_refused("--listen", says="--listen")

    def test_an_argument_that_is_no_option_is_refused(self):
        self.assert_refused("8080", says="8080")
        self.assert_refused("8080", "--help", says="8080")

    def test_an_address_that_is_none_is_refused(self):
        for listen in ("", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                       "127.0.0.1:65536", "127.0.0.1:-1", "::1:8080", "[::1]", "[::1", "[]:1",
                       "127.0.0.1:80 ", "127.0.0.1:999999999999", "999.0.0.1:1"):
            with self.subTest(listen=listen):
                self.assert_refused("--listen", listen, says="--listen")

    def test_a_port_that_is_none_is_told_as_the_ports_fault(self):
        for port in ("", "x", "65536", "-1", "80 ", "99999999999999999999"):
            with self.subTest(port=port):
                self.assert_refused("--listen", f"127.0.0.1:{port}",
                                    says="the port must be a number from 0 to 65535")

    def test_an_address_of_another_machine_is_refused(self):
        self.assert_refused("--listen", "192.0.2.1:0", says="192.0.2.1:0")

    def test_a_number_of_threads_out_of_range_is_refused(self):
        for threads in ("", "0", "257", "-1", "two", "2x"):
            with self.subTest(threads=threads):
                self.assert_refused("--threads", threads, says="1 to 256")

    def test_an_age_of_a_log_in_out_of_range_is_refused(self):
        for seconds in ("", "0", "86401", "-1", "x", "1x", "99999999999"):
            with self.subTest(seconds=seconds):
                self.assert_refused("--fresh", seconds, says="1 to 86400")

    def policy(self, *args):
        done = run_demo(*args)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def test_policy_tells_what_is_in_force_and_ends(self):
        lines = self.policy("--policy")
        self.assertIn("idle timeout: 1800 s", lines)
        self.assertIn("a log-in is remembered for: 2592000 s", lines)
        self.assertFalse([line for line in lines if line.startswith("short of")])
        self.assertIn("idle timeout: 5 s", self.policy("--policy", "--config", '{"idleTimeout": 5}'))

    def test_policy_is_measured_against_a_preset(self):
        for args in (("--policy", "aal2"), ("--policy=aal2",), ("--policy=asvs-l3", "--policy=aal2")):
            with self.subTest(args=args):
                lines = self.policy(*args)
                self.assertTrue([line for line in lines if line.startswith("short of aal2: ")])

    def test_with_a_preset_the_demo_remembers_nobody_unless_told_to(self):
        lines = self.policy("--config", '{"Preset": "aal2"}', "--policy")
        self.assertIn("a log-in is remembered for: not at all", lines)

    def test_a_preset_that_there_is_not_is_refused(self):
        for args in (("--policy", "aal4"), ("--policy=",), ("--policy=AAL2 ",)):
            with self.subTest(args=args):
                self.assert_refused(*args, says="asvs-l1 to asvs-l3")

    def test_a_config_that_is_no_json_is_refused(self):
        for config in ("{", "[]", "7", "{\"gclifetime\": 60"):
            with self.subTest(config=config):
                self.assert_refused("--config", config, says="")

    def test_an_unknown_key_is_refused_and_the_nearest_is_named(self):
        self.assert_refused("--config", '{"idleTimeot": 60}', says="idleTimeout")

    def test_an_unknown_provider_is_refused(self):
        self.assert_refused("--provider", "rediss", says="rediss")

    def test_a_config_file_that_is_not_there_is_refused(self):
        self.assert_refused("--config", "@/nowhere/at/all.json", says="/nowhere/at/all.json")

    def test_a_config_file_with_a_nul_is_refused(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"{}\0{}")
            file.flush()
            self.assert_refused("--config", f"@{file.name}", says=file.name)

    def test_a_port_in_use_is_refused(self):
        with DemoServer() as server:
            self.assert_refused("--listen", f"127.0.0.1:{server.port}", says=str(server.port))


class Start(unittest.TestCase):
    def test_the_ready_line_names_the_address_and_the_provider(self):
        with DemoServer() as server:
            self.assertEqual(server.ready,
                             f"sesame demo on http://127.0.0.1:{server.port} (provider memory)\n")
            self.assertGreater(server.port, 0)
            with server.visitor() as visitor:
                self.assertEqual(visitor.ask("GET", "/").status, 200)

    def test_it_serves_on_ipv6(self):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                self.skipTest("this machine has no IPv6")
        with DemoServer(listen="[::1]:0") as server, server.visitor() as visitor:
            self.assertTrue(server.ready.startswith("sesame demo on http://[::1]:"))
            self.assertEqual(visitor.ask("GET", "/").status, 200)

    def test_the_config_is_applied(self):
        with DemoServer("--config", '{"cookieName":"gosessionid","gclifetime":3600}') as server:
            with server.visitor() as visitor:
                answer = visitor.ask("PUT", "/api/session/a", "1")
                self.assertTrue(answer.set_cookie.startswith("gosessionid="))

    def test_the_config_may_come_from_a_file(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write('{"cookieName": "fromfile"}\n')
            file.flush()
            with DemoServer("--config", f"@{file.name}") as server, server.visitor() as visitor:
                answer = visitor.ask("PUT", "/api/session/a", "1")
                self.assertTrue(answer.set_cookie.startswith("fromfile="))

    def test_the_last_of_two_options_counts(self):
        with DemoServer("--config", "{", "--config", "{}"):
            pass

    def test_warnings_of_the_library_go_to_standard_error(self):
        with DemoServer("--config", '{"disableHTTPOnly": true}') as server:
            self.assertRegex(server.errors(), r"\Asesame-demo: warning: .*\n\Z")

    def test_one_thread_is_enough_and_many_are_possible(self):
        for threads in ("1", "2", "64", "256"):
            with self.subTest(threads=threads), DemoServer("--threads", threads) as server:
                with server.visitor() as visitor:
                    self.assertEqual(visitor.ask("GET", "/").status, 200)


class End(unittest.TestCase):
    def test_sigterm_ends_it_cleanly(self):
        with DemoServer() as server:
            self.assertEqual(server.stop(signal.SIGTERM), 0)
            self.assertEqual(server.errors(), "")

    def test_sigint_ends_it_cleanly(self):
        with DemoServer() as server:
            self.assertEqual(server.stop(signal.SIGINT), 0)
            self.assertEqual(server.errors(), "")

    def test_open_connections_and_half_a_request_do_not_hold_it_up(self):
        with DemoServer() as server, server.visitor() as idle:
            idle.ask("PUT", "/api/session/a", "1")
            with socket.create_connection((server.host, server.port)) as half:
                half.sendall(b"PUT /api/session/a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
                self.assertEqual(server.stop(), 0)

    def test_its_port_can_be_taken_again_at_once(self):
        with DemoServer() as server, server.visitor() as visitor:
            visitor.ask("GET", "/")
            server.stop()
            with DemoServer(listen=f"127.0.0.1:{server.port}") as next_one:
                self.assertEqual(next_one.port, server.port)

    def test_a_visitor_who_hangs_up_in_mid_answer_ends_nothing(self):
        with DemoServer() as server:
            for _ in range(20):
                with socket.create_connection((server.host, server.port)) as rude:
                    rude.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
            with server.visitor() as visitor:
                self.assertEqual(visitor.ask("GET", "/").status, 200)
