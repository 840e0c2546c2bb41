#!/usr/bin/env bash
# What a campaign reached and found: in words on stdout, and in DIR/report.
# usage: report.sh DIR (as given to campaign.sh --out)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
dir=$1
[ -d "$dir/sync" ] || { echo "report: $dir: no campaign was here (no sync directory)" >&2; exit 2; }
target=$(cat "$dir/target" 2>/dev/null || echo '?')
out=$dir/report build=${CORBEL_FUZZ_COVERAGE_BUILD:-$root/build/fuzz-coverage}
mkdir -p "$out" "$build"

case $target in
builder | firmware | cfg | text)
    # Bytes, not programs: the numbers, and what to run.
    grep -hE '^(execs_done|execs_per_sec|corpus_count|edges_found|total_edges|stability)' \
        "$dir"/sync/*/fuzzer_stats | sed "s/^/$target: /"
    find "$dir"/sync -path '*/crashes/id*' -o -path '*/hangs/id*' | sort |
        sed "s|^|found: $root/build/afl-asan/fuzz/fuzz_$target |" | grep . || echo 'found: nothing'
    exit 0
    ;;
esac

# Coverage of every module: the queue once more, through clang's own counters.
tool=$build/fuzz/fuzz_tool
if ! { cmake -S "$root" -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang-14 -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS='-O1 -fprofile-instr-generate -fcoverage-mapping' -DCORBEL_FUZZ_TOOL=ON \
    -DCORBEL_SIM=OFF -DCORBEL_TESTS=OFF && ninja -C "$build" -j 2 fuzz_tool; } \
    >"$out/build.log" 2>&1; then
    tail -5 "$out/build.log" >&2
    echo "report: the coverage build failed" >&2
    exit 2
fi
find "$dir"/sync/*/queue -maxdepth 1 -name 'id*' >"$out/queue.list"
rm -f "$out"/*.profraw
LLVM_PROFILE_FILE="$out/%p.profraw" xargs -a "$out/queue.list" "$tool" stats >"$out/operations.txt"
llvm-profdata-14 merge -sparse "$out"/*.profraw -o "$out/coverage.profdata"
llvm-cov-14 report "$tool" -instr-profile="$out/coverage.profdata" "$root/src/core" "$root/src/x86" \
    >"$out/coverage.txt" 2>/dev/null
llvm-cov-14 show "$tool" -instr-profile="$out/coverage.profdata" -format=html \
    -output-dir="$out/coverage" "$root/src/core" "$root/src/x86" >/dev/null 2>&1

# Edges over time, of all instances, as one picture.
awk -F', *' -v W=800 -v H=400 '
    FNR > 1 {n++; f[n] = FILENAME; t[n] = $1; e[n] = $13; if ($1 > T) T = $1; if ($13 > E) E = $13}
    END {
        if (T == 0) T = 1; if (E == 0) E = 1
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-60 -20 %d %d\">\n", W + 80, H + 60
        printf "<path d=\"M0,0V%dH%d\" fill=\"none\" stroke=\"black\"/>\n", H, W
        printf "<text x=\"-55\" y=\"10\">%d</text><text x=\"-20\" y=\"%d\">0</text>", E, H
        printf "<text x=\"%d\" y=\"%d\">%d s</text><text x=\"0\" y=\"-5\">edges</text>\n", W - 40, H + 20, T
        for (i = 1; i <= n; i++) {
            if (f[i] != last) printf "%s<polyline fill=\"none\" stroke=\"%s\" points=\"", last == "" ? "" : "\"/>\n", ++c % 2 ? "steelblue" : "darkorange"
            last = f[i]
            printf "%.1f,%.1f ", t[i] * W / T, H - e[i] * H / E
        }
        if (last != "") printf "\"/>\n"
        print "</svg>"
    }' "$dir"/sync/*/plot_data >"$out/coverage.svg"

stat() {
    awk -v f="$1" '$1 == f {gsub("%", "", $3); n += $3} END {print n + 0}' "$dir"/sync/*/fuzzer_stats
}
echo "target        $target"
echo "executions    $(stat execs_done), $(stat execs_per_sec) a second in sum"
# Hypercalls per program, from the queue.
awk -v e="$(stat execs_per_sec)" '/ operations reached/ {
    printf "hypercalls    %.0f a second in sum (%.1f per program)\n", e * $6 / $9, $6 / $9 }' \
    "$out/operations.txt"
echo "inputs        $(stat corpus_count), stability $(awk '$1 == "stability" {print $3}' "$dir"/sync/*/fuzzer_stats | sort -u | tr '\n' ' ')"
tail -1 "$out/operations.txt"
echo "coverage      $(awk '/^TOTAL/ {print $10 " of lines, " $7 " of functions"}' "$out/coverage.txt")"
awk '/^(core|x86|src)?[a-z_\/]*\.c/ {split($1, p, "/"); m = $1; sub("/[^/]*$", "", m); l[m] += $8; x[m] += $9}
    END {for (m in l) printf "  %-24s %5.1f%% of %d lines\n", m, 100 * (l[m] - x[m]) / l[m], l[m]}' \
    "$out/coverage.txt" | sort
echo "by operation  $out/operations.txt"
echo "by line       $out/coverage/index.html"
echo "over time     $out/coverage.svg"

crashes=0
for f in "$dir"/sync/*/crashes/id* "$dir"/sync/*/hangs/id*; do
    [ -f "$f" ] || continue
    crashes=$((crashes + 1))
    small=$out/minimised-$crashes
    echo
    echo "FOUND         $f"
    "$tool" minimise "$f" "$small" || true
    echo "replay:       corbel-sim replay $small"
done
[ $crashes != 0 ] || echo "found         nothing"
