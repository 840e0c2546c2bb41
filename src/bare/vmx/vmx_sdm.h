/* Numbers of VMX as the SDM has them: MSRs (Vol. 3 appendix A), VMCS fields
 * (appendix B), controls (ch. 24), exit reasons (appendix C). */
#ifndef CORBEL_BARE_VMX_VMX_SDM_H
#define CORBEL_BARE_VMX_VMX_SDM_H

#include "base/types.h"

/* MSRs: Vol. 4 table 2-2. */
#define MSR_FEATURE_CONTROL 0x3au
#define FEATURE_CONTROL_LOCKED UINT64_C(1)
#define FEATURE_CONTROL_VMX UINT64_C(4) /* outside SMX */
#define MSR_ARCH_CAPABILITIES 0x10au
#define ARCH_CAP_RDCL_NO UINT64_C(1)
#define ARCH_CAP_SKIP_L1D_FLUSH UINT64_C(8)
#define ARCH_CAP_MDS_NO UINT64_C(0x20)
#define MSR_FLUSH_CMD 0x10bu
#define FLUSH_CMD_L1D UINT64_C(1)
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_VMX_BASIC 0x480u
#define MSR_VMX_MISC 0x485u
#define VMX_MISC_TIMER_SHIFT(v) ((v)&31u) /* appendix A.6: bit of the TSC that counts it down */
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR0_FIXED1 0x487u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_CR4_FIXED1 0x489u
#define MSR_VMX_PROC2 0x48bu
#define MSR_VMX_EPT_VPID 0x48cu
#define MSR_VMX_TRUE_PIN 0x48du
#define MSR_VMX_TRUE_PROC 0x48eu
#define MSR_VMX_TRUE_EXIT 0x48fu
#define MSR_VMX_TRUE_ENTRY 0x490u
#define MSR_X2APIC 0x800u /* the first register of the local APIC */
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

/* IA32_VMX_BASIC, appendix A.1. */
#define VMX_BASIC_REVISION UINT64_C(0x7fffffff)
#define VMX_BASIC_TRUE (UINT64_C(1) << 55)

/* IA32_VMX_EPT_VPID_CAP, appendix A.10. */
#define EPT_CAP_WALK_4 (UINT64_C(1) << 6)
#define EPT_CAP_WB (UINT64_C(1) << 14)
#define EPT_CAP_2M (UINT64_C(1) << 16)
#define EPT_CAP_1G (UINT64_C(1) << 17)
#define EPT_CAP_INVEPT (UINT64_C(1) << 20)
#define EPT_CAP_ACCESSED_DIRTY (UINT64_C(1) << 21)
#define EPT_CAP_INVEPT_ONE (UINT64_C(1) << 25)
#define VPID_CAP_INVVPID (UINT64_C(1) << 32)
#define VPID_CAP_INVVPID_ONE (UINT64_C(1) << 41)

/* Pin-based controls, table 24-5. */
#define PIN_EXT_INT (1u << 0)
#define PIN_NMI (1u << 3)
#define PIN_VIRTUAL_NMI (1u << 5)
#define PIN_TIMER (1u << 6)

/* Primary processor-based controls, table 24-6. */
#define PROC_INT_WINDOW (1u << 2)
#define PROC_HLT (1u << 7)
#define PROC_MWAIT (1u << 10)
#define PROC_RDPMC (1u << 11)
#define PROC_RDTSC (1u << 12)
#define PROC_TPR_SHADOW (1u << 21)
#define PROC_NMI_WINDOW (1u << 22)
#define PROC_MOV_DR (1u << 23)
#define PROC_IO_BITMAPS (1u << 25)
#define PROC_MSR_BITMAPS (1u << 28)
#define PROC_MONITOR (1u << 29)
#define PROC_SECONDARY (1u << 31)
#define PROC_CR3_LOAD (1u << 15)
#define PROC_CR3_STORE (1u << 16)

/* Secondary processor-based controls, table 24-7. */
#define PROC2_APIC_ACCESS (1u << 0)
#define PROC2_EPT (1u << 1)
#define PROC2_RDTSCP (1u << 3)
#define PROC2_X2APIC (1u << 4)
#define PROC2_VPID (1u << 5)
#define PROC2_WBINVD (1u << 6)
#define PROC2_UNRESTRICTED (1u << 7)
#define PROC2_APIC_REGISTERS (1u << 8)
#define PROC2_VIRTUAL_INTERRUPTS (1u << 9)
#define PROC2_APIC                                                                                 \
    (PROC2_APIC_ACCESS | PROC2_X2APIC | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS)
#define PROC2_PAUSE_LOOP (1u << 10)

/* VM-exit and VM-entry controls, tables 24-11 and 24-14. */
#define EXIT_CTL_SAVE_DEBUG (1u << 2)
#define EXIT_CTL_HOST_64 (1u << 9)
#define EXIT_CTL_LOAD_PAT (1u << 19)
#define EXIT_CTL_LOAD_EFER (1u << 21)
#define EXIT_CTL_SAVE_TIMER (1u << 22)
#define ENTRY_CTL_LOAD_DEBUG (1u << 2)
#define ENTRY_CTL_IA32E (1u << 9)
#define ENTRY_CTL_LOAD_PAT (1u << 14)
#define ENTRY_CTL_LOAD_EFER (1u << 15)

/* VMCS fields, appendix B. */
enum vmcs_field {
    VMCS_VPID = 0x0000,
    VMCS_GUEST_ES_SEL = 0x0800, /* CS, SS, DS, FS, GS, LDTR, TR follow, two apart */
    VMCS_GUEST_SS_SEL = 0x0804,
    VMCS_GUEST_TR_SEL = 0x080e,
    VMCS_GUEST_INTERRUPTS = 0x0810, /* RVI, and SVI above it */
    VMCS_HOST_ES_SEL = 0x0c00,      /* CS, SS, DS, FS, GS, TR follow */
    VMCS_IO_BITMAP_A = 0x2000,
    VMCS_IO_BITMAP_B = 0x2002,
    VMCS_MSR_BITMAP = 0x2004,
    VMCS_TSC_OFFSET = 0x2010,
    VMCS_VIRTUAL_APIC = 0x2012,
    VMCS_APIC_ACCESS = 0x2014,
    VMCS_EPTP = 0x201a,
    VMCS_EOI_EXITS = 0x201c, /* for 64 vectors; three follow, two apart */
    VMCS_GUEST_PHYSICAL = 0x2400,
    VMCS_LINK = 0x2800,
    VMCS_GUEST_DEBUGCTL = 0x2802,
    VMCS_GUEST_PAT = 0x2804,
    VMCS_GUEST_EFER = 0x2806,
    VMCS_GUEST_PDPTE0 = 0x280a, /* 1 to 3 follow, two apart */
    VMCS_HOST_PAT = 0x2c00,
    VMCS_HOST_EFER = 0x2c02,
    VMCS_PIN = 0x4000,
    VMCS_PROC = 0x4002,
    VMCS_EXCEPTIONS = 0x4004,
    VMCS_PF_MASK = 0x4006,
    VMCS_PF_MATCH = 0x4008,
    VMCS_CR3_TARGETS = 0x400a,
    VMCS_EXIT_CTL = 0x400c,
    VMCS_EXIT_MSR_STORES = 0x400e,
    VMCS_EXIT_MSR_LOADS = 0x4010,
    VMCS_ENTRY_CTL = 0x4012,
    VMCS_ENTRY_MSR_LOADS = 0x4014,
    VMCS_ENTRY_EVENT = 0x4016,
    VMCS_ENTRY_ERROR = 0x4018,
    VMCS_ENTRY_LENGTH = 0x401a,
    VMCS_TPR_THRESHOLD = 0x401c,
    VMCS_PROC2 = 0x401e,
    VMCS_PAUSE_GAP = 0x4020,
    VMCS_PAUSE_WINDOW = 0x4022,
    VMCS_INSTRUCTION_ERROR = 0x4400,
    VMCS_EXIT_REASON = 0x4402,
    VMCS_EXIT_EVENT = 0x4404,
    VMCS_EXIT_EVENT_ERROR = 0x4406,
    VMCS_VECTORING = 0x4408,
    VMCS_VECTORING_ERROR = 0x440a,
    VMCS_EXIT_LENGTH = 0x440c,
    VMCS_GUEST_ES_LIMIT = 0x4800,
    VMCS_GUEST_GDTR_LIMIT = 0x4810,
    VMCS_GUEST_IDTR_LIMIT = 0x4812,
    VMCS_GUEST_ES_AR = 0x4814,
    VMCS_GUEST_CS_AR = 0x4816,
    VMCS_GUEST_SS_AR = 0x4818,
    VMCS_GUEST_TR_AR = 0x4822,
    VMCS_GUEST_BLOCKING = 0x4824, /* interruptibility state */
    VMCS_GUEST_ACTIVITY = 0x4826,
    VMCS_GUEST_SYSENTER_CS = 0x482a,
    VMCS_TIMER = 0x482e,
    VMCS_HOST_SYSENTER_CS = 0x4c00,
    VMCS_CR0_MASK = 0x6000,
    VMCS_CR4_MASK = 0x6002,
    VMCS_CR0_SHADOW = 0x6004,
    VMCS_CR4_SHADOW = 0x6006,
    VMCS_QUALIFICATION = 0x6400,
    VMCS_GUEST_LINEAR = 0x640a,
    VMCS_GUEST_CR0 = 0x6800,
    VMCS_GUEST_CR3 = 0x6802,
    VMCS_GUEST_CR4 = 0x6804,
    VMCS_GUEST_ES_BASE = 0x6806,
    VMCS_GUEST_FS_BASE = 0x680e,
    VMCS_GUEST_GS_BASE = 0x6810,
    VMCS_GUEST_GDTR_BASE = 0x6816,
    VMCS_GUEST_IDTR_BASE = 0x6818,
    VMCS_GUEST_DR7 = 0x681a,
    VMCS_GUEST_RSP = 0x681c,
    VMCS_GUEST_RIP = 0x681e,
    VMCS_GUEST_RFLAGS = 0x6820,
    VMCS_GUEST_PENDING_DEBUG = 0x6822,
    VMCS_GUEST_SYSENTER_ESP = 0x6824,
    VMCS_GUEST_SYSENTER_EIP = 0x6826,
    VMCS_HOST_CR0 = 0x6c00,
    VMCS_HOST_CR3 = 0x6c02,
    VMCS_HOST_CR4 = 0x6c04,
    VMCS_HOST_FS_BASE = 0x6c06,
    VMCS_HOST_GS_BASE = 0x6c08,
    VMCS_HOST_TR_BASE = 0x6c0a,
    VMCS_HOST_GDTR_BASE = 0x6c0c,
    VMCS_HOST_IDTR_BASE = 0x6c0e,
    VMCS_HOST_SYSENTER_ESP = 0x6c10,
    VMCS_HOST_SYSENTER_EIP = 0x6c12,
    VMCS_HOST_RSP = 0x6c14,
    VMCS_HOST_RIP = 0x6c16,
};

/* Interruptibility state, table 24-3. */
#define BLOCKING_STI (1u << 0)
#define BLOCKING_MOV_SS (1u << 1)
#define BLOCKING_NMI (1u << 3)

/* Pending debug exceptions, table 24-4. */
#define PENDING_DEBUG_BS (UINT64_C(1) << 14)

/* Event fields: entry (24.8.3), exit (24.9.2) and IDT-vectoring (24.9.3). */
#define EVENT_VALID (1u << 31)
#define EVENT_HAS_ERROR (1u << 11)
#define EVENT_NMI_UNBLOCKED (1u << 12) /* exit information only */
#define EVENT_TYPE(info) ((info) >> 8 & 7u)

/* Bit in the qualification of EPT violations, table 27-7. */
#define EPT_QUAL_READ (1u << 0)
#define EPT_QUAL_WRITE (1u << 1)
#define EPT_QUAL_FETCH (1u << 2)
#define EPT_QUAL_LINEAR (1u << 7)
#define EPT_QUAL_FINAL (1u << 8) /* the access itself, not a walk on its behalf */
#define EPT_QUAL_NMI_UNBLOCKED (1u << 12)

/* Qualification of APIC-access exits, table 27-6: offset and kind of access. */
#define APIC_QUAL_OFFSET 0xfffu
#define APIC_QUAL_KIND(q) ((q) >> 12 & 15u)
enum { APIC_READ = 0, APIC_WRITE = 1, APIC_FETCH = 2 };

/* Segment attributes, table 24-2. */
#define SEG_ACCESSED 1u
#define SEG_S 0x10u
#define SEG_DPL(attr) ((attr) >> 5 & 3u)
#define SEG_P 0x80u
#define SEG_L 0x2000u
#define SEG_DB 0x4000u
#define SEG_G 0x8000u
#define SEG_UNUSABLE 0x10000u
#define SEG_TYPE(attr) ((attr)&15u)

/* Basic exit reasons, appendix C. */
enum vmx_reason {
    REASON_EXCEPTION_NMI = 0,
    REASON_EXT_INT = 1,
    REASON_TRIPLE_FAULT = 2,
    REASON_INIT = 3,
    REASON_SIPI = 4,
    REASON_INT_WINDOW = 7,
    REASON_NMI_WINDOW = 8,
    REASON_TASK_SWITCH = 9,
    REASON_CPUID = 10,
    REASON_GETSEC = 11,
    REASON_HLT = 12,
    REASON_INVD = 13,
    REASON_RDPMC = 15,
    REASON_RDTSC = 16,
    REASON_RSM = 17,
    REASON_VMCALL = 18,
    REASON_VMX_FIRST = 19, /* VMCLEAR ... */
    REASON_VMX_LAST = 27,  /* ... VMXON */
    REASON_CR = 28,
    REASON_DR = 29,
    REASON_IO = 30,
    REASON_RDMSR = 31,
    REASON_WRMSR = 32,
    REASON_ENTRY_GUEST = 33,
    REASON_ENTRY_MSR = 34,
    REASON_MWAIT = 36,
    REASON_MONITOR = 39,
    REASON_PAUSE = 40,
    REASON_ENTRY_MACHINE_CHECK = 41,
    REASON_TPR = 43,
    REASON_APIC_ACCESS = 44,
    REASON_EOI = 45,
    REASON_EPT_VIOLATION = 48,
    REASON_EPT_MISCONFIGURATION = 49,
    REASON_INVEPT = 50,
    REASON_RDTSCP = 51,
    REASON_TIMER = 52,
    REASON_INVVPID = 53,
    REASON_WBINVD = 54,
    REASON_XSETBV = 55,
    REASON_APIC_WRITE = 56,
};
#define REASON_BASIC 0xffffu
#define REASON_ENTRY_FAILED (1u << 31)

#define CR4_VMXE (UINT64_C(1) << 13)

/* EPTP, table 24-8. */
#define EPTP_WB UINT64_C(6)
#define EPTP_WALK_4 (UINT64_C(3) << 3)
#define EPTP_ACCESSED_DIRTY (UINT64_C(1) << 6)

#endif
