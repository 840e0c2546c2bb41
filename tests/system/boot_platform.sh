#!/usr/bin/env bash
# Boots the image on different machines and with different words, and wants to see on the
# serial line what it made of them.
# usage: boot_platform.sh IMAGE PROGRAMS SCENARIO
#   PROGRAMS  the folder with hostile.elf and engine.elf
#   SCENARIO  smp: four CPUs       maxcpus: two of them          uefi: UEFI firmware, a guest
#             bochs: VT-x, x2APIC, two CPUs, no guest            words: the command line
#             tsc: CPUs whose TSCs differ (Bochs, by TSC_ADJUST and without)
#             memory: what the hypervisor uses of 4 GiB          keys: input on the serial line
#             faults: NMIs and a machine check
#             formats: kernels packed in each way
#             package: what cpack makes
#             modules: guests that are described badly
#             late: CPUs that come after they were given up
set -euo pipefail
image=$1 programs=$2 scenario=$3
here=$(dirname "$0")
# shellcheck source=tests/system/lib.sh
. "$here/lib.sh"
export CORBEL_IMAGE=$image
# await PATTERN: until the serial line has said it, a minute at most.
await() {
    for _ in $(seq 600); do
        ! grep -qE -e "$1" "$work/raw" 2>/dev/null || return 0
        sleep 0.1
    done
    echo "not said within a minute: $1"
    bad=1
}

# run SECONDS RUN-QEMU ARGUMENTS...
run() {
    local seconds=$1
    shift
    status=0
    timeout "$seconds" "$here/../../boot/run-qemu.sh" "$@" </dev/null >"$work/raw" || status=$?
    said
    [ "$status" = 0 ] || { echo "the machine ended with $status"; bad=1; }
}

hostile() { # NAME EXTRA [LINE]
    printf 'name = "%s"\nkernel = "%s"\nmemory = 16\nextra = "%s"\n%s\n' "$1" \
        "$programs/hostile.elf" "$2" "${3:-}" >"$work/$1.cfg"
}

logged='log of written pages: 28, then 28, 8 in the 2 MiB, then 0: right'
passed=('audit: 0 violations, 0 frames leaked' '^RESULT PASS')
case $scenario in
smp)
    run 120 -s 4 -m 256 -- "${counted[@]}"
    want '4 CPUs of 4 run' "$logged" "${passed[@]}"
    ;;
maxcpus)
    run 120 -s 3 -m 256 -c maxcpus=2 -- "${counted[@]}"
    want 'ACPI: .* 3 CPUs' '2 CPUs of 2 run' "${passed[@]}"
    ;;
late)
    run 300 -s 2 -m 256 -c selftest=late -- "${counted[@]}"
    want 'CPU 1 .* does not answer' '1 CPUs of 2 run' "${passed[@]}"
    ;;
uefi)
    guest engine "$programs/engine.elf" 32 1 machine=qemu
    run 240 -u -s 2 -m 512 "${configs[@]}"
    want 'bare metal, UEFI' '2 CPUs of 2 run' '^engine \| RESULT PASS' "$clean" '^RESULT PASS'
    ;;
bochs)
    timeout 300 "$here/../../boot/run-bochs.sh" -s 2 -m 256 -c selftest=entry >"$work/raw" || bad=1
    said
    want 'x2APIC, TSC-deadline timer' 'VT-x: 57 of 57 refusals named' '2 CPUs of 2 run' 'dirty bits' "$logged" "${passed[@]}"
    ;;
tsc)
    bochs() { # MODEL WORD
        timeout 300 "$here/../../boot/run-bochs.sh" -s 2 -m 256 -p "$1" -c "$2" \
            >"$work/raw" || bad=1
        said
    }
    bochs corei7_skylake_x selftest=tsc
    want 'CPU 1: its TSC was 687194[0-9]{5} ticks ahead of the first.*: adjusted' \
        '2 CPUs of 2 run' 'interrupts: woken 10 times of 10' "${passed[@]}"
    bochs corei7_sandy_bridge_2600k selftest=tsc
    want 'CPU 1: its TSC was 687194[0-9]{5} ticks ahead of the first.*: set' \
        '2 CPUs of 2 run' 'interrupts: woken 10 times of 10' 'the CPU does not say what guests write' \
        "${passed[@]}"
    bochs corei7_skylake_x selftest=tsc-stuck
    want 'CPU 1: its TSC is 687194[0-9]{5} ticks off and cannot be set' '1 CPUs of 2 run' \
        "${passed[@]}"
    ;;
words)
    run 120 -s 2 -m 256 -c "com1=115200,8n1,0x3f8,4 console=com1 loglvl=all guest_loglvl=none/all \
        sched=null xsm=silo no-x2apic smep=off maxcpus=1 mem=128M noreboot console_timestamps=none \
        dom0_mem=1G placeholder com1=7 sched=arinc sched" -- "${counted[@]}"
    want '^\(Corbel\) Corbel on bare metal' '1 CPUs of 1 run' 'scheduler null, policy silo' \
        'RAM: 12[0-9]{4} KiB' "${passed[@]}"
    for word in dom0_mem=1G com1=7 sched=arinc sched; do
        [ "$(grep -c "command line: $word is not understood" "$work/serial")" = 1 ] ||
            { echo "$word: not told once"; bad=1; }
    done
    [ "$(grep -c 'is not understood' "$work/serial")" = 4 ] || { echo "too many told"; bad=1; }
    ;;
memory)
    run 240 -s 2 -m 4096 -- "${counted[@]}"
    want "${passed[@]}"
    used=$(sed -n 's/.*CPUs of 2 run, \([0-9]*\) KiB of memory used.*/\1/p' "$work/serial")
    [ "${used:-99999}" -le 12288 ] || { echo "uses ${used:-?} KiB of 4 GiB"; bad=1; }
    ;;
modules)
    hostile one mode=flood 'vcpus = 0'
    run 120 -s 1 -m 256 "$work/one.cfg" -- "${counted[@]}"
    want 'module "guest=one role=kernel memory=16 vcpus=0 .*vcpus= or weight= is out of range' \
        '^RESULT FAIL'
    hostile one mode=flood 'memory = 16384'
    run 120 -s 1 -m 256 "$work/one.cfg" -- "${counted[@]}"
    want 'guest one: the machine has not enough free memory' '^RESULT FAIL'
    head -c 5000 /dev/zero >"$work/zero"
    sed -i "s|^kernel.*|kernel = \"$work/zero\"|; /16384/d" "$work/one.cfg"
    run 120 -s 1 -m 256 "$work/one.cfg" -- "${counted[@]}"
    want 'guest one: the kernel image is neither an ELF' '^RESULT FAIL'
    ;;
formats)
    guests=()
    for format in gzip xz lzma zstd lz4; do
        python3 "$here/pack_kernel.py" "$format" "$programs/hostile.elf" "$work/$format"
        hostile "$format" mode=flood
        sed -i "s|^kernel.*|kernel = \"$work/$format\"|" "$work/$format.cfg"
        guests+=("$work/$format.cfg")
    done
    run 240 -s 1 -m 512 "${guests[@]}" -- "${counted[@]}"
    for format in gzip xz lzma zstd lz4; do
        want "^$format [|] hostile: started" "guest $format powered off"
    done
    want 'audit without them: 0 violations, 0 frames leaked' '^RESULT PASS'
    ;;
keys)
    hostile one mode=spin
    hostile two mode=spin
    mkfifo "$work/keys"
    timeout 120 "$here/../../boot/run-qemu.sh" -s 2 -m 256 "$work/one.cfg" "$work/two.cfg" \
        <"$work/keys" >"$work/raw" &
    exec 3>"$work/keys"
    await 'two is d2'
    sleep 1
    for keys in '\1\1\1' '\1\1\1' h d v r m i e g w w W A '\1\1\1' x '\1\1\1' '\1\1\1' R; do
        printf %b "$keys" >&3
        sleep 0.3
    done
    wait $! || { echo "the machine ended with $?"; bad=1; }
    said
    want 'input goes to two' 'input goes to the hypervisor' 'h help, d domains' \
        'd1 one: alive, [0-9]+ pages' 'd2v0: CPU [01]' 'CPU 1: online' 'memory: [0-9]+ KiB, ' \
        'CPU 0 \(APIC 0\): timer [1-9][0-9]*, kicks [0-9]+, serial [1-9]' \
        'd1 port [0-9]+: unbound' 'd2: version 1, ' \
        'd1: written pages are counted' 'd2: [0-9]+ pages written' 'audit: 0 violations, 0 frames leaked' \
        'input goes to one' 'restart'
    ;;
faults)
    hostile one mode=spin 'cpus = "0"'
    mkfifo "$work/keys" "$work/monitor.in" "$work/monitor.out"
    timeout 120 "$here/../../boot/run-qemu.sh" -s 2 -m 256 -c noreboot "$work/one.cfg" -- \
        -chardev "pipe,id=monitor,path=$work/monitor" -mon chardev=monitor \
        <"$work/keys" >"$work/raw" &
    qemu=$!
    exec 3>"$work/keys"
    cat "$work/monitor.out" >/dev/null &
    exec 4>"$work/monitor.in"
    await 'one [|] hostile: started'
    echo nmi >&4
    sleep 1
    printf '\1\1\1i' >&3
    await 'CPU 1 .*NMIs'
    # Bank 1, an uncorrected error that no guest of its own can be told of.
    echo 'mce 1 1 0xbe00000000000000 0x5 0xfeed000 0x0' >&4
    await '^halted'
    echo quit >&4
    wait "$qemu" || true
    said
    # QEMU's firmware has connected LINT1 of every CPU.
    want 'CPU 0 .*NMIs [1-9]' 'CPU 1 .*NMIs [1-9]' '^PANIC: exception 18' \
        '^machine check status 0000000000000005' \
        '^bank 1: status be00000000000000 address 000000000feed000' '^on CPU 1' \
        '^  .* smp_main\+0x' '^halted'
    ;;
package)
    (cd "$(dirname "$image")" && cpack -B "$work/packages" >"$work/log") || cat "$work/log"
    dpkg-deb -x "$work"/packages/*.deb "$work/root"
    # grep reads to the end: tar must not find its pipe closed.
    tar -tzf "$work"/packages/*.tar.gz | grep '/boot/xen-corbel-' >/dev/null || bad=1
    [ -s "$work/root/usr/share/doc/corbel/copyright" ] || bad=1
    # By these two GRUB's Xen script knows it.
    CORBEL_IMAGE=$(echo "$work"/root/boot/xen-*.gz)
    grub-file --is-x86-multiboot2 "$CORBEL_IMAGE" || { echo "GRUB does not take it"; bad=1; }
    run 120 -s 1 -m 256 -- "${counted[@]}"
    want "${passed[@]}"
    ;;
*)
    echo "no such scenario: $scenario"
    exit 2
    ;;
esac
exit $bad
