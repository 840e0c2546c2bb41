/* From GRUB's 32-bit protected mode (Multiboot2 3.3) to bare_start() in long
 * mode: the first 4 GiB mapped at 0, at the direct map and at the image, all of
 * it writable and executable until paging.c makes the final tables. */
#define VIRT 0xffffffff80000000
#define PHYS(x) ((x) - VIRT)
#define PTE_PRESENT_WRITE 3
#define PTE_LARGE 0x83
#define CR0_PG_WP_PE 0x80010001
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define CPUID_LM_NX ((1 << 29) | (1 << 20))
#define COM1 0x3f8
#define VECTOR_PANIC 0x100
#define ERROR_CODES 0x60227d00          /* bit per vector: 8, 10 to 14, 17, 21, 29, 30 */
#define BOOT_STACK_BYTES 32768
#define TRAP_STACK_BYTES 8192

    .section .bss
    .balign 4096
    .globl boot_pml4, boot_pdpt, boot_pdpt_high, boot_pd
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd:   .skip 4096 * 4

/* Each stack grows down to a guard page, which paging.c leaves unmapped. */
    .section .stacks, "aw", @nobits
    .balign 4096
    .macro stack name, bytes
\name\()_guard: .skip 4096
    .skip \bytes
\name\()_top:
    .endm
    stack boot_stack, BOOT_STACK_BYTES
    stack df_stack, TRAP_STACK_BYTES
    stack nmi_stack, TRAP_STACK_BYTES
    stack mc_stack, TRAP_STACK_BYTES

    .section .rodata
    .balign 8
    .globl bare_stacks
bare_stacks:                            /* struct bare_stack[BARE_STACKS] */
    .quad boot_stack_guard, boot_stack_top
    .quad df_stack_guard, df_stack_top
    .quad nmi_stack_guard, nmi_stack_top
    .quad mc_stack_guard, mc_stack_top

    .section .entry, "ax"
    .code32
    .globl bare_entry32
bare_entry32:
    cli
    cld
    mov $PHYS(boot_stack_top), %esp
    mov %eax, %ebp                  /* multiboot2 magic */
    mov %ebx, %esi                  /* information structure */
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb too_old
    mov $0x80000001, %eax
    cpuid
    and $CPUID_LM_NX, %edx
    cmp $CPUID_LM_NX, %edx
    jne too_old
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
    ljmp $8, $PHYS(entry64)

/* Says so on COM1 as the firmware or GRUB left it. */
too_old:
    mov $PHYS(too_old_text), %esi
1:  mov $COM1 + 5, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    mov (%esi), %al
    inc %esi
    mov $COM1, %dx
    out %al, %dx
    test %al, %al
    jnz 1b
3:  cli
    hlt
    jmp 3b
too_old_text:
    .asciz "\r\nCorbel needs a 64-bit CPU with no-execute pages\r\n"

    .code64
entry64:
    movabs $1f, %rax
    jmp *%rax
1:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    movabs $boot_stack_top, %rsp
    lgdt boot_gdtr64(%rip)
    lldt %ax
    mov %ebp, %edi
    mov %esi, %esi
    xor %ebp, %ebp                  /* ends the chain of frames */
    call bare_start
2:  cli
    hlt
    jmp 2b

    .section .data
    .balign 16
bare_gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* 64-bit code */
    .quad 0x00cf93000000ffff        /* data */
gdt_end:
boot_gdtr32:
    .word gdt_end - bare_gdt - 1
    .long PHYS(bare_gdt)
    .balign 8
boot_gdtr64:
    .word gdt_end - bare_gdt - 1
    .quad bare_gdt

    .section .text
/* _Noreturn void port_panic(const char *msg): the caller's registers as struct
 * trap_frame has them, as if it had trapped at the call. */
    .globl port_panic
port_panic:
    pushq $16                       /* ss */
    push %rsp
    addq $16, (%rsp)                /* rsp before the call pushed its return address ... */
    pushfq
    cli
    pushq $8                        /* cs */
    pushq 32(%rsp)                  /* ... which serves as rip */
    pushq $0
    pushq $VECTOR_PANIC
    jmp trap_common

/* Exception and interrupt entries: vector and error code (SDM Vol. 3 6.13 has
 * the list of those that push one), then all registers as struct trap_frame. */
    .altmacro
    .macro trap_entry n
trap_entry_\n:
    .if ((ERROR_CODES >> \n) & 1) == 0
    pushq $0
    .endif
    pushq $\n
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
    mov %rsp, %rbx
    and $-16, %rsp
    call trap_handle
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
