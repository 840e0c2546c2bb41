/* From GRUB's 32-bit protected mode (Multiboot2 3.3) to bare_start() in long
 * mode: the first 4 GiB mapped at 0, at the direct map and at the image. */
#define VIRT 0xffffffff80000000
#define PHYS(x) ((x) - VIRT)
#define PTE_PRESENT_WRITE 3
#define PTE_LARGE 0x83
#define CR0_PG_WP_PE 0x80010001
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900

    .section .bss
    .balign 4096
    .globl boot_pml4
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd:   .skip 4096 * 4
    .skip 4096                      /* guard of the stack, unmapped later */
    .skip 32768
    .globl bare_stack_top
bare_stack_top:

    .section .entry, "ax"
    .code32
    .globl bare_entry32
bare_entry32:
    cli
    cld
    mov $PHYS(bare_stack_top), %esp
    mov %eax, %ebp                  /* multiboot2 magic */
    mov %ebx, %esi                  /* information structure */
    mov $PHYS(boot_pdpt) + PTE_PRESENT_WRITE, %eax
    mov %eax, PHYS(boot_pml4)
    mov %eax, PHYS(boot_pml4) + 256 * 8
    mov $PHYS(boot_pdpt_high) + PTE_PRESENT_WRITE, %eax
    mov %eax, PHYS(boot_pml4) + 511 * 8
    mov $PHYS(boot_pd) + PTE_PRESENT_WRITE, %eax
    mov %eax, PHYS(boot_pdpt_high) + 510 * 8
    xor %ecx, %ecx
1:  mov %eax, PHYS(boot_pdpt)(, %ecx, 8)
    add $4096, %eax
    inc %ecx
    cmp $4, %ecx
    jne 1b
    xor %ecx, %ecx
    mov $PTE_LARGE, %eax
2:  mov %eax, PHYS(boot_pd)(, %ecx, 8)
    add $0x200000, %eax
    inc %ecx
    cmp $2048, %ecx
    jne 2b
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $PHYS(boot_pml4), %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME_NXE, %eax
    wrmsr
    mov $CR0_PG_WP_PE, %eax
    mov %eax, %cr0
    lgdt PHYS(boot_gdtr32)
    ljmp $8, $PHYS(1f)
    .code64
1:  movabs $2f, %rax
    jmp *%rax
2:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    movabs $bare_stack_top, %rsp
    lgdt boot_gdtr64(%rip)
    mov %ebp, %edi
    mov %esi, %esi
    xor %ebp, %ebp
    call bare_start
3:  cli
    hlt
    jmp 3b

    .section .data
    .balign 16
    .globl bare_gdt
bare_gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* 64-bit code */
    .quad 0x00cf93000000ffff        /* data */
    .quad 0, 0                      /* TSS, filled by trap_init() */
gdt_end:
boot_gdtr32:
    .word gdt_end - bare_gdt - 1
    .long PHYS(bare_gdt)
    .balign 8
boot_gdtr64:
    .word gdt_end - bare_gdt - 1
    .quad bare_gdt

/* Exception and interrupt entries: vector and error code, then all registers
 * as struct trap_frame has them. */
    .section .text
    .altmacro
    .macro trap_entry n
trap_entry_\n:
    .if (\n != 8) && (\n != 10) && (\n != 11) && (\n != 12) && (\n != 13) && (\n != 14) && (\n != 17)
    push $0
    .endif
    push $\n
    jmp trap_common
    .endm
    .set i, 0
    .rept 64
    trap_entry %i
    .set i, i + 1
    .endr
trap_common:
    push %rax
    push %rcx
    push %rdx
    push %rbx
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
    call trap_handle
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
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq
    .section .rodata
    .macro trap_ref n
    .quad trap_entry_\n
    .endm
    .balign 8
    .globl trap_entries
trap_entries:
    .set i, 0
    .rept 64
    trap_ref %i
    .set i, i + 1
    .endr
    .section .note.GNU-stack, "", @progbits
