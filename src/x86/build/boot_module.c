/* Command lines of multiboot modules. They come from whoever configured the
 * loader; a mistake there is named, not guessed around. */
#include "x86/build/boot_module.h"

#include "base/string.h"
#include "core/domain/domain.h"
#include "core/sched/sched.h"
#include "port/cpu.h"

#define MEMORY_DEFAULT (UINT64_C(256) << 20)
#define NUMBER_MAX UINT64_C(1000000000)

/* One word of the line: n characters at p. */
struct word {
    const char *p;
    size_t n;
};

static bool word_is(struct word w, const char *name)
{
    return str_len(name) == w.n && memcmp(w.p, name, w.n) == 0;
}

/* True iff w begins with key, which ends in '=': *value is the rest. */
static bool word_has(struct word w, const char *key, struct word *value)
{
    size_t n = str_len(key);

    if (w.n < n || memcmp(w.p, key, n) != 0) {
        return false;
    }
    value->p = w.p + n;
    value->n = w.n - n;
    return true;
}

/* Takes decimal digits off the front of w; false when there are none, or the
 * number is out of all proportion. */
/*@ predicate word_ok{L}(struct word w) = \valid_read(w.p + (0 .. w.n - 1));
    predicate digit(integer c) = '0' <= c <= '9';
    predicate name_char(integer c) = digit(c) || 'a' <= c <= 'z' || 'A' <= c <= 'Z' || c == '-' ||
        c == '_' || c == '.'; */

/*@ requires \valid(w) && \valid(out) && word_ok(*w) && \separated(w, out) &&
        \separated(w, w->p + (0 .. w->n - 1)) && \separated(out, w->p + (0 .. w->n - 1));
    assigns *w, *out;
    ensures word_ok(*w) && w->n <= \old(w->n);
    ensures \result ==> w->n < \old(w->n) && *out <= NUMBER_MAX;
    ensures \result ==> w->p == \old(w->p) + (\old(w->n) - w->n); */
static bool take_number(struct word *w, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;

    /*@ loop invariant i <= w->n && v <= NUMBER_MAX;
        loop assigns i, v;
        loop variant w->n - i; */
    for (; i < w->n && w->p[i] >= '0' && w->p[i] <= '9'; i++) {
        v = v * 10 + (uint64_t)(w->p[i] - '0');
        if (v > NUMBER_MAX) {
            return false;
        }
    }
    w->p += i;
    w->n -= i;
    *out = v;
    return i != 0;
}

/*@ requires word_ok(w) && \valid(out + (0 .. BOOT_MODULE_NAME - 1)) &&
        \separated(out + (0 .. BOOT_MODULE_NAME - 1), w.p + (0 .. w.n - 1));
    assigns out[0 .. BOOT_MODULE_NAME - 1];
    ensures \result == \null ==> 1 <= w.n < BOOT_MODULE_NAME && out[w.n] == 0 &&
        \forall integer i; 0 <= i < w.n ==> out[i] == w.p[i]; */
static const char *read_name(struct word w, char out[BOOT_MODULE_NAME])
{
    if (w.n == 0 || w.n >= BOOT_MODULE_NAME) {
        return "guest= wants a name of 1 to 31 characters";
    }
    /*@ loop invariant i <= w.n && \forall integer j; 0 <= j < i ==> out[j] == w.p[j];
        loop assigns i, out[0 .. BOOT_MODULE_NAME - 1];
        loop variant w.n - i; */
    for (size_t i = 0; i < w.n; i++) {
        char c = w.p[i], lower = (char)(c | 0x20);

        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' &&
            c != '.') {
            return "a guest's name has letters, digits, '-', '_' and '.' only";
        }
        out[i] = c;
    }
    out[w.n] = '\0';
    return NULL;
}

/*@ requires word_ok(w) && \valid(out) && \separated(out, w.p + (0 .. w.n - 1));
    assigns *out;
    ensures \result == \null ==> *out % PAGE_SIZE == 0 &&
        BOOT_MODULE_MEMORY_MIN <= *out <= BOOT_MODULE_MEMORY_MAX; */
static const char *read_memory(struct word w, uint64_t *out)
{
    uint64_t size;
    unsigned shift = 20;

    if (!take_number(&w, &size)) {
        return "memory= wants a number of MiB, or a size with K, M or G";
    }
    if (w.n == 1) {
        char unit = (char)(w.p[0] | 0x20);

        shift = unit == 'k' ? 10 : unit == 'm' ? 20 : unit == 'g' ? 30 : 0;
    }
    if (w.n > 1 || shift == 0) {
        return "memory= wants a number of MiB, or a size with K, M or G";
    }
    size <<= shift;
    size -= size % PAGE_SIZE;
    if (size < BOOT_MODULE_MEMORY_MIN || size > BOOT_MODULE_MEMORY_MAX) {
        return "memory= is out of range";
    }
    *out = size;
    return NULL;
}

/*@ requires word_ok(w) && \valid(out) && \separated(out, w.p + (0 .. w.n - 1));
    assigns *out;
    ensures \result == \null ==> 1 <= *out <= max; */
static const char *read_count(struct word w, uint64_t max, uint64_t *out)
{
    if (!take_number(&w, out) || w.n != 0 || *out == 0 || *out > max) {
        return "vcpus= or weight= is out of range";
    }
    return NULL;
}

/*@ requires word_ok(w) && \valid(out) && \separated(out, w.p + (0 .. w.n - 1));
    assigns *out; */
static const char *read_cpus(struct word w, uint64_t *out)
{
    *out = 0;
    /*@ loop invariant word_ok(w);
        loop invariant \separated(out, w.p + (0 .. w.n - 1));
        loop assigns w, *out;
        loop variant w.n; */
    for (;;) {
        uint64_t first, last;

        if (!take_number(&w, &first)) {
            break;
        }
        last = first;
        if (w.n != 0 && w.p[0] == '-') {
            w.p++;
            w.n--;
            if (!take_number(&w, &last)) {
                break;
            }
        }
        if (first > last || last >= MAX_CPUS) {
            break;
        }
        /*@ loop invariant first <= i <= last + 1;
            loop assigns i, *out;
            loop variant last + 1 - i; */
        for (uint64_t i = first; i <= last; i++) {
            *out |= UINT64_C(1) << i;
        }
        if (w.n == 0) {
            return NULL;
        }
        if (w.p[0] != ',') {
            break;
        }
        w.p++;
        w.n--;
    }
    return "cpus= wants a list of CPUs as 0-1,3";
}

static const char *read_word(struct word w, struct boot_module *out)
{
    const char *wrong = NULL;
    struct word v;
    uint64_t count = 0;

    if (word_has(w, "guest=", &v)) {
        wrong = read_name(v, out->guest);
    } else if (word_is(w, "role=kernel")) {
        out->role = MODULE_KERNEL;
    } else if (word_is(w, "role=ramdisk")) {
        out->role = MODULE_RAMDISK;
    } else if (word_has(w, "memory=", &v)) {
        wrong = read_memory(v, &out->memory);
    } else if (word_has(w, "vcpus=", &v)) {
        wrong = read_count(v, MAX_VCPUS, &count);
        out->vcpus = (uint32_t)count;
    } else if (word_has(w, "weight=", &v)) {
        wrong = read_count(v, SCHED_WEIGHT_MAX, &count);
        out->weight = (uint16_t)count;
    } else if (word_has(w, "cpus=", &v)) {
        wrong = read_cpus(v, &out->cpus);
    } else {
        wrong = "words before -- are guest=, role=, memory=, vcpus=, cpus= and weight=";
    }
    return wrong;
}

/* Whether any word of s is a guest=: other modules are not ours to judge. */
static bool names_guest(const char *s)
{
    bool start = true;

    for (; *s != '\0'; s++) {
        if (start && s[0] == '-' && s[1] == '-' && (s[2] == ' ' || s[2] == '\0')) {
            return false;
        }
        if (start && str_len_max(s, 6) == 6 && memcmp(s, "guest=", 6) == 0) {
            return true;
        }
        start = *s == ' ';
    }
    return false;
}

const char *boot_module_parse(const char *s, struct boot_module *out)
{
    memset(out, 0, sizeof(*out));
    if (!names_guest(s)) {
        return NULL;
    }
    out->role = MODULE_KERNEL;
    out->memory = MEMORY_DEFAULT;
    out->vcpus = 1;
    out->weight = SCHED_WEIGHT_DEFAULT;
    for (bool first = true;; first = false) {
        struct word w = {s, 0};
        const char *wrong;

        while (*w.p == ' ') {
            w.p++;
        }
        while (w.p[w.n] != '\0' && w.p[w.n] != ' ') {
            w.n++;
        }
        s = w.p + w.n;
        if (w.n == 0) {
            return NULL;
        }
        if (word_is(w, "--")) {
            while (*s == ' ') {
                s++;
            }
            out->cmdline = s;
            return NULL;
        }
        wrong = first && w.p[0] == '/' ? NULL : read_word(w, out);
        if (wrong != NULL) {
            return wrong;
        }
    }
}
