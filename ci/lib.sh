# shellcheck shell=bash
# Sourced by the two commands: quiet steps that show progress and keep their logs.
mkdir -p build/logs
jobs=$(nproc)

# step NAME COMMAND...: runs quietly; on failure shows the end of its log and exits.
step() {
    local name=$1 log start
    shift
    log="build/logs/$(tr -c 'a-zA-Z0-9\n' '-' <<<"$name").log"
    start=$SECONDS
    printf '%-44s ' "$name ..."
    if "$@" >"$log" 2>&1; then
        printf 'ok (%d s)\n' $((SECONDS - start))
    else
        printf 'FAILED (%d s)\n' $((SECONDS - start))
        tail -40 "$log"
        echo "the whole log: $log"
        exit 1
    fi
}

# build PRESET [TARGET...]
build() {
    local preset=$1
    shift
    cmake --preset "$preset" >/dev/null && cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"}
}
