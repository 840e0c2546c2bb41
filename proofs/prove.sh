#!/usr/bin/env bash
# Proves again what STATUS.md says is proved. usage: prove.sh [option...] [module...]
#   --record   writes expected.json and STATUS.md from this run (all modules)
#   --smoke    looks for contradictory contracts and dead code instead (slow)
#   --list     names the modules
# Ends with "N goals, N proved"; non-zero on any gap.
set -euo pipefail
exec python3 "$(dirname "$0")/lib/prove.py" "$@"
