/* Calls what the proofs know by contract only, on words that show a wrong body. Built by
 * eacsl.sh with E-ACSL, which wraps each call in the checks of its contract, and linked
 * with the true bodies (bodies.c). */
#include "base/atomic.h"

int main(void)
{
    uint64_t words[3] = {0, 0x8000000000000001, ~(uint64_t)0};
    uint64_t map[2];
    unsigned bad = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint64_t a = words[i];
        uint32_t b = (uint32_t)words[i];
        uint16_t c = (uint16_t)words[i];
        uint8_t d = (uint8_t)words[i];

        bad += load_u64(&a) != words[i];
        bad += load_u32(&b) != b || load_u16(&c) != c || load_u8(&d) != d;
        for (unsigned j = 0; j < 3; j++) {
            cmpxchg_u64(&a, words[j], 7);
            cmpxchg_u32(&b, (uint32_t)words[j], 7);
            cmpxchg_u16(&c, (uint16_t)words[j], 7);
            fetch_or_u64(&a, words[j]);
            fetch_or_u32(&b, (uint32_t)words[j]);
            fetch_and_u64(&a, words[j]);
            fetch_and_u32(&b, (uint32_t)words[j]);
            fetch_add_u64(&a, words[j]);
            fetch_add_u32(&b, (uint32_t)words[j]);
            store_u64(&a, words[j]);
            store_u32(&b, (uint32_t)words[j]);
            store_u16(&c, (uint16_t)words[j]);
            store_u8(&d, (uint8_t)words[j]);
        }
        if (words[i] != 0) {
            bad += (words[i] >> __builtin_ctzll(words[i]) & 1) == 0;
            bad += words[i] >> (63 - __builtin_clzll(words[i])) != 1;
        }
        memory_fence();
        map[0] = map[1] = words[i];
        for (uint64_t nr = 0; nr < 128; nr += 21) {
            bad += test_and_set_bit(nr, map) != ((words[i] >> (nr & 63) & 1) != 0);
            bad += !test_bit(nr, map);
            bad += !test_and_clear_bit(nr, map);
            bad += test_bit(nr, map);
        }
    }
    return bad != 0;
}
