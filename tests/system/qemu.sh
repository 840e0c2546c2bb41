#!/usr/bin/env bash
# Corbel on AMD-V: boots the image with guests in QEMU and wants what the scenario says
# on the serial line, the audit clean, and the machine switched off.
# usage: qemu.sh IMAGE GUESTS PROGRAMS SCENARIO
#   GUESTS    the folder with stock kernels (cloud/vmlinuz) and initrd.gz: ci/kernels.sh
#   PROGRAMS  the folder with our own: acts.elf, engine.elf, hostile.elf
#   SCENARIO  engine: what the CPU does in guests    acts: what x86 and core do, 1 vCPU
#             leak: no registers leak between vCPUs; level-triggered interrupts
#             smp: the same with 3 vCPUs on 2 CPUs   hostile: guests that misbehave, and one
#             linux: a stock kernel, its workload    that does not
#             linux-smp: one with 4 vCPUs on 2 CPUs  two: two of them, one of which panics
#             refused: a CPU without AMD-V           invalid: a vCPU's state that no CPU enters
set -euo pipefail
image=$1 guests=$2 programs=$3 scenario=$4
here=$(dirname "$0")
# shellcheck source=tests/system/lib.sh
. "$here/lib.sh"
given='decompressors: [1-9][0-9]+ KiB of the image given back'
linux=$guests/cloud/vmlinuz

boot() { # CPUS MEMORY SECONDS [QEMU ARGUMENTS...]
    local cpus=$1 memory=$2 seconds=$3 status=0
    shift 3
    CORBEL_IMAGE=$image timeout "$seconds" "$here/../../boot/run-qemu.sh" -s "$cpus" \
        -m "$memory" "${configs[@]}" -- "$@" </dev/null >"$work/raw" || status=$?
    said
    [ "$status" = 0 ] || { echo "the machine ended with $status"; bad=1; }
}

case $scenario in
engine)
    guest engine "$programs/engine.elf" 32 1 machine=qemu
    boot 1 256 120 "${counted[@]}"
    want '^engine \| RESULT PASS' 'guest engine powered off' "$clean" '^RESULT PASS'
    ;;
acts)
    guest acts "$programs/acts.elf" 64 1 ''
    boot 1 256 240 "${counted[@]}"
    want '^acts \| RESULT PASS' 'guest acts powered off' "$clean" '^RESULT PASS'
    ;;
leak)
    guest a "$programs/acts.elf" 32 2 'only=leak hw=1'
    guest b "$programs/acts.elf" 32 1 'only=leak hw=1'
    guest c "$programs/acts.elf" 32 1 'only=lapic-level upcall=gsi'
    boot 1 256 240
    want '^a \| PASS leak-two' '^a \| RESULT PASS' '^b \| RESULT PASS' '^c \| RESULT PASS' \
        "$clean" '^RESULT PASS'
    ;;
smp)
    guest acts "$programs/acts.elf" 64 3 ''
    boot 2 256 600 "${counted[@]}"
    want '^acts \| RESULT PASS' 'guest acts powered off' "$clean" '^RESULT PASS'
    ;;
hostile)
    guest flood "$programs/hostile.elf" 32 1 mode=flood
    guest triple "$programs/hostile.elf" 32 1 mode=triple
    guest scribble "$programs/hostile.elf" 32 1 mode=scribble
    guest good "$programs/engine.elf" 32 1 machine=qemu
    boot 2 512 240
    want '^good \| RESULT PASS' 'guest good powered off' "$clean" '^flood \| hostile: flood over' \
        '^scribble \| hostile: scribbled' 'guest triple (asked|crashed|rebooted|restarted)'
    ;;
linux)
    guest one "$linux" 256 1 'console=hvc0 quiet'
    boot 1 768 600
    want '^one \| .*corbel: workload ok' 'guest one powered off' "$clean" '^RESULT PASS' "$given"
    ;;
linux-smp)
    guest one "$linux" 256 4 'console=hvc0 corbel.test=boot'
    boot 2 768 600
    want '^one \| .*smp: Brought up 1 node, 4 CPUs' '^one \| .*corbel: user space reached' \
        'guest one powered off' "$clean" '^RESULT PASS'
    ;;
two)
    guest good "$linux" 192 1 'console=hvc0 quiet corbel.test=boot'
    guest bad "$linux" 192 1 'console=hvc0 quiet corbel.test=crash'
    boot 2 1024 900
    want '^good \| .*corbel: user space reached' '^bad \| .*corbel: user space reached' \
        'guest good powered off' 'guest bad crashed' "$clean" "$given"
    ;;
invalid)
    guest engine "$programs/engine.elf" 32 2 role=invalid
    boot 1 256 120 "${counted[@]}"
    want 'VMRUN refused: in long mode CS.L and CS.D are both set' 'guest engine crashed' "$clean"
    ;;
refused)
    guest engine "$programs/engine.elf" 32 1 machine=qemu
    boot 1 256 120 -cpu qemu64,-svm
    want 'no guest can run on this machine: the CPU has neither VT-x nor AMD-V' '^RESULT FAIL'
    ;;
*)
    echo "no such scenario: $scenario"
    exit 2
    ;;
esac
exit $bad
