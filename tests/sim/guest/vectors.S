/* Interrupt entries, and where further vCPUs begin. */
    .text
    .code64
    .balign 16
vector_stubs:
    .set i, 0
    .rept 256
    .balign 16
    .if !(i == 8 || (i >= 10 && i <= 14) || i == 17 || i == 21 || i == 29 || i == 30)
    push $0
    .endif
    pushq $i
    jmp common
    .set i, i + 1
    .endr

common:
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    mov %rsp, %rbx
    and $-16, %rsp
    call trap
    mov %rbx, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq

/* In long mode by VCPUOP_initialise: rsp is set, rdi is the number. */
    .globl secondary_entry
secondary_entry:
    lgdt secondary_gdtr
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    pushq $8
    lea 1f(%rip), %rax
    push %rax
    lretq
1:  call secondary_main
    ud2

/* Copied to a page below 1 MiB and started there by SIPI, in real mode. */
    .globl sipi_start, sipi_end
    .balign 16
    .code16
sipi_start:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl sipi_gdtr - sipi_start
    mov $0x11, %eax
    mov %eax, %cr0
    ljmpl $24, $sipi_32
    .balign 8
sipi_gdtr: .word 31
    .long secondary_gdt
sipi_end:

    .code32
sipi_32:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x620, %eax
    mov %eax, %cr4
    mov sipi_cr3, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x900, %eax                 /* LME, NXE */
    wrmsr
    mov $0x80010011, %eax
    mov %eax, %cr0
    ljmp $8, $1f
    .code64
1:  mov sipi_stack, %rsp
    mov sipi_number, %edi
    call secondary_main
    ud2

    .section .rodata
    .globl vector_table
    .balign 8
vector_table:
    .quad vector_stubs

    .data
    .balign 8
secondary_gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
secondary_gdtr: .word 31
    .quad secondary_gdt
    .globl sipi_cr3, sipi_stack, sipi_number
    .balign 8
sipi_stack: .quad 0
sipi_cr3: .long 0
sipi_number: .long 0

    .section .note.GNU-stack, "", @progbits
