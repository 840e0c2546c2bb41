/* Bring-up of the bare image: reads like its table of contents. */
#include "bare/bare.h"
#include "core/console/console.h"
#include "port/console.h"
#include "port/power.h"
#include "port/time.h"

static struct bare_boot boot;

static void say_result(bool passed)
{
    static const char pass[] = "RESULT PASS\n", fail[] = "RESULT FAIL\n";

    port_console_write(PORT_CONSOLE_HV, passed ? pass : fail, sizeof(pass) - 1);
}

static void say_machine(void)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < boot.ram_count; i++)
        bytes += boot.ram[i].end - boot.ram[i].start;
    hv_log(2, "Corbel on bare metal, TSC %u kHz", port_tsc_khz());
    hv_log(2, "image: text %lu KiB, constants %lu KiB, data %lu KiB, zeroed %lu KiB",
           (uint64_t)(image_text_end - image_start) >> 10,
           (uint64_t)(image_rodata_end - image_text_end) >> 10,
           (uint64_t)(image_data_end - image_rodata_end) >> 10,
           (uint64_t)(image_end - image_data_end) >> 10);
    hv_log(2, "RAM: %lu KiB in %zu ranges", bytes >> 10, boot.ram_count);
}

void bare_start(uint32_t magic, uint32_t info)
{
    struct boot_info core = {.cpu_count = 1};

    uart_init();
    trap_init();
    if (!multiboot_parse(magic, info, &boot))
        port_panic("not started by a multiboot2 loader with a memory map");
    cmdline_parse(boot.cmdline);
    if (options.mem != 0)
        multiboot_limit(&boot, options.mem);
    paging_init(&boot);
    clock_init();
    core.ram = boot.ram;
    core.ram_count = boot.ram_count;
    if (hv_init(&core) != 0)
        port_panic("not enough memory to start");
    console_show(options.log_lines);
    say_machine();
    lapic_init();
    acpi_init(boot.rsdp, boot.rsdp_bytes);
    selftest_run(options.selftest);
    say_result(first_light());
    port_power_off();
}
