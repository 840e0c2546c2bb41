#!/usr/bin/env bash
# Makes the bare image commit faults ("selftest=" on its command line) and wants
# each one reported with registers, stack and callers, and the machine halted
# ("noreboot") or restarted.
# usage: boot_panic.sh ISO IMAGE [QEMU ARGUMENTS...]
set -euo pipefail
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
iso=$1 image=$2
shift 2

# The functions that the report names by address, innermost first. After the
# first they are return addresses, one beyond the call.
callers() {
    local at minus=0
    grep -oE '\[<[0-9a-f]{16}>\]' "$work/serial" | tr -d '[<>]' | while read -r at; do
        printf '%x\n' $((0x$at - minus))
        minus=1
    done | addr2line -f -e "$image" | awk 'NR % 2'
}

fault() { # WORD PATTERN CALLER...
    local word=$1 pattern=$2 last=ended name
    shift 2
    echo "selftest=$word ${noreboot:-}"
    iso_with_command_line "$iso" "selftest=$word nonsense=1 ${noreboot:-}" "$work/boot.iso"
    if [ -n "${noreboot:-}" ]; then
        until='^halted'
    else
        until='' last=0
    fi
    boot "$work/boot.iso" "${qemu[@]}"
    want "$pattern"
    want 'command line: nonsense=1 is not understood'
    want '^rip ffffffff802[0-9a-f]{5} rflags [0-9a-f]{8} cs 0008 ss 00(10|00)'
    want '^rax [0-9a-f]{16} rbx [0-9a-f]{16} rcx [0-9a-f]{16}'
    want '^r15 [0-9a-f]{16} cr0 000000008001[0-9a-f]{4} cr2 [0-9a-f]{16}'
    want '^stack at ffffffff802[0-9a-f]{5}:'
    want "${until:-^restart in five seconds}"
    want '^on CPU 0'
    callers >"$work/callers"
    for name in "$@"; do
        want "^  \\[<[0-9a-f]{16}>\\] $name\\+0x[0-9a-f]+"
        grep -qx "$name" "$work/callers" || { echo "  not among the callers: $name"; bad=1; }
    done
    if grep -q 'RESULT PASS\|nothing happened' "$work/serial"; then
        echo "  went on after the fault"
        bad=1
    fi
    [ "$status" = "$last" ] || { echo "  the machine ended with $status"; bad=1; }
    [ "$bad" = 0 ] || { cat "$work/serial"; cat "$work/callers"; exit 1; }
}

qemu=(-smp 2 "$@")
noreboot=
fault panic '^PANIC: .*selftest\.c:[0-9]+: check failed' selftest_run bare_start
noreboot=noreboot
fault stack '^PANIC: exception 8, error code 0000' recurse
want '^stack overflow: rsp is in the guard page'
fault text '^PANIC: exception 14, error code 0003' write_byte bare_start
fault data '^PANIC: exception 14, error code 0011' jump_to bare_start
fault directmap '^PANIC: exception 14, error code 0003' write_byte bare_start
[ "$bad" = 0 ] && echo "five faults reported"
exit "$bad"
