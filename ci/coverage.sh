#!/usr/bin/env bash
# Line coverage of src/ by the unit tests: a table by directory, and every line
# in build/coverage/html/index.html. Exits non-zero when a goal is missed.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh
dir=build/coverage

# The goals: per cent of lines, of src/base with src/core, and of src/x86.
goal_core=95
goal_x86=90

# What an earlier build has left of files that are gone would count as not reached.
forget_gone() {
    local note source
    find "$dir/src" -name '*.c.gcno' | while read -r note; do
        source=src/${note#*.dir/}
        [ -e "${source%.gcno}" ] || rm -f "$note" "${note%.gcno}.gcda"
    done
}

unit_tests() {
    find "$dir" -name '*.gcda' -delete
    ctest --test-dir "$dir" -L unit -j "$jobs" --output-on-failure --no-tests=error
}

report() {
    forget_gone
    rm -rf "$dir/html"
    mkdir -p "$dir/html"
    gcovr --root . --object-directory "$dir" --filter 'src/(base|core|x86)/' \
        --html-details "$dir/html/index.html" --html-title "Corbel: unit tests" \
        --json-summary "$dir/coverage.json" "$dir/src"
}

step "packages" bash ci/setup.sh
step "build with gcc, measured" build coverage unit_tests
step "unit tests" unit_tests
step "report" report

echo
python3 - "$dir/coverage.json" "$goal_core" "$goal_x86" <<'END'
import collections, json, os, sys
report, goal_core, goal_x86 = sys.argv[1:]
lines = collections.defaultdict(lambda: [0, 0])
for file in json.load(open(report))["files"]:
    parts = file["filename"].split("/")
    for name in {"/".join(parts[:2]), os.path.dirname(file["filename"])}:
        lines[name][0] += file["line_covered"]
        lines[name][1] += file["line_total"]

def percent(*names):
    return 100 * sum(lines[n][0] for n in names) / max(1, sum(lines[n][1] for n in names))

print("%-24s %7s %7s %8s" % ("lines", "reached", "of", ""))
for name in sorted(lines):
    print("%-24s %7d %7d %7.1f%%" % (name, *lines[name], percent(name)))
core, x86 = percent("src/base", "src/core"), percent("src/x86")
met = core >= float(goal_core) and x86 >= float(goal_x86)
print("\ncoverage goals %s: src/base and src/core %.1f%% (at least %s%%), src/x86 %.1f%% "
      "(at least %s%%)" % ("met" if met else "NOT met", core, goal_core, x86, goal_x86))
sys.exit(0 if met else 1)
END
