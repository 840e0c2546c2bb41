/* Memory: limits, whose pages are seen where, and that new pages tell nothing. */
#include "fuzz/model.h"

#include "base/xen.h"

#include <xen/memory.h>

#include "core/domain/domain.h"
#include "fuzz/machine.h"

static uint64_t pages[MODEL_DOMAINS];

static uint64_t pages_of(uint16_t i)
{
    const struct domain *d = exec_domain(i);

    return d ? d->tot_pages : 0;
}

void model_memory_import(void)
{
    for (uint16_t i = 0; i < MODEL_DOMAINS; i++)
        pages[i] = pages_of(i);
}

void model_memory_always(const struct model_call *c)
{
    for (uint16_t i = 0; i < MODEL_DOMAINS; i++) {
        const struct domain *d = exec_domain(i);

        if (!d)
            continue;
        model_expect(d->tot_pages <= pages[i] || d->tot_pages <= d->max_pages, c, "MEM",
                     "a domain grew beyond its limit");
        model_expect(i == 0 || d->p2m.pages[P2M_FOREIGN] == 0, c, "MEM",
                     "a domain without privilege maps another's memory");
        pages[i] = d->tot_pages;
    }
}

/* The first extent is there, the caller's own, and zero. */
static void populated(const struct model_call *c, struct domain *d, uint64_t g)
{
    struct p2m_entry e = model_entry(d, g);
    const uint64_t *word = model_ram(d, g << PAGE_SHIFT);

    model_expect(e.type == P2M_RAM_RW && word, c, "MEM", "what was populated is not there");
    if (!word || (g >= ARG_GFN && g < CODE_GFN))
        return; /* the executor wrote there since */
    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*word); i++)
        model_expect(word[i] == 0, c, "MEM", "a new page holds old data");
}

static void reservation(const struct model_call *c)
{
    const struct xen_memory_reservation *in = c->in;
    uint16_t id = model_target(c, in->domid);
    struct domain *d = id < MODEL_DOMAINS ? exec_domain(id) : NULL;
    uint64_t first = c->done->value[0];
    struct p2m_entry e;

    if (!d || c->done->rc <= 0)
        return;
    model_expect(model_controls(c, id), c, "MEM", "another domain's memory was changed");
    model_expect((uint64_t)c->done->rc <= in->nr_extents, c, "MEM",
                 "more extents were done than asked for");
    if (c->done->desc->sub == XENMEM_populate_physmap) {
        if (c->done->rc == 1 && !(in->mem_flags & XENMEMF_populate_on_demand))
            populated(c, d, first);
    } else if (c->done->desc->sub == XENMEM_decrease_reservation) {
        e = model_entry(d, first);
        model_expect(e.type != P2M_RAM_RW, c, "MEM", "what was given up is still there");
    }
}

static void query(const struct model_call *c, uint64_t answer)
{
    const struct xen_memory_domain *in = c->in;
    uint16_t id = model_target(c, in->domid);

    if (id == MODEL_DOMAINS || c->done->rc < 0)
        return;
    model_expect(model_controls(c, id), c, "MEM", "another domain's memory was told");
    model_expect((uint64_t)c->done->rc == answer, c, "MEM", "memory is not told as it is");
}

void model_memory_op(const struct model_call *c)
{
    const struct xen_memory_domain *in = c->in;
    uint16_t id;

    switch (c->done->desc->sub) {
    case XENMEM_populate_physmap:
    case XENMEM_decrease_reservation:
        /* Made from the middle of a list: what the first one is was not asked. */
        if (c->done->value[5] == 0)
            reservation(c);
        break;
    case XENMEM_current_reservation:
        id = model_target(c, in->domid);
        query(c, id < MODEL_DOMAINS ? pages_of(id) : 0);
        break;
    case XENMEM_maximum_reservation:
        id = model_target(c, in->domid);
        query(c, id < MODEL_DOMAINS && exec_domain(id) ? exec_domain(id)->max_pages : 0);
        break;
    default:
        break;
    }
}
