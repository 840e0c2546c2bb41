/* gdb's remote serial protocol: framing (GDB manual, appendix E.1). */
#include "hostsim/sim/gdbstub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int peer = -1;

int gdb_listen(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, err, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0) {
        peer = accept(fd, NULL, NULL);
    }
    err = errno;
    close(fd);
    errno = err;
    if (peer >= 0) {
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    return peer < 0 ? -1 : 0;
}

void gdb_close(void)
{
    if (peer >= 0) {
        close(peer);
    }
    peer = -1;
}

bool gdb_connected(void)
{
    return peer >= 0;
}

bool gdb_pending(void)
{
    struct pollfd p = {.fd = peer, .events = POLLIN};

    return peer >= 0 && poll(&p, 1, 0) > 0;
}

static int get_byte(void)
{
    uint8_t c;

    if (peer >= 0 && recv(peer, &c, 1, 0) == 1) {
        return c;
    }
    gdb_close();
    return -1;
}

static void put_bytes(const char *s, size_t n)
{
    while (n && peer >= 0) {
        ssize_t sent = send(peer, s, n, MSG_NOSIGNAL);

        if (sent <= 0) {
            gdb_close();
            return;
        }
        s += sent;
        n -= (size_t)sent;
    }
}

static int hex_digit(int c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool gdb_receive(char *buf, size_t cap)
{
    for (;;) {
        size_t n = 0;
        uint8_t sum = 0;
        int c = get_byte(), high, low;

        while (c >= 0 && c != '$' && c != 3) {
            c = get_byte();
        }
        if (c == 3) {
            strcpy(buf, "\003");
            return true;
        }
        for (c = get_byte(); c >= 0 && c != '#'; c = get_byte()) {
            sum = (uint8_t)(sum + c);
            if (n + 1 < cap) {
                buf[n++] = (char)c;
            }
        }
        high = hex_digit(get_byte());
        low = hex_digit(get_byte());
        if (peer < 0) {
            return false;
        }
        buf[n] = '\0';
        if (high * 16 + low == sum) {
            put_bytes("+", 1);
            return true;
        }
        put_bytes("-", 1);
    }
}

void gdb_send(const char *text)
{
    char frame[GDB_PACKET_MAX + 8];
    uint8_t sum = 0;
    int n;

    for (const char *s = text; *s; s++) {
        sum = (uint8_t)(sum + *s);
    }
    n = snprintf(frame, sizeof(frame), "$%s#%02x", text, sum);
    put_bytes(frame, (size_t)n < sizeof(frame) ? (size_t)n : sizeof(frame) - 1);
}

void gdb_hex(char *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = bytes;

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[b[i] >> 4];
        *out++ = digits[b[i] & 15];
    }
    *out = '\0';
}

bool gdb_unhex(void *out, const char *hex, size_t n)
{
    uint8_t *b = out;

    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);

        if (low < 0) {
            return false;
        }
        b[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool gdb_number(const char **s, uint64_t *value)
{
    const char *start = *s;

    *value = 0;
    while (hex_digit(**s) >= 0) {
        *value = *value << 4 | (unsigned)hex_digit(**s);
        (*s)++;
    }
    return *s != start;
}
