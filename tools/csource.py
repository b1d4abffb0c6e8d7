"""What the checkers share: C files of the tree, and their text without comments and strings."""
import pathlib
import re
import sys

# A comment, a string or a character, whichever begins first.
TOKEN = re.compile(
    r'/\*.*?(?:\*/|\Z)|//(?:\\\n|[^\n])*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text):
    """Spaces instead of the text, its lines kept, so that line numbers stay true."""
    return re.sub(r"[^\n]", " ", text)


def strip_comments(text):
    """Without comments."""
    return TOKEN.sub(lambda m: blank(m[0]) if m[0][0] == "/" else m[0], text)


def strip(text):
    """Without comments and without what is inside strings and characters."""
    return TOKEN.sub(
        lambda m: blank(m[0]) if m[0][0] == "/" else m[0][0] + blank(m[0][1:-1]) + m[0][-1], text)


def comment_lines(text):
    """Numbers (from 0) of the lines that hold a comment or a part of one."""
    lines = set()
    for m in TOKEN.finditer(text):
        if m[0][0] == "/":
            first = text.count("\n", 0, m.start())
            lines.update(range(first, first + m[0].count("\n") + 1))
    return lines


def line_of(text, position):
    """Number (from 1) of the line at a position."""
    return text.count("\n", 0, position) + 1


def top_of_tree():
    """The first argument, or the tree that the tool itself stands in."""
    return pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1])


def files(top, *folders):
    """C sources and headers below the folders that exist, in order."""
    return [path for folder in folders for path in sorted((top / folder).rglob("*"))
            if path.suffix in (".c", ".h", ".cpp") and path.is_file()]


def public_functions(top):
    """Name of each SES_API function of the public headers: (file, line)."""
    found = {}
    for path in files(top, "include"):
        text = re.sub(r"^[ \t]*#(?:\\\n|.)*", lambda m: blank(m[0]), strip(path.read_text()),
                      flags=re.M)
        for m in re.finditer(r"\bSES_API\b[^;{}]*?\b(ses_\w+)\s*\(", text):
            found[m[1]] = (path, line_of(text, m.start()))
    return found


def finish(checked, problems):
    """Prints the problems and ends the program. Having looked at nothing is a problem, too."""
    for problem in problems:
        print(problem)
    if not checked:
        print("nothing to check: is this the top of the tree?")
    if checked and not problems:
        print(f"{checked} checked")
    sys.exit(bool(problems) or not checked)
