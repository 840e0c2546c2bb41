/* Port: ends of the machine. */
#ifndef CORBEL_PORT_POWER_H
#define CORBEL_PORT_POWER_H

#include "base/types.h"

/* The hypervisor's own fault: prints msg with registers and stack, stops all. */
__attribute__((noreturn)) void port_panic(const char *msg);

/* The last guest is gone, or the hardware domain asked: powers the machine
 * off or restarts it. */
void port_power_off(void);
void port_reboot(void);

#endif
