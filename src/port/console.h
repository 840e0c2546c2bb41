/* Port: character output and input. */
#ifndef CORBEL_PORT_CONSOLE_H
#define CORBEL_PORT_CONSOLE_H

#include "base/types.h"

/* Writes n bytes of console output. domid says whose: a guest's id, or
 * PORT_CONSOLE_HV for the hypervisor's own log. Never blocks. */
#define PORT_CONSOLE_HV 0x7ff2u
void port_console_write(uint16_t domid, const char *s, size_t n);

/* Reads at most n bytes typed for domain domid; returns how many. */
size_t port_console_read(uint16_t domid, char *s, size_t n);

#endif
