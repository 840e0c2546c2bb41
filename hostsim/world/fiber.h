/* Coroutines: a stack each, switched by hand, known to AddressSanitizer. */
#ifndef CORBEL_HOSTSIM_FIBER_H
#define CORBEL_HOSTSIM_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber {
    void *sp;   /* saved stack pointer while it does not run */
    char *map;  /* guard page and stack; NULL for the thread's own stack */
    void *fake; /* AddressSanitizer's fake stack */
    const void *bottom;
    size_t size;
    void (*fn)(void *);
    void *arg;
};

/* Gives f a stack on which its first switch calls fn(arg), which must not
 * return. 0, or -1 when there is no memory. */
int fiber_create(struct fiber *f, void (*fn)(void *), void *arg);
void fiber_destroy(struct fiber *f);

/* Leaves from, which continues when somebody switches back; gone: it never will. */
void fiber_switch(struct fiber *from, struct fiber *to, bool gone);

#endif
