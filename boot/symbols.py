#!/usr/bin/env python3
"""Writes the table by which a panic names functions, as assembly for src/bare/symbol.c.

usage: symbols.py NM IMAGE OUT
For each function, by address: its distance from the one before as ULEB128, and its name
with a NUL. IMAGE is linked with an empty table; the table comes behind all code, so that
linking it in moves none."""
import subprocess
import sys

nm, image, out = sys.argv[1:]
functions = {}
start = end = None
for line in subprocess.run([nm, "-n", image], capture_output=True, text=True,
                           check=True).stdout.splitlines():
    words = line.split()
    if len(words) != 3:
        continue  # undefined, weak
    address, kind, name = int(words[0], 16), words[1], words[2]
    if name == "image_start":
        start = address
    elif name == "image_unpack_rodata":
        end = address
    elif kind in "tT":
        # GCC's parts of functions go by the function's own name.
        functions.setdefault(address, name.split(".")[0])
with open(out, "w", encoding="ascii") as f:
    f.write('    .section .rodata.symbols, "a"\n    .globl symbol_table\nsymbol_table:\n')
    last = start
    for address in sorted(functions):
        if start <= address < end and functions[address]:
            f.write(f'    .uleb128 {address - last}\n    .asciz "{functions[address]}"\n')
            last = address
    f.write('    .uleb128 0\n    .asciz ""\n    .section .note.GNU-stack, "", @progbits\n')
