#!/usr/bin/env bash
# Shows that prove.sh fails on what it must fail on: an unproved goal, fewer goals than recorded, a
# missing prover, a function without a contract, and more. usage: gate_test.sh
set -euo pipefail
exec python3 "$(dirname "$0")/lib/gate_test.py"
