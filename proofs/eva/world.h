/* The machine that each sweep runs on: one hypervisor state with a domain that calls, another
 * one, and a vCPU or two of theirs. Every word of it is arbitrary but for pointers, which
 * lead to the objects here (or are NULL where they may be), and for what world.c says. */
#ifndef CORBEL_PROOFS_EVA_WORLD_H
#define CORBEL_PROOFS_EVA_WORLD_H

#include "base/xen.h"

#include "core/domain/domain.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"
#include "x86/hvm/hvm.h"

#include "__fc_builtin.h"

#define ARBITRARY(object) Frama_C_make_unknown((char *)&(object), sizeof(object))

/* The vCPU that exited. */
struct vcpu *world(void);

/* Either pointer. */
void *either(void *a, void *b);

/* Arbitrary arguments of a hypercall. */
extern uint64_t world_args[6];

#endif
