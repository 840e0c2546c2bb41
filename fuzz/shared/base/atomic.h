/* In place of src/base/atomic.h where the hypervisor works on words that it shares with
 * guests: the fuzzers hear of every access, and may change the word before it
 * (shared_access() in shared.c). */
#ifndef CORBEL_FUZZ_SHARED_BASE_ATOMIC_H
#define CORBEL_FUZZ_SHARED_BASE_ATOMIC_H

#include "../../../src/base/atomic.h"

void shared_access(const void *p, unsigned size, bool reads);

#define SHARED_LOAD(bits)                                                                          \
    static inline uint##bits##_t shared_load_u##bits(const uint##bits##_t *p)                      \
    {                                                                                              \
        shared_access(p, (bits) / 8, true);                                                        \
        return load_u##bits(p);                                                                    \
    }
#define SHARED_CHANGE(bits, name)                                                                  \
    static inline uint##bits##_t shared_##name##_u##bits(uint##bits##_t *p, uint##bits##_t v)      \
    {                                                                                              \
        shared_access(p, (bits) / 8, false);                                                       \
        return name##_u##bits(p, v);                                                               \
    }
SHARED_LOAD(64)
SHARED_LOAD(32)
SHARED_LOAD(16)
SHARED_LOAD(8)
SHARED_CHANGE(64, fetch_or)
SHARED_CHANGE(64, fetch_and)
SHARED_CHANGE(32, fetch_or)
SHARED_CHANGE(32, fetch_and)

static inline bool shared_cmpxchg_u32(uint32_t *p, uint32_t expected, uint32_t desired)
{
    shared_access(p, sizeof(*p), true);
    return cmpxchg_u32(p, expected, desired);
}

static inline bool shared_test_bit(uint64_t nr, const uint64_t *p)
{
    shared_access(&p[nr >> 6], sizeof(*p), true);
    return test_bit(nr, p);
}

#define load_u64 shared_load_u64
#define load_u32 shared_load_u32
#define load_u16 shared_load_u16
#define load_u8 shared_load_u8
#define fetch_or_u64 shared_fetch_or_u64
#define fetch_and_u64 shared_fetch_and_u64
#define fetch_or_u32 shared_fetch_or_u32
#define fetch_and_u32 shared_fetch_and_u32
#define cmpxchg_u32 shared_cmpxchg_u32
#define test_bit shared_test_bit

#endif
