#!/usr/bin/env bash
# Installs the packages of ci/packages.txt that are missing. Does nothing, and
# needs no rights, when all are there.
#
# Debian 12's libunicorn cannot run a paging guest, so there the library comes
# from trixie: this adds trixie as a source for libunicorn alone and pins
# everything else in it to "never".
set -euo pipefail
shopt -s inherit_errexit

ci=$(cd "$(dirname "$0")" && pwd)
unicorn_least=2.1.1
source_file=/etc/apt/sources.list.d/corbel-trixie.sources
pin_file=/etc/apt/preferences.d/corbel-unicorn

say() {
    echo "setup: $*"
}

# As root, whoever we are.
privileged() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "need root, or sudo, to run: $*" >&2
        return 1
    fi
}

wanted_packages() {
    sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$ci/packages.txt"
}

# Empty when the package is not installed.
installed_version() {
    { dpkg-query -W -f='${db:Status-Status} ${Version}' "$1" 2>/dev/null || true; } |
        sed -n 's/^installed //p'
}

# Is version $1 (may be empty) recent enough for the simulator?
unicorn_ok() {
    [[ -n $1 ]] && dpkg --compare-versions "$1" ge "$unicorn_least"
}

missing_packages() {
    local package version wanted
    wanted=$(wanted_packages)
    while read -r package; do
        version=$(installed_version "$package")
        if [[ -z $version ]]; then
            echo "$package"
        elif [[ $package == libunicorn-dev ]] && ! unicorn_ok "$version"; then
            echo "$package"
        fi
    done <<<"$wanted"
}

# The machine's own Debian mirror: "URI file:line" of the source for bookworm.
own_mirror() {
    # shellcheck disable=SC2016 # apt expands it
    apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI) $(SOURCESENTRY)' \
        'Created-By: Packages' | sed -n 's/^bookworm main //p' | head -n 1
}

# The key that a source names: Signed-By of the stanza (or line) at file:line.
own_key() {
    local file=${1%:*} line=${1##*:} key=
    if [[ $file == *.sources ]]; then
        # The entry's number counts stanzas or names a line, as versions of apt
        # differ: a file's first key serves for all of its stanzas.
        key=$(sed -n 's/^[Ss]igned-[Bb]y:[[:space:]]*\(\/[^[:space:]]*\).*/\1/p' "$file" |
            head -n 1)
    elif [[ -f $file ]]; then
        key=$(sed -n "${line}s/.*signed-by=\([^] ]*\).*/\1/p" "$file")
    fi
    echo "${key:-/usr/share/keyrings/debian-archive-keyring.gpg}"
}

# Writes standard input to a root-owned file.
install_file() {
    privileged install -d -m 0755 "$(dirname "$1")"
    privileged tee "$1" >/dev/null
    privileged chmod 0644 "$1"
}

update_lists() {
    # Another source of the machine may be broken; what counts is whether the
    # packages install.
    privileged apt-get update -qq || say "apt-get update failed for some source; going on"
}

unicorn_candidate() {
    apt-cache policy libunicorn-dev | sed -n 's/^ *Candidate: //p' | grep -v none || true
}

add_trixie() {
    local mirror uri key
    mirror=$(own_mirror)
    if [[ -z $mirror ]]; then
        say "no apt source for bookworm/main found: cannot tell which mirror has trixie" >&2
        return 1
    fi
    uri=${mirror%% *}
    key=$(own_key "${mirror#* }")
    say "adding trixie from $uri for libunicorn alone"
    install_file "$pin_file" <<END
Package: *
Pin: release n=trixie
Pin-Priority: -1

Package: libunicorn-dev libunicorn2t64 libunicorn2
Pin: release n=trixie
Pin-Priority: 990
END
    install_file "$source_file" <<END
Types: deb
URIs: ${uri%/}
Suites: trixie
Components: main
Signed-By: $key
END
    update_lists
    if ! unicorn_ok "$(unicorn_candidate)"; then
        say "no libunicorn-dev $unicorn_least or later to be had" >&2
        return 1
    fi
}

main() {
    local list missing
    list=$(missing_packages)
    if [[ -z $list ]]; then
        say "all $(wanted_packages | wc -l) packages are installed"
        return 0
    fi
    mapfile -t missing <<<"$list"
    say "${#missing[@]} packages to install: ${missing[*]}"
    update_lists
    # shellcheck disable=SC1091 # the machine's file
    if [[ " ${missing[*]} " == *" libunicorn-dev "* ]] && ! unicorn_ok "$(unicorn_candidate)" &&
        [[ $(. /etc/os-release && echo "${VERSION_CODENAME:-}") == bookworm ]]; then
        add_trixie
    fi
    say "installing"
    privileged env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends --no-remove -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 \
        "${missing[@]}" >/dev/null
    list=$(missing_packages)
    if [[ -n $list ]]; then
        say "still missing: ${list//$'\n'/ }" >&2
        return 1
    fi
    say "done"
}

main
