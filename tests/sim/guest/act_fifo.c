/* Event channels by the FIFO ABI: what act_evtchn.c does, once more, and priorities. */
#include "guest.h"

#define PRIORITY_DEFAULT EVTCHN_FIFO_PRIORITY_DEFAULT

static int64_t set_priority(uint32_t port, uint32_t priority)
{
    struct evtchn_set_priority op = {.port = port, .priority = priority};

    return evtchn_op(EVTCHNOP_set_priority, &op);
}

static void switch_over(void)
{
    struct evtchn_init_control control = {.control_gfn = hole_gfn(1), .vcpu = 0};
    struct evtchn_expand_array expand = {.array_gfn = hole_gfn(1)};

    EQ(evtchn_op(EVTCHNOP_init_control, &control), -XEN_EINVAL); /* no memory there */
    control.control_gfn = GFN(page_alloc());
    control.offset = PAGE - 8;
    EQ(evtchn_op(EVTCHNOP_init_control, &control), -XEN_EINVAL); /* crosses the page */
    control.offset = 4;
    EQ(evtchn_op(EVTCHNOP_init_control, &control), -XEN_EINVAL); /* not aligned */
    control.offset = 0;
    control.vcpu = 99;
    EQ(evtchn_op(EVTCHNOP_init_control, &control), -XEN_ENOENT);
    EQ(evtchn_op(EVTCHNOP_expand_array, &expand), -XEN_EOPNOTSUPP); /* not switched yet */
    OK(event_to_fifo());
    control.vcpu = 0;
    EQ(evtchn_op(EVTCHNOP_init_control, &control), -XEN_EINVAL); /* it has one */
    EQ(evtchn_op(EVTCHNOP_expand_array, &expand), -XEN_EINVAL);  /* no memory, or enough */
}

/* The order of the queues, not of sending; within one queue that of sending. */
static void priorities(void)
{
    static const uint32_t priority[5] = {PRIORITY_DEFAULT, 12, 3, PRIORITY_DEFAULT, 0};
    static const unsigned order[5] = {4, 2, 0, 3, 1};
    uint32_t ports[5], at;

    for (unsigned i = 0; i < 5; i++) {
        ports[i] = (uint32_t)event_ipi(0);
        EQ(set_priority(ports[i], priority[i]), 0);
    }
    EQ(set_priority(ports[0], EVTCHN_FIFO_MAX_QUEUES), -XEN_EINVAL);
    EQ(set_priority(PORTS_MAX - 1, 1), -XEN_EINVAL);
    for (unsigned round = 0; round < 3; round++) {
        irq_off();
        at = fired_logged;
        for (unsigned i = 0; i < 5; i++)
            event_send(ports[i]);
        EQ(fired_logged, at);
        irq_on();
        OK(WAIT(fired_logged == at + 5));
        for (unsigned i = 0; i < 5; i++)
            EQ(fired_log[(at + i) % 256], ports[order[i]]);
    }
    for (unsigned i = 0; i < 5; i++)
        event_close(ports[i]);
}

/* A masked event is in no queue, or stays in it unheard, and comes when unmasked. */
static void masked_in_queue(void)
{
    uint32_t a = (uint32_t)event_ipi(0), b = (uint32_t)event_ipi(0);

    irq_off();
    event_send(a);
    event_send(b);
    event_mask(a);
    irq_on();
    OK(WAIT(fired[b] == 1));
    EQ(fired[a], 0);
    OK(event_pending(a));
    EQ(event_unmask(a), 0);
    OK(WAIT(fired[a] == 1));
    EQ(event_close(a), 0);
    EQ(event_close(b), 0);
}

/* Garbage in what the guest shares harms nobody but its own events. */
static void garbage(void)
{
    uint32_t a = (uint32_t)event_ipi(0), b = (uint32_t)event_ipi(0);

    irq_off();
    event_send(a);
    *fifo_word(a) |= EVTCHN_FIFO_LINK_MASK; /* points beyond the array */
    EQ(event_send(b), 0);
    *fifo_word(a) &= ~EVTCHN_FIFO_LINK_MASK;
    irq_on();
    OK(WAIT(fired[a] == 1));
    event_send(b);
    rest(MS);
    *fifo_word(b) = 0;
    event_close(a);
    event_close(b);
}

const struct act acts_fifo[] = {
    {"fifo-switch", 1, switch_over},
    {"fifo-priority", 1, priorities},
    {"fifo-mask", 1, masked_in_queue},
    {"fifo-garbage", 1, garbage},
    {0},
};
