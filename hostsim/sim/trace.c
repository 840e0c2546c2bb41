#include <errno.h>
#include <string.h>

#include "hostsim/sim/sim.h"
#include "hostsim/world/trace_json.h"

int trace_start(void)
{
    if (!sim.opt.trace) {
        return 0;
    }
    if (trace_json_open(sim.opt.trace, sim.opt.pcpus) != 0) {
        return sim_error("%s: %s", sim.opt.trace, strerror(errno));
    }
    world_trace_sink = trace_json_event;
    return 0;
}

int trace_stop(void)
{
    world_trace_sink = NULL;
    if (trace_json_close() != 0) {
        return sim_error("%s: could not be written completely", sim.opt.trace);
    }
    return 0;
}
