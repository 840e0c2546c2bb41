/* Parts of the libraries that the image does without: what is defined here is not taken
 * from there.
 *
 * Debian's libzstd also unpacks what zstd 0.5 to 0.7 packed, which no kernel was: 76 KB.
 * Its main part asks for these functions by the frame's magic number only, and image.c
 * passes none but today's on: nobody calls them.
 *
 * xz may sum by SHA-256: 5 KB. Kernels' sums are CRC32s, and Linux itself checks no
 * SHA-256; here no sum is ever made, so that a stream with one is found damaged. */
    .section .text.unpack_legacy, "ax", @progbits

    .macro refuse names:vararg
    .irp name, \names
    .globl \name
    .type \name, @function
\name:
    .endr
    .endm

    /* A context: none. */
    refuse ZBUFFv05_createDCtx, ZSTDv05_createDCtx
    refuse ZBUFFv06_createDCtx, ZSTDv06_createDCtx
    refuse ZBUFFv07_createDCtx, ZSTDv07_createDCtx
    xor %eax, %eax
    ret
    /* A size: an error, the general one. */
    refuse ZBUFFv05_decompressContinue, ZBUFFv05_decompressInitDictionary
    refuse ZBUFFv05_freeDCtx, ZSTDv05_decompress_usingDict
    refuse ZSTDv05_freeDCtx, ZSTDv05_getFrameParams
    refuse ZBUFFv06_decompressContinue, ZBUFFv06_decompressInitDictionary
    refuse ZBUFFv06_freeDCtx, ZSTDv06_decompress_usingDict
    refuse ZSTDv06_freeDCtx, ZSTDv06_getFrameParams
    refuse ZBUFFv07_decompressContinue, ZBUFFv07_decompressInitDictionary
    refuse ZBUFFv07_freeDCtx, ZSTDv07_decompress_usingDict
    refuse ZSTDv07_freeDCtx, ZSTDv07_getFrameParams
    mov $-1, %rax
    ret
    /* (src, length, size_t *compressed, unsigned long long *bound): errors. */
    refuse ZSTDv05_findFrameSizeInfoLegacy, ZSTDv06_findFrameSizeInfoLegacy
    refuse ZSTDv07_findFrameSizeInfoLegacy
    movq $-1, (%rdx)
    movq $-1, (%rcx)
    ret
    /* (struct *check), (data, length, struct *check): nothing. */
    refuse lzma_sha256_init, lzma_sha256_update, lzma_sha256_finish
    ret
    .section .note.GNU-stack, "", @progbits
