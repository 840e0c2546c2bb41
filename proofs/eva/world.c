/* See world.h. */
#include "world.h"

#include <string.h>

#include "core/evtchn/evtchn_private.h"
#include "core/gnttab/gnttab_private.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/p2m/p2m_batch.h"
#include "core/p2m/p2m_log.h"

static struct hv world_hv;
static struct domain caller, other;
static struct domain_arch caller_arch, other_arch;
static struct vcpu vcpu[2], other_vcpu;
static struct vcpu_arch vcpu_arch[2], other_vcpu_arch;
static shared_info_t caller_shared, other_shared;
static vcpu_info_t infos[2];
static struct evtchn bucket[EVTCHN_PER_BUCKET];
static struct evtchn *group[] = {[0 ... EVTCHN_BUCKETS_PER_GROUP - 1] = bucket};
static event_word_t event_words[PAGE_SIZE / sizeof(event_word_t)];
static struct evtchn_fifo fifo = {.page = {[0 ... FIFO_PAGES - 1] = event_words}};
static uint8_t guest_page[PAGE_SIZE], hyp_page[8 * PAGE_SIZE];
static struct e820_entry e820[PAGE_SIZE / sizeof(struct e820_entry)];
static gfn_t grant_gfns[GNTTAB_MAX_FRAMES];
static struct gnttab_active active;
static grant_entry_v1_t grants_v1[2];
static grant_entry_v2_t grants_v2[2];
static char history[CONSOLE_HISTORY];
uint64_t world_args[6];
struct hv *hv;

void *either(void *a, void *b)
{
    return Frama_C_nondet(0, 1) ? a : b;
}

/* A port's entry as the table keeps it. */
static void make_port(struct evtchn *chn)
{
    chn->state = (uint8_t)Frama_C_interval(EVTCHN_FREE, EVTCHN_IPI);
    chn->priority = (uint8_t)Frama_C_interval(0, EVTCHN_FIFO_PRIORITY_MIN);
    chn->last_priority = (uint8_t)Frama_C_interval(0, EVTCHN_FIFO_PRIORITY_MIN);
    chn->vcpu = (uint32_t)Frama_C_interval(0, MAX_VCPUS - 1);
    chn->last_vcpu = (uint32_t)Frama_C_interval(0, MAX_VCPUS - 1);
}

static void make_events(struct domain *d)
{
    d->evtchn.group[0] = group;
    d->evtchn.group[1] = group;
    d->evtchn.valid_ports =
        EVTCHN_PER_BUCKET *
        (uint32_t)Frama_C_interval(1, (int)(EVTCHN_BUCKETS_PER_GROUP * EVTCHN_GROUPS));
    d->evtchn.fifo = either(&fifo, NULL);
}

static void make_domain(struct domain *d, struct domain_arch *arch, shared_info_t *shared)
{
    ARBITRARY(*d);
    ARBITRARY(*arch);
    ARBITRARY(*shared);
    d->arch = arch;
    d->shared_info = either(shared, NULL);
    //@ loop unroll MAX_VCPUS;
    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        d->vcpu[i] = NULL;
    }
    d->max_vcpus = (uint32_t)Frama_C_interval(1, MAX_VCPUS);
    d->privileged = Frama_C_interval(0, 1);
    d->console.ring = either(guest_page, NULL);
    d->deferred_next = NULL;
    make_events(d);
    arch->e820 = either(e820, NULL);
    arch->e820_count = (uint32_t)Frama_C_interval(0, PAGE_SIZE / sizeof(e820[0]));
    arch->vcpu_total = (uint32_t)Frama_C_interval(1, MAX_VCPUS);
    d->gnttab.nr_frames = (uint32_t)Frama_C_interval(0, GNTTAB_MAX_FRAMES);
    d->gnttab.nr_status_frames = (uint32_t)Frama_C_interval(0, (int)STATUS_MAX_FRAMES);
    d->gnttab.shared_gfn = grant_gfns;
    d->gnttab.status_gfn = grant_gfns;
    arch->vendor = (uint8_t)Frama_C_interval(0, 1);
}

static void make_vcpu(struct vcpu *v, struct domain *d, unsigned id, struct vcpu_arch *arch)
{
    ARBITRARY(*v);
    ARBITRARY(*arch);
    v->domain = d;
    v->id = id;
    v->arch = arch;
    v->info = either(&infos[id], NULL);
    v->info_page = either(guest_page, NULL);
    v->runstate_area.page = either(guest_page, NULL);
    v->runstate_area.page2 = either(guest_page, NULL);
    v->time_area.page = either(guest_page, NULL);
    v->time_area.page2 = either(guest_page, NULL);
    v->fifo_control = either(guest_page, NULL);
    v->runstate.state = Frama_C_interval(0, RUNSTATE_offline);
    v->runstate_area.offset = (uint32_t)Frama_C_interval(0, PAGE_SIZE - 1);
    v->time_area.offset = (uint32_t)Frama_C_interval(0, PAGE_SIZE - 1);
    v->sched.cpu = (uint16_t)Frama_C_interval(0, MAX_CPUS - 1);
    d->vcpu[id] = v;
}

struct vcpu *world(void)
{
    ARBITRARY(world_hv);
    ARBITRARY(guest_page);
    ARBITRARY(bucket);
    //@ loop unroll EVTCHN_PER_BUCKET;
    for (unsigned i = 0; i < EVTCHN_PER_BUCKET; i++) {
        make_port(&bucket[i]);
    }
    ARBITRARY(event_words);
    ARBITRARY(infos);
    ARBITRARY(e820);
    ARBITRARY(grant_gfns);
    ARBITRARY(history);
    ARBITRARY(world_args);
    hv = &world_hv;
    hv->cpu_count = (uint32_t)Frama_C_interval(1, MAX_CPUS);
    hv->policy_silo = Frama_C_interval(0, 1);
    hv->sched_kind = (uint8_t)Frama_C_interval(0, SCHED_KINDS - 1);
    hv->history.ring = history;
    fifo.pages = (uint32_t)Frama_C_interval(0, FIFO_PAGES);
    make_domain(&caller, &caller_arch, &caller_shared);
    make_domain(&other, &other_arch, &other_shared);
    make_vcpu(&vcpu[0], &caller, 0, &vcpu_arch[0]);
    make_vcpu(&vcpu[1], &caller, 1, &vcpu_arch[1]);
    make_vcpu(&other_vcpu, &other, 0, &other_vcpu_arch);
    //@ loop unroll MAX_CPUS;
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        hv->cpu[i].current = either(vcpu, NULL);
    }
    return vcpu;
}

/* What the sweeps do not go into: lookups of the objects above. */

struct domain *domain_get(domid_t id)
{
    return either(either(&caller, &other), NULL);
}

struct domain *domain_get_for(struct vcpu *v, domid_t id)
{
    return id == DOMID_SELF ? v->domain : domain_get(id);
}

struct domain *domain_next(domid_t from)
{
    return domain_get(from);
}

struct domain *domain_control(void)
{
    return domain_get(0);
}

struct vcpu *domain_vcpu(struct domain *d, uint32_t id)
{
    return id < MAX_VCPUS ? d->vcpu[id] : NULL;
}

void *guest_page_pin(struct domain *d, gfn_t g)
{
    return either(guest_page, NULL);
}

unsigned order_of_bytes(uint64_t bytes)
{
    unsigned order;

    ARBITRARY(order);
    return order <= FRAME_ORDER_MAX ? order : FRAME_ORDER_MAX;
}

void *hyp_pages_alloc(struct domain *d, unsigned order, enum frame_type type)
{
    memset(hyp_page, 0, sizeof(hyp_page));
    return either(hyp_page, NULL);
}

unsigned port_cpu_id(void)
{
    return (unsigned)Frama_C_interval(0, MAX_CPUS - 1);
}

/* An entry as a second-stage table can hold it. */
static void make_entry(struct p2m_entry *e)
{
    ARBITRARY(*e);
    e->type = (uint8_t)Frama_C_interval(0, P2M_TYPES - 1);
    e->order = (uint8_t)(9 * Frama_C_interval(0, 2));
}

struct p2m_entry p2m_lookup(struct domain *d, gfn_t g)
{
    struct p2m_entry e;

    make_entry(&e);
    return e;
}

bool p2m_get_page(struct domain *d, gfn_t g, struct p2m_entry *e)
{
    make_entry(e);
    return Frama_C_nondet(0, 1);
}

uint64_t p2m_log_read(struct domain *d, uint64_t g, unsigned n, enum p2m_log_mode mode,
                      uint64_t bits[P2M_LOG_CHUNK / 64])
{
    uint64_t next;

    for (unsigned i = 0; i < P2M_LOG_CHUNK / 64; i++) {
        ARBITRARY(bits[i]);
    }
    ARBITRARY(next);
    return next;
}

void p2m_batch_begin(struct p2m_batch *b, struct domain *d)
{
    ARBITRARY(*b);
    b->d = d;
}

int p2m_batch_exchange(struct p2m_batch *b, gfn_t g, mfn_t m, enum p2m_type type, uint32_t replace,
                       struct p2m_entry *old)
{
    make_entry(old);
    return Frama_C_interval(-1000, 0);
}

int p2m_batch_move(struct p2m_batch *b, gfn_t from, gfn_t to, uint32_t replace,
                   struct p2m_entry *old)
{
    make_entry(old);
    return Frama_C_interval(-1000, 0);
}

int p2m_batch_unmap(struct p2m_batch *b, gfn_t g, unsigned order, mfn_t want, uint32_t types,
                    struct p2m_entry *old)
{
    make_entry(old);
    return Frama_C_interval(-1000, 0);
}

void p2m_batch_end(struct p2m_batch *b)
{
}

/* Grants: the guest writes the shared entries at any time. */

struct gnttab_active *gnttab_active_of(const struct gnttab *t, grant_ref_t ref)
{
    ARBITRARY(active);
    return &active;
}

grant_entry_v1_t *gnttab_entry_v1(const struct gnttab *t, grant_ref_t ref)
{
    ARBITRARY(grants_v1);
    return &grants_v1[Frama_C_interval(0, 1)];
}

grant_entry_v2_t *gnttab_entry_v2(const struct gnttab *t, grant_ref_t ref)
{
    ARBITRARY(grants_v2);
    return &grants_v2[Frama_C_interval(0, 1)];
}

struct runqueue *sched_lock(const struct vcpu *v)
{
    return &hv->cpu[v->sched.cpu].rq;
}

/* Guest memory holds anything. Copies stay within the hypervisor's object, and what goes
 * out has been written before. What a copy that failed leaves behind is not looked at. */

static int copy_in(char *dst, size_t n)
{
    if (Frama_C_nondet(0, 1)) {
        return -XEN_EFAULT;
    }
    Frama_C_make_unknown(dst, n);
    return 0;
}

/*@ requires room: \valid((char *)dst + (0 .. n - 1)); */
int guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n)
{
    return copy_in(dst, n);
}

/*@ requires all: \valid_read((char *)src + (0 .. n - 1));
    requires nothing_leaks: \initialized((char *)src + (0 .. n - 1)); */
int guest_copy_out(struct vcpu *v, uint64_t gva, const void *src, size_t n)
{
    return Frama_C_nondet(0, -XEN_EFAULT);
}

/*@ requires room: \valid((char *)dst + (0 .. n - 1)); */
int guest_phys_read(struct domain *d, gaddr_t a, void *dst, size_t n)
{
    return copy_in(dst, n);
}

/*@ requires all: \valid_read((char *)src + (0 .. n - 1)); */
int guest_phys_write(struct domain *d, gaddr_t a, const void *src, size_t n)
{
    return Frama_C_nondet(0, -XEN_EFAULT);
}

void port_guest_save(struct vcpu *v, struct guest_state *s)
{
    ARBITRARY(*s);
}

/*@ requires room: \valid(s + (0 .. n - 1)); */
size_t port_console_read(uint16_t domid, char *s, size_t n)
{
    size_t got;

    Frama_C_make_unknown(s, n);
    ARBITRARY(got);
    return got <= n ? got : n;
}

/* A check() that fails is the hypervisor's own fault. */
/*@ requires never_fails: \false;
    assigns \nothing;
    ensures \false; */
void check_failed(const char *expr, const char *file, int line);
