/* struct xenctl_bitmap: bytes, the lowest bit first. */
#include "base/arith.h"
#include "core/control/control.h"
#include "core/guest_mem/guest_mem.h"

#define ZERO_CHUNK 64u

static uint32_t bytes_of(uint32_t bits)
{
    return bits / 8 + (bits % 8 != 0 ? 1 : 0);
}

static uint64_t low_bits(uint32_t bits)
{
    return bits >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
}

int control_bitmap_in(struct vcpu *v, const struct xenctl_bitmap *map, unsigned bits, uint64_t *out)
{
    uint64_t value = 0;
    size_t n = (size_t)min_u64(bytes_of(map->nr_bits), bytes_of(bits));

    if (map->nr_bits > CONTROL_BITMAP_MAX) {
        return -XEN_E2BIG;
    }
    if (guest_copy_in(v, &value, CONTROL_GVA(map->bitmap), n) != 0) {
        return -XEN_EFAULT;
    }
    *out = value & low_bits(map->nr_bits) & low_bits(bits);
    return 0;
}

int control_bitmap_out(struct vcpu *v, const struct xenctl_bitmap *map, unsigned bits,
                       uint64_t value)
{
    static const uint8_t zeroes[ZERO_CHUNK];
    uint64_t gva = CONTROL_GVA(map->bitmap);
    uint32_t size = bytes_of(map->nr_bits), done;

    if (map->nr_bits > CONTROL_BITMAP_MAX) {
        return -XEN_E2BIG;
    }
    value &= low_bits(bits);
    done = (uint32_t)min_u64(size, bytes_of(bits));
    if (guest_copy_out(v, gva, &value, done) != 0) {
        return -XEN_EFAULT;
    }
    while (done < size) {
        uint32_t n = (uint32_t)min_u64(size - done, ZERO_CHUNK);

        if (guest_copy_out(v, gva + done, zeroes, n) != 0) {
            return -XEN_EFAULT;
        }
        done += n;
    }
    return 0;
}
