#!/usr/bin/env bash
# Runs AFL++ on a target, with one live status line. Fails on a crash, a hang, or too
# few executions.
# usage: campaign.sh [--target NAME] [--time 10m | --core-time 10m] [--jobs 2] [--out DIR]
#                    [--build DIR]
# --core-time counts the processor time that each instance got, whatever else the machine did.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=hypercall time=10m core='' jobs=2 out='' build=''

usage() {
    echo "usage: $0 [--target hypercall|control|exits|builder|firmware|cfg|text] " \
        "[--time 10m | --core-time 10m] [--jobs 2] [--out DIR] [--build DIR]" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --target) target=$2 ;;
    --time) time=$2 core='' ;;
    --core-time) time=$2 core=yes ;;
    --jobs) jobs=$2 ;;
    --out) out=$2 ;;
    --build) build=$2 ;;
    *) usage ;;
    esac
    shift 2
done
case $time in
*s) seconds=${time%s} ;;
*m) seconds=$((${time%m} * 60)) ;;
*h) seconds=$((${time%h} * 3600)) ;;
*) seconds=$time ;;
esac
[[ $seconds =~ ^[0-9]+$ && $jobs =~ ^[1-9][0-9]*$ ]] || usage
# Which operations new ones are taken from: enum op_group in grammar.h.
# The others read bytes, not programs: plain mutation, and the sanitizers.
preset=afl groups='' size=''
case $target in
hypercall) groups=0x13f ;;
control) groups=0x140 ;;
exits) groups=0x80 ;;
builder) preset=afl-asan size=65536 ;;
firmware | cfg | text) preset=afl-asan size=4096 ;;
*) usage ;;
esac
build=${build:-$root/build/$preset} profile=''
if [ $preset = afl ]; then
    profile=-DCORBEL_FUZZ_PROFILE=$build/profile
    harness=fuzz_hypercall needed='fuzz_hypercall fuzz_tool fuzz_mutator'
else
    harness=fuzz_$target needed="fuzz_$target fuzz_seeds"
fi
out=${out:-$root/build/fuzz-$target}

for tool in afl-fuzz afl-clang-fast; do
    command -v $tool >/dev/null || {
        echo "campaign: $tool is missing: install AFL++ (apt-get install afl++, or ci/setup.sh)" >&2
        exit 2
    }
done
export AFL_QUIET=1
if [ ! -x "$build/fuzz/$harness" ] || [ -z "${CORBEL_FUZZ_NO_BUILD:-}" ]; then
    mkdir -p "$build"
    # shellcheck disable=SC2086
    {
        { [ $preset != afl ] || "$root/fuzz/profile.sh" "$build/profile" "$jobs"; } &&
            cmake -S "$root" --preset $preset -B "$build" $profile &&
            ninja -C "$build" -j "$jobs" $needed
    } >"$build/campaign-build.log" 2>&1 || {
        tail -20 "$build/campaign-build.log" >&2
        echo "campaign: the fuzz targets do not build" >&2
        exit 2
    }
fi

rm -rf "$out"
mkdir -p "$out/in"
case $target in
hypercall | control | exits)
    for f in "$root/fuzz/corpus/$target"/*; do
        [ -f "$f" ] && "$build/fuzz/fuzz_tool" encode "$f" "$out/in/$(basename "$f")"
    done
    # Something to begin with besides the corpus.
    CORBEL_FUZZ_GROUPS=$groups "$build/fuzz/fuzz_tool" random 1 20 "$out/in" >/dev/null
    export AFL_CUSTOM_MUTATOR_LIBRARY=$build/fuzz/libfuzz_mutator.so AFL_CUSTOM_MUTATOR_ONLY=1
    ;;
builder) "$build/fuzz/fuzz_seeds" "$out/in" ;;
firmware | cfg) cp "$root/fuzz/corpus/$target"/* "$out/in/" ;;
text) cp "$root"/fuzz/corpus/hypercall/[!b]* "$out/in/" ;;
esac
echo "$target" >"$out/target"

export AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_NO_UI=1
# What libxlutil and the libraries behind it leave behind is theirs.
export ASAN_OPTIONS=abort_on_error=1:detect_leaks=0:symbolize=0:handle_abort=0
export CORBEL_FUZZ_GROUPS=$groups AFL_IGNORE_PROBLEMS=1 AFL_AUTORESUME=1
# The CPUs that may be used, the idlest first. An instance and its target take turns; on two
# CPUs each waits for the other to wake up, which takes longer than a program.
cpus() {
    { grep '^cpu[0-9]' /proc/stat && sleep 0.3 && grep '^cpu[0-9]' /proc/stat; } |
        awk -v allowed="$(awk '/^Cpus_allowed_list/ {print $2}' /proc/self/status)" '
            {n = substr($1, 4); idle[n] = $5 + $6 - first[n]; first[n] = $5 + $6}
            END {
                count = split(allowed, range, ",")
                for (i = 1; i <= count; i++) {
                    split(range[i] "-" range[i], ends, "-")
                    for (n = ends[1]; n <= ends[2] + 0; n++) print idle[n] + 0, n
                }
            }' | sort -rn | cut -d' ' -f2
}
pids=() limit=() pin=()
mapfile -t cpus < <(cpus)
[ -n "$core" ] || limit=(-V "$seconds")
stop() {
    for p in "${pids[@]}"; do kill -INT "$p" 2>/dev/null || true; done
    wait || true
}
trap stop EXIT
for ((i = 0; i < jobs; i++)); do
    role=-S
    [ $i -gt 0 ] || role=-M
    [ ${#cpus[@]} = 0 ] || pin=(taskset -c "${cpus[i % ${#cpus[@]}]}")
    # shellcheck disable=SC2086
    "${pin[@]}" afl-fuzz $role "job$i" "${limit[@]}" -t 5000 ${size:+-G $size} -i "$out/in" -o "$out/sync" \
        -- "$build/fuzz/$harness" >"$out/job$i.log" 2>&1 &
    pids+=($!)
done

# sum FIELD: over all instances.
sum() {
    cat "$out"/sync/*/fuzzer_stats 2>/dev/null |
        awk -v f="$1" '$1 == f {gsub("%", "", $3); n += $3} END {print n + 0}'
}
# spent: processor seconds of all instances and of what they started.
spent() {
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v roots="${pids[*]}" -v hz="$(getconf CLK_TCK)" '
        {pid = $1; sub(/^.*\) /, ""); up[pid] = $2; t[pid] = $12 + $13 + $14 + $15}
        END {
            split(roots, r, " ")
            for (i in r) root[r[i]] = 1
            for (pid in up) {
                for (p = pid; p in up && !(p in root); ) p = up[p]
                if (p in root) n += t[pid]
            }
            printf "%d", n / hz
        }'
}
found() { find "$out/sync" -path "*/$1/id*" 2>/dev/null | wc -l; }
status() {
    printf '%s: %s s, %d core s, %d executions, %d inputs, %d crashes, %d hangs' "$target" "$1" \
        "$cores" "$(sum execs_done)" "$(sum corpus_count)" "$(found crashes)" "$(found hangs)"
}
began=$SECONDS cores=0
while kill -0 "${pids[@]}" 2>/dev/null; do
    [ -t 1 ] && printf '\r\033[K%s' "$(status $((SECONDS - began)))"
    sleep 1
    now=$(spent)
    [ "$now" -le "$cores" ] || cores=$now
    if [ -n "$core" ] && [ "$cores" -ge $((seconds * jobs)) ]; then
        kill -INT "${pids[@]}" 2>/dev/null || true
        break
    fi
done
failed=0
for p in "${pids[@]}"; do wait "$p" || failed=1; done
echo "$cores" >"$out/core-seconds"
pids=()
[ -t 1 ] && printf '\r\033[K'
executions=$(sum execs_done) crashes=$(found crashes) hangs=$(found hangs)
status $((SECONDS - began))
echo
if [ $failed != 0 ] || [ "$executions" -lt $((seconds * ${CORBEL_FUZZ_MINIMUM:-20})) ]; then
    tail -5 "$out"/job*.log >&2
    echo "campaign: too few executions: $executions in $seconds s" >&2
    exit 1
fi
if [ "$crashes" != 0 ] || [ "$hangs" != 0 ]; then
    shown=0
    for f in "$out"/sync/*/crashes/id* "$out"/sync/*/hangs/id*; do
        [ -f "$f" ] || continue
        if [ $preset = afl ]; then
            echo "campaign: $build/fuzz/fuzz_tool replay '$f'" >&2
            shown=$((shown + 1))
            [ $shown -le 3 ] || continue
            # All that it takes to see it again elsewhere; a hang would not end by itself.
            "$build/fuzz/fuzz_tool" print "$f" >&2 || true
            timeout 20 "$build/fuzz/fuzz_tool" replay "$f" 2>&1 | tail -1 >&2 || true
        else
            echo "campaign: $build/fuzz/$harness '$f'" >&2
            base64 -w 76 "$f" | head -50 >&2
        fi
    done
    exit 1
fi
