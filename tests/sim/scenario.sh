#!/usr/bin/env bash
# One simulator scenario. usage: scenario.sh CORBEL-SIM GUESTS HOSTILE-ELF NAME [ACTS-ELF]
# GUESTS is the folder that ci/kernels.sh and ci/initrd.sh fill; scenarios acts-* need none.
set -euo pipefail
sim=$1 guests=$2 hostile=$3 name=$4 acts=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=$work/out

fail() {
    echo "scenario $name: $*"
    tail -60 "$out" 2>/dev/null || true
    exit 1
}

# guest NAME KERNEL VCPUS MEMORY [EXTRA]: writes an xl.cfg file
guest() {
    local kernel=$2 ramdisk="ramdisk = \"$guests/initrd.gz\""
    case $kernel in
    cloud | amd64) kernel=$guests/$kernel/vmlinuz ;;
    *) ramdisk= ;;
    esac
    cat >"$work/$1.cfg" <<EOF
name = "$1"
type = "pvh"
kernel = "$kernel"
$ramdisk
memory = $4
vcpus = $3
extra = "console=hvc0 corbel.vcpus=$3 ${5:-}"
EOF
}

# run EXPECTED-STATUS ARGUMENTS...
run() {
    local want=$1 got=0
    shift
    timeout 500 "$sim" "$@" >"$out" 2>&1 </dev/null || got=$?
    [ "$got" = "$want" ] || fail "exit status $got, expected $want"
}

has() { grep -qE "$1" "$out" || fail "no line matches: $1"; }
clean() { has '^audit: clean, 0 frames leaked$'; }
reached() { has "^$1 *\\| .*corbel: user space reached"; }
worked() { has "^$1 *\\| .*corbel: workload ok"; }

# Bad input: one clear line, exit status 1.
refused() {
    run 1 "$@"
    [ "$(wc -l <"$out")" = 1 ] || fail "not exactly one line"
}

boot() { # KERNEL VCPUS PCPUS
    guest one "$1" "$2" 256 corbel.test=boot
    run 0 --pcpus "$3" "$work/one.cfg"
    reached one
    clean
}

work() { # KERNEL VCPUS PCPUS: boot and run the workload
    guest one "$1" "$2" 256
    run 0 --pcpus "$3" "$work/one.cfg"
    worked one
    clean
}

with_neighbour() { # STATUS MODE [OPTIONS...]
    local status=$1 mode=$2
    shift 2
    guest good cloud 1 256 corbel.test=boot
    guest bad "$hostile" 1 64 "mode=$mode"
    run "$status" --pcpus 2 "$@" "$work/good.cfg" "$work/bad.cfg"
    reached good
    has '^guest good: powered off'
    clean
}

# acts STATUS "SIM OPTIONS" VCPUS EXTRA...: one guest for each EXTRA, numbered from 1 on as
# their domains are; every one of them must say that all its acts passed.
acts() {
    local status=$1 vcpus=$3 options n=0 configs=()
    read -ra options <<<"$2"
    shift 3
    for extra in "$@"; do
        n=$((n + 1))
        guest "g$n" "$acts" "$vcpus" 32 "$extra"
        configs+=("$work/g$n.cfg")
    done
    run "$status" "${options[@]}" --max-time 100 "${configs[@]}"
    for ((; n > 0; n--)); do
        has "^g$n *\\| RESULT PASS"
    done
    ! grep -E '\| (FAIL|RESULT FAIL)' "$out" || fail "an act failed"
    clean
}

duet=("role=server peer=2" "role=client peer=1")
trio=("role=server peer=2 play=trio" "role=middle peer=1 next=3" "role=client peer=2 play=trio")

same_twice() { # VCPUS PCPUS OPTIONS...
    guest one cloud "$1" 256 corbel.test=boot
    local pcpus=$2
    shift 2
    for i in 1 2; do
        run 0 --pcpus "$pcpus" --trace "$work/trace$i" "$@" "$work/one.cfg"
        grep -v 'wall' "$out" >"$work/out$i"
    done
    [ -s "$work/trace1" ] || fail "empty trace"
    cmp "$work/trace1" "$work/trace2" || fail "traces differ"
    cmp "$work/out1" "$work/out2" || fail "outputs differ"
    python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$work/trace1" || fail "not JSON"
}

case $name in
cloud-1v-1p) boot cloud 1 1 ;;
cloud-4v-1p) boot cloud 4 1 ;;
cloud-4v-4p) work cloud 4 4 ;;
amd64-1v-4p) boot amd64 1 4 ;;
amd64-4v-4p) work amd64 4 4 ;;
xapic)
    guest one cloud 2 256 "nox2apic corbel.test=boot"
    run 0 --pcpus 2 "$work/one.cfg"
    reached one
    clean
    ;;
audited)
    guest one cloud 2 256 corbel.test=boot
    run 0 --pcpus 2 --audit-every 50 "$work/one.cfg"
    reached one
    clean
    ;;
written)
    written() { # MODE: how many pages it writes
        guest one "$hostile" 1 64 "mode=$1"
        run 0 --written "$work/one.cfg"
        clean
        sed -n 's/^  pages written: //p' "$out"
    }
    one=$(written fill1) three=$(written fill3)
    [ "$((three - one))" = 512 ] || fail "$one pages written by fill1, $three by fill3"
    [ "$((one))" -lt 300 ] || fail "$one pages written by fill1"
    # A stock kernel, with what somebody else may write held against the log at each audit.
    guest one cloud 2 256 corbel.test=boot
    run 0 --pcpus 2 --written --audit-every 200 "$work/one.cfg"
    reached one
    has '^  pages written: [1-9][0-9]{3}'
    clean
    ;;
same-1v) same_twice 1 1 ;;
same-4v) same_twice 4 4 --seed 7 ;;
neighbour-crash)
    guest good cloud 1 256
    guest bad cloud 1 256 corbel.test=crash
    run 2 --pcpus 2 "$work/good.cfg" "$work/bad.cfg"
    worked good
    has '^guest bad: crashed'
    clean
    ;;
neighbour-triple) with_neighbour 4 triple ;; # as on Xen, the guest asks for a reboot
neighbour-spin) with_neighbour 4 spin --max-time 5 ;;
neighbour-scribble) with_neighbour 0 scribble ;;
neighbour-flood) with_neighbour 0 flood ;;
acts-alone)
    acts 0 "--pcpus 1" 1 role=alone
    acts 0 "--pcpus 1 --audit-every 50" 1 role=alone
    acts 0 "--pcpus 1" 1 "only=lapic-level upcall=gsi" only=leak
    ;;
acts-smp)
    acts 0 "--pcpus 2" 2 role=alone
    acts 0 "--pcpus 2 --sched rtds --seed 3" 4 role=alone
    acts 0 "--pcpus 1 --audit-every 50" 3 role=alone
    acts 0 "--pcpus 1" 2 only=leak only=leak
    ;;
acts-pair)
    acts 0 "--pcpus 2" 1 "${duet[@]}"
    acts 0 "--pcpus 1 --seed 5" 1 "${duet[@]}"
    acts 0 "--pcpus 2 --audit-every 50" 2 "${duet[@]}"
    ;;
acts-trio)
    acts 0 "--pcpus 3" 1 "${trio[@]}"
    acts 0 "--pcpus 2 --seed 9 --audit-every 50" 1 "${trio[@]}"
    ;;
acts-silo) acts 0 "--pcpus 2 --silo" 1 "role=stranger peer=2" "role=stranger peer=1" ;;
acts-dying)
    acts 0 "--pcpus 2" 1 "role=stays peer=2" "role=dies peer=1 how=off"
    acts 2 "--pcpus 2" 1 "role=stays peer=2" "role=dies peer=1 how=crash"
    acts 0 "--pcpus 1" 1 "role=dies peer=2 how=off" "role=stays peer=1"
    acts 2 "--pcpus 2 --audit-every 20" 1 "role=dies peer=2 how=crash" "role=stays peer=1"
    ;;
bad-input)
    refused --kernel "$work/absent" --memory 64
    head -c 5000 "$guests/cloud/vmlinuz" >"$work/short"
    refused --kernel "$work/short" --memory 64
    cp /bin/true "$work/true"
    refused --kernel "$work/true" --memory 64
    echo "not a kernel" >"$work/text"
    refused --kernel "$work/text" --memory 64
    refused --kernel "$hostile" --memory 0
    refused --kernel "$hostile" --memory 99999999999
    refused --kernel "$guests/cloud/vmlinuz" --memory 8
    refused --kernel "$hostile" --vcpus 1000
    refused --no-such-option
    refused "$work/absent.cfg"
    guest one "$hostile" 1 64
    echo 'frobnicate = 1' >>"$work/one.cfg"
    refused "$work/one.cfg"
    echo 'memory = = 3' >"$work/broken.cfg"
    run 1 "$work/broken.cfg"
    refused
    ;;
*) fail "unknown scenario" ;;
esac
echo "scenario $name: ok"
