/* What goes wrong while an operation runs: an allocation fails, memory changes
 * between two reads, CPUs switch at a lock. By the linker's --wrap, so that the code
 * under test knows nothing of it. */
#include <string.h>

#include "base/xen.h"
#include "core/arch.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "fuzz/exec_impl.h"
#include "hostsim/world/world.h"

static struct {
    unsigned fail, fetch; /* so many more, then; 0: never */
    unsigned word, how;   /* which word of what was read changes, and how */
    uint8_t schedule;     /* bit per acquire, round and round */
    unsigned acquires;
} faults;

int __real_guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n);
int __wrap_guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n);
void *__real_hyp_pages_alloc(struct domain *d, unsigned order, enum frame_type type);
void *__wrap_hyp_pages_alloc(struct domain *d, unsigned order, enum frame_type type);
mfn_t __real_guest_pages_alloc_below(struct domain *d, unsigned order, unsigned bits);
mfn_t __wrap_guest_pages_alloc_below(struct domain *d, unsigned order, unsigned bits);
mfn_t __real_guest_pages_alloc_clean(struct domain *d, unsigned order, unsigned bits);
mfn_t __wrap_guest_pages_alloc_clean(struct domain *d, unsigned order, unsigned bits);
mfn_t __real_guest_pages_alloc(struct domain *d, unsigned order);
mfn_t __wrap_guest_pages_alloc(struct domain *d, unsigned order);

/* A race's turns end where the program says. */
static bool switch_here(void)
{
    bool here = (faults.schedule >> (faults.acquires++ & 7) & 1) != 0;

    return here && !exec_meanwhile();
}

/* Which read: the structure that holds all arguments is the first one. */
static const uint8_t fetches[] = {1, 2, 3, 4, 1, 1, 2, 7};

void faults_arm(const struct op *op)
{
    switch (op->mod) {
    case MOD_FAIL:
        faults.fail = 1 + op->mod_arg % 16;
        break;
    case MOD_FETCH:
        faults.fetch = fetches[op->mod_arg % ARRAY_SIZE(fetches)];
        faults.word = op->mod_arg >> 3 & 3;
        faults.how = op->mod_arg >> 5;
        break;
    case MOD_RACE:
        faults.schedule = op->mod_arg;
        faults.acquires = 0;
        world_acquire_hook = switch_here;
        break;
    case MOD_PREEMPT:
        for (unsigned i = 0; i < MACHINE_CPUS; i++) {
            hv->cpu[i].preempt_every = 1 + op->mod_arg % 8;
        }
        break;
    default:
        break;
    }
}

void faults_disarm(void)
{
    memset(&faults, 0, sizeof(faults));
    world_acquire_hook = NULL;
    for (unsigned i = 0; i < MACHINE_CPUS; i++) {
        hv->cpu[i].preempt_every = 0;
        hv->cpu[i].preempt_count = 0;
    }
}

static uint64_t changed(uint64_t was)
{
    static const uint64_t to[] = {0, UINT64_MAX, 2, INT32_MAX, UINT64_C(1) << 32 | 1};

    switch (faults.how) {
    case 0:
        return was + 1;
    case 1:
        return ~was;
    case 2:
        return was - 1;
    default:
        return to[faults.how - 3];
    }
}

/* Another vCPU writes to what was just read. */
static void change(struct vcpu *v, uint64_t gva, size_t n)
{
    uint64_t at = gva + 8 * faults.word, value = 0;
    size_t size = n < 8 ? n : 8;
    gaddr_t a;

    if (8 * (uint64_t)faults.word + size > n || !arch_translate(v, at, true, &a) ||
        guest_phys_read(v->domain, a, &value, size) != 0) {
        return;
    }
    value = changed(value);
    (void)guest_phys_write(v->domain, a, &value, size);
}

int __wrap_guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n)
{
    int rc = __real_guest_copy_in(v, dst, gva, n);

    if (faults.fetch != 0 && --faults.fetch == 0 && rc == 0) {
        change(v, gva, n);
    }
    return rc;
}

static bool fails(void)
{
    return faults.fail != 0 && --faults.fail == 0;
}

void *__wrap_hyp_pages_alloc(struct domain *d, unsigned order, enum frame_type type)
{
    return fails() ? NULL : __real_hyp_pages_alloc(d, order, type);
}

mfn_t __wrap_guest_pages_alloc_below(struct domain *d, unsigned order, unsigned bits)
{
    return fails() ? mfn_invalid() : __real_guest_pages_alloc_below(d, order, bits);
}

mfn_t __wrap_guest_pages_alloc_clean(struct domain *d, unsigned order, unsigned bits)
{
    return fails() ? mfn_invalid() : __real_guest_pages_alloc_clean(d, order, bits);
}

mfn_t __wrap_guest_pages_alloc(struct domain *d, unsigned order)
{
    return fails() ? mfn_invalid() : __real_guest_pages_alloc(d, order);
}
