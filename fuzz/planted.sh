#!/usr/bin/env bash
# Plants one defect of fuzz/planted/ after the other, runs a campaign against each until it
# finds something, and prints a table: found or not, after how long, and what was wrong
# first. Fails when a defect is not found. One core.
# usage: planted.sh [--time 10m] [--target hypercall] [--out DIR] [NAME...]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
time=10m target=hypercall out=$root/build/planted

while [ $# -gt 0 ]; do
    case $1 in
    --time) time=$2 ;;
    --target) target=$2 ;;
    --out) out=$2 ;;
    -*)
        echo "usage: $0 [--time 10m] [--target hypercall] [--out DIR] [NAME...]" >&2
        exit 2
        ;;
    *) break ;;
    esac
    shift 2
done
[ $# -gt 0 ] || set -- "$root"/fuzz/planted/*.patch
mkdir -p "$out"
build=$out/build tool=$out/build/fuzz/fuzz_tool sound=$out/sound
rm -rf "$build"
export AFL_QUIET=1 AFL_BENCH_UNTIL_CRASH=1 CORBEL_FUZZ_NO_BUILD=1

# first FILE: what was wrong first when the input FILE runs.
first() {
    bash -c '{ timeout 60 "$1" check "$2" 2>&1; } || [ $? != 124 ] || echo hang' - "$tool" "$1" 2>/dev/null |
        grep -m1 -oE 'MODEL-[^(]*|INV-[A-Z]+-[0-9]+|check failed.*|hang' || echo "the process died"
}

# What finds something in the sound tree as well says nothing about a defect.
{ cmake -S "$root" --preset afl -B "$sound" && ninja -C "$sound" fuzz_tool; } >"$out/build.log" 2>&1 || {
    tail -20 "$out/build.log" >&2
    echo "planted: the fuzz targets do not build" >&2
    exit 2
}

missed=0
printf '| %-26s | %-9s | %-7s | %s |\n' defect found seconds "first wrong"
printf '|%s|%s|%s|%s|\n' ---- ---- ---: ----
for name; do
    name=$(basename "$name" .patch)
    { cmake -S "$root" --preset afl -B "$build" -DCORBEL_PLANT="$name" &&
        ninja -C "$build" fuzz_hypercall fuzz_tool fuzz_mutator; } >"$out/build.log" 2>&1 || {
        tail -20 "$out/build.log" >&2
        echo "planted: $name does not build" >&2
        exit 2
    }
    began=$SECONDS
    "$root/fuzz/campaign.sh" --target "$target" --time "$time" --jobs 1 --build "$build" \
        --out "$out/$name" >"$out/$name.log" 2>&1 || true
    crash=$(find "$out/$name/sync" \( -path '*/crashes/id*' -o -path '*/hangs/id*' \) | sort | head -1)
    if [ -n "$crash" ] && ! timeout 60 "$sound/fuzz/fuzz_tool" check "$crash" >/dev/null 2>&1; then
        printf '| %-26s | %-9s | %7d | %s |\n' "$name" "unplanted" $((SECONDS - began)) "$(first "$crash")"
        missed=$((missed + 1))
    elif [ -n "$crash" ]; then
        printf '| %-26s | %-9s | %7d | %s |\n' "$name" found $((SECONDS - began)) "$(first "$crash")"
    else
        printf '| %-26s | %-9s | %7d | |\n' "$name" "not found" $((SECONDS - began))
        missed=$((missed + 1))
    fi
done
echo
echo "$(($# - missed)) of $# found"
[ "$missed" = 0 ]
