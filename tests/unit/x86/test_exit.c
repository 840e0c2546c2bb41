/* Exits: what each record does to registers, queued events and the domain. */
#include "tests/unit/x86/exit_calls.h"

START_TEST(test_cpuid_msr)
{
    prepare(EXIT_CPUID, 2);
    r->gpr[GPR_RAX] = UINT64_C(0xffffffff40000000);
    run();
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0x40000005);
    ck_assert_uint_eq(r->rip, CODE + 2);
    ck_assert_uint_eq(v->arch->exits[EXIT_CPUID], 1);
    prepare(EXIT_RDMSR, 2);
    r->gpr[GPR_RCX] = UINT64_C(0x123400000277);
    run();
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0x00070406);
    ck_assert_uint_eq(r->gpr[GPR_RDX], 0x00070406);
    prepare(EXIT_WRMSR, 2);
    r->gpr[GPR_RCX] = 0xc0000103;
    r->gpr[GPR_RAX] = UINT64_C(0xabcd00000009);
    r->gpr[GPR_RDX] = UINT64_C(0xabcd00000000);
    run();
    ck_assert_uint_eq(v->arch->tsc_aux, 9);
    ck_assert_uint_eq(r->rip, CODE + 6);
    prepare(EXIT_WRMSR, 2);
    r->gpr[GPR_RCX] = 0x48;
    run();
    ck_assert_uint_eq(r->rip, CODE + 6); /* faults do not move rip */
    expect(13, 0);
    expect_none();
}
END_TEST

START_TEST(test_tsc)
{
    world_advance(123456);
    prepare(EXIT_RDTSCP, 3);
    v->arch->tsc_aux = 3;
    run();
    ck_assert_uint_eq(r->gpr[GPR_RAX] | r->gpr[GPR_RDX] << 32, port_tsc_read());
    ck_assert_uint_eq(r->gpr[GPR_RCX], 3);
    ck_assert_uint_eq(r->rip, CODE + 3);
}
END_TEST

START_TEST(test_io)
{
    struct guest_exit *x = prepare(EXIT_IO, 1);

    x->u.io.port = 0x87;
    x->u.io.in = true;
    x->u.io.size = 1;
    r->gpr[GPR_RAX] = UINT64_C(0x1122334455667788);
    run();
    ck_assert_uint_eq(r->gpr[GPR_RAX], UINT64_C(0x11223344556677ff));
    x->u.io.size = 2;
    run();
    ck_assert_uint_eq(r->gpr[GPR_RAX], UINT64_C(0x112233445566ffff));
    x->u.io.size = 4;
    run();
    ck_assert_uint_eq(r->gpr[GPR_RAX], UINT64_C(0xffffffff));
    x->u.io.in = false;
    run();
    ck_assert_uint_eq(r->rip, CODE + 4);
    /* String output from memory: the emulator reads what is there. */
    memcpy(fixture_guest(d, CODE + 4), "\xf3\x6e", 2); /* rep outsb */
    x = prepare(EXIT_IO, 2);
    x->u.io.port = 0xe8;
    x->u.io.size = 1;
    x->u.io.string = x->u.io.rep = true;
    x->cr0 = CR0_PE;
    x->efer = 0;
    x->cs_l = false;
    x->cs_d = true;
    r->gpr[GPR_RSI] = 0x3000;
    r->gpr[GPR_RCX] = 4;
    r->gpr[GPR_RDX] = 0xe8;
    run();
    ck_assert_uint_eq(r->gpr[GPR_RCX], 0);
    ck_assert_uint_eq(r->gpr[GPR_RSI], 0x3004);
}
END_TEST

START_TEST(test_hlt)
{
    prepare(EXIT_HLT, 1)->intr_shadow = true;
    run();
    ck_assert_uint_eq(r->rip, CODE + 1);
    ck_assert_uint_eq(v->pause_flags & VPF_BLOCKED, VPF_BLOCKED);
    vcpu_wake_flags(v, VPF_BLOCKED);
    /* With something to do it does not block. */
    d->arch->callback_type = CALLBACK_VECTOR;
    d->arch->callback_vector = 0x40;
    v->info->evtchn_upcall_pending = 1;
    prepare(EXIT_HLT, 1);
    run();
    ck_assert_uint_eq(v->pause_flags, 0);
    v->info->evtchn_upcall_pending = 0;
    /* With an NMI it does not even with interrupts off. */
    r->rflags = 2;
    hvm_vcpu_nmi(v);
    prepare(EXIT_HLT, 1);
    run();
    ck_assert_uint_eq(v->pause_flags, 0);
    ck_assert_uint_eq(entry().inject.type, EVENT_NMI);
    /* Else that is the end of the vCPU, and of the last one the domain's. */
    prepare(EXIT_HLT, 1);
    run();
    ck_assert_uint_eq(v->pause_flags & VPF_DOWN, VPF_DOWN);
    ck_assert(d->shutting_down);
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_poweroff);
}
END_TEST

START_TEST(test_hlt_off_with_others)
{
    d->vcpu[1]->initialised = true;
    vcpu_wake_flags(d->vcpu[1], VPF_DOWN);
    r->rflags = 2;
    prepare(EXIT_HLT, 1);
    run();
    ck_assert_uint_eq(v->pause_flags & VPF_DOWN, VPF_DOWN);
    ck_assert(!d->shutting_down);
}
END_TEST

START_TEST(test_hypercall)
{
    struct guest_exit *x = prepare(EXIT_HYPERCALL, 3);

    r->gpr[GPR_RAX] = __HYPERVISOR_xen_version;
    r->gpr[GPR_RDI] = 0;
    run();
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0x40011);
    ck_assert_uint_eq(r->rip, CODE + 3);
    ck_assert_uint_eq(d->arch->hypercalls[__HYPERVISOR_xen_version], 1);
    r->gpr[GPR_RAX] = UINT64_MAX;
    run();
    ck_assert_int_eq((int64_t)r->gpr[GPR_RAX], -XEN_ENOSYS);
    x->cpl = 3;
    r->gpr[GPR_RAX] = __HYPERVISOR_xen_version;
    run();
    ck_assert_int_eq((int64_t)r->gpr[GPR_RAX], -XEN_EPERM);
    x->cpl = 0;
    x->cr0 = 0;
    run();
    ck_assert_int_eq((int64_t)r->gpr[GPR_RAX], -XEN_EPERM);
    x->cr0 = CR0_PE;
    x->cs_l = false;
    x->cs_d = true;
    run();
    ck_assert_int_eq((int64_t)r->gpr[GPR_RAX], -XEN_ENOSYS);
    ck_assert_uint_eq(r->rip, CODE + 15);
    ck_assert_uint_eq(d->arch->hypercalls[__HYPERVISOR_xen_version], 1);
}
END_TEST

/* A preempted hypercall leaves rip and hands its progress over in registers. */
START_TEST(test_hypercall_restart)
{
    struct multicall_entry *m = fixture_guest(d, 0x3000);

    for (unsigned i = 0; i < 4; i++) {
        m[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version};
    }
    this_cpu()->preempt_every = 1;
    prepare(EXIT_HYPERCALL, 3);
    r->gpr[GPR_RAX] = __HYPERVISOR_multicall;
    r->gpr[GPR_RDI] = 0x3000;
    r->gpr[GPR_RSI] = 4;
    run();
    ck_assert_uint_eq(r->rip, CODE);
    ck_assert_uint_eq(r->gpr[GPR_RAX], __HYPERVISOR_multicall);
    ck_assert_uint_lt(r->gpr[GPR_RSI], 4);
    ck_assert_uint_gt(r->gpr[GPR_RDI], 0x3000);
    for (unsigned i = 0; r->rip == CODE && i < 10; i++) {
        prepare(EXIT_HYPERCALL, 3);
        run();
    }
    this_cpu()->preempt_every = 0;
    ck_assert_uint_eq(r->gpr[GPR_RAX], 0);
    ck_assert_uint_eq(r->rip, CODE + 3);
    ck_assert_uint_eq(m[3].result, 0x40011);
}
END_TEST

START_TEST(test_fault2)
{
    struct guest_exit *x;
    mfn_t m = guest_pages_alloc(d, 0);

    ck_assert_int_eq(p2m_map(d, gfn(0x30), m, P2M_4K, P2M_RAM_RO), 0);
    memset(fixture_guest(d, 0x30000), 0x77, 16);
    /* Emptiness: mov (%ebx), %eax in 32-bit code gives all ones. */
    memcpy(fixture_guest(d, CODE), "\x8b\x03\x89\x03", 4);
    x = prepare(EXIT_FAULT2, 0);
    x->cs_l = false;
    x->cs_d = true;
    x->efer = 0;
    x->u.fault2.gpa = gaddr(0x100000);
    x->u.fault2.read = true;
    r->gpr[GPR_RBX] = 0x100000;
    run();
    ck_assert_uint_eq(r->gpr[GPR_RAX], UINT32_MAX);
    ck_assert_uint_eq(r->rip, CODE + 2);
    /* Read-only memory: mov %eax, (%ebx) is dropped. */
    x->u.fault2.gpa = gaddr(0x30000);
    x->u.fault2.read = false;
    x->u.fault2.write = true;
    r->gpr[GPR_RBX] = 0x30000;
    run();
    ck_assert_uint_eq(r->rip, CODE + 4);
    ck_assert_uint_eq(*(uint8_t *)fixture_guest(d, 0x30000), 0x77);
    expect_none();
    /* RAM that came meanwhile: again. */
    x->u.fault2.gpa = gaddr(0x5000);
    run();
    ck_assert_uint_eq(r->rip, CODE + 4);
    expect_none();
    /* Code outside memory cannot be emulated. */
    x->u.fault2 = (typeof(x->u.fault2)){.gpa = gaddr(0x100000), .fetch = true};
    r->rip = 0x100000;
    run();
    ck_assert_uint_eq(entry().inject.type, EVENT_HW_EXCEPTION);
    ck_assert(!d->shutting_down);
}
END_TEST

START_TEST(test_fault2_vectoring)
{
    struct guest_exit *x = prepare(EXIT_FAULT2, 0);

    x->u.fault2.gpa = gaddr(0x100000);
    x->u.fault2.write = true;
    x->vectoring = (struct guest_event){.type = EVENT_EXT_INT, .vector = 0x33};
    run();
    ck_assert(d->crashed);
}
END_TEST

START_TEST(test_fault2_foreign_code)
{
    struct domain *other = fixture_domain(1, 1);
    struct guest_exit *x = prepare(EXIT_FAULT2, 0);
    mfn_t m = guest_pages_alloc(other, 0);

    ck_assert(frame_get(m, other->id));
    ck_assert_int_eq(p2m_map(other, gfn(1), m, P2M_4K, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_map(d, gfn(0x40), m, P2M_4K, P2M_FOREIGN), 0);
    x->u.fault2.gpa = gaddr(0x40000);
    x->u.fault2.fetch = true;
    run();
    ck_assert(d->crashed);
}
END_TEST

/* As in Xen: a write to what was granted for reading is #GP, a read is tried again. */
START_TEST(test_fault2_granted_read_only)
{
    struct domain *other = fixture_domain(1, 1);
    struct guest_exit *x = prepare(EXIT_FAULT2, 0);
    mfn_t m = guest_pages_alloc(other, 0);

    ck_assert(frame_get(m, other->id));
    ck_assert_int_eq(p2m_map(other, gfn(1), m, P2M_4K, P2M_RAM_RW), 0);
    ck_assert_int_eq(p2m_map(d, gfn(0x40), m, P2M_4K, P2M_GRANT_RO), 0);
    x->u.fault2.gpa = gaddr(0x40000);
    x->u.fault2.read = true;
    run();
    expect_none();
    x->u.fault2.write = true;
    run();
    expect(13, 0);
    ck_assert(!d->shutting_down);
}
END_TEST

/* SDM table 6-5. */
START_TEST(test_double_fault)
{
    hvm_inject_exception(v, 13, true, 8);
    hvm_inject_exception(v, 13, true, 0);
    expect(8, 0);
    hvm_inject_pf(v, 2, 0x1234);
    ck_assert_uint_eq(v->arch->pending.cr2, 0x1234);
    hvm_inject_pf(v, 2, 0x5678);
    expect(8, 0);
    hvm_inject_exception(v, 13, true, 0);
    hvm_inject_pf(v, 2, 0x5678); /* #GP then #PF: the second alone */
    expect(14, 2);
    hvm_inject_exception(v, 1, false, 0);
    hvm_inject_exception(v, 13, true, 0);
    expect(13, 0);
    ck_assert(!d->shutting_down);
    hvm_inject_exception(v, 8, true, 0);
    hvm_inject_exception(v, 6, false, 0); /* benign */
    expect(6, 0);
    hvm_inject_exception(v, 8, true, 0);
    hvm_inject_exception(v, 10, true, 0);
    ck_assert(d->shutting_down);
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_reboot);
}
END_TEST

START_TEST(test_exception_exits)
{
    struct guest_exit *x = prepare(EXIT_EXCEPTION, 0);

    x->u.event = (struct guest_event){EVENT_HW_EXCEPTION, 14, true, 6, 0xdead000};
    run();
    ck_assert_uint_eq(v->arch->pending.cr2, 0xdead000);
    expect(14, 6);
    x->vectoring = (struct guest_event){EVENT_HW_EXCEPTION, 14, true, 0, 0x1000};
    run();
    expect(8, 0);
    prepare(EXIT_UNDEFINED, 0);
    run();
    expect(6, 0);
    x = prepare(EXIT_EXCEPTION, 0);
    x->u.event = (struct guest_event){EVENT_SW_EXCEPTION, 3, false, 0, 0};
    run();
    ck_assert_uint_eq(entry().inject.type, EVENT_SW_EXCEPTION);
}
END_TEST

/* An acknowledged interrupt survives an exception that overtakes it. */
START_TEST(test_vectoring_kept)
{
    struct guest_exit *x = prepare(EXIT_EXCEPTION, 0);
    struct guest_entry e;

    x->vectoring = (struct guest_event){EVENT_EXT_INT, 0x55, false, 0, 0};
    x->u.event = (struct guest_event){EVENT_HW_EXCEPTION, 14, true, 2, 0x1000};
    run();
    e = entry();
    ck_assert_uint_eq(e.inject.vector, 14);
    ck_assert(e.intr_window);
    r->rflags = 2;
    e = entry();
    ck_assert_uint_eq(e.inject.type, EVENT_NONE);
    ck_assert(e.intr_window);
    r->rflags = 0x202;
    e = entry();
    ck_assert_uint_eq(e.inject.type, EVENT_EXT_INT);
    ck_assert_uint_eq(e.inject.vector, 0x55);
    ck_assert(!e.intr_window);
    prepare(EXIT_PREEMPTED, 0)->vectoring = (struct guest_event){EVENT_NMI, 2, false, 0, 0};
    run();
    ck_assert_uint_eq(entry().inject.type, EVENT_NMI);
}
END_TEST

START_TEST(test_priorities)
{
    uint32_t svr = 0x1ff;
    struct guest_entry e;

    vlapic_mmio(v, 0xf0, 4, true, &svr);
    vlapic_set_irq(v, 0x61, false);
    hvm_vcpu_nmi(v);
    hvm_inject_exception(v, 13, true, 0);
    e = entry();
    ck_assert_uint_eq(e.inject.vector, 13);
    ck_assert(e.intr_window && e.nmi_window);
    e = entry();
    ck_assert_uint_eq(e.inject.type, EVENT_NMI);
    e = entry();
    ck_assert_uint_eq(e.inject.vector, 0x61);
    ck_assert_int_eq(vlapic_pending(v), -1); /* acknowledged */
    /* A second NMI waits for the first one's IRET. */
    hvm_vcpu_nmi(v);
    e = entry();
    ck_assert_uint_eq(e.inject.type, EVENT_NONE);
    ck_assert(e.nmi_window);
    ck_assert(!arch_vcpu_event_pending(v));
    prepare(EXIT_WINDOW, 0);
    run();
    ck_assert_uint_eq(entry().inject.type, EVENT_NMI);
    /* The shadow of STI holds interrupts off. */
    vlapic_set_irq(v, 0x71, false);
    prepare(EXIT_PREEMPTED, 0)->intr_shadow = true;
    run();
    e = entry();
    ck_assert_uint_eq(e.inject.type, EVENT_NONE);
    ck_assert(e.intr_window);
    prepare(EXIT_WINDOW, 0);
    run();
    ck_assert_uint_eq(entry().inject.vector, 0x71);
}
END_TEST

START_TEST(test_skip)
{
    memcpy(fixture_guest(d, CODE), "\x0f\x09", 2); /* wbinvd */
    prepare(EXIT_CACHE, 0)->efer = 0;
    v->arch->exit.cs_l = false;
    v->arch->exit.cs_d = true;
    r->rflags |= RFLAGS_RF;
    run();
    ck_assert_uint_eq(r->rip, CODE + 2);
    ck_assert_uint_eq(r->rflags, 0x202);
    /* A stepped instruction ends in #DB with DR6.BS. */
    r->rflags |= RFLAGS_TF;
    prepare(EXIT_CACHE, 2);
    run();
    expect(1, 0);
    ck_assert_uint_eq(script_state(v)->dr6 & 0x4000, 0x4000);
    ck_assert_uint_eq(script_state(v)->regs.rip, r->rip);
    /* rip wraps at 4 GiB outside 64-bit code. */
    r->rflags = 2;
    r->rip = 0xffffffff;
    prepare(EXIT_CACHE, 2)->cs_l = false;
    run();
    ck_assert_uint_eq(r->rip, 1);
    prepare(EXIT_PAUSE, 2);
    run();
    ck_assert_uint_eq(r->rip, 3);
    ck_assert(!d->shutting_down);
    r->rip = 0x7000000; /* no instruction to measure */
    prepare(EXIT_CACHE, 0);
    run();
    ck_assert(d->crashed);
}
END_TEST

START_TEST(test_ends)
{
    static const uint8_t reason[] = {EXIT_TRIPLE, EXIT_FAILED, EXIT_REASONS, 255};
    static const uint8_t code[] = {SHUTDOWN_watchdog, SHUTDOWN_crash, SHUTDOWN_crash,
                                   SHUTDOWN_crash};

    d->arch->params[HVM_PARAM_TRIPLE_FAULT_REASON] = SHUTDOWN_watchdog;
    for (unsigned i = 0; i < ARRAY_SIZE(reason); i++) {
        prepare(reason[i], 0);
        run();
        ck_assert(d->shutting_down);
        ck_assert_uint_eq(d->shutdown_code, code[i]);
        d = fixture_domain(1, 1);
        v = d->vcpu[0];
        r = &v->arch->regs;
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exit");
    TCase *t = tcase_create("exit");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_cpuid_msr);
    tcase_add_test(t, test_tsc);
    tcase_add_test(t, test_io);
    tcase_add_test(t, test_hlt);
    tcase_add_test(t, test_hlt_off_with_others);
    tcase_add_test(t, test_hypercall);
    tcase_add_test(t, test_hypercall_restart);
    tcase_add_test(t, test_fault2);
    tcase_add_test(t, test_fault2_vectoring);
    tcase_add_test(t, test_fault2_foreign_code);
    tcase_add_test(t, test_fault2_granted_read_only);
    tcase_add_test(t, test_double_fault);
    tcase_add_test(t, test_exception_exits);
    tcase_add_test(t, test_vectoring_kept);
    tcase_add_test(t, test_priorities);
    tcase_add_test(t, test_skip);
    tcase_add_test(t, test_ends);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
