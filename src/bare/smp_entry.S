/* Where a CPU starts: copied to a page below 1 MiB, entered in real mode with CS
 * its paragraph (SDM Vol. 3 8.4.4). The words at the end are smp.c's to fill in. */
#define CR0_PE 1
#define CR0_PG_WP_PE 0x80010001
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define AT(x) ((x) - trampoline_start)

    .section .rodata
    .balign 16
    .globl trampoline_start, trampoline_words, trampoline_end
    .code16
trampoline_start:
    cli
    cld
    mov %cs, %bx
    mov %bx, %ds
    movzwl %bx, %ebx
    shl $4, %ebx                    /* the page's address */
    lea AT(1f)(%ebx), %eax
    mov %eax, AT(far32)
    lea AT(2f)(%ebx), %eax
    mov %eax, AT(far64)
    lea AT(gdt)(%ebx), %eax
    mov %eax, AT(gdtr) + 2
    lgdtl AT(gdtr)
    mov %cr0, %eax
    or $CR0_PE, %eax
    mov %eax, %cr0
    ljmpl *AT(far32)
    .code32
1:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov AT(trampoline_words)(%ebx), %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME_NXE, %eax
    wrmsr
    mov $CR0_PG_WP_PE, %eax
    mov %eax, %cr0
    ljmpl *AT(far64)(%ebx)
    .code64
2:  mov AT(trampoline_words) + 8(%rbx), %rdi
    mov AT(trampoline_words) + 16(%rbx), %rsp
    movabs $smp_entry64, %rax
    jmp *%rax
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        /* 32-bit code */
    .quad 0x00cf93000000ffff        /* data */
    .quad 0x00af9b000000ffff        /* 64-bit code */
gdtr:
    .word . - gdt - 1
    .long 0
    .balign 4
far32:
    .long 0
    .word 8
    .balign 4
far64:
    .long 0
    .word 24
    .balign 8
trampoline_words:
    .quad 0, 0, 0                   /* page tables, area, top of the stack */
trampoline_end:

/* In the image, still on the tables that also map the page. */
    .section .text
    .code64
smp_entry64:
    mov $boot_pml4 - 0xffffffff80000000, %rax
    mov %rax, %cr3
    xor %ebp, %ebp                  /* ends the chain of frames */
    call smp_main
    .section .note.GNU-stack, "", @progbits
