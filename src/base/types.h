/* Fixed-width types, page constants and the typed addresses that keep frame
 * numbers and byte addresses of host and guest apart. */
#ifndef CORBEL_BASE_TYPES_H
#define CORBEL_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12u
#define PAGE_SIZE (UINT64_C(1) << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Machine frame number: names 4 KiB of the machine's own memory. */
typedef struct {
    uint64_t v;
} mfn_t;

/* Guest frame number: names 4 KiB of a domain's physical address space. */
typedef struct {
    uint64_t v;
} gfn_t;

/* Guest-physical byte address. */
typedef struct {
    uint64_t v;
} gaddr_t;

#define MFN_INVALID_V UINT64_MAX

/*@ assigns \nothing;
    ensures \result.v == v; */
static inline mfn_t mfn(uint64_t v)
{
    return (mfn_t){v};
}

/*@ assigns \nothing;
    ensures \result.v == v; */
static inline gfn_t gfn(uint64_t v)
{
    return (gfn_t){v};
}

/*@ assigns \nothing;
    ensures \result.v == v; */
static inline gaddr_t gaddr(uint64_t v)
{
    return (gaddr_t){v};
}

/*@ assigns \nothing;
    ensures \result.v == MFN_INVALID_V; */
static inline mfn_t mfn_invalid(void)
{
    return (mfn_t){MFN_INVALID_V};
}

/*@ assigns \nothing;
    ensures \result.v == MFN_INVALID_V; */
static inline gfn_t gfn_invalid(void)
{
    return (gfn_t){MFN_INVALID_V};
}

/*@ assigns \nothing;
    ensures \result <==> m.v == MFN_INVALID_V; */
static inline bool mfn_is_invalid(mfn_t m)
{
    return m.v == MFN_INVALID_V;
}

/*@ assigns \nothing;
    ensures \result <==> g.v == MFN_INVALID_V; */
static inline bool gfn_is_invalid(gfn_t g)
{
    return g.v == MFN_INVALID_V;
}

/*@ assigns \nothing;
    ensures \result.v == a.v / PAGE_SIZE; */
static inline gfn_t gaddr_gfn(gaddr_t a)
{
    return (gfn_t){a.v >> PAGE_SHIFT};
}

/*@ requires g.v <= UINT64_MAX / PAGE_SIZE;
    assigns \nothing;
    ensures \result.v == g.v * PAGE_SIZE; */
static inline gaddr_t gfn_gaddr(gfn_t g)
{
    return (gaddr_t){g.v << PAGE_SHIFT};
}

#endif
