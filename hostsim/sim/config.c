/* Guests from xl's own configuration files, read by xl's own library. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxlutil.h>

#include "hostsim/sim/sim.h"
#include "hostsim/world/text.h"

#define CONFIG_BYTES_MAX (1u << 20)
#define MEMORY_DEFAULT_MIB 256u

static const char *const known_keys[] = {"name",  "kernel",  "ramdisk", "memory", "vcpus",
                                         "extra", "cmdline", "root",    "type"};

static bool is_known(const char *key, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(known_keys); i++) {
        if (strlen(known_keys[i]) == n && memcmp(known_keys[i], key, n) == 0) {
            return true;
        }
    }
    return false;
}

/* Skips a quoted string or a comment at s; returns where it ends. */
static const char *skip_opaque(const char *s)
{
    char end = *s == '#' ? '\n' : *s;

    for (s++; *s && *s != end; s++) {
        if (end != '\n' && *s == '\\' && s[1]) {
            s++;
        }
    }
    return *s && end != '\n' ? s + 1 : s;
}

/* libxlutil answers for keys one knows; unknown ones it keeps to itself. The text
 * has been parsed already, so only its outline matters here. */
static int check_keys(const char *path, const char *s)
{
    unsigned depth = 0, line = 1;
    bool at_start = true;

    while (*s) {
        if (*s == '#' || *s == '"' || *s == '\'') {
            const char *end = skip_opaque(s);

            for (; s < end; s++) {
                line += *s == '\n';
            }
            continue;
        }
        if (at_start && depth == 0 && (isalpha((unsigned char)*s) || *s == '_')) {
            size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789_");

            if (!is_known(s, n)) {
                return sim_error("%s:%u: unknown key '%.*s'", path, line, (int)n, s);
            }
            at_start = false;
            s += n;
            continue;
        }
        depth += *s == '[';
        depth -= *s == ']' && depth > 0;
        at_start = *s == '\n' || *s == ';' || (at_start && isspace((unsigned char)*s));
        line += *s == '\n';
        s++;
    }
    return 0;
}

/* The file's text, NUL-terminated; NULL after a line of error. */
static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = malloc(CONFIG_BYTES_MAX + 1);
    size_t n = 0;

    if (!f || !text) {
        (void)sim_error("%s: %s", path, strerror(errno));
    } else {
        n = fread(text, 1, CONFIG_BYTES_MAX + 1, f);
        if (ferror(f)) {
            (void)sim_error("%s: %s", path, strerror(errno));
        } else if (n > CONFIG_BYTES_MAX || memchr(text, 0, n)) {
            (void)sim_error("%s: not a configuration file", path);
        } else {
            text[n] = '\0';
            fclose(f);
            return text;
        }
    }
    if (f) {
        fclose(f);
    }
    free(text);
    return NULL;
}

static char *get_string(XLU_Config *c, const char *key, int *rc)
{
    const char *s = NULL;
    char *copy;

    if (xlu_cfg_get_string(c, key, &s, 0) == EINVAL) {
        *rc = SIM_USAGE;
    }
    if (!s) {
        return NULL;
    }
    copy = strdup(s);
    *rc = copy ? *rc : SIM_USAGE;
    return copy;
}

static void get_number(XLU_Config *c, const char *key, uint64_t *value, int *rc)
{
    long v = 0;
    int err = xlu_cfg_get_long(c, key, &v, 0);

    if (err == 0) {
        *value = v < 0 ? 0 : (uint64_t)v; /* 0 is refused as impossible later */
    } else if (err != ESRCH) {
        *rc = SIM_USAGE;
    }
}

/* As xl does: cmdline as it is, or root and extra. */
static char *command_line(XLU_Config *c, int *rc)
{
    char *cmdline = get_string(c, "cmdline", rc);
    char *root = get_string(c, "root", rc);
    char *extra = get_string(c, "extra", rc);

    if (!cmdline && root) {
        size_t n = strlen(root) + (extra ? strlen(extra) : 0) + sizeof("root= ");

        cmdline = malloc(n);
        if (cmdline) {
            snprintf(cmdline, n, "root=%s%s%s", root, extra ? " " : "", extra ? extra : "");
        } else {
            *rc = SIM_USAGE;
        }
    } else if (!cmdline && extra) {
        cmdline = extra;
        extra = NULL;
    }
    free(root);
    free(extra);
    return cmdline;
}

/* Prints the library's first complaint as this program's line. */
static void report(const char *path, const char *complaint)
{
    char line[512];
    size_t n = text_clean(line, sizeof(line) - 1, complaint, strcspn(complaint, "\n"));

    line[n] = '\0';
    if (strncmp(line, path, strlen(path)) == 0) {
        (void)sim_error("%s", line);
    } else {
        (void)sim_error("%s: %s", path, n ? line : "cannot be read");
    }
}

/* What a guest that is not added has been given. */
static void forget(struct guest_config *g)
{
    free((char *)g->name);
    free((char *)g->kernel);
    free((char *)g->ramdisk);
    free((char *)g->cmdline);
}

static int extract(const char *path, XLU_Config *c, struct guest_config *g)
{
    uint64_t vcpus = 1;
    char *type;
    int rc = 0;

    g->origin = path;
    g->memory_mib = MEMORY_DEFAULT_MIB;
    g->name = get_string(c, "name", &rc);
    g->kernel = get_string(c, "kernel", &rc);
    g->ramdisk = get_string(c, "ramdisk", &rc);
    g->cmdline = command_line(c, &rc);
    type = get_string(c, "type", &rc);
    get_number(c, "memory", &g->memory_mib, &rc);
    get_number(c, "vcpus", &vcpus, &rc);
    g->vcpus = vcpus > UINT32_MAX ? UINT32_MAX : (unsigned)vcpus;
    if (rc == 0 && (!type || strcmp(type, "pvh") != 0)) {
        rc = sim_error("%s: type=\"%s\" guests do not run here, only type=\"pvh\"", path,
                       type ? type : "pv");
    }
    if (rc == 0 && !g->name) {
        rc = sim_error("%s: the guest has no name", path);
    }
    free(type);
    if (rc) {
        forget(g);
    }
    return rc;
}

int config_read(const char *path, struct guest_config *g)
{
    char *text = read_text(path), *complaints = NULL;
    size_t complaints_len = 0;
    FILE *sink = text ? open_memstream(&complaints, &complaints_len) : NULL;
    XLU_Config *c = sink ? xlu_cfg_init(sink, path) : NULL;
    int rc = SIM_USAGE;
    bool told = false;

    if (c && xlu_cfg_readdata(c, text, (int)strlen(text)) == 0) {
        rc = check_keys(path, text);
        told = rc != 0;
        if (rc == 0) {
            rc = extract(path, c, g);
            fflush(sink);
            told = rc != 0 && complaints_len == 0;
        }
    }
    if (sink) {
        fflush(sink);
        if (rc && !told && complaints) {
            report(path, complaints);
        }
        if (c) {
            xlu_cfg_destroy(c);
        }
        fclose(sink);
    }
    free(complaints);
    free(text);
    return rc ? SIM_USAGE : 0;
}
