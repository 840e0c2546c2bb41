#!/usr/bin/env bash
# A file that is no program gets one clear line and status 2; so does a campaign
# without AFL++. usage: test_bad_input.sh TOOL DIRECTORY
set -euo pipefail
tool=$1 dir=$2/bad-input
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"

# expect WORDS COMMAND...: fails with status 2 and one line on stderr that has WORDS.
expect() {
    local words=$1 status=0
    shift
    "$@" >"$dir/out" 2>"$dir/err" || status=$?
    if [ $status != 2 ] || [ "$(wc -l <"$dir/err")" != 1 ] || ! grep -q "$words" "$dir/err"; then
        echo "$*: status $status, not 2 with one line about '$words':"
        cat "$dir/err"
        exit 1
    fi
}
: >"$dir/empty"
head -c 77 /dev/zero >"$dir/odd"
printf '#fuzz\n1.0 evtchn_send port=1\n1.0 evtchn_sned port=1\n' >"$dir/typo"
for verb in replay print check; do
    expect "no program" "$tool" $verb "$dir/empty"
    expect "no program" "$tool" $verb "$dir/odd"
    expect "line 3" "$tool" $verb "$dir/typo"
    expect "No such file" "$tool" $verb "$dir/nothing"
done
mkdir -p "$dir/bin"
for name in bash dirname cd pwd; do
    [ ! -x "/usr/bin/$name" ] || ln -sf "/usr/bin/$name" "$dir/bin/$name"
done
expect "install AFL++" env PATH="$dir/bin" bash "$here/campaign.sh"
