/* What the memory operations need of others, by contract: who is referenced, which batch is
 * open, and what is held, is counted. A copy from the guest leaves an arbitrary value. */
#ifndef CORBEL_PROOFS_MEMORY_OPS_H
#define CORBEL_PROOFS_MEMORY_OPS_H

#include "hypercalls.h"
#include "locks.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/memory_op.h"
#include "core/mem/frame.h"
#include "core/mem/page_alloc.h"
#include "core/mem/page_claim.h"
#include "core/p2m/p2m_pod.h"
#include "port/mem.h"

/*@ axiomatic MemoryOps {
    axiom progress: \forall uint64_t a, uint64_t d; d <= 0xffffffff ==>
        ((a & 63) | (d << 6)) == a % 64 + d * 64 && (d << 6) == d * 64;
    axiom progress_pages: \forall uint64_t a, uint64_t p; a <= 0xffffffff && p <= 0xffffffff ==>
        (a | (p << 32)) == a + p * 0x100000000;
    axiom pages_fit: \forall uint64_t p; p <= 0xffffffff ==> (p << 32) == p * 0x100000000;
    axiom within_extent: \forall uint64_t p, uint8_t s; s <= 18 && (p >> s) == 0 ==> p < (1 << s);
    axiom both_aligned: \forall uint64_t a, uint64_t b;
        (a % 512 == 0 && b % 512 == 0 ==> (a + b) % 512 == 0) &&
        (a % 262144 == 0 && b % 262144 == 0 ==> (a + b) % 262144 == 0);
    axiom leaf_sizes: \forall uint32_t s; (s == 0 ==> (1 << s) == 1) &&
        (s == 9 ==> (1 << s) == 512) && (s == 18 ==> (1 << s) == 262144);
    axiom no_grants: \forall uint32_t s; s == 0x1cf || s == 0x100 || s == 6 ==> (s & 0x30) == 0;
    axiom decoded: \forall uint64_t a; (a >> 6) == a / 64 && (a & 63) == a % 64 &&
        (a >> 32) == a / 0x100000000 && (a & 0x3ffffff) == a % 0x4000000;
    axiom extent: \forall uint8_t s; s <= 18 ==> 1 <= (1 << s) <= 262144 &&
        (s >= 9 ==> (1 << s) % 512 == 0 && (1 << s) >= 512) &&
        (s < 9 ==> (1 << s) < 512) && (s >= 18 ==> (1 << s) == 262144) &&
        (s <= 9 ==> (1 << s) <= 512) && (s <= 0 ==> (1 << s) == 1);
    axiom extents_fit: \forall uint64_t n, uint8_t s;
        s < 32 && n <= (0xffffffff >> s) ==> (n << s) <= 0xffffffff && n <= 0xffffffff;
} */

/*@ terminates \true;
    assigns \nothing;
    ensures \result == 0 || \result == -XEN_EFAULT; */
int proof_copied(uint64_t gva, uint64_t n);

#define guest_copy_in(v, p, gva, n)                                                                \
    ({                                                                                             \
        __typeof__(*(p)) arbitrary;                                                                \
        *(p) = arbitrary;                                                                          \
        proof_copied(gva, n);                                                                      \
    })
#define guest_copy_out(v, gva, p, n) proof_copied(gva, n)

/* A domain that is found is one of these, so none of it is on the stack. */
extern struct domain proof_domains[DOMID_FIRST_RESERVED];

/*@ predicate found{L}(struct domain *d) = d != \null && \valid(d) && some_domain(d) &&
        !held(&d->lock) && \exists integer k; 0 <= k < DOMID_FIRST_RESERVED &&
        d == &proof_domains[k]; */

/*@ requires 0 <= references <= 1;
    terminates \true;
    assigns references;
    ensures \result == \null ==> references == \old(references);
    ensures \result != \null ==> references == \old(references) + 1 && found(\result); */
struct domain *domain_get(domid_t id);

/*@ requires \valid_read(caller) && 0 <= references <= 1;
    terminates \true;
    assigns references;
    ensures \result == \null ==> references == \old(references);
    ensures \result != \null ==> references == \old(references) + 1 && found(\result); */
struct domain *domain_get_for(struct vcpu *caller, domid_t id);

/*@ requires calls(v) && \valid(out) && \separated(out, v);
    assigns references, permitted, *out;
    ensures given: \result == 0 ==> references == 1 && permitted != 0 && found(*out);
    ensures refused: \result != 0 ==> references == 0 &&
        (\result == -XEN_ESRCH || \result == -XEN_EPERM); */
int memory_op_target(struct vcpu *v, domid_t domid, enum policy_op op, struct domain **out);

/*@ terminates \true;
    assigns permitted;
    ensures \result == 0 || \result == -XEN_EPERM;
    ensures permitted == (\result == 0 ? 1 : \old(permitted)); */
int policy_check(enum policy_op op, const struct domain *subject, const struct domain *object);

/*@ terminates \true;
    assigns \nothing; */
mfn_t proof_frame_of_page(void);

#define ptr_to_mfn(page) proof_frame_of_page()

/*@ terminates \true;
    assigns loose_refs;
    ensures loose_refs == \old(loose_refs) + (\result ? 1 : 0); */
bool frame_get(mfn_t m, domid_t owner);

/*@ requires loose_refs > 0;
    terminates \true;
    assigns loose_refs;
    ensures loose_refs == \old(loose_refs) - 1; */
void frame_put(mfn_t m);

/*@ requires \valid(e);
    terminates \true;
    assigns *e, loose_refs;
    ensures loose_refs == \old(loose_refs) + (\result ? 1 : 0);
    ensures \result ==> e->type < P2M_TYPES; */
bool p2m_get_page(struct domain *d, gfn_t g, struct p2m_entry *e);

/*@ terminates \true;
    assigns \nothing;
    ensures \result.type < P2M_TYPES; */
struct p2m_entry p2m_lookup(struct domain *d, gfn_t g);

/*@ requires \valid(d);
    terminates \true;
    assigns \nothing;
    ensures \result <= 0; */
int p2m_unmap_if(struct domain *d, gfn_t g, mfn_t m);

/*@ requires \valid(b) && \valid(d) && \separated(b, d) && !held(&d->lock);
    requires unflushed == 0 && references > 0 && permitted != 0;
    terminates \true;
    assigns b->d, b->flush, b->pod, b->n, b->tables;
    ensures b->d == d && batch(b); */
void p2m_batch_begin(struct p2m_batch *b, struct domain *d);

/*@ requires batch(b);
    terminates \true;
    assigns b->flush, b->n, b->tables, unflushed;
    ensures unflushed == 0; */
void p2m_batch_end(struct p2m_batch *b);

/*@ // Own memory comes from what was allocated; a reference passes to the leaf that is due one.
    predicate mapped{L1, L2}(integer type, integer pages) =
        \at(loose_pages, L2) == \at(loose_pages, L1) - (type == P2M_RAM_RW ? pages : 0) &&
        \at(loose_refs, L2) == \at(loose_refs, L1) - (type == P2M_FOREIGN ? 1 : 0);
    predicate may_map{L}(integer type, integer pages) =
        (type == P2M_RAM_RW ==> loose_pages >= pages) && (type == P2M_FOREIGN ==> loose_refs > 0) &&
        (type == P2M_RAM_RW || type == P2M_FOREIGN || type == P2M_SHARED || type == P2M_POD); */

/*@ requires batch(b) && \valid(old) && may_map(type, 1);
    requires no_grant: (replace & P2M_SET_GRANT) == 0;
    terminates \true;
    assigns b->flush, b->n, b->tables, unflushed, *old, loose_pages, loose_refs;
    ensures \result == 0 ==> mapped{Pre, Post}(type, 1) && old->type < P2M_TYPES;
    ensures \result != 0 ==> mapped{Pre, Post}(P2M_INVALID, 0);
    ensures \result == 0 || \result == -XEN_EEXIST || \result == -XEN_EINVAL ||
        \result == -XEN_ENOMEM; */
int p2m_batch_exchange(struct p2m_batch *b, gfn_t g, mfn_t m, enum p2m_type type, uint32_t replace,
                       struct p2m_entry *old);

/*@ requires batch(b) && \valid(old);
    requires no_grant: (replace & P2M_SET_GRANT) == 0;
    terminates \true;
    assigns b->flush, b->n, b->tables, unflushed, *old;
    ensures \result == 0 ==> old->type < P2M_TYPES;
    ensures \result == 0 || \result == -XEN_EEXIST || \result == -XEN_EINVAL ||
        \result == -XEN_ENOMEM; */
int p2m_batch_move(struct p2m_batch *b, gfn_t from, gfn_t to, uint32_t replace,
                   struct p2m_entry *old);

/*@ requires batch(b) && \valid(old) && (order == P2M_4K || order == P2M_2M);
    requires no_grant: (types & P2M_SET_GRANT) == 0;
    terminates \true;
    assigns b->flush, b->n, b->tables, unflushed, *old;
    ensures \result == 0 ==> old->type < P2M_TYPES &&
        (old->order == P2M_4K || (old->order == P2M_2M && order == P2M_2M));
    ensures -4095 <= \result <= 0 && \result != -XEN_ERESTART; */
int p2m_batch_unmap(struct p2m_batch *b, gfn_t g, unsigned order, mfn_t want, uint32_t types,
                    struct p2m_entry *old);

/*@ requires \valid(d) && permitted != 0 &&
        (order == P2M_4K || order == P2M_2M || order == P2M_1G);
    requires aligned: (order == P2M_2M ==> g.v % 512 == 0 && m.v % 512 == 0) &&
        (order == P2M_1G ==> g.v % 262144 == 0 && m.v % 262144 == 0);
    requires may_map(type, order == P2M_4K ? 1 : order == P2M_2M ? 512 : 262144);
    terminates \true;
    assigns loose_pages, loose_refs;
    ensures \result == 0 ==>
        mapped{Pre, Post}(type, order == P2M_4K ? 1 : order == P2M_2M ? 512 : 262144);
    ensures \result != 0 ==> mapped{Pre, Post}(P2M_INVALID, 0);
    ensures \result == 0 || \result == -XEN_EEXIST || \result == -XEN_EINVAL ||
        \result == -XEN_ENOMEM; */
int p2m_map_new(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type type);

/*@ requires loose_pages > 0;
    terminates \true;
    assigns loose_pages;
    ensures loose_pages == \old(loose_pages) - 1; */
void p2m_release_ram(struct domain *d, mfn_t m);

/*@ // What an allocation of 2^order pages gives.
    predicate allocated{L1, L2}(integer m, integer order) = m == UINT64_MAX ?
        \at(loose_pages, L2) == \at(loose_pages, L1) :
        \at(loose_pages, L2) == \at(loose_pages, L1) + (1 << order) &&
        m <= 0xffffffffff - (1 << order) && (order >= 9 ==> m % 512 == 0) &&
        (order >= 18 ==> m % 262144 == 0); */

/*@ requires \valid(d) && order <= FRAME_ORDER_MAX && addr_bits < 64 && permitted != 0;
    terminates \true;
    assigns loose_pages;
    ensures allocated{Pre, Post}(\result.v, order); */
mfn_t guest_pages_alloc_below(struct domain *d, unsigned order, unsigned addr_bits);

/*@ requires \valid(d) && order <= FRAME_ORDER_MAX && addr_bits < 64 && permitted != 0;
    terminates \true;
    assigns loose_pages;
    ensures allocated{Pre, Post}(\result.v, order); */
mfn_t guest_pages_alloc_clean(struct domain *d, unsigned order, unsigned addr_bits);

/*@ requires \valid(d) && permitted != 0;
    terminates \true;
    assigns \nothing;
    ensures \result == 0 || \result == -XEN_EINVAL || \result == -XEN_ENOMEM; */
int page_claim_set(struct domain *d, uint64_t pages);

/*@ requires \valid(d) && permitted != 0;
    terminates \true;
    assigns \nothing;
    ensures \result == 0 || \result == -XEN_ENOMEM || \result == -XEN_ERESTART; */
int p2m_pod_set_target(struct domain *d, uint64_t target);

/*@ requires \valid(d) && \valid(cache) && \valid(entries);
    terminates \true;
    assigns *cache, *entries; */
void p2m_pod_counts(struct domain *d, uint64_t *cache, uint64_t *entries);

/*@ requires \valid(d) && \valid(out) && permitted != 0;
    terminates \true;
    assigns *out;
    ensures \result == 0 || \result == -XEN_EINVAL || \result == -XEN_ENOMEM; */
int gnttab_frame_at(struct domain *d, uint64_t idx, mfn_t *out);

/*@ requires \valid(d);
    terminates \true;
    assigns \nothing; */
void gnttab_mapped(struct domain *d, gfn_t g, mfn_t m);

/*@ requires \valid(d);
    terminates \true;
    assigns \nothing; */
void gnttab_unmapped(struct domain *d, gfn_t g, mfn_t m);

/*@ requires \valid(d) && \valid(out) && permitted != 0;
    terminates \true;
    assigns *out;
    ensures \result == 0 || \result == -XEN_EINVAL || \result == -XEN_ENOMEM; */
int gnttab_get_frame(struct domain *d, bool status, uint64_t idx, mfn_t *out);

#endif
