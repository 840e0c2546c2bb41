/* Why a CPU refused a VMCB: the checks of APM Vol. 2 15.5.1, in its order. */
#include "bare/svm/svm.h"

#include "core/console/console.h"
#include "core/vcpu/vcpu.h"
#include "x86/x86.h"

#define CR0_HIGH (UINT64_MAX << 32)
#define VECTOR_LAST_EXCEPTION 31u

static const char *wrong_event(const struct vmcb *b)
{
    unsigned type = b->event_inj >> EVENT_TYPE_SHIFT & 7, vector = b->event_inj & EVENT_VECTOR;

    if ((b->event_inj & EVENT_VALID) == 0)
        return NULL;
    if (type == 1 || type > EVENT_TYPE_SOFT)
        return "EVENTINJ has a reserved type";
    if (type == EVENT_TYPE_EXCEPTION && (vector == VECTOR_NMI || vector > VECTOR_LAST_EXCEPTION))
        return "EVENTINJ has a vector that is no exception's";
    return NULL;
}

static const char *wrong_mode(const struct vmcb *b)
{
    bool paging = (b->cr0 & CR0_PG) != 0;

    if (!(b->efer & EFER_SVME))
        return "EFER.SVME is clear";
    if (!(b->cr0 & CR0_CD) && (b->cr0 & CR0_NW))
        return "CR0.CD is clear and CR0.NW set";
    if (b->cr0 & CR0_HIGH)
        return "CR0[63:32] are not zero";
    if ((b->dr6 | b->dr7) >> 32)
        return "DR6[63:32] or DR7[63:32] are not zero";
    if ((b->efer & EFER_LME) && paging && !(b->cr4 & CR4_PAE))
        return "EFER.LME and CR0.PG are set and CR4.PAE clear";
    if ((b->efer & EFER_LME) && paging && !(b->cr0 & CR0_PE))
        return "EFER.LME and CR0.PG are set and CR0.PE clear";
    if ((b->efer & EFER_LME) && paging && (b->cr4 & CR4_PAE) && (b->cs.attr & VMCB_ATTR_L) &&
        (b->cs.attr & VMCB_ATTR_D))
        return "in long mode CS.L and CS.D are both set";
    return NULL;
}

static const char *wrong_control(const struct vmcb *b)
{
    if (!(b->intercept2 & INTERCEPT_VMRUN))
        return "VMRUN is not intercepted";
    if (b->asid == 0)
        return "the ASID is 0";
    return wrong_event(b);
}

void svm_diagnose(struct port_guest *g)
{
    const struct vmcb *b = g->svm->vmcb;
    struct domain *d = g->v->domain;
    const char *why = NULL;

    if ((uint32_t)b->exit_code != VMEXIT_INVALID) {
        hv_log_guest(d, 0, "vCPU %u: exit %lx (%lx, %lx) was not asked for", g->v->id, b->exit_code,
                     b->exit_info1, b->exit_info2);
        return;
    }
    why = wrong_mode(b);
    if (!why)
        why = wrong_control(b);
    if (!why)
        why = "a reserved bit of CR3, CR4 or EFER is set, or G_PAT is wrong";
    hv_log_guest(d, 0, "vCPU %u: VMRUN refused: %s", g->v->id, why);
    hv_log_guest(d, 0, "cr0 %lx cr3 %lx cr4 %lx efer %lx pat %lx event %lx", b->cr0, b->cr3, b->cr4,
                 b->efer, b->g_pat, b->event_inj);
}
