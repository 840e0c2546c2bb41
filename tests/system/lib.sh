# shellcheck shell=bash
# What the tests of the bare image share. Sourced.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
clean='audit without them: 0 violations, 0 frames leaked'
# QEMU counts instructions instead of time: nothing depends on how busy the host is. With
# two CPUs QEMU 7.2 then lets one run until the next timer is due, an access to a timer, or a
# PAUSE: programs for it do not loop without either (tests/sim/guest/act_smp.c).
counted=(-icount shift=0)

# want PATTERN...: the serial line has said them.
want() {
    local pattern
    for pattern in "$@"; do
        grep -qE -e "$pattern" "$work/serial" || { echo "missing: $pattern"; bad=1; }
    done
}

# said: shows what the serial line said, which is in $work/raw, and leaves it in $work/serial.
said() {
    tr -d '\r\0\033' <"$work/raw" >"$work/serial"
    cat "$work/serial"
}

# guest NAME KERNEL MEMORY VCPUS COMMAND LINE: adds to $configs the configuration of a guest;
# the kernel $linux goes with the initrd beside it.
configs=() linux=''
guest() {
    {
        printf 'name = "%s"\nkernel = "%s"\nmemory = %s\nvcpus = %s\n' "$1" "$(realpath "$2")" \
            "$3" "$4"
        printf 'extra = "%s"\n' "$5"
        [ "$2" != "$linux" ] || printf 'ramdisk = "%s"\n' "$(realpath "$guests/initrd.gz")"
    } >"$work/$1.cfg"
    configs+=("$work/$1.cfg")
}

# iso_with_command_line ISO WORDS OUT: a copy of ISO that boots with WORDS.
iso_with_command_line() {
    printf 'serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n' \
        >"$work/grub.cfg"
    printf 'set timeout=0\nmenuentry "Corbel" {\n  multiboot2 /boot/corbel %s\n}\n' "$2" \
        >>"$work/grub.cfg"
    [ -s "$1" ] || { echo "$1: no such image"; return 1; }
    mkdir -p "$work/iso/boot/grub"
    cp "$work/grub.cfg" "$work/iso/boot/grub/grub.cfg"
    rm -f "$work/iso/boot/corbel"
    { xorriso -osirrox on -indev "$1" -extract /boot/corbel "$work/iso/boot/corbel" &&
        grub-mkrescue -o "$3" "$work/iso"; } >"$work/mkrescue.log" 2>&1 ||
        { cat "$work/mkrescue.log"; return 1; }
}

# boot ISO [QEMU ARGUMENTS...]: leaves what the serial line said in $work/serial
# and the machine's exit status in $status. With $until set the machine is ended,
# with status "ended", once a line matches it.
boot() {
    local iso=$1 pid
    shift
    [ -s "$iso" ] || { echo "$iso: no such image"; exit 1; }
    status=
    rm -f "$work/raw"
    timeout "${BOOT_SECONDS:-60}" qemu-system-x86_64 -M q35 -accel tcg -cpu qemu64 -m 512 \
        -display none -serial "file:$work/raw" -monitor none -no-reboot -cdrom "$iso" "$@" \
        </dev/null 2>"$work/qemu.err" &
    pid=$!
    while [ -n "${until:-}" ] && kill -0 "$pid" 2>/dev/null; do
        if grep -qsE "$until" "$work/raw"; then
            kill "$pid"
            wait "$pid" || true
            status=ended
            break
        fi
        sleep 0.1
    done
    if [ "${status:-}" != ended ]; then
        status=0
        wait "$pid" || status=$?
        cat "$work/qemu.err"
    fi
    head -c 65536 "$work/raw" | tr -d '\r\0\033' >"$work/serial"
}
