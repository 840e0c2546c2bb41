/* What a real guest does, as programs. corbel-record is corbel-sim with this linked in:
 * with CORBEL_RECORD=DIRECTORY in the environment hypercalls and exits go to files there,
 * up to 24 to a program. The simulator's calls of hypercall() and hvm_handle_exit() pass here
 * by the linker's --wrap. An operation that was seen just so before is left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xen.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/state.h"
#include "fuzz/machine.h"
#include "fuzz/resolve.h"
#include "hostsim/world/world.h"
#include "x86/hvm/hvm.h"

#define PROGRAM_LENGTH 24u
#define SEEN 4096u
#define EXTENT_MASK 0x3fu

static struct {
    const char *dir;
    struct program p;
    uint64_t seen[SEEN]; /* hashes */
    int files;
} rec;

int64_t __real_hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6]);
int64_t __wrap_hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6]);
void __real_hvm_handle_exit(struct vcpu *v);
void __wrap_hvm_handle_exit(struct vcpu *v);

static void flush(void)
{
    uint8_t bytes[(PROGRAM_OPS + 1) * RECORD_BYTES];
    size_t n = program_encode(&rec.p, bytes);
    char path[512];
    FILE *f;

    if (rec.p.count == 0) {
        return;
    }
    snprintf(path, sizeof(path), "%s/boot-%03d", rec.dir, rec.files++);
    f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    rec.p.count = 0;
}

static void keep(const struct op *o)
{
    uint8_t bytes[RECORD_BYTES];
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    op_encode(o, bytes);
    for (unsigned i = 0; i < RECORD_BYTES; i++) {
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    h ^= h >> 32;
    if (rec.seen[h % SEEN] == h) {
        return;
    }
    rec.seen[h % SEEN] = h;
    rec.p.op[rec.p.count++] = *o;
    if (rec.p.count == PROGRAM_LENGTH) {
        flush();
    }
}

/* The operation that a hypercall is, by number and sub-operation; -1: none. */
static int find_call(uint64_t nr, uint64_t sub)
{
    for (unsigned i = 0; i < grammar_count; i++) {
        const struct op_desc *d = grammar_ops[i];

        if (d->class == OP_CALL && d->nr == nr &&
            (d->sub_place == SUB_NONE ||
             (d->sub_place == SUB_REG &&
              d->sub == (nr == __HYPERVISOR_memory_op ? sub & EXTENT_MASK : sub)))) {
            return (int)i;
        }
    }
    return -1;
}

static void record_field(struct vcpu *v, struct op *o, unsigned f, const uint64_t args[6],
                         const uint8_t *arg, const struct resolve_at *at)
{
    const struct field_desc *d = &grammar_ops[o->code]->field[f];
    uint64_t value = 0, gva = 0;

    switch (d->place) {
    case IN_STRUCT:
        memcpy(&value, arg + d->offset, d->size < 8 ? d->size : 8);
        break;
    case IN_REG:
        value = args[d->offset];
        break;
    case IN_LIST:
        memcpy(&gva, arg + d->offset, 8);
        (void)guest_copy_in(v, &value, gva, d->size);
        break;
    case IN_REGLIST:
        (void)guest_copy_in(v, &value, args[d->offset], d->size);
        break;
    default:
        break;
    }
    o->f[f] = resolve_reverse(o, f, value, at);
}

int64_t __wrap_hypercall(struct vcpu *v, uint64_t nr, uint64_t args[6])
{
    struct resolve_at at = {v->domain->id, v->id & 1, world_now(), 0};
    struct op o = {.dom = 1, .vcpu = v->id & 1};
    uint8_t arg[ARG_SLOT] = {0};
    int code = rec.dir != NULL ? find_call(nr, args[0]) : -1;

    if (code >= 0) {
        const struct op_desc *d = grammar_ops[code];

        o.code = (uint16_t)code;
        if (d->ptr_reg != NO_REG) {
            (void)guest_copy_in(v, arg, args[d->ptr_reg], d->arg_size);
        }
        for (unsigned f = 0; f < grammar_fields(d); f++) {
            record_field(v, &o, f, args, arg, &at);
        }
        keep(&o);
    }
    return __real_hypercall(v, nr, args);
}

static int find_exit(const struct guest_exit *x)
{
    switch (x->reason) {
    case EXIT_CPUID:
        return grammar_find("exit_cpuid");
    case EXIT_RDMSR:
        return grammar_find("exit_rdmsr");
    case EXIT_WRMSR:
        return grammar_find("exit_wrmsr");
    case EXIT_IO:
        return x->u.io.string ? -1 : grammar_find(x->u.io.in ? "exit_in" : "exit_out");
    case EXIT_FAULT2:
        return grammar_find("exit_mmio");
    case EXIT_CR_WRITE:
        return grammar_find("exit_cr_write");
    case EXIT_XSETBV:
        return grammar_find("exit_xsetbv");
    default:
        return -1;
    }
}

/* Operands of exits that are no registers. */
static uint64_t detail(const struct guest_exit *x, const char *name)
{
    if (x->reason == EXIT_IO) {
        return strcmp(name, "port") == 0   ? x->u.io.port
               : strcmp(name, "size") == 0 ? x->u.io.size
                                           : 0;
    }
    if (x->reason == EXIT_FAULT2) {
        return strcmp(name, "gpa") == 0 ? x->u.fault2.gpa.v : x->u.fault2.write;
    }
    return strcmp(name, "cr") == 0 ? x->u.cr.cr : x->u.cr.value;
}

void __wrap_hvm_handle_exit(struct vcpu *v)
{
    const struct guest_exit *x = &v->arch->exit;
    struct resolve_at at = {v->domain->id, v->id & 1, world_now(), 0};
    int code = rec.dir != NULL ? find_exit(x) : -1;

    if (code >= 0) {
        const struct op_desc *d = grammar_ops[code];
        struct op o = {.code = (uint16_t)code, .dom = 1, .vcpu = v->id & 1};

        for (unsigned f = 0; f < grammar_fields(d); f++) {
            uint64_t value = d->field[f].place == IN_REG ? v->arch->regs.gpr[d->field[f].offset]
                                                         : detail(x, d->field[f].name);

            o.f[f] = resolve_reverse(&o, f, value, &at);
        }
        keep(&o);
    }
    __real_hvm_handle_exit(v);
}

__attribute__((constructor)) static void begin(void)
{
    grammar_init();
    rec.dir = getenv("CORBEL_RECORD");
}

__attribute__((destructor)) static void end(void)
{
    if (rec.dir != NULL) {
        flush();
        fprintf(stderr, "corbel-record: %d programs in %s\n", rec.files, rec.dir);
    }
}
