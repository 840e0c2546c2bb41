#include "core/state.h"

/* The only mutable variable of the core: set once by hv_init(). */
struct hv *hv;
