#!/usr/bin/env bash
# Plants one defect of fuzz/planted/ after the other, runs a campaign against each until it
# finds something, and prints a table: found or not, after how much processor time, and what
# was wrong first. Fails when a defect is not found. One core. --time counts the seconds that
# the fuzzer got, so that a busy machine shows the same. The campaign's target is hypercall,
# or what a line "Target:" of the patch says.
# usage: planted.sh [--time 10m] [--out DIR] [NAME...]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
time=10m out=$root/build/planted

while [ $# -gt 0 ]; do
    case $1 in
    --time) time=$2 ;;
    --out) out=$2 ;;
    -*)
        echo "usage: $0 [--time 10m] [--out DIR] [NAME...]" >&2
        exit 2
        ;;
    *) break ;;
    esac
    shift 2
done
[ $# -gt 0 ] || set -- "$root"/fuzz/planted/*.patch
mkdir -p "$out"
build=$out/build tool=$out/build/fuzz/fuzz_tool sound=$out/sound
export AFL_QUIET=1 AFL_BENCH_UNTIL_CRASH=1 CORBEL_FUZZ_NO_BUILD=1

# The copy of the sources is good while it differs from them only where it was patched.
copied() {
    local patch=$build/planted/applied.patch
    [ -f "$patch" ] &&
        ! diff -rq "$root/src" "$build/planted/src" | grep -qvFf <(sed -n 's|^+++ b/||p' "$patch")
}
copied || rm -rf "$build"

# first FILE: what was wrong first when the input FILE runs.
first() {
    local said
    said=$(bash -c '{ timeout 60 "$1" check "$2" 2>&1; } || [ $? != 124 ] || echo "$2: hang"' - "$tool" "$1" 2>/dev/null |
        grep -m1 -F "$1: ") || said="$1: the process died"
    said=${said#"$1: "}
    sed -E 's/ \(operation.*//; s/^(INV-[A-Z0-9]+-[0-9]+).*/\1/; s#^/.*/src/(.*):[0-9]+: #\1: #' <<<"${said%% at /*}"
}

# What finds something in the sound tree as well says nothing about a defect.
{ cmake -S "$root" --preset afl -B "$sound" && ninja -C "$sound" fuzz_tool; } >"$out/build.log" 2>&1 || {
    tail -20 "$out/build.log" >&2
    echo "planted: the fuzz targets do not build" >&2
    exit 2
}

missed=0
printf '| %-26s | %-9s | %-12s | %s |\n' defect found "core seconds" "first wrong"
printf '|%s|%s|%s|%s|\n' ---- ---- ---: ----
for name; do
    name=$(basename "$name" .patch)
    target=$(sed -n 's/^Target: //p' "$root/fuzz/planted/$name.patch")
    { cmake -S "$root" --preset afl -B "$build" -DCORBEL_PLANT="$name" &&
        ninja -C "$build" fuzz_hypercall fuzz_tool fuzz_mutator; } >"$out/build.log" 2>&1 || {
        tail -20 "$out/build.log" >&2
        echo "planted: $name does not build" >&2
        exit 2
    }
    "$root/fuzz/campaign.sh" --target "${target:-hypercall}" --core-time "$time" --jobs 1 --build "$build" \
        --out "$out/$name" >"$out/$name.log" 2>&1 || true
    [ -f "$out/$name/core-seconds" ] || {
        tail -5 "$out/$name.log" "$out/$name"/job0.log >&2
        echo "planted: the campaign against $name did not run" >&2
        exit 2
    }
    seconds=$(cat "$out/$name/core-seconds")
    crash=$(find "$out/$name/sync" \( -path '*/crashes/id*' -o -path '*/hangs/id*' \) | sort | head -1)
    if [ -n "$crash" ] && ! timeout 60 "$sound/fuzz/fuzz_tool" check "$crash" >/dev/null 2>&1; then
        printf '| %-26s | %-9s | %12d | %s |\n' "$name" "unplanted" "$seconds" "$(first "$crash")"
        missed=$((missed + 1))
    elif [ -n "$crash" ]; then
        printf '| %-26s | %-9s | %12d | %s |\n' "$name" found "$seconds" "$(first "$crash")"
    else
        printf '| %-26s | %-9s | %12d | |\n' "$name" "not found" "$seconds"
        missed=$((missed + 1))
    fi
done
echo
echo "$(($# - missed)) of $# found"
[ "$missed" = 0 ]
