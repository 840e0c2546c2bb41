/* What every unit test starts from: a small machine with the hosted port and
 * the scripted engine, and helpers to make domains and call hypercalls. */
#ifndef CORBEL_TESTS_FIXTURE_H
#define CORBEL_TESTS_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hypercall/hypercall.h"
#include "core/init.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"
#include "hostsim/engine/script.h"
#include "hostsim/world/world.h"

/* Check's macro check() would hide the project's; tests use ck_assert only. */

/* Starts a fresh machine of mem_mib MiB and cpus physical CPUs and runs
 * hv_init(). fixture_stop() audits it, expects no violation, and ends it. */
void fixture_start(unsigned mem_mib, unsigned cpus);
void fixture_stop(void);

/* What fixture_stop() does between its audit and the machine's end: ends all domains,
 * audits that, and expects every page back. */
void fixture_empty(void);

/* An alive translated domain with max_mib of memory limit and vcpus vCPUs, paused
 * count 0, vCPU 0 initialised and up but not scheduled by a running CPU.
 * The reference is the test's. */
struct domain *fixture_domain(unsigned max_mib, unsigned vcpus);

/* The same for the control domain: number 0, privileged, 16 MiB, one vCPU. */
struct domain *fixture_dom0(void);

/* Kills d completely, drops the test's reference. */
void fixture_kill(struct domain *d);

/* Populates gfns [first, first+count) of d with RAM. */
void fixture_populate(struct domain *d, uint64_t first, uint64_t count);

/* Guest linear addresses equal guest-physical ones for fixture vCPUs (paging
 * off). Copies into guest memory, calls, copies back. */
int64_t fixture_hypercall(struct vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
                          uint64_t a3, uint64_t a4);
void *fixture_guest(struct domain *d, uint64_t gpa); /* host pointer to guest memory */

/* Where fixture_op keeps its argument: populated when first used. */
#define FIXTURE_SCRATCH_GPA UINT64_C(0xe0000000)
#define FIXTURE_SCRATCH_PAGES 4u

/* One hypercall with one structure argument at a scratch page: writes *arg,
 * calls nr(sub, pointer), reads *arg back. */
int64_t fixture_op(struct vcpu *v, uint64_t nr, uint64_t sub, void *arg, size_t len);

/* Expects a clean audit. Every hypercall does so too, until a test that holds references
 * of its own switches it off. */
void fixture_audit(void);
void fixture_auditing(bool on);

/* Runs a Check suite as the program's main. */
int fixture_run(Suite *s);

#endif
