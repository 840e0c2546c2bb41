/* What the hypervisor read of the arguments of calls in flight, what it wrote there, and
 * what each call returned, as seen at the doors themselves (ld --wrap): memory may say
 * something else before and after. */
#include <string.h>

#include "base/xen.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/vcpu/vcpu.h"
#include "fuzz/exec_impl.h"

/* Of one argument slot, byte by byte. */
struct shadow {
    uint8_t in[ARG_SLOT];    /* as first read; before that, as the executor wrote it */
    uint8_t out[ARG_SLOT];   /* the same with what the hypervisor wrote */
    uint8_t now[ARG_SLOT];   /* as last read or written */
    uint32_t turn[ARG_SLOT]; /* when it was last read; 0: never */
};

static struct watch {
    struct shadow shadow[ARG_SLOTS];
    unsigned slots; /* in use */
    uint32_t want;  /* a multicall's entries, as the guest says */
    uint32_t turns; /* a continuation is another turn, and may read again */
    unsigned depth; /* 2: in a multicall's entry */
    unsigned entry; /* which */
    bool began;     /* the entry has */
    bool known;     /* it is the one that the executor wrote */
    bool owed;      /* its result is not in guest memory yet */
    bool strayed;   /* something ran that is not in the program */
    bool listed;    /* a list of the running entry is not as the executor wrote it */
    int64_t result;
} watches[2];

int64_t __real_hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6]);
int64_t __wrap_hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6]);

static struct watch *watch_of(const struct flight *f)
{
    return &watches[f - exec.flight];
}

static struct flight *flight_of(const struct vcpu *v)
{
    for (unsigned i = 0; i < ARRAY_SIZE(exec.flight); i++) {
        if (exec.flight[i].used && exec.flight[i].v == v) {
            return &exec.flight[i];
        }
    }
    return NULL;
}

void calls_arm(const struct flight *f, unsigned slots)
{
    struct watch *w = watch_of(f);

    w->slots = slots;
    w->want = (uint32_t)engine_task(f->v)->regs.gpr[GPR_RSI];
    for (unsigned i = 0; i < slots; i++) {
        size_t n = f->call[i].arg_len;

        memcpy(w->shadow[i].in, f->call[i].arg, n);
        memcpy(w->shadow[i].out, f->call[i].arg, n);
        memcpy(w->shadow[i].now, f->call[i].arg, n);
        memset(w->shadow[i].turn, 0, n * sizeof(w->shadow[i].turn[0]));
    }
    w->turns = w->depth = w->entry = 0;
    w->began = w->known = w->owed = w->strayed = w->listed = false;
}

const uint8_t *calls_in(const struct flight *f, unsigned nth)
{
    return watch_of(f)->shadow[nth].in;
}

const uint8_t *calls_out(const struct flight *f, unsigned nth)
{
    return watch_of(f)->shadow[nth].out;
}

bool calls_lists_moved(const struct flight *f, unsigned nth)
{
    const struct call *c = &f->call[nth];

    for (unsigned i = 0; c->arg_len != 0 && grammar_has(c->desc, i); i++) {
        const struct field_desc *d = &c->desc->field[i];

        if (d->place == IN_LIST &&
            memcmp(calls_in(f, nth) + d->offset, c->arg + d->offset, sizeof(uint64_t)) != 0) {
            return true;
        }
    }
    return watch_of(f)->listed && watch_of(f)->entry == nth;
}

bool calls_once(const struct flight *f)
{
    return watch_of(f)->turns <= 1;
}

unsigned calls_told(const struct flight *f)
{
    return watch_of(f)->entry;
}

bool calls_midway(const struct flight *f)
{
    return watch_of(f)->began;
}

bool calls_strayed(const struct flight *f)
{
    return watch_of(f)->strayed;
}

void calls_complete(const struct flight *f, int64_t rc)
{
    const struct watch *w = watch_of(f);

    if (rc == 0 && !w->strayed && (w->entry != w->want || w->owed || w->began)) {
        exec_violation("MODEL-CALL: a multicall ended before its entries");
    }
}

/* The range [gva, gva + n) as far as it lies in a slot of f's arguments: which slot, and
 * where. False: it does not. */
static bool in_slot(const struct flight *f, uint64_t gva, size_t n, unsigned *slot, size_t *at)
{
    uint64_t base = arg_base(f->vcpu);

    if (gva < base || gva - base >= ARG_SLOTS * ARG_SLOT) {
        return false;
    }
    *slot = (unsigned)((gva - base) / ARG_SLOT);
    *at = (gva - base) % ARG_SLOT;
    return *slot < watch_of(f)->slots && *at + n <= f->call[*slot].arg_len;
}

/* What was read is the first number of a list of the running entry, which is all that the
 * model asks for, and not what the executor wrote there. */
static bool list_differs(const struct flight *f, uint64_t gva, const void *bytes, size_t n)
{
    unsigned nth = watch_of(f)->entry;
    uint64_t at = gva - arg_base(f->vcpu) - ARG_LIST - nth * ARG_SLOT;

    return nth < watch_of(f)->slots && at < f->call[nth].lists * ARG_LIST_BYTES &&
           at % ARG_LIST_BYTES == 0 && n <= ARG_LIST_BYTES &&
           memcmp(f->call[nth].list + at, bytes, n) != 0;
}

/* Has the argument in that slot a word that points into the argument itself? What is read
 * there is a list or a string, too: once as the argument, and once as that. */
static bool points_at_itself(const struct flight *f, unsigned slot)
{
    uint64_t base = arg_base(f->vcpu) + slot * ARG_SLOT, word;

    for (size_t i = 0; i + sizeof(word) <= f->call[slot].arg_len; i += sizeof(word)) {
        memcpy(&word, watch_of(f)->shadow[slot].in + i, sizeof(word));
        if (word - base < f->call[slot].arg_len) {
            return true;
        }
    }
    return false;
}

/* A byte that is not as it was last seen. */
static void changed(const struct flight *f, unsigned slot, size_t i, uint8_t byte)
{
    struct watch *w = watch_of(f);
    struct shadow *s = &w->shadow[slot];

    if (s->turn[i] == 0) {
        s->in[i] = s->out[i] = byte;
    } else if (s->turn[i] == w->turns && !points_at_itself(f, slot)) {
        exec_violation("MODEL-ARG: an argument was read twice");
    }
    s->now[i] = byte;
}

/* Which of a multicall's entries has gva, offset bytes into it. False: none that the program
 * has. */
static bool entry_at(const struct flight *f, uint64_t gva, size_t offset, unsigned *nth)
{
    uint64_t from = gva - arg_base(f->vcpu) - ARG_MULTICALL - offset;

    *nth = (unsigned)(from / sizeof(struct multicall_entry));
    return f->calls != 0 && watch_of(f)->depth == 1 && from % sizeof(struct multicall_entry) == 0 &&
           from / sizeof(struct multicall_entry) < f->calls;
}

void calls_read(const struct vcpu *v, uint64_t gva, const void *bytes, size_t n)
{
    struct flight *f = flight_of(v);
    struct shadow *s;
    unsigned slot, nth;
    size_t at;

    if (f != NULL && n == sizeof(struct multicall_entry) && entry_at(f, gva, 0, &nth) &&
        !watch_of(f)->strayed && nth != watch_of(f)->entry) {
        exec_violation("MODEL-CALL: a multicall's entries do not follow each other");
    }
    if (f != NULL && list_differs(f, gva, bytes, n)) {
        watch_of(f)->listed = true;
    }
    if (f == NULL || !in_slot(f, gva, n, &slot, &at) || slot != watch_of(f)->entry) {
        return;
    }
    s = &watch_of(f)->shadow[slot];
    for (size_t i = 0; memcmp(s->now + at, bytes, n) != 0 && i < n; i++) {
        uint8_t byte = ((const uint8_t *)bytes)[i];

        if (s->now[at + i] != byte) {
            changed(f, slot, at + i, byte);
        }
    }
    for (size_t i = 0; i < n; i++) {
        s->turn[at + i] = watch_of(f)->turns;
    }
}

/* A result of a multicall's entry. */
static void told(struct flight *f, unsigned nth, int64_t result)
{
    struct watch *w = watch_of(f);

    if (w->owed && nth == w->entry - 1) {
        w->owed = false;
        if (result != w->result) {
            exec_violation("MODEL-CALL: a multicall tells another result than its entry had");
        }
    } else if (!w->began && nth == w->entry && f->call[nth].nr == __HYPERVISOR_multicall) {
        /* Refused without being called: its depth would have no bound. */
        if (result != -XEN_EINVAL) {
            exec_violation("MODEL-CALL: a multicall ran in a multicall");
        }
        flight_report_call(f, w->entry++, OP_DONE, result);
    } else {
        w->strayed = true;
    }
}

void calls_wrote(const struct vcpu *v, uint64_t gva, const void *bytes, size_t n)
{
    struct flight *f = flight_of(v);
    unsigned slot, nth;
    int64_t result;
    size_t at;

    if (f == NULL) {
        return;
    }
    if (in_slot(f, gva, n, &slot, &at) && slot >= watch_of(f)->entry) {
        struct shadow *s = &watch_of(f)->shadow[slot];

        memcpy(s->out + at, bytes, n);
        memcpy(s->now + at, bytes, n);
        if (slot != watch_of(f)->entry) {
            memcpy(s->in + at, bytes, n); /* of an entry that comes later */
        }
    }
    if (n == sizeof(result) && entry_at(f, gva, offsetof(struct multicall_entry, result), &nth)) {
        memcpy(&result, bytes, sizeof(result));
        told(f, nth, result);
    }
}

static void entry_begins(const struct flight *f, struct watch *w, uint64_t nr,
                         const uint64_t args[6])
{
    if (w->began) {
        return; /* it goes on */
    }
    if (w->owed) {
        exec_violation("MODEL-CALL: the result of a multicall's entry was not told");
    }
    w->began = true;
    w->listed = false;
    w->known = w->entry < w->slots && nr == f->call[w->entry].nr &&
               memcmp(args, f->call[w->entry].reg, sizeof(f->call[0].reg)) == 0;
    w->strayed = w->strayed || !w->known;
}

static void entry_ends(struct flight *f, struct watch *w, int64_t rc)
{
    if (rc == HYPERCALL_RESTART) {
        return;
    }
    w->began = false;
    if (w->known) {
        flight_report_call(f, w->entry, OP_DONE, rc);
        w->owed = true;
        w->result = rc;
    }
    w->entry++;
}

int64_t __wrap_hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6])
{
    struct flight *f = flight_of(v);
    struct watch *w = f != NULL ? watch_of(f) : NULL;
    unsigned depth;
    int64_t rc;

    if (w == NULL) {
        return __real_hypercall(v, nr, args);
    }
    depth = w->depth++;
    if (depth == 0) {
        w->turns++;
    } else {
        entry_begins(f, w, nr, args);
    }
    rc = __real_hypercall(v, nr, args);
    w->depth = depth;
    if (depth != 0) {
        entry_ends(f, w, rc);
    }
    return rc;
}
