/* From an exit code (APM Vol. 2 appendix C) to the normalised exit record. */
#include "bare/svm/svm.h"

#include "core/vcpu/vcpu.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define VECTOR_BP 3u
#define VECTOR_OF 4u
#define VECTOR_MC 18u
/* 8, 10 to 14, 17, 21, 29, 30: APM Vol. 2 8.2. */
#define VECTORS_WITH_ERROR 0x60227d00u
#define DR6_BS (UINT64_C(1) << 14)
#define INSN_MAX 15u
#define MODRM_VMCALL 0xc1u
#define MODRM_RDTSCP 0xf9u

/* 15.7.2. INT3 and INTO stand at rip still. */
static struct guest_event vectoring(const struct vmcb *b)
{
    uint64_t i = b->exit_int_info;
    struct guest_event e = {.type = EVENT_NONE};

    if ((i & EVENT_VALID) == 0)
        return e;
    e.vector = i & EVENT_VECTOR;
    e.has_error = (i & EVENT_ERROR_VALID) != 0;
    e.error = e.has_error ? (uint32_t)(i >> 32) : 0;
    switch (i >> EVENT_TYPE_SHIFT & 7) {
    case EVENT_TYPE_INTR:
        e.type = EVENT_EXT_INT;
        break;
    case EVENT_TYPE_NMI:
        e.type = EVENT_NMI;
        break;
    case EVENT_TYPE_EXCEPTION:
        e.type = e.vector == VECTOR_BP || e.vector == VECTOR_OF ? EVENT_SW_EXCEPTION
                                                                : EVENT_HW_EXCEPTION;
        e.cr2 = b->cr2;
        break;
    default:
        e.type = EVENT_SW_INT;
        break;
    }
    return e;
}

static void raise_gp(struct guest_exit *out)
{
    out->reason = EXIT_EXCEPTION;
    out->u.event = (struct guest_event){EVENT_HW_EXCEPTION, VECTOR_GP, true, 0, 0};
}

/* The opcodes that make #UD here, but mean something to guests of x86. */
static bool decode_undefined(struct port_guest *g, struct guest_exit *out)
{
    if (svm_insn_is_0f01(g, MODRM_VMCALL))
        out->reason = EXIT_HYPERCALL;
    else if (!guest_host.rdtscp && svm_insn_is_0f01(g, MODRM_RDTSCP))
        out->reason = EXIT_RDTSCP;
    else
        return false;
    return true;
}

static void decode_exception(struct port_guest *g, struct guest_exit *out)
{
    const struct vmcb *b = g->svm->vmcb;
    struct guest_event e = {.type = EVENT_HW_EXCEPTION};

    e.vector = (uint8_t)(b->exit_code - VMEXIT_EXCEPTION);
    if (e.vector == VECTOR_MC) {
        __asm__ volatile("int $18"); /* the machine's, not the guest's */
        out->reason = EXIT_PREEMPTED;
        return;
    }
    if (e.vector == VECTOR_UD && decode_undefined(g, out))
        return;
    e.has_error = (VECTORS_WITH_ERROR >> e.vector & 1) != 0;
    e.error = e.has_error ? (uint32_t)b->exit_info1 : 0;
    e.cr2 = e.vector == VECTOR_PF ? b->exit_info2 : 0;
    out->reason = EXIT_EXCEPTION;
    out->u.event = e;
}

static void decode_io(const struct vmcb *b, struct guest_exit *out)
{
    uint64_t i = b->exit_info1;

    out->reason = EXIT_IO;
    out->u.io.port = (uint16_t)(i >> IOIO_PORT_SHIFT);
    out->u.io.size = i >> IOIO_SIZE_SHIFT & 7;
    out->u.io.in = (i & IOIO_IN) != 0;
    out->u.io.string = (i & IOIO_STRING) != 0;
    out->u.io.rep = (i & IOIO_REP) != 0;
    out->insn_len = (uint8_t)(b->exit_info2 - b->rip);
}

static void decode_npf(const struct vmcb *b, struct guest_exit *out)
{
    uint64_t i = b->exit_info1;

    out->reason = EXIT_FAULT2;
    out->u.fault2.gpa = gaddr(b->exit_info2);
    out->u.fault2.exact = (i & NPF_FINAL) != 0;
    out->u.fault2.write = (i & NPF_WRITE) != 0;
    out->u.fault2.fetch = (i & NPF_FETCH) != 0;
    out->u.fault2.read = !out->u.fault2.write && !out->u.fault2.fetch;
}

/* Instructions whose record is no more than their name: enum exit_reason, or -1. */
static int simple_reason(const struct vmcb *b)
{
    switch (b->exit_code) {
    case VMEXIT_MSR:
        return b->exit_info1 & 1 ? EXIT_WRMSR : EXIT_RDMSR;
    case VMEXIT_HLT:
        return EXIT_HLT;
    case VMEXIT_CPUID:
        return EXIT_CPUID;
    case VMEXIT_VMMCALL:
        return EXIT_HYPERCALL;
    case VMEXIT_RDTSCP:
        return EXIT_RDTSCP;
    case VMEXIT_XSETBV:
        return EXIT_XSETBV;
    case VMEXIT_PAUSE:
        return EXIT_PAUSE;
    case VMEXIT_INVD:
    case VMEXIT_WBINVD:
        return EXIT_CACHE;
    case VMEXIT_INVLPGA:
    case VMEXIT_VMRUN:
    case VMEXIT_VMLOAD:
    case VMEXIT_VMSAVE:
    case VMEXIT_STGI:
    case VMEXIT_CLGI:
    case VMEXIT_SKINIT:
    case VMEXIT_MONITOR:
    case VMEXIT_MWAIT:
    case VMEXIT_MWAIT_ARMED:
    case VMEXIT_RDPRU:
        return EXIT_UNDEFINED;
    default:
        return -1;
    }
}

/* False: not an instruction. Its length is the CPU's word if it gives one (15.7.1),
 * else x86 decodes it. */
static bool decode_instruction(struct port_guest *g, struct guest_exit *out)
{
    const struct vmcb *b = g->svm->vmcb;
    uint64_t code = b->exit_code, len = b->next_rip - b->rip;
    int simple = simple_reason(b);

    if ((svm_features & SVM_NEXT_RIP) && len <= INSN_MAX)
        out->insn_len = (uint8_t)len;
    if (simple >= 0) {
        out->reason = (uint8_t)simple;
        if (out->insn_len == 0)
            out->insn_len = svm_insn_len(g, out);
        return true;
    }
    if (code >= VMEXIT_CR_WRITE && code < VMEXIT_DR_READ) {
        if (!svm_decode_cr_write(g, (unsigned)(code - VMEXIT_CR_WRITE), out))
            out->reason = EXIT_PREEMPTED;
        return true;
    }
    if (code >= VMEXIT_DR_READ && code < VMEXIT_EXCEPTION) {
        out->reason = EXIT_DR;
        return true;
    }
    switch (code) {
    case VMEXIT_RDTSC: /* CPUs without next-RIP may report RDTSCP so, too */
        out->reason = !(svm_features & SVM_NEXT_RIP) && svm_insn_is_0f01(g, MODRM_RDTSCP)
                          ? EXIT_RDTSCP
                          : EXIT_RDTSC;
        return true;
    case VMEXIT_IOIO:
        decode_io(b, out);
        return true;
    case VMEXIT_RDPMC: /* there are no counters */
        raise_gp(out);
        return true;
    default:
        return false;
    }
}

static void decode(struct port_guest *g, struct guest_exit *out)
{
    struct svm_vcpu *s = g->svm;
    uint64_t code = s->vmcb->exit_code;

    if (decode_instruction(g, out))
        return;
    if (code >= VMEXIT_EXCEPTION && code < VMEXIT_INTR) {
        decode_exception(g, out);
        return;
    }
    switch (code) {
    case VMEXIT_INTR:
        guest_take_interrupts();
        out->reason = EXIT_PREEMPTED;
        break;
    case VMEXIT_NMI: /* these three wait for the STGI that is behind us: 15.13 */
    case VMEXIT_SMI:
    case VMEXIT_INIT:
        out->reason = EXIT_PREEMPTED;
        break;
    case VMEXIT_VINTR:
        out->reason = EXIT_WINDOW;
        break;
    case VMEXIT_IRET:
        s->stepping = true;
        s->step_rip = s->vmcb->rip;
        s->step_tf = (s->vmcb->rflags & RFLAGS_TF) != 0;
        out->reason = EXIT_PREEMPTED;
        break;
    case VMEXIT_NPF:
        decode_npf(s->vmcb, out);
        break;
    case VMEXIT_SHUTDOWN:
        out->reason = EXIT_TRIPLE;
        break;
    default:
        svm_diagnose(g);
        out->reason = EXIT_FAILED;
        break;
    }
}

/* An exit while IRET was stepped over. With rip still at it only exceptions end the
 * wait: then, too, NMIs come through again. The borrowed TF goes back. */
static void step_ended(struct port_guest *g, const struct guest_entry *in, struct guest_exit *out)
{
    struct svm_vcpu *s = g->svm;
    struct vmcb *b = s->vmcb;
    bool exception = b->exit_code >= VMEXIT_EXCEPTION && b->exit_code < VMEXIT_INTR;

    if (b->rip == s->step_rip && !s->step_tf)
        g->v->arch->regs.rflags &= ~RFLAGS_TF;
    if (b->rip == s->step_rip && !exception)
        return;
    s->stepping = false;
    s->nmi_masked = false;
    if (b->exit_code == VMEXIT_EXCEPTION + VECTOR_DB && (b->dr6 & DR6_BS) && !s->step_tf) {
        b->dr6 &= ~DR6_BS;
        b->clean &= ~CLEAN_DR;
        out->reason = in->nmi_window ? EXIT_WINDOW : EXIT_PREEMPTED;
    }
}

void svm_decode_exit(struct port_guest *g, const struct guest_entry *in, struct guest_exit *out)
{
    struct svm_vcpu *s = g->svm;
    bool stepping = s->stepping;

    out->vectoring = vectoring(s->vmcb);
    if (out->vectoring.type == EVENT_NMI)
        s->nmi_masked = false; /* x86 will inject it again */
    decode(g, out);
    if (stepping)
        step_ended(g, in, out);
}
