/* What is delivered to a vCPU on its way in, and in which order (SDM Vol. 3 6.9):
 * queued exceptions, acknowledged interrupts, NMI, event upcall, local APIC. */
#include "base/atomic.h"
#include "core/arch.h"
#include "port/trace.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

static const struct guest_event no_event = {.type = EVENT_NONE};

/* SDM Vol. 3 table 6-4: #DE, #TS, #NP, #SS, #GP and #CP. */
static bool contributory(uint8_t vector)
{
    return vector == 0 || (vector >= 10 && vector <= 13) || vector == 21;
}

void hvm_triple_fault(struct vcpu *v)
{
    domain_shutdown(v->domain, (uint8_t)hvm_param(v->domain, HVM_PARAM_TRIPLE_FAULT_REASON));
}

/* Adds an exception to what is queued already: SDM Vol. 3 table 6-5. */
static void queue_exception(struct vcpu *v, struct guest_event e)
{
    struct guest_event *p = &v->arch->pending;

    if (p->type == EVENT_HW_EXCEPTION) {
        bool second = contributory(e.vector) || e.vector == VECTOR_PF;

        if (p->vector == VECTOR_DF && second) {
            hvm_triple_fault(v);
            return;
        }
        if ((contributory(p->vector) && contributory(e.vector)) ||
            (p->vector == VECTOR_PF && second)) {
            e = (struct guest_event){EVENT_HW_EXCEPTION, VECTOR_DF, true, 0, 0};
        }
    }
    v->arch->stepped = false;
    *p = e;
}

void hvm_inject_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
    queue_exception(v, (struct guest_event){EVENT_HW_EXCEPTION, vector, has_error, error, 0});
}

void hvm_inject_pf(struct vcpu *v, uint32_t error, uint64_t cr2)
{
    queue_exception(v, (struct guest_event){EVENT_HW_EXCEPTION, VECTOR_PF, true, error, cr2});
}

/* INT n and the like are not kept: rip is still at them, and they run again. */
void hvm_requeue(struct vcpu *v, const struct guest_event *e)
{
    switch (e->type) {
    case EVENT_EXT_INT:
        v->arch->deferred = *e; /* acknowledged: must not be lost */
        break;
    case EVENT_NMI:
        v->arch->nmi_blocked = false;
        store_u8(&v->arch->nmi_pending, 1);
        break;
    case EVENT_HW_EXCEPTION:
        queue_exception(v, *e);
        break;
    default:
        break;
    }
}

static bool can_take_interrupt(const struct vcpu *v)
{
    return (v->arch->regs.rflags & RFLAGS_IF) != 0 && !v->arch->exit.intr_shadow;
}

static bool upcall_waits(const struct vcpu *v)
{
    return v->domain->arch->callback_type == CALLBACK_VECTOR && v->info != NULL &&
           load_u8(&v->info->evtchn_upcall_pending) != 0;
}

/* An interrupt past the local APIC that needs only IF, besides one that was chosen
 * already. The upcall is a level: after its injection the guest looks for itself. */
static bool interrupt_waits(struct vcpu *v, bool upcall_chosen)
{
    return v->arch->deferred.type != EVENT_NONE || (!upcall_chosen && upcall_waits(v));
}

/* The local APIC's, if software is to deliver it: -1 or its vector. */
static int local_interrupt(struct vcpu *v)
{
    return v->arch->lapic.by_cpu ? -1 : vlapic_pending(v);
}

bool hvm_event_deliverable(struct vcpu *v)
{
    const struct vcpu_arch *a = v->arch;

    if (a->pending.type != EVENT_NONE || load_u32(&a->ipi) != 0) {
        return true;
    }
    if (load_u8(&a->nmi_pending) != 0 && !a->nmi_blocked) {
        return true;
    }
    return can_take_interrupt(v) && (interrupt_waits(v, false) || vlapic_pending(v) >= 0);
}

/* The line of HVM_PARAM_CALLBACK_IRQ's GSI follows vCPU 0's pending flag. */
static void lower_callback_line(struct vcpu *v)
{
    struct domain_arch *da = v->domain->arch;

    if (v->id != 0 || load_u32(&da->callback_line) == 0 || v->info == NULL ||
        load_u8(&v->info->evtchn_upcall_pending) != 0) {
        return;
    }
    store_u32(&da->callback_line, 0);
    vioapic_set_irq(v->domain, da->callback_gsi, false);
    /* An event that came in between has raised the flag, then the line. */
    if (load_u8(&v->info->evtchn_upcall_pending) != 0) {
        arch_vcpu_upcall(v);
    }
}

static struct guest_event take_interrupt(struct vcpu *v)
{
    struct guest_event e = {EVENT_EXT_INT, 0, false, 0, 0};
    int vector;

    if (v->arch->deferred.type != EVENT_NONE) {
        e = v->arch->deferred;
        v->arch->deferred = no_event;
        return e;
    }
    if (upcall_waits(v)) {
        e.vector = v->domain->arch->callback_vector;
        return e;
    }
    vector = local_interrupt(v);
    if (vector < 0) {
        return no_event;
    }
    vlapic_ack(v, (uint8_t)vector);
    e.vector = (uint8_t)vector;
    return e;
}

/* DR6.BS tells a single step from other causes of #DB (SDM Vol. 3 17.2.3). */
static void mark_single_step(struct vcpu *v)
{
    struct guest_state s;

    port_guest_save(v, &s);
    s.dr6 |= 0x4000;
    s.regs = v->arch->regs;
    port_guest_load(v, &s);
}

static struct guest_event choose(struct vcpu *v)
{
    struct vcpu_arch *a = v->arch;
    struct guest_event e = a->pending;

    if (e.type != EVENT_NONE) {
        a->pending = no_event;
        if (a->stepped) {
            mark_single_step(v);
            a->stepped = false;
        }
        return e;
    }
    if (load_u8(&a->nmi_pending) != 0 && !a->nmi_blocked && !a->exit.intr_shadow &&
        a->deferred.type == EVENT_NONE) {
        store_u8(&a->nmi_pending, 0);
        a->nmi_blocked = true;
        return (struct guest_event){EVENT_NMI, VECTOR_NMI, false, 0, 0};
    }
    return can_take_interrupt(v) ? take_interrupt(v) : no_event;
}

void hvm_prepare_entry(struct vcpu *v, struct guest_entry *entry)
{
    struct vcpu_arch *a = v->arch;
    bool interrupt;

    lower_callback_line(v);
    entry->inject = choose(v);
    interrupt = entry->inject.type == EVENT_EXT_INT;
    entry->intr_window = interrupt_waits(v, interrupt) || local_interrupt(v) >= 0;
    entry->nmi_window = load_u8(&a->nmi_pending) != 0;
    a->asked_intr = entry->intr_window;
    a->asked_nmi = entry->nmi_window;
    if (entry->inject.type != EVENT_NONE) {
        port_trace(TRACE_INJECT, entry->inject.vector, entry->inject.type, v->domain->id);
    }
}

/* One reason stands for both windows. Where it may be either it is taken for
 * the interrupt's; the NMI's, if open, then opens again at once. */
void hvm_window_open(struct vcpu *v)
{
    if (v->arch->asked_nmi && !(v->arch->asked_intr && can_take_interrupt(v))) {
        v->arch->nmi_blocked = false;
    }
}
