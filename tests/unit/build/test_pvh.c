/* pvh.c: a whole build on the scripted engine, and every way to refuse one. */
#include "tests/unit/fixture.h"

#include <xen/arch-x86/hvm/start_info.h>

#include "base/arith.h"
#include "core/guest_mem/guest_mem.h"
#include "tests/unit/build/make_image.h"
#include "x86/build/pvh.h"
#include "x86/hvm/hvm.h"

#define MIB (UINT64_C(1) << 20)
#define MEM (24 * MIB)
#define INITRD_LEN 70001u

static uint8_t elf[MAKE_SIZE], initrd[INITRD_LEN];
static struct make_elf64 *m;
static struct domain *d;
static struct pvh_image image;

static void setup(void)
{
    make_elf(elf);
    m = make_headers(elf);
    for (size_t i = 0; i < INITRD_LEN; i++) {
        initrd[i] = (uint8_t)(i * 13 + (i >> 8));
    }
    image = (struct pvh_image){.kernel = elf,
                               .kernel_len = MAKE_SIZE,
                               .initrd = initrd,
                               .initrd_len = INITRD_LEN,
                               .cmdline = "console=hvc0 corbel"};
    fixture_start(128, 1);
    d = fixture_domain(MEM / MIB + 1, 2);
    domain_pause(d);
    d->vcpu[0]->initialised = false;
}

static void teardown(void)
{
    fixture_stop();
}

static enum pvh_error build(uint64_t mem)
{
    return pvh_build(d, &image, elf, MAKE_SIZE, mem, 2);
}

static void read_guest(uint64_t at, void *to, size_t n)
{
    ck_assert_int_eq(guest_phys_read(d, gaddr(at), to, n), 0);
}

static struct hvm_start_info start_info(uint64_t *where)
{
    struct hvm_start_info info;

    *where = d->vcpu[0]->arch->regs.gpr[GPR_RBX];
    read_guest(*where, &info, sizeof(info));
    ck_assert_uint_eq(info.magic, XEN_HVM_START_MAGIC_VALUE);
    ck_assert_uint_eq(info.version, 1);
    ck_assert_uint_eq(info.rsdp_paddr, PVH_ACPI_BASE);
    return info;
}

/* Neither in the kernel's range, nor outside of memory. */
static void check_place(uint64_t at, uint64_t len, uint64_t mem)
{
    struct elf_image k;

    ck_assert_int_eq(elf_parse(elf, MAKE_SIZE, &k), PVH_OK);
    ck_assert_uint_ge(at, PAGE_SIZE);
    ck_assert_uint_le(at + len, mem);
    ck_assert(at + len <= k.lowest || at >= k.highest);
}

static void check_contents(uint64_t mem)
{
    struct hvm_modlist_entry mod;
    struct hvm_memmap_table_entry map[PVH_REGIONS_MAX];
    struct mem_region want[PVH_REGIONS_MAX];
    unsigned n = memmap_build(mem, want, PVH_REGIONS_MAX);
    uint8_t got[INITRD_LEN];
    char cmdline[64];
    uint64_t at;
    struct hvm_start_info info = start_info(&at);

    check_place(at, sizeof(info), mem);
    ck_assert_uint_eq(info.nr_modules, 1);
    check_place(info.modlist_paddr, sizeof(mod), mem);
    read_guest(info.modlist_paddr, &mod, sizeof(mod));
    ck_assert_uint_eq(mod.size, INITRD_LEN);
    check_place(mod.paddr, mod.size, mem);
    ck_assert(at + PAGE_SIZE <= mod.paddr || at >= mod.paddr + mod.size);
    read_guest(mod.paddr, got, INITRD_LEN);
    ck_assert_mem_eq(got, initrd, INITRD_LEN);
    check_place(info.cmdline_paddr, strlen(image.cmdline) + 1, mem);
    read_guest(info.cmdline_paddr, cmdline, strlen(image.cmdline) + 1);
    ck_assert_str_eq(cmdline, image.cmdline);
    ck_assert_uint_eq(info.memmap_entries, n);
    check_place(info.memmap_paddr, n * sizeof(map[0]), mem);
    read_guest(info.memmap_paddr, map, n * sizeof(map[0]));
    for (unsigned i = 0; i < n; i++) {
        ck_assert_uint_eq(map[i].addr, want[i].start);
        ck_assert_uint_eq(map[i].size, want[i].size);
        ck_assert_uint_eq(map[i].type, want[i].type);
        ck_assert_uint_eq(map[i].reserved, 0);
    }
}

START_TEST(builds)
{
    uint8_t text[MAKE_FILESZ];
    char rsdp[8];

    ck_assert_int_eq(build(MEM), PVH_OK);
    ck_assert_uint_eq(d->tot_pages, (MEM >> PAGE_SHIFT) + PVH_EXTRA_PAGES);
    check_contents(MEM);
    read_guest(MAKE_LOAD, text, sizeof(text));
    ck_assert_mem_eq(text, elf + MAKE_TEXT, MAKE_FILESZ);
    read_guest(PVH_ACPI_BASE, rsdp, 8);
    ck_assert_mem_eq(rsdp, "RSD PTR ", 8);
    ck_assert_uint_eq(p2m_lookup(d, gfn(0)).order, P2M_2M);
    ck_assert_uint_eq(p2m_lookup(d, gfn(MEM >> PAGE_SHIFT)).type, P2M_INVALID);
    for (unsigned i = 0; i < PVH_SPECIAL_PAGES; i++) {
        ck_assert_uint_eq(p2m_lookup(d, gfn((PVH_SPECIAL_BASE >> PAGE_SHIFT) + i)).type,
                          P2M_RAM_RW);
    }
}
END_TEST

START_TEST(start_state)
{
    struct vcpu *v = d->vcpu[0];
    struct guest_state *s;

    ck_assert_int_eq(build(MEM), PVH_OK);
    ck_assert(v->initialised);
    ck_assert(v->arch->live);
    ck_assert_uint_eq(v->pause_flags & VPF_DOWN, 0);
    ck_assert_uint_ne(d->vcpu[1]->pause_flags & VPF_DOWN, 0);
    ck_assert(!d->vcpu[1]->initialised);
    s = script_state(v);
    ck_assert_uint_eq(s->regs.rip, MAKE_ENTRY);
    ck_assert_uint_eq(s->regs.rflags, 2);
    ck_assert_uint_eq(s->regs.gpr[GPR_RBX], v->arch->regs.gpr[GPR_RBX]);
    ck_assert_uint_eq(v->arch->regs.rip, MAKE_ENTRY);
    ck_assert_uint_eq(s->cr0, 0x11);
    ck_assert_uint_eq(s->cr4, 0);
    ck_assert_uint_eq(s->efer, 0);
    ck_assert_uint_eq(s->seg[SEG_CS].attr, 0xc09b);
    ck_assert_uint_eq(s->seg[SEG_CS].limit, UINT32_MAX);
    ck_assert_uint_eq(s->seg[SEG_CS].base, 0);
    for (unsigned i = SEG_ES; i <= SEG_DS; i++) {
        if (i != SEG_CS) {
            ck_assert_uint_eq(s->seg[i].attr, 0xc093);
            ck_assert_uint_eq(s->seg[i].limit, UINT32_MAX);
            ck_assert_uint_eq(s->seg[i].base, 0);
            ck_assert(!s->seg[i].unusable);
        }
    }
    ck_assert_uint_eq(s->seg[SEG_TR].attr, 0x8b);
    ck_assert_uint_eq(s->seg[SEG_TR].limit, 0x67);
    ck_assert(s->seg[SEG_LDTR].unusable);
}
END_TEST

START_TEST(params)
{
    uint64_t *p = d->arch->params;

    ck_assert_int_eq(build(MEM), PVH_OK);
    ck_assert_uint_eq(p[HVM_PARAM_CONSOLE_PFN], PVH_SPECIAL_BASE >> PAGE_SHIFT);
    ck_assert_uint_ne(p[HVM_PARAM_CONSOLE_EVTCHN], 0);
    ck_assert_uint_eq(p[HVM_PARAM_CONSOLE_EVTCHN], d->console.port);
    ck_assert(evtchn_port_valid(d, d->console.port));
    ck_assert_uint_eq(p[HVM_PARAM_STORE_PFN], 0);
    ck_assert_uint_eq(p[HVM_PARAM_STORE_EVTCHN], 0);
    ck_assert_uint_eq(d->arch->vcpu_total, 2);
    ck_assert_uint_eq(d->arch->special_gfn.v, PVH_SPECIAL_BASE >> PAGE_SHIFT);
}
END_TEST

START_TEST(control_domain)
{
    uint64_t at;

    d->privileged = true;
    ck_assert_int_eq(build(MEM), PVH_OK);
    ck_assert_uint_eq(start_info(&at).flags, SIF_PRIVILEGED | SIF_INITDOMAIN);
    ck_assert_uint_eq(d->arch->params[HVM_PARAM_CONSOLE_EVTCHN], 0);
    ck_assert_ptr_null(d->console.ring);
}
END_TEST

START_TEST(bare_minimum)
{
    struct hvm_start_info info;
    uint64_t at;

    image.initrd = NULL;
    image.initrd_len = 0;
    image.cmdline = NULL;
    /* To the byte what the kernel needs: the start block goes below it. */
    ck_assert_int_eq(build(MAKE_LOAD + MAKE_MEMSZ), PVH_OK);
    info = start_info(&at);
    ck_assert_uint_eq(at, 0x1000);
    ck_assert_uint_eq(info.nr_modules, 0);
    ck_assert_uint_eq(info.modlist_paddr, 0);
    ck_assert_uint_eq(info.cmdline_paddr, 0);
    ck_assert_uint_eq(info.flags, 0);
    /* The odd end is made of small leaves. */
    ck_assert_uint_eq(p2m_lookup(d, gfn(MAKE_LOAD >> PAGE_SHIFT)).order, P2M_4K);
}
END_TEST

/* A kernel in low memory: everything goes above it. */
START_TEST(low_kernel)
{
    uint64_t at;
    uint32_t *entry = (uint32_t *)(elf + MAKE_NOTE + 24 + 16);

    m->load.p_paddr = 0;
    *entry = 0x40;
    ck_assert_int_eq(build(MEM), PVH_OK);
    (void)start_info(&at);
    ck_assert_uint_eq(at, MAKE_MEMSZ);
    check_contents(MEM);
}
END_TEST

START_TEST(no_room)
{
    struct elf_image k;

    ck_assert_int_eq(elf_parse(elf, MAKE_SIZE, &k), PVH_OK);
    ck_assert_int_eq(build(MAKE_LOAD), PVH_NO_ROOM);
    ck_assert_int_eq(build(k.highest), PVH_NO_ROOM); /* the initrd does not fit */
    image.initrd_len = MEM - k.highest + 1;
    ck_assert_int_eq(build(MEM), PVH_NO_ROOM);
    image.initrd_len = SIZE_MAX;
    ck_assert_int_eq(build(MEM), PVH_NO_ROOM);
    ck_assert_uint_eq(d->tot_pages, 0); /* nothing was populated for it */
    /* A low kernel and an initrd leave no page for the start block. */
    image.initrd_len = INITRD_LEN;
    m->load.p_paddr = 0;
    *(uint32_t *)(elf + MAKE_NOTE + 24 + 16) = 0x40;
    ck_assert_int_eq(build(MAKE_MEMSZ + align_up(INITRD_LEN, PAGE_SIZE)), PVH_NO_ROOM);
    ck_assert_int_eq(build(MAKE_MEMSZ + align_up(INITRD_LEN, PAGE_SIZE) + PAGE_SIZE), PVH_OK);
}
END_TEST

START_TEST(no_memory)
{
    d->max_pages = (MEM >> PAGE_SHIFT) - 1;
    ck_assert_int_eq(build(MEM), PVH_NO_MEMORY);
    ck_assert(!d->vcpu[0]->initialised);
    fixture_audit();
    ck_assert_uint_le(d->tot_pages, d->max_pages);
}
END_TEST

START_TEST(no_memory_for_special)
{
    d->max_pages = (MEM >> PAGE_SHIFT) + PVH_EXTRA_PAGES - 1;
    ck_assert_int_eq(build(MEM), PVH_NO_MEMORY);
    fixture_audit();
}
END_TEST

START_TEST(bad_arguments)
{
    static char longest[PVH_CMDLINE_MAX + 1];

    ck_assert_int_eq(build(0), PVH_BAD_ARGUMENT);
    ck_assert_int_eq(build(MEM + 1), PVH_BAD_ARGUMENT);
    ck_assert_int_eq(pvh_build(d, &image, elf, MAKE_SIZE, MEM, 0), PVH_BAD_ARGUMENT);
    ck_assert_int_eq(pvh_build(d, &image, elf, MAKE_SIZE, MEM, 3), PVH_BAD_ARGUMENT);
    ck_assert_int_eq(pvh_build(d, &image, elf, 100, MEM, 2), PVH_TRUNCATED);
    memset(longest, 'x', PVH_CMDLINE_MAX);
    image.cmdline = longest;
    ck_assert_int_eq(build(MEM), PVH_BAD_ARGUMENT);
    ck_assert_uint_eq(d->tot_pages, 0);
    longest[PVH_CMDLINE_MAX - 1] = 0;
    ck_assert_int_eq(build(MEM), PVH_OK);
    ck_assert_int_eq(build(MEM), PVH_BAD_ARGUMENT); /* once only */
}
END_TEST

START_TEST(texts)
{
    for (int e = PVH_OK; e <= PVH_BAD_ARGUMENT; e++) {
        ck_assert_str_ne(pvh_error_text((enum pvh_error)e), "unknown error");
    }
    ck_assert_str_eq(pvh_error_text((enum pvh_error)99), "unknown error");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pvh");
    TCase *t = tcase_create("pvh");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, builds);
    tcase_add_test(t, start_state);
    tcase_add_test(t, params);
    tcase_add_test(t, control_domain);
    tcase_add_test(t, bare_minimum);
    tcase_add_test(t, low_kernel);
    tcase_add_test(t, no_room);
    tcase_add_test(t, no_memory);
    tcase_add_test(t, no_memory_for_special);
    tcase_add_test(t, bad_arguments);
    tcase_add_test(t, texts);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
