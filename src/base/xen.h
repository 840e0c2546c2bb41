/* The one door to upstream's public ABI headers (Debian package libxen-dev).
 * __XEN_TOOLS__ and __XEN_INTERFACE_VERSION__ are set by the build. */
#ifndef CORBEL_BASE_XEN_H
#define CORBEL_BASE_XEN_H

#include "base/types.h"

#include <xen/xen.h>

/* ERESTART is declared only to hypervisors. */
#define __XEN__
#include <xen/errno.h>
#undef __XEN__

/* A handler's result that means: arguments were advanced, run it again. */
#define HYPERCALL_RESTART (-(int64_t)XEN_ERESTART)

#endif
