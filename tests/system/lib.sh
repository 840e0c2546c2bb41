# What the tests of the bare image share. Sourced.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# iso_with_command_line ISO WORDS OUT: a copy of ISO that boots with WORDS.
iso_with_command_line() {
    printf 'serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n' \
        >"$work/grub.cfg"
    printf 'set timeout=0\nmenuentry "Corbel" {\n  multiboot2 /boot/corbel %s\n}\n' "$2" \
        >>"$work/grub.cfg"
    xorriso -indev "$1" -outdev "$3" -boot_image any replay \
        -map "$work/grub.cfg" /boot/grub/grub.cfg >"$work/xorriso.log" 2>&1 ||
        { cat "$work/xorriso.log"; return 1; }
}

# boot ISO [QEMU ARGUMENTS...]: leaves what the serial line said, without GRUB's
# screen, in $work/serial and the machine's exit status in $status.
boot() {
    local iso=$1
    shift
    status=0
    timeout "${BOOT_SECONDS:-60}" qemu-system-x86_64 -M q35 -accel tcg -cpu qemu64 -m 512 \
        -display none -serial "file:$work/raw" -monitor none -no-reboot -cdrom "$iso" "$@" \
        </dev/null || status=$?
    head -c 65536 "$work/raw" | tr -d '\r\0\033' >"$work/serial"
}
