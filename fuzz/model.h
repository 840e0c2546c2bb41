/* An executable reference model: what event channels, grants and memory may do, as
 * <xen/event_channel.h>, <xen/grant_table.h> and <xen/memory.h> say it, in plain C and
 * without a line of the core's. It follows a program operation by operation, objects to
 * what the hypervisor should not have allowed, refused or changed, and compares what it
 * believes with what the hypervisor holds when the program ends.
 *
 * It judges what ran alone. After operations that raced, whose arguments changed under
 * them, or that made or ended domains it takes the hypervisor's state over. */
#ifndef CORBEL_FUZZ_MODEL_H
#define CORBEL_FUZZ_MODEL_H

#include "fuzz/exec.h"

/* Hooks for struct exec_options; violations begin with "MODEL-". */
extern const struct exec_hooks model_hooks;

/* What the files of the model share. */

#define MODEL_DOMAINS 4u /* numbers 0 .. 3; 0 is the control domain */
#define MODEL_PORTS 256u
#define MODEL_MAPS 64u

/* An operation with its caller, and one element of its argument. */
struct model_call {
    const struct op_done *done;
    uint16_t self;
    const void *in, *out;
};

/* The domain that a guest names: MODEL_DOMAINS for none that the model knows. */
uint16_t model_target(const struct model_call *c, uint16_t domid);
/* May the caller act for d? */
bool model_controls(const struct model_call *c, uint16_t d);
/* Objects unless ok. */
void model_expect(bool ok, const struct model_call *c, const char *name, const char *what);

/* model_evtchn.c */
void model_evtchn_import(void);
void model_evtchn_op(const struct model_call *c);
void model_evtchn_compare(void);

/* model_grant.c */
void model_grant_import(void);
void model_grant_op(const struct model_call *c);
/* Are the arguments, before and after, what the hypervisor read and wrote? */
bool model_grant_follows(const struct op_done *d);
void model_grant_compare(void);

/* model_memory.c */
void model_memory_import(void);
void model_memory_op(const struct model_call *c);
/* After every operation, whatever it was. */
void model_memory_always(const struct model_call *c);

/* model_limits.c */
void model_limits(const struct model_call *c);

/* What the hypervisor maps at g of d, looked up without a lock. */
struct p2m_entry model_entry(const struct domain *d, uint64_t g);
/* A word of d's memory; NULL where there is none. */
const void *model_ram(struct domain *d, uint64_t gpa);

#endif
