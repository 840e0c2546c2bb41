/* Shared by the files that handle exits. */
#ifndef CORBEL_X86_HVM_HVM_EXIT_H
#define CORBEL_X86_HVM_HVM_EXIT_H

#include "x86/hvm/hvm.h"

/* Reads and decodes the instruction at rip, as the guest's kernel sees it: its
 * length, or 0. */
unsigned hvm_fetch(struct vcpu *v, struct insn *out);

/* hvm_exit_cr.c: writes of control registers, XCR0 and debug registers. */
void hvm_exit_cr(struct vcpu *v);
void hvm_exit_xsetbv(struct vcpu *v);
void hvm_exit_dr(struct vcpu *v);

#endif
