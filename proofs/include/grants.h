/* What grants need of others, by contract: who is referenced, and what is held, is counted. */
#ifndef CORBEL_PROOFS_GRANTS_H
#define CORBEL_PROOFS_GRANTS_H

#include "locks.h"
#include "policies.h"
#include "core/gnttab/gnttab_private.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m.h"

// The set of one type.
/*@ axiomatic TypeSets {
    axiom type_set: \forall uint8_t t; t < 9 ==> 1 <= (1 << t) <= 0x100;
} */

/*@ terminates \true;
    assigns references;
    ensures \result == \null ==> references == \old(references);
    ensures \result != \null ==> references == \old(references) + 1 && \valid(\result); */
struct domain *domain_get(domid_t id);

/*@ requires d != \null;
    terminates \true;
    assigns references;
    ensures references == \old(references) - 1; */
void domain_put(struct domain *d);

/*@ terminates \true;
    assigns frame_refs;
    ensures frame_refs == \old(frame_refs) + (\result ? 1 : 0); */
bool frame_get(mfn_t m, domid_t owner);

/*@ terminates \true;
    assigns frame_refs;
    ensures frame_refs == \old(frame_refs) - 1; */
void frame_put(mfn_t m);

/*@ terminates \true;
    assigns type_refs;
    ensures type_refs == \old(type_refs) + (\result ? 1 : 0); */
bool frame_get_type(mfn_t m, enum frame_type type);

/*@ terminates \true;
    assigns type_refs;
    ensures type_refs == \old(type_refs) - 1; */
void frame_put_type(mfn_t m);

/*@ requires \valid(e);
    terminates \true;
    assigns *e, frame_refs;
    ensures frame_refs == \old(frame_refs) + (\result ? 1 : 0);
    ensures \result ==> e->type < P2M_TYPES && e->mfn.v <= 0xfffffff; */
bool p2m_get_page(struct domain *d, gfn_t g, struct p2m_entry *e);

/*@ terminates \true;
    assigns \nothing;
    ensures \result.type < P2M_TYPES; */
struct p2m_entry p2m_lookup(struct domain *d, gfn_t g);

/*@ terminates \true;
    assigns \nothing;
    ensures \result.type < P2M_TYPES; */
struct p2m_entry p2m_peek(struct domain *d, gfn_t g);

/*@ requires \valid(old) && frame_refs > leaves;
    terminates \true;
    assigns *old, leaves;
    ensures \result == 0 ==> old->type < P2M_TYPES;
    ensures \result == 0 || \result == -XEN_EEXIST || \result == -XEN_EINVAL ||
        \result == -XEN_ENOMEM;
    ensures leaves == \old(leaves) + (\result == 0 ? 1 : 0); */
int p2m_exchange(struct domain *d, gfn_t g, mfn_t m, enum p2m_type type, uint32_t replace,
                 struct p2m_entry *old);

/*@ requires \valid(old);
    terminates \true;
    assigns *old, leaves;
    ensures \result == 0 ==> old->type < P2M_TYPES;
    ensures leaves == \old(leaves) - (\result == 0 ? 1 : 0); */
int p2m_unmap_types(struct domain *d, gfn_t g, uint32_t types, struct p2m_entry *old);

/*@ terminates \true;
    assigns grants; */
void p2m_release_ram(struct domain *d, mfn_t m);

#endif
