"""Sweeps: Eva goes through whole handlers from arbitrary arguments, guest memory and state,
and lists every operation that it cannot show to be defined. What it lists is compared with
eva/baseline.toml, where each alarm has the WP goal or the reason that discharges it.

Fails on an alarm that is not in the baseline, on an entry that is no alarm any more, on an
entry without a reason, on a sweep that reaches fewer statements than it did, and when a
function is called that nothing is said about.
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
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import source  # noqa: E402
import tools  # noqa: E402

PROOFS = tools.PROOFS
ROOT = os.environ.get("CORBEL_ROOT", os.path.dirname(PROOFS))
EVA = os.path.join(PROOFS, "eva")
BASELINE = os.path.join(EVA, "baseline.toml")
ALARM = re.compile(r"^\[eva:alarm\] ([^\s:]+):(\d+): Warning:\s*((?:[^\n]*\n(?=  ))*[^\n]*)", re.M)
REACHED = re.compile(r"(\d+) statements reached \(out of (\d+)\)")
UNKNOWN = re.compile(r"Neither code nor (?:specification|explicit[\w ]*) for function (\w+)")
PROTOTYPE = re.compile(
    r"^(?!typedef|struct \w+ \{|static|extern)([A-Za-z_][\w \*]*?[ \*])(\w+)\(([^;{]*?)\)[^;{(]*"
    r"(?:\(\([^;]*\)\))?;", re.M)
# Objects that the sweeps know by pointer: what is called does not change them.
KEPT = re.compile(r"struct (vcpu|domain|hv|lock|timer|gnttab|vlapic|runqueue|p2m)\b|\bvoid\b")
# Copies whose success and failure are followed apart, as are those of a sweep's "split".
SPLIT = ["copy_in", "guest_copy_in", "guest_phys_read"]


def text_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def shadow(work, wrong=None):
    """A copy of src without contracts, which are WP's, and with the atomics of eva/include.
    wrong: "path|text|text" changes one file, for a test."""
    change, old, new = wrong.split("|") if wrong else ("", "", "")
    for path in glob.glob(ROOT + "/src/**/*.[ch]", recursive=True):
        text = text_of(path)
        if os.path.relpath(path, ROOT) == change:
            if text.count(old) != 1:
                raise SystemExit(f"{path} does not say so once: {old}")
            text = text.replace(old, new)
        out = os.path.join(work, os.path.relpath(path, ROOT))
        os.makedirs(os.path.dirname(out), exist_ok=True)
        with open(out, "w", encoding="utf-8") as f:
            f.write(source.ACSL.sub(lambda m: "\n" * m.group(0).count("\n"), text))
    shutil.copytree(os.path.join(EVA, "include"), os.path.join(work, "src"), dirs_exist_ok=True)


def defined(text):
    """Functions that a C file defines or declares, by their lines that are not indented."""
    flat = re.sub(r"\n[ \t]+", " ", source.COMMENT.sub("", text))
    return set(re.findall(r"^[A-Za-z_][\w \*]*?\b(\w+)\([^;{}]*\)\s*[{;]?$", flat, re.M))


def written_by(arguments):
    """The places that a function's results go to."""
    for a in arguments.split(","):
        if "const" in a or KEPT.search(a):
            continue
        if "[" in a:
            yield re.sub(r"^.*?(\w+)\[(.+)\]$", r"\1[0 .. \2 - 1]", a.strip())
        elif a.count("*") == 1:
            yield "*" + a.split("*")[-1].strip()


def headers(paths, base):
    """The headers of src that these files include, those that others include first."""
    order, seen = [], set()

    def visit(path):
        for name in re.findall(r'^#include "((?:core|port|x86)/[^"]*)"', text_of(path), re.M):
            header = f"{base}/src/{name}"
            if header not in seen and os.path.exists(header):
                seen.add(header)
                visit(header)
                order.append(header)

    for path in paths:
        visit(path)
    return order


def defaults(work, sources):
    """A file of contracts for the functions that a sweep does not go into: they write where
    a pointer to a result leads, and change nothing else."""
    known = set().union(*(defined(text_of(os.path.join(ROOT, p)))
                          for p in ["proofs/eva/world.c"] + sources))
    lines = ['#include "world.h"\n']
    base = os.path.dirname(work)
    for path in headers([f"{base}/{p}" for p in sources] + glob.glob(EVA + "/*.[ch]"), base):
        text = re.sub(r"^#.*$", "", source.COMMENT.sub("", text_of(path)), flags=re.M)
        lines.append(f'#include "{os.path.relpath(path, base + "/src")}"\n')
        for returned, name, arguments in PROTOTYPE.findall(text):
            if name in known or "*" in returned or "(" in arguments:
                continue
            places = list(written_by(arguments))
            assigns = places + (["\\result \\from \\nothing"] if returned.split()[-1] != "void" else [])
            lines.append("/*@ " + " ".join([f"assigns {a};" for a in assigns or ["\\nothing"]]
                                           + [f"ensures \\initialized(&{p});" for p in places]) + " */\n"
                         + f"{re.sub(r'__attribute__.*', '', returned)} {name}({' '.join(arguments.split())});\n")
    with open(os.path.join(work, "defaults.c"), "w", encoding="utf-8") as f:
        f.write("".join(lines))


def analyse(sweep, base):
    """Frama-C's log of one sweep, its exit code and its CPU seconds."""
    work = os.path.join(base, sweep["name"])
    os.makedirs(work)
    defaults(work, sweep["sources"])
    include = (f"-I{EVA} -I{base}/src -isystem{base}/xen-include "
               "-D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00")
    split = ",".join(f + ":0" for f in SPLIT + sweep.get("split", []))
    command = ["frama-c", "-machdep", "gcc_x86_64", "-c11", f"-cpp-extra-args={include}",
               "-kernel-warn-key=annot-error=abort", "-no-warn-invalid-bool", "-eva", "-main", "sweep_" + sweep["name"], "-eva-precision", "1",
               "-eva-split-return-function", split, "-eva-msg-key=-initial-state,-final-states",
               *sweep.get("options", []), *(os.path.join(base, p) for p in sweep["sources"]),
               os.path.join(EVA, "world.c"), os.path.join(EVA, "sweeps.c"), os.path.join(work, "defaults.c")]
    log = os.path.join(work, "log")
    with open(log, "w", encoding="utf-8") as f:
        # Frama-C shortens paths by PWD.
        process = subprocess.Popen(command, cwd=base, env=os.environ | {"PWD": base}, stdout=f,
                                   stderr=subprocess.STDOUT)
        _, state, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(state)
    return text_of(log), process.returncode, usage.ru_utime + usage.ru_stime


def function_at(path, line):
    """The name of the function that has this line of a source."""
    name = "?"
    for n, text in enumerate((text_of(path) if os.path.exists(path) else "").splitlines(), 1):
        match = re.match(r"(?!struct \w+ \{|typedef|enum|union)[A-Za-z_][\w \*]*?\b(\w+)\(", text)
        name = match.group(1) if match else name
        if n == line:
            break
    return name


def alarms(log, base):
    """What Eva could not show, as "file, function: alarm"; without lines, which move."""
    found = []
    for path, line, text in ALARM.findall(log):
        real = os.path.join(base, path)
        for prefix in (base + "/", os.path.dirname(PROOFS) + "/"):
            path = path.removeprefix(prefix)
        text = re.sub(r"\s+", " ", text.split("\n[")[0]).strip()
        where = f"{path}, {function_at(real, int(line))}: {text}"
        if where not in found:
            found.append(where)
    return found


def judge(sweep, result, baseline, base):
    """(alarms, statements reached, all statements, problems)"""
    log, code, _ = result
    problems = []
    found = alarms(log, base)
    known = [a for a in baseline.get("alarm", []) if sweep["name"] in a["sweeps"]]
    if code:
        problems.append(f"frama-c ended with {code}: " + " ".join(re.findall(r"User Error:[^\n]*\n?[^\n]*", log)[:1]))
    match = REACHED.search(log)
    reached, total = map(int, match.groups()) if match else (0, 0)
    for name in sorted(set(UNKNOWN.findall(log))):
        problems.append(f"nothing is said of {name}(), which is called: world.c")
    for a in found:
        if a not in [k["is"] for k in known]:
            problems.append(f"new: {a}")
    for k in known:
        if k["is"] not in found:
            problems.append(f"gone: {k['is']}")
        if not k.get("why", "").strip():
            problems.append(f"without a reason: {k['is']}")
    least = baseline.get("reached", {}).get(sweep["name"], 0)
    if total and 100 * reached // total < least:
        problems.append(f"{100 * reached // total}% of the statements are reached, {least}% were")
    return found, reached, total, problems


def write(sweeps, rows, old):
    """The baseline anew: reasons are kept, new alarms get an empty one, which fails."""
    why = {a["is"]: a.get("why", "") for a in old.get("alarm", [])}
    by_alarm = {a["is"]: [s for s in a["sweeps"] if s not in rows] for a in old.get("alarm", [])}
    for name, (found, _, _, _) in rows.items():
        for a in found:
            by_alarm.setdefault(a, []).append(name)
    order = [s["name"] for s in sweeps]
    lines = ["# What Eva cannot show by itself, and why it holds. Written by proofs/eva.sh --record, but for",
             "# the reasons. [reached]: the least percentage of statements that a sweep goes through.", "", "[reached]"]
    reached = old.get("reached", {}) | {n: 100 * r // max(t, 1) for n, (_, r, t, _) in rows.items()}
    lines += [f"{n} = {reached[n]}" for n in order if n in reached]
    for a, names in by_alarm.items():
        names = sorted(set(names), key=order.index)
        if names:
            listed = ", ".join(f'"{n}"' for n in names)
            lines += ["", "[[alarm]]", f"is = {json.dumps(a, ensure_ascii=False)}", f"sweeps = [{listed}]", f"why = {json.dumps(why.get(a, ''))}"]
    with open(BASELINE, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


def main(arguments):
    wrong = None
    if "--wrong" in arguments:
        at = arguments.index("--wrong")
        wrong, arguments = arguments[at + 1], arguments[:at] + arguments[at + 2:]
    options = {a for a in arguments if a.startswith("--")}
    names = [a for a in arguments if not a.startswith("--")]
    if options - {"--record", "--all", "--list"}:
        raise SystemExit("usage: eva.sh [--all] [--record] [--list] [--wrong PATH|TEXT|TEXT] [sweep...]")
    every = tomllib.loads(text_of(os.path.join(EVA, "sweeps.toml")))["sweep"]
    sweeps = [s for s in every if s["name"] in names or not names and
              ("--all" in options or not s.get("slow", False))]
    if set(names) - {s["name"] for s in sweeps}:
        raise SystemExit(f"no such sweep: {set(names) - {s['name'] for s in sweeps}}")
    if "--list" in options:
        print("\n".join(s["name"] for s in sweeps))
        return 0
    found = tools.versions()
    baseline = tomllib.loads(text_of(BASELINE)) if os.path.exists(BASELINE) else {}
    rows, failed, cpu = {}, 0, 0.0
    print(f"{'sweep':<18}{'files':>6}{'reached':>8}{'of':>6}{'alarms':>8}{'baseline':>9}{'cpu s':>7}", flush=True)
    with tempfile.TemporaryDirectory() as base:
        tools.configure(base, found)
        shadow(base, wrong)
        sweeps.sort(key=lambda s: -len(s["sources"]))  # the longest first
        with concurrent.futures.ThreadPoolExecutor(tools.jobs()) as pool:
            runs = {pool.submit(analyse, s, base): s for s in sweeps}
            for future in concurrent.futures.as_completed(runs):
                s, result = runs[future], future.result()
                row = rows[s["name"]] = judge(s, result, baseline, base)
                known = sum(s["name"] in a["sweeps"] for a in baseline.get("alarm", []))
                cpu += result[2]
                failed += bool(row[3])
                print(f"{s['name']:<18}{len(s['sources']):>6}{row[1]:>8}{row[2]:>6}{len(row[0]):>8}{known:>9}"
                      f"{result[2]:>7.0f}", *(row[3] if "--record" not in options else []), sep="\n  ", flush=True)
                if os.environ.get("CORBEL_PROOF_LOGS"):
                    shutil.copy(os.path.join(base, s["name"], "log"),
                                os.path.join(os.environ["CORBEL_PROOF_LOGS"], s["name"] + ".log"))
    if "--record" in options:
        write(every, rows, baseline)
        return 0
    if not names:
        gone = {n for a in baseline.get("alarm", []) for n in a["sweeps"]} - {s["name"] for s in every}
        if gone:
            print(f"in the baseline, but no sweep: {sorted(gone)}")
            failed += 1
    print(f"eva: {len(rows)} sweeps, {sum(len(r[0]) for r in rows.values())} alarms, each with its reason"
          if not failed else f"eva: {failed} of {len(rows)} sweeps differ from the baseline", f"({cpu:.0f} s CPU)")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
