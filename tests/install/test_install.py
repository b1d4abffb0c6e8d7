#!/usr/bin/python3
"""The library as others meet it: installed into a folder, and used from there in each way.

Builds and installs the tree once, without its tests, then builds small programs and a third party's
provider outside the tree, with nothing of it but what is installed.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wundef", "-Werror"]
VERSION = re.search(r"\bversion: '([\d.]+)'", (TOP / "meson.build").read_text())[1]
SAID = f"{VERSION} {VERSION} 42\nsesame, 1\n"

folder = None  # everything is in here
build = prefix = library = None
modules = None  # the names of sesame's own, which lie where a third party's go
environment = None


def setUpModule():
    global folder, build, prefix, library, modules, environment
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sesame-install-"))
    unittest.addModuleCleanup(shutil.rmtree, folder)
    build, prefix = folder / "build", folder / "prefix"
    library = prefix / "lib"
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("MESON", "PKG_CONFIG", "LD_", "CMAKE_", "DESTDIR"))}
    run("meson", "setup", build, TOP, f"--prefix={prefix}", "--libdir=lib", "--buildtype=debug",
        "-Dtests=disabled", "-Dconformance=enabled", "-Ddemo=enabled")
    run("meson", "install", "-C", build)
    modules = {path.name for path in (build / "src/sesame").glob("*.so")}
    environment |= {"PKG_CONFIG_PATH": f"{library}/pkgconfig", "LD_LIBRARY_PATH": str(library),
                    "CMAKE_PREFIX_PATH": str(prefix)}


def run(*command, cwd=None, status=0, **more):
    """What the command prints on standard output; fails when it ends in another way."""
    done = subprocess.run([str(word) for word in command], cwd=cwd or folder, text=True,
                          capture_output=True, env=environment | more)
    if done.returncode != status:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout if status == 0 else done.stderr


def pkg_config(*arguments):
    return run("pkg-config", *arguments).split()


def public_functions():
    """Those of the map, which tools/check-symbols holds against the headers."""
    return set(re.findall(r"^\s+(ses_\w+);", (TOP / "src/sesame.map").read_text(), re.M))


def files_below(top):
    return {path.relative_to(top).as_posix() for path in top.rglob("*") if not path.is_dir()}


class Files(unittest.TestCase):
    def test_what_is_installed_is_what_is_meant_to_be(self):
        headers = {f"include/sesame/{name}" for name in files_below(TOP / "include/sesame")}
        self.assertEqual({pathlib.Path(name).suffix for name in headers}, {".h"})
        self.assertIn("redis.so", modules)
        self.assertEqual(files_below(prefix), headers | {f"lib/sesame/{name}" for name in modules} | {
            "lib/libsesame.so", "lib/libsesame.so.0", f"lib/libsesame.so.{VERSION}",
            "lib/libsesame.a", "lib/libsesame-conformance.a",
            "lib/pkgconfig/sesame.pc", "lib/pkgconfig/sesame-conformance.pc",
            "lib/cmake/Sesame/SesameConfig.cmake", "lib/cmake/Sesame/SesameConfigVersion.cmake",
            "share/man/man7/sesame.7", "share/man/man5/sesame-config.5"})

    def test_a_package_can_be_staged_under_destdir(self):
        stage = folder / "stage"
        run("meson", "install", "-C", build, "--no-rebuild", "--destdir", stage)
        self.assertEqual(files_below(stage / prefix.relative_to("/")), files_below(prefix))

    def test_nothing_installed_names_the_tree_that_it_was_built_in(self):
        for path in prefix.rglob("*"):
            if path.suffix in (".pc", ".cmake", ".h"):
                self.assertNotIn(str(TOP), path.read_text(), path)
                self.assertNotIn(str(build), path.read_text(), path)

    def test_each_header_compiles_alone_from_where_it_is_installed(self):
        for name in sorted(files_below(prefix / "include")):
            for compiler in (["gcc", "-std=c99", "-xc"], ["g++", "-std=c++11", "-xc++"]):
                with self.subTest(header=name, compiler=compiler[0]):
                    run(*compiler, *WARNINGS, "-Wno-sign-conversion", "-fsyntax-only",
                        "-I", prefix / "include", "-include", name, "/dev/null")


class Symbols(unittest.TestCase):
    def test_the_soname_is_the_abi(self):
        dynamic = run("readelf", "-dW", library / "libsesame.so")
        self.assertIn("soname: [libsesame.so.0]", dynamic)
        self.assertEqual(os.readlink(library / "libsesame.so.0"), f"libsesame.so.{VERSION}")

    def test_the_library_is_never_unloaded_under_its_threads(self):
        self.assertIn("NODELETE", run("readelf", "-dW", library / "libsesame.so"))

    def test_every_exported_symbol_has_the_version_of_its_abi(self):
        table = run("nm", "-D", "--defined-only", library / "libsesame.so").split("\n")
        names = {line.split()[-1] for line in table if line and " A " not in line}
        self.assertEqual(names, {f"{name}@@SESAME_0" for name in public_functions()})

    def test_the_static_libraries_define_no_other_name(self):
        for archive, public in (("libsesame.a", public_functions()),
                                ("libsesame-conformance.a", {"ses_conformance_run"})):
            with self.subTest(archive=archive):
                table = run("nm", "-g", "--defined-only", library / archive).split("\n")
                self.assertEqual({line.split()[-1] for line in table if len(line.split()) == 3}, public)


class Program(unittest.TestCase):
    """One small program, built in each way."""

    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(dir=folder))
        for name in ("program.c", "program.cpp", "CMakeLists.txt"):
            shutil.copy(HERE / name, self.home)

    def needed(self):
        return re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-dW", self.home / "program"))

    def test_pkg_config_links_the_shared_library(self):
        run("gcc", *WARNINGS, "-o", "program", "program.c",
            *pkg_config("--cflags", "--libs", "sesame"), cwd=self.home)
        self.assertEqual(run("./program", "memory", cwd=self.home), SAID)
        self.assertIn("libsesame.so.0", self.needed())
        self.assertNotIn("libcrypto.so.3", self.needed(), "what only sesame needs is private")

    def test_pkg_config_links_the_static_library(self):
        run("gcc", *WARNINGS, "-static", "-o", "program", "program.c",
            *pkg_config("--static", "--cflags", "--libs", "sesame"), cwd=self.home)
        self.assertEqual(run("./program", "memory", cwd=self.home, LD_LIBRARY_PATH=""), SAID)
        self.assertEqual(self.needed(), [])

    def test_a_cxx_program_links_the_shared_library(self):
        run("g++", "-std=c++11", *WARNINGS, "-o", "program", "program.cpp",
            *pkg_config("--cflags", "--libs", "sesame"), cwd=self.home)
        self.assertEqual(run("./program", cwd=self.home), SAID)
        self.assertIn("libsesame.so.0", self.needed())

    def test_cmake_finds_the_package(self):
        run("cmake", "-B", "out", f"-DWANTED={VERSION}", cwd=self.home)
        run("cmake", "--build", "out", cwd=self.home)
        shutil.copy(self.home / "out/program", self.home)
        self.assertEqual(run("./program", "memory", cwd=self.home), SAID)
        self.assertIn("libsesame.so.0", self.needed())

    def test_cmake_finds_the_package_where_it_was_moved_to(self):
        moved = self.home / "moved"
        shutil.copytree(prefix, moved, symlinks=True)
        run("cmake", "-B", "out", cwd=self.home, CMAKE_PREFIX_PATH=str(moved))
        self.assertIn(f"{moved}/include ", run("cmake", "--build", "out", "--verbose", cwd=self.home))
        self.assertIn(f"[{moved}/lib]", run("readelf", "-dW", self.home / "out/program"))

    def test_cmake_refuses_a_version_that_is_not_there(self):
        for wanted in ("0.9999", "9.0"):
            with self.subTest(wanted=wanted):
                said = run("cmake", "-B", f"out{wanted}", f"-DWANTED={wanted}", cwd=self.home, status=1)
                self.assertIn(f'requested version "{wanted}"', said)

    def test_the_version_is_the_same_everywhere(self):
        self.assertEqual(pkg_config("--modversion", "sesame", "sesame-conformance"), [VERSION] * 2)
        self.assertIn(f'PACKAGE_VERSION "{VERSION}"',
                      (library / "cmake/Sesame/SesameConfigVersion.cmake").read_text())


class Provider(unittest.TestCase):
    """examples/provider, as if somebody else had written it."""

    @classmethod
    def setUpClass(cls):
        cls.home = folder / "provider"
        shutil.copytree(TOP / "examples/provider", cls.home)
        cls.program = folder / "provider-program"
        run("gcc", "-o", cls.program, HERE / "program.c", *pkg_config("--cflags", "--libs", "sesame"))

    def setUp(self):
        for name in ("shelf.so", "other.so"):
            (library / "sesame" / name).unlink(missing_ok=True)

    def install(self):
        run("make", "-B", cwd=self.home)
        run("make", "install", cwd=self.home)

    def test_its_project_builds_keeps_the_contract_and_installs(self):
        run("meson", "setup", "out", f"--prefix={prefix}", "--werror", cwd=self.home)
        run("meson", "test", "-C", "out", cwd=self.home)
        log = (self.home / "out/meson-logs/testlog.txt").read_text()
        self.assertGreater(log.count("\nok "), 40, log)
        run("meson", "install", "-C", "out", cwd=self.home)
        self.assertEqual(files_below(library / "sesame"), modules | {"shelf.so"})
        self.assertEqual(run(self.program, "shelf"), SAID)

    def test_its_makefile_does_the_same(self):
        run("make", "-B", "CFLAGS=" + " ".join(WARNINGS), cwd=self.home)
        said = run("make", "check", cwd=self.home, CMOCKA_MESSAGE_OUTPUT="TAP")
        self.assertGreater(said.count("\nok "), 40, said)
        run("make", "install", cwd=self.home)
        self.assertEqual(run(self.program, "shelf"), SAID)

    def test_without_its_module_the_name_is_unknown(self):
        said = run(self.program, "shelf", status=1)
        self.assertIn(f"{library}/sesame/shelf.so", said)

    def test_a_static_program_registers_it_instead(self):
        run("gcc", "-static", "-o", "static", HERE / "program.c", HERE / "linked_in.c", self.home / "shelf.c",
            *pkg_config("--static", "--cflags", "--libs", "sesame"))
        self.assertEqual(run("./static", "shelf", LD_LIBRARY_PATH=""), SAID)

    def test_a_module_of_another_name_is_refused(self):
        self.install()
        shutil.copy(library / "sesame/shelf.so", library / "sesame/other.so")
        self.assertIn("ses_provider_other", run(self.program, "other", status=1))
        run("make", "-B", "CFLAGS=-Dses_provider_shelf=ses_provider_other", cwd=self.home)
        shutil.copy(self.home / "shelf.so", library / "sesame/other.so")
        self.assertIn("another name", run(self.program, "other", status=1))

    def test_no_name_leads_out_of_the_folder(self):
        self.install()
        shutil.copy(library / "sesame/shelf.so", library / "shelf.so")
        self.addCleanup((library / "shelf.so").unlink)
        for name in ("../shelf", "./shelf", f"{library}/shelf", "shelf.so", "Shelf", ""):
            with self.subTest(name=name):
                self.assertIn("a provider's name is", run(self.program, name, status=1))

    def test_its_settings_are_known_once_it_is_loaded(self):
        self.install()
        self.assertEqual(run(self.program, "shelf", '{"shelfMaxRecords": 1}'), SAID)
        self.assertIn("shelfMaxRecords", run(self.program, "shelf", '{"shelfMaxRecord": 1}', status=1))
        self.assertNotEqual(run(self.program, "memory", '{"shelfMaxRecords": 1}', status=1), "")

    def test_the_suite_catches_a_provider_that_breaks_the_contract(self):
        broken = folder / "broken"
        shutil.copytree(TOP / "examples/provider", broken)
        source = broken / "shelf.c"
        for right, wrong in (
                ("return now_ms < item->record.expires_ms", "return now_ms <= item->record.expires_ms"),
                ("expires_ms > item->record.expires_ms", "expires_ms != item->record.expires_ms"),
                ("item->record.version != expected", "item->record.version == 0"),
                ("find(shelf, key, now_ms))\n        r = SES_ERR_EXISTS", "0)\n        r = SES_ERR_EXISTS"),
                ("item->record.kind == SES_KIND_SESSION", "true")):
            with self.subTest(wrong=wrong):
                text = (TOP / "examples/provider/shelf.c").read_text()
                self.assertIn(right, text)
                source.write_text(text.replace(right, wrong, 1))
                run("make", "-B", "check", cwd=broken, status=2)

    def test_the_suite_says_in_a_line_what_no_test_could(self):
        incomplete = folder / "incomplete"
        shutil.copytree(TOP / "examples/provider", incomplete)
        text = (incomplete / "shelf.c").read_text()
        (incomplete / "shelf.c").write_text(text.replace("    .destroy = shelf_destroy,\n", ""))
        said = run("make", "check", cwd=incomplete, status=2)
        self.assertIn("vtable", said)

    def test_the_demo_loads_it_by_name(self):
        self.install()
        beside = (build / "src/sesame").resolve()
        shutil.copy(library / "sesame/shelf.so", beside)
        self.addCleanup((beside / "shelf.so").unlink)
        demo = subprocess.Popen([build / "demo/sesame-demo", "--listen", "127.0.0.1:0",
                                 "--provider", "shelf"], stdout=subprocess.PIPE, text=True,
                                env=environment | {"LD_LIBRARY_PATH": ""})
        try:
            line = demo.stdout.readline()
            self.assertIn("(provider shelf)", line)
            address = re.search(r"http://\S+", line)[0]
            with urllib.request.urlopen(address, timeout=10) as page:
                self.assertEqual(page.status, 200)
            maps = pathlib.Path(f"/proc/{demo.pid}/maps").read_text()
            self.assertIn(f"{beside}/shelf.so", maps)
        finally:
            demo.send_signal(signal.SIGTERM)
            self.assertEqual(demo.wait(timeout=10), 0)
            demo.stdout.close()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(TOP / "tests/support"))
    import tap
    tap.main()
