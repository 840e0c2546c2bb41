/* The smallest program that still goes wrong in the same way. Every try is a process
 * of its own: what goes wrong may end it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/exec.h"
#include "fuzz/mutate.h"
#include "fuzz/oracle.h"
#include "fuzz/tool.h"

#define TIMEOUT_S 10u
#define KEY_BYTES 96u

/* What went wrong, up to the first number: places and addresses differ. Empty:
 * nothing. */
static void outcome(const struct program *p, char key[KEY_BYTES])
{
    int fd[2], status = 0;
    ssize_t n = 0;
    pid_t pid;

    memset(key, 0, KEY_BYTES);
    if (pipe(fd) != 0 || (pid = fork()) < 0) {
        abort();
    }
    if (pid == 0) {
        struct exec_options o = *oracle_options();
        const char *wrong;

        o.audit_each = true;
        alarm(TIMEOUT_S);
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(3);
        }
        wrong = exec_run(p, &o);
        if (wrong != NULL) {
            size_t len = strcspn(wrong, "0123456789\n");

            if (write(fd[1], wrong, len < KEY_BYTES ? len : KEY_BYTES - 1) < 0) {
                _exit(3);
            }
        }
        _exit(0);
    }
    close(fd[1]);
    n = read(fd[0], key, KEY_BYTES - 1);
    close(fd[0]);
    waitpid(pid, &status, 0);
    if (n <= 0 && status != 0) {
        snprintf(key, KEY_BYTES, "status %#x", (unsigned)status);
    }
}

int tool_minimise(const char *from, const char *to)
{
    static struct program best, tried;
    char want[KEY_BYTES], got[KEY_BYTES];
    bool smaller = true;

    if (tool_load(from, &best) != 0) {
        return 2;
    }
    outcome(&best, want);
    if (want[0] == '\0') {
        fprintf(stderr, "%s: nothing goes wrong\n", from);
        return 1;
    }
    while (smaller) {
        smaller = false;
        for (unsigned n = 0; shrink_step(&best, n, &tried);) {
            if (memcmp(&tried, &best, sizeof(best)) == 0) {
                n++;
                continue;
            }
            outcome(&tried, got);
            if (strcmp(got, want) != 0) {
                n++;
                continue;
            }
            smaller = true;
            n += tried.count == best.count;
            best = tried;
        }
    }
    printf("%s\n", want);
    printf("#fuzz\n");
    program_print(stdout, &best);
    return tool_save(to, &best);
}
