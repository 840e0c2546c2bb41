/* 16550 UART at COM1, polled output. */
#include "bare/bare.h"

#define COM1 0x3f8u
#define UART_LSR 5u
#define LSR_THR_EMPTY 0x20u
#define UART_SPIN_MAX 1000000u

void uart_init(void)
{
    outb(COM1 + 1, 0);    /* no interrupts */
    outb(COM1 + 3, 0x80); /* divisor latch */
    outb(COM1 + 0, 1);    /* 115200 */
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3); /* 8n1 */
    outb(COM1 + 2, 7); /* FIFOs on and empty */
    outb(COM1 + 4, 3); /* DTR, RTS */
}

static void put(char c)
{
    unsigned spins = 0;

    while (!(inb(COM1 + UART_LSR) & LSR_THR_EMPTY) && ++spins < UART_SPIN_MAX) {
    }
    outb(COM1, (uint8_t)c);
}

void uart_write(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n')
            put('\r');
        put(s[i]);
    }
}
