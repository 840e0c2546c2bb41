/* NMI entries name a processor by the UID that its own entry gives it, or all. */
#include "x86/firmware/acpi_nmi.h"

#include "base/bytes.h"
#include "x86/firmware/acpi_tables.h"

#define MADT_ENTRIES 44u /* 5.2.12: behind header, address and flags */
#define CPU_BYTES 8u
#define CPU_NMI_BYTES 6u
#define X2_BYTES 16u
#define X2_NMI_BYTES 12u
#define ALL_CPUS 0xffu
#define ALL_X2 UINT32_MAX
#define POLARITY 3u /* of the MPS INTI flags */
#define POLARITY_LOW 3u

enum { ENTRY_CPU = 0, ENTRY_CPU_NMI = 4, ENTRY_X2 = 9, ENTRY_X2_NMI = 10 };

struct walk {
    const uint8_t *t;
    size_t len, at;
};

/* The next sub-table, *n bytes of which can be read; NULL: no more. */
static const uint8_t *next_entry(struct walk *w, unsigned *n)
{
    const uint8_t *e = w->t + w->at;

    if (w->len < w->at || w->len - w->at < 2 || e[1] < 2 || e[1] > w->len - w->at) {
        return NULL;
    }
    *n = e[1];
    w->at += *n;
    return e;
}

/* False: the table does not have this CPU. */
static bool find_uid(const uint8_t *t, size_t len, uint32_t apic_id, uint32_t *uid)
{
    struct walk w = {t, len, MADT_ENTRIES};
    const uint8_t *e;
    unsigned n;

    while ((e = next_entry(&w, &n)) != NULL) {
        if (e[0] == ENTRY_CPU && n >= CPU_BYTES && e[3] == apic_id) {
            *uid = e[2];
            return true;
        }
        if (e[0] == ENTRY_X2 && n >= X2_BYTES && read_le32(e + 4) == apic_id) {
            *uid = read_le32(e + 12);
            return true;
        }
    }
    return false;
}

static void connect(struct acpi_nmi *out, uint8_t lint, uint16_t flags)
{
    if (lint < ACPI_LINTS) {
        out->connected[lint] = true;
        out->low[lint] = (flags & POLARITY) == POLARITY_LOW;
    }
}

struct acpi_nmi acpi_madt_nmi(const uint8_t *t, size_t len, uint32_t apic_id)
{
    struct acpi_nmi out = {{false, false}, {false, false}};
    struct walk w = {t, len, MADT_ENTRIES};
    uint32_t uid = 0;
    const uint8_t *e;
    unsigned n;
    bool known;

    if (len < MADT_ENTRIES || !acpi_table_is(t, "APIC")) {
        return out;
    }
    known = find_uid(t, len, apic_id, &uid);
    while ((e = next_entry(&w, &n)) != NULL) {
        if (e[0] == ENTRY_CPU_NMI && n >= CPU_NMI_BYTES &&
            (e[2] == ALL_CPUS || (known && e[2] == uid))) {
            connect(&out, e[5], read_le16(e + 3));
        } else if (e[0] == ENTRY_X2_NMI && n >= X2_NMI_BYTES &&
                   (read_le32(e + 4) == ALL_X2 || (known && read_le32(e + 4) == uid))) {
            connect(&out, e[8], read_le16(e + 2));
        }
    }
    return out;
}
