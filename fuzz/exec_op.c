/* From an operation to registers and structures in guest memory, and its results
 * back. */
#include <string.h>

#include "base/xen.h"
#include "core/guest_mem/guest_mem.h"
#include "core/state.h"
#include "fuzz/exec_impl.h"
#include "hostsim/world/world.h"

#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xen/platform.h>
#include <xen/sysctl.h>

#define EXTENT_SHIFT 6u /* of XENMEM's start extent: <xen/memory.h> leaves it to Xen */

static const uint8_t arg_reg[6] = {GPR_RDI, GPR_RSI, GPR_RDX, GPR_R10, GPR_R8, GPR_R9};

struct resolve_at exec_at(const struct vcpu *v, unsigned slot)
{
    return (struct resolve_at){v->domain->id, v->id, world_now(), slot};
}

static void put(uint8_t *p, uint64_t value, unsigned size)
{
    switch (size) {
    case sizeof(uint64_t):
        memcpy(p, &value, sizeof(uint64_t));
        break;
    case sizeof(uint32_t):
        memcpy(p, &value, sizeof(uint32_t));
        break;
    default:
        memcpy(p, &value, size);
        break;
    }
}

static void put_sub(struct call *c)
{
    uint32_t version = c->desc->sub_place == SUB_DOMCTL   ? XEN_DOMCTL_INTERFACE_VERSION
                       : c->desc->sub_place == SUB_SYSCTL ? XEN_SYSCTL_INTERFACE_VERSION
                                                          : XENPF_INTERFACE_VERSION;

    if (c->desc->sub_place == SUB_REG) {
        c->reg[0] = c->desc->sub;
    } else if (c->desc->sub_place != SUB_NONE) {
        put(c->arg, c->desc->sub, 4);
        put(c->arg + 4, version, 4);
    }
}

/* Extents lie side by side, as far as there is room for that. */
#define ORDER_APART 4u

static unsigned order_of(const struct op *op, const struct resolve_at *at)
{
    const struct op_desc *d = grammar_ops[op->code];

    for (unsigned f = 0; grammar_has(d, f); f++) {
        uint64_t order = d->field[f].kind == K_ORDER ? resolve_field(op, f, 0, at) : 0;

        if (order != 0) {
            return order <= ORDER_APART ? (unsigned)order : 0;
        }
    }
    return 0;
}

/* Item i of a list. */
static uint64_t item_of(const struct op *op, unsigned f, unsigned i, const struct resolve_at *at)
{
    uint8_t kind = grammar_ops[op->code]->field[f].kind;
    unsigned order = kind == K_HOLE || kind == K_GFN ? order_of(op, at) : 0;
    uint64_t first = UINT64_MAX << (op->f[f].mode == M_LIVE ? order : 0);

    return resolve_field(op, f, i << order, at) & first;
}

/* A list of numbers; returns where it is. */
static uint64_t put_list(struct call *c, unsigned f, struct vcpu *v, const struct resolve_at *at,
                         unsigned nth)
{
    uint64_t gpa = arg_base(v->id) + ARG_LIST + at->slot * ARG_SLOT + nth * ARG_LIST_BYTES;
    unsigned size = c->desc->field[f].size;
    uint8_t *items = c->list + nth * ARG_LIST_BYTES;

    for (unsigned i = 0; i < ARG_LIST_ITEMS; i++) {
        put(items + i * size, item_of(c->op, f, i, at), size);
    }
    (void)guest_phys_write(v->domain, gaddr(gpa), items, ARG_LIST_ITEMS * size);
    return gpa;
}

/* Operations called unknown or other stay away from those that have a name. */
static uint64_t nameless(uint64_t nr, uint64_t sub)
{
    for (unsigned i = 0; i < grammar_count; i++) {
        const struct op_desc *d = grammar_ops[i];

        if (d->class == OP_CALL && d->nr == nr && d->sub_place != SUB_NONE &&
            d->sub == (sub & 0x3f)) {
            return nr == __HYPERVISOR_memory_op ? (sub & ~UINT64_C(0x3f)) | 0x3f : sub | 0x100;
        }
    }
    return sub;
}

static bool is_nameless(const struct op_desc *d, const struct field_desc *f)
{
    return f->name[0] == 'c' && strcmp(f->name, "cmd") == 0 &&
           (strstr(d->name, "_unknown") != NULL || strstr(d->name, "_other") != NULL);
}

/* A number that no hypercall of the grammar has. */
static uint64_t nameless_call(uint64_t nr)
{
    for (unsigned i = 0; i < grammar_count; i++) {
        if (grammar_ops[i]->class == OP_CALL && grammar_ops[i]->nr == nr && nr != 0) {
            return nr | 0x40;
        }
    }
    return nr;
}

/* Structures that are there, whatever the count says. */
static uint32_t filled(const struct call *c)
{
    return c->elements == 0 ? 1 : c->elements;
}

static void put_field(struct call *c, unsigned f, struct vcpu *v, const struct resolve_at *at)
{
    const struct field_desc *d = &c->desc->field[f];
    unsigned stride = c->desc->arg_size;

    if (d->kind == K_NONE) {
        return;
    }
    c->value[f] = resolve_field(c->op, f, 0, at);
    if (is_nameless(c->desc, d)) {
        c->value[f] = nameless(c->nr, c->value[f]);
    }
    switch (d->place) {
    case IN_STRUCT:
        if (d->size < sizeof(uint64_t)) {
            c->value[f] &= (UINT64_C(1) << 8 * d->size) - 1;
        }
        for (unsigned e = 0; e < filled(c); e++) {
            uint64_t value = e == 0 ? c->value[f] : resolve_field(c->op, f, e, at);

            put(c->arg + e * stride + d->offset, value, d->size);
        }
        break;
    case IN_REG:
        c->reg[d->offset] = c->value[f];
        break;
    case IN_LIST:
        c->value[f] = item_of(c->op, f, 0, at);
        put(c->arg + d->offset, put_list(c, f, v, at, c->lists++), 8);
        break;
    case IN_REGLIST:
        c->value[f] = item_of(c->op, f, 0, at);
        c->reg[d->offset] = put_list(c, f, v, at, c->lists++);
        break;
    default:
        if (strcmp(d->name, "nr") == 0) {
            c->nr = c->value[f] = nameless_call(c->value[f]);
        } else {
            c->reg[0] |= c->value[f] << EXTENT_SHIFT;
        }
        break;
    }
}

/* How many structures a batch gets; its count may say more. */
static uint32_t elements_of(const struct op *op, const struct resolve_at *at)
{
    const struct op_desc *d = grammar_ops[op->code];
    uint64_t room = ARG_SLOT / d->arg_size, count = 1;

    for (unsigned f = 0; grammar_has(d, f); f++) {
        if (d->field[f].kind == K_COUNT && d->field[f].place == IN_REG) {
            count = resolve_field(op, f, 0, at);
        }
    }
    count = (uint32_t)count; /* as the hypervisor takes it */
    return (uint32_t)(count < room ? count : room);
}

void call_build(struct call *c, const struct op *op, struct vcpu *v, unsigned slot)
{
    struct resolve_at at = exec_at(v, slot);
    c->op = op;
    c->desc = grammar_ops[op->code];
    c->nr = c->desc->nr;
    c->lists = 0;
    memset(c->reg, 0, sizeof(c->reg));
    memset(c->value, 0, sizeof(c->value));
    c->elements = c->desc->batch ? elements_of(op, &at) : 1;
    c->arg_len = (size_t)filled(c) * c->desc->arg_size;
    c->gva = arg_base(v->id) + slot * ARG_SLOT;
    memset(c->arg, 0, c->arg_len);
    put_sub(c);
    for (unsigned f = 0; grammar_has(c->desc, f); f++) {
        put_field(c, f, v, &at);
    }
    if (c->desc->ptr_reg != NO_REG) {
        c->reg[c->desc->ptr_reg] = c->gva;
    }
    if (c->arg_len != 0) {
        (void)guest_phys_write(v->domain, gaddr(c->gva), c->arg, c->arg_len);
    }
}

static void task_of_call(struct engine_task *t, const struct op *op, uint64_t nr,
                         const uint64_t reg[6])
{
    *t = (struct engine_task){.armed = true, .call = true};
    exit_modes(&t->exit, op);
    t->exit.reason = EXIT_HYPERCALL;
    t->exit.insn_len = 3;
    t->regs = (struct guest_regs){.rip = TASK_RIP, .rflags = 0x202};
    t->regs.gpr[GPR_RAX] = nr;
    for (unsigned i = 0; i < 6; i++) {
        t->regs.gpr[arg_reg[i]] = reg[i];
    }
}

/* The operations after index, as far as they are hypercalls, in one multicall. */
static void arm_multicall(struct flight *f, struct vcpu *v, const struct op *op)
{
    struct resolve_at at = exec_at(v, 0);
    uint64_t want = resolve_field(op, 0, 0, &at);
    uint64_t list = arg_base(v->id) + ARG_MULTICALL;
    uint64_t reg[6] = {list, want};

    while (f->calls < ARG_SLOTS && f->calls < want && exec.next < exec.p->count) {
        const struct op *o = &exec.p->op[exec.next];
        struct call *c = &f->call[f->calls];
        struct multicall_entry e = {.result = 0};

        if (grammar_ops[o->code]->class != OP_CALL) {
            break;
        }
        call_build(c, o, v, f->calls);
        e.op = c->nr;
        memcpy(e.args, c->reg, sizeof(e.args));
        (void)guest_phys_write(v->domain, gaddr(list + f->calls * sizeof(e)), &e, sizeof(e));
        f->calls++;
        exec.next++;
    }
    if (want <= ARG_SLOTS) {
        reg[1] = f->calls;
    }
    task_of_call(engine_task(v), op, __HYPERVISOR_multicall, reg);
}

void flight_arm(struct flight *f, struct vcpu *v, unsigned index)
{
    const struct op *op = &exec.p->op[index];
    const struct op_desc *d = grammar_ops[op->code];

    f->used = true;
    f->index = index;
    f->calls = 0;
    f->v = v;
    f->domid = v->domain->id;
    f->vcpu = (uint16_t)v->id;
    f->raced = false;
    if (d->class == OP_EXIT) {
        exit_build(engine_task(v), op, v);
    } else if (d->class == OP_CALL) {
        call_build(&f->call[0], op, v, 0);
        task_of_call(engine_task(v), op, f->call[0].nr, f->call[0].reg);
    } else {
        arm_multicall(f, v, op);
    }
    calls_arm(f, d->class == OP_CALL ? 1 : f->calls);
}

/* Where something was put that was a hole: later operations look there. */
static void learn_frames(const struct op_done *d)
{
    for (unsigned f = 0; grammar_has(d->desc, f); f++) {
        uint8_t kind = d->desc->field[f].kind;

        if (kind == K_HOLE || kind == K_HPA) {
            uint64_t g = kind == K_HOLE ? d->value[f] : d->value[f] >> PAGE_SHIFT;

            resolve_result(K_GFN, g);
            resolve_result(K_GPA, g << PAGE_SHIFT);
        }
    }
}

/* Their last field is a new port. */
#define GIVE_PORTS                                                                                 \
    (1u << EVTCHNOP_bind_interdomain | 1u << EVTCHNOP_bind_virq | 1u << EVTCHNOP_alloc_unbound |   \
     1u << EVTCHNOP_bind_ipi)

/* New handles can be named by later operations. */
static void learn(const struct op_done *d)
{
    uint32_t port, handle;

    if (d->rc < 0 || d->arg_out == NULL) {
        return;
    }
    learn_frames(d);
    if (d->desc->nr == __HYPERVISOR_event_channel_op && d->desc->sub_place == SUB_REG &&
        ((1u << d->desc->sub) & GIVE_PORTS) != 0) {
        memcpy(&port, d->arg_out + d->arg_len - 4, 4);
        resolve_result(K_PORT, port);
    }
    if (d->desc->nr == __HYPERVISOR_grant_table_op && d->desc->sub == 0 && d->desc->batch) {
        memcpy(&handle, d->arg_out + 20, 4);
        resolve_result(K_HANDLE, handle);
    }
}

void flight_report_call(struct flight *f, unsigned nth, enum op_status status, int64_t rc)
{
    const struct call *c = &f->call[nth];
    unsigned index = c->op != NULL ? (unsigned)(c->op - exec.p->op) : f->index;
    struct op_done done = {
        .index = index,
        .op = c->op,
        .desc = c->desc,
        .status = (uint8_t)status,
        .domid = f->domid,
        .vcpu = f->vcpu,
        .raced = f->raced,
        .fetched =
            (exec.p->op[f->index].mod == MOD_FETCH && !calls_once(f)) || calls_lists_moved(f, nth),
        .shared = exec.p->op[f->index].mod == MOD_SHARED,
        .failed = exec.p->op[f->index].mod == MOD_FAIL,
        .elements = c->elements,
        .rc = rc,
        .arg_in = calls_in(f, nth),
        .arg_out = calls_out(f, nth),
        .arg_len = c->arg_len,
    };

    memcpy(done.value, c->value, sizeof(done.value));
    learn(&done);
    exec_report(&done);
}

void flight_report(struct flight *f, enum op_status status, int64_t rc)
{
    const struct op *op = &exec.p->op[f->index];
    struct op_done done = {.index = f->index,
                           .op = op,
                           .desc = grammar_ops[op->code],
                           .status = (uint8_t)status,
                           .domid = f->domid,
                           .vcpu = f->vcpu,
                           .raced = f->raced,
                           .elements = 1,
                           .rc = rc};

    f->used = false;
    if (done.desc->class == OP_CALL) {
        flight_report_call(f, 0, status, rc);
        return;
    }
    /* Those that ended were reported then. */
    for (unsigned i = calls_told(f); i < f->calls; i++) {
        flight_report_call(f, i, calls_midway(f) && i == calls_told(f) ? OP_DIED : OP_NOBODY, 0);
    }
    if (status == OP_DONE && done.desc->nr == ACT_MULTICALL) {
        calls_complete(f, rc);
    }
    done.strayed = calls_strayed(f);
    exec_report(&done);
}
