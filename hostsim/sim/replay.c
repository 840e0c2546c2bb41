/* Replays run on an engine of their own, which does what the program says instead of
 * what a kernel's code says: in a program of its own, which this becomes. */
#include "hostsim/sim/replay.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hostsim/sim/sim.h"

/* Beside corbel-sim where it is installed, or in the same build. */
static const char *const places[] = {"corbel-replay", "../fuzz/fuzz_tool"};

/* argv is "replay FILE..." of "corbel-sim replay FILE...": argv[-1] is there. */
int replay_main(int argc, char **argv)
{
    char self[PATH_MAX], path[2 * PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *dir;

    if (argc < 2) {
        fprintf(stderr, "usage: corbel-sim replay FILE...\n");
        return SIM_USAGE;
    }
    if (n < 0) {
        perror("corbel-sim: /proc/self/exe");
        return SIM_USAGE;
    }
    self[n] = '\0';
    dir = dirname(self);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, places[i]);
        if (access(path, X_OK) != 0) {
            continue;
        }
        execv(path, argv - 1);
        perror(path);
        return SIM_USAGE;
    }
    fprintf(stderr, "corbel-sim: fuzz_tool is not there: build it (ninja fuzz_tool)\n");
    return SIM_USAGE;
}
