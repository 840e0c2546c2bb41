/* check() states what the hypervisor itself guarantees. A false condition is a
 * bug in Corbel, never a guest's doing: it panics with its place. */
#ifndef CORBEL_BASE_CHECK_H
#define CORBEL_BASE_CHECK_H

/* Reports a failed check and does not return. Defined by the core, which
 * hands it to port_panic(). */
/*@ requires never_fails: \false;
    terminates \true;
    assigns \nothing;
    ensures \false; */
__attribute__((noreturn)) void check_failed(const char *expr, const char *file, int line);

#define check(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))
#define unreachable_state() check_failed("unreachable", __FILE__, __LINE__)

#endif
