#!/usr/bin/env bash
# Boots the ISO in QEMU TCG and wants its verdict on the serial line, and the
# machine switched off.
# usage: [COMMAND_LINE=WORDS] boot_bare.sh ISO [QEMU ARGUMENTS...]
set -euo pipefail
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
iso=$1
shift
if [ -n "${COMMAND_LINE:-}" ]; then
    iso_with_command_line "$iso" "$COMMAND_LINE" "$work/boot.iso"
    iso=$work/boot.iso
fi
boot "$iso" "$@"
cat "$work/serial"
if ! grep -q 'RESULT PASS' "$work/serial" || grep -q 'RESULT FAIL' "$work/serial"; then
    echo "no RESULT PASS"
    exit 1
fi
[ "$status" = 0 ] || { echo "the machine did not power off (status $status)"; exit 1; }
