/* The index arithmetic and the checks of src/core/gnttab. */
#include "core/gnttab/gnttab_private.h"

#include "../../src/core/gnttab/gnttab.c"
#include "../../src/core/gnttab/gnttab_version.c"
