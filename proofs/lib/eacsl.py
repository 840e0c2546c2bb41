"""Runs the contracts of the proved modules: each source is instrumented by E-ACSL, linked with
the rest of the hosted library and with the unit tests, and the tests run; a contract that does
not hold ends the test. 
    eacsl.py BUILD-DIRECTORY [--only FILE,...] [--tests TEST,...] [--wrong PATH|TEXT|TEXT]

eacsl/tests.toml names both. Fails on a test that fails, on a source that cannot be instrumented,
and on a test that checked nothing.
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
import source  # noqa: E402
import tools  # noqa: E402

PROOFS = tools.PROOFS
ROOT = os.environ.get("CORBEL_ROOT", os.path.dirname(PROOFS))
# Definitions in contracts are put in the place of their uses: E-ACSL's own treatment of
# logic functions can take minutes.
DEFINITION = re.compile(
    r"\b(?:predicate|logic\s+[\w \*]+?)\s*\**\b(\w+)\s*(?:\{\w+\})?\s*(?:\(([^)]*)\))?\s*=\s*(.*?);"
    r"(?=\s*(?:\*/|predicate\b|logic\b|lemma\b|axiom\b|//|\}|$))", re.S)
CPU_SECONDS = int(os.environ.get("CORBEL_EACSL_SECONDS", 20))
FRAMES = r"terminates clause|assigns clause"


def definitions(texts):
    """{name: (parameters, body)} of the predicates and logic functions without recursion."""
    found = {}
    for text in texts:
        for comment in source.ACSL.findall(text):
            bare = re.sub(r"//[^\n]*", "", comment[3:]) if comment.startswith("/*@") else ""
            for name, parameters, body in DEFINITION.findall(bare):
                if not re.search(rf"\b{name}\b", body):
                    names = [re.sub(r"\[.*", "", p.split()[-1]).lstrip("*") for p in parameters.split(",") if p.strip()]
                    found[name] = (names, re.sub(r"\s+", " ", body).strip())
            # A definition by axiom, as axioms.py takes it.
            for name, names, body in re.findall(r"axiom \w+_def: \\forall [^;]*;\s*(\w+)\(([^)]*)\) == ([^;]*);", bare):
                found[name] = ([n.strip() for n in names.split(",")], re.sub(r"\s+", " ", body).strip())
    return found


def arguments_at(text, at):
    """The arguments in the parentheses that open at text[at], and where they end."""
    parts, depth, start = [], 0, at + 1
    for i in range(at, len(text)):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if depth == 0:
            return parts + [text[start:i]], i + 1
        if depth == 1 and text[i] == ",":
            parts.append(text[start:i])
            start = i + 1
    raise ValueError(f"no end: {text[at:at + 60]}")


def expand(text, known, depth=0):
    """text with the uses of known definitions replaced by what they say."""
    out, at = "", 0
    for m in re.finditer(r"(?<![\w.>\\])([A-Za-z_]\w*)(?:\{\w+\})?\s*(\()?", text):
        if m.start() < at or m.group(1) not in known or depth > 12:
            continue
        names, body = known[m.group(1)]
        values, end = arguments_at(text, m.end() - 1) if names and m.group(2) else ([], m.end(1))
        if len(values) != len(names):
            continue
        values = dict(zip(names, (f"({expand(v.strip(), known, depth + 1)})" for v in values)))
        body = re.sub(r"(?<![\w.>\\])([A-Za-z_]\w*)", lambda w: values.get(w.group(1), w.group(1)),
                      expand(body, known, depth + 1))
        out += text[at:m.start()] + f"({body})"
        at = end
    return out + text[at:]


def shadow(work, wrong=None):
    """A copy of src whose contracts E-ACSL takes; wrong: "path|text|text" changes one, for a test."""
    paths = glob.glob(ROOT + "/src/**/*.[ch]", recursive=True)
    own = paths + glob.glob(PROOFS + "/include/*.h") + glob.glob(PROOFS + "/units/*.c")
    texts = {}
    for path in own:
        with open(path, encoding="utf-8") as f:
            texts[path] = f.read()
    if wrong:
        path, old, new = wrong.split("|")
        path = os.path.join(ROOT, path)
        if texts[path].count(old) != 1:
            raise SystemExit(f"{path} does not say so once: {old}")
        texts[path] = texts[path].replace(old, new)
    common = definitions(t for p, t in texts.items() if not p.endswith(".c") or "/units/" in p)
    for path in paths:
        known = common | definitions([texts[path]])

        def change(m):
            comment = m.group(0)
            if comment.startswith("/*@"):
                rest = re.sub(r"//[^\n]*", "", comment[3:-2])
                if re.search(r"\b(axiomatic|lemma)\b", rest):
                    return ""
                rest = expand(DEFINITION.sub("", rest + " "), known)
                comment = f"/*@ {rest} */" if re.search(r"\w", rest) else ""
            return comment

        out = os.path.join(work, os.path.relpath(path, ROOT))
        os.makedirs(os.path.dirname(out), exist_ok=True)
        with open(out, "w", encoding="utf-8") as f:
            f.write(source.ACSL.sub(change, texts[path]))
        if path.endswith(".h"):  # the same without contracts, for sources that E-ACSL breaks down on
            out = os.path.join(work, "plain", os.path.relpath(path, ROOT))
            os.makedirs(os.path.dirname(out), exist_ok=True)
            with open(out, "w", encoding="utf-8") as f:
                f.write(source.ACSL.sub("", texts[path]))


def drop_contract(path, line):
    """Takes the contract that contains a line out of a file of the shadow; False: none does."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for m in source.ACSL.finditer(text):
        first = text.count("\n", 0, m.start()) + 1
        if first <= line <= first + m.group(0).count("\n"):
            blank = "\n" * m.group(0).count("\n")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text[:m.start()] + blank + text[m.end():])
            return True
    return False


def e_acsl(path, work, out, headers):
    """(problem or None, Frama-C's log): instruments a source of the shadow."""
    include = (f"-include bits.h -I{PROOFS}/eacsl/include -I{PROOFS}/include -I{headers} -I{work} "
               f"-isystem{work}/xen-include -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00")
    command = ["frama-c", "-machdep", "gcc_x86_64", "-c11", "-kernel-warn-key=annot-error=active",
               f"-cpp-extra-args={include}", "-e-acsl-no-assert-print-data", "-e-acsl", os.path.join(work, path),
               "-then-last", "-print", "-ocode", out]
    run = subprocess.run(command, cwd=work, capture_output=True, text=True,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS)))
    log = run.stdout + run.stderr
    if run.returncode < 0:
        return f"E-ACSL takes more than {CPU_SECONDS} s of CPU time", log
    if run.returncode or not os.path.exists(out):
        reason = re.findall(r"(?:User Error|syntax error|Unexpected error|Fatal|Failure)[^\n]*\n?[^\n]*", log)
        return re.sub(r"\s+", " ", reason[0] if reason else log[-200:]), log
    return None, log


def instrument(path, work, share):
    """The object of an instrumented source, how many checks it has and how many contracts or
    clauses are without; (None, reason, 0) when E-ACSL cannot."""
    base, dropped = os.path.join(work, path.replace("/", "_")[:-2]), 0
    problem, log = e_acsl(path, work, base + ".inst.c", work + "/src")
    while problem and dropped < 8:  # a contract on which E-ACSL breaks down goes, and is counted
        at = re.search(r"Current source was: (\S+):(\d+)", log)
        if not at or not drop_contract(os.path.join(work, at.group(1)), int(at.group(2))):
            break
        dropped += 1
        problem, log = e_acsl(path, work, base + ".inst.c", work + "/src")
    if problem:
        problem, log = e_acsl(path, work, base + ".inst.c", work + "/plain/src")
        dropped += 1  # those of its headers
    if problem:
        return None, problem, 0
    left = dropped + len([c for c in re.findall(r"E-ACSL construct\s+`([^']*)'", log) if not re.search(FRAMES, c)])
    left += len(re.findall(r"annot-error\]", log))
    compile_ = subprocess.run(["gcc", "-std=gnu11", "-O1", "-w", "-fno-builtin", "-fno-strict-aliasing", "-fcommon", "-DE_ACSL_SEGMENT_MMODEL",
                               f"-I{share}", "-c", "-o", base + ".o", base + ".inst.c"], capture_output=True, text=True)
    if compile_.returncode:
        return None, "what E-ACSL wrote does not compile: " + compile_.stderr.strip()[:160], 0
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
    with open(base + ".inst.c", encoding="utf-8") as f:
        return base + ".o", f.read().count("__e_acsl_assert("), left


def run_test(name, objects, work, build, runtime):
    """(exit code, last lines, predicates checked) of one unit test with these objects."""
    paths = glob.glob(f"{ROOT}/tests/unit/*/{name}.c")
    program = os.path.join(work, name)
    flags = ["-std=gnu11", "-O1", "-w", f"-I{ROOT}", f"-I{ROOT}/src", f"-I{ROOT}/tests/unit", "-D__XEN_TOOLS__",
             "-D__XEN_INTERFACE_VERSION__=0x00040e00"]
    scripts = glob.glob(f"{build}/hostsim/CMakeFiles/corbel_script.dir/**/*.o", recursive=True)
    libraries = [f"{build}/tests/libunit_fixture.a", f"{build}/src/libcorbel_core.a", f"{build}/src/libcorbel_x86.a",
                 f"{build}/hostsim/libcorbel_world.a"]
    command = ["gcc", *flags, "-o", program, *paths, *objects, runtime, *scripts, "-Wl,--start-group", *libraries,
               "-Wl,--end-group", "-lcheck", "-lsubunit", "-llzma", "-lzstd", "-lgmp", "-lm", "-lrt", "-lpthread"]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode:
        return 1, "does not link: " + built.stderr[-800:], 0
    try:
        run = subprocess.run([program], cwd=work, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return 1, "takes more than ten minutes", 0
    text = run.stdout + run.stderr
    checked = sum(map(int, re.findall(r"^checked (\d+)", text, re.M)))
    wrong = re.findall(r"^.*does not hold.*$", text, re.M)
    return run.returncode or bool(wrong), "\n  ".join(wrong[:3] or text.strip().split("\n")[-3:]), checked


def main(arguments):
    build = os.path.abspath(arguments[0])
    wanted = dict(zip(arguments[1::2], arguments[2::2]))
    with open(os.path.join(PROOFS, "modules.toml"), "rb") as f:
        proved = {p for m in tomllib.load(f)["module"] for p in m["files"] if p.endswith(".c")}
    with open(os.path.join(PROOFS, "eacsl", "tests.toml"), "rb") as f:
        told = tomllib.load(f)
    files, tests = told["sources"], told["tests"]
    if set(files) - proved:
        raise SystemExit(f"tests.toml names what is not proved: {sorted(set(files) - proved)}")
    files = wanted["--only"].split(",") if "--only" in wanted else files
    tests = wanted["--tests"].split(",") if "--tests" in wanted else tests
    share = subprocess.run(["frama-c", "-print-share-path"], capture_output=True, text=True, check=True).stdout.strip() + "/e-acsl"
    work, failed, objects = tempfile.mkdtemp(), 0, []
    try:
        os.makedirs(os.path.join(work, "xen-include"))
        os.symlink("/usr/include/xen", os.path.join(work, "xen-include", "xen"))
        shadow(work, wanted.get("--wrong"))
        runtime = os.path.join(work, "runtime.o")
        subprocess.run(["gcc", "-std=gnu11", "-O1", "-w", f"-I{share}", "-DE_ACSL_SEGMENT_MMODEL", "-c", "-o", runtime,
                        PROOFS + "/eacsl/runtime.c"], check=True)
        bodies = os.path.join(work, "bodies.o")
        subprocess.run(["gcc", "-std=gnu11", "-O1", f"-I{ROOT}/src", "-include", "base/types.h", "-c", "-o", bodies,
                        PROOFS + "/eacsl/bodies.c"], check=True)
        objects.append(bodies)
        print(f"{'source':<48}{'checks':>8}{'not checked':>13}", flush=True)
        with concurrent.futures.ThreadPoolExecutor(tools.jobs()) as pool:
            for path, (made, checks, left) in zip(files, pool.map(lambda p: instrument(p, work, share), files)):
                if made is None:
                    failed += 1
                    print(f"{path:<48}  {checks}", flush=True)
                    continue
                objects.append(made)
                print(f"{path:<48}{checks:>8}{left:>13}", flush=True)
            print(f"{'test':<48}{'predicates':>11}", flush=True)
            for name, (code, text, checked) in zip(tests, pool.map(
                    lambda t: run_test(t, objects, work, build, runtime), tests)):
                bad = code or not checked
                failed += bool(bad)
                print(f"{name:<48}{checked:>11}" + (f"\n  failed: {text}" if bad else ""), flush=True)
        if os.environ.get("CORBEL_PROOF_LOGS"):
            for path in glob.glob(work + "/*.inst.c"):
                shutil.copy(path, os.environ["CORBEL_PROOF_LOGS"])
    finally:
        shutil.rmtree(work)
    print(f"{len(objects) - 1} of {len(proved)} proved sources instrumented, {len(tests)} unit tests, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
