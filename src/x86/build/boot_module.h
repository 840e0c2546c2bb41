/* What a multiboot module is, from its command line: the kernel or the ramdisk of
 * a guest that starts with the machine. Words, in any order:
 *
 *     guest=NAME                whose it is; up to 31 letters, digits, '-', '_', '.'
 *     role=kernel|ramdisk       default kernel
 * and with a kernel:
 *     memory=SIZE               MiB, or with K, M or G behind it; default 256
 *     vcpus=N                   1 to 128; default 1
 *     cpus=LIST                 where its vCPUs may run: "0-1,3"; default anywhere
 *     weight=N                  the credit scheduler's; default 256
 *     -- COMMAND LINE           everything behind it goes to the guest as it is
 *
 * A first word that begins with '/' is the file's name, which some loaders pass. */
#ifndef CORBEL_X86_BUILD_BOOT_MODULE_H
#define CORBEL_X86_BUILD_BOOT_MODULE_H

#include "base/types.h"

#define BOOT_MODULE_NAME 32u /* with its NUL */
#define BOOT_MODULE_MEMORY_MIN (UINT64_C(1) << 20)
#define BOOT_MODULE_MEMORY_MAX (UINT64_C(1) << 40)

enum boot_module_role { MODULE_OTHER, MODULE_KERNEL, MODULE_RAMDISK };

struct boot_module {
    uint8_t role; /* enum boot_module_role; MODULE_OTHER: no guest= */
    char guest[BOOT_MODULE_NAME];
    uint64_t memory; /* bytes, a multiple of 4 KiB */
    uint32_t vcpus;
    uint64_t cpus; /* bit per CPU; 0: anywhere */
    uint16_t weight;
    const char *cmdline; /* in the text parsed, or NULL */
};

/* Reads the command line s. NULL, or one sentence about what is wrong with it. */
const char *boot_module_parse(const char *s, struct boot_module *out);

#endif
