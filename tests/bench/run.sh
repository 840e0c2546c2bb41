#!/usr/bin/env bash
# Builds and runs the benchmarks. usage: tests/bench/run.sh [--json] [--quick] [--only PART,...]
# Parts: boot speed memory growth stock hypercalls fuzz bare. The last three need no kernels.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec 3>&1 1>&2
. ci/lib.sh
only=
for ((i = 1; i < $#; i++)); do
    [ "${!i}" = --only ] && only=${*:i+1:1}
done
step "packages" bash ci/setup.sh
if [ "$only" = fuzz ] || [ "$only" = bare ]; then
    : # builds its own
elif [ "$only" = hypercalls ]; then
    step "build (bench)" build bench bench_hypercall
else
    step "build (bench)" build bench
    step "stock Debian kernels" bash ci/kernels.sh
    step "initial RAM disk" bash ci/initrd.sh
fi
exec 1>&3
exec python3 tests/bench/bench.py build/bench build/guests "$@"
