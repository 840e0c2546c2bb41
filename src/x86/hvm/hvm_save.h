/* A domain's HVM context: save records in the format of <xen/hvm/save.h>. The domain
 * is held still. */
#ifndef CORBEL_X86_HVM_HVM_SAVE_H
#define CORBEL_X86_HVM_HVM_SAVE_H

#include "base/xen.h"

#include <xen/hvm/save.h>

#include "base/types.h"
#include "port/guest.h"

struct domain;
struct vcpu;

/* Where records are written. */
struct hvm_record_out {
    uint8_t *buf;
    uint32_t size, used;
};

/* Room that all records of d take at most. */
uint32_t hvm_save_size(const struct domain *d);
/* Writes all of them, header and end included; out has hvm_save_size(). */
void hvm_save(struct domain *d, struct hvm_record_out *out);
/* Writes the record of one type and instance: -XEN_EINVAL (no such type),
 * -XEN_ENOENT (no such instance) or 0. */
int hvm_save_one(struct domain *d, uint32_t type, uint32_t instance, struct hvm_record_out *out);

/* Takes all vCPUs down, then loads records up to END; those whose CPU record was among
 * them can run. Errors as Xen's: -XEN_ENODATA (cut short), -XEN_EINVAL (a record
 * that cannot be), ...; the records before the wrong one stay in force. */
int hvm_load(struct domain *d, const uint8_t *buf, uint32_t size);

/* hvm_save_cpu.c: one vCPU's registers. */
void hvm_cpu_save(struct vcpu *v, struct hvm_hw_cpu *r);
int hvm_cpu_load(struct vcpu *v, const struct hvm_hw_cpu *r);
/* All of v's state, whether or not it has ever run. */
void hvm_cpu_state(struct vcpu *v, struct guest_state *s);

/* Length of an XSAVE record: legacy area and header. */
#define HVM_XSAVE_SIZE ((uint32_t)sizeof(struct hvm_hw_cpu_xsave))

#endif
