/* The empty table of the first link: symbols.py makes the real one from its result. */
    .section .rodata.symbols, "a"
    .globl symbol_table
symbol_table:
    .uleb128 0
    .asciz ""
    .section .note.GNU-stack, "", @progbits
