#!/usr/bin/env bash
# Builds the test guests' initial RAM disk from Debian's busybox-static and
# tests/sim/guest/init. The same inputs give the same bytes.
#
# Result: build/guests/initrd.gz
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
out=${CORBEL_GUESTS:-$top/build/guests}
init=$top/tests/sim/guest/init

# Debian's static busybox: the installed one, or fetched from its package.
find_busybox() {
    local work=$1 path
    path=$(dpkg-query -L busybox-static 2>/dev/null | grep -x '\(/usr\)\?/bin/busybox' || true)
    if [[ -z $path ]]; then
        chmod 0755 "$work"
        (cd "$work" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" busybox-static \
            >/dev/null)
        dpkg-deb -x "$work"/busybox-static_*.deb "$work/deb"
        path=$(find "$work/deb" -path '*/bin/busybox' -print -quit)
    fi
    echo "$path"
}

main() {
    local work root busybox
    mkdir -p "$out"
    work=$(mktemp -d "$out/initrd.XXXXXX")
    # shellcheck disable=SC2064 # the directory is known now
    trap "rm -rf '$work'" EXIT
    busybox=$(find_busybox "$work")
    root=$work/root
    mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp"
    install -m 0755 "$busybox" "$root/bin/busybox"
    ln -s busybox "$root/bin/sh"
    install -m 0755 "$init" "$root/init"
    find "$root" -exec touch -h -d @0 {} +
    (cd "$root" && find . -print0 | LC_ALL=C sort -z |
        cpio --null --quiet -o -H newc -R 0:0 --reproducible) >"$work/initrd"
    gzip -n -9 "$work/initrd"
    if cmp -s "$work/initrd.gz" "$out/initrd.gz"; then
        echo "initrd: $out/initrd.gz is up to date"
    else
        mv "$work/initrd.gz" "$out/initrd.gz"
        echo "initrd: $out/initrd.gz ($(stat -c %s "$out/initrd.gz") bytes)"
    fi
}

main
