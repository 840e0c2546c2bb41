/* The loop that every physical CPU runs. */
#include "core/init.h"

#include "base/atomic.h"
#include "core/arch.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

void cpu_online(unsigned cpu)
{
    struct cpu *c = &hv->cpu[cpu];

    store_u32(&c->resched, 1);
    store_u8((uint8_t *)&c->online, true);
}

void cpu_turn(void)
{
    struct cpu *c = this_cpu();

    timers_run();
    domain_settle();
    if (c->current == NULL || load_u32(&c->resched) != 0 || !vcpu_runnable(c->current)) {
        schedule();
    }
    if (c->current != NULL) {
        arch_vcpu_run(c->current);
    } else if (!sched_pending() && !page_scrub_some()) {
        uint64_t since = port_time_now();

        port_cpu_idle();
        store_u64(&c->idle_ns, c->idle_ns + port_time_now() - since);
    }
}
