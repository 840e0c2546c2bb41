"""Seeded mistakes, each of which the proofs must catch: applies each of mutants/*.patch to a copy
of the tree and proves the functions that it touches again, up to the first goal that does not
prove. The first lines of a patch say the mistake, the module and the functions.

    mutants.py [--light | --control] [NAME...]

--light: a fixed few. --control: the same functions without the mistakes, which must all prove,
at the same limits: a goal that a mutant fails is one that can be proved. CORBEL_PROOF_TIMEOUTS
is the seconds that a goal gets from each prover (5).
"""
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import tools  # noqa: E402

LIGHT = ["range-past-limit", "string-length"]
FAILED = re.compile(r"^\[wp\] \[(?:Failed|Timeout|Unknown|Stepout)\] Goal (?:typed_)?(\S+)", re.M)


def said(patch):
    """What a patch's first lines say, as a dictionary."""
    with open(patch, encoding="utf-8") as f:
        return dict(re.findall(r"^(mistake|module|functions): (.*)$", f.read().split("\n--- ")[0], re.M))


def prove_one(module, functions):
    """Runs in a process of its own, on the tree in CORBEL_ROOT: prints the verdict."""
    os.environ["CORBEL_PROOF_ONLY"] = functions
    import prove
    import tools
    found = [m for m in prove.load([]) if m["name"] == module]
    if not found:
        return print("BROKEN no such module")
    module = found[0]
    missing = set(functions.split(",")) - set(prove.covered(module)[0])
    if missing:
        return print(f"BROKEN the module does not prove {sorted(missing)}")
    seconds = int(os.environ.get("CORBEL_PROOF_TIMEOUTS", "5").split(",")[0])
    with tempfile.TemporaryDirectory() as work:
        tools.configure(work, tools.versions())
        report = os.path.join(work, "report.json")
        os.makedirs(os.path.join(work, "cache-" + module["name"]))
        args = prove.command(module, work, report, seconds, False) + ["-wp-session", os.path.join(work, "session")]
        log = ""
        process = subprocess.Popen(args, cwd=prove.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True)
        for line in process.stdout:
            log += line
            match = FAILED.match(line)
            if match:
                os.killpg(process.pid, signal.SIGTERM)  # its provers too
                process.wait()
                return print(f"caught {match.group(1)}")
        process.wait()
        goals, proved, problems = prove.judge(module, report, log, process.returncode)
        unproved = [p for p in problems if p.startswith("not proved")]
        if unproved:
            return print(f"caught {unproved[0][12:]}")
        if problems:
            return print(f"BROKEN {problems[0]}")
        print(f"MISSED {goals} goals, {proved} proved")


def run(name, control, work):
    patch = os.path.join(os.path.dirname(HERE), "mutants", name + ".patch")
    head, root = said(patch), os.path.dirname(os.path.dirname(HERE))
    tree, start = os.path.join(work, name), time.monotonic()
    shutil.copytree(os.path.join(root, "src"), os.path.join(tree, "src"))
    shutil.copytree(os.path.join(root, "proofs"), os.path.join(tree, "proofs"))
    if not control:
        applied = subprocess.run(["patch", "-s", "-p1", "--no-backup-if-mismatch", "-d", tree, "-i", patch],
                                 capture_output=True, text=True)
        if applied.returncode:
            return head, "BROKEN the patch does not apply", 0
    env = os.environ | {"CORBEL_ROOT": tree}
    # Not this script's copy of prove.py, but the tree's: it reads the tree's modules.toml.
    run_ = subprocess.run([sys.executable, os.path.join(tree, "proofs", "lib", "mutants.py"), "--one", head["module"],
                           head["functions"]], capture_output=True, text=True, env=env)
    shutil.rmtree(tree)
    out = run_.stdout.strip().split("\n")[-1] or "BROKEN " + run_.stderr[-200:]
    return head, out, time.monotonic() - start


def main(arguments):
    if arguments[:1] == ["--one"]:
        return prove_one(*arguments[1:])
    control = "--control" in arguments
    names = [a for a in arguments if not a.startswith("--")] or (LIGHT if "--light" in arguments else sorted(
        os.path.basename(p)[:-6] for p in glob.glob(os.path.join(os.path.dirname(HERE), "mutants", "*.patch"))))
    want = "MISSED" if control else "caught"
    right = 0
    print(f"{'mutant':<24}{'module':<14}{'verdict':<9}{'seconds':>8}  mistake; what did not prove", flush=True)
    with tempfile.TemporaryDirectory() as work, \
            concurrent.futures.ThreadPoolExecutor(tools.jobs()) as pool:
        for name, (head, out, seconds) in zip(names, pool.map(lambda n: run(n, control, work), names)):
            verdict, _, goal = out.partition(" ")
            right += verdict == want
            shown = {"MISSED": "proved"}.get(verdict, verdict) if control else verdict
            print(f"{name:<24}{head['module']:<14}{shown:<9}{seconds:>8.0f}  {head['mistake']}; {goal}", flush=True)
    print(f"{len(names)} mutants, {right} {'proved without their mistakes' if control else 'caught'}")
    return right != len(names) or not names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
