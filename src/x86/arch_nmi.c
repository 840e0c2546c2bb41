#include "core/arch.h"
#include "x86/hvm/hvm.h"

void arch_vcpu_nmi(struct vcpu *v)
{
    hvm_vcpu_nmi(v);
}
