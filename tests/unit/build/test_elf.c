/* elf.c: what is accepted, what is refused, and what reaches guest memory. */
#include "tests/unit/fixture.h"

#include "tests/unit/build/make_image.h"
#include "x86/build/pvh.h"

static uint8_t image[MAKE_SIZE];
static struct make_elf64 *m;
static struct elf_image parsed;

static void setup(void)
{
    make_elf(image);
    m = make_headers(image);
    memset(&parsed, 0, sizeof(parsed));
}

/* Parses an exact-size copy, so that the sanitizer sees any byte read beyond. */
static enum pvh_error parse(size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    enum pvh_error e;

    memcpy(copy, image, len);
    e = elf_parse(copy, len, &parsed);
    free(copy);
    return e;
}

START_TEST(accepts)
{
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_OK);
    ck_assert_uint_eq(parsed.pvh_entry, MAKE_ENTRY);
    ck_assert_uint_eq(parsed.lowest, MAKE_LOAD);
    ck_assert_uint_eq(parsed.highest, MAKE_LOAD + MAKE_MEMSZ);
    make_elf32(image);
    memset(&parsed, 0, sizeof(parsed));
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_OK);
    ck_assert_uint_eq(parsed.pvh_entry, MAKE_ENTRY);
    ck_assert_uint_eq(parsed.highest, MAKE_LOAD + MAKE_MEMSZ);
}
END_TEST

/* Every shorter file is refused or, cut behind all that is used, accepted. */
START_TEST(truncated)
{
    for (size_t len = 0; len < MAKE_SIZE; len++) {
        enum pvh_error e = parse(len);

        if (len < 4) {
            ck_assert_int_eq(e, PVH_NOT_A_KERNEL);
        } else if (len < MAKE_TEXT + MAKE_FILESZ) {
            ck_assert_int_eq(e, PVH_TRUNCATED);
        } else {
            ck_assert_int_eq(e, PVH_OK);
        }
    }
    make_elf32(image);
    for (size_t len = 4; len < MAKE_TEXT + MAKE_FILESZ; len++) {
        ck_assert_int_eq(parse(len), PVH_TRUNCATED);
    }
}
END_TEST

START_TEST(not_a_kernel)
{
    image[0] = 0;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NOT_A_KERNEL);
    setup();
    image[EI_DATA] = ELFDATA2MSB;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NOT_A_KERNEL);
    setup();
    image[EI_CLASS] = 3;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NOT_A_KERNEL);
    setup();
    m->h.e_machine = EM_AARCH64;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NOT_A_KERNEL);
    setup();
    m->h.e_type = ET_REL;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NOT_A_KERNEL);
}
END_TEST

START_TEST(program_table)
{
    m->h.e_phnum = 0;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    m->h.e_phnum = 0xffff;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    setup();
    m->h.e_phentsize = sizeof(Elf64_Phdr) - 1;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    setup();
    m->h.e_phoff = MAKE_SIZE - 2 * sizeof(Elf64_Phdr);
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_TRUNCATED);
    m->h.e_phoff = UINT64_MAX - 16;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_TRUNCATED);
    /* Larger entries than today's are walked by their size. */
    setup();
    m->h.e_phentsize = 2 * sizeof(Elf64_Phdr);
    m->h.e_phnum = 2;
    m->load2 = m->note;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_OK);
}
END_TEST

START_TEST(segments)
{
    m->load.p_filesz = m->load.p_memsz + 1;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    setup();
    m->load.p_offset = UINT64_MAX - 8;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_TRUNCATED);
    setup();
    m->load.p_paddr = UINT64_MAX - 8;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    setup();
    m->load.p_memsz = UINT64_MAX - MAKE_LOAD + 1;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    setup();
    m->load.p_paddr = PVH_LOWMEM_END - MAKE_MEMSZ + 1;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    setup();
    m->load2 = m->load;
    m->load2.p_paddr = MAKE_LOAD + MAKE_MEMSZ - 1;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    m->load2.p_paddr = MAKE_LOAD - MAKE_MEMSZ + 1;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    m->load2.p_paddr = MAKE_LOAD + MAKE_MEMSZ;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_OK);
    ck_assert_uint_eq(parsed.highest, MAKE_LOAD + 2 * MAKE_MEMSZ);
    /* An empty segment is nowhere, whatever its address. */
    m->load2.p_memsz = 0;
    m->load2.p_paddr = UINT64_MAX;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_OK);
    ck_assert_uint_eq(parsed.highest, MAKE_LOAD + MAKE_MEMSZ);
}
END_TEST

START_TEST(notes)
{
    uint32_t *second = (uint32_t *)(image + MAKE_NOTE + 24);

    ck_assert_uint_eq(second[2], XEN_ELFNOTE_PHYS32_ENTRY);
    second[2] = XEN_ELFNOTE_ENTRY;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NO_NOTE);
    setup();
    image[MAKE_NOTE + 24 + 12] = 'Y'; /* another vendor's note of that type */
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NO_NOTE);
    setup();
    second[1] = 2; /* no descriptor of that size means an address */
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NO_NOTE);
    second[1] = 0xfffffffe;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NO_NOTE);
    setup();
    second[0] = 0xfffffff0;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NO_NOTE);
    setup();
    m->note.p_filesz--;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NO_NOTE);
    m->note.p_filesz = 11;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NO_NOTE);
    m->note.p_filesz = MAKE_SIZE;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_TRUNCATED);
    setup();
    m->note.p_type = PT_NULL;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_NO_NOTE);
    /* An entry outside every segment. */
    setup();
    second[4] = MAKE_LOAD + MAKE_MEMSZ;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
    second[4] = MAKE_LOAD - 1;
    ck_assert_int_eq(parse(MAKE_SIZE), PVH_BAD_ELF);
}
END_TEST

/* Arbitrary single-byte damage never makes the parser read outside. */
START_TEST(damaged)
{
    for (size_t i = 0; i < MAKE_NOTE + 0x40; i++) {
        static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};

        for (size_t j = 0; j < sizeof(values); j++) {
            setup();
            image[i] = values[j];
            if (parse(MAKE_SIZE) == PVH_OK) {
                ck_assert_uint_le(parsed.highest, PVH_LOWMEM_END);
                ck_assert_uint_lt(parsed.lowest, parsed.highest);
                ck_assert_uint_ge(parsed.pvh_entry, parsed.lowest);
                ck_assert_uint_lt(parsed.pvh_entry, parsed.highest);
            }
        }
    }
}
END_TEST

START_TEST(load)
{
    struct domain *d;
    uint8_t *page;

    fixture_start(64, 1);
    d = fixture_domain(32, 1);
    fixture_populate(d, MAKE_LOAD >> PAGE_SHIFT, MAKE_MEMSZ >> PAGE_SHIFT);
    page = fixture_guest(d, MAKE_LOAD);
    memset(page, 0xcc, PAGE_SIZE);
    ck_assert_int_eq(elf_load(d, image, MAKE_SIZE), PVH_OK);
    ck_assert_int_eq(memcmp(page, image + MAKE_TEXT, MAKE_FILESZ), 0);
    for (size_t i = MAKE_FILESZ; i < PAGE_SIZE; i++) {
        ck_assert_uint_eq(page[i], 0);
    }
    /* One byte beyond the domain's memory. */
    m->load.p_memsz++;
    ck_assert_int_eq(elf_load(d, image, MAKE_SIZE), PVH_BAD_ELF);
    m->load.p_filesz = m->load.p_memsz + 1;
    ck_assert_int_eq(elf_load(d, image, MAKE_SIZE), PVH_BAD_ELF);
    ck_assert_int_eq(elf_load(d, image, 60), PVH_TRUNCATED);
    fixture_stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("elf");
    TCase *t = tcase_create("elf");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, accepts);
    tcase_add_test(t, truncated);
    tcase_add_test(t, not_a_kernel);
    tcase_add_test(t, program_table);
    tcase_add_test(t, segments);
    tcase_add_test(t, notes);
    tcase_add_test(t, damaged);
    tcase_add_test(t, load);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
