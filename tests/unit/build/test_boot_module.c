/* Command lines of multiboot modules. */
#include "tests/unit/fixture.h"

#include "x86/build/boot_module.h"

static struct boot_module m;

START_TEST(kernel)
{
    ck_assert_ptr_null(boot_module_parse(
        "/vmlinuz  guest=web-1.a role=kernel memory=512 vcpus=2 cpus=0-1,3,8-8 weight=512"
        " --  root=/dev/vda1 guest=x console=hvc0",
        &m));
    ck_assert_uint_eq(m.role, MODULE_KERNEL);
    ck_assert_str_eq(m.guest, "web-1.a");
    ck_assert_uint_eq(m.memory, UINT64_C(512) << 20);
    ck_assert_uint_eq(m.vcpus, 2);
    ck_assert_uint_eq(m.cpus, 0x10b);
    ck_assert_uint_eq(m.weight, 512);
    ck_assert_str_eq(m.cmdline, "root=/dev/vda1 guest=x console=hvc0");
}
END_TEST

START_TEST(defaults)
{
    ck_assert_ptr_null(boot_module_parse("guest=a", &m));
    ck_assert_uint_eq(m.role, MODULE_KERNEL);
    ck_assert_uint_eq(m.memory, UINT64_C(256) << 20);
    ck_assert_uint_eq(m.vcpus, 1);
    ck_assert_uint_eq(m.cpus, 0);
    ck_assert_uint_eq(m.weight, 256);
    ck_assert_ptr_null(m.cmdline);
    ck_assert_ptr_null(boot_module_parse("guest=a --", &m));
    ck_assert_str_eq(m.cmdline, "");
    ck_assert_ptr_null(boot_module_parse("role=ramdisk guest=a", &m));
    ck_assert_uint_eq(m.role, MODULE_RAMDISK);
}
END_TEST

/* Modules of other software pass by. */
START_TEST(others)
{
    static const char *const lines[] = {"",
                                        "/vmlinuz root=/dev/sda1 ro quiet",
                                        "placeholder",
                                        "/vmlinuz -- guest=a",
                                        "noguest=a",
                                        "guest"};

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        ck_assert_ptr_null(boot_module_parse(lines[i], &m));
        ck_assert_uint_eq(m.role, MODULE_OTHER);
    }
}
END_TEST

START_TEST(memory)
{
    ck_assert_ptr_null(boot_module_parse("guest=a memory=2G", &m));
    ck_assert_uint_eq(m.memory, UINT64_C(2) << 30);
    ck_assert_ptr_null(boot_module_parse("guest=a memory=1027k", &m));
    ck_assert_uint_eq(m.memory, 1024 * 1024);
    ck_assert_ptr_null(boot_module_parse("guest=a memory=1024G", &m));
    ck_assert_uint_eq(m.memory, BOOT_MODULE_MEMORY_MAX);
}
END_TEST

START_TEST(mistakes)
{
    static const char *const lines[] = {
        "guest=",
        "guest=a/b",
        "guest=0123456789012345678901234567890x",
        "guest=a memory=",
        "guest=a memory=0",
        "guest=a memory=x",
        "guest=a memory=5T",
        "guest=a memory=5MB",
        "guest=a memory=1025G",
        "guest=a memory=999999999999999999999",
        "guest=a vcpus=0",
        "guest=a vcpus=129",
        "guest=a vcpus=1x",
        "guest=a weight=0",
        "guest=a weight=65536",
        "guest=a cpus=",
        "guest=a cpus=1-",
        "guest=a cpus=2-1",
        "guest=a cpus=64",
        "guest=a cpus=1,",
        "guest=a cpus=1;2",
        "guest=a role=disk",
        "guest=a /vmlinuz",
        "guest=a nonsense",
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        ck_assert_msg(boot_module_parse(lines[i], &m) != NULL, "%s", lines[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("boot_module");
    TCase *t = tcase_create("boot_module");

    tcase_add_test(t, kernel);
    tcase_add_test(t, defaults);
    tcase_add_test(t, others);
    tcase_add_test(t, memory);
    tcase_add_test(t, mistakes);
    suite_add_tcase(s, t);
    return fixture_run(s);
}
