/* src/core/gnttab/gnttab_op.c, and by contract what it calls. A copy from the guest leaves
 * an arbitrary value; a copy to the guest tells it the handle of what was mapped. */
#include "hypercalls.h"
#include "locks.h"
#include "policies.h"
#include "core/gnttab/gnttab_private.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m.h"
#include "core/vcpu/vcpu.h"

/*@ terminates \true;
    assigns \nothing;
    ensures \result == 0 || \result == -XEN_EFAULT;
    ensures no_wrap: \result == 0 ==> gva + n <= UINT64_MAX; */
int proof_copied_in(uint64_t gva, uint64_t n);

/*@ terminates \true;
    assigns untold_handle;
    ensures \result == 0 ==> untold_handle == MAPTRACK_NONE;
    ensures \result != 0 ==> untold_handle == \old(untold_handle) && \result == -XEN_EFAULT; */
int proof_copied_out(uint64_t gva);

#define guest_copy_in(v, p, gva, n)                                                                \
    ({                                                                                             \
        __typeof__(*(p)) arbitrary;                                                                \
        *(p) = arbitrary;                                                                          \
        proof_copied_in(gva, n);                                                                   \
    })
#define guest_copy_out(v, gva, p, n) proof_copied_out(gva)

/*@ requires \valid_read(caller) && 0 <= references <= 1;
    terminates \true;
    assigns references;
    ensures \result == \null ==> references == \old(references);
    ensures \result != \null ==> references == \old(references) + 1;
    ensures \result != \null ==> other_table(caller, \result); */
struct domain *domain_get_for(struct vcpu *caller, domid_t id);

/*@ terminates \true;
    assigns \nothing; */
struct p2m_entry p2m_lookup(struct domain *d, gfn_t g);

/*@ terminates \true;
    assigns \nothing; */
struct frame frame_read(mfn_t m);

/*@ requires \valid(d) && !held(&d->gnttab.lock);
    terminates \true;
    assigns d->gnttab.lock.spin.word;
    ensures !held(&d->gnttab.lock); */
bool gnttab_maps(struct domain *d, mfn_t m);

/*@ requires \valid(op) && references == 0 && untold_handle == MAPTRACK_NONE;
    terminates \true;
    assigns op->status, op->handle, op->dev_bus_addr, untold_handle, grants, permitted;
    ensures op->status == GNTST_okay ==> untold_handle == op->handle && op->handle != MAPTRACK_NONE;
    ensures op->status != GNTST_okay ==> untold_handle == MAPTRACK_NONE; */
void gnttab_map(struct domain *d, struct gnttab_map_grant_ref *op);

/*@ requires references == 0;
    terminates \true;
    assigns untold_handle, grants;
    ensures GNTST_eagain <= \result <= 0;
    ensures untold_handle ==
        (handle == \old(untold_handle) ? MAPTRACK_NONE : \old(untold_handle)); */
int gnttab_unmap(struct domain *d, grant_handle_t handle, uint64_t host_addr, uint64_t new_addr);

/*@ requires \valid_read(op) && references == 0;
    terminates \true;
    assigns grants, permitted;
    ensures GNTST_eagain <= \result <= 0; */
int gnttab_copy(struct domain *d, const struct gnttab_copy *op);

/*@ requires \valid(d) && held(&d->gnttab.lock) && permitted != 0;
    terminates \true;
    assigns grants, d->gnttab.nr_frames, d->gnttab.nr_status_frames, d->gnttab.status,
        d->gnttab.status_gfn;
    ensures frame_lists(&d->gnttab);
    ensures \result <= 0 && (\result == 0 ==> d->gnttab.nr_frames >= frames); */
int gnttab_grow(struct domain *d, uint32_t frames);

/*@ requires \valid(d) && !held(&d->gnttab.lock);
    terminates \true;
    assigns grants, d->gnttab.lock.spin.word;
    ensures \result <= 0 && !held(&d->gnttab.lock); */
int gnttab_set_version(struct domain *d, uint32_t version);

#include "../../src/core/gnttab/gnttab_op.c"
