/* The machine that programs run on: small, two CPUs, four domains with some
 * memory, grants and event channels between them. */
#ifndef CORBEL_FUZZ_MACHINE_H
#define CORBEL_FUZZ_MACHINE_H

#include "base/types.h"

#define MACHINE_DOMAINS 4u /* 0: control; 1, 2: plain; 3: driver domain, no control */
#define MACHINE_VCPUS 2u   /* domain 3 has one; domain 2's second is down */
#define MACHINE_CPUS 2u
#define MACHINE_BYTES (UINT64_C(4) << 20)

/* Where things are in every domain's memory, as frame numbers. */
#define RAM_GFN 0x00u   /* memory nobody uses for anything else ... */
#define RAM_GFNS 0x20u  /* ... so many frames */
#define ARG_GFN 0x20u   /* arguments of vCPU 0, two frames; then vCPU 1's */
#define CODE_GFN 0x24u  /* instructions */
#define TABLE_GFN 0x25u /* page tables: root, then one of 1 GiB pages: identity */
#define INFO_GFN 0x30u  /* shared_info */
#define GRANT_GFN 0x31u /* grant table, two frames; then status */
#define HOLE_GFN 0x40u  /* nothing there */
#define HOLE_GFNS 0x20u

/* Argument area of a vCPU: slots for structures (four, for multicalls), lists of
 * numbers, multicall entries, and a buffer. Offsets from ARG_GFN's frame. */
#define ARG_SLOT 0x200u
#define ARG_SLOTS 4u
#define ARG_LIST 0x800u /* ARG_SLOT per slot: its lists */
#define ARG_LISTS 3u
#define ARG_LIST_BYTES 0x80u
#define ARG_LIST_ITEMS 16u
#define ARG_MULTICALL 0x1000u
#define ARG_BUFFER 0x1400u
#define ARG_BYTES 0x2000u

static inline uint64_t arg_base(unsigned vcpu)
{
    return ((uint64_t)ARG_GFN + 2 * vcpu) << PAGE_SHIFT;
}

/* Starts the world, the hypervisor and the domains. Aborts when that fails. */
void machine_build(void);
/* Pages that were free or the hypervisor's own before there were domains. */
uint64_t machine_pages(void);
/* Where a domain's memory is now; NULL when nothing writable is mapped there. */
struct domain;
void *machine_ram(struct domain *d, uint64_t gpa);
/* While on, machine_ram() takes no lock and populates nothing. */
void machine_ram_unlocked(bool on);

/* engine.c: the guests' CPUs. Every vCPU does what the program says, then halts. */
#define ENGINE_GUESTS 16u
size_t engine_pool_bytes(void);
void engine_pool_at(void *p); /* where to keep all state of guests */

#endif
