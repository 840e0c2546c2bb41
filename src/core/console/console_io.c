#include "base/arith.h"
#include "core/console/console.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/policy/policy.h"
#include "core/vcpu/vcpu.h"
#include "port/console.h"

#define IO_CHUNK 128u

/* args: command, count, buffer. What is written moves count and buffer on. */
static int64_t console_write(struct vcpu *v, uint64_t args[6])
{
    uint32_t count = (uint32_t)args[1];
    char buf[IO_CHUNK];

    while (count != 0) {
        size_t n = (size_t)min_u64(count, sizeof(buf));

        if (guest_copy_in(v, buf, args[2], n) != 0) {
            return -XEN_EFAULT;
        }
        port_console_write(v->domain->id, buf, n);
        if (v->domain->privileged) {
            console_history_write(buf, n);
        }
        count -= (uint32_t)n;
        args[1] = count;
        args[2] += n;
        if (count != 0 && hypercall_preempt()) {
            return HYPERCALL_RESTART;
        }
    }
    return 0;
}

/* Returns the number of characters read. */
static int64_t console_read(struct vcpu *v, uint64_t args[6])
{
    uint32_t count = (uint32_t)args[1];
    char buf[IO_CHUNK];
    size_t n;

    if (count > INT32_MAX) {
        return -XEN_E2BIG;
    }
    n = port_console_read(v->domain->id, buf, (size_t)min_u64(count, sizeof(buf)));
    if (guest_copy_out(v, args[2], buf, n) != 0) {
        return -XEN_EFAULT;
    }
    return (int64_t)n;
}

int64_t do_console_io(struct vcpu *v, uint64_t args[6])
{
    const struct domain *d = v->domain;
    int rc;

    switch ((uint32_t)args[0]) {
    case CONSOLEIO_write:
        rc = policy_check(POLICY_CONSOLE_WRITE, d, d);
        return rc != 0 ? rc : console_write(v, args);
    case CONSOLEIO_read:
        rc = policy_check(POLICY_CONSOLE_READ, d, d);
        return rc != 0 ? rc : console_read(v, args);
    default:
        rc = policy_check(POLICY_CONSOLE_READ, d, d);
        return rc != 0 ? rc : -XEN_ENOSYS;
    }
}
