/* Bring-up of the bare image: reads like its table of contents. */
#include "bare/bare.h"
#include "core/console/console.h"
#include "port/power.h"
#include "port/time.h"

static struct bare_boot boot;

void bare_start(uint32_t magic, uint32_t info)
{
    struct boot_info core = {.cpu_count = 1};

    uart_init();
    trap_init();
    if (!multiboot_parse(magic, info, &boot))
        port_panic("not started by a multiboot2 loader with a memory map");
    paging_init(&boot);
    clock_init();
    core.ram = boot.ram;
    core.ram_count = boot.ram_count;
    if (hv_init(&core) != 0)
        port_panic("not enough memory to start");
    hv_log(1, "Corbel on bare metal, TSC %u kHz\n", port_tsc_khz());
    lapic_init();
    acpi_init(boot.rsdp);
    hv_log(0, first_light() ? "RESULT PASS\n" : "RESULT FAIL\n");
    port_power_off();
}
