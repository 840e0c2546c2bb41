#!/usr/bin/env bash
# The hypercall target under libFuzzer and the sanitizers, for some seconds.
# usage: run_sanitized.sh HARNESS TOOL SOURCES DIRECTORY SECONDS
set -euo pipefail
harness=$1 tool=$2 sources=$3 dir=$4 seconds=$5
rm -rf "$dir"
mkdir -p "$dir/corpus"
for f in "$sources"/corpus/{hypercall,control,exits}/*; do
    "$tool" encode "$f" "$dir/corpus/$(basename "$(dirname "$f")")-$(basename "$f")"
done
"$harness" -max_total_time="$seconds" -max_len=2080 -len_control=0 -timeout=20 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$dir/" "$dir/corpus"
