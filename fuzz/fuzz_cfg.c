/* xl.cfg files as corbel-sim reads them: whatever the text, an answer and no memory
 * error. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostsim/engine/engine.h"
#include "hostsim/sim/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct sim sim;

/* What the rest of corbel-sim would give. */
int sim_error(const char *fmt, ...)
{
    return SIM_USAGE;
}

const char *engine_version(void)
{
    return "";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct sim_options o;
    char *arguments[] = {"corbel-sim", NULL, NULL};
    int fd = memfd_create("cfg", 0);
    char path[64];

    if (fd < 0 || write(fd, data, len) != (ssize_t)len) {
        abort();
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    arguments[1] = path;
    optind = 1;
    o.guests = 0;
    (void)options_parse(2, arguments, &o);
    close(fd);
    return 0;
}
