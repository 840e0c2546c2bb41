#!/usr/bin/env bash
# Runs a libFuzzer harness for some seconds from freshly written seeds. What it
# finds stays in DIRECTORY. usage: run_fuzzer.sh HARNESS SEEDS DIRECTORY SECONDS
set -euo pipefail
harness=$1 seeds=$2 dir=$3 seconds=$4
rm -rf "$dir/corpus"
mkdir -p "$dir/corpus"
"$seeds" "$dir/corpus"
"$harness" -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$dir/" "$dir/corpus"
