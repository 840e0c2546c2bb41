/* What goes wrong while an operation runs: an allocation fails, memory changes between two
 * reads or goes away, CPUs switch at a lock. By the linker's --wrap and by what stands in
 * for base/atomic.h, so that the code under test knows nothing of it. */
#include <string.h>

#include "base/xen.h"
#include "core/arch.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "fuzz/exec_impl.h"
#include "fuzz/shared.h"
#include "hostsim/world/world.h"
#include "port/mem.h"

static struct faults {
    unsigned fail, fetch; /* so many more, then; 0: never */
    unsigned gone;        /* the same; then the page of that read is */
    bool unreadable;      /* not only read-only */
    uint64_t page;        /* which is gone, and one: its low bits are the flag */
    unsigned word, how;   /* which word of what was read changes, and how */
    unsigned again, bit;  /* so many more accesses to shared words that were seen; which changes */
    unsigned seen_count;
    uint8_t schedule; /* bit per acquire, round and round */
    unsigned acquires;
    const void *seen[64]; /* words, seen_count of them */
} faults;

int __real_guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n);
int __wrap_guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n);
int __real_guest_copy_out(struct vcpu *v, uint64_t gva, const void *src, size_t n);
int __wrap_guest_copy_out(struct vcpu *v, uint64_t gva, const void *src, size_t n);
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

/* Do guests see this memory? */
static bool is_shared(const void *p)
{
    const uint8_t *byte = p;
    struct frame f;

    if (byte < world_ram() || byte >= world_ram() + world_ram_bytes()) {
        return false;
    }
    f = frame_read(ptr_to_mfn(byte - (uintptr_t)byte % PAGE_SIZE));
    return f.state == FRAME_USED && (f.type < FRAME_HYP || f.type == FRAME_SHARED);
}

static bool seen_before(const void *p)
{
    for (unsigned i = 0; i < faults.seen_count; i++) {
        if (faults.seen[i] == p) {
            return true;
        }
    }
    if (faults.seen_count < ARRAY_SIZE(faults.seen)) {
        faults.seen[faults.seen_count++] = p;
    }
    return false;
}

/* A guest changes a bit of a shared word before the hypervisor reads it again. */
static void shared_word(const void *p, unsigned size, bool reads)
{
    if (!is_shared(p) || !seen_before(p) || !reads || faults.again == 0 || --faults.again != 0) {
        return;
    }
    ((uint8_t *)(uintptr_t)p)[faults.bit / 8 % size] ^= (uint8_t)(1u << faults.bit % 8);
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
    case MOD_GONE:
        faults.gone = fetches[op->mod_arg % ARRAY_SIZE(fetches)];
        faults.unreadable = (op->mod_arg >> 3 & 3) == 0;
        break;
    case MOD_SHARED:
        faults.again = 1 + op->mod_arg % 8;
        faults.bit = op->mod_arg / 8;
        shared_access_hook = shared_word;
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
    memset(&faults, 0, offsetof(struct faults, seen));
    world_acquire_hook = NULL;
    shared_access_hook = NULL;
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

/* The bytes of [gva, gva + n) before the page that is gone; n: all. */
static size_t before_gone(uint64_t gva, size_t n)
{
    uint64_t page = faults.page & PAGE_MASK;

    if (faults.page == 0 || gva >= page + PAGE_SIZE || gva + n <= page) {
        return n;
    }
    return gva < page ? (size_t)(page - gva) : 0;
}

int __wrap_guest_copy_in(struct vcpu *v, void *dst, uint64_t gva, size_t n)
{
    size_t there = faults.unreadable ? before_gone(gva, n) : n;
    int rc = __real_guest_copy_in(v, dst, gva, there);

    if (rc != 0 || there != n) {
        return -XEN_EFAULT;
    }
    calls_read(v, gva, dst, n);
    if (faults.fetch != 0 && --faults.fetch == 0) {
        change(v, gva, n);
    }
    if (faults.gone != 0 && --faults.gone == 0) {
        faults.page = (gva & PAGE_MASK) | 1;
    }
    return 0;
}

int __wrap_guest_copy_out(struct vcpu *v, uint64_t gva, const void *src, size_t n)
{
    size_t there = before_gone(gva, n);
    int rc = __real_guest_copy_out(v, gva, src, there);

    if (rc != 0 || there != n) {
        return -XEN_EFAULT;
    }
    calls_wrote(v, gva, src, n);
    return 0;
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
