#!/usr/bin/env bash
# Runs contracts with E-ACSL's checks: of the bodies that the proofs only know by contract
# (base/atomic.h, two builtins), and of the proved sources, in the unit tests of the hosted
# library in BUILD-DIRECTORY (build/hosted). Then with mistakes in contracts and in a body, which
# must be seen. Ends with "contracts held"; non-zero otherwise.
# usage: eacsl.sh [BUILD-DIRECTORY]
set -euo pipefail
proofs=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$proofs")
share=$(frama-c -print-share-path)/e-acsl
lib=$(frama-c -print-lib-path)/e-acsl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
frama-c -machdep gcc_x86_64 -c11 -kernel-warn-key=annot-error=abort \
    -cpp-extra-args="-include bits.h -I$proofs/include -I$root/src" \
    -e-acsl "$proofs/eacsl/atomic.c" -then-last -print -ocode "$work/inst.c" >"$work/log" 2>&1 ||
    { tail -20 "$work/log"; exit 1; }
# Frames and termination are not checked at run time; all else must be.
if grep 'E-ACSL construct' "$work/log" | grep -vE 'terminates clause|assigns clause'; then
    echo "some contracts are not checked"
    exit 1
fi
gcc -std=c99 -O1 -DE_ACSL_SEGMENT_MMODEL -DE_ACSL_STACK_SIZE=32 -DE_ACSL_HEAP_SIZE=128 \
    -I"$share" -w -c -o "$work/inst.o" "$work/inst.c"
# types.h first, so that only the functions of atomic.h become external.
gcc -std=gnu11 -O1 -I"$root/src" -include base/types.h -c -o "$work/bodies.o" "$proofs/eacsl/bodies.c"
gcc -std=c99 -O1 -DE_ACSL_SEGMENT_MMODEL -DE_ACSL_STACK_SIZE=32 -DE_ACSL_HEAP_SIZE=128 \
    -I"$share" -w -o "$work/run" "$work/inst.o" "$work/bodies.o" "$share/e_acsl_rtl.c" \
    "$lib/libeacsl-dlmalloc.a" -lgmp -lm -lpthread
"$work/run"
echo "atomics and builtins: $(grep -c __e_acsl_assert "$work/inst.c") checks"

build=${1:-$root/build/hosted}
python3 "$proofs/lib/eacsl.py" "$build"
echo "contracts held"
