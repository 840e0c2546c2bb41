/* What the port tells x86 about the machine before the first domain is made. */
#ifndef CORBEL_X86_X86_H
#define CORBEL_X86_X86_H

#include "base/types.h"

/* Formats of second-stage entries. */
enum p2m_format {
    P2M_FORMAT_EPT = 0, /* SDM Vol. 3 28.3 (29.3 in newer editions) */
    P2M_FORMAT_NPT = 1, /* IA-32e page tables: APM Vol. 2 15.25, SDM Vol. 3 4.5 */
};

/* Whose CPU a domain sees. */
enum cpu_vendor { VENDOR_AMD, VENDOR_INTEL, VENDORS };

/* The format of domains made from now on. Default P2M_FORMAT_NPT. */
void x86_set_p2m_format(uint8_t format);
uint8_t x86_p2m_format(void);

/* The vendor that domains made from now on see: it decides CPUID, MSRs, and the
 * instruction of the hypercall page. Default VENDOR_AMD. */
void x86_set_vendor(uint8_t vendor);
uint8_t x86_vendor(void);

/* What the machine's CPU has, as feature words in the order of
 * <xen/arch-x86/cpufeatureset.h>: the rest is not shown to domains made from now on,
 * unless software provides it. Default: everything. */
#define X86_FEATURE_WORDS 16u
void x86_set_host_features(const uint32_t words[X86_FEATURE_WORDS]);
/* Whether the CPU takes leaves of 1 GiB in second-stage tables. Default true. */
void x86_set_p2m_1g(bool possible);
/* Whether it sets dirty bits in them. Default true. */
void x86_set_p2m_dirty(bool possible);

/* Architectural bits used by more than one file. */
#define CR0_PE (UINT64_C(1) << 0)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR0_PG (UINT64_C(1) << 31)
#define CR4_DE (UINT64_C(1) << 3)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_PCIDE (UINT64_C(1) << 17)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)
#define EFER_AIBRSE (UINT64_C(1) << 21)
#define RFLAGS_FIXED UINT64_C(0x2)
#define RFLAGS_TF UINT64_C(0x100)
#define RFLAGS_IF UINT64_C(0x200)
#define RFLAGS_RF UINT64_C(0x10000)
#define RFLAGS_VM UINT64_C(0x20000)
#define RFLAGS_AC UINT64_C(0x40000)

#define VECTOR_DB 1u
#define VECTOR_NMI 2u
#define VECTOR_UD 6u
#define VECTOR_DF 8u
#define VECTOR_GP 13u
#define VECTOR_PF 14u

#define MSR_EFER 0xc0000080u
#define MSR_TSC_AUX 0xc0000103u
#define MSR_PAT 0x277u
#define MSR_HYPERCALL_PAGE 0x40000000u /* <xen/arch-x86/cpuid.h>, leaf 3 */

#endif
