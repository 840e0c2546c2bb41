#!/usr/bin/env python3
"""Makes a bzImage of an ELF, with a payload as Linux's build makes it.

usage: pack_kernel.py gzip|xz|lzma|zstd|lz4 ELF OUT
zstd's and lz4's payloads hold stored blocks only: Python has no library for them."""
import gzip
import lzma
import struct
import sys

kind, elf, out = sys.argv[1:]
with open(elf, "rb") as f:
    plain = f.read()


def zstd(data):
    """RFC 8878: one frame, no content size, a window of 1 MiB, raw blocks."""
    frame = struct.pack("<IBB", 0xFD2FB528, 0, (20 - 10) << 3)
    for at in range(0, len(data), 1 << 17):
        block = data[at:at + (1 << 17)]
        last = at + len(block) == len(data)
        frame += struct.pack("<I", len(block) << 3 | last)[:3] + block
    return frame


def lz4(data):
    """The legacy frame: blocks of literals only."""
    frame = struct.pack("<I", 0x184C2102)
    for at in range(0, len(data), 8 << 20):
        block = data[at:at + (8 << 20)]
        rest = len(block) - 15
        packed = b"\xf0" + b"\xff" * (rest // 255) + bytes([rest % 255]) + block
        frame += struct.pack("<I", len(packed)) + packed
    return frame


size = struct.pack("<I", len(plain))
payload = {
    "gzip": lambda: gzip.compress(plain, 9, mtime=0),  # ends in the size by itself
    "xz": lambda: lzma.compress(plain, check=lzma.CHECK_CRC32,
                                filters=[{"id": lzma.FILTER_X86},
                                         {"id": lzma.FILTER_LZMA2, "dict_size": 32 << 20}]) + size,
    "lzma": lambda: lzma.compress(plain, format=lzma.FORMAT_ALONE) + size,
    "zstd": lambda: zstd(plain) + size,
    "lz4": lambda: lz4(plain) + size,
}[kind]()
header = bytearray(5 * 512)  # 4 sectors of setup
struct.pack_into("<H", header, 0x1FE, 0xAA55)
header[0x202:0x206] = b"HdrS"
struct.pack_into("<H", header, 0x206, 0x20F)
struct.pack_into("<II", header, 0x248, 0, len(payload))
with open(out, "wb") as f:
    f.write(header + payload)
