"""Writes STATUS.md from a run in which everything was proved."""
import os
import tomllib

import source


def write(root, proofs, modules, results, versions, covered, axiom_names):
    with open(os.path.join(proofs, "modules.toml"), "rb") as f:
        head = tomllib.load(f)
    lines = ["# What is proved", "",
             "Written by `proofs/prove.sh --record`, for each module from a run in which every goal",
             "was proved; `proofs/prove.sh` proves it again. Tools: "
             + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".", ""]
    lines += ["| Module | Files | Functions | Goals | CPU s | Code lines | Contract lines | Ratio |",
              "|---|---|---|---|---|---|---|---|"]
    total = [0, 0, 0, 0, 0]
    for m in modules:
        functions, _ = covered(m)
        r = results[m["name"]]
        code = sum(functions.values())
        contract = 0
        for path in list(m["files"]) + list(m.get("contracts", [])):
            with open(os.path.join(root, path), encoding="utf-8") as f:
                contract += source.contract_lines(f.read())
        row = [len(functions), r["goals"], r["cpu"], code, contract]
        total = [a + b for a, b in zip(total, row)]
        files = ", ".join(f"`{p}`" for p in m["files"])
        lines.append(f"| {m['name']} | {files} | {row[0]} | {row[1]} | {row[2]} | {code} "
                     f"| {contract} | {contract / max(code, 1):.2f} |")
    lines.append(f"| **all** | | {total[0]} | {total[1]} | {total[2]} | {total[3]} "
                 f"| {total[4]} | {total[4] / max(total[3], 1):.2f} |")
    lines += ["", "Code lines are those of the proved functions without blank lines and comments.",
              "Every function is proved free of run-time errors (RTE: memory access, division,",
              "shifts, signed overflow) and, unless said otherwise, of unsigned wrap, besides its",
              "contract.", "", "## What each module's proof says", ""]
    for m in modules:
        lines += [f"- **{m['name']}**: {m['says']}"]
    lines += ["", "## Assumptions", ""]
    lines += [f"{n}. {a}" for n, a in enumerate(head["assumptions"], 1)]
    lines += ["", "## Axioms", "",
              f"{len(axiom_names)}, each confirmed over bit vectors by CVC5 and by Z3 "
              "(`proofs/lib/axioms.py`) in every run:", ""]
    by_file = {}
    for path, name in axiom_names:
        by_file.setdefault(path, []).append(name)
    lines += [f"- `{path}`: {', '.join(names)}" for path, names in by_file.items()]
    lines += ["", "## Functions of these files that are not covered", "",
              "| Function | Module | Why |", "|---|---|---|"]
    for m in modules:
        for name, why in m.get("not_covered", {}).items():
            lines.append(f"| `{name}` | {m['name']} | {why} |")
    lines += ["", "## Files that are not covered", ""]
    lines += [f"- {text}" for text in head["files_not_covered"]]
    with open(os.path.join(proofs, "STATUS.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
