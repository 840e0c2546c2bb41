/* What x86 gives to the core: vCPU start states, INIT and SIPI, the run loop,
 * translation, features, memory maps. */
#include "tests/unit/fixture.h"

#include <xen/features.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/memory.h>

#include "base/atomic.h"
#include "core/arch.h"
#include "x86/build/pvh.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

static struct domain *d;
static struct vcpu *v, *ap;

static void setup(void)
{
    fixture_start(32, 1);
    d = fixture_domain(4, 3);
    v = d->vcpu[0];
    ap = d->vcpu[1];
}

static void teardown(void)
{
    fixture_stop();
}

static struct vcpu_hvm_context context_32(void)
{
    struct vcpu_hvm_context c;
    struct vcpu_hvm_x86_32 *r = &c.cpu_regs.x86_32;

    memset(&c, 0, sizeof(c));
    c.mode = VCPU_HVM_MODE_32B;
    r->eip = 0x1000;
    r->ebx = 0x77;
    r->cr0 = 1;
    r->cs_limit = r->ds_limit = r->ss_limit = r->es_limit = UINT32_MAX;
    r->tr_limit = 0x67;
    r->cs_ar = 0xc9b;
    r->ds_ar = r->ss_ar = r->es_ar = 0xc93;
    r->tr_ar = 0x8b;
    return c;
}

static struct vcpu_hvm_context context_64(void)
{
    struct vcpu_hvm_context c;
    struct vcpu_hvm_x86_64 *r = &c.cpu_regs.x86_64;

    memset(&c, 0, sizeof(c));
    c.mode = VCPU_HVM_MODE_64B;
    r->rip = UINT64_C(0xffffffff81000000);
    r->rsi = 5;
    r->cr0 = 0x80000011;
    r->cr3 = 0x3000;
    r->cr4 = 0x20;
    r->efer = 0x101;
    return c;
}

static int64_t initialise(struct vcpu *t, struct vcpu_hvm_context *c)
{
    uint64_t gpa = UINT64_C(0x10000);

    if (!fixture_guest(d, gpa)) {
        fixture_populate(d, gpa >> PAGE_SHIFT, 1);
    }
    memcpy(fixture_guest(d, gpa), c, sizeof(*c));
    return fixture_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_initialise, t->id, gpa, 0, 0);
}

START_TEST(test_initialise_32)
{
    struct vcpu_hvm_context c = context_32();
    const struct guest_state *s = script_state(ap);

    ck_assert_int_eq(initialise(ap, &c), 0);
    ck_assert(ap->initialised);
    ck_assert_uint_eq(s->regs.rip, 0x1000);
    ck_assert_uint_eq(s->regs.gpr[GPR_RBX], 0x77);
    ck_assert_uint_eq(s->regs.rflags, 2);
    ck_assert_uint_eq(s->cr0, 0x11);
    ck_assert_uint_eq(s->seg[SEG_CS].attr, 0xc09b);
    ck_assert_uint_eq(s->seg[SEG_TR].attr, 0x8b);
    ck_assert(s->seg[SEG_LDTR].unusable && !s->seg[SEG_DS].unusable);
    ck_assert_uint_eq(ap->arch->regs.rip, 0x1000);
    ck_assert_int_eq(initialise(ap, &c), -XEN_EEXIST);
    ck_assert_int_eq(initialise(v, &c), -XEN_EEXIST);
    ck_assert_uint_eq(ap->pause_flags & VPF_DOWN, VPF_DOWN);
}
END_TEST

START_TEST(test_initialise_64)
{
    struct vcpu_hvm_context c = context_64();
    const struct guest_state *s = script_state(ap);

    ck_assert_int_eq(initialise(ap, &c), 0);
    ck_assert_uint_eq(s->efer, 0x501);
    ck_assert_uint_eq(s->seg[SEG_CS].attr, 0xa09b);
    ck_assert_uint_eq(s->regs.gpr[GPR_RSI], 5);
    ck_assert_uint_eq(s->cr3, 0x3000);
}
END_TEST

#define BAD32(field, value)                                                                        \
    do {                                                                                           \
        struct vcpu_hvm_context b = context_32();                                                  \
        b.cpu_regs.x86_32.field = (value);                                                         \
        ck_assert_msg(initialise(ap, &b) == -XEN_EINVAL, "32: " #field " " #value);                \
    } while (0)
#define BAD64(field, value)                                                                        \
    do {                                                                                           \
        struct vcpu_hvm_context b = context_64();                                                  \
        b.cpu_regs.x86_64.field = (value);                                                         \
        ck_assert_msg(initialise(ap, &b) == -XEN_EINVAL, "64: " #field " " #value);                \
    } while (0)

START_TEST(test_initialise_bad)
{
    struct vcpu_hvm_context c = context_32();

    BAD32(pad1, 1);
    BAD32(pad2[2], 1);
    BAD32(cs_ar, 0xc93); /* not code */
    BAD32(cs_ar, 0);
    BAD32(ss_ar, 0);
    BAD32(tr_ar, 0);
    BAD32(cs_ar, 0x1c9b); /* blank bits */
    BAD32(cs_ar, 0xc1b);  /* not present */
    BAD32(cs_ar, 0xc8b);  /* system */
    BAD32(ss_ar, 0xc91);  /* read-only */
    BAD32(ss_ar, 0xcf3);  /* other DPL */
    BAD32(ds_ar, 0xc98);  /* execute-only code */
    BAD32(ds_ar, 0xcf3);  /* DPL above CS's */
    BAD32(tr_ar, 0x89);   /* not busy */
    BAD32(tr_ar, 0xc93);
    BAD32(efer, 0x400);
    BAD32(efer, 0x1000);
    BAD32(efer, UINT64_C(1) << 40);
    BAD32(cr4, 0x2000);
    BAD32(cr0, 0x80000000);
    BAD32(cr0, 0x20000001);
    BAD64(rip, UINT64_C(0x800000000000));
    BAD64(cr0, 0x11);
    BAD64(cr0, UINT64_C(0x180000011));
    BAD64(cr4, 0);
    BAD64(cr4, UINT64_MAX);
    BAD64(efer, 1);
    BAD64(efer, UINT64_MAX);
    c.cpu_regs.x86_32.cs_ar = 0x49b; /* limit in bytes: eip lies behind it */
    c.cpu_regs.x86_32.cs_limit = 0xfff;
    ck_assert_int_eq(initialise(ap, &c), -XEN_EINVAL);
    c = context_32();
    c.pad = 1;
    ck_assert_int_eq(initialise(ap, &c), -XEN_EINVAL);
    c.pad = 0;
    c.mode = 2;
    ck_assert_int_eq(initialise(ap, &c), -XEN_EINVAL);
    ck_assert_int_eq(
        fixture_hypercall(v, __HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, 0x7fff0000, 0, 0),
        -XEN_EFAULT);
    ck_assert(!ap->initialised);
    c = context_32(); /* none of this stuck */
    c.cpu_regs.x86_32.ds_ar = c.cpu_regs.x86_32.es_ar = 0;
    ck_assert_int_eq(initialise(ap, &c), 0);
    ck_assert(script_state(ap)->seg[SEG_DS].unusable);
}
END_TEST

START_TEST(test_init_sipi)
{
    struct guest_state *s = script_state(ap);
    struct vcpu_hvm_context c = context_32();

    hvm_vcpu_init(ap); /* nothing to reset */
    ck_assert_uint_eq(ap->arch->ipi, 0);
    hvm_vcpu_sipi(ap, 0x9a);
    ck_assert(ap->initialised);
    ck_assert_uint_eq(ap->pause_flags, 0);
    ck_assert_int_eq(initialise(ap, &c), -XEN_EEXIST);
    hvm_vcpu_sipi(ap, 0x12); /* the second one is ignored */
    arch_vcpu_run(ap);
    ck_assert_uint_eq(s->seg[SEG_CS].sel, 0x9a00);
    ck_assert_uint_eq(s->seg[SEG_CS].base, 0x9a000);
    ck_assert_uint_eq(ap->arch->regs.rip, 0);
    hvm_vcpu_sipi(ap, 0x12); /* running: ignored */
    ck_assert_uint_eq(ap->arch->ipi, 0);
    /* INIT stops it; what was queued goes. */
    hvm_inject_exception(ap, 13, true, 0);
    hvm_vcpu_nmi(ap);
    hvm_vcpu_init(ap);
    ck_assert(arch_vcpu_event_pending(ap));
    hvm_vcpu_service_ipis(ap);
    ck_assert(!ap->initialised);
    ck_assert_uint_eq(ap->pause_flags & VPF_DOWN, VPF_DOWN);
    ck_assert(!arch_vcpu_event_pending(ap));
    ck_assert(!d->shutting_down);
    ck_assert_uint_eq(s->regs.rip, 0xfff0);
    /* INIT and SIPI before it looked: the state of the SIPI. */
    hvm_vcpu_sipi(ap, 1);
    hvm_vcpu_service_ipis(ap);
    hvm_vcpu_init(ap);
    hvm_vcpu_sipi(ap, 2);
    hvm_vcpu_service_ipis(ap);
    ck_assert(ap->initialised);
    ck_assert_uint_eq(s->seg[SEG_CS].base, 0x2000);
    ck_assert_uint_eq(ap->pause_flags, 0);
    /* A vCPU started by hypercall does not take a SIPI either. */
    ck_assert_int_eq(initialise(d->vcpu[2], &c), 0);
    hvm_vcpu_sipi(d->vcpu[2], 3);
    ck_assert_uint_eq(d->vcpu[2]->pause_flags & VPF_DOWN, VPF_DOWN);
}
END_TEST

/* The last vCPU that INIT stops takes the domain with it. */
START_TEST(test_init_last)
{
    hvm_vcpu_init(v);
    hvm_vcpu_service_ipis(v);
    ck_assert(d->shutting_down);
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_poweroff);
}
END_TEST

/* Goes on through exits and returns to let timers run, or when v cannot. */
START_TEST(test_run)
{
    struct guest_exit x = {.reason = EXIT_CPUID, .insn_len = 2, .vectoring.type = EVENT_NONE};
    struct guest_regs r = {.rip = 0x100, .rflags = 2};
    unsigned runs = script_run_count(v);

    store_u32(&this_cpu()->resched, 0);
    script_push(v, &x, &r);
    x.reason = EXIT_CACHE;
    script_push(v, &x, NULL);
    arch_vcpu_run(v);
    ck_assert_uint_eq(script_run_count(v), runs + 3);
    ck_assert_uint_eq(v->arch->regs.rip, 0x104);
    ck_assert_uint_eq(v->arch->exits[EXIT_PREEMPTED], 1);
    ck_assert(!v->arch->in_engine);
    x.reason = EXIT_HLT;
    x.insn_len = 1;
    script_push(v, &x, NULL);
    arch_vcpu_run(v); /* interrupts off: down */
    ck_assert_uint_eq(script_run_count(v), runs + 4);
    ck_assert(d->shutting_down);
    arch_vcpu_run(v);
    ck_assert_uint_eq(script_run_count(v), runs + 4);
}
END_TEST

START_TEST(test_translate)
{
    uint64_t *pt;
    gaddr_t a;

    ck_assert(arch_translate(v, 0x12345, true, &a) && a.v == 0x12345);
    ck_assert(!arch_translate(v, UINT64_C(1) << 32, false, &a));
    /* Four levels: 0x400000 -> 0x7000, read-only. */
    fixture_populate(d, 0, 16);
    for (unsigned i = 0; i < 4; i++) {
        pt = fixture_guest(d, 0x1000 * (i + 1));
        pt[i == 2 ? 2 : 0] = i == 3 ? 0x7001 : (0x1000 * (i + 2)) | 3;
    }
    v->arch->exit.cr0 = CR0_PG | CR0_PE | 0x10000;
    v->arch->exit.cr4 = CR4_PAE;
    v->arch->exit.efer = EFER_LME | EFER_LMA;
    v->arch->exit.cr3 = 0x1000;
    ck_assert(arch_translate(v, 0x400123, false, &a));
    ck_assert_uint_eq(a.v, 0x7123);
    ck_assert(!arch_translate(v, 0x400123, true, &a));
    ck_assert(!arch_translate(v, 0x401000, false, &a));
    ck_assert(!arch_translate(v, UINT64_C(0x800000000000), false, &a));
}
END_TEST

START_TEST(test_features)
{
    uint32_t f = arch_features(d);

    ck_assert_uint_eq(
        f, 1u << XENFEAT_writable_page_tables | 1u << XENFEAT_auto_translated_physmap |
               1u << XENFEAT_hvm_callback_vector | 1u << XENFEAT_hvm_safe_pvclock |
               1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_not_direct_mapped);
    d->privileged = true;
    ck_assert_uint_eq(arch_features(d) & ~f, 1u << XENFEAT_dom0);
    d->privileged = false;
    d->vm_assist = 1u << VMASST_TYPE_pae_extended_cr3;
    ck_assert_uint_eq(arch_features(d) & ~f, 1u << XENFEAT_pae_pgdir_above_4gb);
}
END_TEST

START_TEST(test_memory_map)
{
    const struct mem_region map[2] = {{0, 0x100000, 1}, {0xfc000000, 0x1000, 3}};
    struct xen_memory_map m = {.nr_entries = 8};
    struct xen_foreign_memory_map f = {.domid = DOMID_SELF};
    struct domain *other = fixture_domain(1, 1);
    struct e820_entry *e;

    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_memory_map, &m, sizeof(m)),
                     -XEN_ENOSYS);
    ck_assert_int_eq(hvm_set_memory_map(d, map, 2), 0);
    fixture_populate(d, 0x20, 8);
    e = fixture_guest(d, 0x20000);
    m.buffer.p = (void *)0x20000;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_memory_map, &m, sizeof(m)), 0);
    ck_assert_uint_eq(m.nr_entries, 2);
    ck_assert_uint_eq(e[1].addr, 0xfc000000);
    ck_assert_uint_eq(e[1].type, 3);
    memset(e, 0, 40);
    m.nr_entries = 1;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_memory_map, &m, sizeof(m)), 0);
    ck_assert_uint_eq(e[0].size, 0x100000);
    ck_assert_uint_eq(e[1].type, 0);
    m.buffer.p = (void *)0x70000000;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_memory_map, &m, sizeof(m)),
                     -XEN_EFAULT);
    /* A new map in its place. */
    e[0] = (struct e820_entry){0x5000, 0x1000, 2};
    f.map.nr_entries = 1;
    f.map.buffer.p = (void *)0x20000;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &f, sizeof(f)),
                     0);
    ck_assert_uint_eq(d->arch->e820_count, 1);
    ck_assert_uint_eq(d->arch->e820[0].addr, 0x5000);
    f.map.nr_entries = 1025;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &f, sizeof(f)),
                     -XEN_EINVAL);
    f.map.nr_entries = 1024; /* reaches into nothing */
    f.map.buffer.p = (void *)0x27000;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &f, sizeof(f)),
                     -XEN_EFAULT);
    ck_assert_uint_eq(d->arch->e820_count, 1);
    f.domid = other->id;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &f, sizeof(f)),
                     -XEN_EPERM);
    f.domid = 999;
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, XENMEM_set_memory_map, &f, sizeof(f)),
                     -XEN_ESRCH);
    ck_assert_int_eq(
        fixture_op(v, __HYPERVISOR_memory_op, XENMEM_machine_memory_map, &m, sizeof(m)),
        -XEN_EPERM);
    ck_assert_int_eq(fixture_op(v, __HYPERVISOR_memory_op, 63, &m, sizeof(m)), -XEN_ENOSYS);
}
END_TEST

/* Memory ends in the middle of a domain or a vCPU: nothing stays behind. */
START_TEST(test_out_of_memory)
{
    struct xen_domctl_createdomain cfg = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = 1,
        .max_evtchn_port = UINT32_MAX,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = XEN_X86_EMU_LAPIC},
    };
    void *page = NULL, *next;
    struct domain *n = NULL;
    int rc = -XEN_ENOMEM;

    while ((next = hyp_pages_alloc(NULL, 0, FRAME_HYP)) != NULL) {
        *(void **)next = page;
        page = next;
    }
    /* One page more in each try. */
    for (unsigned i = 0; rc == -XEN_ENOMEM && i < 1000; i++) {
        ck_assert_ptr_nonnull(page);
        next = *(void **)page;
        hyp_pages_free(page, 0);
        page = next;
        rc = domain_create(50, &cfg, false, &n);
        if (rc == 0) {
            rc = vcpu_create(n, 0);
            while (domain_kill(n) == -XEN_ERESTART) {
            }
            domain_put(n);
        }
        ck_assert(rc == 0 || rc == -XEN_ENOMEM);
    }
    ck_assert_int_eq(rc, 0);
    while (page != NULL) {
        next = *(void **)page;
        hyp_pages_free(page, 0);
        page = next;
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("arch");
    TCase *t = tcase_create("arch");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_initialise_32);
    tcase_add_test(t, test_initialise_64);
    tcase_add_test(t, test_initialise_bad);
    tcase_add_test(t, test_init_sipi);
    tcase_add_test(t, test_init_last);
    tcase_add_test(t, test_run);
    tcase_add_test(t, test_translate);
    tcase_add_test(t, test_features);
    tcase_add_test(t, test_memory_map);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
