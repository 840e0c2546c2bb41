/* The page of calls that a guest asks for by an MSR: one entry of 32 bytes for
 * each hypercall number. */
#include "base/string.h"
#include "core/guest_mem/guest_mem.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define FILLER 0xccu /* int3 */

void hypercall_page_entry(uint8_t entry[HYPERCALL_ENTRY_SIZE], uint32_t nr, bool intel)
{
    memset(entry, FILLER, HYPERCALL_ENTRY_SIZE);
    if (nr == __HYPERVISOR_iret) {
        entry[0] = 0x0f; /* ud2: only PV guests return that way */
        entry[1] = 0x0b;
        return;
    }
    entry[0] = 0xb8; /* mov $nr, %eax */
    memcpy(&entry[1], &nr, sizeof(nr));
    entry[5] = 0x0f; /* vmcall or vmmcall */
    entry[6] = 0x01;
    entry[7] = intel ? 0xc1 : 0xd9;
    entry[8] = 0xc3; /* ret */
}

void hypercall_page_fill(uint8_t page[4096], bool intel)
{
    uint32_t i;

    for (i = 0; i < HYPERCALL_ENTRIES; i++) {
        hypercall_page_entry(page + i * HYPERCALL_ENTRY_SIZE, i, intel);
    }
}

/* Entry by entry: a page is too much for a hypervisor's stack. */
int hypercall_page_install(struct domain *d, gfn_t g)
{
    bool intel = d->arch->vendor == VENDOR_INTEL;
    uint8_t entry[HYPERCALL_ENTRY_SIZE];
    uint32_t i;

    for (i = 0; i < HYPERCALL_ENTRIES; i++) {
        int rc;

        hypercall_page_entry(entry, i, intel);
        rc = guest_phys_write(d, gaddr(gfn_gaddr(g).v + i * HYPERCALL_ENTRY_SIZE), entry,
                              sizeof(entry));
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
