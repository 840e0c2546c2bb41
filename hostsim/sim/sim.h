/* What the files of corbel-sim share. */
#ifndef CORBEL_HOSTSIM_SIM_H
#define CORBEL_HOSTSIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/audit/audit.h"
#include "hostsim/world/world.h"

#define SIM_GUESTS_MAX 64u

enum sim_status {
    SIM_OK = 0,        /* every guest powered off */
    SIM_USAGE = 1,     /* usage or bad input */
    SIM_CRASHED = 2,   /* a guest crashed */
    SIM_FAILED = 3,    /* the hypervisor failed a check of its own or the audit */
    SIM_UNFINISHED = 4 /* a guest rebooted, or the run ended before the guests did */
};

/* A guest as asked for. Strings live as long as the program. */
struct guest_config {
    const char *origin; /* the file that describes it, NULL: the command line */
    const char *name, *kernel, *ramdisk, *cmdline;
    uint64_t memory_mib;
    unsigned vcpus;
};

struct sim_options {
    struct guest_config guest[SIM_GUESTS_MAX];
    unsigned guests;
    uint64_t seed, audit_every, max_time_ns, mem_mib;
    unsigned pcpus; /* 0: as many as the guests' vCPUs, at most 4 */
    unsigned gdb_port;
    const char *trace, *console;
    uint8_t sched_kind; /* enum sched_kind */
    bool silo;
    bool written; /* log the pages that are written */
    bool quiet;
};

/* How a guest ended, and what it used. */
struct guest_result {
    bool shut_down, crashed;
    uint8_t code; /* SHUTDOWN_* */
    uint64_t exits[32];
    uint64_t hypercalls[64];
    uint64_t guest_frames, hyp_frames, written;
    uint64_t code_bytes; /* of guest code run */
};

struct sim_guest {
    struct domain *d; /* referenced */
    uint16_t domid;
    struct guest_result result;
};

struct sim {
    struct sim_options opt;
    struct sim_guest guest[SIM_GUESTS_MAX];
    enum world_end end;
    bool running;     /* the guests have been let go */
    bool interrupted; /* the user asked to stop */
    bool audit_failed;
    struct audit_report audit; /* the failed one, or the last */
    uint64_t audits;
    uint64_t pages_at_start;
    double wall_seconds;
};

extern struct sim sim;

/* One line on stderr: "corbel-sim: ...". Returns SIM_USAGE. */
int sim_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* options.c: -1 to go on, or the exit status. */
int options_parse(int argc, char **argv, struct sim_options *o);

/* config.c: reads one xl.cfg file into the zeroed g. 0 or SIM_USAGE after one line of error. */
int config_read(const char *path, struct guest_config *g);

/* boot.c: machine, hypervisor and guests. 0, or the exit status. */
int boot_machine(void);
int boot_guests(void);
/* Ends guests that still run, collects results, kills all domains, audits. */
void boot_teardown(void);
struct sim_guest *sim_guest_of(uint16_t domid);
/* Runs the audit; false: violations (kept in sim.audit). */
bool sim_audit(void);

/* console.c */
int console_start(void);  /* 0 or SIM_USAGE */
void console_stop(void);  /* prints what is left, gives the terminal back */
void console_flush(void); /* prints lines whose time has come */
/* Looks for input, waiting at most ns of real time. True iff a guest was told. */
bool console_poll(uint64_t ns);
bool console_interactive(void);

/* trace.c */
int trace_start(void); /* 0 or SIM_USAGE */
int trace_stop(void);  /* 0, or SIM_USAGE when the file could not be written */

/* summary.c */
void summary_print(void);

/* gdbstub.c */
int gdbstub_start(void); /* waits for gdb; 0 or SIM_USAGE */
void gdbstub_poll(void); /* gdb's interrupt, breakpoints of late vCPUs */
void gdbstub_stop(int status);

#endif
