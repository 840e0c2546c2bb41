/* What operands stand for: small numbers of live things first, then the edges. */
#include "fuzz/resolve.h"

#include <string.h>

#include "base/xen.h"
#include "core/state.h"
#include "fuzz/machine.h"

#define RESULTS 8u

static struct {
    uint64_t value[RESULTS];
    unsigned count;
} results[FIELD_KINDS];

void resolve_forget(void)
{
    memset(results, 0, sizeof(results));
}

void resolve_result(enum field_kind k, uint64_t value)
{
    results[k].value[results[k].count++ % RESULTS] = value;
}

#define PICK(array, v) ((array)[(v) % ARRAY_SIZE(array)])

static const uint64_t domid_live[] = {DOMID_SELF, 0, 1, 2, 3, DOMID_SELF, 1, 2};
static const uint64_t domid_edge[] = {
    DOMID_IO,   DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE, 4, 5, 0x7fef, DOMID_FIRST_RESERVED,
    UINT16_MAX, 0x10001};
static const uint64_t vcpu_edge[] = {2, 127, 128, 8191, INT32_MAX, UINT32_MAX};
static const uint64_t port_edge[] = {0,      127,       128,        255,   1023,  1024,
                                     2047,   4095,      4096,       16383, 65535, 131071,
                                     131072, INT32_MAX, UINT32_MAX, 63,    64};
static const uint64_t virq_edge[] = {23, 24, 16, 31, 32, UINT32_MAX};
static const uint64_t gref_edge[] = {255,  256,  257,  511,  512,       1023,       1024, 2047,
                                     2048, 4095, 8191, 8192, INT32_MAX, UINT32_MAX, 7,    8};
static const uint64_t handle_edge[] = {255, 256, 511, 512, 1023, 1024, INT32_MAX, UINT32_MAX};
static const uint64_t order_live[] = {0, 0, 0, 0, 0, 1, 2, 3, 9, 0};
static const uint64_t order_edge[] = {4, 8, 9, 10, 18, 19, 20, 31, 32, 52, 63, 64, UINT32_MAX};
/* A count as a raw number. */
#define COUNT_SHORT 96u
#define COUNT_LONG 0xf800u
static const uint64_t count_live[] = {1, 2, 3, 4, 1, 2, 5, 8, 1};
/* clang-format off */
static const uint64_t count_edge[] = {
    0, 16, 17, 64, 128, 129, 1024, 15, 31, 32, 33, 63, 65, 127, 256, 257, 7, 9,
    0x10000, 0x100000, INT32_MAX, UINT32_MAX, UINT64_MAX, INT64_MAX, UINT64_C(1) << 52,
    UINT64_C(1) << 32};
/* clang-format on */
static const uint64_t word_edge[] = {0,
                                     1,
                                     2,
                                     7,
                                     8,
                                     63,
                                     64,
                                     0xff,
                                     0x100,
                                     0xfff,
                                     0x1000,
                                     INT16_MAX,
                                     UINT16_MAX,
                                     0x10000,
                                     INT32_MAX,
                                     UINT64_C(1) << 31,
                                     UINT32_MAX,
                                     UINT64_C(1) << 32,
                                     UINT64_C(1) << 47,
                                     UINT64_C(0xffff800000000000),
                                     UINT64_C(0x800000000000),
                                     INT64_MAX,
                                     UINT64_C(1) << 63,
                                     UINT64_MAX,
                                     UINT64_MAX - 1,
                                     UINT64_C(0xaaaaaaaaaaaaaaaa),
                                     1000000,
                                     1000000000};
static const uint64_t gfn_edge[] = {0xfee00,
                                    0xfec00,
                                    0xfffff,
                                    0x100000,
                                    0x1ff,
                                    0x200,
                                    0x40000,
                                    (UINT64_C(1) << 28) - 1,
                                    UINT64_C(1) << 28,
                                    (UINT64_C(1) << P2M_GFN_BITS) - 1,
                                    UINT64_C(1) << P2M_GFN_BITS,
                                    UINT64_C(1) << 40,
                                    UINT64_C(1) << 52,
                                    INT64_MAX,
                                    UINT64_MAX,
                                    UINT32_MAX,
                                    (UINT64_C(1) << 52) + 3};
static const uint64_t offset_edge[] = {
    0, 1, 7, 8, 63, 64, 0x7f8, 0xfc0, 0xfc8, 0xff8, 0xfff, 0x1000, 0x1001, UINT16_MAX, UINT32_MAX};
static const uint64_t time_edge[] = {0, 1, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX, 1000000000};

/* Own memory, mostly; sometimes the pages with a meaning, and holes. */
static uint64_t gfn_live(uint16_t val)
{
    static const uint8_t special[] = {INFO_GFN,      GRANT_GFN,    GRANT_GFN + 1, GRANT_GFN + 2,
                                      ARG_GFN,       ARG_GFN + 1,  CODE_GFN,      TABLE_GFN,
                                      TABLE_GFN + 1, ARG_GFN + 2,  HOLE_GFN,      HOLE_GFN + 1,
                                      HOLE_GFN + 2,  HOLE_GFN + 3, HOLE_GFN + 4,  HOLE_GFN + 5};

    if ((val >> 5 & 3) == 3) {
        return PICK(special, val);
    }
    return RAM_GFN + val % RAM_GFNS;
}

static uint64_t hole_live(uint16_t val)
{
    if ((val >> 5 & 7) == 7) {
        return gfn_live(val);
    }
    /* The first few more often: that is where others look. */
    return HOLE_GFN + val % ((val >> 5 & 1) != 0 ? HOLE_GFNS : 8);
}

/* Where there is a buffer: the argument area first. */
static uint64_t gva_live(uint16_t val, const struct resolve_at *at)
{
    if ((val >> 12 & 3) == 3) {
        return gfn_live(val & 0xff) << PAGE_SHIFT | (val & 0xf00);
    }
    return arg_base(at->vcpu) + ARG_BUFFER + (val & 0xff8) % (ARG_BYTES - ARG_BUFFER);
}

/* Across the end of what is mapped; nowhere; not canonical. */
static uint64_t gva_edge(uint16_t val, const struct resolve_at *at)
{
    const uint64_t edge[] = {0,
                             ((uint64_t)(TABLE_GFN + 2) << PAGE_SHIFT) - 1 - val / 16 % 64,
                             (uint64_t)HOLE_GFN << PAGE_SHIFT,
                             ((uint64_t)HOLE_GFN << PAGE_SHIFT) - 8,
                             UINT64_C(0x800000000000),
                             UINT64_MAX,
                             UINT64_MAX - 7,
                             UINT32_MAX,
                             UINT64_C(0x100000000),
                             ((uint64_t)INFO_GFN << PAGE_SHIFT) + val / 16 % 4096,
                             ((uint64_t)GRANT_GFN << PAGE_SHIFT) + val / 16 % 4096,
                             arg_base(at->vcpu) + val / 16 % ARG_BYTES,
                             arg_base(at->vcpu) + PAGE_SIZE - 4};

    return PICK(edge, val);
}

static uint64_t live(const struct field_desc *d, uint16_t val, const struct resolve_at *at)
{
    switch (d->kind) {
    case K_DOMID:
        return PICK(domid_live, val);
    case K_VCPU:
        return val % 2;
    case K_PORT:
        return 1 + ((val & 8) != 0 ? val % 14 : val % 5);
    case K_VIRQ:
        return val % 14;
    case K_GFN:
        return gfn_live(val);
    case K_HOLE:
        return hole_live(val);
    case K_MFN:
        return (uint64_t)(val % (MACHINE_BYTES >> PAGE_SHIFT)) << d->arg;
    case K_GREF:
        return val % 24;
    case K_HANDLE:
        return val % 12;
    case K_GPA:
        return gfn_live(val & 0x7f) << PAGE_SHIFT | (val >> 7) * 8;
    case K_HPA:
        return hole_live(val & 0xff) << PAGE_SHIFT;
    case K_GVA:
        return gva_live(val, at);
    case K_INT:
        return d->arg == 0 ? val : val % d->arg;
    case K_FLAGS:
        return (val | (uint64_t)(val >> 4) << 16) & d->arg;
    case K_ORDER:
        return PICK(order_live, val);
    case K_COUNT:
        return PICK(count_live, val);
    case K_TIME:
        return at->now + (uint64_t)val * 1000;
    case K_OFFSET:
        return (val & 0x1ff) * 8;
    default:
        return val < 64 ? val : (uint64_t)(val & 0xfff) << (val >> 12) * 4;
    }
}

static uint64_t edge(const struct field_desc *d, uint16_t val, const struct resolve_at *at)
{
    switch (d->kind) {
    case K_DOMID:
        return PICK(domid_edge, val);
    case K_VCPU:
        return PICK(vcpu_edge, val);
    case K_PORT:
        return PICK(port_edge, val);
    case K_VIRQ:
        return PICK(virq_edge, val);
    case K_GFN:
    case K_HOLE:
    case K_MFN:
        return PICK(gfn_edge, val);
    case K_GREF:
        return PICK(gref_edge, val);
    case K_HANDLE:
        return PICK(handle_edge, val);
    case K_GPA:
    case K_HPA:
        return PICK(gfn_edge, val) << PAGE_SHIFT | (val >> 5);
    case K_GVA:
        return gva_edge(val, at);
    case K_INT:
        return val % 3 == 0 ? d->arg : PICK(word_edge, val);
    case K_FLAGS:
        return val % 2 == 0 ? d->arg : PICK(word_edge, val);
    case K_ORDER:
        return PICK(order_edge, val);
    case K_COUNT:
        return PICK(count_edge, val);
    case K_TIME:
        return PICK(time_edge, val);
    case K_OFFSET:
        return PICK(offset_edge, val);
    default:
        return PICK(word_edge, val) + (val >> 8) % 4;
    }
}

uint64_t resolve_field(const struct op *o, unsigned f, unsigned i, const struct resolve_at *at)
{
    const struct field_desc *d = &grammar_ops[o->code]->field[f];
    const struct operand *x = &o->f[f];
    uint16_t val = (uint16_t)(x->val + i);

    if (d->kind == K_ENUM) {
        uint64_t listed = d->values[x->val % d->arg];

        /* Raw numbers are half of them near what is listed. */
        return x->mode <= M_EDGE ? listed : x->val < 0x8000 ? x->val : listed + x->val / 64 % 512;
    }
    switch (x->mode) {
    case M_LIVE:
        /* Elements of an array differ in what they name, not in how. */
        if (d->kind == K_DOMID || d->kind == K_COUNT || d->kind == K_FLAGS || d->kind == K_ORDER) {
            val = x->val;
        }
        return live(d, val, at);
    case M_EDGE:
        return edge(d, x->val, at);
    case M_RESULT:
        if (results[d->kind].count != 0) {
            unsigned n = results[d->kind].count < RESULTS ? results[d->kind].count : RESULTS;

            return results[d->kind].value[(results[d->kind].count - 1 - x->val % n) % RESULTS] + i;
        }
        return live(d, val, at);
    default:
        /* Long batches are seldom worth their time. */
        return d->kind == K_COUNT && val < COUNT_LONG ? val % COUNT_SHORT : val;
    }
}

/* What names the same thing there is tried first; addresses and frames of a real
 * guest are far away from this machine's, so anything live has to do. */
struct operand resolve_reverse(const struct op *o, unsigned f, uint64_t value,
                               const struct resolve_at *at)
{
    const struct field_desc *d = &grammar_ops[o->code]->field[f];
    struct op probe = *o;

    for (uint8_t mode = M_LIVE; mode <= M_EDGE; mode++) {
        for (unsigned val = 0; val < 256; val++) {
            probe.f[f] = (struct operand){mode, (uint16_t)val};
            if (d->kind != K_NONE && resolve_field(&probe, f, 0, at) == value) {
                return probe.f[f];
            }
        }
    }
    switch (d->kind) {
    case K_INT:
    case K_FLAGS:
    case K_ENUM:
    case K_WORD:
    case K_COUNT:
    case K_VIRQ:
        return (struct operand){M_RAW, (uint16_t)value};
    case K_TIME:
        return (struct operand){M_LIVE, (uint16_t)((value - at->now) / 1000)};
    default:
        return (struct operand){M_LIVE, (uint16_t)(value & 31)};
    }
}
