/* x87 and SSE state in save records: the legacy area of XSAVE and what its header says
 * of it (SDM Vol. 1 10.5.1 and 13.4). */
#include "base/string.h"
#include "x86/hvm/hvm.h"
#include "x86/hvm/hvm_save.h"

#define FCW_RESET 0x40u
#define FCW_INIT 0x37fu
#define FTW_ALL_VALID 0xffu
#define MXCSR_INIT 0x1f80u
#define MXCSR_VALID 0xffffu

/* Offsets in the area. */
#define AT_FCW 0u
#define AT_FTW 4u
#define AT_MXCSR 24u
#define AT_MXCSR_MASK 28u
#define AT_ST 32u
#define AT_XMM 160u
#define AT_END 416u

static uint32_t word_at(const uint8_t *image, unsigned at)
{
    uint32_t w;

    memcpy(&w, image + at, sizeof(w));
    return w;
}

static void set_word(uint8_t *image, unsigned at, uint32_t w)
{
    memcpy(image + at, &w, sizeof(w));
}

/* With bits of MXCSR that no CPU has, FXRSTOR would fault. */
static void load(struct vcpu *v, struct guest_fpu *f)
{
    set_word(f->fxsave, AT_MXCSR, word_at(f->fxsave, AT_MXCSR) & MXCSR_VALID);
    set_word(f->fxsave, AT_MXCSR_MASK, MXCSR_VALID);
    memset(f->fxsave + AT_END, 0, sizeof(f->fxsave) - AT_END);
    port_guest_load_fpu(v, f);
}

/* SDM Vol. 3 table 10-1, power-up: all registers +0.0 and valid. */
void hvm_fpu_reset_state(struct guest_fpu *f)
{
    memset(f, 0, sizeof(*f));
    f->fxsave[AT_FCW] = FCW_RESET;
    f->fxsave[AT_FTW] = FTW_ALL_VALID;
    set_word(f->fxsave, AT_MXCSR, MXCSR_INIT);
    set_word(f->fxsave, AT_MXCSR_MASK, MXCSR_VALID);
}

void hvm_fpu_reset(struct vcpu *v)
{
    struct guest_fpu f;

    hvm_fpu_reset_state(&f);
    port_guest_load_fpu(v, &f);
}

void hvm_fpu_save(struct vcpu *v, uint8_t image[HVM_FPU_BYTES])
{
    struct guest_fpu f;

    if (v->arch->live) {
        port_guest_save_fpu(v, &f);
        memset(f.fxsave + AT_END, 0, sizeof(f.fxsave) - AT_END);
    } else {
        hvm_fpu_reset_state(&f);
    }
    memcpy(image, f.fxsave, sizeof(f.fxsave));
}

void hvm_fpu_load(struct vcpu *v, const uint8_t image[HVM_FPU_BYTES])
{
    struct guest_fpu f;

    memcpy(f.fxsave, image, sizeof(f.fxsave));
    load(v, &f);
}

/* A component that the header leaves out is in its initial configuration, but for
 * MXCSR (SDM Vol. 1 13.6 and 13.8.1). */
void hvm_fpu_load_parts(struct vcpu *v, const uint8_t image[HVM_FPU_BYTES], uint64_t xstate_bv)
{
    struct guest_fpu f;

    memset(&f, 0, sizeof(f));
    set_word(f.fxsave, AT_FCW, FCW_INIT);
    if ((xstate_bv & XSTATE_X87) != 0) {
        memcpy(f.fxsave, image, AT_MXCSR);
        memcpy(f.fxsave + AT_ST, image + AT_ST, AT_XMM - AT_ST);
    }
    if ((xstate_bv & XSTATE_SSE) != 0) {
        memcpy(f.fxsave + AT_XMM, image + AT_XMM, AT_END - AT_XMM);
    }
    set_word(f.fxsave, AT_MXCSR, word_at(image, AT_MXCSR));
    load(v, &f);
}
