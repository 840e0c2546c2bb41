/* The two halves of the gdb server: packets, and what they mean. */
#ifndef CORBEL_HOSTSIM_GDBSTUB_H
#define CORBEL_HOSTSIM_GDBSTUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GDB_PACKET_MAX 8192u

/* Waits for one connection to localhost:port. 0 or -1 with errno. */
int gdb_listen(unsigned port);
void gdb_close(void);
bool gdb_connected(void);

/* Reads one packet's contents, NUL-terminated; false: the connection is gone.
 * An interrupt outside a packet comes as "\003". */
bool gdb_receive(char *buf, size_t cap);
void gdb_send(const char *text);
/* True iff gdb sent something that has not been read. */
bool gdb_pending(void);

/* Bytes to hexadecimal and back; out is NUL-terminated. */
void gdb_hex(char *out, const void *bytes, size_t n);
bool gdb_unhex(void *out, const char *hex, size_t n);
/* Reads a hexadecimal number and moves *s behind it. */
bool gdb_number(const char **s, uint64_t *value);

#endif
