/* Bytes to operations and back. */
#include "fuzz/program.h"

#include <string.h>

/* Thresholds of the mode byte, lowest first: what random bytes choose how often. */
static const uint8_t mode_from[OPERAND_MODES] = {0, 160, 208, 240};
#define MOD_FROM 192u
#define HEADER_TEARDOWN 1u

static uint8_t mode_of(uint8_t byte)
{
    uint8_t m = OPERAND_MODES - 1;

    while (byte < mode_from[m]) {
        m--;
    }
    return m;
}

void op_decode(const uint8_t *record, struct op *o)
{
    const struct op_desc *d;
    unsigned fields;

    grammar_init();
    memset(o, 0, sizeof(*o));
    o->code = (uint16_t)(record[0] % grammar_count);
    o->dom = record[1] & 3;
    o->vcpu = record[1] >> 2 & 1;
    o->paging = (record[1] >> 3 & 1) != 0;
    o->mod =
        record[2] < MOD_FROM ? MOD_NONE : (uint8_t)(1 + (record[2] - MOD_FROM) % (OP_MODS - 1));
    o->mod_arg = o->mod != MOD_NONE ? record[3] : 0;
    d = grammar_ops[o->code];
    fields = grammar_fields(d);
    for (unsigned i = 0; i < fields; i++) {
        const uint8_t *p = record + 4 + 3 * i;

        if (d->field[i].kind != K_NONE) {
            o->f[i].mode = mode_of(p[0]);
            o->f[i].val = (uint16_t)(p[1] | p[2] << 8);
        }
    }
}

void op_encode(const struct op *o, uint8_t *record)
{
    memset(record, 0, RECORD_BYTES);
    record[0] = (uint8_t)o->code;
    record[1] = (uint8_t)(o->dom | o->vcpu << 2 | (o->paging ? 8 : 0));
    record[2] = o->mod == MOD_NONE ? 0 : (uint8_t)(MOD_FROM + o->mod - 1);
    record[3] = o->mod_arg;
    for (unsigned i = 0; i < OP_FIELDS; i++) {
        uint8_t *p = record + 4 + 3 * i;

        p[0] = mode_from[o->f[i].mode];
        p[1] = (uint8_t)o->f[i].val;
        p[2] = (uint8_t)(o->f[i].val >> 8);
    }
}

void program_decode(const uint8_t *bytes, size_t len, struct program *p)
{
    size_t n = len / RECORD_BYTES;

    p->teardown = n != 0 && (bytes[0] & HEADER_TEARDOWN) != 0;
    p->count = n == 0 ? 0 : n - 1 < PROGRAM_OPS ? (unsigned)n - 1 : PROGRAM_OPS;
    for (unsigned i = 0; i < p->count; i++) {
        op_decode(bytes + (size_t)(i + 1) * RECORD_BYTES, &p->op[i]);
    }
}

size_t program_encode(const struct program *p, uint8_t *bytes)
{
    memset(bytes, 0, RECORD_BYTES);
    bytes[0] = p->teardown ? HEADER_TEARDOWN : 0;
    for (unsigned i = 0; i < p->count; i++) {
        op_encode(&p->op[i], bytes + (size_t)(i + 1) * RECORD_BYTES);
    }
    return (size_t)(p->count + 1) * RECORD_BYTES;
}

static const char *const mode_prefix[OPERAND_MODES] = {"", "e", "r", "$"};
static const char *const mod_name[OP_MODS] = {"",        "race", "fetch", "fail",
                                              "preempt", "gone", "shared"};

void op_print(FILE *f, const struct op *o)
{
    const struct op_desc *d = grammar_ops[o->code];

    fprintf(f, "%u.%u%s %s", o->dom, o->vcpu, o->paging ? "p" : "", d->name);
    for (unsigned i = 0; i < grammar_fields(d); i++) {
        if (d->field[i].kind != K_NONE) {
            fprintf(f, " %s=%s%u", d->field[i].name, mode_prefix[o->f[i].mode], o->f[i].val);
        }
    }
    if (o->mod != MOD_NONE) {
        fprintf(f, " !%s=%u", mod_name[o->mod], o->mod_arg);
    }
}

void program_print(FILE *f, const struct program *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        op_print(f, &p->op[i]);
        fputc('\n', f);
    }
    if (p->teardown) {
        fprintf(f, "teardown\n");
    }
}

/* "name=VALUE" or "!mod=N" into o. */
static bool parse_word(const char *word, struct op *o)
{
    const struct op_desc *d = grammar_ops[o->code];
    char name[64];
    unsigned n, val;
    int at = 0;

    if (sscanf(word, "!%63[a-z]=%u", name, &val) == 2) {
        for (o->mod = 1; o->mod < OP_MODS; o->mod++) {
            if (strcmp(mod_name[o->mod], name) == 0) {
                o->mod_arg = (uint8_t)val;
                return true;
            }
        }
        o->mod = MOD_NONE;
        return false;
    }
    if (sscanf(word, "%63[^=]=%n", name, &at) != 1 || at == 0) {
        return false;
    }
    for (n = 0; n < grammar_fields(d) && strcmp(d->field[n].name, name) != 0; n++) {
    }
    if (n == grammar_fields(d)) {
        return false;
    }
    for (unsigned m = OPERAND_MODES; m-- != 0;) {
        size_t len = strlen(mode_prefix[m]);

        if (strncmp(word + at, mode_prefix[m], len) == 0) {
            o->f[n].mode = (uint8_t)m;
            at += (int)len;
            break;
        }
    }
    if (sscanf(word + at, "%u", &val) != 1 || val > UINT16_MAX) {
        return false;
    }
    o->f[n].val = (uint16_t)val;
    return true;
}

static bool parse_line(char *line, struct op *o)
{
    char *save = NULL, *who = strtok_r(line, " ", &save), *name = strtok_r(NULL, " ", &save);
    int code = name != NULL ? grammar_find(name) : -1;
    char *word;

    memset(o, 0, sizeof(*o));
    if (who == NULL || code < 0 || who[0] < '0' || who[0] > '3' || who[1] != '.' || who[2] < '0' ||
        who[2] > '1') {
        return false;
    }
    o->code = (uint16_t)code;
    o->dom = (uint8_t)(who[0] - '0');
    o->vcpu = (uint8_t)(who[2] - '0');
    o->paging = who[3] == 'p';
    while ((word = strtok_r(NULL, " ", &save)) != NULL) {
        if (!parse_word(word, o)) {
            return false;
        }
    }
    return true;
}

int program_parse(const char *text, struct program *p)
{
    char line[512];
    int number = 0;

    grammar_init();
    memset(p, 0, sizeof(*p));
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        number++;
        if (len >= sizeof(line)) {
            return number;
        }
        memcpy(line, text, len);
        line[len] = '\0';
        text += len + (text[len] == '\n');
        if (len == 0 || line[0] == '#') {
            continue;
        }
        if (strcmp(line, "teardown") == 0) {
            p->teardown = true;
        } else if (p->count == PROGRAM_OPS || !parse_line(line, &p->op[p->count++])) {
            return number;
        }
    }
    return 0;
}
