#!/usr/bin/python3
"""Each checker of tools/ passes on the tree, and catches a mistake planted in a copy of it."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "tools"))
import csource

HEADER = "include/sesame/manager.h"
FUNCTION = "\n/** Made up. */\nSES_API int ses_made_up(void);\n"


class Planted(unittest.TestCase):
    """A copy of the tree, or of the folders that matter, thrown away after the test."""

    FOLDERS = ("include", "src", "providers", "adapters", "cli", "demo", "examples", "tests",
               "tools")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        for name in self.FOLDERS:
            if (TOP / name).exists():
                shutil.copytree(TOP / name, self.tree / name,
                                ignore=shutil.ignore_patterns("corpus", "__pycache__"))

    def plant(self, name, text):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(text)

    def replace(self, name, old, new):
        path = self.tree / name
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1))

    def run_tool(self, tool, *args):
        done = subprocess.run([sys.executable, self.tree / "tools" / tool, *args],
                              capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def assert_clean(self, tool, *args):
        status, said = self.run_tool(tool, self.tree, *args)
        self.assertEqual(status, 0, said)

    def assert_caught(self, tool, word, *args):
        status, said = self.run_tool(tool, self.tree, *args)
        self.assertEqual(status, 1, said)
        self.assertIn(word, said)


class Layers(Planted):
    def assert_refused(self, name, include):
        self.plant(name, f"#include {include}\n")
        self.assert_caught("check-layers", f"{name}:")

    def test_the_tree_keeps_its_layers(self):
        self.assert_clean("check-layers")

    def test_an_empty_tree_is_no_clean_tree(self):
        with tempfile.TemporaryDirectory() as nothing:
            self.assertEqual(self.run_tool("check-layers", nothing)[0], 1)

    def test_base_knows_no_session(self):
        self.assert_refused("src/base/planted.c", "<sesame/session.h>")

    def test_base_does_not_reach_up_to_core(self):
        self.assert_refused("src/base/planted.h", '"core/store.h"')

    def test_core_reaches_no_provider(self):
        self.assert_refused("src/core/planted.c", '"memory/memory.h"')

    def test_core_knows_no_database(self):
        self.assert_refused("src/core/planted.c", "<hiredis/hiredis.h>")

    def test_core_knows_no_web_server(self):
        self.assert_refused("src/core/planted.c", "<sesame/adapters/microhttpd.h>")

    def test_a_provider_knows_no_manager(self):
        self.assert_refused("providers/planted/planted.c", "<sesame/manager.h>")

    def test_a_provider_sees_nothing_inside(self):
        self.assert_refused("providers/planted/planted.c", '"base/cleanup.h"')

    def test_a_provider_sees_no_other_provider(self):
        self.assert_refused("providers/planted/planted.c", '"memory/memory.h"')

    def test_a_provider_has_its_own_folder(self):
        self.plant("providers/planted/planted.c",
                   '#include <sesame/ext/provider.h>\n#include "planted/wire.h"\n'
                   "#include <libpq-fe.h>\n")
        self.assert_clean("check-layers")

    def test_an_adapter_does_not_see_the_provider_contract(self):
        self.assert_refused("include/sesame/adapters/planted.h", "<sesame/ext/provider.h>")

    def test_the_umbrella_does_not_pull_in_the_provider_contract(self):
        self.assert_refused("include/sesame/sesame.h", "<sesame/ext/provider.h>")

    def test_a_public_header_includes_nothing_private(self):
        self.assert_refused("include/sesame/planted.h", '"base/buffer.h"')

    def test_the_demo_sees_public_headers_only(self):
        self.assert_refused("demo/planted.c", '"core/manager.h"')

    def test_an_example_sees_public_headers_only(self):
        self.assert_refused("examples/planted.c", '"base/buffer.h"')

    def test_the_command_sees_public_headers_only(self):
        self.assert_refused("cli/planted.c", '"core/id.h"')

    def test_a_web_server_module_sees_public_headers_only(self):
        self.assert_refused("adapters/nginx/planted.c", '"core/id.h"')

    def test_angle_brackets_do_not_open_what_is_private(self):
        self.assert_refused("demo/planted.c", "<core/id.h>")

    def test_a_way_up_is_refused(self):
        self.assert_refused("demo/planted.c", '"../src/core/id.h"')

    def test_a_way_up_in_the_middle_is_refused(self):
        self.assert_refused("src/base/planted.c", '"base/../core/id.h"')

    def test_a_computed_include_is_refused(self):
        self.assert_refused("src/core/planted.c", "STORE_H")

    def test_a_comment_hides_no_include(self):
        self.plant("src/base/planted.c", '# /* x */ include /* y */ "core/id.h" // z\n')
        self.assert_caught("check-layers", "src/base/planted.c:1")

    def test_an_include_in_a_comment_is_none(self):
        self.plant("src/base/planted.c", '/*\n#include "core/id.h"\n*/\n')
        self.assert_clean("check-layers")


class Banned(Planted):
    def assert_banned(self, name, line):
        self.plant(name, f"\n{line}\n")
        self.assert_caught("check-banned", f"{name}:2: ")

    def test_the_tree_calls_nothing_banned(self):
        self.assert_clean("check-banned")

    def test_each_banned_call_is_caught(self):
        calls = ["memcmp(a, b, 3)", "strcpy(a, b)", "strcat(a, b)", "sprintf(a, b)",
                 "vsprintf(a, b, c)", "gets(a)", "strtok(a, b)", "rand()", "srand(1)", "random()",
                 "alloca(9)", "atoi(a)", "setjmp(a)", "getenv(a)", "system(a)", "popen(a, b)",
                 "exit(1)", "abort()"]
        for i, call in enumerate(calls):
            self.plant(f"src/core/planted{i}.c", f"int x = {call};\n")
        _, said = self.run_tool("check-banned", self.tree)
        for i, call in enumerate(calls):
            with self.subTest(call=call):
                self.assertIn(f"src/core/planted{i}.c:1: {call.split('(')[0]}:", said)

    def test_goto_is_caught_everywhere(self):
        for name in ("src/base/planted.c", "providers/planted/planted.c", "demo/planted.c"):
            with self.subTest(name=name):
                self.assert_banned(name, "goto out;")

    def test_a_banned_function_behind_a_pointer_is_caught(self):
        self.assert_banned("src/core/planted.c", "sort(items, count, memcmp);")

    def test_a_builtin_is_caught(self):
        self.assert_banned("src/core/planted.c", "return __builtin_memcmp(a, b, n);")

    def test_a_provider_reads_no_clock(self):
        self.assert_banned("providers/planted/planted.c", "clock_gettime(CLOCK_REALTIME, &now);")

    def test_the_demo_may_read_the_environment(self):
        self.plant("demo/planted.c", 'const char *home = getenv("HOME");\n')
        self.assert_clean("check-banned")

    def test_a_comparison_marked_as_not_secret_is_allowed(self):
        self.plant("src/core/planted.c", "bool same = memcmp(a, b, n) == 0; /* not secret */\n")
        self.assert_clean("check-banned")

    def test_the_mark_excuses_its_own_line_only(self):
        self.assert_banned("src/core/planted.c", "x = memcmp(a, b, 1);\n/* not secret */")

    def test_the_mark_excuses_memcmp_only(self):
        self.assert_banned("src/core/planted.c", "strcpy(a, b); /* not secret */")

    def test_comments_and_strings_are_not_code(self):
        self.plant("src/core/planted.c",
                   '// strcpy(a, b)\n/* goto\n system() */ char *s = "a\\"goto;gets()";\n')
        self.assert_clean("check-banned")

    def test_a_member_of_a_banned_name_is_allowed(self):
        self.plant("src/core/planted.c", "x->random(y); z.time(1);\n")
        self.assert_clean("check-banned")


class Docs(Planted):
    def test_the_tree_is_documented(self):
        self.assert_clean("check-docs")

    def test_a_public_function_without_comment_is_caught(self):
        self.plant(HEADER, "\nSES_API int ses_made_up(void);\n")
        self.assert_caught("check-docs", "ses_made_up")

    def test_a_comment_apart_from_its_function_is_caught(self):
        self.plant(HEADER, FUNCTION.replace("*/\n", "*/\n\n"))
        self.assert_caught("check-docs", "ses_made_up")

    def test_an_ordinary_comment_is_no_documentation(self):
        self.plant(HEADER, FUNCTION.replace("/**", "/*"))
        self.assert_caught("check-docs", "ses_made_up")

    def test_a_documented_function_passes(self):
        self.plant(HEADER, FUNCTION)
        self.assert_clean("check-docs")

    def test_a_function_of_61_lines_is_caught(self):
        self.plant("providers/planted/planted.c", "int f(void)\n{\n" + "    g();\n" * 58 + "}\n")
        self.assert_caught("check-docs", "f has 61 lines")

    def test_a_function_of_60_lines_passes(self):
        self.plant("demo/planted.c", "int f(void)\n{\n" + "    g();\n" * 57 + "}\n")
        self.assert_clean("check-docs")

    def test_an_inline_function_of_an_adapter_counts(self):
        self.plant("include/sesame/adapters/planted.h",
                   "static inline int f(void)\n{\n" + "    g();\n" * 58 + "}\n")
        self.assert_caught("check-docs", "f has 61 lines")

    def test_a_file_of_601_lines_is_caught(self):
        self.plant("src/core/planted.c", "int x;\n" * 601)
        self.assert_caught("check-docs", "601 lines")

    def test_a_test_named_with_two_words_is_caught(self):
        self.plant("tests/unit/planted.c", "static void cookie_works(void **state)\n{\n}\n")
        self.assert_caught("check-docs", "cookie_works")

    def test_a_python_test_named_with_two_words_is_caught(self):
        self.plant("tests/system/planted.py", "class T:\n    def test_cookie_works(self):\n")
        self.assert_caught("check-docs", "cookie_works")


class Headers(Planted):
    FOLDERS = ("include", "tools")

    def plant_alone(self, name, text):
        shutil.rmtree(self.tree / "include")
        self.plant(name, text)

    def test_each_header_compiles_alone(self):
        self.assert_clean("check-headers")

    def test_a_header_that_leans_on_another_is_caught(self):
        self.plant_alone("include/sesame/planted.h", "int f(size_t n);\n")
        self.assert_caught("check-headers", "planted.h: gcc")

    def test_a_header_that_is_not_cxx_is_caught(self):
        self.plant_alone("include/sesame/planted.h", "int f(int class);\n")
        self.assert_caught("check-headers", "planted.h: g++")

    def test_a_header_that_is_not_c99_is_caught(self):
        self.plant_alone("include/sesame/planted.h", "_Static_assert(1, \"\");\n")
        self.assert_caught("check-headers", "planted.h: gcc")

    def test_a_warning_in_an_inline_function_is_caught(self):
        self.plant_alone("include/sesame/planted.h",
                         "static inline int f(long long n)\n{\n    return n;\n}\n")
        self.assert_caught("check-headers", "planted.h: clang")

    def test_an_adapter_of_a_server_that_is_not_there_waits(self):
        self.plant_alone("include/sesame/empty.h", "")
        self.plant("include/sesame/adapters/planted.h", "#include <no-such-server.h>\n")
        self.assert_clean("check-headers")


class Symbols(Planted):
    """On a stand-in for the library: a stub of each public function, under the real map."""

    FOLDERS = ("include", "src", "tools")

    def library(self, more=""):
        names = csource.public_functions(self.tree)
        source = self.tree / "stub.c"
        source.write_text("".join(f"int {name}(void) {{ return 0; }}\n" for name in names
                                  if name != "ses_made_up") + more)
        library = self.tree / "libstub.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-nostdlib", "-o", library, source,
                        f"-Wl,--version-script={self.tree / 'src/sesame.map'}"], check=True)
        return library

    def test_headers_and_map_agree(self):
        self.assert_clean("check-symbols", self.library())

    def test_a_declared_function_missing_from_the_map_is_caught(self):
        library = self.library()
        self.plant(HEADER, FUNCTION)
        self.assert_caught("check-symbols",
                           "ses_made_up: not in the library's exports nor in src/sesame.map",
                           library)

    def test_a_map_entry_without_a_header_is_caught(self):
        self.replace("src/sesame.map", "ses_version;", "ses_version;\n    ses_made_up;")
        library = self.library("int ses_made_up(void) { return 0; }\n")
        self.assert_caught("check-symbols", "ses_made_up: not in the headers", library)

    def test_a_map_entry_without_a_function_is_caught(self):
        self.plant(HEADER, FUNCTION)
        self.replace("src/sesame.map", "ses_version;", "ses_version;\n    ses_made_up;")
        self.assert_caught("check-symbols", "ses_made_up: not in the library's exports",
                           self.library())

    def test_a_wildcard_in_the_map_is_caught(self):
        self.replace("src/sesame.map", "ses_version;", "ses_version;\n    ses_*;")
        library = self.library("int ses_made_up(void) { return 0; }\n")
        self.assert_caught("check-symbols",
                           "ses_made_up: not in src/sesame.map nor in the headers", library)

    def test_an_exported_vtable_is_caught(self):
        self.replace("src/sesame.map", "ses_version;", "ses_version;\n    ses_provider_memory;")
        library = self.library("const int ses_provider_memory = 1;\n")
        self.assert_caught("check-symbols", "ses_provider_memory", library)

    def test_a_public_function_left_out_of_the_map_is_caught(self):
        self.replace("src/sesame.map", "    ses_version;\n", "")
        self.assert_caught("check-symbols", "ses_version: not in", self.library())

    def test_a_prototype_without_mark_is_caught(self):
        self.plant(HEADER, FUNCTION.replace("SES_API ", ""))
        self.assert_caught("check-symbols", "ses_made_up is not SES_API", self.library())


class Count(Planted):
    """tools/count-tests, on what Meson would have logged."""

    FOLDERS = ("tools",)

    def log(self, name, *runs):
        path = self.tree / name
        keys = ("stdout", "result", "returncode", "name")
        runs = [(*run, f"suite / {i}")[:4] for i, run in enumerate(runs)]
        path.write_text("".join(json.dumps(dict(zip(keys, run))) + "\n" for run in runs))
        return path

    def count(self, *runs):
        return self.run_tool("count-tests", self.log("testlog.json", *runs))

    def test_single_tests_are_counted(self):
        self.assertEqual(self.count(("1..2\nok 1 - a\nok 2 - b\n", "OK", 0), ("", "OK", 0)),
                         (0, "3 passed, 0 failed\n"))

    def test_a_failed_test_fails_the_count(self):
        self.assertEqual(self.count(("1..2\nok 1 - a\nnot ok 2 - b\n", "ERROR", 1)),
                         (1, "1 passed, 1 failed\n"))

    def test_a_crash_after_the_first_test_is_a_failure(self):
        self.assertEqual(self.count(("1..2\nok 1 - a\n", "ERROR", -11)),
                         (1, "1 passed, 1 failed\n"))

    def test_a_time_out_is_a_failure(self):
        self.assertEqual(self.count(("", "TIMEOUT", -9)), (1, "0 passed, 1 failed\n"))

    def test_a_silent_tap_program_is_a_failure(self):
        self.assertEqual(self.count(("", "SKIP", 0)), (1, "0 passed, 1 failed\n"))

    def test_skips_are_told_apart(self):
        self.assertEqual(self.count(("ok 1 - a\nok 2 - b # SKIP no\n", "OK", 0), ("", "ERROR", 77),
                                    ("1..0 # SKIP no browser\n", "SKIP", 0)),
                         (0, "1 passed, 0 failed, 3 skipped\n"))

    def test_no_test_at_all_is_no_success(self):
        self.assertEqual(self.count(), (1, "0 passed, 0 failed\n"))

    def test_every_repetition_of_a_program_counts(self):
        self.assertEqual(self.count(("not ok 1 - a\n", "ERROR", 1, "x / a"),
                                    ("ok 1 - a\n", "OK", 0, "x / a")),
                         (1, "1 passed, 1 failed\n"))

    def test_a_second_run_counts_in_place_of_the_first_and_is_told(self):
        first = self.log("testlog.json", ("not ok 1 - a\n", "ERROR", 1), ("ok 1 - b\n", "OK", 0))
        again = self.log("again.json", ("ok 1 - a\n", "OK", 0))
        self.assertEqual(self.run_tool("count-tests", first, again),
                         (0, "failed once, then ran alone: suite / 0\n2 passed, 0 failed\n"))
        again = self.log("again.json", ("not ok 1 - a\n", "ERROR", 1))
        self.assertEqual(self.run_tool("count-tests", first, again)[0], 1)

    def test_what_a_sanitizer_reports_is_never_excused(self):
        log = self.log("testlog.json", ("not ok 1 - a\n", "ERROR", 1), ("ok 1 - b\n", "OK", 0),
                       ("WARNING: ThreadSanitizer: data race\nnot ok 1 - c\n", "ERROR", 66),
                       ("c.c:1:2: runtime error: shift\nok 1 - d\n", "ERROR", 1))
        self.assertEqual(self.run_tool("count-tests", "--excused", log), (0, "0\n"))


if __name__ == "__main__":
    sys.path.insert(0, str(TOP / "tests/support"))
    import tap
    tap.main()
