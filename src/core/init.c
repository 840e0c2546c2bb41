#include "core/init.h"

#include "base/arith.h"
#include "base/string.h"
#include "base/xen.h"
#include "core/mem/frame_word.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

/* Whole frames of a byte range. */
struct frame_range {
    uint64_t start, end;
};

/* Trims r to whole frames that the frame table can number. Frame 0 is never
 * used: 0 ends the free lists. Empty ranges come out with start == end. */
static struct frame_range frames_within(const struct memory_range *r)
{
    const uint64_t limit = UINT64_C(1) << (FRAME_MFN_BITS + PAGE_SHIFT);
    struct frame_range f = {0, 0};
    uint64_t start = max_u64(min_u64(r->start, limit), PAGE_SIZE);
    uint64_t end = min_u64(r->end, limit);

    start = align_up(start, PAGE_SIZE) >> PAGE_SHIFT;
    end = align_down(end, PAGE_SIZE) >> PAGE_SHIFT;
    if (start < end) {
        f.start = start;
        f.end = end;
    }
    return f;
}

static uint64_t highest_frame(const struct boot_info *boot)
{
    uint64_t max = 0;

    for (size_t i = 0; i < boot->ram_count; i++)
        max = max_u64(max, frames_within(&boot->ram[i]).end);
    return max_u64(max, frames_within(&boot->kept).end);
}

static uint64_t pages_of(uint64_t bytes)
{
    return align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
}

/* Where struct hv and the frame table go: at the top of the highest range that
 * holds both, to spare the memory that small addresses reach. 0: nowhere. */
static uint64_t choose_home(const struct boot_info *boot, uint64_t pages)
{
    uint64_t home = 0;

    for (size_t i = 0; i < boot->ram_count; i++) {
        struct frame_range f = frames_within(&boot->ram[i]);

        if (f.end - f.start >= pages)
            home = max_u64(home, f.end - pages);
    }
    return home;
}

/* Marks RAM free and the hypervisor's own frames used. Ranges may overlap: a
 * frame is only said to be RAM once. */
static void fill_frame_table(const struct boot_info *boot, uint64_t home, uint64_t pages)
{
    const uint64_t own = fw_pack_used(FRAME_HYP, false, 1, DOMID_XEN);
    const struct frame_range kept = frames_within(&boot->kept);

    for (size_t i = 0; i < boot->ram_count; i++) {
        struct frame_range f = frames_within(&boot->ram[i]);

        for (uint64_t m = f.start; m < f.end; m++) {
            if (hv->frames[m] == 0)
                hv->heap.total_pages++;
            hv->frames[m] = fw_pack_inner();
        }
    }
    for (uint64_t m = home; m < home + pages; m++)
        hv->frames[m] = own;
    for (uint64_t m = kept.start; m < kept.end; m++)
        hv->frames[m] = own;
    hv->heap.total_pages += kept.end - kept.start;
    hv->hyp_pages = pages + kept.end - kept.start;
}

static void cpus_init(uint32_t count)
{
    hv->cpu_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct cpu *c = &hv->cpu[i];

        c->id = i;
        timer_queue_init(&c->timers);
        runqueue_init(&c->rq, i);
    }
    hv->cpu[0].online = true;
}

int hv_init(const struct boot_info *boot)
{
    uint64_t max_mfn, hv_pages, pages, home;

    if (boot == NULL || boot->ram == NULL || boot->ram_count == 0)
        return -XEN_EINVAL;
    if (boot->cpu_count == 0 || boot->cpu_count > MAX_CPUS)
        return -XEN_EINVAL;
    if (boot->sched_kind >= SCHED_KINDS)
        return -XEN_EINVAL;

    max_mfn = highest_frame(boot);
    hv_pages = pages_of(sizeof(struct hv));
    pages = hv_pages + pages_of(max_mfn * sizeof(uint64_t));
    home = choose_home(boot, pages);
    if (home == 0)
        return -XEN_ENOMEM;

    memset(mfn_to_ptr(mfn(home)), 0, pages << PAGE_SHIFT);
    hv = mfn_to_ptr(mfn(home));
    hv->frames = mfn_to_ptr(mfn(home + hv_pages));
    hv->max_mfn = max_mfn;
    hv->ram_dirty = !boot->ram_zeroed;
    hv->policy_silo = boot->silo;
    lock_init(&hv->domain_list_lock, LOCK_DOMAIN_LIST);
    lock_init(&hv->log_lock, LOCK_CONSOLE);
    hv->log_levels = CONSOLE_LEVELS_DEFAULT;
    hv->guest_log_levels = CONSOLE_LEVELS_DEFAULT;
    fill_frame_table(boot, home, pages);
    heap_init();
    (void)sched_init(boot->sched_kind);
    cpus_init(boot->cpu_count);
    return console_history_init();
}
