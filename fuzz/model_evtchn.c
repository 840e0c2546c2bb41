/* Event channels. A port's state is what EVTCHNOP_status tells of it. */
#include "fuzz/model.h"

#include "base/xen.h"

#include <string.h>

#include <xen/event_channel.h>

#include "core/evtchn/evtchn_private.h"

struct port {
    uint32_t status; /* EVTCHNSTAT_* */
    uint16_t domid;  /* unbound: for whom; interdomain: peer */
    uint32_t other;  /* interdomain: peer's port; VIRQ: which */
    uint32_t vcpu;
    bool consumer; /* the hypervisor itself listens: a guest's own may name DOMID_XEN too */
};

static struct port ports[MODEL_DOMAINS][MODEL_PORTS];
/* All from there on are closed; nobody writes to one but through port_of(). */
static uint32_t touched[MODEL_DOMAINS];

static struct port *port_of(uint16_t d, uint32_t p)
{
    if (d >= MODEL_DOMAINS || p >= MODEL_PORTS)
        return NULL;
    if (touched[d] <= p)
        touched[d] = p + 1;
    return &ports[d][p];
}

/* What the hypervisor holds of a port. */
static struct port held(const struct evtchn *chn)
{
    switch (chn->state) {
    case EVTCHN_UNBOUND:
        return (struct port){EVTCHNSTAT_unbound, chn->remote_domid, 0, chn->vcpu,
                             chn->consumer != CONSUMER_NONE};
    case EVTCHN_INTERDOMAIN:
        return (struct port){EVTCHNSTAT_interdomain, chn->remote_domid, chn->remote_port,
                             chn->vcpu};
    case EVTCHN_VIRQ:
        return (struct port){EVTCHNSTAT_virq, 0, chn->remote_port, chn->vcpu};
    case EVTCHN_IPI:
        return (struct port){EVTCHNSTAT_ipi, 0, 0, chn->vcpu};
    default:
        return (struct port){.status = EVTCHNSTAT_closed};
    }
}

/* d's ports from first on, EVTCHN_PER_BUCKET of them; NULL beyond the table. */
static const struct evtchn *bucket(const struct domain *d, uint32_t first)
{
    return d && first < d->evtchn.valid_ports ? evtchn_slot(d, first) : NULL;
}

static bool in_use(const struct evtchn *chn)
{
    return chn->state > EVTCHN_RESERVED;
}

void model_evtchn_import(void)
{
    for (uint16_t i = 0; i < MODEL_DOMAINS; i++) {
        const struct domain *d = exec_domain(i);
        uint32_t left = d ? d->evtchn.active : 0;

        memset(ports[i], 0, touched[i] * sizeof(ports[i][0]));
        touched[i] = 0;
        for (uint32_t p = 0; left != 0 && p < MODEL_PORTS; p += EVTCHN_PER_BUCKET) {
            const struct evtchn *b = bucket(d, p);

            for (uint32_t k = 0; b && left != 0 && k < EVTCHN_PER_BUCKET; k++) {
                if (in_use(&b[k])) {
                    *port_of(i, p + k) = held(&b[k]);
                    left--;
                }
            }
        }
    }
}

static void compare_port(const struct evtchn *chn, const struct port *m)
{
    struct port h;

    if (!in_use(chn) && m->status == EVTCHNSTAT_closed)
        return;
    h = held(chn);
    model_expect(h.status == m->status && h.domid == m->domid && h.other == m->other &&
                     h.vcpu == m->vcpu,
                 NULL, "EVT", "a port is not in the state that its history leads to");
}

void model_evtchn_compare(void)
{
    for (uint16_t i = 0; i < MODEL_DOMAINS; i++) {
        for (uint32_t p = 0; p < MODEL_PORTS; p += EVTCHN_PER_BUCKET) {
            const struct evtchn *b = bucket(exec_domain(i), p);

            for (uint32_t k = 0; b && k < EVTCHN_PER_BUCKET; k++)
                compare_port(&b[k], &ports[i][p + k]);
        }
    }
}

static bool virq_of_vcpu(uint32_t virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

/* A port that the hypervisor gave out was nobody's before. NULL: beyond the model. */
static struct port *fresh(const struct model_call *c, uint16_t d, uint32_t p)
{
    struct port *m = port_of(d, p);

    model_expect(p != 0, c, "EVT", "port 0 was given out");
    if (m)
        model_expect(m->status == EVTCHNSTAT_closed, c, "EVT", "a port in use was given out");
    return m;
}

static void alloc_unbound(const struct model_call *c)
{
    const evtchn_alloc_unbound_t *in = c->in, *out = c->out;
    uint16_t d = model_target(c, in->dom);
    struct port *m;

    if (c->done->rc != 0)
        return;
    model_expect(d == MODEL_DOMAINS || model_controls(c, d), c, "EVT",
                 "a port of another domain was allocated");
    m = d == MODEL_DOMAINS ? NULL : fresh(c, d, out->port);
    if (m)
        *m = (struct port){EVTCHNSTAT_unbound,
                           in->remote_dom == DOMID_SELF ? c->self : in->remote_dom, 0, 0};
}

static void bind_interdomain(const struct model_call *c)
{
    const evtchn_bind_interdomain_t *in = c->in, *out = c->out;
    uint16_t rd = model_target(c, in->remote_dom);
    struct port *r = port_of(rd, in->remote_port), *m;

    if (c->done->rc != 0)
        return;
    if (r)
        model_expect(r->status == EVTCHNSTAT_unbound && r->domid == c->self, c, "EVT",
                     "bound to a port that does not wait for the caller");
    m = fresh(c, c->self, out->local_port);
    if (m)
        *m = (struct port){EVTCHNSTAT_interdomain, rd, in->remote_port, 0};
    if (r) {
        r->status = EVTCHNSTAT_interdomain;
        r->other = out->local_port;
    }
}

static bool virq_bound(uint16_t d, uint32_t virq, uint32_t vcpu)
{
    for (uint32_t p = 1; p < touched[d]; p++) {
        const struct port *m = &ports[d][p];

        if (m->status == EVTCHNSTAT_virq && m->other == virq &&
            (m->vcpu == vcpu || !virq_of_vcpu(virq)))
            return true;
    }
    return false;
}

static void bind_virq(const struct model_call *c)
{
    const evtchn_bind_virq_t *in = c->in, *out = c->out;
    struct port *m;

    model_expect(c->done->rc != -XEN_EEXIST || virq_bound(c->self, in->virq, in->vcpu), c, "EVT",
                 "a VIRQ that is not bound counts as bound");
    if (c->done->rc != 0)
        return;
    model_expect(in->virq < NR_VIRQS && (virq_of_vcpu(in->virq) || in->vcpu == 0) &&
                     !virq_bound(c->self, in->virq, in->vcpu),
                 c, "EVT", "a VIRQ was bound that cannot be");
    m = fresh(c, c->self, out->port);
    if (m)
        *m = (struct port){EVTCHNSTAT_virq, 0, in->virq, in->vcpu};
}

static void bind_ipi(const struct model_call *c)
{
    const evtchn_bind_ipi_t *in = c->in, *out = c->out;
    struct port *m;

    if (c->done->rc != 0)
        return;
    m = fresh(c, c->self, out->port);
    if (m)
        *m = (struct port){EVTCHNSTAT_ipi, 0, 0, in->vcpu};
}

static void bind_vcpu(const struct model_call *c)
{
    const evtchn_bind_vcpu_t *in = c->in;
    struct port *m = port_of(c->self, in->port);

    if (c->done->rc != 0 || !m)
        return;
    model_expect(m->status == EVTCHNSTAT_unbound || m->status == EVTCHNSTAT_interdomain ||
                     (m->status == EVTCHNSTAT_virq && !virq_of_vcpu(m->other)),
                 c, "EVT", "a port was moved that cannot be");
    m->vcpu = in->vcpu;
}

static void unbind(uint16_t d, struct port *m)
{
    struct port *r = m->status == EVTCHNSTAT_interdomain ? port_of(m->domid, m->other) : NULL;

    if (r) {
        r->status = EVTCHNSTAT_unbound;
        r->domid = d;
        r->other = 0;
    }
    *m = (struct port){.status = EVTCHNSTAT_closed};
}

static void close(const struct model_call *c)
{
    const evtchn_close_t *in = c->in;
    struct port *m = port_of(c->self, in->port);

    if (!m || c->done->rc == -XEN_EFAULT)
        return;
    model_expect((c->done->rc == 0) == (m->status != EVTCHNSTAT_closed), c, "EVT",
                 "closing a port answers what its state does not allow");
    if (c->done->rc == 0)
        unbind(c->self, m);
}

static void send(const struct model_call *c)
{
    const evtchn_send_t *in = c->in;
    struct port *m = port_of(c->self, in->port);
    struct domain *rd;

    if (!m || c->done->rc == -XEN_EFAULT)
        return;
    model_expect((c->done->rc == 0) ==
                     (m->status == EVTCHNSTAT_unbound || m->status == EVTCHNSTAT_interdomain ||
                      m->status == EVTCHNSTAT_ipi),
                 c, "EVT", "sending on a port answers what its state does not allow");
    rd = m->status == EVTCHNSTAT_interdomain ? exec_domain(m->domid) : NULL;
    if (c->done->rc == 0 && rd && rd->shared_info && !rd->evtchn.fifo &&
        m->other < EVTCHN_2L_NR_CHANNELS)
        model_expect(rd->shared_info->evtchn_pending[m->other / 64] >> m->other % 64 & 1, c, "EVT",
                     "an event was sent and is not pending");
}

static void status(const struct model_call *c)
{
    const evtchn_status_t *in = c->in, *out = c->out;
    uint16_t d = model_target(c, in->dom);
    struct port *m = port_of(d, in->port);

    if (c->done->rc != 0)
        return;
    model_expect(d == MODEL_DOMAINS || model_controls(c, d), c, "EVT",
                 "the state of another domain's port was told");
    if (m)
        model_expect(out->status == m->status &&
                         (m->status == EVTCHNSTAT_closed || out->vcpu == m->vcpu),
                     c, "EVT", "a port's state is not told as it is");
}

static void reset(const struct model_call *c)
{
    const evtchn_reset_t *in = c->in;
    uint16_t d = model_target(c, in->dom);

    if (c->done->rc != 0 || d == MODEL_DOMAINS)
        return;
    model_expect(model_controls(c, d), c, "EVT", "another domain's ports were reset");
    for (uint32_t p = 1; p < touched[d]; p++) {
        struct port *m = &ports[d][p];

        /* Those of the hypervisor's own consumers stay. */
        if (!m->consumer)
            unbind(d, m);
    }
}

void model_evtchn_op(const struct model_call *c)
{
    switch (c->done->desc->sub) {
    case EVTCHNOP_alloc_unbound:
        alloc_unbound(c);
        break;
    case EVTCHNOP_bind_interdomain:
        bind_interdomain(c);
        break;
    case EVTCHNOP_bind_virq:
        bind_virq(c);
        break;
    case EVTCHNOP_bind_ipi:
        bind_ipi(c);
        break;
    case EVTCHNOP_bind_vcpu:
        bind_vcpu(c);
        break;
    case EVTCHNOP_close:
        close(c);
        break;
    case EVTCHNOP_send:
        send(c);
        break;
    case EVTCHNOP_status:
        status(c);
        break;
    case EVTCHNOP_reset:
        reset(c);
        break;
    default:
        break;
    }
}
