#!/usr/bin/env python3
"""Keeps the house in order: what ARCHITECTURE.md promises about structure, checked.

usage: structure.py ROOT BUILD CHECK [compiler]
Each check prints what is wrong, one line each, and exits 1; silence is good.
"""
import os
import re
import shutil
import subprocess
import sys

ROOT, BUILD, CHECK = sys.argv[1:4]
CC = sys.argv[4] if len(sys.argv) > 4 else "cc"
DEFINES = ["-D__XEN_TOOLS__", "-D__XEN_INTERFACE_VERSION__=0x00040e00"]

FILE_LINES, FUNCTION_LINES, COLUMNS = 600, 70, 100
PORT_FUNCTIONS, PORT_FILES, ARCH_FUNCTIONS = 45, 8, 24
TOP = {"src", "hostsim", "proofs", "fuzz", "boot", "tests", "ci", ".ci", "CMakeLists.txt",
       "CMakePresets.json", "README.md", "LICENSE", "ARCHITECTURE.md", "CAVEATS.md",
       "CONTRIBUTING.md", "CHANGELOG.md", ".gitignore", ".clang-format", ".clang-tidy",
       ".editorconfig", ".gitattributes"}
# Who may include whom: the first folder below src (or "hostsim", "tests").
MAY_INCLUDE = {
    "base": {"base"},
    "port": {"base", "port"},
    "core": {"base", "port", "core"},
    "x86": {"base", "port", "core", "x86"},
    "bare": {"base", "port", "core", "x86", "bare"},
    "hostsim": {"base", "port", "core", "x86", "hostsim"},
}
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "limits.h"}
OWN = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
SYSTEM = re.compile(r"^\s*#\s*include\s+<([^>]+)>")
XEN_DOOR = "src/base/xen.h"  # the one file that includes <xen/xen.h>
FORMAT_VERSION = "14"  # releases differ in what they make of one .clang-format


def files(folders, endings):
    for folder in folders:
        for at, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(at, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def house(path):
    parts = path.split(os.sep)
    return parts[1] if parts[0] == "src" else parts[0]


def check_top():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)
    names = {line.split("/")[0] for line in listed.stdout.splitlines()}
    for name in sorted(names - TOP):
        yield f"{name}: the top level has no room for it"


def opens_xen(path, seen):
    """Whether path, a file or what an #include names, reaches base/xen.h."""
    if path in ("base/xen.h", XEN_DOOR):
        return True
    name = path if os.path.exists(os.path.join(ROOT, path)) else os.path.join("src", path)
    if name in seen or not os.path.exists(os.path.join(ROOT, name)):
        return False
    seen.add(name)
    return any(opens_xen(own, seen) for own in re.findall(OWN.pattern, read(name), re.M))


def check_includes():
    for path in files(["src", "hostsim"], (".c", ".h")):
        allowed = MAY_INCLUDE[house(path)]
        for n, line in enumerate(read(path).splitlines(), 1):
            own, system = OWN.match(line), SYSTEM.match(line)
            if own and own.group(1).split("/")[0] not in allowed:
                yield f"{path}:{n}: {house(path)} must not include {own.group(1)}"
            if (system and path.startswith("src/") and system.group(1) not in FREESTANDING
                    and not system.group(1).startswith("xen/")):
                yield f"{path}:{n}: {system.group(1)} is not freestanding"


def check_xen():
    """Upstream's headers come through base/xen.h, or after it."""
    for path in files(["src", "hostsim", "tests/unit", "fuzz"], (".c", ".h")):
        opened = path == XEN_DOOR
        for n, line in enumerate(read(path).splitlines(), 1):
            own, system = OWN.match(line), SYSTEM.match(line)
            opened = opened or bool(own and opens_xen(own.group(1), set()))
            if not system or not system.group(1).startswith("xen/") or path == XEN_DOOR:
                continue
            if system.group(1) in ("xen/xen.h", "xen/errno.h"):
                yield f"{path}:{n}: base/xen.h is the door to <{system.group(1)}>"
            elif not opened and system.group(1) != "xen/elfnote.h":
                yield f"{path}:{n}: base/xen.h, or a header that has it, comes before"


def check_headers():
    for path in files(["src", "hostsim"], (".h",)):
        content = read(path)
        name = path.removeprefix("src/")
        if path.startswith("hostsim/"):
            name = "hostsim/" + os.path.basename(path)
        guard = "CORBEL_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
        if not content.startswith("/* "):
            yield f"{path}: begins with a comment that says what it is for"
        if f"#ifndef {guard}\n#define {guard}\n" not in content:
            yield f"{path}: its include guard is {guard}"
        text = f'#include "{path[4:] if path.startswith("src/") else path}"\n'
        run = subprocess.run(
            [CC, "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
             "-Wno-unused-parameter", "-Wno-address-of-packed-member", *DEFINES,
             "-I", os.path.join(ROOT, "src"), "-I", ROOT, "-x", "c", "-"],
            input=text + text, capture_output=True, text=True)
        if run.returncode:
            yield f"{path}: does not stand alone: {run.stderr.splitlines()[0]}"


def undefined(archive):
    out = subprocess.run(["nm", "-P", archive], capture_output=True, text=True, check=True).stdout
    want, have = set(), set()
    for line in out.splitlines():
        words = line.split()
        if len(words) >= 2 and not line.endswith(":"):
            (want if words[1] == "U" else have).add(words[0])
    return want - have


def check_symbols():
    core = undefined(os.path.join(BUILD, "src", "libcorbel_core.a"))
    arch = {s for s in core if s.startswith("arch_")}
    other = {s for s in core if not s.startswith(("port_", "arch_", "__asan", "__ubsan",
                                                  "__gcov", "__llvm", "__sanitizer", "__sancov"))}
    linker = {"_GLOBAL_OFFSET_TABLE_"}  # of position-independent hosted builds
    for symbol in sorted(other - linker - {"memcpy", "memset", "memmove", "memcmp"}):
        yield f"core library needs {symbol}, which is neither port_* nor arch_*"
    if len(arch) > ARCH_FUNCTIONS:
        yield f"core needs {len(arch)} arch_* functions, at most {ARCH_FUNCTIONS}: {sorted(arch)}"


def check_port():
    headers = list(files(["src/port"], (".h",)))
    names = set()
    for path in headers:
        code = re.sub(r"/\*.*?\*/", "", read(path), flags=re.S)
        names |= set(re.findall(r"\b(port_\w+)\s*\(", code))
    sources = list(files(["src/port"], (".c", ".S")))
    if sources:
        yield f"src/port holds code: {sources}"
    if len(headers) > PORT_FILES:
        yield f"the port has {len(headers)} files, at most {PORT_FILES}"
    if len(names) > PORT_FUNCTIONS:
        yield f"the port has {len(names)} functions, at most {PORT_FUNCTIONS}"


def check_sizes():
    for path in files(["src", "hostsim", "boot", "tests", "fuzz"], (".c", ".h", ".S")):
        lines = read(path).splitlines()
        if len(lines) > FILE_LINES:
            yield f"{path}: {len(lines)} lines, at most {FILE_LINES}"
        start = None
        for n, line in enumerate(lines, 1):
            if len(line) > COLUMNS:
                yield f"{path}:{n}: {len(line)} columns, at most {COLUMNS}"
            if "\t" in line or line != line.rstrip():
                yield f"{path}:{n}: tab or trailing space"
            if line == "{" and path.endswith(".c"):
                start = n
            elif line == "}" and start:
                if n - start - 1 > FUNCTION_LINES:
                    yield f"{path}:{start}: function of {n - start - 1} lines, at most {FUNCTION_LINES}"
                start = None


def check_choice():
    """Variants are chosen by the build: neither by the preprocessor nor by tables of functions."""
    for path in files(["src"], (".c", ".h")):
        code = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), read(path),
                      flags=re.S)
        lines = code.splitlines()
        for n, line in enumerate(lines, 1):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line) and path.endswith(".c"):
                yield f"{path}:{n}: conditional compilation; link another file instead"
            if house(path) != "bare" and re.search(r"\(\s*\*\s*(const\s+)?\w*\s*\[", line):
                yield f"{path}:{n}: a table of functions"
        if house(path) == "core":
            for body in re.finditer(r"\bstruct \w* *\{(.*?)\n\}", code, re.S):
                if len(re.findall(r"\(\s*\*\s*\w+\s*\)\s*\(", body.group(1))) > 1:
                    n = code.count("\n", 0, body.start()) + 1
                    yield f"{path}:{n}: a table of functions"


def check_format():
    tool = shutil.which(f"clang-format-{FORMAT_VERSION}") or shutil.which("clang-format")
    if not tool:
        yield "clang-format is not installed (ci/setup.sh installs it)"
        return
    version = subprocess.run([tool, "--version"], capture_output=True, text=True).stdout
    if f"version {FORMAT_VERSION}." not in version:
        print(f"not judged: release {FORMAT_VERSION} is the measure, this is {version.strip()}")
        return
    paths = list(files(["src", "hostsim", "tests", "fuzz", "boot"], (".c", ".h")))
    run = subprocess.run([tool, "--dry-run", "--ferror-limit=1", *paths], cwd=ROOT,
                         capture_output=True, text=True)
    for place in re.findall(r"^(\S+?:\d+):\d+: warning: code should be", run.stderr, re.M):
        yield f"{place}: not as {os.path.basename(tool)} writes it"
    if run.returncode:
        yield run.stderr.strip()


def check_words():
    bad = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for path in files(["src", "hostsim", "boot", "fuzz", "proofs", "ci"],
                      (".c", ".h", ".S", ".sh", ".txt")):
        for n, line in enumerate(read(path).splitlines(), 1):
            if bad.search(line):
                yield f"{path}:{n}: unfinished work belongs in CAVEATS.md"
    rooms = files(["src", "hostsim"], (".c", ".h"))
    for folder in sorted({os.path.dirname(p) for p in rooms} - {"src/core"}):
        if not os.path.exists(os.path.join(ROOT, folder, "README.md")):
            yield f"{folder}: a module has a README.md"


def check_patches():
    """Planted defects and seeded mistakes fit the sources that they spoil."""
    for path in files(["fuzz/planted", "proofs/mutants"], (".patch",)):
        run = subprocess.run(["patch", "-p1", "--dry-run", "-s", "-F0", "-i", path], cwd=ROOT,
                             capture_output=True, text=True)
        if run.returncode:
            yield f"{path}: does not apply"


CHECKS = {name[6:]: fn for name, fn in list(globals().items()) if name.startswith("check_")}
if CHECK not in CHECKS:
    sys.exit(f"unknown check {CHECK}; known: {' '.join(CHECKS)}")
wrong = list(CHECKS[CHECK]())
print("\n".join(wrong) if wrong else f"{CHECK}: in order")
sys.exit(1 if wrong else 0)
