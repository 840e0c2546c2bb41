/* Shorthands of the grammar's tables. */
#ifndef CORBEL_FUZZ_GRAMMAR_TABLE_H
#define CORBEL_FUZZ_GRAMMAR_TABLE_H

#include <stddef.h>

#include "base/xen.h"
#include "fuzz/grammar.h"

#define MEMBER_SIZE(st, m) sizeof(((st *)0)->m)
/* A field of the structure; one of a list; a list of numbers that it points to. */
#define S(st, m, kind, arg)                                                                        \
    {                                                                                              \
#m, kind, IN_STRUCT, offsetof(st, m), MEMBER_SIZE(st, m), arg, NULL                        \
    }
#define E(st, m, vals)                                                                             \
    {                                                                                              \
#m, K_ENUM, IN_STRUCT, offsetof(st, m), MEMBER_SIZE(st, m), ARRAY_SIZE(vals), vals         \
    }
#define L(st, m, kind, n, arg)                                                                     \
    {                                                                                              \
#m, kind, IN_LIST, offsetof(st, m), n, arg, NULL                                           \
    }
/* The same for registers. */
#define R(reg, nm, kind, arg)                                                                      \
    {                                                                                              \
        nm, kind, IN_REG, reg, 8, arg, NULL                                                        \
    }
#define RE(reg, nm, vals)                                                                          \
    {                                                                                              \
        nm, K_ENUM, IN_REG, reg, 8, ARRAY_SIZE(vals), vals                                         \
    }
#define RL(reg, nm, kind, n, arg)                                                                  \
    {                                                                                              \
        nm, kind, IN_REGLIST, reg, n, arg, NULL                                                    \
    }
/* What only the operation itself knows. */
#define O(nm, kind, arg)                                                                           \
    {                                                                                              \
        nm, kind, IN_OP, 0, 8, arg, NULL                                                           \
    }
#define OE(nm, vals)                                                                               \
    {                                                                                              \
        nm, K_ENUM, IN_OP, 0, 8, ARRAY_SIZE(vals), vals                                            \
    }
#define TABLE(array)                                                                               \
    {                                                                                              \
        array, ARRAY_SIZE(array)                                                                   \
    }

#endif
