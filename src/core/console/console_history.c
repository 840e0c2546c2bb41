/* What was written to the machine's console, kept for `xl dmesg`. */
#include "base/arith.h"
#include "base/check.h"
#include "base/string.h"
#include "core/console/console.h"
#include "core/guest_mem/guest_mem.h"
#include "core/mem/page_alloc.h"
#include "core/state.h"

#define HISTORY_CHUNK 128u

_Static_assert((CONSOLE_HISTORY & (CONSOLE_HISTORY - 1)) == 0, "indices wrap at 2^32");

int console_history_init(void)
{
    hv->history.ring = hyp_pages_alloc(NULL, order_of_bytes(CONSOLE_HISTORY), FRAME_HYP);
    return hv->history.ring != NULL ? 0 : -XEN_ENOMEM;
}

void console_history_add(const char *s, size_t n)
{
    struct console_history *h = &hv->history;

    if (h->ring == NULL) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        h->ring[h->prod % CONSOLE_HISTORY] = s[i];
        h->prod++;
    }
    if (h->prod - h->cons > CONSOLE_HISTORY) {
        h->cons = h->prod - CONSOLE_HISTORY;
    }
}

void console_history_write(const char *s, size_t n)
{
    lock_acquire(&hv->log_lock);
    console_history_add(s, n);
    lock_release(&hv->log_lock);
}

/* Copies up to cap bytes from *at on, which moves on; from the oldest one when *at
 * was overwritten meanwhile. */
static size_t take(char *buf, size_t cap, uint32_t *at, uint32_t end)
{
    const struct console_history *h = &hv->history;
    size_t n = 0;

    lock_acquire(&hv->log_lock);
    if (h->prod - *at > CONSOLE_HISTORY) {
        *at = h->prod - CONSOLE_HISTORY;
    }
    /* end may lie behind the oldest byte by now. */
    for (; n < cap && *at != end && end - *at <= CONSOLE_HISTORY; n++, (*at)++) {
        buf[n] = h->ring[*at % CONSOLE_HISTORY];
    }
    lock_release(&hv->log_lock);
    return n;
}

int console_history_read(struct vcpu *v, uint64_t buffer, uint32_t *count, uint32_t *index,
                         bool incremental, bool clear)
{
    struct console_history *h = &hv->history;
    uint32_t at, end, done = 0;

    lock_acquire(&hv->log_lock);
    at = h->cons;
    end = h->prod;
    lock_release(&hv->log_lock);
    /* An index outside of what there is means: from the beginning. */
    if (incremental && *index - at <= end - at) {
        at = *index;
    }
    while (done < *count) {
        char buf[HISTORY_CHUNK];
        size_t n = take(buf, (size_t)min_u64(*count - done, sizeof(buf)), &at, end);

        if (n == 0) {
            break;
        }
        if (guest_copy_out(v, buffer + done, buf, n) != 0) {
            return -XEN_EFAULT;
        }
        done += (uint32_t)n;
    }
    if (clear) {
        lock_acquire(&hv->log_lock);
        if (at - h->cons <= h->prod - h->cons) {
            h->cons = at;
        }
        lock_release(&hv->log_lock);
    }
    *count = done;
    *index = at;
    return 0;
}
