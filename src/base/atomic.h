/* Atomic accesses to words that another CPU or a guest may change at any time.
 * The only place where compiler intrinsics for atomics are used. */
#ifndef CORBEL_BASE_ATOMIC_H
#define CORBEL_BASE_ATOMIC_H

#include "base/types.h"

static inline uint64_t load_u64(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint32_t load_u32(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint16_t load_u16(const uint16_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint8_t load_u8(const uint8_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void store_u64(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void store_u32(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void store_u16(uint16_t *p, uint16_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void store_u8(uint8_t *p, uint8_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* Replaces *p by desired iff it still holds expected. */
static inline bool cmpxchg_u64(uint64_t *p, uint64_t expected, uint64_t desired)
{
    return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static inline bool cmpxchg_u32(uint32_t *p, uint32_t expected, uint32_t desired)
{
    return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static inline bool cmpxchg_u16(uint16_t *p, uint16_t expected, uint16_t desired)
{
    return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static inline uint64_t fetch_or_u64(uint64_t *p, uint64_t v)
{
    return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL);
}

static inline uint64_t fetch_and_u64(uint64_t *p, uint64_t v)
{
    return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL);
}

static inline uint32_t fetch_or_u32(uint32_t *p, uint32_t v)
{
    return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL);
}

static inline uint32_t fetch_and_u32(uint32_t *p, uint32_t v)
{
    return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL);
}

static inline uint64_t fetch_add_u64(uint64_t *p, uint64_t v)
{
    return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL);
}

static inline uint32_t fetch_add_u32(uint32_t *p, uint32_t v)
{
    return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL);
}

/* Orders all memory accesses before it against all after it. */
static inline void memory_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Sets bit nr of the bitmap at p; returns its old value. */
static inline bool test_and_set_bit(uint64_t nr, uint64_t *p)
{
    uint64_t bit = UINT64_C(1) << (nr & 63);

    return (fetch_or_u64(&p[nr >> 6], bit) & bit) != 0;
}

static inline bool test_and_clear_bit(uint64_t nr, uint64_t *p)
{
    uint64_t bit = UINT64_C(1) << (nr & 63);

    return (fetch_and_u64(&p[nr >> 6], ~bit) & bit) != 0;
}

static inline bool test_bit(uint64_t nr, const uint64_t *p)
{
    return ((load_u64(&p[nr >> 6]) >> (nr & 63)) & 1) != 0;
}

#endif
