#include "fuzz/oracle.h"
#include "fuzz/model.h"

#include <stdlib.h>
#include <string.h>

static struct exec_options options;

const struct exec_options *oracle_options(void)
{
    static bool asked;

    if (!asked) {
        const char *audit = getenv("CORBEL_FUZZ_AUDIT");

        asked = true;
        options.hooks = model_hooks;
        options.audit_each = audit != NULL && strcmp(audit, "each") == 0;
    }
    return &options;
}
