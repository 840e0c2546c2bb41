/* Port: the machine's memory. Every RAM frame is readable and writable by the
 * hypervisor at port_directmap + maddr. */
#ifndef CORBEL_PORT_MEM_H
#define CORBEL_PORT_MEM_H

#include "base/types.h"

/* Base of the direct map; constant once the port has started. */
extern uint8_t *port_directmap;

/* The hypervisor's pointer to a machine frame (which must be RAM). */
static inline void *mfn_to_ptr(mfn_t m)
{
    return port_directmap + (m.v << PAGE_SHIFT);
}

/* The machine frame behind a pointer into the direct map. */
static inline mfn_t ptr_to_mfn(const void *p)
{
    return mfn((uint64_t)((const uint8_t *)p - port_directmap) >> PAGE_SHIFT);
}

/* Tells the port that the hypervisor wrote [m, m+count) on a guest's behalf,
 * so that engines which cache decoded code drop what they hold of it. */
void port_code_changed(mfn_t m, uint64_t count);

#endif
