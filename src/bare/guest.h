/* Guest code on real CPUs: what the two engines, vmx/ and svm/, share, and the
 * functions by which guest.c reaches the one that this machine has. */
#ifndef CORBEL_BARE_GUEST_H
#define CORBEL_BARE_GUEST_H

#include "port/cpu.h"
#include "port/guest.h"

struct svm_vcpu;
struct trap_frame;
struct vmx_vcpu;

/* The engine's part of a vCPU: one page of the domain's, the rest of which, from
 * (g + 1) on, is for the engine's own structure. Owned by the CPU that runs the vCPU,
 * but for flush. */
struct port_guest {
    struct guest_fpu fpu; /* valid while not in registers */
    struct vcpu *v;
    uint64_t serial;      /* no two vCPUs ever have the same */
    struct svm_vcpu *svm; /* of the engine in use; the other one's is NULL */
    struct vmx_vcpu *vmx;
    uint32_t flush;   /* atomic: second-stage translations are to be dropped */
    uint32_t cpu;     /* where it ran last, GUEST_NO_CPU: nowhere yet */
    uint64_t xcr0;    /* as XSETBV left it */
    uint64_t tsc_aux; /* as RDTSCP and RDPID show it */
};
#define GUEST_NO_CPU UINT32_MAX

/* What the machine's CPUs can do; found once, by guest_start(). */
struct guest_host {
    bool xsave;     /* CR4.OSXSAVE is set, XCR0 switched */
    bool rdtscp;    /* there is a TSC_AUX */
    bool auto_ibrs; /* EFER.AIBRSE exists */
    bool ibpb;      /* PRED_CMD exists */
};
extern struct guest_host guest_host;

/* guest.c, for the start of the image: looks for VT-x or AMD-V, says which one is
 * in use or why neither is, and tells x86 whose entries and vendor to use. False: no
 * guest can run on this machine. On the boot CPU, before the first domain. */
bool guest_start(void);
/* Turns the engine on on the calling CPU, whose GDT, TSS and segment bases are as
 * they stay; the boot CPU's is included in guest_start(). False, with a line in the
 * log: not possible here. */
bool guest_cpu_start(void);
/* Turns it off again: before a restart or a jump to other software. */
void guest_cpu_stop(void);

/* For the engines' run functions, with interrupts off.
 *
 * guest_enter(): right before the entry, when all that may fail is behind: loads
 * FPU, XCR0, TSC_AUX and, if dr7 arms any, DR0-DR3. True: this entry must drop all
 * that the CPU holds of v's second stage, because it changed or v comes from another
 * CPU. From here to guest_left() other CPUs may wait for this one: nothing in
 * between takes a lock. Shared by the vCPUs of a domain or not, what is dropped must
 * include all that an earlier run of v on this CPU left. */
bool guest_enter(struct port_guest *g, uint64_t dr7);
/* Right after the exit. */
void guest_left(struct port_guest *g);
/* Takes the interrupts that wait on this CPU. */
void guest_take_interrupts(void);
/* The guest's run is to end at deadline_ns on this CPU. False: the engine has no timer of
 * its own. True: it does so, but only while a guest runs. */
bool guest_timer_arm(uint64_t deadline_ns);
/* This CPU is about to halt: what that timer was armed for is the local APIC's now. */
void guest_timer_idle(void);
/* "selftest=entry": makes the CPU refuse v, which runs nowhere, for each reason that the
 * engine knows. True iff it does and the reason is found, and where the engine is AMD-V. */
bool guest_refusals(struct vcpu *v);
/* A trap in svm_enter() with the guest's FS, GS and TR loaded: puts them into its VMCB and
 * loads the host's, without which no handler can run. True: svm_trap_back() is to undo
 * that before the trap returns. */
bool svm_trapped(const struct trap_frame *f);
void svm_trap_back(const struct trap_frame *f);
/* The hypervisor is about to use FPU registers itself: saves those of the guest. */
void guest_fpu_release(void);

/* Each engine. The functions mirror port/guest.h's.
 *
 * *_supported(): NULL, or what this CPU lacks (or firmware forbids), as a phrase
 * such as "no nested paging"; the CPU's vendor is not looked at.
 * *_cpu_start(), *_cpu_stop(): on the calling CPU; -XEN_ENOMEM, -XEN_EIO or 0.
 * *_create(): allocates g->svm or g->vmx: -XEN_ENOMEM or 0. *_destroy(): frees it.
 * *_leave(): v goes off this CPU, and may run on another next. */
const char *svm_supported(void);
int svm_cpu_start(void);
void svm_cpu_stop(void);
int svm_create(struct port_guest *g);
void svm_destroy(struct port_guest *g);
void svm_load(struct port_guest *g, const struct guest_state *s);
void svm_save(struct port_guest *g, struct guest_state *s);
uint64_t svm_rdmsr(struct port_guest *g, uint32_t msr);
void svm_wrmsr(struct port_guest *g, uint32_t msr, uint64_t value);
void svm_set_cr(struct port_guest *g, unsigned cr, uint64_t value);
void svm_run(struct port_guest *g, struct guest_regs *regs, const struct guest_entry *in,
             struct guest_exit *out);
void svm_leave(struct port_guest *g);

const char *vmx_supported(void);
bool vmx_timer_arm(uint64_t deadline_ns);
void vmx_timer_idle(void);
int vmx_cpu_start(void);
void vmx_cpu_stop(void);
int vmx_create(struct port_guest *g);
void vmx_destroy(struct port_guest *g);
void vmx_load(struct port_guest *g, const struct guest_state *s);
void vmx_save(struct port_guest *g, struct guest_state *s);
uint64_t vmx_rdmsr(struct port_guest *g, uint32_t msr);
void vmx_wrmsr(struct port_guest *g, uint32_t msr, uint64_t value);
void vmx_set_cr(struct port_guest *g, unsigned cr, uint64_t value);
void vmx_run(struct port_guest *g, struct guest_regs *regs, const struct guest_entry *in,
             struct guest_exit *out);
void vmx_leave(struct port_guest *g);
/* vmx_refusals.c: true iff the CPU refuses each state that it should, and is understood. */
bool vmx_refusals(struct port_guest *g);

#endif
