#!/usr/bin/env bash
# Boots the ISO in QEMU TCG and wants its verdict on the serial line.
# usage: boot_bare.sh ISO [QEMU ARGUMENTS...]
set -euo pipefail
iso=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
timeout 120 qemu-system-x86_64 -M q35 -accel tcg -cpu qemu64 -m 512 -display none \
    -serial "file:$log" -monitor none -no-reboot -cdrom "$iso" "$@" </dev/null || status=$?
tr -d '\r' <"$log"
if ! grep -q 'RESULT PASS' "$log" || grep -q 'RESULT FAIL' "$log"; then
    echo "no RESULT PASS"
    exit 1
fi
[ "$status" = 0 ] || { echo "the machine did not power off (status $status)"; exit 1; }
