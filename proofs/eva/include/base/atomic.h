/* Takes the place of src/base/atomic.h in proofs/eva: sequential, and in the caller's own
 * lines, so that Eva's alarms name them. */
#ifndef CORBEL_BASE_ATOMIC_H
#define CORBEL_BASE_ATOMIC_H

#include "base/types.h"

#define load_word(p) (*(p))
#define store_word(p, v) ((void)(*(p) = (v)))
#define cmpxchg_word(p, expected, desired)                                                         \
    ({                                                                                             \
        bool done = *(p) == (expected);                                                            \
        if (done) {                                                                                \
            *(p) = (desired);                                                                      \
        }                                                                                          \
        done;                                                                                      \
    })
#define fetch_word(p, op, v)                                                                       \
    ({                                                                                             \
        uint64_t was = *(p);                                                                       \
        (void)(*(p) = was op(v));                                                                  \
        was;                                                                                       \
    })

#define load_u64 load_word
#define load_u32 load_word
#define load_u16 load_word
#define load_u8 load_word
#define store_u64 store_word
#define store_u32 store_word
#define store_u16 store_word
#define store_u8 store_word
#define cmpxchg_u64 cmpxchg_word
#define cmpxchg_u32 cmpxchg_word
#define cmpxchg_u16 cmpxchg_word
#define fetch_or_u64(p, v) fetch_word(p, |, v)
#define fetch_or_u32(p, v) fetch_word(p, |, v)
#define fetch_and_u64(p, v) fetch_word(p, &, v)
#define fetch_and_u32(p, v) fetch_word(p, &, v)
#define fetch_add_u64(p, v) fetch_word(p, +, v)
#define fetch_add_u32(p, v) fetch_word(p, +, v)
#define memory_fence() ((void)0)
#define bit_of(nr) (UINT64_C(1) << ((nr) % 64))
#define test_bit(nr, p) (((p)[(nr) / 64] & bit_of(nr)) != 0)
#define test_and_set_bit(nr, p) ((fetch_or_u64(&(p)[(nr) / 64], bit_of(nr)) & bit_of(nr)) != 0)
#define test_and_clear_bit(nr, p) ((fetch_and_u64(&(p)[(nr) / 64], ~bit_of(nr)) & bit_of(nr)) != 0)

#endif
