#include "base/xen.h"

#include <xen/version.h>

#include "base/string.h"
#include "core/arch.h"
#include "core/domain/domain.h"
#include "core/guest_mem/guest_mem.h"
#include "core/hypercall/hypercall.h"
#include "core/vcpu/vcpu.h"

/* The release whose ABI and behaviour Corbel has. */
#define VERSION_MAJOR 4u
#define VERSION_MINOR 17u
#define VERSION_EXTRA ".7"
#define VERSION_CHANGESET "corbel"

/* The guest types that a toolstack may build here, in Xen's notation. */
#define VERSION_CAPABILITIES "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 "

/* What an unprivileged caller reads instead of what it may not know. */
#define VERSION_DENIED "<denied>"

/* Copies text out as a zero-padded field of size bytes, at most 64 at a time. */
static int64_t put_text(struct vcpu *v, uint64_t gva, const char *text, size_t len, size_t size)
{
    for (size_t done = 0; done < size;) {
        char buf[64] = {0};
        size_t n = size - done < sizeof(buf) ? size - done : sizeof(buf);

        if (done < len) {
            memcpy(buf, text + done, len - done < n ? len - done : n);
        }
        if (guest_copy_out(v, gva + done, buf, n) != 0) {
            return -XEN_EFAULT;
        }
        done += n;
    }
    return 0;
}

#define PUT_TEXT(v, gva, text, type) put_text(v, gva, text, sizeof(text) - 1, sizeof(type))

static int64_t compile_info(struct vcpu *v, uint64_t gva)
{
    static const xen_compile_info_t info = {
        .compiler = "gcc",
        .compile_by = "corbel",
        .compile_domain = "corbel",
        .compile_date = "reproducible",
    };

    return guest_copy_out(v, gva, &info, sizeof(info));
}

static int64_t platform_parameters(struct vcpu *v, uint64_t gva)
{
    /* Where 64-bit PV guests find the hypervisor's area; others ignore it. */
    xen_platform_parameters_t p = {.virt_start = __HYPERVISOR_VIRT_START};

    return guest_copy_out(v, gva, &p, sizeof(p));
}

static int64_t features(struct vcpu *v, uint64_t gva)
{
    xen_feature_info_t f;

    if (guest_copy_in(v, &f, gva, sizeof(f)) != 0) {
        return -XEN_EFAULT;
    }
    if (f.submap_idx != 0) {
        return -XEN_EINVAL;
    }
    f.submap = arch_features(v->domain);
    return guest_copy_out(v, gva, &f, sizeof(f));
}

/* args: command, argument. */
int64_t do_xen_version(struct vcpu *v, uint64_t args[6])
{
    const struct domain *d = v->domain;
    uint64_t gva = args[1];

    switch ((uint32_t)args[0]) {
    case XENVER_version:
        return (VERSION_MAJOR << 16) | VERSION_MINOR;
    case XENVER_extraversion:
        return PUT_TEXT(v, gva, VERSION_EXTRA, xen_extraversion_t);
    case XENVER_compile_info:
        return compile_info(v, gva);
    case XENVER_capabilities:
        return PUT_TEXT(v, gva, VERSION_CAPABILITIES, xen_capabilities_info_t);
    case XENVER_changeset:
        return PUT_TEXT(v, gva, VERSION_CHANGESET, xen_changeset_info_t);
    case XENVER_platform_parameters:
        return platform_parameters(v, gva);
    case XENVER_get_features:
        return features(v, gva);
    case XENVER_pagesize:
        return gva != 0 ? -XEN_EINVAL : (int64_t)PAGE_SIZE;
    case XENVER_guest_handle:
        return guest_copy_out(v, gva, d->handle, sizeof(d->handle));
    case XENVER_commandline:
        return d->privileged ? PUT_TEXT(v, gva, "", xen_commandline_t)
                             : PUT_TEXT(v, gva, VERSION_DENIED, xen_commandline_t);
    case XENVER_build_id:
        return d->privileged ? -XEN_ENODATA : -XEN_EPERM;
    default:
        return -XEN_ENOSYS;
    }
}
