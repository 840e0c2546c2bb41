#!/usr/bin/env bash
# Eva goes through whole handlers from arbitrary arguments, guest memory and state; each of its
# alarms is in eva/baseline.toml with what discharges it. usage: eva.sh [option...] [sweep...]
#   --all      also the sweeps that take long
#   --record   writes the baseline's alarms from this run; reasons stay, new alarms want one
#   --list     names the sweeps
# Ends with "N sweeps, N alarms"; non-zero on a new alarm, on one that is gone, on less reached.
# Without arguments also with a check taken out of the source, whose alarm must be seen.
set -euo pipefail
eva=$(dirname "$0")/lib/eva.py
python3 "$eva" "$@"
[ $# -eq 0 ] || exit 0
if seen=$(python3 "$eva" sched_op --wrong \
    'src/core/sched/sched_op.c|p.nr_ports > POLL_PORTS_MAX|p.nr_ports == 0'); then
    echo "a missing check in op_poll() was not seen"
    exit 1
fi
grep -o "new: .*op_poll: .*'room'" <<<"$seen" || { echo "$seen"; exit 1; }
