#!/usr/bin/env bash
# clang-tidy with the tree's .clang-tidy over src/ and hostsim/; silence is good.
# usage: ci/tidy.sh [BUILD-DIRECTORY [FILE...]]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/hosted}
[ "$#" -gt 0 ] && shift
tidy=$(command -v clang-tidy-14 || command -v clang-tidy) ||
    { echo "clang-tidy is not installed (ci/setup.sh installs it)"; exit 1; }
[ -e "$build/compile_commands.json" ] || cmake --preset hosted -B "$build" >/dev/null
if [ "$#" -eq 0 ]; then
    mapfile -t files < <(find src hostsim -name '*.c' | sort)
    set -- "${files[@]}"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
# Files that are compiled twice are looked at once, as hosted code.
python3 - "$build" "$work" <<'END'
import json, sys
commands = json.load(open(sys.argv[1] + "/compile_commands.json"))
commands.sort(key=lambda c: "-ffreestanding" in c["command"])
once = {c["file"]: c for c in reversed(commands)}
json.dump(list(once.values()), open(sys.argv[2] + "/compile_commands.json", "w"))
END
status=0
printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -n 4 "$tidy" -p "$work" --quiet >"$log" 2>&1 || status=1
if [ "$status" = 0 ]; then
    echo "$# files in order"
else
    grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter' "$log" || true
fi
exit "$status"
