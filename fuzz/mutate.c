/* Mutations keep to the grammar: records move as a whole, operands change kind by
 * kind. */
#include "fuzz/mutate.h"

#include <string.h>

static uint32_t preferred = G_HYPERCALL;
static uint16_t choice[GRAMMAR_MAX];
static unsigned choices;

uint64_t rng_next(struct rng *r)
{
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return r->s;
}

static unsigned below(struct rng *r, unsigned n)
{
    return (unsigned)(rng_next(r) >> 16) % n;
}

static void list_choices(void)
{
    grammar_init();
    choices = 0;
    for (unsigned i = 0; i < grammar_count; i++) {
        if ((grammar_ops[i]->group & preferred) != 0) {
            choice[choices++] = (uint16_t)i;
        }
    }
}

void mutate_prefer(uint32_t groups)
{
    preferred = groups;
    list_choices();
}

static void fresh_operand(struct rng *r, struct operand *x)
{
    unsigned m = below(r, 32);

    x->mode = m < 22 ? M_LIVE : m < 27 ? M_EDGE : m < 29 ? M_RAW : M_RESULT;
    x->val = (uint16_t)(below(r, 3) != 0 ? below(r, 64) : rng_next(r));
}

static void fresh_operands(struct rng *r, struct op *o)
{
    const struct op_desc *d = grammar_ops[o->code];

    memset(o->f, 0, sizeof(o->f));
    for (unsigned i = 0; i < grammar_fields(d); i++) {
        if (d->field[i].kind != K_NONE) {
            fresh_operand(r, &o->f[i]);
        }
    }
}

static void fresh_mod(struct rng *r, struct op *o)
{
    o->mod = below(r, 12) == 0 ? (uint8_t)(1 + below(r, OP_MODS - 1)) : MOD_NONE;
    o->mod_arg = o->mod != MOD_NONE ? (uint8_t)rng_next(r) : 0;
}

void mutate_fresh(struct rng *r, struct op *o)
{
    if (choices == 0) {
        list_choices();
    }
    memset(o, 0, sizeof(*o));
    o->code = below(r, 8) != 0 ? choice[below(r, choices)] : (uint16_t)below(r, grammar_count);
    o->dom = (uint8_t)below(r, 4);
    o->vcpu = (uint8_t)(below(r, 3) == 0);
    o->paging = below(r, 16) == 0;
    /* Control operations are the control domain's business, mostly. */
    if ((grammar_ops[o->code]->group & G_CONTROL) != 0 && below(r, 8) != 0) {
        o->dom = 0;
    }
    fresh_mod(r, o);
    fresh_operands(r, o);
}

static void make_room(struct program *p, unsigned at)
{
    memmove(&p->op[at + 1], &p->op[at], (p->count - at) * sizeof(p->op[0]));
    p->count++;
}

static void drop(struct program *p, unsigned at, unsigned n)
{
    memmove(&p->op[at], &p->op[at + n], (p->count - at - n) * sizeof(p->op[0]));
    p->count -= n;
}

static void insert(struct rng *r, struct program *p)
{
    unsigned at = below(r, p->count + 1);

    if (p->count < PROGRAM_OPS) {
        make_room(p, at);
        mutate_fresh(r, &p->op[at]);
    }
}

/* One operand: another mode, another thing of its kind, or one beside it. */
static void tweak(struct rng *r, struct op *o)
{
    unsigned n = grammar_fields(grammar_ops[o->code]);
    struct operand *x;

    if (n == 0) {
        return;
    }
    x = &o->f[below(r, n)];
    switch (below(r, 4)) {
    case 0:
        fresh_operand(r, x);
        break;
    case 1:
        x->val = (uint16_t)(x->val + below(r, 9) - 4);
        break;
    case 2:
        x->val ^= (uint16_t)(1u << below(r, 16));
        break;
    default:
        x->mode = (uint8_t)below(r, OPERAND_MODES);
        break;
    }
}

static void shuffle(struct rng *r, uint8_t *a, unsigned from, unsigned n)
{
    for (unsigned i = from; i + 1 < n; i++) {
        unsigned k = i + below(r, n - i);
        uint8_t x = a[i];

        a[i] = a[k];
        a[k] = x;
    }
}

/* Other domains, and other things of each kind, the same for all that the sequence says. */
static void rename_things(struct rng *r, struct program *p)
{
    uint8_t dom[4] = {0, 1, 2, 3};
    uint16_t by[FIELD_KINDS];

    /* The control domain has rights that the others lack. */
    shuffle(r, dom, below(r, 4) != 0 ? 1 : 0, ARRAY_SIZE(dom));
    for (unsigned k = 0; k < FIELD_KINDS; k++) {
        by[k] = below(r, 2) != 0 ? (uint16_t)below(r, 16) : 0;
    }
    by[K_HPA] = by[K_HOLE];
    for (unsigned i = 0; i < p->count; i++) {
        struct op *o = &p->op[i];
        const struct op_desc *d = grammar_ops[o->code];

        o->dom = dom[o->dom];
        for (unsigned f = 0; f < grammar_fields(d); f++) {
            uint8_t kind = d->field[f].kind;
            struct operand *x = &o->f[f];

            if (x->mode != M_LIVE) {
                continue;
            }
            if (kind == K_DOMID && x->val >= 1 && x->val <= 4) {
                x->val = (uint16_t)(1 + dom[x->val - 1]);
            } else if (kind == K_GREF || kind == K_GFN || kind == K_HOLE || kind == K_HPA ||
                       kind == K_VIRQ || kind == K_GVA) {
                x->val = (uint16_t)(x->val + by[kind]);
            }
        }
    }
}

/* One that begins with what is preferred, mostly. False: it cannot be read. */
static bool pick_sequence(struct rng *r, struct program *s)
{
    for (unsigned i = 0; i < 8; i++) {
        if (program_parse(grammar_sequences[below(r, grammar_sequence_count)], s) != 0) {
            return false;
        }
        if ((grammar_ops[s->op[0].code]->group & preferred) != 0) {
            break;
        }
    }
    return true;
}

/* A sequence, its operations in their order but not always one after the other. */
static void enact(struct rng *r, struct program *p)
{
    static struct program s;
    unsigned at = below(r, p->count + 1);
    bool dense = below(r, 2) != 0;

    if (!pick_sequence(r, &s)) {
        return;
    }
    rename_things(r, &s);
    for (unsigned i = 0; i < s.count && p->count < PROGRAM_OPS; i++) {
        if (below(r, 16) == 0) {
            continue;
        }
        if (below(r, 8) == 0) {
            tweak(r, &s.op[i]);
        }
        fresh_mod(r, &s.op[i]);
        make_room(p, at);
        p->op[at++] = s.op[i];
        at += dense ? 0 : below(r, p->count - at + 1);
    }
}

static void splice(struct rng *r, struct program *p, const struct program *with)
{
    unsigned from, n, at = below(r, p->count + 1);

    if (with == NULL || with->count == 0) {
        insert(r, p);
        return;
    }
    from = below(r, with->count);
    n = 1 + below(r, with->count - from);
    while (n-- != 0 && p->count < PROGRAM_OPS) {
        make_room(p, at);
        p->op[at++] = with->op[from++];
    }
}

/* The same again; or by another vCPU at the same time. */
static void repeat(struct rng *r, struct program *p)
{
    unsigned at = below(r, p->count), n = 1 + below(r, 4);
    struct op o = p->op[at];

    if (below(r, 3) == 0) {
        n = 1;
        o.mod = MOD_RACE;
        o.mod_arg = (uint8_t)rng_next(r);
        p->op[at].mod = MOD_NONE;
        p->op[at].mod_arg = 0;
        p->op[at].vcpu ^= 1;
    }
    while (n-- != 0 && p->count < PROGRAM_OPS) {
        make_room(p, at);
        p->op[at] = o;
    }
}

static void swap(struct rng *r, struct program *p)
{
    unsigned a = below(r, p->count), b = below(r, p->count);
    struct op o = p->op[a];

    p->op[a] = p->op[b];
    p->op[b] = o;
}

/* The same handle somewhere else: an operand of this kind of another operation. */
static void retarget(struct rng *r, struct program *p)
{
    struct op *a = &p->op[below(r, p->count)];
    const struct op *b = &p->op[below(r, p->count)];
    const struct op_desc *da = grammar_ops[a->code], *db = grammar_ops[b->code];

    for (unsigned i = 0; i < grammar_fields(da); i++) {
        for (unsigned k = 0; k < grammar_fields(db); k++) {
            if (da->field[i].kind == db->field[k].kind && below(r, 2) != 0) {
                a->f[i] = b->f[k];
                return;
            }
        }
    }
    tweak(r, a);
}

static void change_one(struct rng *r, struct op *o)
{
    switch (below(r, 8)) {
    case 0:
        o->dom = (uint8_t)below(r, 4);
        break;
    case 1:
        o->vcpu ^= 1;
        break;
    case 2:
        o->mod = (uint8_t)below(r, OP_MODS);
        o->mod_arg = o->mod != MOD_NONE ? (uint8_t)rng_next(r) : 0;
        break;
    case 3:
        o->mod_arg = o->mod != MOD_NONE ? (uint8_t)rng_next(r) : 0;
        break;
    default:
        tweak(r, o);
        break;
    }
}

void mutate_program(struct rng *r, struct program *p, const struct program *with)
{
    unsigned n = 1 + below(r, 5);

    while (n-- != 0) {
        unsigned what = below(r, 16);

        if (what == 0) {
            enact(r, p);
        } else if (p->count < 2 || what < 3) {
            insert(r, p);
        } else if (what < 5) {
            drop(p, below(r, p->count), 1);
        } else if (what < 6) {
            splice(r, p, with);
        } else if (what < 7) {
            repeat(r, p);
        } else if (what < 8) {
            swap(r, p);
        } else if (what < 10) {
            retarget(r, p);
        } else if (what < 11 && below(r, 4) == 0) {
            /* The deaths of all cost more than twenty hypercalls. */
            p->teardown = !p->teardown && below(r, 4) == 0;
        } else {
            change_one(r, &p->op[below(r, p->count)]);
        }
    }
}

/* Runs of 16, 8, 4, 2, 1 operations; then per operation its fault, and the operands. */
#define OP_STEPS (3 + OP_FIELDS)

static unsigned runs_of(const struct program *p, unsigned len)
{
    return p->count <= len ? (len == 1 ? p->count : 0) : (p->count + len - 1) / len;
}

unsigned shrink_steps(const struct program *p)
{
    unsigned n = 1 + p->count * OP_STEPS;

    for (unsigned len = 16; len != 0; len /= 2) {
        n += runs_of(p, len);
    }
    return n;
}

static void shrink_op(struct op *o, unsigned n)
{
    if (n == 0) {
        o->mod = MOD_NONE;
        o->mod_arg = 0;
    } else if (n == 1) {
        o->paging = false;
    } else if (n == 2) {
        o->vcpu = 0;
    } else {
        o->f[n - 3] = (struct operand){M_LIVE, 0};
    }
}

bool shrink_step(const struct program *p, unsigned n, struct program *out)
{
    *out = *p;
    for (unsigned len = 16; len != 0; len /= 2) {
        unsigned runs = runs_of(p, len);

        if (n < runs) {
            unsigned at = n * len;

            drop(out, at, p->count - at < len ? p->count - at : len);
            return true;
        }
        n -= runs;
    }
    if (n == 0) {
        out->teardown = false;
        return true;
    }
    n--;
    if (n >= p->count * OP_STEPS) {
        return false;
    }
    shrink_op(&out->op[n / OP_STEPS], n % OP_STEPS);
    return true;
}
