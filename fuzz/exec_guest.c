/* What guests do to shared memory, as their CPUs would through the second stage, and
 * what happens to them from outside. */
#include <string.h>

#include "base/xen.h"
#include "core/arch.h"
#include "core/state.h"
#include "fuzz/exec_impl.h"
#include "hostsim/world/world.h"
#include "x86/hvm/hvm.h"

#include <xen/grant_table.h>

#define GRANT_AREA ((uint64_t)GRANT_GFN << PAGE_SHIFT)
#define TIME_STEP_MAX_US UINT64_C(1200000)

static bool poke(struct domain *d, uint64_t gpa, const void *src, size_t n)
{
    uint8_t *p = (gpa & (PAGE_SIZE - 1)) + n <= PAGE_SIZE ? machine_ram(d, gpa) : NULL;

    if (p == NULL) {
        return false;
    }
    memcpy(p, src, n);
    return true;
}

static bool write_words(const struct op *op, struct domain *d, struct vcpu *v)
{
    uint64_t at = exec_value(op, v, "at") & ~UINT64_C(7), value = exec_value(op, v, "value");
    uint64_t many = exec_value(op, v, "many") % 3;
    bool ok = true;

    for (uint64_t i = 0; i < (many == 2 ? 64 : many + 1); i++) {
        ok = poke(d, at + 8 * i, &value, sizeof(value)) && ok;
    }
    return ok;
}

static bool write_grant_v1(const struct op *op, struct domain *d, struct vcpu *v)
{
    grant_entry_v1_t e = {.flags = (uint16_t)exec_value(op, v, "flags"),
                          .domid = (domid_t)exec_value(op, v, "dom"),
                          .frame = (uint32_t)exec_value(op, v, "frame")};

    if (e.domid == DOMID_SELF) {
        e.domid = d->id;
    }
    return poke(d, GRANT_AREA + exec_value(op, v, "ref") * sizeof(e), &e, sizeof(e));
}

static bool write_grant_v2(const struct op *op, struct domain *d, struct vcpu *v, unsigned action)
{
    grant_entry_v2_t e;

    memset(&e, 0, sizeof(e));
    e.hdr.flags = (uint16_t)exec_value(op, v, "flags");
    e.hdr.domid = (domid_t)exec_value(op, v, "dom");
    if (action == ACT_GRANT_V2) {
        e.full_page.frame = exec_value(op, v, "frame");
    } else if (action == ACT_GRANT_SUB) {
        e.hdr.flags |= GTF_sub_page;
        e.sub_page.frame = exec_value(op, v, "frame");
        e.sub_page.page_off = (uint16_t)exec_value(op, v, "start");
        e.sub_page.length = (uint16_t)exec_value(op, v, "length");
    } else {
        e.hdr.flags = (uint16_t)((e.hdr.flags & ~GTF_type_mask) | GTF_transitive);
        e.transitive.trans_domid = (domid_t)exec_value(op, v, "trans_dom");
        e.transitive.gref = (grant_ref_t)exec_value(op, v, "trans_ref");
    }
    return poke(d, GRANT_AREA + exec_value(op, v, "ref") * sizeof(e), &e, sizeof(e));
}

static bool write_event_words(const struct op *op, struct domain *d, struct vcpu *v)
{
    uint64_t which = exec_value(op, v, "which"), index = exec_value(op, v, "index") % 64;
    uint64_t value = exec_value(op, v, "value");
    uint64_t at = (uint64_t)INFO_GFN << PAGE_SHIFT;

    at += (which & 1) != 0 ? offsetof(shared_info_t, evtchn_mask)
                           : offsetof(shared_info_t, evtchn_pending);
    return poke(d, at + 8 * index, &value, sizeof(value));
}

static bool write_event_port(const struct op *op, struct domain *d, struct vcpu *v)
{
    shared_info_t *s = machine_ram(d, (uint64_t)INFO_GFN << PAGE_SHIFT);
    uint64_t port = exec_value(op, v, "port"), bits = exec_value(op, v, "bits");
    bool clear = exec_value(op, v, "clear") != 0;

    if (s == NULL || port >= 4096) {
        return false;
    }
    if (clear) {
        s->evtchn_pending[port / 64] &= ~((bits & 1) << port % 64);
        s->evtchn_mask[port / 64] &= ~((bits >> 1 & 1) << port % 64);
    } else {
        s->evtchn_pending[port / 64] |= (bits & 1) << port % 64;
        s->evtchn_mask[port / 64] |= (bits >> 1 & 1) << port % 64;
    }
    return true;
}

static bool write_info(const struct op *op, struct domain *d, struct vcpu *v)
{
    if (v->info == NULL) {
        return false;
    }
    v->info->evtchn_upcall_pending = (uint8_t)exec_value(op, v, "pending");
    v->info->evtchn_upcall_mask = (uint8_t)exec_value(op, v, "mask");
    v->info->evtchn_pending_sel = exec_value(op, v, "selector");
    return true;
}

static bool write_pte(const struct op *op, struct domain *d, struct vcpu *v)
{
    uint64_t at = (uint64_t)(TABLE_GFN + exec_value(op, v, "table") % 2) << PAGE_SHIFT;
    uint64_t pte = exec_value(op, v, "frame") << PAGE_SHIFT | exec_value(op, v, "flags");

    return poke(d, at + 8 * (exec_value(op, v, "index") % 512), &pte, sizeof(pte));
}

static bool set_register(const struct op *op, struct vcpu *v)
{
    uint64_t n = exec_value(op, v, "register"), value = exec_value(op, v, "value");
    struct guest_state *s = engine_state(v);

    if (n < GPR_COUNT) {
        v->arch->regs.gpr[n] = value;
    } else if (n == GPR_COUNT) {
        v->arch->regs.rflags = (value & 0x50fd5) | 2;
    } else {
        s->seg[SEG_FS].base = value;
    }
    return true;
}

static bool write_fifo(const struct op *op, struct domain *d, struct vcpu *v)
{
    uint32_t word = (uint32_t)exec_value(op, v, "value");
    uint64_t at = exec_value(op, v, "frame") << PAGE_SHIFT;

    return poke(d, at | (exec_value(op, v, "offset") & 0xffc), &word, sizeof(word));
}

static bool write_status(const struct op *op, struct domain *d, struct vcpu *v)
{
    uint16_t word = (uint16_t)exec_value(op, v, "value");

    return poke(d, GRANT_AREA + 2 * PAGE_SIZE + 2 * exec_value(op, v, "ref"), &word, sizeof(word));
}

static bool pass_time(const struct op *op, struct vcpu *v)
{
    uint64_t us = exec_value(op, v, "us");

    world_advance((us < TIME_STEP_MAX_US ? us : TIME_STEP_MAX_US) * 1000);
    return true;
}

static uint64_t typed;
static unsigned typed_left;

static size_t type_bytes(uint16_t domid, char *s, size_t n)
{
    size_t k = 0;

    for (; k < n && typed_left != 0; k++, typed_left--) {
        s[k] = (char)(typed >> typed_left % 8 * 8);
    }
    return k;
}

static bool input(const struct op *op, struct domain *d, struct vcpu *v)
{
    world_console_source = type_bytes;
    typed = exec_value(op, v, "value");
    typed_left = (unsigned)exec_value(op, v, "bytes") % 64;
    console_ring_service(d);
    typed_left = 0;
    return true;
}

bool domain_dies(struct domain *d)
{
    unsigned turns = 0;

    domain_ref(d);
    /* None of its vCPUs may be this CPU's: nobody kills himself. */
    domain_pause(d);
    while (current() != NULL && current()->domain == d) {
        cpu_turn();
    }
    while (domain_kill(d) == -XEN_ERESTART) {
        port_cpu_relax();
        if (++turns > 1000000) {
            exec_violation("a domain cannot be killed");
            break;
        }
    }
    domain_put(d);
    return true;
}

bool act(const struct op *op, struct domain *d, struct vcpu *v)
{
    unsigned action = grammar_ops[op->code]->nr;

    switch (action) {
    case ACT_MEM:
        return write_words(op, d, v);
    case ACT_GRANT_V1:
        return write_grant_v1(op, d, v);
    case ACT_GRANT_V2:
    case ACT_GRANT_SUB:
    case ACT_GRANT_TRANS:
        return write_grant_v2(op, d, v, action);
    case ACT_GRANT_STATUS:
        return write_status(op, d, v);
    case ACT_EVT_BITS:
        return write_event_words(op, d, v);
    case ACT_EVT_PORT:
        return write_event_port(op, d, v);
    case ACT_FIFO_CTRL:
        return write_fifo(op, d, v);
    case ACT_INFO:
        return write_info(op, d, v);
    case ACT_PTE:
        return write_pte(op, d, v);
    case ACT_CODE:
        code_write(v, (unsigned)exec_value(op, v, "at") % 64 * 16, exec_value(op, v, "insn"));
        return true;
    case ACT_REGS:
        return set_register(op, v);
    case ACT_TIME:
        return pass_time(op, v);
    case ACT_MOVE:
        return sched_set_affinity(v, exec_value(op, v, "cpus") & 3, 3) == 0;
    case ACT_NMI:
        arch_vcpu_nmi(v);
        return true;
    case ACT_IRQ:
        vlapic_set_irq(v, (uint8_t)exec_value(op, v, "vector"), exec_value(op, v, "level") != 0);
        return true;
    case ACT_INPUT:
        return input(op, d, v);
    case ACT_KILL:
        return domain_dies(d);
    default:
        return false;
    }
}
