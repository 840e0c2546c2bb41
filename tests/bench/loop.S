/* The measured work, the same bytes in a guest and on a bare engine: rdi rounds
 * of a checksum over 4 KiB at rsi. 64-bit code, position independent, ends with
 * ret; 13 instructions a word pair, 256 pairs a round. */
    .text
    .globl bench_loop, bench_loop_end
bench_loop:
    xor %eax, %eax
1:  mov $256, %ecx
    mov %rsi, %rdx
2:  mov (%rdx), %r8
    mov 8(%rdx), %r9
    add %r8, %rax
    rol $13, %rax
    xor %r9, %rax
    lea (%rax, %r8, 2), %r10
    imul $31, %r10, %r10
    add %r10, %rax
    mov %rax, (%rdx)
    shr $3, %r9
    add $16, %rdx
    dec %ecx
    jnz 2b
    dec %rdi
    jnz 1b
    ret
bench_loop_end:
    .section .note.GNU-stack, "", @progbits
