/* void svm_enter(uint64_t vmcb_pa, uint64_t *gpr, uint64_t host_pa)
 * Into the guest and back. Interrupts are off before and after; in between, where
 * GIF holds them back, IF is set: with V_INTR_MASKING it is the host's IF that lets
 * physical interrupts end the guest (APM Vol. 2 15.21.1). VMRUN and #VMEXIT switch
 * what the save area has for both; VMSAVE and VMLOAD the rest (15.5.2): FS, GS, TR,
 * LDTR, KernelGsBase, STAR, LSTAR, CSTAR, SFMASK, SYSENTER_*. For a trap at svm_vmrun or
 * svm_left (svm_trapped()) RAX is the VMCB and the word at RSP is host_pa. */
    .section .text
    .globl svm_enter
svm_enter:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rsi
    push %rdx
    mov %rdi, %rax
    mov 8(%rsi), %rcx
    mov 16(%rsi), %rdx
    mov 24(%rsi), %rbx
    mov 40(%rsi), %rbp
    mov 56(%rsi), %rdi
    mov 64(%rsi), %r8
    mov 72(%rsi), %r9
    mov 80(%rsi), %r10
    mov 88(%rsi), %r11
    mov 96(%rsi), %r12
    mov 104(%rsi), %r13
    mov 112(%rsi), %r14
    mov 120(%rsi), %r15
    mov 48(%rsi), %rsi
    clgi
    sti
    vmload %rax
    .globl svm_vmrun, svm_left
svm_vmrun:
    vmrun %rax
svm_left:
    vmsave %rax
    mov 8(%rsp), %rax
    mov %rcx, 8(%rax)
    mov %rdx, 16(%rax)
    mov %rbx, 24(%rax)
    mov %rbp, 40(%rax)
    mov %rsi, 48(%rax)
    mov %rdi, 56(%rax)
    mov %r8, 64(%rax)
    mov %r9, 72(%rax)
    mov %r10, 80(%rax)
    mov %r11, 88(%rax)
    mov %r12, 96(%rax)
    mov %r13, 104(%rax)
    mov %r14, 112(%rax)
    mov %r15, 120(%rax)
    mov (%rsp), %rax
    vmload %rax
    cli
    stgi
    pop %rdx
    pop %rsi
    /* What a mispredicted path could still see of the guest's registers. */
    xor %ecx, %ecx
    xor %edi, %edi
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .section .note.GNU-stack, "", @progbits
