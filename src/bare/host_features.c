/* What the machine's CPU has of the features that guests may be shown: SDM Vol. 2 and
 * APM Vol. 3, CPUID. */
#include "bare/bare.h"

#include "x86/x86.h"

void host_features_tell(void)
{
    uint32_t words[X86_FEATURE_WORDS] = {0}; /* the order of <xen/arch-x86/cpufeatureset.h> */
    uint32_t max = cpuid(0, 0).eax;
    struct cpuid_regs r = cpuid(1, 0);

    words[0] = r.edx;
    words[1] = r.ecx;
    r = cpuid(0x80000001, 0);
    words[2] = r.edx;
    words[3] = r.ecx;
    if (max >= 0xd)
        words[4] = cpuid(0xd, 1).eax;
    if (max >= 7) {
        r = cpuid(7, 0);
        words[5] = r.ebx;
        words[6] = r.ecx;
        words[9] = r.edx;
    }
    max = cpuid(0x80000000, 0).eax;
    if (max >= 0x80000008)
        words[8] = cpuid(0x80000008, 0).ebx;
    if (max >= 0x80000021)
        words[11] = cpuid(0x80000021, 0).eax;
    x86_set_host_features(words);
}
