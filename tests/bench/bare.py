"""The production image: what its paths cost, how large it is, what memory it takes, and how
soon a guest runs. In QEMU with -icount the TSC counts instructions, exactly and repeatably;
without, it is the host's; in Bochs it counts what Bochs takes for a cycle.

Peers are Xen 4.17.7 of Debian 12 on the same emulators. Instructions: tests/sim/guest/measure.c
as its PVH dom0 (dom0=pvh dom0_mem=512M, and -device amd-iommu,intremap=on) in the same QEMU,
less what its RDTSC costs there, which Xen intercepts (the line "nothing"). Grants have no peer:
mapping a page of its own takes it from a PVH dom0. The rest: as PV dom0 with a PVH guest,
measured once; ticks there are of the host's TSC, and so depend on the host.
"""
import os
import re
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COUNTED = ["--", "-icount", "shift=0,sleep=off"]
# Rows in the order of the program's: name there, name here.
PATHS = {
    "cpuid": "CPUID exit",
    "xen_version": "hypercall (xen_version)",
    "multicall_of_8": "multicall of 8 xen_version",
    "event_to_handler": "event sent to handler entered",
    "grant_map": "grant map, to itself",
    "grant_unmap": "grant unmap",
    "timer_event_to_handler": "Xen timer to handler entered",
    "self_ipi_xapic": "self-IPI by xAPIC to handler entered",
    "eoi_xapic": "EOI by xAPIC",
    "self_ipi_x2apic": "self-IPI by x2APIC to handler entered",
    "self_ipi_register": "self-IPI by its own register to handler entered",
    "eoi_x2apic": "EOI by x2APIC",
    "deadline_arm": "TSC deadline set",
    "deadline_to_handler": "TSC deadline to handler entered, busy",
    "deadline_to_handler_halted": "TSC deadline to handler entered, halted",
    "switch": "vCPU switch by yield",
    "ipi_one_way_halted": "IPI to a halted vCPU's handler",
    "ipi_round_trip_halted": "IPI and its answer, both halted",
    "ipi_one_way_busy": "IPI to a busy vCPU's handler",
    "ipi_round_trip_busy": "IPI and its answer, both busy",
}
XEN_INSTRUCTIONS = {"cpuid": 6071, "xen_version": 6194, "multicall_of_8": 80690,
                    "event_to_handler": 11462, "self_ipi_xapic": 38499, "self_ipi_x2apic": 6679}
# Ticks of the host's TSC on the machine where Xen was measured: its speed is part of them.
XEN_TICKS = {"cpuid": 93143, "xen_version": 95725}


class Machine:
    """One boot of the image with the measuring program as its only guest."""

    def __init__(self, build, emulator, extra, cpus=1, memory=256, vcpus=1, options=()):
        with tempfile.TemporaryDirectory() as work:
            config = os.path.join(work, "measure.cfg")
            with open(config, "w", encoding="ascii") as f:
                f.write(f'name = "m"\nkernel = "{build}/tests/system/measure.elf"\n'
                        f'memory = 64\nvcpus = {vcpus}\nextra = "{extra}"\n')
            command = [os.path.join(ROOT, "boot", f"run-{emulator}.sh"), "-s", str(cpus), "-m",
                       str(memory), config, *options]
            env = dict(os.environ, CORBEL_IMAGE=os.path.join(build, "corbel"))
            start = time.monotonic()
            p = subprocess.run(["timeout", "600", *command], env=env, capture_output=True,
                               stdin=subprocess.DEVNULL, check=False)
            self.seconds = time.monotonic() - start
        self.log = re.sub(r"[\r\0\033]", "", p.stdout.decode(errors="replace"))
        if "m | RESULT PASS" not in self.log or "\nRESULT PASS" not in self.log:
            raise SystemExit(f"{' '.join(command)}: no pass\n{self.log[-3000:]}")
        self.ticks = {name: (int(low), int(mid)) for name, low, mid in
                      re.findall(r"m \| measure (\w+) (\d+) (\d+)", self.log)}

    def number(self, pattern):
        """The number that the log gives where the pattern has its group."""
        return float(re.search(pattern, self.log).group(1))


def paths(row, machine, where, unit, peers=None):
    """A row for each path: the minimum, without the two readings of the clock around it."""
    empty = machine.ticks.get("nothing", (0, 0))[0]
    for name, text in PATHS.items():
        if name not in machine.ticks:
            continue
        low, mid = (max(0, t - empty) for t in machine.ticks[name])
        peer = (peers or {}).get(name)
        row(f"{where}: {text}", low, unit,
            f"Xen 4.17: {peer}" if peer else None,
            f"at most {peer}" if peer else None, median=mid)


def size(build, row):
    """Text by the linker's own marks: before the decompression libraries, and theirs, which is
    given back before the first guest runs."""
    out = subprocess.run(["nm", os.path.join(build, "corbel")], capture_output=True, text=True,
                         check=True).stdout
    start, text, libraries = (int(re.search(rf"^(\w+) \w image_{name}$", out, re.M).group(1), 16)
                          for name in ("start", "text_end", "unpack_rodata"))
    row("image: text of the hypervisor", (text - start) / 1000, "kB", "Xen 4.17: 1440 kB",
        "at most 400")
    row("image: text of the decompression libraries", (libraries - text) / 1000, "kB")


def figures(build, row, quick):
    n = 50 if quick else 200
    size(build, row)
    runs = [Machine(build, "qemu", "n=1000", memory=4096) for _ in range(1 if quick else 3)]
    row("memory: hypervisor, machine of 4 GiB",
        runs[0].number(r"(\d+) KiB of memory used by the hypervisor") / 1024, "MiB",
        "Xen 4.17: 43 MiB", "at most 12")
    row("memory: hypervisor, for a guest of 64 MiB and 1 vCPU",
        runs[0].number(r"(\d+) KiB of the hypervisor, built"), "KiB", "Xen 4.17: 444 KiB",
        "at most 256")
    row("boot: GRUB's jump to the first guest instruction",
        statistics.median(r.number(r"\[ *([\d.]+)\] \(Corbel\) guests start") for r in runs), "s",
        "Xen 4.17: 5 to 6 s", "under 2.5")
    best = min(runs, key=lambda r: r.ticks["xen_version"][0])
    row("QEMU's own clock: CPUID exit", best.ticks["cpuid"][0], "ticks",
        f"Xen 4.17: {XEN_TICKS['cpuid']}")
    row("QEMU's own clock: hypercall (xen_version)", best.ticks["xen_version"][0], "ticks",
        f"Xen 4.17: {XEN_TICKS['xen_version']}")
    paths(row, Machine(build, "qemu", f"n={n}", options=COUNTED), "AMD-V", "insns",
          XEN_INSTRUCTIONS)
    paths(row, Machine(build, "qemu", f"n={n} role=shared", vcpus=2, options=COUNTED),
          "AMD-V, 1 CPU", "insns")
    paths(row, Machine(build, "qemu", f"n={n} role=halted", cpus=2, vcpus=2, options=COUNTED),
          "AMD-V, 2 CPUs", "insns")
    paths(row, Machine(build, "bochs", f"n={n}"), "VT-x", "ticks")
    paths(row, Machine(build, "bochs", f"n={n} role=shared", vcpus=2), "VT-x, 1 CPU", "ticks")
    paths(row, Machine(build, "bochs", f"n={n} role=apart", cpus=2, vcpus=2), "VT-x, 2 CPUs",
          "ticks")


def bare(row, quick):
    build = os.environ.get("CORBEL_BARE_BUILD", os.path.join(ROOT, "build", "bare"))
    for command in (["cmake", "-S", ROOT, "--preset", "bare", "-B", build],
                    ["ninja", "-C", build, "corbel", "system_guests"]):
        p = subprocess.run(command, capture_output=True, text=True, check=False)
        if p.returncode:
            raise SystemExit(f"{' '.join(command)}\n{(p.stdout + p.stderr)[-2000:]}")
    figures(build, row, quick)
