#!/usr/bin/env python3
"""Runs the benchmarks and prints a table, or JSON with --json.

usage: bench.py BUILD GUESTS [--json] [--quick] [--only PART,...]
Parts: boot speed memory growth stock hypercalls fuzz bare.
Every figure that has a peer is measured beside it in the same run. Numbers are
medians of RUNS runs, wall-clock seconds unless they say otherwise.
"""
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from bare import bare  # noqa: E402

BUILD, GUESTS = sys.argv[1:3]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUICK = "--quick" in sys.argv
RUNS = 1 if QUICK else 3
SIM = os.path.join(BUILD, "hostsim", "corbel-sim")
BENCH_GUEST = os.path.join(BUILD, "tests", "bench", "bench_guest.elf")
UNICORN = os.path.join(BUILD, "tests", "bench", "bench_unicorn")
KERNEL = os.path.join(GUESTS, "cloud", "vmlinuz")
INITRD = os.path.join(GUESTS, "initrd.gz")
HYPERCALLS = os.path.join(BUILD, "tests", "bench", "bench_hypercall")
MARK = "corbel: user space reached"
rows = []


def row(name, value, unit, peer=None, goal=None, **more):
    rows.append({"name": name, "value": value, "unit": unit, "peer": peer, "goal": goal, **more})
    if "--json" not in sys.argv:
        print(f"{name:<58} {value:>12.4g} {unit:<10} {peer or '':<36} {goal or ''}", flush=True)


def seconds_to_mark(command, mark=MARK):
    """Wall time from start until the mark appears; the rest of the run is cut."""
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, text=True, errors="replace") as p:
        for line in p.stdout:
            if mark in line:
                took = time.monotonic() - start
                p.kill()
                return took
    raise SystemExit(f"{command[0]} ended before '{mark}'")


def run(command):
    """Wall seconds, output, peak memory in KiB of one whole run."""
    start = time.monotonic()
    p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         stdin=subprocess.DEVNULL, text=True, errors="replace")
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {p.returncode}\n{out[-2000:]}")
    return time.monotonic() - start, out, usage.ru_maxrss


def median(values):
    return statistics.median(values)


def boot_time():
    sim = [SIM, "--kernel", KERNEL, "--initrd", INITRD, "--memory", "256", "--vcpus", "1",
           "--extra", "console=hvc0 corbel.vcpus=1"]
    qemu = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "EPYC", "-m", "256",
            "-nographic", "-monitor", "none", "-no-reboot", "-kernel", KERNEL, "-initrd", INITRD,
            "-append", "console=ttyS0 corbel.vcpus=1"]
    pairs = [(seconds_to_mark(sim), seconds_to_mark(qemu)) for _ in range(RUNS)]
    ours, theirs = median([a for a, _ in pairs]), median([b for _, b in pairs])
    row("stock kernel, start to user space", ours, "s", f"QEMU TCG {theirs:.2f} s")
    row("  ratio to QEMU TCG", median([a / b for a, b in pairs]), "", None, "under 0.5")


def guest_speed():
    rounds = 500000 if QUICK else 1000000
    insns = 256 * 13 + 4
    pairs = []
    for _ in range(RUNS):
        base = run([SIM, "--kernel", BENCH_GUEST, "--memory", "16", "--extra", "rounds=1"])[0]
        full = run([SIM, "--kernel", BENCH_GUEST, "--memory", "16", "--extra",
                    f"rounds={rounds}"])[0]
        peer = float(subprocess.run([UNICORN, str(rounds)], capture_output=True, text=True,
                                    check=True).stdout)
        pairs.append((rounds * insns / (full - base), peer))
    row("guest instructions a second", median([a for a, _ in pairs]) / 1e6, "million",
        f"bare Unicorn {median([b for _, b in pairs]) / 1e6:.0f} million")
    row("  ratio to bare Unicorn", median([a / b for a, b in pairs]), "", None, "at least 0.9")


def hypervisor_memory():
    out = run([SIM, "--kernel", KERNEL, "--initrd", INITRD, "--memory", "128", "--vcpus", "1",
               "--extra", "console=hvc0 corbel.vcpus=1"])[1]
    pages = int(re.search(r"frames: \d+ guest, (\d+) hypervisor", out).group(1))
    row("hypervisor memory for a 128 MiB guest, 1 vCPU", pages * 4, "KiB", None, "at most 256")


def growth():
    for count in [1, 4, 16, 64]:
        with tempfile.TemporaryDirectory() as work:
            cfgs = []
            for i in range(count):
                cfgs.append(os.path.join(work, f"g{i}.cfg"))
                with open(cfgs[-1], "w", encoding="ascii") as f:
                    f.write(f'name = "g{i}"\ntype = "pvh"\nkernel = "{BENCH_GUEST}"\n'
                            'memory = 16\nvcpus = 1\nextra = "seconds=10"\n')
            took, _, peak = run([SIM, "--pcpus", "4", *cfgs])
        row(f"{count} idle guests, 10 virtual seconds", took, "s", f"{peak // 1024} MiB peak")


def stock_growth():
    for count in [1, 2, 4] if QUICK else [1, 2, 4, 8]:
        with tempfile.TemporaryDirectory() as work:
            cfgs = []
            for i in range(count):
                cfgs.append(os.path.join(work, f"s{i}.cfg"))
                with open(cfgs[-1], "w", encoding="ascii") as f:
                    f.write(f'name = "s{i}"\ntype = "pvh"\nkernel = "{KERNEL}"\n'
                            f'ramdisk = "{INITRD}"\nmemory = 128\nvcpus = 1\n'
                            'extra = "console=hvc0 quiet corbel.vcpus=1"\n')
            took, _, peak = run([SIM, "--pcpus", "4", *cfgs])
        row(f"{count} stock guests, boot to power-off", took, "s", f"{peak // 1024} MiB peak")


def inside(points, rounds):
    """What bench_hypercall says for each list of options, {point: {operation: ns}}: medians of
    rounds, in which the points take turns. What comes in units of the reference is turned
    into time by what the reference took at its fastest, as most runs saw it."""
    found = {p: {} for p in points}
    reference = []
    for _ in range(rounds):
        for p, options in points.items():
            for line in run([HYPERCALLS, *options])[1].splitlines():
                name, unit, value = line.split()
                if name == "reference":
                    reference.append(float(value))
                else:
                    found[p].setdefault((name, unit), []).append(float(value))
    return {p: {name: median(v) * (median(reference) if unit == "ref" else 1)
                for (name, unit), v in values.items()} for p, values in found.items()}


def flatness(best, axis, goal):
    """One row per operation: the dearest point over the cheapest."""
    for name in next(iter(best.values())):
        ns = {p: values[name] for p, values in best.items()}
        row(f"{name} by {axis}", max(ns.values()) / min(ns.values()), "max/min",
            "  ".join(f"{p}: {v:.0f}" for p, v in ns.items()) + " ns", goal(name), points=ns)


def hypercalls():
    rounds = 3 if QUICK else 7
    # Once per domain or machine; or meant to miss the caches.
    once = {"hv_init", "evtchn_bind_pair", "evtchn_send_any"}
    axes = {
        "other domains": {str(n): ["--domains", str(n)] for n in (1, 10, 100, 500)},
        "ports": {str(n): ["--ports", str(n)] for n in (4, 1024, 100000)},
        "MiB of machine": {str(n): ["--mib", str(n)] for n in (64, 256, 1024, 4096, 16384)},
    }
    for axis, points in axes.items():
        flatness(inside(points, rounds), axis, lambda n: None if n in once else "at most 1.5")
    sizes = {str(n): ["--audit", str(n)] for n in (64, 256, 1024)}
    best = {p: {"audit_per_mib": v["audit_per_mib"]} for p, v in inside(sizes, rounds).items()}
    flatness(best, "MiB of guest", lambda n: "at most 1.5")


# The fuzzers' executor, three times: without anything that looks for mistakes (the notes of
# what is written are there: they make the reset), with AFL++'s coverage, and with the
# compiler's checks besides, which is what campaigns run.
FUZZ_BUILDS = {
    "plain": ["-DCMAKE_C_COMPILER=clang-14", "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g"],
    "coverage": ["-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g"],
    "campaign": [],
}


def fuzz_build(root, name):
    build = root if name == "campaign" else f"{root}-{name}"
    profile = os.path.join(root, "profile")
    os.makedirs(root, exist_ok=True)
    for command in ([os.path.join(ROOT, "fuzz", "profile.sh"), profile],
                    ["cmake", "-S", ROOT, "--preset", "afl", "-B", build,
                     f"-DCORBEL_FUZZ_PROFILE={profile}", *FUZZ_BUILDS[name]],
                    ["ninja", "-C", build, "fuzz_tool"]):
        run(command)
    return os.path.join(build, "fuzz", "fuzz_tool")


def fuzz():
    """The executor with model and final audit, on programs made from a fixed seed; what it
    spent is CPU time. Then a campaign on one core, with all that AFL++ does."""
    root = os.environ.get("CORBEL_AFL_BUILD", os.path.join(ROOT, "build", "afl"))
    tools = {name: fuzz_build(root, name) for name in FUZZ_BUILDS}
    best = {name: {} for name in tools}
    with tempfile.TemporaryDirectory() as work:
        # Those of the main target: campaign.sh.
        os.environ["CORBEL_FUZZ_GROUPS"] = "0x13f"
        run([tools["plain"], "random", "1", "200", work])
        programs = sorted(os.path.join(work, p) for p in os.listdir(work))
        outs = [(name, run([tool, "bench", *programs])[1])
                for _ in range(RUNS) for name, tool in tools.items()]
        campaign = run([os.path.join(ROOT, "fuzz", "campaign.sh"), "--jobs", "1", "--time",
                        "20s", "--build", root, "--out", os.path.join(work, "campaign")])[1]
    # The fastest: whatever else runs on the machine only makes it slower.
    for name, out in outs:
        for line in out.splitlines():
            if line.startswith("slowest"):
                continue
            what, value = line.rsplit(None, 1)
            pick = min if what.startswith("reset") else max
            best[name][what] = pick(best[name].get(what, float(value)), float(value))
    for name, b in best.items():
        row(f"fuzzing, {name} build: programs a second, one core", b["programs/s"], "",
            f"{b['operations/program']:.1f} operations each",
            "at least 20000" if name == "plain" else None)
        row(f"fuzzing, {name} build: hypercalls a second, one core", b["hypercalls/s"], "", None,
            "at least 250000" if name == "plain" else None)
    row("fuzzing: reset of the machine", best["campaign"]["reset us"], "us",
        f"{best['campaign']['reset bytes']:.0f} bytes", "at most 10")
    spent, executions = re.search(r"(\d+) core s, (\d+) executions", campaign).groups()
    row("fuzzing: AFL++'s executions a second of one core", int(executions) / int(spent), "",
        f"{executions} in {spent} s")


PARTS = {"boot": boot_time, "speed": guest_speed, "memory": hypervisor_memory, "growth": growth,
         "stock": stock_growth, "hypercalls": hypercalls, "fuzz": fuzz,
         "bare": lambda: bare(row, QUICK)}
chosen = list(PARTS)
if "--only" in sys.argv:
    chosen = sys.argv[sys.argv.index("--only") + 1].split(",")
for part in chosen:
    if part not in PARTS:
        raise SystemExit(f"bench.py: {part}: no such part; there are: {' '.join(PARTS)}")
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for part in chosen:
    PARTS[part]()
if "--json" in sys.argv:
    print(json.dumps(rows, indent=1))
