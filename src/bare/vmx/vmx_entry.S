/* bool vmx_enter(struct guest_regs *regs, bool launched, uint64_t *host_rsp):
 * VM entry and exit (SDM Vol. 3 26, 27). All registers but rsp, rip and rflags
 * are the guest's between the two; those are in the VMCS. *host_rsp is what the
 * VMCS has for the host's rsp. False: VMfail, the guest was not entered. */
#define VMCS_HOST_RSP 0x6c14
#define RCX 8
#define RDX 16
#define RBX 24
#define RBP 40
#define RSI 48
#define RDI 56
#define R8 64
#define R9 72
#define R10 80
#define R11 88
#define R12 96
#define R13 104
#define R14 112
#define R15 120

    .section .text
    .globl vmx_enter, vmx_exit_point
vmx_enter:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    cmp %rsp, (%rdx)
    je 1f
    mov $VMCS_HOST_RSP, %eax
    vmwrite %rsp, %rax
    mov %rsp, (%rdx)
1:  test %sil, %sil
    mov (%rdi), %rax
    mov RCX(%rdi), %rcx
    mov RDX(%rdi), %rdx
    mov RBX(%rdi), %rbx
    mov RBP(%rdi), %rbp
    mov RSI(%rdi), %rsi
    mov R8(%rdi), %r8
    mov R9(%rdi), %r9
    mov R10(%rdi), %r10
    mov R11(%rdi), %r11
    mov R12(%rdi), %r12
    mov R13(%rdi), %r13
    mov R14(%rdi), %r14
    mov R15(%rdi), %r15
    mov RDI(%rdi), %rdi
    jz 2f
    vmresume
    jmp 3f
2:  vmlaunch
3:  pop %rdi
    xor %eax, %eax
    jmp 4f

vmx_exit_point:
    push %rdi
    mov 8(%rsp), %rdi
    mov %rax, (%rdi)
    mov %rcx, RCX(%rdi)
    mov %rdx, RDX(%rdi)
    mov %rbx, RBX(%rdi)
    mov %rbp, RBP(%rdi)
    mov %rsi, RSI(%rdi)
    pop RDI(%rdi)
    mov %r8, R8(%rdi)
    mov %r9, R9(%rdi)
    mov %r10, R10(%rdi)
    mov %r11, R11(%rdi)
    mov %r12, R12(%rdi)
    mov %r13, R13(%rdi)
    mov %r14, R14(%rdi)
    mov %r15, R15(%rdi)
    pop %rdi
    mov $1, %eax
4:  pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

/* void vmx_bad_field(void), from inside a function: the callers are in the report. */
    .globl vmx_bad_field
vmx_bad_field:
    and $-16, %rsp
    mov $bad_field, %rdi
    call port_panic

    .section .rodata
bad_field:
    .asciz "VMREAD or VMWRITE of a field that the CPU does not have"
    .section .note.GNU-stack, "", @progbits
