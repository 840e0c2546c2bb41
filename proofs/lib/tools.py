"""Frama-C and its provers: finding them, and the configuration that they need."""
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
PROOFS = os.path.dirname(HERE)
DRIVERS = "/usr/share/why3/drivers"
# What must be there: command, argument that prints the version, version.
NEEDED = {
    "frama-c": ("-version", r"^(25\.\S*)"),
    "why3": ("--version", r"version (1\.5\.\S+)"),
    "cvc5": ("--version", r"cvc5 version (1\.0\.3)"),
    "cvc4": ("--version", r"CVC4 version (1\.8)"),
    "z3": ("--version", r"Z3 version (4\.8\.\d+)"),
}

# Provers that why3 does not find by itself: name, alternative, command, driver. Most goals take
# a solver 0.2 s and few more than 1 s of CPU: who needs no more is asked before who may.
CONFIGURED = (
    ("CVC5", "", "cvc5 --stats --tlimit=%t000 --lang=smt2", "{work}/cvc5.drv"),
    ("CVC5", "quick", "prlimit --cpu=1 cvc5 --stats --lang=smt2", "{work}/cvc5.drv"),
    ("Z3", "quick", "prlimit --cpu=1 z3 -smt2 sat.random_seed=42 nlsat.randomize=false "
     "smt.random_seed=42 -st", DRIVERS + "/z3_471.drv"),
)


def jobs():
    """How many runs of Frama-C go side by side: each waits, for provers to be started and looked
    after, two fifths of the time."""
    return int(os.environ.get("CORBEL_PROOF_JOBS", 2 * os.cpu_count()))


def versions():
    """The versions of everything needed; raises SystemExit naming what is missing."""
    found, missing = {}, []
    for name, (argument, pattern) in NEEDED.items():
        text = ""
        if shutil.which(name):
            text = subprocess.run([name, argument], capture_output=True, text=True).stdout
        match = re.search(pattern, text, re.M)
        if match:
            found[name] = match.group(1)
        else:
            missing.append(f"{name} ({pattern})")
    if missing:
        raise SystemExit("missing: " + ", ".join(missing) + "; ci/setup.sh installs them")
    return found


def configure(work, found):
    """Writes why3.conf and a driver for CVC5, which why3 1.5.1 does not know by itself."""
    for name in os.listdir(DRIVERS):
        if name.endswith((".gen", ".aux")):
            shutil.copy(os.path.join(DRIVERS, name), work)
    with open(os.path.join(DRIVERS, "cvc4_17.drv"), encoding="utf-8") as f:
        driver = f.read().replace("ALL_SUPPORTED", "ALL")
    with open(os.path.join(work, "cvc5.drv"), "w", encoding="utf-8") as f:
        f.write(driver)
    conf = os.path.join(work, "why3.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write("""[main]
datadir = "/usr/share/why3"
libdir = "/usr/lib/ocaml/why3"
magic = 14
memlimit = 2000
running_provers_max = 1
timelimit = 5
""")
        for name, alternative, command, driver in CONFIGURED:
            f.write(f"""
[prover]
name = "{name}"
version = "{found[name.lower()]}"
alternative = "{alternative}"
command = "{command} %f"
driver = "{driver.format(work=work)}"
editor = ""
in_place = false
interactive = false
shortcut = "{'-'.join(filter(None, (name.lower(), alternative)))}"
""")
        for name in ("CVC4", "Z3"):
            f.write(f"""
[partial_prover]
name = "{name}"
path = "{shutil.which(name.lower())}"
version = "{found[name.lower()]}"
""")
    os.environ["WHY3CONFIG"] = conf
    # Frama-C's heap is small against what it allocates for each goal: collected less often.
    os.environ["OCAMLRUNPARAM"] = "s=1M,o=200"
    # Only upstream's headers, not the rest of /usr/include: Frama-C has its own.
    os.makedirs(os.path.join(work, "xen-include"), exist_ok=True)
    os.symlink("/usr/include/xen", os.path.join(work, "xen-include", "xen"))


def parse_arguments(root, work):
    """What every run of Frama-C has in common; proofs/include goes before src."""
    include = (f"-include bits.h -I{root}/proofs/include -I{root}/src -I{root} -isystem{work}/xen-include "
               "-D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00")
    return ["frama-c", "-machdep", "gcc_x86_64", "-c11", f"-cpp-extra-args={include}",
            "-kernel-warn-key=annot-error=abort"]
