"""Shows on a tiny module of its own that the gate (prove.py) passes what is proved and fails on
everything that it must fail on. Ends with "N cases"; non-zero when one of them went wrong."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOUND = """/*@ assigns \\nothing;
    ensures \\result == (a < b ? a : b); */
unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}
"""
WRONG = SOUND.replace("return a < b", "return a > b")
BARE = SOUND + """
unsigned twice(unsigned a)
{
    return least(a, a);
}
"""
# WP skips the contract of a statement where a call is inlined: what it says is not proved.
SKIPPED = SOUND.replace("    return a < b", "    unsigned c = 1;\n\n    /*@ ensures c == 3; */\n    {\n        c = 2;\n"
                        "    }\n    return a < b") + """
/*@ assigns \\nothing;
    ensures \\result == a; */
unsigned same(unsigned a)
{
    return least(a, a);
}
"""
MODULE = """[[module]]
name = "tiny"
files = ["src/tiny.c"]
says = "nothing"
"""
AXIOM = """/*@ axiomatic False { axiom wrong: \\forall uint64_t v; (v & 1) == 1; } */
"""
# WP takes a lemma as true where it is told which functions to prove.
LEMMA = """/*@ lemma wrong: \\forall integer v; v == v + 1; */
"""
UNIT = """#include "../../src/tiny.c"

/*@ assigns \\nothing;
    ensures \\result == b; */
unsigned proof_tiny(unsigned a, unsigned b)
{
    return least(a, b);
}
"""
BITS = "#include <stdint.h>\n"


def gate(root, source, recorded=None, module=MODULE, bits=BITS, path=None, unit=None):
    """(exit code, output) of the gate on a tree with this source."""
    proofs = os.path.join(root, "proofs")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(HERE, os.path.join(proofs, "lib"), ignore=shutil.ignore_patterns("__pycache__"))
    os.makedirs(os.path.join(root, "src"))
    os.makedirs(os.path.join(proofs, "include"))
    os.makedirs(os.path.join(proofs, "units"))
    if unit:
        module += 'unit = "proofs/units/tiny.c"\n'
    for name, text in (("src/tiny.c", source), ("proofs/modules.toml", module), ("proofs/include/bits.h", bits),
                       ("proofs/units/tiny.c", unit or "")):
        with open(os.path.join(root, name), "w", encoding="utf-8") as f:
            f.write(text)
    with open(os.path.join(proofs, "expected.json"), "w", encoding="utf-8") as f:
        json.dump({"tiny": recorded or {"functions": 1, "goals": 1}}, f)
    env = {k: v for k, v in os.environ.items() if not k.startswith("CORBEL_PROOF")} | {"CORBEL_PROOF_TIMEOUTS": "3"}
    env.pop("CORBEL_ROOT", None)
    run = subprocess.run([sys.executable, os.path.join(proofs, "lib", "prove.py")], capture_output=True, text=True,
                         env=env | ({"PATH": path} if path else {}))
    return run.returncode, run.stdout + run.stderr


def without(tool, directory):
    """A PATH that has everything the gate needs but this tool."""
    os.makedirs(directory)
    for name in ("frama-c", "why3", "cvc5", "cvc4", "z3"):
        if name != tool and shutil.which(name):
            os.symlink(shutil.which(name), os.path.join(directory, name))
    return directory


def main():
    wrong = 0
    with tempfile.TemporaryDirectory() as work:
        root = os.path.join(work, "tree")
        cases = [
            ("a proved module passes", 0, "1 modules, 0 failed", {"source": SOUND}),
            ("an unproved goal", 1, "not proved: least", {"source": WRONG}),
            ("fewer goals than recorded", 1, "goals, 9 are recorded", {"source": SOUND, "recorded": {"functions": 1, "goals": 9}}),
            ("fewer functions than recorded", 1, "functions, 2 are recorded",
             {"source": SOUND, "recorded": {"functions": 2, "goals": 1}}),
            ("a missing prover", 1, "missing: cvc4", {"source": SOUND, "path": without("cvc4", os.path.join(work, "bin"))}),
            ("a function without a contract", 1, "twice: no contract is proved", {"source": BARE}),
            ("a module without functions", 1, "the report has no goals", {"source": "int nothing;\n"}),
            ("a contract that WP skips", 1, "Statement specifications", {"source": SKIPPED, "module": MODULE + 'inline = ["least"]\n'}),
            ("a false axiom", 1, "axiom wrong", {"source": SOUND, "bits": BITS + AXIOM}),
            ("a lemma", 1, "nobody proves: lemma wrong", {"source": SOUND + LEMMA}),
            ("an admitted clause", 1, "nobody proves: admit", {"source": SOUND.replace("    ensures", "    admit ensures")}),
            ("a function of the unit's own", 1, "not proved: proof_tiny", {"source": SOUND, "unit": UNIT}),
            ("a contract that does not parse", 1, "frama-c ended with", {"source": SOUND.replace("\\nothing", "\\nothng")}),
        ]
        for name, code, text, arguments in cases:
            got, output = gate(root, **arguments)
            fine = bool(got) == bool(code) and text in output
            wrong += not fine
            print(f"{name:<36}{'as it should' if fine else 'WRONG'}")
            if not fine:
                print(output)
    print(f"gate: {len(cases)} cases, {wrong} wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
