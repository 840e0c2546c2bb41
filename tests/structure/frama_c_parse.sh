#!/usr/bin/env bash
# Every file of src/base, src/core and src/x86 parses in Frama-C, as the proofs
# need it; two at a time. Contracts are proofs/prove.sh's to read, with what they
# are written in (proofs/include). usage: frama_c_parse.sh ROOT
set -euo pipefail
root=$1
command -v frama-c >/dev/null || { echo "frama-c is not installed (ci/setup.sh installs it)"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Only upstream's headers, not the rest of /usr/include: Frama-C has its own.
ln -s /usr/include/xen "$work/xen"

# parse ROOT WORK FILE
parse() {
    local root=$1 work=$2 file=$3 log
    log=$(mktemp -p "$work")
    frama-c -machdep gcc_x86_64 -c11 -no-autoload-plugins -no-annot \
        -cpp-extra-args="-I$root/src -isystem$work -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00" \
        -kernel-verbose 0 "$file" >"$log" 2>&1 && return 0
    echo "${file#"$root/"}: does not parse in Frama-C"
    grep -m3 -iE 'error|failure|unsupported' "$log" || tail -3 "$log"
    return 1
}
export -f parse

mapfile -t sources < <(find "$root/src/base" "$root/src/core" "$root/src/x86" -name '*.c' | sort)
[ "${#sources[@]}" -gt 0 ] || { echo "no sources below $root/src"; exit 1; }
printf '%s\0' "${sources[@]}" |
    xargs -0 -P 2 -I{} bash -c 'parse "$@"' parse "$root" "$work" {} || exit 1
echo "${#sources[@]} files parse"
