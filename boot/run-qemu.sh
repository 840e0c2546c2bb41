#!/usr/bin/env bash
# Boots Corbel in QEMU without hardware help (TCG): AMD-V, the serial line on the terminal.
# usage: run-qemu.sh [-c WORDS] [-s CPUS] [-m MIB] [-M MACHINE] [-u] [-d ISO] [guest.cfg...]
#                    [-- QEMU ARGUMENTS...]
#   -c WORDS  the hypervisor's command line    -s CPUS     default 2
#   -m MIB    memory, default 1024             -M MACHINE  q35 (default) or pc
#   -u        UEFI (OVMF) instead of BIOS      -d ISO      boot this one as it is
# The image is build/bare/corbel, or $CORBEL_IMAGE. Ctrl-C ends the machine, as does its own
# power-off; a restart ends it, too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cpus=2 memory=1024 machine=q35 uefi='' words='' iso=''
while getopts c:s:m:M:ud: opt; do
    case $opt in
    c) words=$OPTARG ;;
    s) cpus=$OPTARG ;;
    m) memory=$OPTARG ;;
    M) machine=$OPTARG ;;
    u) uefi=1 ;;
    d) iso=$OPTARG ;;
    *) exit 2 ;;
    esac
done
last=$((OPTIND - 1))
[ "$last" = 0 ] || ended=${!last} # getopts takes the first -- away
shift "$last"
guests=()
while [ "${ended:-}" != -- ] && [ $# -gt 0 ]; do
    [ "$1" != -- ] || { shift && break; }
    guests+=("$1")
    shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$iso" ]; then
    iso=$work/corbel.iso
    "$here/mkiso.sh" ${CORBEL_IMAGE:+-i "$CORBEL_IMAGE"} -c "$words" -o "$iso" "${guests[@]}"
fi
firmware=()
if [ -n "$uefi" ]; then
    cp /usr/share/OVMF/OVMF_VARS_4M.fd "$work/vars.fd"
    firmware=(-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
        -drive "if=pflash,format=raw,file=$work/vars.fd")
fi
# One of the host's CPUs: QEMU 7.2's, side by side, now and then execute code as it was before
# another has rewritten it. And without what TCG gets wrong: see src/bare/svm/README.md.
pin=()
if [ "$cpus" != 1 ]; then
    allowed=$(taskset -cp $$)
    pin=(taskset -c "$(for range in $(tr , ' ' <<<"${allowed##*: }"); do
        seq "${range%-*}" "${range#*-}"
    done | shuf -n 1)")
fi
"${pin[@]}" qemu-system-x86_64 -M "$machine" -accel tcg -cpu EPYC,+svm,+npt,-smap,-rdtscp,-monitor \
    -smp "$cpus" -m "$memory" -display none -monitor none -serial stdio -no-reboot \
    "${firmware[@]}" -cdrom "$iso" "$@" 2> >(grep -v "TCG doesn.t support requested feature" >&2)
