#!/usr/bin/env bash
# Boots Corbel in Bochs: VT-x, the serial line on the terminal.
# usage: run-bochs.sh [-c WORDS] [-s CPUS] [-m MIB] [-p CPU MODEL] [-d ISO] [-t SECONDS] [guest.cfg...]
#   -c WORDS  the hypervisor's command line    -s CPUS      default 1
#   -m MIB    memory, default 512              -p CPU MODEL default corei7_skylake_x
#   -d ISO    boot this one as it is           -t SECONDS   end the machine after so long
# The image is build/bare/corbel, or $CORBEL_IMAGE. The machine ends when the hypervisor powers
# it off. Bochs has no way to tell how: the serial line does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cpus=1 memory=512 model=corei7_skylake_x seconds=36000 words='' iso=''
while getopts c:s:m:p:d:t: opt; do
    case $opt in
    c) words=$OPTARG ;;
    s) cpus=$OPTARG ;;
    m) memory=$OPTARG ;;
    p) model=$OPTARG ;;
    d) iso=$OPTARG ;;
    t) seconds=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "$iso" ]; then
    iso=$work/corbel.iso
    "$here/mkiso.sh" ${CORBEL_IMAGE:+-i "$CORBEL_IMAGE"} -c "$words" -o "$iso" "$@"
fi
mkfifo "$work/serial"
cat >"$work/rc" <<EOF
cpu: model=$model, count=$cpus, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest=$memory, host=$memory
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
pci: enabled=1, chipset=i440fx
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=$iso, status=inserted
boot: cdrom
clock: sync=none, time0=utc
com1: enabled=1, mode=file, dev=$work/serial
display_library: rfb, options="timeout=0"
panic: action=fatal
error: action=ignore
info: action=ignore
log: $work/log
EOF
echo c >"$work/debugger"
cat "$work/serial" &
reader=$!
timeout "$seconds" bochs-bin -q -f "$work/rc" -rc "$work/debugger" </dev/null >"$work/out" 2>&1 ||
    true
wait "$reader"
# Its own way of saying that the machine was switched off.
if grep '>>PANIC<<' "$work/log" | grep -v 'soft power off'; then
    exit 1
fi >&2
