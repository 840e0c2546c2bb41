#!/usr/bin/env bash
# Makes a CD image that GRUB 2 boots on BIOS and UEFI machines, with guests.
# usage: mkiso.sh [-i IMAGE] [-c WORDS] [-o ISO] [guest.cfg...]
#   -i IMAGE  the hypervisor's image          default: build/bare/corbel
#   -c WORDS  the hypervisor's command line
#   -o ISO    where to put the CD image       default: build/bare/guests.iso
# A guest.cfg is an xl configuration file of lines KEY = VALUE, of which these count:
# name, kernel, ramdisk, memory, vcpus, cpus, root, extra, cmdline. Relative file names
# are looked for beside it.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
image=$top/build/bare/corbel iso=$top/build/bare/guests.iso words=''
while getopts i:c:o: opt; do
    case $opt in
    i) image=$OPTARG ;;
    c) words=$OPTARG ;;
    o) iso=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grub=$work/iso/boot/grub/grub.cfg

# value FILE KEY: what FILE sets KEY to, without its quotes.
value() {
    sed -n "s/^[[:space:]]*$2[[:space:]]*=[[:space:]]*//p" "$1" | tail -n 1 |
        sed "s/^\"\\(.*\\)\"[[:space:]]*\$/\\1/; s/^'\\(.*\\)'[[:space:]]*\$/\\1/; s/[[:space:]]*\$//"
}

# quoted WORD...: each as GRUB's shell takes it literally.
quoted() {
    local word
    for word in "$@"; do
        case $word in
        *\'*) echo "$0: GRUB cannot pass on $word" >&2 && exit 2 ;;
        esac
        printf " '%s'" "$word"
    done
}

# add_file CFG FILE NAME: copies FILE, relative to CFG, onto the CD.
add_file() {
    local file=$2
    [[ $file = /* ]] || file=$(dirname "$1")/$file
    [ -s "$file" ] || { echo "$1: $file: no such file" >&2 && exit 2; }
    mkdir -p "$work/iso/guests"
    cp "$file" "$work/iso/guests/$3"
}

guest() {
    local cfg=$1 name kernel ramdisk key v cmdline line
    name=$(value "$cfg" name) kernel=$(value "$cfg" kernel) ramdisk=$(value "$cfg" ramdisk)
    [[ $name =~ ^[A-Za-z0-9._-]+$ && -n $kernel ]] ||
        { echo "$cfg: wants a name and a kernel" >&2 && exit 2; }
    cmdline=$(value "$cfg" cmdline)
    if [ -z "$cmdline" ]; then
        v=$(value "$cfg" root)
        cmdline="${v:+root=$v }$(value "$cfg" extra)"
    fi
    add_file "$cfg" "$kernel" "$name.kernel"
    line="guest=$name role=kernel"
    for key in memory vcpus cpus; do
        v=$(value "$cfg" "$key")
        line+=${v:+ $key=$v}
    done
    set -f
    # shellcheck disable=SC2086  # words are wanted
    printf '    module2 --nounzip /guests/%s.kernel%s%s\n' "$name" \
        "$(quoted $line)" "$([ -z "$cmdline" ] || quoted -- $cmdline)" >>"$grub"
    set +f
    if [ -n "$ramdisk" ]; then
        add_file "$cfg" "$ramdisk" "$name.ramdisk"
        printf "    module2 --nounzip /guests/%s.ramdisk guest=%s role=ramdisk\n" \
            "$name" "$name" >>"$grub"
    fi
}

[ -s "$image" ] || { echo "$image: no such image" >&2 && exit 2; }
mkdir -p "$work/iso/boot/grub"
case $image in
*.gz) cp "$image" "$work/iso/boot/corbel" ;; # GRUB unpacks it
*) objcopy --strip-debug "$image" "$work/iso/boot/corbel" ;;
esac
{
    printf 'serial --unit=0 --speed=115200\nterminal_input serial console\n'
    printf 'terminal_output serial console\nset timeout=0\nmenuentry "Corbel" {\n'
    set -f
    # shellcheck disable=SC2086
    printf '    multiboot2 /boot/corbel%s\n' "$(quoted $words)"
    set +f
} >"$grub"
for cfg in "$@"; do
    guest "$cfg"
done
printf '    boot\n}\n' >>"$grub"
grub-mkrescue -o "$iso" "$work/iso" >"$work/log" 2>&1 || { cat "$work/log" >&2 && exit 1; }
