/* Writes what the core traces as Chrome trace-event JSON (the "Trace Event
 * Format" that chrome://tracing and Perfetto read): one process whose threads
 * are the physical CPUs, one per domain whose threads are its vCPUs. Only virtual
 * time appears, so equal runs give equal files. */
#ifndef CORBEL_HOSTSIM_TRACE_JSON_H
#define CORBEL_HOSTSIM_TRACE_JSON_H

#include <stdint.h>

#include "port/trace.h"

/* Starts the file: 0, or -1 with errno. One at a time. */
int trace_json_open(const char *path, unsigned cpus);

/* What a domain is called. */
void trace_json_domain(uint16_t domid, const char *name, unsigned vcpus);

/* One event at the executing CPU's time; a world_trace_sink. */
void trace_json_event(enum trace_event ev, uint64_t a, uint64_t b, uint64_t c);

/* Ends what is still open and the file: 0, or -1 when something could not be
 * written. */
int trace_json_close(void);

#endif
