"""What the C sources say: functions, their lines, and the lines of their contracts.

The sources keep to one style (.clang-format and tests/structure), so that a
function starts with a line that is not indented and ends with a brace alone.
"""
import re

DEFINITION = re.compile(
    r"^(?!typedef|struct \w+ \{|enum \w* ?\{|union|#|/|\*|\s)[A-Za-z_][\w \*]*?\b\**(\w+)\([^;{]*?\)\n\{\n(.*?)^\}",
    re.M | re.S)
ACSL = re.compile(r"/\*@.*?\*/|//@[^\n]*", re.S)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def functions(text):
    """{name: lines of code} of the functions that text defines."""
    bare = COMMENT.sub("", text)
    return {m.group(1): count(m.group(0)) for m in DEFINITION.finditer(bare)}


def calls(text, names):
    """What the functions of these names call, and words that look like it."""
    bare = COMMENT.sub("", text)
    return {c for m in DEFINITION.finditer(bare) if m.group(1) in names
            for c in re.findall(r"\b(\w+)\s*\(", m.group(2))}


def count(text):
    return sum(1 for line in text.splitlines() if line.strip())


def contract_lines(text):
    return sum(count(m.group(0)) for m in ACSL.finditer(text))
