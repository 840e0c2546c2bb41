#!/usr/bin/env bash
# What a campaign reached and found: in words on stdout, and in DIR/report.
# usage: report.sh DIR (as given to campaign.sh --out)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 1 ] || {
    echo "usage: $0 DIR" >&2
    exit 2
}
dir=$1
[ -d "$dir/sync" ] || {
    echo "report: $dir: no campaign was here (no sync directory)" >&2
    exit 2
}
target=$(cat "$dir/target" 2>/dev/null || echo hypercall)
out=$dir/report build=${CORBEL_FUZZ_COVERAGE_BUILD:-$root/build/fuzz-coverage}
mkdir -p "$out" "$build"
export ASAN_OPTIONS=detect_leaks=0 LLVM_PROFILE_FILE="$out/%p.profraw"
case $target in
hypercall | control | exits) programs=yes harness=fuzz_tool sources=("$root/src/core" "$root/src/x86") ;;
builder) programs='' harness=fuzz_builder sources=("$root/src/x86/build") ;;
firmware) programs='' harness=fuzz_firmware sources=("$root/src/x86/firmware" "$root/src/x86/build/boot_module.c") ;;
cfg) programs='' harness=fuzz_cfg sources=("$root/hostsim/sim/config.c" "$root/hostsim/sim/options.c") ;;
text) programs='' harness=fuzz_text sources=("$root/fuzz/program.c" "$root/fuzz/grammar.c") ;;
*)
    echo "report: $dir/target: no target is called $target" >&2
    exit 2
    ;;
esac
tool=$build/fuzz/$harness

# Coverage of every module: the queue once more, through clang's own counters.
if ! { cmake -S "$root" --preset fuzz -B "$build" \
    -DCMAKE_C_FLAGS='-fprofile-instr-generate -fcoverage-mapping' &&
    ninja -C "$build" -j 2 "$harness"; } >"$out/build.log" 2>&1; then
    tail -5 "$out/build.log" >&2
    echo "report: the coverage build failed" >&2
    exit 2
fi
rm -rf "$out"/*.profraw "$out/coverage" "$out"/minimised-*
find "$dir"/sync/*/queue -maxdepth 1 -name 'id*' | sort >"$out/queue.list"
if [ -n "$programs" ]; then
    "$tool" stats "@$out/queue.list" >"$out/operations.txt"
else
    xargs -a "$out/queue.list" "$tool" -detect_leaks=0 -close_fd_mask=3 >"$out/run.log" 2>&1
fi
llvm-profdata-14 merge -sparse "$out"/*.profraw -o "$out/coverage.profdata"
rm -f "$out"/*.profraw
export LLVM_PROFILE_FILE=/dev/null
llvm-cov-14 report "$tool" -instr-profile="$out/coverage.profdata" "${sources[@]}" \
    >"$out/coverage.txt" 2>/dev/null
llvm-cov-14 show "$tool" -instr-profile="$out/coverage.profdata" -format=html \
    -output-dir="$out/coverage" "${sources[@]}" >/dev/null 2>&1

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

# stat FIELD: over all instances.
stat() {
    cat "$dir"/sync/*/fuzzer_stats |
        awk -v f="$1" '$1 == f {gsub("%", "", $3); n += $3} END {print n + 0}'
}
echo "target        $target"
echo "executions    $(stat execs_done), $(stat execs_per_sec) a second in sum"
[ ! -f "$dir/core-seconds" ] || echo "core seconds  $(cat "$dir/core-seconds")"
if [ -n "$programs" ]; then
    # Hypercalls per program, from the queue.
    awk -v e="$(stat execs_per_sec)" '/ operations reached/ {
        printf "hypercalls    %.0f a second in sum (%.1f per program)\n", e * $6 / $9, $6 / $9
        printf "operations    %d of %d reached\n", $1, $3}' "$out/operations.txt"
fi
echo "inputs        $(stat corpus_count), stability $(cat "$dir"/sync/*/fuzzer_stats | awk '$1 == "stability" {print $3}' | sort -u | tr '\n' ' ')"
echo "coverage      $(awk '/^TOTAL/ {print $10 " of lines, " $7 " of functions"}' "$out/coverage.txt")"
awk -v programs="$programs" '
    /\.[ch] / {m = $1; if (programs && !sub("/[^/]*$", "", m)) m = "."; l[m] += $8; x[m] += $9}
    END {for (m in l) if (l[m]) printf "  %-24s %5.1f%% of %d lines\n", m, 100 * (l[m] - x[m]) / l[m], l[m]}' \
    "$out/coverage.txt" | sort
if [ -n "$programs" ]; then
    echo "by operation  $out/operations.txt; made least:"
    awk 'NR > 1 && NF >= 4 && $2 ~ /^[0-9]+$/ {print $2, $1}' "$out/operations.txt" | sort -n | head -5 |
        awk '{printf "  %-36s %d\n", $2, $1}'
fi
echo "by line       $out/coverage/index.html"
echo "over time     $out/coverage.svg"

# wrong FILE: what was wrong first when it runs; small FILE TO: makes it smaller.
wrong() {
    if [ -n "$programs" ]; then
        bash -c '{ timeout 60 "$1" check "$2" 2>&1; } || [ $? != 124 ] || echo hang' - "$tool" "$1" 2>/dev/null |
            grep -m1 -oE '(MODEL|INV)-.*|check failed.*|leak .*|hang|SUMMARY.*|a .*'
    else
        bash -c '{ timeout 60 "$1" "$2" 2>&1; } || [ $? != 124 ] || echo hang' - "$tool" "$1" 2>/dev/null |
            grep -m1 -oE 'SUMMARY.*|hang'
    fi || echo 'nothing in this build'
}
small() {
    if [ -n "$programs" ]; then
        timeout 300 "$tool" minimise "$1" "$2" | tail -n +2
    else
        timeout 300 "$tool" -minimize_crash=1 -runs=10000 -exact_artifact_path="$2" "$1" >/dev/null 2>&1 || true
        [ ! -f "$2" ] || echo "$(wc -c <"$1") bytes made $(wc -c <"$2")"
    fi
}
crashes=0
for f in "$dir"/sync/*/crashes/id* "$dir"/sync/*/hangs/id*; do
    [ -f "$f" ] || continue
    crashes=$((crashes + 1))
    echo
    echo "FOUND         $f"
    echo "first wrong   $(wrong "$f")"
    small "$f" "$out/minimised-$crashes" || true
    [ -f "$out/minimised-$crashes" ] || cp "$f" "$out/minimised-$crashes"
    if [ -n "$programs" ]; then
        echo "replay        $tool replay $out/minimised-$crashes"
    else
        echo "replay        $tool $out/minimised-$crashes"
    fi
done
[ $crashes != 0 ] || echo "found         nothing"
