#!/usr/bin/env bash
# Shows that the gate sees mistakes: each of mutants/*.patch is applied to a copy of the tree and
# the functions that it touches are proved again, up to the first goal that does not prove.
# usage: mutants.sh [--light | --control] [NAME...]
#   --light    a fixed few    --control   the same without the mistakes: all must prove
# Ends with "N mutants, N caught"; non-zero unless all are.
set -euo pipefail
exec python3 "$(dirname "$0")/lib/mutants.py" "$@"
