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

# Provers as why3 is to call them: name, alternative, command, driver. Most goals take a solver
# 0.2 s and few more than 1 s of CPU: who needs no more is asked before who may. Lean are those
# that are asked first: they get only what most goals need of WP's theories.
Z3_SEEDS = "sat.random_seed=42 nlsat.randomize=false smt.random_seed=42 -st"
CONFIGURED = (
    ("CVC5", "", "cvc5 --stats --tlimit=%t000 --lang=smt2", "cvc5"),
    ("CVC5", "quick", "prlimit --cpu=1 cvc5 --stats --lang=smt2", "cvc5-lean"),
    ("CVC4", "", "cvc4 --stats --tlimit=%t000 --lang=smt2", "cvc4"),
    ("CVC4", "lean", "cvc4 --stats --tlimit=%t000 --lang=smt2", "cvc4-lean"),
    ("Z3", "", f"z3 -smt2 -T:%t {Z3_SEEDS}", "z3"),
    ("Z3", "quick", f"prlimit --cpu=1 z3 -smt2 {Z3_SEEDS}", "z3-lean"),
)

# What why3 does for every goal, with time and to no end where there are neither bit vectors nor
# floating-point numbers nor strings, no inductive predicates, no literals of ranges, no choice and
# no counterexamples are wanted. A goal that had such after all would not be proved.
NEEDLESS = re.compile(r'^(import "(smt-libv2-bv|smt-libv2-floats|cvc4_bv|z3_bv|smtlib-strings)\.gen"'
                      r'|transformation "(eliminate_inductive|eliminate_literal|eliminate_epsilon'
                      r'|prepare_for_counterexmp)"'
                      r'|theory ieee_float\..*?^end)$', re.M | re.S)

# Of WP's theories: axioms that few goals need, which lean provers do without.
THEORIES = "/usr/share/frama-c/wp/why3/frama_c_wp"
RARE = (
    ("cint", "Cint", r"(is_to|id)_sint(8|16)|proj_\w+"),
    ("cbits", "Cbits", r"\w*(extraction|sint\d|lxor|lnot|idemp|bit_test|lsl1|lsl_lsr|ls[lr]_add)\w*"
                       r"|l(and|or|sl|sr)_1\w*"),
    ("memory", "Memory", r"addr_l[et]_bool_def|valid_string|eqmem_\w+|table_to_\w+"
                         r"|\w+_bijection|addr_of_null"),
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


def driver(name):
    """One of why3's drivers, without what no goal here needs."""
    with open(os.path.join(DRIVERS, name), encoding="utf-8") as f:
        return NEEDLESS.sub("", f.read())


def without_rare():
    """The part of a driver that takes the rare axioms out of what a prover gets: less is believed."""
    out = ""
    for path, theory, rare in RARE:
        with open(os.path.join(THEORIES, path + ".mlw"), encoding="utf-8") as f:
            text = f.read()
        while (plain := re.sub(r"\(\*(?:(?!\(\*|\*\)).)*\*\)", "", text, flags=re.S)) != text:
            text = plain
        names = dict.fromkeys(n for n in re.findall(r"\b(?:axiom|lemma)\s+(\w+)\s*:", text)
                              if re.fullmatch(rare, n))
        out += f"\ntheory frama_c_wp.{path}.{theory}\n"
        out += "".join(f"  remove prop {n}\n" for n in names) + "end\n"
    return out


def configure(work, found):
    """Writes why3.conf and the drivers; why3 1.5.1 does not know CVC5 by itself."""
    for name in os.listdir(DRIVERS):
        if name.endswith((".gen", ".aux")):
            shutil.copy(os.path.join(DRIVERS, name), work)
    cvc4 = driver("cvc4_17.drv").replace('import "cvc4_16.gen"', driver("cvc4_16.gen"))
    for name, text in (("cvc4", cvc4), ("cvc5", cvc4.replace("ALL_SUPPORTED", "ALL")),
                       ("z3", driver("z3_440.drv"))):
        for suffix, more in (("", ""), ("-lean", without_rare())):
            with open(os.path.join(work, f"{name}{suffix}.drv"), "w", encoding="utf-8") as f:
                f.write(text + more)
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
        for name, alternative, command, drv in CONFIGURED:
            f.write(f"""
[prover]
name = "{name}"
version = "{found[name.lower()]}"
alternative = "{alternative}"
command = "{command} %f"
driver = "{work}/{drv}.drv"
editor = ""
in_place = false
interactive = false
shortcut = "{'-'.join(filter(None, (name.lower(), alternative)))}"
""")
    os.environ["WHY3CONFIG"] = conf
    # Frama-C's heap is small against what it allocates for each goal: collected less often.
    os.environ["OCAMLRUNPARAM"] = "s=1M,o=400"
    # Only upstream's headers, not the rest of /usr/include: Frama-C has its own.
    os.makedirs(os.path.join(work, "xen-include"), exist_ok=True)
    os.symlink("/usr/include/xen", os.path.join(work, "xen-include", "xen"))


def parse_arguments(root, work):
    """What every run of Frama-C has in common; proofs/include goes before src."""
    include = (f"-include bits.h -I{root}/proofs/include -I{root}/src -I{root} -isystem{work}/xen-include "
               "-D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00")
    return ["frama-c", "-machdep", "gcc_x86_64", "-c11", f"-cpp-extra-args={include}",
            "-kernel-warn-key=annot-error=abort"]
