/* A 16550 UART: polled output, input by interrupt or by asking. */
#include "bare/bare.h"

#include "base/atomic.h"
#include "core/state.h"

#define UART_IER 1u
#define UART_FCR 2u
#define UART_LCR 3u
#define UART_MCR 4u
#define UART_LSR 5u
#define IER_RECEIVED 1u
#define LCR_DIVISOR 0x80u
#define LCR_8N1 3u
#define FCR_ON_EMPTY 7u
#define MCR_DTR_RTS 3u
#define MCR_OUT2 8u /* lets the interrupt line out */
#define LSR_RECEIVED 1u
#define LSR_THR_EMPTY 0x20u
#define LSR_EMPTY 0x40u
#define UART_SPIN_MAX 1000000u
#define UART_CLOCK 115200u
#define RECEIVE_MAX 64u /* in one go: a line that never falls silent must not hold a CPU */
#define RING 256u

/* What was received and nobody has read yet; CPU 0 only. */
static char ring[RING];
static unsigned ring_in, ring_out;
static uint16_t base = 0x3f8;
static bool by_interrupt, silent;

void uart_init(void)
{
    unsigned divisor = UART_CLOCK / options.com1_baud;

    uart_drain(); /* what was said with the settings from before */
    base = options.com1_base;
    silent = !options.console_com1;
    outb(base + UART_IER, 0);
    outb(base + UART_LCR, LCR_DIVISOR);
    outb(base, (uint8_t)divisor);
    outb(base + 1, (uint8_t)(divisor >> 8));
    outb(base + UART_LCR, LCR_8N1);
    outb(base + UART_FCR, FCR_ON_EMPTY);
    outb(base + UART_MCR, MCR_DTR_RTS | MCR_OUT2);
}

void uart_listen(void)
{
    by_interrupt = ioapic_route(options.com1_irq, VECTOR_SERIAL);
    if (by_interrupt)
        outb(base + UART_IER, IER_RECEIVED);
}

static void put(char c)
{
    unsigned spins = 0;

    while (!(inb(base + UART_LSR) & LSR_THR_EMPTY) && ++spins < UART_SPIN_MAX) {
    }
    outb(base, (uint8_t)c);
}

void uart_write(const char *s, size_t n)
{
    for (size_t i = 0; i < n && !silent; i++) {
        if (s[i] == '\n')
            put('\r');
        put(s[i]);
    }
}

void uart_drain(void)
{
    for (unsigned i = 0; i < UART_SPIN_MAX && !(inb(base + UART_LSR) & LSR_EMPTY); i++) {
    }
}

void uart_receive(void)
{
    for (unsigned i = 0; i < RECEIVE_MAX; i++) {
        uint8_t status = inb(base + UART_LSR);

        if (status == 0xff || !(status & LSR_RECEIVED))
            return;
        ring[ring_in % RING] = (char)inb(base);
        if (ring_in - ring_out < RING)
            ring_in++;
        /* So that CPU 0 leaves the guest that it runs, and looks. */
        if (hv)
            store_u32(&hv->cpu[0].resched, 1);
    }
}

bool uart_read(char *c)
{
    if (!by_interrupt)
        uart_receive();
    if (ring_in == ring_out)
        return false;
    *c = ring[ring_out++ % RING];
    return true;
}
