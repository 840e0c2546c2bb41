/* Four CPUs allocate, share and free the same few frames, switched at every lock and
 * between steps: nothing is freed twice, lost, or handed out with old data. */
#include "tests/unit/fixture.h"

#define CPUS 4u
#define SLOTS 8u
#define STEPS 1500u

static struct domain *d;
static mfn_t slot[SLOTS];
static unsigned frees, lost_races, scrubs;

static bool often(void)
{
    return world_random() % 2 == 0;
}

static bool all_zero(mfn_t m)
{
    static const uint8_t zeroes[PAGE_SIZE];

    return memcmp(mfn_to_ptr(m), zeroes, PAGE_SIZE) == 0;
}

static void allocate(unsigned k)
{
    mfn_t m = guest_pages_alloc(d, 0);

    ck_assert(!mfn_is_invalid(m));
    ck_assert(all_zero(m));
    memset(mfn_to_ptr(m), 0x5a, PAGE_SIZE);
    port_cpu_relax();
    if (slot[k].v == 0) {
        slot[k] = m;
        return;
    }
    /* Another CPU was faster. */
    ck_assert(frame_get(m, d->id));
    ck_assert(frame_release_allocation(m));
    frame_put(m);
}

static void use(unsigned k, mfn_t m)
{
    bool typed;

    /* It may be free, or somebody's again, by now. */
    if (!frame_get(m, d->id)) {
        lost_races++;
        return;
    }
    port_cpu_relax();
    typed = frame_get_type(m, world_random() % 2 ? FRAME_WRITABLE : FRAME_L1);
    port_cpu_relax();
    if (world_random() % 3 == 0 && frame_release_allocation(m)) {
        frees++;
        for (unsigned i = 0; i < SLOTS; i++) {
            if (slot[i].v == m.v)
                slot[i] = mfn(0);
        }
    }
    port_cpu_relax();
    if (typed)
        frame_put_type(m);
    port_cpu_relax();
    frame_put(m);
}

static void body(void *arg)
{
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned k = world_random() % SLOTS;
        mfn_t m = slot[k];

        for (unsigned wait = world_random() % 8; wait > 0; wait--)
            port_cpu_relax();
        if (m.v == 0)
            allocate(k);
        else
            use(k, m);
        if (world_random() % 8 == 0) {
            scrubs += page_scrub_some();
        } else if (world_random() % 16 == 0) {
            unsigned order = world_random() % 4;
            void *p = hyp_pages_alloc(d, order, FRAME_HYP);

            ck_assert(all_zero(ptr_to_mfn(p)));
            hyp_pages_free(p, order);
        }
        port_cpu_relax();
    }
}

START_TEST(races)
{
    uint64_t unused;

    fixture_start(16, CPUS);
    d = fixture_domain(4, 1);
    unused = free_page_count();
    for (unsigned i = 0; i < CPUS; i++)
        world_set_body(i, body, NULL);
    world_acquire_hook = often;
    ck_assert_int_eq(world_run(), WORLD_STOPPED);
    world_acquire_hook = NULL;
    fixture_audit();
    for (unsigned i = 0; i < SLOTS; i++) {
        if (slot[i].v == 0)
            continue;
        ck_assert_uint_eq(frame_read(slot[i]).refs, 1);
        ck_assert(frame_get(slot[i], d->id));
        ck_assert(frame_release_allocation(slot[i]));
        frame_put(slot[i]);
    }
    ck_assert_uint_eq(d->tot_pages, 0);
    ck_assert_uint_eq(free_page_count(), unused);
    ck_assert_uint_gt(frees, 100);
    ck_assert_uint_gt(lost_races, 0);
    ck_assert_uint_gt(scrubs, 10);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mem_smp");
    TCase *t = tcase_create("races");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, races);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
