/* One vCPU before an exit, for tests of exits: set-up, a record, and what comes of it. */
#ifndef CORBEL_TESTS_UNIT_EXIT_CALLS_H
#define CORBEL_TESTS_UNIT_EXIT_CALLS_H

#include "tests/unit/fixture.h"

#include "core/arch.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

#define CODE 0x2000u

static struct domain *d;
static struct vcpu *v;
static struct guest_regs *r;

static inline void setup(void)
{
    struct guest_state s;

    fixture_start(16, 1);
    d = fixture_domain(2, 2);
    v = d->vcpu[0];
    r = &v->arch->regs;
    fixture_populate(d, 0, 16);
    hvm_vcpu_reset_state(&s);
    for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
        s.seg[i] = (struct guest_seg){.attr = i == SEG_CS ? 0xc09b : 0xc093, .limit = UINT32_MAX};
    }
    port_guest_load(v, &s);
    r->rip = CODE;
    r->rflags = 0x202;
}

static inline void teardown(void)
{
    fixture_stop();
}

/* An exit of 64-bit kernel code; guest memory without paging all the same. */
static inline struct guest_exit *prepare(enum exit_reason reason, uint8_t len)
{
    struct guest_exit *x = &v->arch->exit;

    *x = (struct guest_exit){.reason = (uint8_t)reason,
                             .insn_len = len,
                             .cs_l = true,
                             .efer = EFER_LME | EFER_LMA,
                             .cr0 = CR0_PE,
                             .vectoring = {.type = EVENT_NONE}};
    return x;
}

static inline void run(void)
{
    this_cpu()->current = v;
    hvm_handle_exit(v);
    this_cpu()->current = NULL;
}

static inline struct guest_entry entry(void)
{
    struct guest_entry e;

    hvm_prepare_entry(v, &e);
    return e;
}

static inline void expect(uint8_t vector, uint32_t error)
{
    struct guest_entry e = entry();

    ck_assert_uint_eq(e.inject.type, EVENT_HW_EXCEPTION);
    ck_assert_uint_eq(e.inject.vector, vector);
    ck_assert_uint_eq(e.inject.error, error);
}

static inline void expect_none(void)
{
    ck_assert_uint_eq(entry().inject.type, EVENT_NONE);
}

#endif
