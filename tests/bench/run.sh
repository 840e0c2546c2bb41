#!/usr/bin/env bash
# Builds and runs the benchmarks. usage: tests/bench/run.sh [--json] [--quick]
set -euo pipefail
cd "$(dirname "$0")/../.."
exec 3>&1 1>&2
. ci/lib.sh
step "packages" bash ci/setup.sh
step "build (bench)" build bench
step "stock Debian kernels" bash ci/kernels.sh
step "initial RAM disk" bash ci/initrd.sh
exec 1>&3
exec python3 tests/bench/bench.py build/bench build/guests "$@"
