/* The guests' CPUs: a struct port_guest whose exits the program decides. */
#ifndef CORBEL_FUZZ_ENGINE_H
#define CORBEL_FUZZ_ENGINE_H

#include "port/guest.h"

/* What a vCPU has to do next. */
struct engine_task {
    bool armed, issued;
    bool call; /* a hypercall: is repeated until it moves on */
    uint32_t restarts;
    struct guest_exit exit;
    struct guest_regs regs;
};

struct engine_task *engine_task(struct vcpu *v);
struct guest_state *engine_state(struct vcpu *v);

/* exec_run.c: the engine asks. A task came back, with these registers; what else there
 * is for v to do at once; has everything been done? */
void exec_came_back(struct vcpu *v, const struct guest_regs *regs);
bool exec_more(struct vcpu *v);
bool exec_over(void);
/* v does not come to rest. */
void exec_restless(struct vcpu *v);
void exec_endless(struct vcpu *v);

#endif
