/* The hypercall. Batches stop between elements when others wait, and go on where
 * they stopped. */
#include "core/gnttab/gnttab_private.h"

#include "base/arith.h"
#include "base/atomic.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/mem/frame.h"
#include "core/p2m/p2m.h"
#include "core/policy/policy.h"
#include "core/vcpu/vcpu.h"

/* Writes the status field of the structure of type type at gva. */
#define PUT_STATUS(v, gva, type, value) put_status((v), (gva) + offsetof(type, status), (value))

/*@ // A hypercall, and each element of a batch, begins and ends without references, without
    // locks, and with no mapping that was made and that nobody knows of.
    predicate at_rest{L}(struct vcpu *v) = \valid_read(v) && \valid(v->domain) &&
        \separated(v, v->domain) && references == 0 &&
        untold_handle == MAPTRACK_NONE && !held(&v->domain->gnttab.lock); */

/*@ requires \valid_read(v) && untold_handle == MAPTRACK_NONE;
    assigns untold_handle;
    ensures untold_handle == MAPTRACK_NONE;
    ensures \result == 0 || \result == -XEN_EFAULT; */
static int64_t put_status(struct vcpu *v, uint64_t gva, int value)
{
    int16_t status = (int16_t)value;

    return guest_copy_out(v, gva, &status, sizeof(status)) != 0 ? -XEN_EFAULT : 0;
}

/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants;
    ensures settled: at_rest(v) && \result <= 0 && \result != HYPERCALL_RESTART; */
static int64_t op_map(struct vcpu *v, uint64_t gva)
{
    struct gnttab_map_grant_ref op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    /* What is mapped at 0 could never be unmapped: an unmapping's 0 means no address. */
    if (op.host_addr == 0) {
        op.status = GNTST_bad_virt_addr;
    } else {
        gnttab_map(v->domain, &op);
    }
    if (guest_copy_out(v, gva, &op, sizeof(op)) == 0) {
        return 0;
    }
    /* Nobody knows the handle: the mapping goes. */
    if (op.status == GNTST_okay) {
        (void)gnttab_unmap(v->domain, op.handle, op.host_addr, 0);
    }
    return -XEN_EFAULT;
}

/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants;
    ensures settled: at_rest(v) && \result <= 0 && \result != HYPERCALL_RESTART; */
static int64_t op_unmap(struct vcpu *v, uint64_t gva)
{
    struct gnttab_unmap_grant_ref op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    rc = gnttab_unmap(v->domain, op.handle, op.host_addr, 0);
    return PUT_STATUS(v, gva, struct gnttab_unmap_grant_ref, rc);
}

/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants;
    ensures settled: at_rest(v) && \result <= 0 && \result != HYPERCALL_RESTART; */
static int64_t op_unmap_and_replace(struct vcpu *v, uint64_t gva)
{
    struct gnttab_unmap_and_replace op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    rc = gnttab_unmap(v->domain, op.handle, op.host_addr, op.new_addr);
    return PUT_STATUS(v, gva, struct gnttab_unmap_and_replace, rc);
}

/* Translated domains cannot give frames away. */
/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants;
    ensures settled: at_rest(v) && \result <= 0 && \result != HYPERCALL_RESTART; */
static int64_t op_transfer(struct vcpu *v, uint64_t gva)
{
    struct gnttab_transfer op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    rc = p2m_lookup(v->domain, gfn(op.mfn)).type == P2M_INVALID ? GNTST_bad_page
                                                                : GNTST_general_error;
    return PUT_STATUS(v, gva, struct gnttab_transfer, rc);
}

/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants;
    ensures settled: at_rest(v) && \result <= 0 && \result != HYPERCALL_RESTART; */
static int64_t op_copy(struct vcpu *v, uint64_t gva)
{
    struct gnttab_copy op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    return PUT_STATUS(v, gva, struct gnttab_copy, gnttab_copy(v->domain, &op));
}

static bool in_use(const struct gnttab *t, grant_ref_t ref)
{
    const struct gnttab_active *a = gnttab_active_of(t, ref);

    return a->readers + a->writers != 0;
}

/*@ requires \valid(t) && held(&t->lock);
    terminates \true;
    assigns grants;
    ensures GNTST_eagain <= \result <= 0; */
static int swap(struct gnttab *t, grant_ref_t a, grant_ref_t b)
{
    if (a >= gnttab_entries(t) || b >= gnttab_entries(t)) {
        return GNTST_bad_gntref;
    }
    if (a == b) {
        return GNTST_okay;
    }
    if (in_use(t, a) || in_use(t, b)) {
        return GNTST_eagain;
    }
    if (t->version == 1) {
        grant_entry_v1_t *x = gnttab_entry_v1(t, a), *y = gnttab_entry_v1(t, b), was = *x;

        *x = *y;
        *y = was;
    } else {
        grant_entry_v2_t *x = gnttab_entry_v2(t, a), *y = gnttab_entry_v2(t, b), was = *x;
        uint32_t status = gnttab_status_read(t, a);

        *x = *y;
        *y = was;
        gnttab_status_write(t, a, gnttab_status_read(t, b));
        gnttab_status_write(t, b, status);
    }
    return GNTST_okay;
}

/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants, v->domain->gnttab.lock.spin.word;
    ensures settled: at_rest(v) && \result <= 0 && \result != HYPERCALL_RESTART; */
static int64_t op_swap(struct vcpu *v, uint64_t gva)
{
    struct gnttab *t = &v->domain->gnttab;
    struct gnttab_swap_grant_ref op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    lock_acquire(&t->lock);
    rc = swap(t, op.ref_a, op.ref_b);
    lock_release(&t->lock);
    return PUT_STATUS(v, gva, struct gnttab_swap_grant_ref, rc);
}

/* x86 caches are coherent: what is left is to say who may ask. */
/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants, v->domain->gnttab.lock.spin.word;
    ensures settled: at_rest(v) && \result <= 0 && \result != HYPERCALL_RESTART; */
static int64_t op_cache_flush(struct vcpu *v, uint64_t gva)
{
    struct gnttab_cache_flush op;
    struct frame f;
    mfn_t m;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.offset >= PAGE_SIZE || op.length > PAGE_SIZE || op.offset + op.length > PAGE_SIZE) {
        return -XEN_EINVAL;
    }
    if (op.length == 0 || op.op == 0) {
        return 0;
    }
    if ((op.op & GNTTAB_CACHE_SOURCE_GREF) != 0) {
        return -XEN_EOPNOTSUPP;
    }
    if ((op.op & ~(GNTTAB_CACHE_INVAL | GNTTAB_CACHE_CLEAN)) != 0) {
        return -XEN_EINVAL;
    }
    m = mfn(op.a.dev_bus_addr >> PAGE_SHIFT);
    f = frame_read(m);
    if (f.state == FRAME_ABSENT) {
        return -XEN_EINVAL;
    }
    if (f.state != FRAME_USED || f.type == FRAME_HYP || f.type == FRAME_P2M) {
        return -XEN_EPERM;
    }
    if (f.owner != v->domain->id && !gnttab_maps(v->domain, m)) {
        return -XEN_EINVAL;
    }
    return op.op == GNTTAB_CACHE_INVAL ? -XEN_EOPNOTSUPP : 0;
}

/* Finds the domain whose table is asked about; *status says why not. */
/*@ requires at_rest(v) && \valid(status) && \separated(status, v, v->domain);
    assigns references, permitted, *status;
    ensures refused: \result == \null ==> references == 0 &&
        (*status == GNTST_bad_domain || *status == GNTST_permission_denied);
    ensures \result != \null ==> references == 1 && permitted != 0 && \valid(\result) &&
        *status == GNTST_okay && other_table(v, \result); */
static struct domain *table_of(struct vcpu *v, domid_t id, enum policy_op what, int16_t *status)
{
    struct domain *d = domain_get_for(v, id);

    if (d == NULL) {
        *status = GNTST_bad_domain;
        return NULL;
    }
    if (policy_check(what, v->domain, d) != 0) {
        *status = GNTST_permission_denied;
        domain_put(d);
        return NULL;
    }
    *status = GNTST_okay;
    return d;
}

/* Tells where d's guest sees frames 0 .. n - 1 of its table. */
/*@ requires \valid(d) && !held(&d->gnttab.lock) && frame_lists(&d->gnttab);
    requires permitted != 0 && untold_handle == MAPTRACK_NONE;
    assigns d->gnttab.lock.spin.word, untold_handle;
    ensures !held(&d->gnttab.lock) && untold_handle == MAPTRACK_NONE;
    ensures \result == GNTST_okay || \result == GNTST_bad_virt_addr; */
static int16_t list_frames(struct vcpu *v, struct domain *d, bool status, uint32_t n, uint64_t list)
{
    struct gnttab *t = &d->gnttab;
    int16_t rc = GNTST_okay;

    /*@ loop invariant i <= n && !held(&d->gnttab.lock) && frame_lists(&d->gnttab) &&
            untold_handle == MAPTRACK_NONE;
        loop invariant rc == GNTST_okay || rc == GNTST_bad_virt_addr;
        loop assigns i, rc, d->gnttab.lock.spin.word, untold_handle;
        loop variant n - i; */
    for (uint32_t i = 0; i < n; i++) {
        uint64_t frame = gfn_invalid().v;

        lock_acquire(&t->lock);
        if (i < (status ? t->nr_status_frames : t->nr_frames)) {
            frame = status ? t->status_gfn[i].v : t->shared_gfn[i].v;
        }
        lock_release(&t->lock);
        if (add_overflows(list, i * sizeof(frame)) ||
            guest_copy_out(v, list + i * sizeof(frame), &frame, sizeof(frame)) != 0) {
            rc = GNTST_bad_virt_addr;
        }
    }
    return rc;
}

/* Makes n frames of a table, or of its status, exist, and tells where they are;
 * status frames come with the others. */
/*@ requires at_rest(v);
    ensures settled: at_rest(v); */
static int16_t table_frames(struct vcpu *v, domid_t id, bool status, uint32_t n, uint64_t list)
{
    int16_t rc;
    struct domain *d = table_of(v, id, POLICY_GRANT_SETUP, &rc);
    struct gnttab *t;

    if (d == NULL) {
        return rc;
    }
    t = &d->gnttab;
    lock_acquire(&t->lock);
    if (status ? n > t->nr_status_frames : n > t->nr_frames && gnttab_grow(d, n) != 0) {
        rc = GNTST_general_error;
    }
    lock_release(&t->lock);
    if (rc == GNTST_okay) {
        rc = list_frames(v, d, status, n, list);
    }
    domain_put(d);
    return rc;
}

/*@ requires at_rest(v);
    ensures settled: at_rest(v) && \result <= 0; */
static int64_t op_setup_table(struct vcpu *v, uint64_t gva)
{
    struct gnttab_setup_table op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    op.status = table_frames(v, op.dom, false, op.nr_frames, (uintptr_t)op.frame_list.p);
    return PUT_STATUS(v, gva, struct gnttab_setup_table, op.status);
}

/*@ requires at_rest(v);
    ensures settled: at_rest(v) && \result <= 0; */
static int64_t op_status_frames(struct vcpu *v, uint64_t gva)
{
    struct gnttab_get_status_frames op;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    op.status = table_frames(v, op.dom, true, op.nr_frames, (uintptr_t)op.frame_list.p);
    return PUT_STATUS(v, gva, struct gnttab_get_status_frames, op.status);
}

/*@ requires at_rest(v);
    ensures settled: at_rest(v) && \result <= 0; */
static int64_t op_query_size(struct vcpu *v, uint64_t gva)
{
    struct gnttab_query_size op;
    struct domain *d;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    d = table_of(v, op.dom, POLICY_GRANT_QUERY, &op.status);
    if (d != NULL) {
        lock_acquire(&d->gnttab.lock);
        op.nr_frames = d->gnttab.nr_frames;
        op.max_nr_frames = d->gnttab.max_frames;
        lock_release(&d->gnttab.lock);
        domain_put(d);
    }
    return guest_copy_out(v, gva, &op, sizeof(op)) != 0 ? -XEN_EFAULT : 0;
}

/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants, v->domain->gnttab.lock.spin.word;
    ensures settled: at_rest(v) && \result <= 0; */
static int64_t op_set_version(struct vcpu *v, uint64_t gva)
{
    struct gnttab_set_version op;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    rc = gnttab_set_version(v->domain, op.version);
    op.version = load_u32(&v->domain->gnttab.version);
    return guest_copy_out(v, gva, &op, sizeof(op)) != 0 ? -XEN_EFAULT : rc;
}

/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants;
    ensures settled: at_rest(v) && \result <= 0; */
static int64_t op_get_version(struct vcpu *v, uint64_t gva)
{
    struct gnttab_get_version op;
    struct domain *d;
    int rc;

    if (guest_copy_in(v, &op, gva, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    d = domain_get_for(v, op.dom);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    rc = policy_check(POLICY_GRANT_QUERY, v->domain, d);
    op.version = load_u32(&d->gnttab.version);
    domain_put(d);
    if (rc == 0 && guest_copy_out(v, gva, &op, sizeof(op)) != 0) {
        rc = -XEN_EFAULT;
    }
    return rc;
}

/* Size of one element of a batch, 0 for operations that come alone. */
/*@ logic integer element(integer cmd) =
        cmd == GNTTABOP_map_grant_ref ? sizeof(struct gnttab_map_grant_ref) :
        cmd == GNTTABOP_unmap_grant_ref ? sizeof(struct gnttab_unmap_grant_ref) :
        cmd == GNTTABOP_unmap_and_replace ? sizeof(struct gnttab_unmap_and_replace) :
        cmd == GNTTABOP_transfer ? sizeof(struct gnttab_transfer) :
        cmd == GNTTABOP_copy ? sizeof(struct gnttab_copy) :
        cmd == GNTTABOP_swap_grant_ref ? sizeof(struct gnttab_swap_grant_ref) :
        cmd == GNTTABOP_cache_flush ? sizeof(struct gnttab_cache_flush) : 0; */

/*@ assigns \nothing;
    ensures \result == element(cmd) && \result <= 64;
    ensures \result != 0 <==> cmd == GNTTABOP_map_grant_ref || cmd == GNTTABOP_unmap_grant_ref ||
        cmd == GNTTABOP_unmap_and_replace || cmd == GNTTABOP_transfer || cmd == GNTTABOP_copy ||
        cmd == GNTTABOP_swap_grant_ref || cmd == GNTTABOP_cache_flush; */
static uint64_t element_size(uint32_t cmd)
{
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        return sizeof(struct gnttab_map_grant_ref);
    case GNTTABOP_unmap_grant_ref:
        return sizeof(struct gnttab_unmap_grant_ref);
    case GNTTABOP_unmap_and_replace:
        return sizeof(struct gnttab_unmap_and_replace);
    case GNTTABOP_transfer:
        return sizeof(struct gnttab_transfer);
    case GNTTABOP_copy:
        return sizeof(struct gnttab_copy);
    case GNTTABOP_swap_grant_ref:
        return sizeof(struct gnttab_swap_grant_ref);
    case GNTTABOP_cache_flush:
        return sizeof(struct gnttab_cache_flush);
    default:
        return 0;
    }
}

/*@ requires at_rest(v);
    assigns references, permitted, untold_handle, grants, v->domain->gnttab.lock.spin.word;
    ensures settled: at_rest(v) && \result <= 0 && \result != HYPERCALL_RESTART; */
static int64_t op_element(struct vcpu *v, uint32_t cmd, uint64_t gva)
{
    int64_t rc;

    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        rc = op_map(v, gva);
        break;
    case GNTTABOP_unmap_grant_ref:
        rc = op_unmap(v, gva);
        break;
    case GNTTABOP_unmap_and_replace:
        rc = op_unmap_and_replace(v, gva);
        break;
    case GNTTABOP_transfer:
        rc = op_transfer(v, gva);
        break;
    case GNTTABOP_copy:
        rc = op_copy(v, gva);
        break;
    case GNTTABOP_swap_grant_ref:
        rc = op_swap(v, gva);
        break;
    default:
        rc = op_cache_flush(v, gva);
        break;
    }
    return rc;
}

/*@ requires at_rest(v) && \valid(args + (0 .. 5)) && (uint32_t)args[2] <= INT32_MAX;
    assigns references, permitted, untold_handle, grants, v->domain->gnttab.lock.spin.word,
        args[1 .. 2];
    ensures settled: at_rest(v) && \result <= 0;
    ensures place: \result == HYPERCALL_RESTART ==> args[2] < (uint32_t)\old(args[2]) &&
        args[1] == \old(args[1]) + ((uint32_t)\old(args[2]) - args[2]) * element(cmd); */
static int64_t op_batch(struct vcpu *v, uint32_t cmd, uint64_t args[6])
{
    uint64_t size = element_size(cmd), gva = args[1];
    uint32_t count = (uint32_t)args[2];

    /*@ loop invariant i <= count && at_rest(v);
        loop invariant gva == \at(args[1], Pre) + i * size;
        loop assigns i, gva, references, permitted, untold_handle, grants,
            v->domain->gnttab.lock.spin.word;
        loop variant count - i; */
    for (uint32_t i = 0; i < count; i++) {
        int64_t rc;

        if (i != 0 && hypercall_preempt()) {
            args[1] = gva;
            args[2] = count - i;
            return HYPERCALL_RESTART;
        }
        rc = op_element(v, cmd, gva);
        if (rc != 0) {
            return rc;
        }
        if (add_overflows(gva, size)) {
            return i + 1 == count ? 0 : -XEN_EFAULT;
        }
        gva += size;
    }
    return 0;
}

/*@ requires at_rest(v) && \valid(args + (0 .. 5));
    ensures settled: at_rest(v) && \result <= 0;
    ensures (uint32_t)\old(args[2]) > INT32_MAX ==> \result == -XEN_EINVAL;
    ensures unknown: (uint32_t)\old(args[2]) <= INT32_MAX &&
        (uint32_t)\old(args[0]) > GNTTABOP_cache_flush ==> \result == -XEN_ENOSYS; */
int64_t do_grant_table_op(struct vcpu *v, uint64_t args[6])
{
    uint32_t cmd = (uint32_t)args[0], count = (uint32_t)args[2];

    if (count > INT32_MAX) {
        return -XEN_EINVAL;
    }
    if (element_size(cmd) != 0) {
        return op_batch(v, cmd, args);
    }
    switch (cmd) {
    case GNTTABOP_setup_table:
        return count != 1 ? -XEN_EINVAL : op_setup_table(v, args[1]);
    case GNTTABOP_query_size:
        return count != 1 ? -XEN_EINVAL : op_query_size(v, args[1]);
    case GNTTABOP_get_status_frames:
        return count != 1 ? -XEN_EINVAL : op_status_frames(v, args[1]);
    case GNTTABOP_set_version:
        return op_set_version(v, args[1]);
    case GNTTABOP_get_version:
        return op_get_version(v, args[1]);
    default:
        return -XEN_ENOSYS;
    }
}
