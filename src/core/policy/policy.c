#include "core/policy/policy.h"

#include "base/check.h"
#include "base/xen.h"
#include "core/domain/domain.h"

/* When an unprivileged domain may do it. The privileged domain may do all. */
enum rule {
    NEVER = 0,
    ALWAYS,
    BUILT_IN_CONSOLE, /* the subject's console is served by the hypervisor itself */
};

/* One line per operation: to itself, to another domain, to the system. */
struct policy_line {
    uint8_t self, other, system; /* enum rule */
};

static const struct policy_line table[POLICY_OPS] = {
    [POLICY_MEMORY_ADJUST] = {ALWAYS, NEVER, NEVER},
    [POLICY_MEMORY_STAT] = {ALWAYS, NEVER, NEVER},
    [POLICY_MEMORY_MAP] = {ALWAYS, NEVER, NEVER},
    [POLICY_FOREIGN_MAP] = {NEVER, NEVER, NEVER},
    [POLICY_MACHINE_MAP] = {NEVER, NEVER, NEVER},
    [POLICY_EVTCHN_UNBOUND] = {ALWAYS, NEVER, NEVER},
    [POLICY_EVTCHN_BIND] = {ALWAYS, ALWAYS, NEVER},
    [POLICY_EVTCHN_SEND] = {ALWAYS, ALWAYS, NEVER},
    [POLICY_EVTCHN_STATUS] = {ALWAYS, NEVER, NEVER},
    [POLICY_EVTCHN_RESET] = {ALWAYS, NEVER, NEVER},
    [POLICY_GRANT_SETUP] = {ALWAYS, NEVER, NEVER},
    [POLICY_GRANT_QUERY] = {ALWAYS, NEVER, NEVER},
    [POLICY_GRANT_MAP] = {ALWAYS, ALWAYS, NEVER},
    [POLICY_GRANT_COPY] = {ALWAYS, ALWAYS, NEVER},
    [POLICY_HVM_PARAM_GET] = {ALWAYS, NEVER, NEVER},
    [POLICY_HVM_PARAM_SET] = {ALWAYS, NEVER, NEVER},
    [POLICY_SHUTDOWN_OTHER] = {NEVER, NEVER, NEVER},
    [POLICY_CONSOLE_READ] = {NEVER, NEVER, NEVER},
    [POLICY_CONSOLE_WRITE] = {BUILT_IN_CONSOLE, NEVER, NEVER},
    [POLICY_DOMCTL] = {NEVER, NEVER, NEVER},
    [POLICY_SYSCTL] = {NEVER, NEVER, NEVER},
    [POLICY_PLATFORM] = {NEVER, NEVER, NEVER},
};

static bool holds(unsigned rule, const struct domain *subject)
{
    switch (rule) {
    case ALWAYS:
        return true;
    case BUILT_IN_CONSOLE:
        return subject->console.ring != NULL;
    default:
        return false;
    }
}

int policy_check(enum policy_op op, const struct domain *subject, const struct domain *object)
{
    const struct policy_line *line;
    unsigned rule;

    check(op < POLICY_OPS);
    if (subject->privileged) {
        return 0;
    }
    line = &table[op];
    rule = object == NULL ? line->system : object == subject ? line->self : line->other;
    return holds(rule, subject) ? 0 : -XEN_EPERM;
}
