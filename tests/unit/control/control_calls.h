/* Control operations as the toolstack in a control domain makes them. */
#ifndef CORBEL_TESTS_CONTROL_CALLS_H
#define CORBEL_TESTS_CONTROL_CALLS_H

#include "core/guest_mem/guest_mem.h"
#include "tests/unit/fixture.h"

#include <xen/sysctl.h>

/* The control domain's memory for arrays and buffers. */
#define BUF_GPA UINT64_C(0x100000)
#define BUF_PAGES 64u
#define NOWHERE UINT64_C(0xd0000000)

#define SET_GVA(h, gva) ((h).p = (void *)(uintptr_t)(gva))

extern struct domain *dom0;
extern struct vcpu *dom0_vcpu;

static inline void control_setup(unsigned cpus)
{
    fixture_start(64, cpus);
    dom0 = fixture_dom0();
    dom0_vcpu = dom0->vcpu[0];
    fixture_populate(dom0, BUF_GPA >> PAGE_SHIFT, BUF_PAGES);
}

static inline void *buf(void)
{
    return fixture_guest(dom0, BUF_GPA);
}

static inline void buf_write(const void *p, size_t n)
{
    ck_assert_int_eq(guest_phys_write(dom0, gaddr(BUF_GPA), p, n), 0);
}

static inline void buf_read(void *p, size_t n)
{
    ck_assert_int_eq(guest_phys_read(dom0, gaddr(BUF_GPA), p, n), 0);
}

static inline int64_t domctl_as(struct vcpu *v, uint32_t cmd, domid_t id, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = id;
    if (!fixture_guest(v->domain, FIXTURE_SCRATCH_GPA)) {
        fixture_populate(v->domain, FIXTURE_SCRATCH_GPA >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
    }
    ck_assert_int_eq(guest_phys_write(v->domain, gaddr(FIXTURE_SCRATCH_GPA), op, sizeof(*op)), 0);
    int64_t rc = fixture_hypercall(v, __HYPERVISOR_domctl, FIXTURE_SCRATCH_GPA, 0, 0, 0, 0);
    ck_assert_int_eq(guest_phys_read(v->domain, gaddr(FIXTURE_SCRATCH_GPA), op, sizeof(*op)), 0);
    return rc;
}

static inline int64_t domctl(uint32_t cmd, domid_t id, struct xen_domctl *op)
{
    return domctl_as(dom0_vcpu, cmd, id, op);
}

static inline int64_t sysctl_as(struct vcpu *v, uint32_t cmd, struct xen_sysctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    if (!fixture_guest(v->domain, FIXTURE_SCRATCH_GPA)) {
        fixture_populate(v->domain, FIXTURE_SCRATCH_GPA >> PAGE_SHIFT, FIXTURE_SCRATCH_PAGES);
    }
    ck_assert_int_eq(guest_phys_write(v->domain, gaddr(FIXTURE_SCRATCH_GPA), op, sizeof(*op)), 0);
    int64_t rc = fixture_hypercall(v, __HYPERVISOR_sysctl, FIXTURE_SCRATCH_GPA, 0, 0, 0, 0);
    ck_assert_int_eq(guest_phys_read(v->domain, gaddr(FIXTURE_SCRATCH_GPA), op, sizeof(*op)), 0);
    return rc;
}

static inline int64_t sysctl(uint32_t cmd, struct xen_sysctl *op)
{
    return sysctl_as(dom0_vcpu, cmd, op);
}

/* What xl makes of a PVH configuration. */
static inline struct xen_domctl_createdomain pvh_config(unsigned vcpus)
{
    return (struct xen_domctl_createdomain){
        .handle = {0xc0, 0x5b, 0xe1},
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_oos_off,
        .max_vcpus = vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .grant_opts = XEN_DOMCTL_GRANT_version(2),
        .arch = {.emulation_flags = XEN_X86_EMU_LAPIC},
    };
}

/* Creates a domain with vCPUs by hypercalls only; its number. */
static inline domid_t create(unsigned vcpus)
{
    struct xen_domctl op = {.u.createdomain = pvh_config(vcpus)};

    ck_assert_int_eq(domctl(XEN_DOMCTL_createdomain, 0, &op), 0);
    domid_t id = op.domain;

    op.u.max_mem.max_memkb = 8192;
    ck_assert_int_eq(domctl(XEN_DOMCTL_max_mem, id, &op), 0);
    op.u.max_vcpus.max = vcpus;
    ck_assert_int_eq(domctl(XEN_DOMCTL_max_vcpus, id, &op), 0);
    return id;
}

static inline void destroy(domid_t id)
{
    struct xen_domctl op = {0};

    ck_assert_int_eq(domctl(XEN_DOMCTL_destroydomain, id, &op), 0);
    ck_assert_int_eq(domctl(XEN_DOMCTL_destroydomain, id, &op), -XEN_ESRCH);
}

#endif
