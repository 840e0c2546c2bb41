/* The virtual machine control block: APM Vol. 2 appendix B. */
#ifndef CORBEL_BARE_SVM_VMCB_H
#define CORBEL_BARE_SVM_VMCB_H

#include <stddef.h>

#include "base/types.h"

/* Attributes are descriptor bits 55:52 and 47:40. */
struct vmcb_seg {
    uint16_t sel, attr;
    uint32_t limit;
    uint64_t base;
};
#define VMCB_ATTR_P 0x080u
#define VMCB_ATTR_L 0x200u
#define VMCB_ATTR_D 0x400u
#define VMCB_ATTR_DPL_SHIFT 5u
#define VMCB_ATTR_DPL (3u << VMCB_ATTR_DPL_SHIFT)
#define VMCB_ATTR_TSS_BUSY 0x2u

struct vmcb {
    /* Control area, table B-1. */
    uint16_t intercept_cr_read, intercept_cr_write;
    uint16_t intercept_dr_read, intercept_dr_write;
    uint32_t intercept_exceptions;
    uint32_t intercept1, intercept2, intercept3;
    uint8_t reserved0[0x3c - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm_pa, msrpm_pa, tsc_offset;
    uint32_t asid;
    uint8_t tlb_control, reserved1[3];
    uint64_t v_intr;
    uint64_t shadow; /* bit 0: interrupt shadow */
    uint64_t exit_code, exit_info1, exit_info2, exit_int_info;
    uint64_t np_enable;
    uint8_t reserved2[0xa8 - 0x98];
    uint64_t event_inj;
    uint64_t n_cr3;
    uint64_t virt_ext;
    uint32_t clean, reserved3;
    uint64_t next_rip;
    uint8_t fetched, bytes[15];
    uint8_t reserved4[0x400 - 0xe0];

    /* State save area, table B-2. */
    struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved5[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved6;
    uint64_t efer;
    uint8_t reserved7[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved8[0x5d8 - 0x580];
    uint64_t rsp;
    uint8_t reserved9[0x5f8 - 0x5e0];
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved10[0x668 - 0x648];
    uint64_t g_pat;
    uint8_t reserved11[0x1000 - 0x670];
};

_Static_assert(offsetof(struct vmcb, pause_threshold) == 0x3c, "VMCB");
_Static_assert(offsetof(struct vmcb, asid) == 0x58, "VMCB");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "VMCB");
_Static_assert(offsetof(struct vmcb, event_inj) == 0xa8, "VMCB");
_Static_assert(offsetof(struct vmcb, clean) == 0xc0, "VMCB");
_Static_assert(offsetof(struct vmcb, fetched) == 0xd0, "VMCB");
_Static_assert(offsetof(struct vmcb, es) == 0x400, "VMCB");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "VMCB");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "VMCB");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "VMCB");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "VMCB");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "VMCB");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "VMCB");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "VMCB");
_Static_assert(offsetof(struct vmcb, g_pat) == 0x668, "VMCB");
_Static_assert(sizeof(struct vmcb) == 0x1000, "VMCB");

/* intercept1 */
#define INTERCEPT_INTR (1u << 0)
#define INTERCEPT_NMI (1u << 1)
#define INTERCEPT_SMI (1u << 2)
#define INTERCEPT_INIT (1u << 3)
#define INTERCEPT_VINTR (1u << 4)
#define INTERCEPT_RDTSC (1u << 14)
#define INTERCEPT_RDPMC (1u << 15)
#define INTERCEPT_CPUID (1u << 18)
#define INTERCEPT_IRET (1u << 20)
#define INTERCEPT_INVD (1u << 22)
#define INTERCEPT_PAUSE (1u << 23)
#define INTERCEPT_HLT (1u << 24)
#define INTERCEPT_INVLPGA (1u << 26)
#define INTERCEPT_IOIO (1u << 27)
#define INTERCEPT_MSR (1u << 28)
#define INTERCEPT_SHUTDOWN (1u << 31)
/* intercept2 */
#define INTERCEPT_VMRUN (1u << 0)
#define INTERCEPT_VMMCALL (1u << 1)
#define INTERCEPT_VMLOAD (1u << 2)
#define INTERCEPT_VMSAVE (1u << 3)
#define INTERCEPT_STGI (1u << 4)
#define INTERCEPT_CLGI (1u << 5)
#define INTERCEPT_SKINIT (1u << 6)
#define INTERCEPT_RDTSCP (1u << 7)
#define INTERCEPT_WBINVD (1u << 9)
#define INTERCEPT_MONITOR (1u << 10)
#define INTERCEPT_MWAIT (3u << 11) /* armed or not */
#define INTERCEPT_XSETBV (1u << 13)
#define INTERCEPT_RDPRU (1u << 14)

/* tlb_control, 15.16.1 */
#define TLB_KEEP 0u
#define TLB_FLUSH_ALL 1u
#define TLB_FLUSH_ASID 3u

/* v_intr */
#define V_TPR UINT64_C(0xff)
#define V_IRQ (UINT64_C(1) << 8)
#define V_INTR_PRIO (UINT64_C(0xf) << 16)
#define V_IGN_TPR (UINT64_C(1) << 20)
#define V_INTR_MASKING (UINT64_C(1) << 24)

#define VMCB_SHADOW UINT64_C(1)
#define NP_ENABLE UINT64_C(1)

/* clean, 15.15.3: what has not changed since this CPU last ran this VMCB. */
#define CLEAN_INTERCEPTS (1u << 0)
#define CLEAN_ASID (1u << 2)
#define CLEAN_V_INTR (1u << 3)
#define CLEAN_NP (1u << 4)
#define CLEAN_CR (1u << 5)
#define CLEAN_DR (1u << 6)
#define CLEAN_TABLES (1u << 7)
#define CLEAN_SEG (1u << 8)
#define CLEAN_CR2 (1u << 9)
#define CLEAN_ALL 0x3ffu

/* event_inj and exit_int_info, 15.20 and 15.7.2 */
#define EVENT_VECTOR 0xffu
#define EVENT_TYPE_SHIFT 8u
#define EVENT_TYPE_INTR 0u
#define EVENT_TYPE_NMI 2u
#define EVENT_TYPE_EXCEPTION 3u
#define EVENT_TYPE_SOFT 4u
#define EVENT_ERROR_VALID (1u << 11)
#define EVENT_VALID (1u << 31)

/* Exit codes: appendix C. */
#define VMEXIT_CR_READ 0x000u
#define VMEXIT_CR_WRITE 0x010u
#define VMEXIT_DR_READ 0x020u
#define VMEXIT_DR_WRITE 0x030u
#define VMEXIT_EXCEPTION 0x040u
#define VMEXIT_INTR 0x060u
#define VMEXIT_NMI 0x061u
#define VMEXIT_SMI 0x062u
#define VMEXIT_INIT 0x063u
#define VMEXIT_VINTR 0x064u
#define VMEXIT_RDTSC 0x06eu
#define VMEXIT_RDPMC 0x06fu
#define VMEXIT_CPUID 0x072u
#define VMEXIT_IRET 0x074u
#define VMEXIT_INVD 0x076u
#define VMEXIT_PAUSE 0x077u
#define VMEXIT_HLT 0x078u
#define VMEXIT_INVLPGA 0x07au
#define VMEXIT_IOIO 0x07bu
#define VMEXIT_MSR 0x07cu
#define VMEXIT_SHUTDOWN 0x07fu
#define VMEXIT_VMRUN 0x080u
#define VMEXIT_VMMCALL 0x081u
#define VMEXIT_VMLOAD 0x082u
#define VMEXIT_VMSAVE 0x083u
#define VMEXIT_STGI 0x084u
#define VMEXIT_CLGI 0x085u
#define VMEXIT_SKINIT 0x086u
#define VMEXIT_RDTSCP 0x087u
#define VMEXIT_WBINVD 0x089u
#define VMEXIT_MONITOR 0x08au
#define VMEXIT_MWAIT 0x08bu
#define VMEXIT_MWAIT_ARMED 0x08cu
#define VMEXIT_XSETBV 0x08du
#define VMEXIT_RDPRU 0x08eu
#define VMEXIT_NPF 0x400u
#define VMEXIT_INVALID UINT32_MAX /* its low half: QEMU sets no more */

/* exit_info1 of VMEXIT_IOIO (15.10.2), VMEXIT_NPF (15.25.6), and, with decode
 * assists, of a move to a control register (15.33.1). */
#define IOIO_IN (1u << 0)
#define IOIO_STRING (1u << 2)
#define IOIO_REP (1u << 3)
#define IOIO_SIZE_SHIFT 4u
#define IOIO_PORT_SHIFT 16u
#define NPF_WRITE (UINT64_C(1) << 1)
#define NPF_FETCH (UINT64_C(1) << 4)
#define NPF_FINAL (UINT64_C(1) << 32) /* the access itself, not a walk of the guest's tables */
#define CR_MOVE (UINT64_C(1) << 63)
#define CR_GPR 0xfu

/* CPUID 0x8000000a, EDX. */
#define SVM_NESTED_PAGING (1u << 0)
#define SVM_NEXT_RIP (1u << 3)
#define SVM_CLEAN_BITS (1u << 5)
#define SVM_FLUSH_BY_ASID (1u << 6)
#define SVM_DECODE_ASSISTS (1u << 7)
#define SVM_PAUSE_FILTER (1u << 10)
#define SVM_PAUSE_THRESHOLD (1u << 12)

#define MSR_VM_CR 0xc0010114u
#define VM_CR_SVMDIS (UINT64_C(1) << 4)
#define MSR_VM_HSAVE_PA 0xc0010117u
#define EFER_SVME (UINT64_C(1) << 12)

#endif
