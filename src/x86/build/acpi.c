/* ACPI tables of a PVH domain. Layouts: ACPI 5.0, chapter 5; AML: chapter 20.
 * The fixed hardware that the FADT names is vdev.h's. No GPEs, no VGA, no 8042
 * and no CMOS clock are announced: a guest takes its wall clock from Xen's. */
#include "base/arith.h"
#include "base/string.h"
#include "base/xen.h"

#include "x86/build/pvh.h"
#include "x86/hvm/vdev.h"
#include "x86/hvm/vlapic.h"

#define FADT_WBINVD (1u << 0)
#define FADT_PROC_C1 (1u << 2)
#define FADT_NO_POWER_BUTTON (1u << 4)
#define FADT_NO_SLEEP_BUTTON (1u << 5)
#define FADT_NO_FIXED_RTC (1u << 6)
#define FADT_TMR_VAL_EXT (1u << 8)
#define FADT_RESET_REG_SUP (1u << 10)

#define BOOT_NO_VGA (1u << 2)
#define BOOT_NO_CMOS_RTC (1u << 5)

#define GAS_SYSTEM_IO 1u
#define GAS_ACCESS_BYTE 1u
#define GAS_ACCESS_WORD 2u
#define GAS_ACCESS_DWORD 3u

#define ACPI_SCI_IRQ 9u
#define ACPI_RESET_VALUE 6u
#define ACPI_NO_C2_LATENCY 0xfffu /* beyond 100 us: no C2 */
#define ACPI_NO_C3_LATENCY 0xfffu

#define MADT_LAPIC 0u
#define MADT_IOAPIC 1u
#define MADT_OVERRIDE 2u
#define MADT_X2APIC 9u
#define MADT_ENABLED 1u
#define MADT_IOAPIC_ID 1u /* odd: vCPUs have even ids */
/* MPS INTI flags: active high, level triggered. */
#define MADT_SCI_FLAGS 0x000du

#define APIC_ID_X2APIC_ONLY 255u

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} __attribute__((packed));

struct acpi_rsdp {
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __attribute__((packed));

struct acpi_gas {
    uint8_t space, bit_width, bit_offset, access_size;
    uint64_t address;
} __attribute__((packed));

struct acpi_facs {
    char signature[4];
    uint32_t length, hardware_signature, waking_vector, global_lock, flags;
    uint64_t x_waking_vector;
    uint8_t version, reserved[31];
} __attribute__((packed));

struct acpi_fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved0, profile;
    uint16_t sci_int;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
    uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
    uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len;
    uint8_t gpe0_len, gpe1_len, gpe1_base, cst_cnt;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_arch;
    uint8_t reserved1;
    uint32_t flags;
    struct acpi_gas reset_reg;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr;
    struct acpi_gas x_gpe0, x_gpe1, sleep_control, sleep_status;
} __attribute__((packed));

struct madt_header {
    struct acpi_header header;
    uint32_t lapic_address, flags;
} __attribute__((packed));

struct madt_lapic {
    uint8_t type, length, uid, id;
    uint32_t flags;
} __attribute__((packed));

struct madt_x2apic {
    uint8_t type, length;
    uint16_t reserved;
    uint32_t id, flags, uid;
} __attribute__((packed));

struct madt_ioapic {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi_base;
} __attribute__((packed));

struct madt_override {
    uint8_t type, length, bus, source;
    uint32_t gsi;
    uint16_t flags;
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 5.2.5.3");
_Static_assert(sizeof(struct acpi_facs) == 64, "ACPI 5.2.10");
_Static_assert(sizeof(struct acpi_fadt) == 268, "ACPI 5.2.9");
_Static_assert(sizeof(struct madt_header) == 44, "ACPI 5.2.12");

/* Name (\_S5, Package () {0, 0, 0, 0}): sleep type 0 in PM1a_CNT powers off. */
static const uint8_t dsdt_aml[] = {
    0x08, '_',  'S',  '5',  '_', /* NameOp, path */
    0x12, 0x06, 0x04,            /* PackageOp, PkgLength, NumElements */
    0x00, 0x00, 0x00, 0x00,      /* ZeroOp each */
};

/* The tables' place, filled from its start. */
struct builder {
    uint8_t *buf;
    size_t cap, used;
    uint64_t base;
};

/* Reserves len zeroed bytes at a multiple of align; NULL when they do not fit. */
static void *reserve(struct builder *b, size_t len, size_t align)
{
    size_t at = align_up(b->used, align);
    void *p;

    if (at > b->cap || len > b->cap - at) {
        return NULL;
    }
    p = b->buf + at;
    memset(p, 0, len);
    b->used = at + len;
    return p;
}

static uint64_t address_of(const struct builder *b, const void *p)
{
    return b->base + (uint64_t)((const uint8_t *)p - b->buf);
}

/* What to add to len bytes to make their sum zero. */
static uint8_t checksum(const void *p, size_t len)
{
    const uint8_t *bytes = p;
    uint8_t sum = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)(0 - sum);
}

/* Fills the header of a complete table of len bytes and signs it. */
static void finish(void *table, const char *signature, uint8_t revision, size_t len)
{
    struct acpi_header h = {
        .length = (uint32_t)len, .revision = revision, .oem_revision = 1, .creator_revision = 1};

    memcpy(h.signature, signature, sizeof(h.signature));
    memcpy(h.oem_id, "CORBEL", sizeof(h.oem_id));
    memcpy(h.oem_table_id, "CORBELHV", sizeof(h.oem_table_id));
    memcpy(h.creator_id, "CRBL", sizeof(h.creator_id));
    memcpy(table, &h, sizeof(h));
    h.checksum = checksum(table, len);
    memcpy(table, &h, sizeof(h));
}

static struct acpi_gas io_register(uint16_t port, uint8_t bits, uint8_t access)
{
    return (struct acpi_gas){GAS_SYSTEM_IO, bits, 0, access, port};
}

static struct acpi_facs *build_facs(struct builder *b)
{
    struct acpi_facs *facs = reserve(b, sizeof(*facs), 64);

    if (facs != NULL) {
        memcpy(facs->signature, "FACS", sizeof(facs->signature));
        facs->length = sizeof(*facs);
        facs->version = 2;
    }
    return facs;
}

static void *build_dsdt(struct builder *b)
{
    size_t len = sizeof(struct acpi_header) + sizeof(dsdt_aml);
    uint8_t *dsdt = reserve(b, len, 16);

    if (dsdt != NULL) {
        memcpy(dsdt + sizeof(struct acpi_header), dsdt_aml, sizeof(dsdt_aml));
        finish(dsdt, "DSDT", 2, len);
    }
    return dsdt;
}

static struct acpi_fadt *build_fadt(struct builder *b, uint64_t facs, uint64_t dsdt)
{
    struct acpi_fadt *f = reserve(b, sizeof(*f), 16);

    if (f == NULL) {
        return NULL;
    }
    f->facs = (uint32_t)facs; /* and x_facs stays 0: only one of them may be set */
    f->dsdt = (uint32_t)dsdt;
    f->x_dsdt = dsdt;
    f->sci_int = ACPI_SCI_IRQ;
    f->pm1a_evt = PM1A_EVT_PORT;
    f->pm1_evt_len = 4;
    f->pm1a_cnt = PM1A_CNT_PORT;
    f->pm1_cnt_len = 2;
    f->pm_tmr = PM_TMR_PORT;
    f->pm_tmr_len = 4;
    f->x_pm1a_evt = io_register(PM1A_EVT_PORT, 32, GAS_ACCESS_WORD);
    f->x_pm1a_cnt = io_register(PM1A_CNT_PORT, 16, GAS_ACCESS_WORD);
    f->x_pm_tmr = io_register(PM_TMR_PORT, 32, GAS_ACCESS_DWORD);
    f->c2_latency = ACPI_NO_C2_LATENCY;
    f->c3_latency = ACPI_NO_C3_LATENCY;
    f->boot_arch = BOOT_NO_VGA | BOOT_NO_CMOS_RTC;
    f->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
               FADT_NO_FIXED_RTC | FADT_TMR_VAL_EXT | FADT_RESET_REG_SUP;
    f->reset_reg = io_register(RESET_PORT, 8, GAS_ACCESS_BYTE);
    f->reset_value = ACPI_RESET_VALUE;
    finish(f, "FACP", 5, sizeof(*f));
    return f;
}

/* One processor: an id that eight bits cannot name needs the longer entry. */
static bool build_madt_cpu(struct builder *b, unsigned vcpu)
{
    uint32_t id = vcpu * 2;

    if (id < APIC_ID_X2APIC_ONLY) {
        struct madt_lapic *e = reserve(b, sizeof(*e), 1);

        if (e != NULL) {
            *e = (struct madt_lapic){MADT_LAPIC, sizeof(*e), (uint8_t)vcpu, (uint8_t)id,
                                     MADT_ENABLED};
        }
        return e != NULL;
    } else {
        struct madt_x2apic *e = reserve(b, sizeof(*e), 1);

        if (e != NULL) {
            *e = (struct madt_x2apic){MADT_X2APIC, sizeof(*e), 0, id, MADT_ENABLED, vcpu};
        }
        return e != NULL;
    }
}

static struct madt_header *build_madt(struct builder *b, unsigned nr_vcpus)
{
    struct madt_header *madt = reserve(b, sizeof(*madt), 16);
    struct madt_ioapic *ioapic;
    struct madt_override *timer, *sci;
    unsigned i;

    if (madt == NULL) {
        return NULL;
    }
    for (i = 0; i < nr_vcpus; i++) {
        if (!build_madt_cpu(b, i)) {
            return NULL;
        }
    }
    ioapic = reserve(b, sizeof(*ioapic), 1);
    timer = reserve(b, sizeof(*timer), 1);
    sci = reserve(b, sizeof(*sci), 1);
    if (ioapic == NULL || timer == NULL || sci == NULL) {
        return NULL;
    }
    *ioapic = (struct madt_ioapic){MADT_IOAPIC, sizeof(*ioapic), MADT_IOAPIC_ID, 0, IOAPIC_BASE, 0};
    *timer = (struct madt_override){MADT_OVERRIDE, sizeof(*timer), 0, 0, 2, 0};
    *sci = (struct madt_override){MADT_OVERRIDE, sizeof(*sci), 0,
                                  ACPI_SCI_IRQ,  ACPI_SCI_IRQ, MADT_SCI_FLAGS};
    madt->lapic_address = LAPIC_BASE;
    /* flags 0: no pair of 8259s besides. */
    finish(madt, "APIC", 3, (size_t)((const uint8_t *)(sci + 1) - (const uint8_t *)madt));
    return madt;
}

static void *build_xsdt(struct builder *b, const uint64_t *entries, size_t count)
{
    size_t len = sizeof(struct acpi_header) + count * sizeof(*entries);
    uint8_t *xsdt = reserve(b, len, 16);

    if (xsdt != NULL) {
        memcpy(xsdt + sizeof(struct acpi_header), entries, count * sizeof(*entries));
        finish(xsdt, "XSDT", 1, len);
    }
    return xsdt;
}

static void finish_rsdp(struct acpi_rsdp *rsdp, uint64_t xsdt)
{
    memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
    memcpy(rsdp->oem_id, "CORBEL", sizeof(rsdp->oem_id));
    rsdp->revision = 2;
    rsdp->length = sizeof(*rsdp);
    rsdp->xsdt = xsdt;
    rsdp->checksum = checksum(rsdp, 20);
    rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

size_t acpi_build(uint8_t *buf, size_t cap, uint64_t base, unsigned nr_vcpus)
{
    struct builder b = {buf, cap, 0, base};
    struct acpi_rsdp *rsdp = reserve(&b, sizeof(*rsdp), 16);
    struct acpi_facs *facs = build_facs(&b);
    void *dsdt = build_dsdt(&b), *xsdt;
    struct acpi_fadt *fadt;
    struct madt_header *madt;

    if (rsdp == NULL || facs == NULL || dsdt == NULL) {
        return 0;
    }
    fadt = build_fadt(&b, address_of(&b, facs), address_of(&b, dsdt));
    madt = build_madt(&b, nr_vcpus);
    if (fadt == NULL || madt == NULL) {
        return 0;
    }
    xsdt = build_xsdt(&b, (const uint64_t[]){address_of(&b, fadt), address_of(&b, madt)}, 2);
    if (xsdt == NULL) {
        return 0;
    }
    finish_rsdp(rsdp, address_of(&b, xsdt));
    return b.used;
}
