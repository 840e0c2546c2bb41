/* What the files of the AMD-V engine share. Its functions for guest.c are in
 * bare/guest.h. Sections are those of the APM, Vol. 2. */
#ifndef CORBEL_BARE_SVM_SVM_H
#define CORBEL_BARE_SVM_SVM_H

#include "bare/bare.h"
#include "bare/guest.h"
#include "bare/svm/vmcb.h"

/* Lengths of instructions that were intercepted before, for CPUs that do not tell them
 * (svm_decode.c). */
#define SVM_LENGTHS 32u
struct svm_length {
    uint64_t rip, cr3;
    uint16_t code; /* the exit's */
    uint8_t len;   /* 0: nothing here */
};

/* The engine's part of a vCPU, behind its struct port_guest. */
struct svm_vcpu {
    struct vmcb *vmcb;
    uint64_t vmcb_pa;
    uint64_t efer;       /* as the guest sees it */
    uint64_t generation; /* of asid, 0: it has none */
    /* NMIs are masked from an injection to the end of the guest's IRET. */
    bool nmi_masked;
    bool stepping;     /* IRET was intercepted and is being stepped over */
    bool step_tf;      /* the guest itself had RFLAGS.TF set there */
    uint64_t step_rip; /* where it is */
    struct svm_length lengths[SVM_LENGTHS];
};

/* A CPU with EFER.SVME. ASIDs are handed out in order; when they run out a new
 * generation begins, and the whole TLB is flushed. */
struct svm_cpu {
    uint8_t *pages; /* host save area (15.30.4), host's VMCB for VMLOAD; NULL: off */
    uint32_t next_asid;
    uint64_t generation; /* no two CPUs have the same */
};

extern uint32_t svm_features; /* SVM_*, of the boot CPU */

/* svm_cpu.c: tables of what is intercepted, the same for all guests (15.10.1, 15.11). */
uint64_t svm_iopm_pa(void);
uint64_t svm_msrpm_pa(void);
/* Physical address of the host's state for VMLOAD on this CPU. */
uint64_t svm_host_pa(void);
/* Gives s an ASID of this CPU and sets TLB_CONTROL; drop: nothing that the CPU holds
 * for s may be used. */
void svm_set_asid(struct svm_vcpu *s, bool drop);

/* svm_exit.c: fills out, which is v->arch->exit, from the VMCB; regs, which are
 * v->arch->regs, are up to date. */
void svm_decode_exit(struct port_guest *g, const struct guest_entry *in, struct guest_exit *out);
/* The intercepted exceptions at any time. */
#define SVM_EXCEPTIONS ((1u << 1) | (1u << 6) | (1u << 17) | (1u << 18)) /* #DB, #UD, #AC, #MC */

/* svm_decode.c: a write of CR0, CR4 or CR8. False: the instruction cannot be read
 * (another vCPU changed it): the guest is to try again. */
bool svm_decode_cr_write(struct port_guest *g, unsigned cr, struct guest_exit *out);
/* The length of the intercepted instruction, 0: it cannot be read. */
uint8_t svm_insn_len(struct port_guest *g, const struct guest_exit *out);
/* Whether the instruction at rip is the three bytes 0f 01 modrm, prefixes aside. */
bool svm_insn_is_0f01(struct port_guest *g, uint8_t modrm);

/* svm_diagnose.c: logs which check of 15.5.1 the VMCB does not meet. */
void svm_diagnose(struct port_guest *g);

/* svm_enter.S: gpr is guest_regs.gpr, of which RAX and RSP are the VMCB's. */
void svm_enter(uint64_t vmcb_pa, uint64_t *gpr, uint64_t host_pa);

#endif
