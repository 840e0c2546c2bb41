#!/usr/bin/env bash
# Shows that the gate sees mistakes: applies each of mutants/*.patch to a copy of the
# tree and proves the functions it touches again; that must fail, and name a goal. The
# first lines of a patch say what is wrong, the module and the functions.
# usage: mutants.sh [NAME...]   ends with "N mutants, N caught"; non-zero unless all are.
set -euo pipefail
proofs=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$proofs")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
total=0 caught=0

# said PATCH KEY: what a patch's first lines say after KEY.
said() {
    sed -n "s/^$2: //p" "$1" | head -1
}

names=("$@")
[ $# -gt 0 ] || mapfile -t names < <(cd "$proofs/mutants" && ls ./*.patch | xargs -n1 basename -s .patch)
printf '%-24s %-12s %-7s %s\n' mutant module gate 'mistake, and what did not prove'
for name in "${names[@]}"; do
    patch=$proofs/mutants/$name.patch
    tree=$work/$name
    mkdir -p "$tree"
    cp -r "$root/src" "$root/proofs" "$tree"
    patch -s -p1 -d "$tree" <"$patch"
    module=$(said "$patch" module)
    total=$((total + 1))
    if CORBEL_PROOF_ONLY=$(said "$patch" functions) CORBEL_PROOF_TIMEOUTS=${CORBEL_PROOF_TIMEOUTS:-10} \
        CORBEL_PROOF_JOBS=1 "$tree/proofs/prove.sh" "$module" >"$work/log" 2>&1; then
        verdict=MISSED
    elif grep -q 'not proved:' "$work/log"; then
        verdict=caught
        caught=$((caught + 1))
    else # failed for another reason: that shows nothing
        verdict=BROKEN
        tail -5 "$work/log"
    fi
    printf '%-24s %-12s %-7s %s\n' "$name" "$module" "$verdict" "$(said "$patch" mistake)"
    sed -n 's/^ *not proved: /                           /p' "$work/log" | head -3
    rm -rf "$tree"
done
echo "$total mutants, $caught caught"
[ "$total" -gt 0 ] && [ "$caught" = "$total" ]
