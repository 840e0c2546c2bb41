/* Between two inputs AFL++'s run time stops the process, and the fork server continues it by a
 * signal: several times what a short program takes. So this process says itself that it is
 * ready, in the place of the fork server, which waits for it to die and then goes on where it
 * is. AFL++ asks by a word; it expects the process's id, and its status when it is done. The id
 * for the next input goes with the status: only what AFL++ waits for wakes it up. */
#include "fuzz/afl.h"

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#define FORKSRV_FD 198 /* AFL++'s config.h; answers go to the next one */
#define STATUS_STOPPED (SIGSTOP << 8 | 0x7f)

extern uint8_t *__afl_area_ptr;

static int asks = -1, told = -1;

/* The fork server keeps its ends from its children: others, then. */
void afl_before_init(void)
{
    asks = dup(FORKSRV_FD);
    told = dup(FORKSRV_FD + 1);
}

bool afl_next(void)
{
    int32_t done[2] = {STATUS_STOPPED, getpid()};

    if (asks < 0 || told < 0) {
        return false;
    }
    if (write(told, done, sizeof(done)) != sizeof(done) ||
        read(asks, done, sizeof(done[0])) != sizeof(done[0])) {
        _exit(0); /* the fuzzer is gone */
    }
    __afl_area_ptr[0] = 1; /* as the run time does: no map is empty */
    return true;
}
