/* Exits that are no hypercalls. */
#include <string.h>

#include "base/xen.h"
#include "core/guest_mem/guest_mem.h"
#include "core/state.h"
#include "fuzz/exec_impl.h"
#include "hostsim/world/world.h"
#include "x86/hvm/hvm.h"
#include "x86/x86.h"

/* Instructions that touch memory or ports: what a device's driver executes, and some
 * that no driver would. At most 15 bytes each. */
static const char *const insns[] = {"\x89\x03",
                                    "\x8b\x03",
                                    "\x88\x03",
                                    "\x8a\x03",
                                    "\x66\x89\x03",
                                    "\x48\x89\x03",
                                    "\x48\x8b\x03",
                                    "\xc7\x03\x78\x56\x34\x12",
                                    "\xc6\x03\x5a",
                                    "\x0f\xb6\x03",
                                    "\x0f\xb7\x03",
                                    "\x0f\xbe\x03",
                                    "\x48\x0f\xbf\x03",
                                    "\xf3\xa4",
                                    "\xf3\xa5",
                                    "\xf3\x48\xab",
                                    "\xa4",
                                    "\xa5",
                                    "\xaa",
                                    "\xab",
                                    "\xac",
                                    "\xad",
                                    "\x87\x03",
                                    "\x09\x03",
                                    "\x21\x03",
                                    "\x31\x03",
                                    "\x01\x03",
                                    "\x39\x03",
                                    "\xf7\x03\x01\x02\x03\x04",
                                    "\x0f\xb1\x0b",
                                    "\x0f\xc1\x03",
                                    "\xf0\x0f\xab\x03",
                                    "\x83\x0b\x01",
                                    "\xff\x33",
                                    "\x8f\x03",
                                    "\x6c",
                                    "\x6d",
                                    "\x6e",
                                    "\x6f",
                                    "\xf3\x6d",
                                    "\xf3\x6f",
                                    "\xf3\x6c",
                                    "\x0f\x21\xc0",
                                    "\x0f\x23\xf8",
                                    "\xc5\xf9\x6f\x03",
                                    "\x67\x89\x03",
                                    "\x64\x8b\x03",
                                    "\xa3\x11\x22\x33\x44\x55\x66\x77\x88",
                                    "\x8b\x84\x8b\x10\x20\x30\x40",
                                    "\x66\xf3\x66\xf3\x66\xf3\x66\xf3\x66\xf3\x66\xf3\x66\xf3\x90",
                                    "\xff\x03",
                                    "\xfe\x0b",
                                    "\xf6\x13",
                                    "\xf7\x1b",
                                    "\xc1\x23\x02",
                                    "\x0f\xba\x2b\x05",
                                    "\x0f\xc7\x0b",
                                    "\xa6",
                                    "\xae",
                                    "\xf2\xae"};

void code_write(struct vcpu *v, unsigned at, uint64_t insn)
{
    const char *s = insns[insn % ARRAY_SIZE(insns)];
    uint8_t bytes[16];

    memset(bytes, 0x90, sizeof(bytes));
    memcpy(bytes, s, strlen(s));
    (void)guest_phys_write(v->domain, gaddr(((uint64_t)CODE_GFN << PAGE_SHIFT) + at), bytes,
                           sizeof(bytes));
}

void exit_modes(struct guest_exit *x, const struct op *op)
{
    memset(x, 0, sizeof(*x));
    x->vectoring.type = EVENT_NONE;
    x->cr0 = CR0_PE | CR0_ET | (op->paging ? CR0_PG : 0);
    x->cr3 = (uint64_t)TABLE_GFN << PAGE_SHIFT;
    x->cr4 = CR4_PAE;
    x->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    x->cs_l = true;
}

uint64_t exec_value(const struct op *op, const struct vcpu *v, const char *field)
{
    const struct op_desc *d = grammar_ops[op->code];
    struct resolve_at at = exec_at(v, 0);

    for (unsigned f = 0; grammar_has(d, f); f++) {
        if (strcmp(d->field[f].name, field) == 0) {
            return resolve_field(op, f, 0, &at);
        }
    }
    return 0;
}

static void build_io(struct engine_task *t, const struct op *op, struct vcpu *v)
{
    struct guest_exit *x = &t->exit;
    bool string = strcmp(grammar_ops[op->code]->name, "exit_string_io") == 0;

    x->u.io.port = (uint16_t)exec_value(op, v, "port");
    x->u.io.size = (uint8_t)exec_value(op, v, "size");
    if (x->u.io.size != 1 && x->u.io.size != 2) {
        x->u.io.size = 4;
    }
    x->u.io.in =
        string ? exec_value(op, v, "in") != 0 : strcmp(grammar_ops[op->code]->name, "exit_in") == 0;
    x->u.io.rep = exec_value(op, v, "rep") != 0;
    x->u.io.string = string;
    if (string) {
        uint64_t insn = exec_value(op, v, "insn");

        /* INS and OUTS are the 35th to the 42nd; sometimes something else is there. */
        code_write(v, 0x100, insn % 8 == 7 ? insn : 35 + insn % 7);
        t->regs.gpr[GPR_RDX] = x->u.io.port;
        x->insn_len = 0;
    }
}

static void build_fault2(struct engine_task *t, const struct op *op, struct vcpu *v)
{
    struct guest_exit *x = &t->exit;
    bool device = strcmp(grammar_ops[op->code]->name, "exit_mmio") == 0;
    uint64_t access =
        device ? (exec_value(op, v, "write") != 0 ? 2 : 1) : exec_value(op, v, "access");

    x->u.fault2.gpa = gaddr(exec_value(op, v, "gpa"));
    x->u.fault2.gla = x->u.fault2.gpa.v;
    x->u.fault2.exact = device || exec_value(op, v, "exact") != 0;
    x->u.fault2.read = (access & 1) != 0;
    x->u.fault2.write = (access & 2) != 0;
    x->u.fault2.fetch = (access & 4) != 0;
    if (exec_value(op, v, "vectoring") != 0) {
        x->vectoring = (struct guest_event){EVENT_EXT_INT, 0x40, false, 0, 0};
    }
    t->regs.gpr[GPR_RBX] = x->u.fault2.gpa.v;
    t->regs.gpr[GPR_RDI] = device ? x->u.fault2.gpa.v : t->regs.gpr[GPR_RDI];
    code_write(v, 0x100, exec_value(op, v, "insn"));
    x->insn_len = 0;
}

static void build_exception(struct guest_exit *x, const struct op *op, struct vcpu *v)
{
    x->u.event.type = (uint8_t)exec_value(op, v, "type");
    x->u.event.vector = (uint8_t)exec_value(op, v, "vector");
    x->u.event.error = (uint32_t)exec_value(op, v, "error");
    x->u.event.has_error = x->u.event.vector == 13 || x->u.event.vector == 14;
    x->u.event.cr2 = exec_value(op, v, "cr2");
}

static void build_cr(struct guest_exit *x, const struct op *op, struct vcpu *v)
{
    x->u.cr.cr = (uint8_t)exec_value(op, v, "cr");
    if (x->u.cr.cr == 2) {
        x->u.cr.cr = 0;
    }
    x->u.cr.value = exec_value(op, v, "value");
}

/* A hypercall from where none may be made. */
static void build_foreign_call(struct engine_task *t, const struct op *op, struct vcpu *v)
{
    uint64_t mode = exec_value(op, v, "mode");

    t->exit.cpl = (uint8_t)(exec_value(op, v, "cpl") & 3);
    t->exit.cs_l = (mode & 1) == 0;
    if ((mode & 2) != 0) {
        t->exit.cr0 &= ~CR0_PE;
    }
}

/* Only a CPU that virtualises the APIC exits so, when it is on, after its own write; in
 * x2APIC mode for the self-IPI register alone. */
static void build_apic(struct engine_task *t, const struct op *op, struct vcpu *v)
{
    struct vlapic *l = &v->arch->lapic;
    uint16_t at = (uint16_t)exec_value(op, v, "register");

    if ((l->base_msr & APIC_BASE_X2APIC) != 0) {
        at = LAPIC_SELF_IPI << 4;
    }
    if ((l->base_msr & APIC_BASE_ENABLE) == 0 || (at >> 4) >= LAPIC_SLOTS) {
        t->exit.reason = EXIT_WINDOW;
        return;
    }
    l->page[at >> 4].v = (uint32_t)exec_value(op, v, "value");
    t->exit.u.apic.offset = at;
    t->exit.insn_len = 0;
}

static void build_detail(struct engine_task *t, const struct op *op, struct vcpu *v)
{
    switch (t->exit.reason) {
    case EXIT_IO:
        build_io(t, op, v);
        break;
    case EXIT_FAULT2:
        build_fault2(t, op, v);
        break;
    case EXIT_EXCEPTION:
        build_exception(&t->exit, op, v);
        break;
    case EXIT_CR_WRITE:
        build_cr(&t->exit, op, v);
        break;
    case EXIT_HYPERCALL:
        build_foreign_call(t, op, v);
        break;
    case EXIT_DR:
        code_write(v, 0x100, 42 + exec_value(op, v, "insn") % 2);
        t->exit.insn_len = 0;
        break;
    case EXIT_EOI:
        t->exit.u.apic.vector = (uint8_t)exec_value(op, v, "vector");
        t->exit.insn_len = 0;
        break;
    case EXIT_APIC:
        build_apic(t, op, v);
        break;
    case EXIT_HLT:
        t->regs.rflags = exec_value(op, v, "if") != 0 ? 0x2 : 0x202;
        break;
    default:
        break;
    }
}

void exit_build(struct engine_task *t, const struct op *op, struct vcpu *v)
{
    const struct op_desc *d = grammar_ops[op->code];
    struct resolve_at at = exec_at(v, 0);

    *t = (struct engine_task){.armed = true};
    exit_modes(&t->exit, op);
    t->exit.reason = (uint8_t)d->nr;
    t->exit.insn_len = 2;
    t->regs = (struct guest_regs){.rip = TASK_RIP, .rflags = 0x202};
    for (unsigned f = 0; grammar_has(d, f); f++) {
        if (d->field[f].place == IN_REG) {
            t->regs.gpr[d->field[f].offset] = resolve_field(op, f, 0, &at);
        }
    }
    if (strcmp(d->name, "exit_wrmsr_hypercall_page") == 0) {
        uint64_t gpa = exec_value(op, v, "frame");

        t->regs.gpr[GPR_RCX] = MSR_HYPERCALL_PAGE;
        t->regs.gpr[GPR_RAX] = (uint32_t)gpa & ~0xfffu;
        t->regs.gpr[GPR_RDX] = gpa >> 32;
    }
    build_detail(t, op, v);
}
