/* Bring-up of the bare image: reads like its table of contents. */
#include "bare/bare.h"
#include "base/arith.h"
#include "bare/guest.h"
#include "core/console/console.h"
#include "core/state.h"
#include "port/power.h"
#include "port/time.h"

static struct bare_boot boot;

static void say_result(bool passed)
{
    static const char pass[] = "RESULT PASS\n", fail[] = "RESULT FAIL\n";

    uart_write(passed ? pass : fail, sizeof(pass) - 1);
}

static void say_machine(void)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < boot.ram_count; i++)
        bytes += boot.ram[i].end - boot.ram[i].start;
    hv_log(2, "Corbel on bare metal, %s, TSC %u kHz by the %s, %s", boot.efi ? "UEFI" : "BIOS",
           port_tsc_khz(), clock_source(), lapic_mode());
    hv_log(2,
           "image: text %lu KiB and %lu KiB of decompressors, constants %lu KiB, data %lu KiB, "
           "zeroed %lu KiB",
           (uint64_t)(image_text_end - image_start) >> 10,
           (uint64_t)(image_unpack_end - image_text_end) >> 10,
           (uint64_t)(image_rodata_end - image_unpack_end) >> 10,
           (uint64_t)(image_data_end - image_rodata_end) >> 10,
           (uint64_t)(image_end - image_data_end) >> 10);
    hv_log(2, "RAM: %lu KiB in %zu ranges", bytes >> 10, boot.ram_count);
    hv_log(2, "ACPI: %u tables, %u broken; %u CPUs, %u I/O APICs, %u PCI segments",
           bare_acpi.tables, bare_acpi.broken, bare_acpi.madt.cpus, bare_acpi.madt.ioapics,
           bare_acpi.mcfg.segments);
}

/* The boot CPU becomes CPU 0, wherever the MADT has it. Without a MADT it is alone. */
static uint32_t count_cpus(void)
{
    struct acpi_madt *m = &bare_acpi.madt;
    uint32_t self = cpuid(1, 0).ebx >> 24;

    if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx != 0)
        self = cpuid(0xb, 0).edx;
    for (unsigned i = 0; i < m->cpus; i++) {
        if (m->cpu_apic_id[i] == self) {
            m->cpu_apic_id[i] = m->cpu_apic_id[0];
            m->cpu_apic_id[0] = self;
            return (uint32_t)min_u64(m->cpus, options.maxcpus);
        }
    }
    return 1;
}

static void start_core(void)
{
    struct boot_info core = {
        .ram = boot.ram,
        .ram_count = boot.ram_count,
        .kept = {image_phys(image_text_end), image_phys(image_unpack_end)},
        .cpu_count = count_cpus(),
        .sched_kind = options.sched_kind,
        .silo = options.silo,
    };

    if (hv_init(&core) != 0)
        port_panic("not enough memory to start");
    console_show(options.log_lines);
    frame_table_thin();
    console_show_guests(options.guest_log_lines);
}

void bare_start(uint32_t magic, uint32_t info)
{
    bool passed, guests;

    clock_begin();
    cpu_boot_init();
    uart_init();
    if (!multiboot_parse(magic, info, &boot))
        port_panic("not started by a multiboot2 loader with a memory map");
    cmdline_parse(boot.cmdline);
    uart_init(); /* com1= may have moved it */
    if (options.mem != 0)
        multiboot_limit(&boot, options.mem);
    paging_init(&boot);
    cpu_load_control_registers();
    acpi_init(boot.rsdp, boot.rsdp_bytes);
    clock_init();
    start_core();
    lapic_init();
    ioapic_init();
    say_machine();
    guests = guest_start();
    smp_start(&boot);
    hv_log(2, "scheduler %s, policy %s", sched_kind_name(hv->sched_kind),
           hv->policy_silo ? "silo" : "dummy");
    hv_log(2, "%u CPUs of %u run, %lu KiB of memory used by the hypervisor", smp_running(),
           hv->cpu_count,
           hv->hyp_pages * 4 + ((uint64_t)(image_end - image_unpack_end) >> 10) +
               ((uint64_t)(image_text_end - image_start) >> 10));
    selftest_run(options.selftest);
    if (options.first_light || boot.module_count == 0)
        passed = first_light(guests);
    else
        passed = guests && boot_guests_build(&boot) && boot_guests_run();
    say_result(passed);
    port_power_off();
}
