"""The gate: runs WP on every module of modules.toml and judges what it reports.

Fails on a goal that is not proved, on fewer goals than expected.json records, on a
function with only run-time-error goals (no contract), on a missing prover, on a report
that is empty, on an unexpected warning of Frama-C, on an axiom that the independent
check does not confirm, on a lemma or an admitted clause.
"""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import axioms  # noqa: E402
import source  # noqa: E402
import status  # noqa: E402
import tools  # noqa: E402

PROOFS = tools.PROOFS
ROOT = os.environ.get("CORBEL_ROOT", os.path.dirname(PROOFS))
WP = ["-warn-unsigned-overflow", "-wp", "-wp-rte", "-wp-model", "Typed", "-wp-par", "1"]
# Of WP's own simplifications one takes a third of its time, and the solvers do as well without:
# it is left to functions that are tried again, and to modules that ask for it.
FIRST = ["-wp-no-ground"]
PROVERS = "cvc5-quick,z3-quick,cvc5,cvc4,z3"
# Seconds of wall clock for one goal and prover: the functions with goals that are not proved
# within the first are tried again with the next. A loaded machine needs the last.
TIMEOUTS = [int(t) for t in os.environ.get("CORBEL_PROOF_TIMEOUTS", "5,30,120").split(",")]
# Warnings that say nothing about a proof; any other one fails the module.
HARMLESS = re.compile(r"wp:pedantic-assigns|kernel:(attrs|typing:no-proto|parser:decimal)"
                      r"|Memory model hypotheses")  # an assumption of modules.toml
# An inlined call leaves the callee's contract behind on its block, where WP neither uses nor
# proves it: the callee's body counts. Of a contract that somebody wrote for a statement the
# same warning says that nothing was proved of it.
INLINED = re.compile(r"\] ([^\s:]+):(\d+): Warning:\s+Statement specifications not yet supported \(skipped\)")


def load(names):
    with open(os.path.join(PROOFS, "modules.toml"), "rb") as f:
        modules = tomllib.load(f)["module"]
    unknown = set(names) - {m["name"] for m in modules}
    if unknown:
        raise SystemExit(f"no such module: {', '.join(sorted(unknown))}")
    return [m for m in modules if not names or m["name"] in names]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def texts(module):
    """The sources that a module proves; what its unit defines itself (proof_*) is proved with them."""
    return list(module["files"]) + ([module["unit"]] if "unit" in module else [])


def covered(module):
    """({function: lines} to be proved, {function: reason} not covered) of a module."""
    every = {}
    for path in texts(module):
        every.update(source.functions(read(path)))
    skipped = module.get("not_covered", {})
    stale = set(skipped) - set(every)
    if stale:
        raise SystemExit(f"{module['name']}: not_covered names no function: {sorted(stale)}")
    only = os.environ.get("CORBEL_PROOF_ONLY")  # mutants.sh: the functions that matter
    return {f: n for f, n in every.items()
            if f not in skipped and (not only or f in only.split(","))}, skipped


def command(module, work, report, timeout, smoke, functions=None):
    functions = functions or covered(module)[0]
    out = tools.parse_arguments(ROOT, work)
    if module.get("inline"):
        out += ["-inline-calls", ",".join(module["inline"])]
    out += ["-add-symbolic-path", f"{ROOT}:."] + WP
    out += ["-wp-fct", ",".join(sorted(functions)), "-wp-report-json", report,
            "-wp-timeout", str(timeout), "-wp-cache", "none", "-wp-prover", module.get("provers", PROVERS)]
    if smoke:
        out += ["-wp-smoke-tests", "-wp-smoke-timeout", "2"]
    return out + module.get("options", []) + [os.path.join(ROOT, module.get("unit") or module["files"][0])]


def judge(module, report, log, code):
    """(goals, proved, problems) of one finished run."""
    problems = []
    try:
        with open(report, encoding="utf-8") as f:
            data = json.load(f) or {}
    except (OSError, ValueError):
        data = {}
    total = data.get("wp:global", {}).get("wp:main", {})
    goals, proved = total.get("total", 0), total.get("valid", 0)
    if code:
        problems.append(f"frama-c ended with {code}")
    if not goals:
        problems.append("the report has no goals")
    called = set().union(*(source.calls(read(p), covered(module)[0]) for p in texts(module)))
    for text in re.findall(r"^\[[a-z][^\]]*\] (?:.*Warning:|User Error|Failure).*(?:\n  .*)?", log, re.M):
        nobody = re.search(r"(?:Neither code nor specification|No code nor implicit assigns clause) "
                           r"for function (\w+)", text)
        if inlined_call(module, text):
            continue
        if not HARMLESS.search(text) and not (nobody and nobody.group(1) not in called):
            problems.append(re.sub(r"\s+", " ", text))
    by_function = data.get("wp:functions", {})
    for name in covered(module)[0]:
        of = by_function.get(name, {})
        own = [p for p in of if p != "wp:section" and "_assert_rte" not in p and "_terminates" not in p]
        if not own:
            problems.append(f"{name}: no contract is proved")
    for section in ("wp:functions", "wp:axiomatics"):
        for name, properties in data.get(section, {}).items():
            for goal, result in properties.items():
                main = result.get("wp:main", {})
                if goal != "wp:section" and main.get("valid", 0) != main.get("total", 0):
                    problems.append(f"not proved: {name or 'lemma'}: {goal}")
    if proved != goals and not any(p.startswith("not proved") for p in problems):
        problems.append(f"{goals - proved} goals are not proved")
    return goals, proved, problems


def inlined_call(module, warning):
    """Is it about the contract that inlining a call left behind? Frama-C puts that where the
    inlined body begins; a body with ACSL of its own would make the warning ambiguous."""
    match = INLINED.search(warning)
    if not match or not module.get("inline"):
        return False
    text, line = read(match.group(1)), int(match.group(2))
    for name in module["inline"]:
        for body in re.finditer(rf"^[A-Za-z_][^\n;]*\b{name}\([^;{{]*\)\n\{{\n(.*?)^\}}", text, re.M | re.S):
            first = text.count("\n", 0, body.start(1)) + 1
            if first <= line <= first + body.group(1).count("\n") and "@" not in body.group(1):
                return True
    return False


def run(module, work, smoke):
    start, cpu = time.monotonic(), 0.0
    report = os.path.join(work, module["name"] + ".json")
    session = os.path.join(work, "session-" + module["name"])
    log_path = os.path.join(work, module["name"] + ".log")
    functions, again, logs, code = None, set(), "", 0
    for timeout in TIMEOUTS:
        part = os.path.join(work, f"{module['name']}-{timeout}.json")
        args = command(module, work, part, timeout, smoke, functions) + ["-wp-session", session]
        args[1:1] = FIRST if functions is None else []
        with open(log_path, "w+", encoding="utf-8") as f:
            process = subprocess.Popen(args, stdout=f, stderr=subprocess.STDOUT, cwd=ROOT)
            _, state, usage = os.wait4(process.pid, 0)
            f.seek(0)
            logs += f.read()
        process.returncode = os.waitstatus_to_exitcode(state)
        code = code or process.returncode
        cpu += usage.ru_utime + usage.ru_stime
        functions = merge(report, part)
        goals, proved, problems = judge(module, report, logs, code)
        if smoke or not functions:
            break
        again.update(functions if timeout != TIMEOUTS[-1] else [])
    if smoke:
        problems = re.findall(r"^.*(?:Doomed|Failed).*smoke.*", logs, re.M | re.I)
    return {"functions": len(covered(module)[0]), "goals": goals, "proved": proved,
            "seconds": round(time.monotonic() - start), "cpu": round(cpu), "again": sorted(again),
            "problems": problems}


def merge(report, part):
    """What one run reports of its functions takes the place of what was reported of them: the
    functions that have goals left."""
    whole, new = {}, {}
    for path, into in ((report, whole), (part, new)):
        try:
            with open(path, encoding="utf-8") as f:
                into.update(json.load(f) or {})
        except (OSError, ValueError):
            pass
    for section in ("wp:functions", "wp:axiomatics"):
        whole.setdefault(section, {}).update(new.get(section, {}))
    parts = [of["wp:section"]["wp:main"] for s in ("wp:functions", "wp:axiomatics")
             for of in whole[s].values() if "wp:main" in of.get("wp:section", {})]
    whole["wp:global"] = {"wp:main": {key: sum(p.get(key, 0) for p in parts) for key in ("total", "valid")}}
    with open(report, "w", encoding="utf-8") as f:
        json.dump(whole, f)
    return [name for name, of in whole["wp:functions"].items()
            if of.get("wp:section", {}).get("wp:main", {}).get("valid", 0)
            != of.get("wp:section", {}).get("wp:main", {}).get("total", 0)]


def judge_against(recorded, name, r):
    if name not in recorded:
        r["problems"].append("expected.json does not record this module")
        return
    for key in ("functions", "goals"):
        if r[key] < recorded[name][key]:
            r["problems"].append(f"{r[key]} {key}, {recorded[name][key]} are recorded")


def run_all(modules, work, options, recorded):
    """Runs the modules, and the check of the axioms between them, and prints the table:
    {name: result}, and how many axioms' files failed."""
    results = {}
    # The longest first, by what the last recorded run took: the end is not one long module alone.
    modules = sorted(modules, key=lambda m: -recorded.get(m["name"], {}).get("cpu", 1000))
    print(f"{'module':<18}{'functions':>10}{'goals':>7}{'proved':>8}{'seconds':>9}{'cpu':>6}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(tools.jobs()) as pool:
        runs = {pool.submit(run, m, work, "--smoke" in options): m["name"] for m in modules}
        checked = None if "CORBEL_PROOF_ONLY" in os.environ else pool.submit(check_axioms)
        for future in concurrent.futures.as_completed(runs):
            name, r = runs[future], future.result()
            again = [f"tried again: {', '.join(names)}" for names in [r.pop("again")] if names]
            results[name] = r
            if not options and "CORBEL_PROOF_ONLY" not in os.environ:
                judge_against(recorded, name, r)
            print(f"{name:<18}{r['functions']:>10}{r['goals']:>7}{r['proved']:>8}{r['seconds']:>9}"
                  f"{r['cpu']:>6}", *again, *r["problems"], sep="\n  ", flush=True)
    return results, checked.result() if checked else 0


def keep_logs(work):
    keep = os.environ.get("CORBEL_PROOF_LOGS")
    if not keep:
        return
    os.makedirs(keep, exist_ok=True)
    for path in glob.glob(work + "/*.log") + glob.glob(work + "/*.json"):
        shutil.copy(path, keep)


def expected(path):
    """What expected.json records of each module."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def main(arguments):
    options = {a for a in arguments if a.startswith("--")}
    names = [a for a in arguments if not a.startswith("--")]
    if options - {"--record", "--smoke", "--list"}:
        raise SystemExit("usage: prove.sh [--record | --smoke | --list] [module...]")
    if "--record" in options and "CORBEL_PROOF_ONLY" in os.environ:
        raise SystemExit("a part of a module is not recorded")
    modules = load(names)
    if "--list" in options:
        print("\n".join(m["name"] for m in modules))
        return 0
    found = tools.versions()
    path = os.path.join(PROOFS, "expected.json")
    recorded = expected(path)
    with tempfile.TemporaryDirectory() as work:
        tools.configure(work, found)
        results, failed = run_all(modules, work, options, recorded)
        keep_logs(work)
    failed += sum(bool(r["problems"]) for r in results.values())
    gone = set(recorded) - {m["name"] for m in load([])}
    if gone:
        print(f"recorded, but gone: {sorted(gone)}")
        failed += 1
    goals, proved = (sum(r[k] for r in results.values()) for k in ("goals", "proved"))
    print(f"proof: {goals} goals, {proved} proved, {len(results)} modules, {failed} failed")
    if "--record" in options and not gone:
        recorded = expected(path)  # which another run may have written meanwhile
        recorded.update({n: {k: v for k, v in r.items() if k != "problems"}
                         for n, r in results.items() if not r["problems"]})
        with open(path, "w", encoding="utf-8") as f:
            json.dump({m["name"]: recorded[m["name"]] for m in load([]) if m["name"] in recorded},
                      f, indent=1)
            f.write("\n")
        status.write(ROOT, PROOFS, [m for m in load([]) if m["name"] in recorded], recorded, found,
                     covered, axiom_names())
    return failed != 0


def annotated():
    """(path, its ACSL without comments) of every file that the proofs read."""
    paths = [os.path.join(ROOT, d) for d in ("proofs/include", "proofs/units", "src")]
    for path in sorted(p for d in paths for p in glob.glob(d + "/**/*.[ch]", recursive=True)):
        with open(path, encoding="utf-8") as f:
            yield path, [re.sub(r"//(?!@)[^\n]*", "", a) for a in source.ACSL.findall(f.read())]


def axiom_files():
    """Every file that the proofs read and that states an axiom."""
    return (path for path, acsl in annotated() if any(re.search(r"\baxiom\b", a) for a in acsl))


def taken_as_true():
    """What WP believes without a goal: lemmas, of which -wp-fct proves none, and admitted clauses."""
    found = [(path, claim) for path, acsl in annotated() for a in acsl
             for claim in re.findall(r"\b(?:lemma|admit)\b[^:;]*", a)]
    for path, claim in found:
        print(f"{os.path.relpath(path, ROOT)}: nobody proves: {' '.join(claim.split())}")
    return found


def axiom_names():
    names, common = [], (set(), [])
    for path in axiom_files():
        with open(path, encoding="utf-8") as f:
            found = axioms.read(f.read(), *common)[1]
        names += [(os.path.relpath(path, ROOT), a[0]) for a in found]
    return names


def check_axioms():
    paths = list(axiom_files())
    rows = list(axioms.check(paths))
    bad = [r for r in rows if r[2] != ["unsat", "unsat"]]
    for path, name, answers in bad:
        print(f"axiom {name} of {os.path.relpath(path, ROOT)}: {answers}")
    for path in paths:  # a file whose axioms the checker did not see is as bad
        with open(path, encoding="utf-8") as f:
            stated = sum(len(re.findall(r"\baxiom\b\s+\w+(?<!_def)\s*:", a)) for a in source.ACSL.findall(f.read()))
        seen = sum(r[0] == path for r in rows)
        if stated != seen:
            bad.append(path)
            print(f"{os.path.relpath(path, ROOT)}: {stated} axioms, {seen} of them checked")
    print(f"axioms: {len(rows)} stated, {len(rows) - len(bad)} confirmed by CVC5 and Z3 over bit vectors")
    return 1 if bad or taken_as_true() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
