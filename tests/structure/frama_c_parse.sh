#!/usr/bin/env bash
# Every file of src/base, src/core and src/x86 parses in Frama-C, as the proofs
# need it. usage: frama_c_parse.sh ROOT
set -euo pipefail
root=$1
command -v frama-c >/dev/null || { echo "frama-c is not installed (ci/setup.sh installs it)"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s /usr/include/xen "$work/xen"
mapfile -t sources < <(find "$root/src/base" "$root/src/core" "$root/src/x86" -name '*.c' | sort)
run() {
    frama-c -machdep gcc_x86_64 -c11 -no-autoload-plugins -kernel-warn-key=annot-error=abort \
        -cpp-extra-args="-I$root/src -I$work -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00" \
        -kernel-verbose 0 "$@"
}
bad=0
for f in "${sources[@]}"; do
    if ! run "$f" >"$work/out" 2>&1; then
        echo "${f#"$root/"}: does not parse in Frama-C"
        grep -m3 -iE 'error|failure|unsupported' "$work/out" || tail -3 "$work/out"
        bad=1
    fi
done
[ "$bad" = 0 ] && echo "${#sources[@]} files parse"
exit "$bad"
