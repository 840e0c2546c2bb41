#!/usr/bin/env bash
# Corbel on VT-x, and a little of AMD-V: boots the image with guests in Bochs and wants what the scenario says
# on the serial line, and the audit clean. Bochs ends when the hypervisor switches the machine
# off; it cannot tell how it ended.
# usage: bochs.sh IMAGE GUESTS PROGRAMS SCENARIO
#   GUESTS    the folder with stock kernels (cloud/vmlinuz) and initrd.gz: ci/kernels.sh
#   PROGRAMS  the folder with our own: acts.elf, engine.elf, hostile.elf, state.elf
#   SCENARIO  engine: what the CPU does in guests     acts: what x86 and core do, 1 vCPU
#             smp: the same with 3 vCPUs on 2 CPUs    hostile: guests that misbehave, and one
#             linux: a stock kernel to user space     that does not
#             two: two of them, one of which panics   two-smp: the same on 2 CPUs
#             linux-smp: one with 4 vCPUs on 2 CPUs
#             leak: two guests and three vCPUs on one CPU see nothing of each other's registers
#             apic: what the CPU does of local APICs, in both modes, and level-triggered
#             linux-xapic: a stock kernel that leaves the local APIC in xAPIC mode
#             fallback: engine, acts, leak and apic on a CPU without APIC virtualisation,
#             PAUSE-loop exits and EPT pages of 1 GiB, and without the timer
#             refused: a CPU without unrestricted guest
#             svm: on AMD-V, with next-RIP, flush by ASID and the PAUSE filter, which QEMU lacks;
#             what else Bochs does of AMD-V is too far from the manual for more
set -euo pipefail
image=$1 guests=$2 programs=$3 scenario=$4
here=$(dirname "$0") words=''
# shellcheck source=tests/system/lib.sh
. "$here/lib.sh"
linux=$guests/cloud/vmlinuz

boot() { # CPUS MEMORY SECONDS [CPU MODEL]
    CORBEL_IMAGE=$image "$here/../../boot/run-bochs.sh" -c "$words" -s "$1" -m "$2" -t "$3" -p "${4:-corei7_skylake_x}" \
        "${configs[@]}" >"$work/raw" || bad=1
    said
    echo
}

case $scenario in
engine)
    guest engine "$programs/engine.elf" 32 1 ''
    boot 1 256 300
    want '^engine \| RESULT PASS' 'guest engine powered off' "$clean" '^RESULT PASS'
    ;;
acts)
    guest acts "$programs/acts.elf" 64 1 ''
    boot 1 256 600
    want '^acts \| RESULT PASS' 'guest acts powered off' "$clean" '^RESULT PASS'
    ;;
smp)
    guest acts "$programs/acts.elf" 64 3 ''
    boot 2 256 900
    want '2 CPUs of 2 run' '^acts \| RESULT PASS' 'guest acts powered off' "$clean" '^RESULT PASS'
    ;;
leak)
    guest a "$programs/acts.elf" 32 2 'only=leak hw=1'
    guest b "$programs/acts.elf" 32 1 'only=leak hw=1'
    boot 1 256 300
    want '^a \| PASS leak-two' '^a \| RESULT PASS' '^b \| RESULT PASS' "$clean" '^RESULT PASS'
    ;;
apic)
    guest a "$programs/acts.elf" 32 1 only=lapic
    guest b "$programs/acts.elf" 32 1 'only=lapic-level upcall=gsi'
    boot 1 256 300
    want '^a \| RESULT PASS' '^b \| RESULT PASS' "$clean" '^RESULT PASS' \
        'VT-x: EPT.*, timer, virtual interrupts$'
    ;;
fallback)
    guest engine "$programs/engine.elf" 32 1 ''
    guest acts "$programs/acts.elf" 64 1 ''
    guest a "$programs/acts.elf" 32 2 'only=leak hw=1'
    guest b "$programs/acts.elf" 32 1 'only=lapic-level upcall=gsi'
    words=vmx-timer=off
    boot 1 512 900 corei7_sandy_bridge_2600k
    want '^engine \| RESULT PASS' '^acts \| RESULT PASS' "$clean" '^RESULT PASS' \
        '^a \| PASS leak-two' '^a \| RESULT PASS' '^b \| RESULT PASS' \
        'VT-x: EPT, unrestricted guest, VPID, RDTSCP, WBINVD$'
    ;;
refused)
    guest engine "$programs/engine.elf" 32 1 ''
    boot 1 256 300 corei5_lynnfield_750
    want 'no guest can run on this machine: no unrestricted guest' '^RESULT FAIL'
    ;;
svm)
    guest engine "$programs/engine.elf" 32 1 machine=bochs-svm
    boot 1 256 300 ryzen
    want 'AMD-V: 32768 ASIDs, features 44f' '^engine \| PASS lengths' '^engine \| RESULT PASS' \
        "$clean" '^RESULT PASS'
    ;;
hostile)
    # "mode=flood" asks for hours of honest work here: qemu.sh has it.
    guest triple "$programs/hostile.elf" 32 1 mode=triple
    guest scribble "$programs/hostile.elf" 32 1 mode=scribble
    guest state "$programs/state.elf" 32 2 ''
    guest good "$programs/engine.elf" 32 1 ''
    words=apicv=off # which the other scenarios leave on
    boot 1 512 900
    want 'VT-x: EPT.*, timer$' '^good \| RESULT PASS' 'guest good powered off' "$clean" \
        '^scribble \| hostile: scribbled' 'guest triple (asked|crashed|rebooted|restarted)' \
        "not entered at rip 100000: a segment's limit that does not go with its G" \
        'guest state crashed'
    ;;
linux)
    guest one "$linux" 128 1 'console=hvc0 quiet corbel.test=boot'
    boot 1 512 1500
    want '^one \| .*corbel: user space reached' 'guest one powered off' "$clean" '^RESULT PASS'
    ;;
linux-xapic)
    guest one "$linux" 128 1 'console=hvc0 nox2apic quiet corbel.test=boot'
    boot 1 512 1500
    want '^one \| .*corbel: user space reached' 'guest one powered off' "$clean" '^RESULT PASS'
    ;;
linux-smp)
    guest one "$linux" 192 4 'console=hvc0 corbel.test=boot'
    boot 2 512 1700
    want '^one \| .*smp: Brought up 1 node, 4 CPUs' '^one \| .*corbel: user space reached' \
        'guest one powered off' "$clean" '^RESULT PASS'
    ;;
two | two-smp)
    guest good "$linux" 128 1 'console=hvc0 quiet corbel.test=boot'
    guest bad "$linux" 128 1 'console=hvc0 quiet corbel.test=crash'
    [ "$scenario" = two ] && cpus=1 || cpus=2
    boot "$cpus" 768 1700
    want '^good \| .*corbel: user space reached' '^bad \| .*corbel: user space reached' \
        'guest good powered off' 'guest bad crashed' "$clean"
    ;;
*)
    echo "no such scenario: $scenario"
    exit 2
    ;;
esac
exit $bad
