"""Runs the contracts of the proved modules: each source is instrumented by E-ACSL, linked with
the rest of the hosted library and with the unit tests, and the tests run; a contract that does
not hold ends the test.
    eacsl.py BUILD-DIRECTORY [TEST...]

eacsl/tests.toml names both. Fails on a test that fails, on a source that cannot be instrumented,
on a test that checked nothing, and on a source of whose contracts nothing was checked. Then the
mistakes that eacsl/tests.toml lists are made, and each must be seen.
"""
import concurrent.futures
import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import acsl  # noqa: E402
import source  # noqa: E402
import tools  # noqa: E402

PROOFS = tools.PROOFS
ROOT = os.environ.get("CORBEL_ROOT", os.path.dirname(PROOFS))
CPU_SECONDS = int(os.environ.get("CORBEL_EACSL_SECONDS", 20))
XEN = ["-D__XEN_TOOLS__", "-D__XEN_INTERFACE_VERSION__=0x00040e00"]
PROTOTYPE = re.compile(r"/\*@(?:(?!\*/).)*\*/\s*(?:/\*(?:(?!\*/).)*\*/\s*)?"
                       r"((?:extern )?[A-Za-z_][\w \*]*?\b\**(\w+)\([^;{}]*\));", re.S)
LIBRARIES = ("check", "subunit", "lzma", "zstd", "lz4", "z", "gmp", "m", "rt", "pthread")
HEADERS = "headers.c"  # what E-ACSL makes of the functions that headers define


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


class Shadow:
    """A copy of src for E-ACSL. Headers are without contracts, and those in `hosted` declare what
    they define, which goes to a source of its own; a source has the contracts of what it defines,
    also those that headers and the proofs' units state."""

    def __init__(self, work, told, wrong=()):
        self.work, self.counts, hosted = work, {}, told["headers"]
        self.behind = told.get("behind", {})
        self.skipped = [s.split("|", 1) for s in told.get("skip", [])]
        paths = glob.glob(ROOT + "/src/**/*.[ch]", recursive=True)
        paths += glob.glob(PROOFS + "/include/**/*.h", recursive=True) + glob.glob(PROOFS + "/units/*.c")
        self.texts = {p: read(p) for p in paths}
        for w in wrong:
            path = os.path.join(ROOT, w["file"])
            if self.texts[path].count(w["text"]) != 1:
                raise SystemExit(f"{path} does not say so once: {w['text']}")
            self.texts[path] = self.texts[path].replace(w["text"], w["instead"])
        headers = [t for p, t in self.texts.items() if p.endswith(".h")]
        for path, text in self.skipped:
            plain = " ".join(acsl.strip(c) for c in source.ACSL.findall(self.texts[os.path.join(ROOT, path)]))
            if text not in re.sub(r"\s+", " ", plain):
                print(f"tests.toml skips what {path} does not say: {text}")
        self.common = acsl.definitions(headers + [read(PROOFS + "/eacsl/include/bits.h")])
        self.nowhere = acsl.imaginary(self.texts.values())
        self.promised = self.prototypes()
        for path, text in self.texts.items():
            if path.startswith(ROOT + "/src/") and path.endswith(".h"):
                rel = os.path.relpath(path, ROOT)
                plain = source.ACSL.sub(lambda m: "\n" * m.group(0).count("\n"), text)
                if rel in hosted:
                    plain = source.DEFINITION.sub(declared, plain)
                write(os.path.join(work, rel), plain)
        for path, text in ((PROOFS + "/include/base/atomic.h", self.texts[PROOFS + "/include/base/atomic.h"]),
                           (PROOFS + "/eacsl/include/bits.h", read(PROOFS + "/eacsl/include/bits.h"))):
            write(os.path.join(work, "include", os.path.relpath(path, PROOFS).split("include/")[1]),
                  source.ACSL.sub("", text))
        self.host(hosted)

    def known(self, *texts):
        known = self.common | acsl.definitions(texts)
        return known, self.nowhere - set(known)

    def promise(self, text):
        """What to call what one of the proofs' files says of others' functions: to one who calls them."""
        path = next(p for p, t in self.texts.items() if t is text)
        return "for_" + re.sub(r"\W", "_", os.path.basename(path)[:-2]) if path.startswith(PROOFS) else None

    def prototypes(self):
        """{function: [(contract and prototype, the file's text)]} of what is declared with a contract."""
        found = {}
        for path, text in self.texts.items():
            for m in PROTOTYPE.finditer(text):
                found.setdefault(m.group(2), []).append((m.group(0), text))
        return found

    def runs(self, text, known, gone, count, where=None):
        """text with its contracts as E-ACSL takes them, one clause on a line."""
        skipped = [s for p, s in self.skipped if self.texts[os.path.join(ROOT, p)] is (where or text)], self.behind
        promise = self.promise(where) if where else None

        def change(m):
            head = re.match(r"\s*(?:/\*(?:(?!\*/).)*\*/\s*)?([A-Za-z_][^;{}@]*\))\s*[;{]", m.string[m.end():], re.S)
            types = acsl.parameters(head.group(1)) if head else ({}, {})
            made = acsl.contract(acsl.strip(m.group(0)), known, gone, count, types, skipped, promise)
            return f"/*@ {made} */" if made else ""
        return source.ACSL.sub(change, text)

    def make(self, path):
        """The shadow of a source."""
        text = self.texts[os.path.join(ROOT, path)]
        units = [t for p, t in self.texts.items() if "/units/" in p and f'src/{path[4:]}"' in t]
        count = self.counts[path] = acsl.Count()
        known, gone = self.known(*units, text)
        names, before = set(source.functions(text)), {}
        for name in names:
            for stated, where in self.promised.get(name, ()):
                if where != text and not re.search(r"\*/\s*static\b", stated) and stated not in before.get(name, ""):
                    made = self.runs(stated, *self.known(where), count, where)
                    if "/*@" in made:
                        before[name] = before.get(name, "") + made + "\n"
        out = self.runs(text, known, gone, count)
        at = [m.end() for m in re.finditer(r"^#\s*include[^\n]*\n", out, re.M)][-1]
        write(os.path.join(self.work, path), out[:at].rstrip("\n") + "\n" + "".join(before.values()) + out[at:])

    def host(self, hosted):
        """The source of what the headers define."""
        out, count = "".join(f'#include "{h[4:]}"\n' for h in hosted), acsl.Count()
        for header in hosted:
            text = self.texts[os.path.join(ROOT, header)]
            units = [t for p, t in self.texts.items() if "/units/" in p and f'{header[4:]}"' in t]
            made = self.runs(text, *self.known(*units, text), count)
            for m in re.finditer(r"((?:/\*@(?:(?!\*/).)*\*/\s*)?)^(static inline [^;{}]*?\)\n\{\n.*?^\})", made,
                                 re.M | re.S):
                out += m.group(1) + m.group(2).replace("static inline ", "", 1) + "\n"
        self.counts[HEADERS] = count
        write(os.path.join(self.work, HEADERS), out)


def declared(m):
    """What takes the place of a definition: its head, on as many lines."""
    text = m.group(0)
    if not text.startswith("static inline "):
        return text
    head = text[len("static inline "):text.index("\n{")]
    return head + ";" + "\n" * (text.count("\n") - head.count("\n"))


def e_acsl(paths, work, out):
    """(problem or None, Frama-C's log): instruments sources of the shadow, as one."""
    include = f"-include bits.h -I{work}/include -I{work}/src -I{work} -isystem{work}/xen-include " + " ".join(XEN)
    # Each bool that a contract reads would be asked for its range, by reading it, and so on.
    command = ["frama-c", "-machdep", "gcc_x86_64", "-c11", "-no-warn-invalid-bool", "-rte-no-mem",
               "-variadic-no-translation", "-kernel-warn-key=annot-error=active", f"-cpp-extra-args={include}",
               "-e-acsl-no-assert-print-data", "-e-acsl", *paths, "-then-last", "-print", "-ocode", out]
    run = subprocess.run(command, cwd=work, capture_output=True, text=True, env=os.environ | {"PWD": work},
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS)))
    log = run.stdout + run.stderr
    if run.returncode < 0:
        return f"E-ACSL takes more than {CPU_SECONDS} s of CPU time", log
    if run.returncode or not os.path.exists(out):
        reason = re.findall(r"(?:User Error|syntax error|Unexpected error|Fatal|Failure)[^\n]*\n?[^\n]*", log)
        return re.sub(r"\s+", " ", reason[0] if reason else log[-200:]), log
    return None, log


def drop(path, line):
    """Takes the clause on a line out of a file of the shadow: the clause; None: there is none."""
    text = read(path)
    for m in source.ACSL.finditer(text):
        first = text.count("\n", 0, m.start()) + 1
        lines = m.group(0).removeprefix("/*@").removesuffix("*/").split("\n")
        if first <= line < first + len(lines) and acsl.SAYS.match(lines[line - first].strip()):
            gone, lines[line - first] = lines[line - first].strip(), ""
            kept = "/*@" + "\n".join(lines) + "*/" if "".join(lines).strip() else "\n" * (len(lines) - 1)
            write(path, text[:m.start()] + kept + text[m.end():])
            return gone
    return None


def culprit(log, base):
    """(file, line) of the clause that E-ACSL or, from what it wrote, gcc broke down on; or None."""
    if m := re.search(r"(\S+?):(\d+): Failure", log):
        return m.group(1), int(m.group(2))
    if m := re.search(r"inst\.c:(\d+):\d+: error", log):
        after = "\n".join(read(base + ".inst.c").split("\n")[int(m.group(1)) - 1:])
        m = re.search(r'\.kind = "(?!RTE).*?\.file = "([^"]*)".*?\.line = (\d+)', after, re.S)
        return m and (m.group(1), int(m.group(2)))
    return None


def compile_(base, share):
    """Compiles what E-ACSL wrote; what gcc says of it."""
    return subprocess.run(["gcc", "-std=gnu11", "-O1", "-w", "-fno-builtin", "-fno-strict-aliasing", "-fcommon",
                           "-DE_ACSL_SEGMENT_MMODEL", f"-I{share}", "-c", "-o", base + ".o", base + ".inst.c"],
                          capture_output=True, text=True).stderr


def instrument(paths, shadow, share):
    """(object, None) of some sources, instrumented, or (None, why E-ACSL cannot). Counts what of their
    contracts E-ACSL does not know."""
    work, counts = shadow.work, shadow.counts
    base = os.path.join(work, paths[0].replace("/", "_").removesuffix(".c"))
    for _ in range(8):  # a clause on which E-ACSL breaks down goes, and is counted
        problem, log = e_acsl(paths, work, base + ".inst.c")
        unknown = re.findall(r"^\[(?:e-acsl|kernel:annot-error)\] (src/[^ ]*?|headers\.c):\d+: Warning", log, re.M)
        if not problem:
            problem = log = compile_(base, share)
        at = culprit(log, base) if problem else None
        gone = at and drop(os.path.join(work, at[0]), at[1])
        if not gone:
            break
        print(f"E-ACSL breaks down on: {at[0]}: {gone}", flush=True)
        counts[at[0]].unknown += 1
    if problem:
        return None, problem
    for path in unknown:
        counts[path].unknown += 1
    symbols = subprocess.run(["nm", base + ".o"], capture_output=True, text=True, check=True).stdout.split("\n")
    own = {s.split()[-1] for s in symbols if " T " in s}
    change = []
    for name in own:
        if name.startswith("__gen_e_acsl_"):
            plain = name[len("__gen_e_acsl_"):]
            change += [f"--redefine-sym={plain}=body_of_{plain}", f"--redefine-sym={name}={plain}"] if plain in own \
                else [f"--localize-symbol={name}"]
    change += [f"--localize-symbol={n}" for n in own if n.startswith("__e_acsl_")]
    change += ["-w", "--localize-symbol=body_of_*", "--localize-symbol=__e_acsl_*_init_*"]
    subprocess.run(["objcopy", *change, base + ".o"], check=True)
    return base + ".o", None


def run_test(name, objects, work, build):
    """(exit code, last lines, predicates checked) of one unit test with these objects."""
    name, _, case = name.partition(":")
    paths = glob.glob(f"{ROOT}/tests/unit/*/{name}.c")
    program = os.path.join(work, name)
    flags = ["-std=gnu11", "-O1", "-w", f"-I{ROOT}", f"-I{work}/src", f"-I{ROOT}/tests/unit", *XEN]
    scripts = glob.glob(f"{build}/hostsim/CMakeFiles/corbel_script.dir/**/*.o", recursive=True)
    libraries = [f"{build}/tests/libunit_fixture.a", f"{build}/src/libcorbel_core.a", f"{build}/src/libcorbel_x86.a",
                 f"{build}/hostsim/libcorbel_world.a"]
    command = ["gcc", *flags, "-o", program, *paths, *objects, *scripts, "-Wl,--start-group", *libraries,
               "-Wl,--end-group", *("-l" + n for n in LIBRARIES)]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode:
        return 1, "does not link: " + built.stderr[-200:], 0
    environment = os.environ | {"CK_DEFAULT_TIMEOUT": "300", "EACSL_REACHED": work + "/reached"}
    if case:
        environment["CK_RUN_CASE"] = case
    try:
        run = subprocess.run([program], cwd=work, capture_output=True, text=True, env=environment, timeout=600)
    except subprocess.TimeoutExpired:
        return 1, "takes more than ten minutes", 0
    text = run.stdout + run.stderr
    checked = sum(map(int, re.findall(r"^checked (\d+)", text, re.M)))
    wrong = re.findall(r"^.*does not hold.*$", text, re.M)
    return run.returncode or bool(wrong), "\n  ".join(sorted(set(wrong))[:8] or text.strip().split("\n")[-3:]), checked


def reached(work, path):
    """How many of a source's clauses were looked at in some test: runtime.c marks their places."""
    with open(work + "/reached", "rb") as f:
        marks = f.read()
    found = 0
    for line, text in enumerate(read(os.path.join(work, path)).split("\n"), 1):
        if acsl.SAYS.match(re.sub(r"^.*/\*@ ", "", text)):
            slot = 5381
            for c in path:
                slot = (slot * 33 + ord(c)) & 0xffffffff
            found += marks[(slot + line * 2654435761) % len(marks)]
    return found


def report(shadow, paths):
    """Prints what became of each source's contracts; how many sources have none that was checked."""
    print(f"{'source':<44}{'said':>6}{'run':>6}{'reached':>9}{'memory':>8}{'ghost':>7}{'unknown':>9}", flush=True)
    bad, total = 0, [0] * 6
    for path in paths:
        c = shadow.counts[path]
        row = [c.said, c.said - c.memory - c.imaginary - c.unknown, reached(shadow.work, path), c.memory,
               c.imaginary, c.unknown]
        total = [a + b for a, b in zip(total, row)]
        bad += not row[2]
        print(f"{path:<44}{row[0]:>6}{row[1]:>6}{row[2]:>9}{row[3]:>8}{row[4]:>7}{row[5]:>9}"
              + ("" if row[2] else "\n  failed: nothing is checked"), flush=True)
    print(f"{'all':<44}{total[0]:>6}{total[1]:>6}{total[2]:>9}{total[3]:>8}{total[4]:>7}{total[5]:>9}", flush=True)
    return bad


def build_all(shadow, groups, share, pool):
    """The objects of all sources, or None when some cannot be instrumented."""
    work = shadow.work
    os.makedirs(os.path.join(work, "xen-include"))
    os.symlink("/usr/include/xen", os.path.join(work, "xen-include", "xen"))
    write(work + "/reached", "\0" * (1 << 20))
    for path in sum(groups, []):
        if path != HEADERS:
            shadow.make(path)
    runtime, bodies = os.path.join(work, "runtime.o"), os.path.join(work, "bodies.o")
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-w", f"-I{share}", "-DE_ACSL_SEGMENT_MMODEL", "-c", "-o", runtime,
                    PROOFS + "/eacsl/runtime.c"], check=True)
    subprocess.run(["gcc", "-std=gnu11", "-O1", f"-I{ROOT}/src", "-include", "base/types.h", "-c", "-o", bodies,
                    PROOFS + "/eacsl/bodies.c"], check=True)
    objects, failed = [bodies, runtime], False
    for paths, (made, why) in zip(groups, pool.map(lambda g: instrument(g, shadow, share), groups)):
        objects.append(made)
        if not made:
            failed = True
            print(f"{paths[0]} and others:\n  failed: {why}", flush=True)
    return None if failed else objects


def run_true(told, groups, tests, build, share, pool):
    """Runs the tests with the contracts as they are; how much failed."""
    with tempfile.TemporaryDirectory() as work:
        shadow, failed = Shadow(work, told), 0
        objects = build_all(shadow, groups, share, pool)
        if not objects:
            return 1
        print(f"{'test':<44}{'predicates':>11}", flush=True)
        for name, (code, text, checked) in zip(tests, pool.map(lambda t: run_test(t, objects, work, build), tests)):
            bad = code or not checked
            failed += bool(bad)
            print(f"{name:<44}{checked:>11}" + (f"\n  failed: {text}" if bad else ""), flush=True)
        if os.environ.get("CORBEL_PROOF_LOGS"):
            for path in glob.glob(work + "/*.inst.c"):
                shutil.copy(path, os.environ["CORBEL_PROOF_LOGS"])
        return failed + (report(shadow, sum(groups, [])) if tests == told["tests"] else 0)


def run_wrong(told, build, share, pool):
    """Makes the mistakes, each seen by another test case; how many were not seen."""
    wrong = told["wrong"]
    groups = [[HEADERS] + sorted({w["source"] for w in wrong if "source" in w})]
    with tempfile.TemporaryDirectory() as work:
        objects = build_all(Shadow(work, told, wrong), groups, share, pool)
        if not objects:
            return len(wrong)
        tests = sorted({w["test"] for w in wrong})
        seen = dict(zip(tests, pool.map(lambda t: run_test(t, objects, work, build), tests)))
    missed = [w for w in wrong if not seen[w["test"]][0] or f"{w['seen']} does not hold" not in seen[w["test"]][1]]
    for w in missed:
        print(f"a mistake was not seen: {w['file']}: {w['instead']}\n  {seen[w['test']][1]}")
    print(f"{len(wrong)} mistakes made, {len(wrong) - len(missed)} seen")
    return len(missed)


def main(arguments):
    build = os.path.abspath(arguments[0])
    with open(os.path.join(PROOFS, "modules.toml"), "rb") as f:
        proved = {p for m in tomllib.load(f)["module"] for p in m["files"]}
    with open(os.path.join(PROOFS, "eacsl", "tests.toml"), "rb") as f:
        told = tomllib.load(f)
    groups, tests = told["sources"], arguments[1:] or told["tests"]
    files = told["headers"] + sum(groups, [])
    if set(files) - proved:
        raise SystemExit(f"tests.toml names what is not proved: {sorted(set(files) - proved)}")
    groups = [[HEADERS] + groups[0]] + groups[1:]
    share = subprocess.run(["frama-c", "-print-share-path"], capture_output=True, text=True, check=True).stdout.strip()
    share += "/e-acsl"
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = run_true(told, groups, tests, build, share, pool) + run_wrong(told, build, share, pool)
    print(f"{len(files)} of {len(proved)} proved files instrumented, {len(tests)} unit tests, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
