/* HVM contexts: what libxenguest does to start a PVH domain, whole files there and
 * back, and files that somebody has spoilt. */
#include "tests/unit/control/control_calls.h"

#include <xen/hvm/save.h>

#include "x86/hvm/hvm.h"

struct domain *dom0;
struct vcpu *dom0_vcpu;

static struct vcpu *vcpu_of(domid_t id, uint32_t i)
{
    struct domain *d = domain_get(id);

    ck_assert_ptr_nonnull(d);
    domain_put(d);
    return d->vcpu[i];
}

static int64_t get_context(domid_t id, uint64_t gva, uint32_t *size)
{
    struct xen_domctl op = {.u.hvmcontext.size = *size};
    int64_t rc;

    SET_GVA(op.u.hvmcontext.buffer, gva);
    rc = domctl(XEN_DOMCTL_gethvmcontext, id, &op);
    *size = op.u.hvmcontext.size;
    return rc;
}

static int64_t set_context(domid_t id, const void *p, uint32_t size)
{
    struct xen_domctl op = {.u.hvmcontext.size = size};

    buf_write(p, size);
    SET_GVA(op.u.hvmcontext.buffer, BUF_GPA);
    return domctl(XEN_DOMCTL_sethvmcontext, id, &op);
}

/* The payload of a record in a file, or NULL. */
static void *record(uint8_t *file, uint32_t size, uint16_t type, uint16_t instance)
{
    struct hvm_save_descriptor desc;

    for (uint32_t at = 0; at + sizeof(desc) <= size; at += sizeof(desc) + desc.length) {
        memcpy(&desc, file + at, sizeof(desc));
        if (desc.typecode == type && desc.instance == instance) {
            return file + at + sizeof(desc);
        }
    }
    return NULL;
}

struct bsp {
    struct hvm_save_descriptor header_d;
    HVM_SAVE_TYPE(HEADER) header;
    struct hvm_save_descriptor cpu_d;
    HVM_SAVE_TYPE(CPU) cpu;
    struct hvm_save_descriptor end_d;
} __attribute__((packed));

static struct bsp bsp_context(void)
{
    struct bsp b = {
        .header_d = {HVM_SAVE_CODE(HEADER), 0, HVM_SAVE_LENGTH(HEADER)},
        .header = {.magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION},
        .cpu_d = {HVM_SAVE_CODE(CPU), 0, HVM_SAVE_LENGTH(CPU)},
    };

    /* As libxenguest: flat 32-bit protected mode. */
    b.cpu.cs_arbytes = 0xc9b;
    b.cpu.ds_arbytes = b.cpu.es_arbytes = b.cpu.ss_arbytes = 0xc93;
    b.cpu.tr_arbytes = 0x8b;
    b.cpu.cs_limit = b.cpu.ds_limit = b.cpu.es_limit = b.cpu.ss_limit = UINT32_MAX;
    b.cpu.tr_limit = 0x67;
    b.cpu.cr0 = 0x11;
    b.cpu.rip = 0x1000200;
    b.cpu.rbx = 0x5000;
    b.cpu.dr6 = 0xffff0ff0;
    b.cpu.dr7 = 0x400;
    return b;
}

START_TEST(start_pvh)
{
    static uint8_t file[65536];
    struct {
        struct hvm_save_descriptor header_d;
        HVM_SAVE_TYPE(HEADER) header;
        struct hvm_save_descriptor mtrr_d;
        HVM_SAVE_TYPE(MTRR) mtrr;
        struct hvm_save_descriptor end_d;
    } __attribute__((packed)) m = {{0}};
    struct bsp b = bsp_context();
    struct guest_state s;
    uint32_t size = 0;
    struct vcpu *v;
    domid_t id;

    control_setup(1);
    id = create(2);
    ck_assert_int_eq(get_context(id, 0, &size), 0);
    ck_assert_uint_le(size, sizeof(file));
    uint32_t short_size = size - 1;
    ck_assert_int_eq(get_context(id, BUF_GPA, &short_size), -XEN_ENOSPC);
    ck_assert_int_eq(get_context(id, NOWHERE, &size), -XEN_EFAULT);
    ck_assert_int_eq(get_context(id, 0, &size), 0);
    ck_assert_int_eq(get_context(id, BUF_GPA, &size), 0);
    buf_read(file, size);
    memcpy(&m.header_d, file, sizeof(m.header_d) + sizeof(m.header));
    ck_assert_uint_eq(m.header_d.typecode, HVM_SAVE_CODE(HEADER));
    ck_assert_uint_eq(m.header.magic, HVM_FILE_MAGIC);
    for (uint16_t i = 0; i < 2; i++) {
        m.mtrr_d = (struct hvm_save_descriptor){HVM_SAVE_CODE(MTRR), i, HVM_SAVE_LENGTH(MTRR)};
        memcpy(&m.mtrr, record(file, size, HVM_SAVE_CODE(MTRR), i), sizeof(m.mtrr));
        m.mtrr.msr_mtrr_def_type = 0x806;
        ck_assert_int_eq(set_context(id, &m, sizeof(m)), 0);
    }
    ck_assert_int_eq(set_context(id, &b, sizeof(b)), 0);
    v = vcpu_of(id, 0);
    ck_assert(v->initialised);
    ck_assert_uint_eq(v->pause_flags, 0);
    ck_assert_uint_ne(vcpu_of(id, 1)->pause_flags & VPF_DOWN, 0);
    ck_assert_uint_eq(v->arch->mtrr_def_type, 0x806);
    ck_assert_uint_eq(v->arch->regs.rip, 0x1000200);
    ck_assert_uint_eq(v->arch->regs.gpr[GPR_RBX], 0x5000);
    port_guest_save(v, &s);
    ck_assert_uint_eq(s.seg[SEG_CS].attr, 0xc09b);
    ck_assert_uint_eq(s.seg[SEG_DS].attr, 0xc093);
    ck_assert_uint_eq(s.seg[SEG_TR].attr, 0x8b);
    ck_assert(s.seg[SEG_LDTR].unusable);
    ck_assert_uint_eq(s.cr0, 0x11);
    ck_assert_uint_eq(s.regs.rflags, 2);
    /* It is runnable but for the toolstack's pause. */
    ck_assert(!vcpu_runnable(v));
    struct xen_domctl op = {0};
    ck_assert_int_eq(domctl(XEN_DOMCTL_unpausedomain, id, &op), 0);
    ck_assert(vcpu_runnable(v));
    ck_assert_int_eq(domctl(XEN_DOMCTL_getdomaininfo, id, &op), 0);
    ck_assert_uint_eq(op.u.getdomaininfo.nr_online_vcpus, 1);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(there_and_back)
{
    static uint8_t file[65536], again[65536];
    struct bsp b = bsp_context();
    struct hvm_hw_lapic_regs *regs;
    uint32_t size = sizeof(file), size2 = sizeof(again);
    domid_t a, c;

    control_setup(1);
    a = create(2);
    c = create(2);
    ck_assert_int_eq(set_context(a, &b, sizeof(b)), 0);
    ck_assert_int_eq(get_context(a, BUF_GPA, &size), 0);
    buf_read(file, size);
    /* Something in every device. */
    ((struct hvm_hw_cpu *)record(file, size, HVM_SAVE_CODE(CPU), 0))->r15 = 15;
    ((struct hvm_hw_cpu *)record(file, size, HVM_SAVE_CODE(CPU), 0))->dr3 = 0x1234;
    ((struct hvm_hw_vioapic *)record(file, size, HVM_SAVE_CODE(IOAPIC), 0))->redirtbl[5].bits =
        0x0100000000008930;
    ((struct hvm_hw_pit *)record(file, size, HVM_SAVE_CODE(PIT), 0))->channels[2].count = 1000;
    ((struct hvm_hw_rtc *)record(file, size, HVM_SAVE_CODE(RTC), 0))->cmos_index = 9;
    ((struct hvm_hw_pmtimer *)record(file, size, HVM_SAVE_CODE(PMTIMER), 0))->tmr_val = 77;
    ((struct hvm_hw_mtrr *)record(file, size, HVM_SAVE_CODE(MTRR), 1))->msr_mtrr_var[0] = 0x6;
    ((struct hvm_hw_cpu_xsave *)record(file, size, CPU_XSAVE_CODE, 1))->xcr0 = 3;
    ((struct hvm_hw_cpu_xsave *)record(file, size, CPU_XSAVE_CODE, 1))->xcr0_accum = 3;
    regs = record(file, size, HVM_SAVE_CODE(LAPIC_REGS), 1);
    regs->data[0xf0] = 0xff;
    regs->data[0xf1] = 0x01;  /* SVR: enabled */
    regs->data[0x200] = 0xff; /* IRR: vectors below 16 cannot be */
    regs->data[0x250] = 0x10; /* vector 164 */
    ck_assert_int_eq(set_context(c, file, size), 0);
    ck_assert_uint_eq(vcpu_of(c, 0)->arch->regs.gpr[GPR_R15], 15);
    ck_assert_uint_eq(vcpu_of(c, 1)->arch->lapic.irr[0], 0);
    ck_assert_int_eq(vlapic_pending(vcpu_of(c, 1)), 164);
    ck_assert_uint_eq(vcpu_of(c, 1)->arch->xcr0, 3);
    ck_assert_int_eq(get_context(c, BUF_GPA, &size2), 0);
    buf_read(again, size2);
    ck_assert_uint_eq(size2, size);
    regs->data[0x200] = 0;
    ((struct hvm_hw_lapic *)record(file, size, HVM_SAVE_CODE(LAPIC), 1))->disabled = 0;
    /* The clock went on. */
    ((struct hvm_hw_cpu *)record(again, size, HVM_SAVE_CODE(CPU), 0))->tsc =
        ((struct hvm_hw_cpu *)record(file, size, HVM_SAVE_CODE(CPU), 0))->tsc;
    ((struct hvm_hw_cpu *)record(again, size, HVM_SAVE_CODE(CPU), 1))->tsc =
        ((struct hvm_hw_cpu *)record(file, size, HVM_SAVE_CODE(CPU), 1))->tsc;
    for (uint32_t i = 0; i < size; i++) {
        ck_assert_msg(file[i] == again[i], "byte %u: %02x became %02x", i, file[i], again[i]);
    }
    destroy(a);
    destroy(c);
    fixture_stop();
}
END_TEST

START_TEST(single_records)
{
    struct xen_domctl op = {0};
    struct xen_domctl_hvmcontext_partial *p = &op.u.hvmcontext_partial;
    struct hvm_hw_mtrr m;
    domid_t id;

    control_setup(1);
    id = create(1);
    p->type = HVM_SAVE_CODE(MTRR);
    ck_assert_int_eq(domctl(XEN_DOMCTL_gethvmcontext_partial, id, &op), 0);
    ck_assert_uint_eq(p->bufsz, sizeof(m)); /* no buffer: how much it takes */
    SET_GVA(p->buffer, BUF_GPA);
    ck_assert_int_eq(domctl(XEN_DOMCTL_gethvmcontext_partial, id, &op), 0);
    buf_read(&m, sizeof(m));
    ck_assert_uint_eq(m.msr_mtrr_cap & 0xff, 8);
    p->bufsz = sizeof(m) - 1;
    ck_assert_int_eq(domctl(XEN_DOMCTL_gethvmcontext_partial, id, &op), -XEN_ENOBUFS);
    p->bufsz = sizeof(m);
    SET_GVA(p->buffer, NOWHERE);
    ck_assert_int_eq(domctl(XEN_DOMCTL_gethvmcontext_partial, id, &op), -XEN_EFAULT);
    p->instance = 1;
    ck_assert_int_eq(domctl(XEN_DOMCTL_gethvmcontext_partial, id, &op), -XEN_ENOENT);
    p->instance = 0;
    for (uint32_t type = 0; type < 64; type++) {
        p->type = type;
        SET_GVA(p->buffer, 0);
        int64_t rc = domctl(XEN_DOMCTL_gethvmcontext_partial, id, &op);
        ck_assert(rc == 0 || rc == -XEN_EINVAL || (type == CPU_MSR_CODE && rc == -XEN_ENOENT));
    }
    p->type = UINT32_MAX;
    ck_assert_int_eq(domctl(XEN_DOMCTL_gethvmcontext_partial, id, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_gethvmcontext_partial, 0, &op), -XEN_EINVAL);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(spoilt_files)
{
    struct bsp good = bsp_context(), b;
    static uint8_t file[65536];
    uint32_t size = sizeof(file);
    domid_t id;

    control_setup(1);
    id = create(1);
#define SPOILT(change, error)                                                                      \
    do {                                                                                           \
        b = good;                                                                                  \
        change;                                                                                    \
        ck_assert_int_eq(set_context(id, &b, sizeof(b)), error);                                   \
        ck_assert(!vcpu_of(id, 0)->initialised);                                                   \
    } while (0)
    SPOILT(b.header.magic = 1, -XEN_EINVAL);
    SPOILT(b.header.version = 2, -XEN_EINVAL);
    SPOILT(b.header_d.typecode = 2, -XEN_ENODATA);
    SPOILT(b.header_d.length = UINT32_MAX, -XEN_ENODATA);
    SPOILT(b.cpu_d.length = UINT32_MAX, -XEN_EINVAL);
    SPOILT(b.cpu_d.length += 4, -XEN_EINVAL);
    SPOILT(b.cpu_d.instance = 1, -XEN_EINVAL);
    SPOILT(b.cpu_d.typecode = 300, -XEN_EINVAL);
    SPOILT(b.cpu_d.typecode = HVM_SAVE_CODE(HPET), -XEN_ENODEV);
    SPOILT(b.cpu.pad0 = 1, -XEN_EINVAL);
    SPOILT(b.cpu.flags = 2, -XEN_EINVAL);
    SPOILT(b.cpu.cr0 = 0x80000000, -XEN_EINVAL); /* paging without protection */
    SPOILT(b.cpu.cr0 = UINT64_C(1) << 40, -XEN_EINVAL);
    SPOILT(b.cpu.cr4 = UINT64_C(1) << 40, -XEN_EINVAL);
    SPOILT(b.cpu.msr_efer = UINT64_C(1) << 12, -XEN_EINVAL);
    SPOILT(b.cpu.rip = UINT64_C(1) << 60, -XEN_EINVAL);
    SPOILT(b.cpu.pending_event = 0x80000100, -XEN_EINVAL);
    ck_assert_int_eq(set_context(id, &good, 0), -XEN_ENODATA);
    ck_assert_int_eq(set_context(id, &good, sizeof(good) - 1), -XEN_ENODATA);
    struct xen_domctl op = {.u.hvmcontext.size = UINT32_MAX};
    ck_assert_int_eq(domctl(XEN_DOMCTL_sethvmcontext, id, &op), -XEN_ENOMEM);
    op.u.hvmcontext.size = 64;
    SET_GVA(op.u.hvmcontext.buffer, NOWHERE);
    ck_assert_int_eq(domctl(XEN_DOMCTL_sethvmcontext, id, &op), -XEN_EFAULT);
    ck_assert_int_eq(domctl(XEN_DOMCTL_sethvmcontext, 0, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_gethvmcontext, 0, &op), -XEN_EINVAL);
    /* Any byte of a whole file may be wrong: an error or not, nothing worse. */
    ck_assert_int_eq(get_context(id, BUF_GPA, &size), 0);
    buf_read(file, size);
    for (uint32_t at = 0; at < size; at += at < 64 ? 1 : 13) {
        file[at] ^= 0xff;
        (void)set_context(id, file, size);
        file[at] ^= 0xff;
    }
    ck_assert_int_eq(set_context(id, file, size), 0);
    destroy(id);
    fixture_stop();
}
END_TEST

START_TEST(vcpu_contexts)
{
    static vcpu_guest_context_t c;
    struct xen_domctl op = {0};
    struct bsp b = bsp_context();
    domid_t id;

    control_setup(1);
    id = create(2);
    SET_GVA(op.u.vcpucontext.ctxt, BUF_GPA);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpucontext, id, &op), -XEN_ENODATA);
    ck_assert_int_eq(set_context(id, &b, sizeof(b)), 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpucontext, id, &op), 0);
    buf_read(&c, sizeof(c));
    ck_assert_uint_eq(c.flags, VGCF_online | VGCF_I387_VALID);
    ck_assert_uint_eq(c.user_regs.rip, 0x1000200);
    ck_assert_uint_eq(c.ctrlreg[0], 0x11);
    c.user_regs.rax = 42;
    c.flags = 0;
    buf_write(&c, sizeof(c));
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpucontext, id, &op), 0);
    ck_assert_uint_eq(vcpu_of(id, 0)->arch->regs.gpr[GPR_RAX], 42);
    ck_assert_uint_eq(vcpu_of(id, 0)->pause_flags, VPF_DOWN);
    SET_GVA(op.u.vcpucontext.ctxt, 0); /* reset */
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpucontext, id, &op), 0);
    ck_assert(!vcpu_of(id, 0)->initialised);
    SET_GVA(op.u.vcpucontext.ctxt, NOWHERE);
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpucontext, id, &op), -XEN_EFAULT);
    op.u.vcpucontext.vcpu = 2;
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpucontext, id, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpucontext, id, &op), -XEN_EINVAL);
    op.u.vcpucontext.vcpu = 0;
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpucontext, 0, &op), -XEN_EINVAL);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpucontext, 0, &op), -XEN_EINVAL);
    destroy(id);
    fixture_stop();
}
END_TEST

/* A record of one vCPU and nothing else. */
struct xsave_file {
    struct hvm_save_descriptor header_d;
    HVM_SAVE_TYPE(HEADER) header;
    struct hvm_save_descriptor xsave_d;
    struct hvm_hw_cpu_xsave xsave;
    uint64_t more;
    struct hvm_save_descriptor end_d;
} __attribute__((packed));

static struct xsave_file xsave_file(void)
{
    struct xsave_file f = {
        .header_d = {HVM_SAVE_CODE(HEADER), 0, HVM_SAVE_LENGTH(HEADER)},
        .header = {.magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION},
        .xsave_d = {CPU_XSAVE_CODE, 0, sizeof(struct hvm_hw_cpu_xsave) + 8},
        .xsave = {.xcr0 = 3, .xcr0_accum = 3},
    };

    memset(f.xsave.save_area.fpu_sse.x, 0x5a, sizeof(f.xsave.save_area.fpu_sse.x));
    return f;
}

static uint32_t word_at(const struct guest_fpu *f, unsigned at)
{
    uint32_t w;

    memcpy(&w, f->fxsave + at, sizeof(w));
    return w;
}

START_TEST(fpu_parts)
{
    struct xsave_file good = xsave_file(), f;
    struct guest_fpu fpu;
    domid_t id;

    control_setup(1);
    id = create(1);
#define FPU_SPOILT(change, error)                                                                  \
    do {                                                                                           \
        f = good;                                                                                  \
        change;                                                                                    \
        ck_assert_int_eq(set_context(id, &f, sizeof(f)), error);                                   \
        ck_assert(!vcpu_of(id, 0)->arch->live);                                                    \
    } while (0)
    FPU_SPOILT(f.xsave.xcr0 = 0, -XEN_EINVAL);
    FPU_SPOILT(f.xsave.xcr0 = 2, -XEN_EINVAL);
    FPU_SPOILT(f.xsave.xcr0_accum = 1, -XEN_EINVAL);
    FPU_SPOILT(f.xsave.xcr0 = f.xsave.xcr0_accum = 7, -XEN_EINVAL); /* no AVX */
    FPU_SPOILT(f.xsave.save_area.xsave_hdr.xstate_bv = 4, -XEN_EINVAL);
    FPU_SPOILT(f.xsave.save_area.xsave_hdr.xcomp_bv = UINT64_C(1) << 63, -XEN_EOPNOTSUPP);
    FPU_SPOILT(f.xsave.save_area.xsave_hdr.reserved[5] = 1, -XEN_EOPNOTSUPP);
    FPU_SPOILT(f.more = 1, -XEN_EOPNOTSUPP);
    FPU_SPOILT(f.xsave_d.length = sizeof(f.xsave) - 1, -XEN_EINVAL);
    for (unsigned bv = 0; bv < 4; bv++) {
        f = good;
        f.xsave.save_area.xsave_hdr.xstate_bv = bv;
        ck_assert_int_eq(set_context(id, &f, sizeof(f)), 0);
        ck_assert_uint_eq(vcpu_of(id, 0)->arch->xcr0, 3);
        port_guest_save_fpu(vcpu_of(id, 0), &fpu);
        ck_assert_uint_eq(word_at(&fpu, 0), (bv & 1) != 0 ? 0x5a5a5a5au : 0x37f);
        ck_assert_uint_eq(word_at(&fpu, 20), (bv & 1) != 0 ? 0x5a5a5a5au : 0);
        ck_assert_uint_eq(word_at(&fpu, 156), (bv & 1) != 0 ? 0x5a5a5a5au : 0);
        ck_assert_uint_eq(word_at(&fpu, 24), 0x5a5a); /* no bit that faults */
        ck_assert_uint_eq(word_at(&fpu, 28), 0xffff);
        ck_assert_uint_eq(word_at(&fpu, 160), (bv & 2) != 0 ? 0x5a5a5a5au : 0);
        ck_assert_uint_eq(word_at(&fpu, 412), (bv & 2) != 0 ? 0x5a5a5a5au : 0);
        ck_assert_uint_eq(word_at(&fpu, 416), 0);
    }
    destroy(id);
    fixture_stop();
}
END_TEST

/* Registers go from one domain to another in either record, and by contexts. */
START_TEST(fpu_moves)
{
    static uint8_t file[65536];
    static vcpu_guest_context_t c;
    struct xen_domctl op = {0};
    struct bsp b = bsp_context();
    uint32_t size = sizeof(file);
    struct guest_fpu fpu, got;
    struct hvm_hw_cpu *cpu;
    domid_t from, to;

    control_setup(1);
    from = create(1);
    to = create(1);
    /* Of a vCPU that never ran: power-up state. */
    ck_assert_int_eq(get_context(from, BUF_GPA, &size), 0);
    buf_read(file, size);
    cpu = record(file, size, HVM_SAVE_CODE(CPU), 0);
    ck_assert_uint_eq(cpu->flags, XEN_X86_FPU_INITIALISED);
    ck_assert_uint_eq(cpu->fpu_regs[0], 0x40);
    ck_assert_uint_eq(cpu->fpu_regs[4], 0xff);
    ck_assert_uint_eq(cpu->fpu_regs[24] | cpu->fpu_regs[25] << 8, 0x1f80);
    ck_assert_int_eq(set_context(from, &b, sizeof(b)), 0);
    for (unsigned i = 0; i < 416; i++) {
        fpu.fxsave[i] = (uint8_t)(i * 7 + 1);
    }
    memset(fpu.fxsave + 24, 0, 8);
    fpu.fxsave[24] = 0xa0;
    fpu.fxsave[28] = fpu.fxsave[29] = 0xff;
    memset(fpu.fxsave + 416, 0, 96);
    port_guest_load_fpu(vcpu_of(from, 0), &fpu);
    size = sizeof(file);
    ck_assert_int_eq(get_context(from, BUF_GPA, &size), 0);
    buf_read(file, size);
    ck_assert_int_eq(set_context(to, file, size), 0);
    port_guest_save_fpu(vcpu_of(to, 0), &got);
    ck_assert_mem_eq(&got, &fpu, sizeof(got));
    /* The CPU record alone, with and without them. */
    memcpy(b.cpu.fpu_regs, fpu.fxsave, sizeof(fpu.fxsave));
    ck_assert_int_eq(set_context(to, &b, sizeof(b)), 0);
    port_guest_save_fpu(vcpu_of(to, 0), &got);
    ck_assert_uint_eq(word_at(&got, 0), 0x40);
    b.cpu.flags = XEN_X86_FPU_INITIALISED;
    ck_assert_int_eq(set_context(to, &b, sizeof(b)), 0);
    port_guest_save_fpu(vcpu_of(to, 0), &got);
    ck_assert_mem_eq(&got, &fpu, sizeof(got));

    SET_GVA(op.u.vcpucontext.ctxt, BUF_GPA);
    ck_assert_int_eq(domctl(XEN_DOMCTL_getvcpucontext, to, &op), 0);
    buf_read(&c, sizeof(c));
    ck_assert_mem_eq(&c.fpu_ctxt, &fpu, sizeof(fpu));
    c.fpu_ctxt.x[160] = 0x77;
    buf_write(&c, sizeof(c));
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpucontext, to, &op), 0);
    port_guest_save_fpu(vcpu_of(to, 0), &got);
    ck_assert_uint_eq(got.fxsave[160], 0x77);
    SET_GVA(op.u.vcpucontext.ctxt, 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_setvcpucontext, to, &op), 0);
    port_guest_save_fpu(vcpu_of(to, 0), &got);
    ck_assert_uint_eq(word_at(&got, 160), 0);
    destroy(from);
    destroy(to);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("domctl_context");
    TCase *t = tcase_create("domctl_context");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, start_pvh);
    tcase_add_test(t, there_and_back);
    tcase_add_test(t, single_records);
    tcase_add_test(t, spoilt_files);
    tcase_add_test(t, vcpu_contexts);
    tcase_add_test(t, fpu_parts);
    tcase_add_test(t, fpu_moves);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
