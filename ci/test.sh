#!/usr/bin/env bash
# Installs what is needed, builds every configuration, and runs every test.
# Ends with "N passed, N failed"; exits non-zero when anything failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh
passed=0 failed=0

# suite NAME BUILD-DIRECTORY [ctest arguments]: runs tests and counts them.
suite() {
    local name=$1 dir=$2 log result
    shift 2
    log="$PWD/build/logs/suite-$(tr -c 'a-zA-Z0-9\n' '-' <<<"$name").log"
    echo "== $name"
    ctest --test-dir "$dir" --output-on-failure --timeout 600 "$@" >"$log" 2>&1 || true
    grep -E '^ *[0-9]+/[0-9]+ Test' "$log" | sed -E 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: /  /' || true
    result=$(grep -cE 'Test +#[0-9]+: .* Passed' "$log") || true
    passed=$((passed + result))
    result=$(grep -cE 'Test +#[0-9]+: .*\*\*\*' "$log") || true
    failed=$((failed + result))
    if grep -qE 'No tests were found|Errors while running' "$log"; then
        grep -q 'No tests were found' "$log" && failed=$((failed + 1))
        sed -n '/^ *[0-9]*\/[0-9]* Test .*\*\*\*/,$p' "$log" | head -80
    fi
}

step "packages" bash ci/setup.sh
step "build with gcc, sanitized" build asan
step "build with gcc, optimised" build hosted
step "build with clang, fuzz target" build fuzz
step "build the bare image" build bare
step "stock Debian kernels" bash ci/kernels.sh
step "initial RAM disk" bash ci/initrd.sh

suite "structure" build/asan -L structure -j "$jobs"
suite "unit tests under ASan and UBSan" build/asan -L unit -j "$jobs"
suite "simulator scenarios" build/hosted -L sim -j "$jobs"
suite "fuzzers: what they found, and a minute more" build/fuzz -L fuzz -j "$jobs"
suite "proofs" build/hosted -L proof -j "$jobs"
suite "bare image in QEMU and Bochs" build/bare -L system -j "$jobs"

echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
