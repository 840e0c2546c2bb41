#!/usr/bin/env bash
# Installs what is needed, builds, and boots two stock Debian guests side by
# side in the simulator: one with 1 vCPU, one with 4, until both have run a
# workload in user space and powered off.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

step "packages" bash ci/setup.sh
step "build (hosted)" build hosted corbel-sim
step "stock Debian kernels" bash ci/kernels.sh
step "initial RAM disk" bash ci/initrd.sh

guests=build/guests
cat >"$guests/alpha.cfg" <<EOF
name = "alpha"
type = "pvh"
kernel = "$guests/cloud/vmlinuz"
ramdisk = "$guests/initrd.gz"
memory = 256
vcpus = 1
extra = "console=hvc0 corbel.vcpus=1"
EOF
cat >"$guests/beta.cfg" <<EOF
name = "beta"
type = "pvh"
kernel = "$guests/amd64/vmlinuz"
ramdisk = "$guests/initrd.gz"
memory = 384
vcpus = 4
extra = "console=hvc0 corbel.vcpus=4"
EOF
echo "booting alpha (1 vCPU, linux-image-cloud-amd64) and beta (4 vCPUs, linux-image-amd64)"
status=0
build/hosted/hostsim/corbel-sim --pcpus 4 "$guests/alpha.cfg" "$guests/beta.cfg" |
    tee build/run.log || status=${PIPESTATUS[0]}
for guest in alpha beta; do
    grep -q "^$guest *| .*corbel: workload ok" build/run.log || status=1
done
if [ "$status" = 0 ]; then
    echo "done: both guests reached user space, ran their workload and powered off"
else
    echo "failed: exit status $status (the log is in build/run.log)"
fi
exit "$status"
