/* Multiboot2 header (Multiboot2 specification 3.1). No framebuffer tag: some
 * firmware and GRUB pairs hand over garbage when one is asked for. */
    .section .multiboot2, "a"
    .balign 8
header:
    .long 0xe85250d6                    /* magic */
    .long 0                             /* architecture: i386 protected mode */
    .long header_end - header
    .long -(0xe85250d6 + 0 + (header_end - header))
    .balign 8
    .word 0, 0                          /* end tag */
    .long 8
header_end:
    .section .note.GNU-stack, "", @progbits
