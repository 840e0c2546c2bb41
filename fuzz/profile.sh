#!/usr/bin/env bash
# Has the fuzzers' executor count which way its code goes, for the compiler of the builds that
# campaigns run (CORBEL_FUZZ_PROFILE in CMakeLists.txt), unless OUT is there. What it runs are
# programs made from a fixed seed.
# usage: profile.sh OUT [JOBS]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:?usage: profile.sh OUT [JOBS]} jobs=${2:-2}
[ ! -f "$out" ] || exit 0
work=$out.work
mkdir -p "$work/programs"
# Nothing of AFL++'s: only the hypervisor's and the executor's own code is counted.
cmake -S "$root" --preset afl -B "$work/build" -DCMAKE_C_COMPILER=clang-14 -DCORBEL_FUZZ_LTO=OFF \
    -DCORBEL_FUZZ_PROFILE= "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g1 -fprofile-instr-generate"
ninja -C "$work/build" -j "$jobs" fuzz_tool
export LLVM_PROFILE_FILE=$work/raw # the last run's stays
"$work/build/fuzz/fuzz_tool" random 7 250 "$work/programs"
CORBEL_FUZZ_BENCH_ROUNDS=3 "$work/build/fuzz/fuzz_tool" bench "$work/programs"/*
llvm-profdata-14 merge -o "$out.new" "$work/raw"
mv "$out.new" "$out"
rm -rf "$work"
