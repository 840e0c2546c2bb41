/* The model's hooks: which part judges what. */
#include "fuzz/model.h"

#include "base/xen.h"

#include <stdio.h>

#include <xen/grant_table.h>

#include "core/domain/domain.h"
#include "core/p2m/p2m_table.h"
#include "port/mem.h"

uint16_t model_target(const struct model_call *c, uint16_t domid)
{
    if (domid == DOMID_SELF)
        domid = c->self;
    return domid < MODEL_DOMAINS ? domid : MODEL_DOMAINS;
}

bool model_controls(const struct model_call *c, uint16_t d)
{
    return d == c->self || c->self == 0;
}

void model_expect(bool ok, const struct model_call *c, const char *name, const char *what)
{
    static char text[160];

    if (ok)
        return;
    if (c)
        snprintf(text, sizeof(text), "MODEL-%s: %s (operation %u, %s of domain %u)", name, what,
                 c->done->index, c->done->desc->name, c->self);
    else
        snprintf(text, sizeof(text), "MODEL-%s: %s", name, what);
    exec_violation(text);
}

struct p2m_entry model_entry(const struct domain *d, uint64_t g)
{
    struct p2m_entry none = {.mfn = mfn_invalid(), .type = P2M_INVALID};
    struct p2m_place w;

    if (g >= P2M_GFN_LIMIT || !p2m_exists(&d->p2m))
        return none;
    w = p2m_walk(&d->p2m, g);
    return p2m_entry_at(&w, g);
}

const void *model_ram(struct domain *d, uint64_t gpa)
{
    struct p2m_entry e = model_entry(d, gpa >> PAGE_SHIFT);

    if (e.type == P2M_INVALID || p2m_type_has_no_frame(e.type))
        return NULL;
    return (const uint8_t *)mfn_to_ptr(e.mfn) + (gpa & (PAGE_SIZE - 1));
}

static void import(void)
{
    model_evtchn_import();
    model_grant_import();
    model_memory_import();
}

static void begin(void *arg)
{
    (void)arg;
    import();
}

/* How many elements the guest said there are. */
static uint32_t count_of(const struct op_done *d)
{
    for (unsigned f = 0; grammar_has(d->desc, f); f++) {
        if (d->desc->field[f].kind == K_COUNT && d->desc->field[f].place == IN_REG)
            return (uint32_t)d->value[f];
    }
    return 1;
}

/* Can the model follow what d did? An exit may be a hypercall, and a multicall may find
 * calls in memory that nobody reports; else its entries were judged as they ended. */
static bool follows(const struct op_done *d)
{
    if (d->desc->batch && count_of(d) != d->elements)
        return false;
    if (d->desc->class == OP_WORLD && d->desc->nr == ACT_MULTICALL)
        return !d->strayed;
    /* What a mapping was made of can still be read when only its entry changed. */
    if (d->shared && (d->desc->nr != __HYPERVISOR_grant_table_op ||
                      d->desc->sub != GNTTABOP_map_grant_ref || d->elements != 1))
        return false;
    return (d->desc->class == OP_CALL || d->desc->class == OP_GUEST) && !d->raced && !d->fetched &&
           d->status != OP_DIED && (d->desc->group & (G_CONTROL | G_LIFE)) == 0 &&
           d->domid < MODEL_DOMAINS;
}

static void judge(const struct op_done *d)
{
    struct model_call c = {.done = d, .self = d->domid};
    size_t size = d->desc->arg_size;
    bool many = d->desc->batch && d->elements != 1;

    if (d->desc->nr == __HYPERVISOR_grant_table_op && !model_grant_follows(d)) {
        import();
        return;
    }
    for (uint32_t i = 0; i < (many ? d->elements : 1); i++) {
        c.in = d->arg_in ? d->arg_in + i * size : NULL;
        c.out = d->arg_out ? d->arg_out + i * size : NULL;
        model_limits(&c);
        switch (d->desc->nr) {
        case __HYPERVISOR_event_channel_op:
            model_evtchn_op(&c);
            break;
        case __HYPERVISOR_grant_table_op:
            model_grant_op(&c);
            break;
        case __HYPERVISOR_memory_op:
            model_memory_op(&c);
            break;
        default:
            break;
        }
    }
}

#define HYPERCALLS 64u /* more than <xen/xen.h> has */

/* Numbers that mean nothing. */
static void judge_unknown(const struct op_done *d)
{
    struct model_call c = {.done = d, .self = d->domid};

    if (d->desc->class == OP_CALL && d->desc->nr == 0 && d->value[0] >= HYPERCALLS)
        model_expect(d->rc == -XEN_ENOSYS, &c, "CALL", "a hypercall that does not exist was made");
}

static void done(void *arg, const struct op_done *d)
{
    struct model_call c = {.done = d, .self = d->domid};

    (void)arg;
    if (d->status == OP_NOBODY)
        return;
    model_memory_always(&c);
    if (d->status == OP_DONE)
        judge_unknown(d);
    if (!follows(d))
        import();
    else if (d->desc->class == OP_CALL && d->desc->sub_place == SUB_REG && d->arg_len != 0)
        judge(d);
}

static void end(void *arg)
{
    (void)arg;
    model_evtchn_compare();
    model_grant_compare();
}

const struct exec_hooks model_hooks = {.begin = begin, .done = done, .end = end};
