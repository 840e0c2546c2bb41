#!/usr/bin/env bash
# Fetches Debian's stock kernels, which are the simulator's and the system
# tests' guests: linux-image-amd64 and linux-image-cloud-amd64 of the release
# this machine runs. Unpacks vmlinuz and config, installs nothing.
#
#   ci/kernels.sh [amd64|cloud]...     default: both
#
# Result: build/guests/{amd64,cloud}/{vmlinuz,config,version}
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
out=${CORBEL_GUESTS:-$top/build/guests}

# The versioned package behind a metapackage: first kernel image it depends on.
versioned_package() {
    apt-cache depends --important "$1" |
        sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}

fetch() {
    local flavour=$1 meta=$2 package version dir work deb
    dir=$out/$flavour
    # Nothing newer can be known as long as apt's lists have not changed.
    if [[ -s $dir/vmlinuz && $dir/version -nt /var/lib/apt/lists ]]; then
        echo "kernels: $flavour: $(<"$dir/version") (cached)"
        return 0
    fi
    package=$(versioned_package "$meta")
    if [[ -z $package ]]; then
        echo "kernels: $meta names no kernel package; run apt-get update" >&2
        return 1
    fi
    version=$(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
    if [[ -s $dir/vmlinuz && -s $dir/version && $(<"$dir/version") == "$package $version" ]]; then
        touch "$dir/version"
        echo "kernels: $flavour: $package $version (cached)"
        return 0
    fi
    mkdir -p "$dir"
    work=$(mktemp -d "$dir/fetch.XXXXXX")
    # apt drops its privileges to download and must be able to write here.
    chmod 0755 "$work"
    if ! (cd "$work" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" \
        "$package=$version" >/dev/null); then
        rm -rf "$work"
        echo "kernels: cannot download $package $version" >&2
        return 1
    fi
    deb=$(find "$work" -name '*.deb' -print -quit)
    # Only /boot is wanted: the modules would be half a gigabyte.
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" --wildcards './boot/*'
    mv "$work"/boot/vmlinuz-* "$dir/vmlinuz"
    mv "$work"/boot/config-* "$dir/config"
    echo "$package $version" >"$dir/version"
    rm -rf "$work"
    echo "kernels: $flavour: $package $version"
}

main() {
    local flavour
    if [[ $# -eq 0 ]]; then
        set -- amd64 cloud
    fi
    for flavour in "$@"; do
        case $flavour in
        amd64) fetch amd64 linux-image-amd64 ;;
        cloud) fetch cloud linux-image-cloud-amd64 ;;
        *)
            echo "kernels: no such flavour: $flavour" >&2
            exit 2
            ;;
        esac
    done
}

main "$@"
