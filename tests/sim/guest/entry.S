/* PVH entry of the test guest: 32-bit flat mode, ebx = start info. Identity maps
 * the first GiB and everything below 4 GiB with 2 MiB pages, enters long mode. */
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18                  /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long guest_entry

    .section .bss
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd:   .skip 4096 * 4
    .skip 65536
stack_top:

    .section .text.entry, "ax"
    .code32
    .globl guest_entry
guest_entry:
    cli
    mov $stack_top, %esp
    mov $pdpt + 7, %eax
    mov %eax, pml4
    mov $pd + 7, %eax
    xor %ecx, %ecx
1:  mov %eax, pdpt(, %ecx, 8)
    add $4096, %eax
    inc %ecx
    cmp $4, %ecx
    jne 1b
    xor %ecx, %ecx
    mov $0x87, %eax
2:  mov %eax, pd(, %ecx, 8)
    add $0x200000, %eax
    inc %ecx
    cmp $2048, %ecx
    jne 2b
    mov $0x620, %eax                /* PAE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x900, %eax                 /* LME, NXE */
    wrmsr
    mov $0x80010001, %eax
    mov %eax, %cr0
    lgdt gdtr
    ljmp $8, $3f
    .code64
3:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $stack_top, %rsp
    mov %ebx, %edi
    call guest_main
4:  hlt
    jmp 4b

    .section .data
    .balign 8
gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr: .word 23
    .long gdt

    .section .note.GNU-stack, "", @progbits
