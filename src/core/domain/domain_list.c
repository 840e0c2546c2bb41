/* The list of domains: a table in two levels, by id. A page of it is made when
 * the first id in it is used, and kept. */
#include "core/domain/domain_list.h"

#include "base/atomic.h"
#include "base/check.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "core/vcpu/vcpu.h"

static void slot_write(domid_t id, struct domain *d)
{
    struct domain **page = hv->domain_page[id / DOMAINS_PER_PAGE];

    /* page_alloc.c reads it without the lock. */
    store_u64((uint64_t *)&page[id % DOMAINS_PER_PAGE], (uint64_t)(uintptr_t)d);
}

static struct domain *slot_read(domid_t id)
{
    struct domain **page = hv->domain_page[id / DOMAINS_PER_PAGE];

    return page != NULL ? page[id % DOMAINS_PER_PAGE] : NULL;
}

/* Makes sure that id has a slot. */
static int slot_make(domid_t id)
{
    uint64_t *page = (uint64_t *)&hv->domain_page[id / DOMAINS_PER_PAGE];
    void *p;

    if (*page == 0) {
        p = hyp_pages_alloc(NULL, 0, FRAME_HYP);
        if (p == NULL) {
            return -XEN_ENOMEM;
        }
        store_u64(page, (uint64_t)(uintptr_t)p);
    }
    return 0;
}

int domain_list_add(struct domain *d)
{
    int rc;

    lock_acquire(&hv->domain_list_lock);
    rc = slot_make(d->id);
    if (rc == 0 && slot_read(d->id) != NULL) {
        rc = -XEN_EEXIST;
    }
    if (rc == 0) {
        slot_write(d->id, d);
        hv->domain_count++;
    }
    lock_release(&hv->domain_list_lock);
    return rc;
}

void domain_list_remove(struct domain *d)
{
    lock_acquire(&hv->domain_list_lock);
    check(slot_read(d->id) == d);
    slot_write(d->id, NULL);
    hv->domain_count--;
    lock_release(&hv->domain_list_lock);
}

void domain_list_hide(struct domain *d)
{
    /* Under the lock: whoever found it before has its reference by now. */
    lock_acquire(&hv->domain_list_lock);
    store_u8(&d->state, DOMAIN_DEAD);
    lock_release(&hv->domain_list_lock);
}

/* With the list's lock held: the domain, referenced, if it may be found. */
static struct domain *find(domid_t id)
{
    struct domain *d = slot_read(id);

    if (d == NULL || d->state == DOMAIN_DEAD || d->state == DOMAIN_BUILDING) {
        return NULL;
    }
    domain_ref(d);
    return d;
}

domid_t domain_unused_id(domid_t from)
{
    uint32_t id = from;

    lock_acquire(&hv->domain_list_lock);
    while (id < DOMID_FIRST_RESERVED && slot_read((domid_t)id) != NULL) {
        id++;
    }
    lock_release(&hv->domain_list_lock);
    return id < DOMID_FIRST_RESERVED ? (domid_t)id : (domid_t)DOMID_INVALID;
}

struct domain *domain_get(domid_t id)
{
    struct domain *d;

    if (id >= DOMID_FIRST_RESERVED) {
        return NULL;
    }
    lock_acquire(&hv->domain_list_lock);
    d = find(id);
    lock_release(&hv->domain_list_lock);
    return d;
}

struct domain *domain_get_for(struct vcpu *caller, domid_t id)
{
    if (id == DOMID_SELF) {
        domain_ref(caller->domain);
        return caller->domain;
    }
    return domain_get(id);
}

/* The first domain from id on, with privilege if that is asked for. */
static struct domain *find_from(uint32_t id, bool privileged)
{
    struct domain *d = NULL;
    uint32_t left;

    lock_acquire(&hv->domain_list_lock);
    left = id == 0 ? hv->domain_count : UINT32_MAX; /* there are no more from id on */
    while (id < DOMID_FIRST_RESERVED && d == NULL && left != 0) {
        if (hv->domain_page[id / DOMAINS_PER_PAGE] == NULL) {
            id = (id / DOMAINS_PER_PAGE + 1) * DOMAINS_PER_PAGE;
            continue;
        }
        d = slot_read((domid_t)id);
        if (d != NULL) {
            left--;
            d = privileged && !d->privileged ? NULL : find((domid_t)id);
        }
        id++;
    }
    lock_release(&hv->domain_list_lock);
    return d;
}

struct domain *domain_next(domid_t from)
{
    return find_from(from, false);
}

struct domain *domain_control(void)
{
    return find_from(0, true);
}

void domain_notify_control(void)
{
    struct domain *c = evtchn_virq_handler(VIRQ_DOM_EXC);

    if (c != NULL) {
        evtchn_virq_global(c, VIRQ_DOM_EXC);
        domain_put(c);
    }
}
