#include "core/policy/policy.h"

#include "base/check.h"
#include "base/xen.h"
#include "core/domain/domain.h"
#include "core/state.h"

/* When an unprivileged domain may do it. The privileged domain may do all. */
enum rule {
    NEVER = 0,
    ALWAYS,
    BUILT_IN_CONSOLE, /* the subject's console is served by the hypervisor itself */
    XENSTORE,         /* the subject is the domain that serves xenstore */
    UNLESS_SILO,      /* the default policy is in force */
};

/* One line per operation: to itself, to the privileged domain, to another one, to
 * the system. */
struct policy_line {
    uint8_t self, control, other, system; /* enum rule */
};

/* What two domains do together, each having agreed to it. */
#define PEERS .self = ALWAYS, .control = ALWAYS, .other = UNLESS_SILO

static const struct policy_line table[POLICY_OPS] = {
    [POLICY_MEMORY_ADJUST] = {.self = ALWAYS},
    [POLICY_MEMORY_STAT] = {.self = ALWAYS},
    [POLICY_MEMORY_MAP] = {.self = ALWAYS},
    [POLICY_FOREIGN_MAP] = {NEVER},
    [POLICY_MACHINE_MAP] = {NEVER},
    [POLICY_EVTCHN_UNBOUND] = {.self = ALWAYS},
    [POLICY_EVTCHN_BIND] = {PEERS},
    [POLICY_EVTCHN_SEND] = {ALWAYS, ALWAYS, ALWAYS, NEVER}, /* what is bound may be used */
    [POLICY_EVTCHN_STATUS] = {.self = ALWAYS},
    [POLICY_EVTCHN_RESET] = {.self = ALWAYS},
    [POLICY_GRANT_SETUP] = {.self = ALWAYS},
    [POLICY_GRANT_QUERY] = {.self = ALWAYS},
    [POLICY_GRANT_MAP] = {PEERS},
    [POLICY_GRANT_COPY] = {PEERS},
    [POLICY_HVM_PARAM_GET] = {.self = ALWAYS},
    [POLICY_HVM_PARAM_SET] = {.self = ALWAYS},
    [POLICY_SHUTDOWN_OTHER] = {NEVER},
    [POLICY_CONSOLE_READ] = {NEVER},
    [POLICY_CONSOLE_WRITE] = {BUILT_IN_CONSOLE, NEVER, NEVER, NEVER},
    [POLICY_DOMCTL] = {NEVER},
    [POLICY_SYSCTL] = {NEVER},
    [POLICY_PLATFORM] = {NEVER},
    [POLICY_MEMORY_CLAIM] = {NEVER},
    [POLICY_POD_TARGET] = {NEVER},
    [POLICY_MEM_ACCESS] = {NEVER},
    [POLICY_RESOURCE_MAP] = {NEVER},
    [POLICY_EVTCHN_PEER] = {PEERS},
    [POLICY_DOMAIN_INFO] = {XENSTORE, XENSTORE, XENSTORE, NEVER},
};

/*@ // What no unprivileged domain may do to anybody.
    predicate control_op(integer op) = op == POLICY_FOREIGN_MAP || op == POLICY_MACHINE_MAP ||
        op == POLICY_SHUTDOWN_OTHER || op == POLICY_CONSOLE_READ || op == POLICY_DOMCTL ||
        op == POLICY_SYSCTL || op == POLICY_PLATFORM || op == POLICY_MEMORY_CLAIM ||
        op == POLICY_POD_TARGET || op == POLICY_MEM_ACCESS || op == POLICY_RESOURCE_MAP;
    // What it may do to itself alone.
    predicate own_op(integer op) = op == POLICY_MEMORY_ADJUST || op == POLICY_MEMORY_STAT ||
        op == POLICY_MEMORY_MAP || op == POLICY_EVTCHN_UNBOUND || op == POLICY_EVTCHN_STATUS ||
        op == POLICY_EVTCHN_RESET || op == POLICY_GRANT_SETUP || op == POLICY_GRANT_QUERY ||
        op == POLICY_HVM_PARAM_GET || op == POLICY_HVM_PARAM_SET;
    // What two domains do together.
    predicate peer_op(integer op) = op == POLICY_EVTCHN_BIND || op == POLICY_GRANT_MAP ||
        op == POLICY_GRANT_COPY || op == POLICY_EVTCHN_PEER; */

/*@ requires \valid_read(subject) && \valid_read(hv);
    assigns \nothing;
    ensures rule == NEVER ==> !\result;
    ensures rule == ALWAYS ==> \result;
    ensures rule == UNLESS_SILO ==> (\result <==> !hv->policy_silo);
    ensures rule == XENSTORE ==> (\result <==> subject->xenstore);
    ensures rule == BUILT_IN_CONSOLE ==> (\result <==> subject->console.ring != \null);
    ensures unknown_is_never: rule > UNLESS_SILO ==> !\result; */
static bool holds(unsigned rule, const struct domain *subject)
{
    switch (rule) {
    case ALWAYS:
        return true;
    case BUILT_IN_CONSOLE:
        return subject->console.ring != NULL;
    case XENSTORE:
        return subject->xenstore;
    case UNLESS_SILO:
        return !hv->policy_silo;
    default:
        return false;
    }
}

/*@ requires \valid_read(line) && (object == \null || \valid_read(object));
    assigns \nothing;
    ensures object == \null ==> \result == line->system;
    ensures object != \null && object == subject ==> \result == line->self;
    ensures object != \null && object != subject ==>
        \result == (object->privileged ? line->control : line->other); */
static unsigned rule_of(const struct policy_line *line, const struct domain *subject,
                        const struct domain *object)
{
    if (object == NULL) {
        return line->system;
    }
    if (object == subject) {
        return line->self;
    }
    return object->privileged ? line->control : line->other;
}

/*@ requires op < POLICY_OPS && \valid_read(hv) && \valid_read(subject);
    requires object == \null || \valid_read(object);
    assigns \nothing;
    ensures total: \result == 0 || \result == -XEN_EPERM;
    ensures subject->privileged ==> \result == 0;
    ensures no_control: !subject->privileged && control_op(op) ==> \result == -XEN_EPERM;
    ensures own: !subject->privileged && own_op(op) && object != subject ==>
        \result == -XEN_EPERM;
    ensures own_op(op) && object == subject ==> \result == 0;
    ensures silo: !subject->privileged && peer_op(op) && hv->policy_silo && object != subject &&
        (object != \null ==> !object->privileged) ==> \result == -XEN_EPERM;
    ensures system: !subject->privileged && object == \null ==> \result == -XEN_EPERM;
    ensures console: !subject->privileged && op == POLICY_CONSOLE_WRITE ==>
        (\result == 0 <==> object == subject && subject->console.ring != \null);
    ensures info: !subject->privileged && op == POLICY_DOMAIN_INFO && !subject->xenstore ==>
        \result == -XEN_EPERM; */
int policy_check(enum policy_op op, const struct domain *subject, const struct domain *object)
{
    check(op < POLICY_OPS);
    if (subject->privileged || holds(rule_of(&table[op], subject, object), subject)) {
        return 0;
    }
    return -XEN_EPERM;
}

/*@ requires op < POLICY_OPS && \valid_read(hv) && \valid_read(subject) && \valid_read(a);
    requires b == \null || \valid_read(b);
    assigns \nothing;
    ensures \result == 0 || \result == -XEN_EPERM;
    ensures no_control: !subject->privileged && !a->privileged && control_op(op) ==>
        \result == -XEN_EPERM;
    ensures own: !subject->privileged && !a->privileged && own_op(op) && a != b ==>
        \result == -XEN_EPERM; */
int policy_check_pair(enum policy_op op, const struct domain *subject, const struct domain *a,
                      const struct domain *b)
{
    return subject->privileged ? 0 : policy_check(op, a, b);
}
