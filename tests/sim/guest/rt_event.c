/* Event channels: shared info, upcalls, both ABIs of the pending state. */
#include "guest.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>

#define WORD_BITS 64u

struct shared_info *shared;
volatile uint32_t fired[PORTS_MAX], fired_cpu[PORTS_MAX], fired_log[256], fired_logged;
void (*volatile event_hook[PORTS_MAX])(uint32_t port);
bool fifo;
struct vcpu_info *vcpu_info_of[CPUS_MAX];
static uint8_t cpu_of[PORTS_MAX];
static volatile uint32_t *fifo_words; /* contiguous: one page holds 1024 */

struct vcpu_info *vcpu_info(void)
{
    unsigned id = me()->id;

    return vcpu_info_of[id] ? vcpu_info_of[id] : &shared->vcpu_info[id];
}

void event_init(void)
{
    struct xen_add_to_physmap map = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = hole_gfn(1)};

    memory_op(XENMEM_add_to_physmap, &map);
    shared = AT(map.gpfn);
    while (vcpus < CPUS_MAX && vcpu_op(VCPUOP_is_up, vcpus, NULL) >= 0)
        vcpus++;
}

void event_init_cpu(void)
{
    struct xen_hvm_evtchn_upcall_vector v = {.vcpu = me()->id, .vector = VEC_UPCALL};
    static char how[WORD_MAX];

    if (word("upcall", how) && same(how, "gsi"))
        return; /* lapic-level sets it up */
    hvm_op(HVMOP_set_evtchn_upcall_vector, &v);
}

static bool test_and_clear(volatile uint64_t *words, uint32_t bit)
{
    bool was;

    __asm__ volatile("lock btr %2, %1"
                     : "=@ccc"(was), "+m"(words[bit / WORD_BITS])
                     : "r"((uint64_t)bit % WORD_BITS)
                     : "memory");
    return was;
}

static volatile uint64_t *bits(xen_ulong_t *array)
{
    return (volatile uint64_t *)array;
}

static void handle(uint32_t port)
{
    fired[port]++;
    fired_cpu[port] = me()->id;
    fired_log[fired_logged % 256] = port;
    fired_logged++;
    if (event_hook[port])
        event_hook[port](port);
}

static void upcall_2l(struct vcpu_info *vi)
{
    uint64_t words = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (uint32_t w = 0; words; w++, words >>= 1) {
        uint64_t ready = shared->evtchn_pending[w] & ~shared->evtchn_mask[w];

        for (uint32_t b = 0; (words & 1) && ready; b++, ready >>= 1) {
            uint32_t port = w * WORD_BITS + b;

            if ((ready & 1) && cpu_of[port] == me()->id) {
                test_and_clear(bits(shared->evtchn_pending), port);
                handle(port);
            }
        }
    }
}

/* Takes the head out of its queue: the link to the next one. */
static uint32_t fifo_unlink(volatile uint32_t *word)
{
    uint32_t old = *word, new;

    do {
        new = old & ~((1u << EVTCHN_FIFO_LINKED) | EVTCHN_FIFO_LINK_MASK);
    } while (
        !__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return old & EVTCHN_FIFO_LINK_MASK;
}

static void fifo_one(struct cpu *c, unsigned q, uint32_t *ready)
{
    uint32_t port = c->fifo_head[q];
    volatile uint32_t *word;

    if (port == 0)
        port = ((volatile struct evtchn_fifo_control_block *)c->fifo)->head[q];
    word = &fifo_words[port];
    c->fifo_head[q] = fifo_unlink(word);
    if (c->fifo_head[q] == 0)
        *ready &= ~(1u << q);
    if ((*word >> EVTCHN_FIFO_PENDING & 1) && !(*word >> EVTCHN_FIFO_MASKED & 1)) {
        __atomic_fetch_and(word, ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
        handle(port);
    }
}

static void upcall_fifo(void)
{
    struct cpu *c = me();
    uint32_t ready = __atomic_exchange_n(&c->fifo->ready, 0, __ATOMIC_SEQ_CST);

    while (ready) {
        fifo_one(c, (unsigned)__builtin_ctz(ready), &ready);
        ready |= __atomic_exchange_n(&c->fifo->ready, 0, __ATOMIC_SEQ_CST);
    }
}

void upcall(void)
{
    struct vcpu_info *vi = vcpu_info();

    while (__atomic_exchange_n(&vi->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST)) {
        if (fifo)
            upcall_fifo();
        else
            upcall_2l(vi);
    }
}

bool event_pending(uint32_t port)
{
    if (fifo)
        return fifo_words[port] >> EVTCHN_FIFO_PENDING & 1;
    return shared->evtchn_pending[port / WORD_BITS] >> port % WORD_BITS & 1;
}

void event_clear(uint32_t port)
{
    if (fifo)
        __atomic_fetch_and(&fifo_words[port], ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
    else
        test_and_clear(bits(shared->evtchn_pending), port);
}

void event_mask(uint32_t port)
{
    if (fifo)
        __atomic_fetch_or(&fifo_words[port], 1u << EVTCHN_FIFO_MASKED, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_or(&shared->evtchn_mask[port / WORD_BITS], UINT64_C(1) << port % WORD_BITS,
                          __ATOMIC_SEQ_CST);
}

int64_t event_unmask(uint32_t port)
{
    struct evtchn_unmask op = {.port = port};

    return evtchn_op(EVTCHNOP_unmask, &op);
}

int64_t event_send(uint32_t port)
{
    struct evtchn_send op = {.port = port};

    return evtchn_op(EVTCHNOP_send, &op);
}

int64_t event_close(uint32_t port)
{
    struct evtchn_close op = {.port = port};
    int64_t rc = evtchn_op(EVTCHNOP_close, &op);

    if (!rc) {
        event_hook[port] = NULL;
        fired[port] = 0;
        cpu_of[port] = 0;
    }
    return rc;
}

int64_t event_bind_cpu(uint32_t port, unsigned cpu)
{
    struct evtchn_bind_vcpu op = {.port = port, .vcpu = cpu};
    int64_t rc = evtchn_op(EVTCHNOP_bind_vcpu, &op);

    if (!rc)
        cpu_of[port] = (uint8_t)cpu;
    return rc;
}

/* A new port counts from 0, as event_close() left it: binding it may fire it already. */
static int64_t fresh(int64_t rc, uint32_t port, unsigned cpu)
{
    if (rc)
        return rc;
    cpu_of[port] = (uint8_t)cpu;
    event_unmask(port);
    return port;
}

int64_t event_unbound(domid_t remote)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote};
    int64_t rc = evtchn_op(EVTCHNOP_alloc_unbound, &op);

    return fresh(rc, op.port, 0);
}

int64_t event_interdomain(domid_t remote, uint32_t port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = port};
    int64_t rc = evtchn_op(EVTCHNOP_bind_interdomain, &op);

    return fresh(rc, op.local_port, 0);
}

int64_t event_ipi(unsigned cpu)
{
    struct evtchn_bind_ipi op = {.vcpu = cpu};
    int64_t rc = evtchn_op(EVTCHNOP_bind_ipi, &op);

    return fresh(rc, op.port, cpu);
}

int64_t event_virq(uint32_t virq, unsigned cpu)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = cpu};
    int64_t rc = evtchn_op(EVTCHNOP_bind_virq, &op);

    return fresh(rc, op.port, cpu);
}

struct evtchn_status event_status(uint32_t port)
{
    struct evtchn_status op = {.dom = DOMID_SELF, .port = port};

    if (evtchn_op(EVTCHNOP_status, &op))
        op.status = UINT32_MAX;
    return op;
}

volatile uint32_t *fifo_word(uint32_t port)
{
    return &fifo_words[port];
}

bool event_to_fifo(void)
{
    struct evtchn_expand_array expand;
    bool good = true;

    fifo_words = page_alloc();
    irq_off();
    for (unsigned i = 0; i < vcpus; i++) {
        void *block = page_alloc();
        struct evtchn_init_control control = {.control_gfn = GFN(block), .vcpu = i};

        cpus[i].fifo = block;
        good = good && evtchn_op(EVTCHNOP_init_control, &control) == 0;
    }
    expand.array_gfn = GFN(fifo_words);
    good = good && evtchn_op(EVTCHNOP_expand_array, &expand) == 0;
    fifo = good;
    irq_on();
    return good;
}
