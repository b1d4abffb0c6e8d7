#!/usr/bin/python3
"""What the documentation promises: its programs compile and run, its manual names every key."""
import functools
import http.client
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = pathlib.Path(os.environ["SESAME_LIBRARY"]).resolve().parent
LIBRARY_NAME = "libsesame.so.0"
OPEN_SHELF = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)  # as a program that links it
error = ctypes.create_string_buffer(256)
made = library.ses_manager_new(b"shelf", None, None, error)
sys.exit(None if made else error.raw[4:].rstrip(bytes(1)).decode())
"""
SERVER = "MHD_start_daemon"  # a program with it serves until it is stopped: compiled only


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def setting_names(text):
    """The names in a table of struct ses_setting, in whichever of its two ways of writing."""
    found = re.findall(r'(?:BOOL|INT|TEXT|CHOICE|LIST)\("(\w+)"|\.name = "(\w+)",\s*\.type', text)
    return {a or b for a, b in found}


@functools.cache
def providers():
    """The settings of each provider, those that it shares with others among them."""
    headers = "".join(path.read_text() for path in (TOP / "providers").rglob("*.h"))
    shared = {name: setting_names(text) for name, text in re.findall(
        r"^#define (\w+_SETTINGS)\b((?:.*\\\n)+.*)", headers, re.M)}
    found = {}
    for path in sorted((TOP / "providers").glob("*/*.c")):
        if path.stem == path.parent.name:
            text = path.read_text()
            found[path.stem] = setting_names(text).union(
                *(shared[name] for name in re.findall(r"^[^#/]*?\b(\w+_SETTINGS)\b", text, re.M)))
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Guide(unittest.TestCase):
    def programs(self):
        for page in sorted((TOP / "docs/guide").glob("*.md")):
            blocks = re.findall(r"```c\n(.*?)```", page.read_text(), re.S)
            self.assertTrue(blocks, page)
            yield from ((page.name, number, text) for number, text in enumerate(blocks, 1))

    def build(self, text, folder):
        source = pathlib.Path(folder, "program.c")
        source.write_text(text)
        built = run("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", f"{folder}/program",
                    source, f"-I{TOP}/include", f"-L{LIBRARY}", f"-Wl,-rpath,{LIBRARY}", "-lsesame",
                    "-lmicrohttpd")
        self.assertEqual(built.returncode, 0, built.stderr)

    def start(self, text):
        """The program, serving; returns a way to ask it: (status, headers, body)."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.build(text, folder)
        port = free_port()
        process = subprocess.Popen([f"{folder}/program", str(port)])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def ask(method, path, body=None, **fields):
            deadline = time.monotonic() + 30
            while True:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                try:
                    connection.request(method, path, body, {
                        "Content-Type": "application/x-www-form-urlencoded",
                        **{name.replace("_", "-"): value for name, value in fields.items()}})
                    with connection.getresponse() as response:
                        return response.status, response.headers, response.read().decode()
                except ConnectionRefusedError:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.02)
                finally:
                    connection.close()
        return ask, f"http://127.0.0.1:{port}"

    def test_the_site_of_the_guide_logs_in_and_out(self):
        text, = (text for _, _, text in self.programs() if "/logout" in text)
        ask, origin = self.start(text)
        self.assertIn("action=/login", ask("GET", "/")[2])
        for body in ("", "user=", "user=%3Cb%3E", "user=" + "x" * 99, "other=ada"):
            status, headers, _ = ask("POST", "/login", body)
            self.assertEqual((status, headers["Set-Cookie"]), (400, None), body)
        self.assertEqual(ask("POST", "/login", "user=ada", Origin="http://evil.test")[0], 403)

        status, headers, _ = ask("POST", "/login", "user=ada", Origin=origin)
        self.assertEqual((status, headers["Location"]), (303, "/"))
        first = headers["Set-Cookie"].split(";")[0]
        self.assertIn("Hello, ada.", ask("GET", "/", Cookie=first)[2])

        def token_for(cookie):
            page = ask("GET", "/", Cookie=cookie)[2]
            return "csrf=" + re.search(r"name=csrf value=([\w-]+)>", page)[1]

        body = f"user=ada&{token_for(first)}"
        second = ask("POST", "/login", body, Cookie=first)[1]["Set-Cookie"].split(";")[0]
        self.assertNotEqual(first, second)
        self.assertNotIn("ada", ask("GET", "/", Cookie=first)[2])
        token = token_for(second)
        self.assertEqual(ask("POST", "/logout", token, Cookie=second, Origin="null")[0], 403)
        for forged in ("", "csrf=", "csrf=" + "A" * 43, token[:-1], token + "A" * 99):
            self.assertEqual(ask("POST", "/logout", forged, Cookie=second)[0], 403, forged)
        self.assertIn("Hello, ada.", ask("GET", "/", Cookie=second)[2])
        status, headers, _ = ask("POST", "/logout", token, Cookie=second, Origin=origin)
        self.assertEqual((status, headers["Location"]), (303, "/"))
        self.assertIn("Max-Age=0", headers["Set-Cookie"])
        self.assertNotIn("ada", ask("GET", "/", Cookie=second)[2])

    def test_each_program_of_the_guide_compiles_and_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            for page, number, text in self.programs():
                with self.subTest(page=page, number=number):
                    self.build(text, folder)
                    if SERVER not in text:
                        ran = run(f"{folder}/program")
                        self.assertEqual(ran.returncode, 0, ran.stderr)


class Manual(unittest.TestCase):
    PAGE, MANUAL = "docs/configuration.md", "docs/man/sesame-config.5.scd"

    def read(self, page):
        return (TOP / page).read_text().replace("\\", "")

    def sections(self, text, provider):
        """Those whose headings name the provider."""
        return [section for section in re.split(r"^(?=#)", text, flags=re.M)
                if re.match(rf"#+ (?=.*\bproviders?\b).*\b{provider}\b", section, re.I)]

    def missing(self, text):
        """The keys that @p text lacks; a provider's have to be in a section of that provider's."""
        own = setting_names((TOP / "src/core/config.c").read_text())
        self.assertGreater(len(own), 40)
        places = {"": (own, text)}
        for provider, names in providers().items():
            self.assertGreater(len(names), 2, provider)
            places[provider] = (names, "".join(self.sections(text, provider)))
        return {(provider, name) for provider, (names, place) in places.items()
                for name in names if not re.search(rf"[`*]{name}[`*]", place)}

    def test_the_configuration_page_has_every_key(self):
        self.assertEqual(self.missing(self.read(self.PAGE)), set())

    def test_the_configuration_manual_has_every_key(self):
        self.assertEqual(self.missing(self.read(self.MANUAL)), set())

    def test_a_missing_key_of_any_provider_would_be_found(self):
        for page in (self.PAGE, self.MANUAL):
            text = self.read(page)
            for provider, names in providers().items():
                for name in names:
                    cut = text
                    for section in self.sections(text, provider):
                        cut = cut.replace(section, re.sub(rf"[`*]{name}[`*]", "", section))
                    with self.subTest(page=page, provider=provider, name=name):
                        self.assertIn((provider, name), self.missing(cut))

    def test_both_have_the_same_keys_and_no_others(self):
        page, _, _ = self.read(self.PAGE).partition("## Presets")
        manual = [re.sub(r"\([^)]*\)", "", line)
                  for line in re.findall(r"^\*\w+\*[ ,].*$", self.read(self.MANUAL), re.M)]
        known = setting_names((TOP / "src/core/config.c").read_text()).union(*providers().values())
        self.assertEqual(set(re.findall(r"^\| `(\w+)` \|", page, re.M)), known)
        self.assertEqual(set(re.findall(r"\*(\w+)\*", "\n".join(manual))), known)

    def test_every_provider_has_a_page_with_its_settings(self):
        for provider, names in providers().items():
            with self.subTest(provider=provider):
                text = self.read(f"docs/providers/{provider}.md")
                self.assertEqual([name for name in names if f"`{name}`" not in text], [])

    def test_the_manual_pages_are_well_formed(self):
        for page in sorted((TOP / "docs/man").glob("*.scd")):
            with self.subTest(page=page.name):
                made = run("scdoc", input=page.read_text())
                self.assertEqual(made.returncode, 0, made.stderr)
                self.assertIn(".TH", made.stdout)


class Reference(unittest.TestCase):
    def doxygen(self, tree, output):
        settings = (TOP / "docs/Doxyfile").read_text() + f"OUTPUT_DIRECTORY = {output}\n"
        return run("doxygen", "-", input=settings, cwd=tree)

    def test_every_public_symbol_is_documented(self):
        with tempfile.TemporaryDirectory() as output:
            made = self.doxygen(TOP, output)
            self.assertEqual(made.returncode, 0, made.stderr)

    def test_an_undocumented_symbol_would_be_found(self):
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(folder, "include/sesame/common.h")
            header.parent.mkdir(parents=True)
            header.write_text("/** @file */\nint undocumented(void);\n")
            made = self.doxygen(folder, folder)
            self.assertNotEqual(made.returncode, 0)
            self.assertIn("undocumented", made.stderr)


class Security(unittest.TestCase):
    def test_every_test_that_the_security_page_names_exists(self):
        page = (TOP / "docs/security.md").read_text()
        named = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){2,})`", page))
        self.assertGreater(len(named), 80)
        sources = "".join(p.read_text() for p in (TOP / "tests").rglob("*.c"))
        defined = set(re.findall(r"^(?:static )?void (\w+)\(void \*\*", sources, re.M))
        self.assertEqual(sorted(named - defined), [])


class Record(unittest.TestCase):
    def test_the_worked_example_is_the_one_that_a_test_writes(self):
        page = (TOP / "docs/internals/record.md").read_text().split("## A worked example")[1]
        columns = re.findall(r"^    ((?:[0-9a-f]{2,} )+) ", page, re.M)
        source = (TOP / "tests/unit/test_record.c").read_text()
        example = re.search(r"example\[\] =((?:\s+\"[0-9a-f]+\")+);", source)[1]
        self.assertEqual("".join(columns).replace(" ", ""), re.sub(r"[\s\"]", "", example))


class Readme(unittest.TestCase):
    def test_it_names_every_package_that_setup_installs_for_the_library(self):
        server = re.search(r"^server=\((.*?)\)", (TOP / "script/setup").read_text(), re.M | re.S)[1]
        named = " ".join(re.findall(r"^    apt-get install (.*?)(?:#|$)",
                                    (TOP / "README.md").read_text(), re.M)).split()
        self.assertEqual([name for name in server.split() if name not in named], [])


class Contributing(unittest.TestCase):
    def test_a_module_built_as_described_is_found_beside_the_library(self):
        page = (TOP / "CONTRIBUTING.md").read_text()
        lines = re.findall(r"^    ((?:mkdir|cc) .*)$", page, re.M)
        self.assertEqual(len(lines), 2)
        with tempfile.TemporaryDirectory() as folder:
            for line in lines:
                done = run("sh", "-ec", line.replace("build/server/src", folder), cwd=TOP)
                self.assertEqual(done.returncode, 0, done.stderr)
            pathlib.Path(folder, LIBRARY_NAME).symlink_to(LIBRARY / LIBRARY_NAME)
            done = run(sys.executable, "-c", OPEN_SHELF, f"{folder}/{LIBRARY_NAME}")
            self.assertEqual(done.returncode, 0, done.stderr)


class Links(unittest.TestCase):
    def test_every_link_within_the_documentation_leads_somewhere(self):
        pages = [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]
        for page in pages:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
                with self.subTest(page=page.name, target=target):
                    self.assertTrue((page.parent / target).exists())


if __name__ == "__main__":
    unittest.main()
