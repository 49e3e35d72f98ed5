/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of a KVM guest: what the kernel is told, the table that devices use, what is refused. */
#include "support/mem.h"

#include <errno.h>
#include <linux/kvm.h>
#include <unistd.h>

#include "avps_kvm/memory.h"

#define VM_FD 77
#define PAGE  UINT64_C(0x1000)

int __wrap_ioctl(int fd, unsigned long request, ...);

struct fixture {
    struct avps_kvm_memory memory;
    uint8_t *host;
};

/* What the kernel was told last, and what it answers. */
static struct kvm_userspace_memory_region slot;
static unsigned int slots;
static int answer;

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list values;

    assert_int_equal(fd, VM_FD);
    assert_int_equal(request, KVM_SET_USER_MEMORY_REGION);
    va_start(values, request);
    slot = *va_arg(values, struct kvm_userspace_memory_region *);
    va_end(values);
    slots++;
    errno = answer != 0 ? ENOMEM : 0;
    return answer;
}

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    assert_non_null(fx);
    fx->host = aligned_alloc(PAGE, 64U * PAGE);
    assert_non_null(fx->host);
    avps_kvm_memory_init(&fx->memory, VM_FD);
    slots = 0;
    answer = 0;
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    free(fx->host);
    free(fx);
    return 0;
}

static enum avps_status add(struct fixture *fx, uint64_t gpa, uint64_t pages, uint64_t host_page)
{
    return avps_kvm_memory_add(&fx->memory, gpa, pages * PAGE, fx->host + host_page * PAGE, false);
}

static void test_the_kernel_is_told_each_slot(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(add(fx, 0x40000000, 4, 0), AVPS_OK);
    assert_int_equal(slot.slot, 0);
    assert_int_equal(slot.guest_phys_addr, 0x40000000);
    assert_int_equal(slot.memory_size, 4U * PAGE);
    assert_int_equal(slot.userspace_addr, (uintptr_t)fx->host);
    assert_int_equal(slot.flags, 0);
    assert_int_equal(add(fx, 0x1000, 1, 4), AVPS_OK);
    assert_int_equal(slot.slot, 1);
    assert_int_equal(slots, 2);
}

static void test_read_only_memory_is_so_for_the_guest_and_for_devices(void **state)
{
    struct fixture *fx = *state;
    struct avps_mem mem;

    assert_int_equal(avps_kvm_memory_add(&fx->memory, 0, PAGE, fx->host, true), AVPS_OK);
    assert_int_equal(slot.flags, KVM_MEM_READONLY);
    assert_int_equal(avps_kvm_memory_handle(&fx->memory, &mem), AVPS_OK);
    assert_int_equal(avps_mem_write(&mem, 0, "x", 1), AVPS_E_GUEST_ACCESS);
}

static void test_devices_reach_all_slots_and_nothing_else(void **state)
{
    struct fixture *fx = *state;
    struct avps_mem mem;
    uint8_t byte = 0;

    assert_int_equal(add(fx, 0x40000000, 2, 0), AVPS_OK);
    assert_int_equal(add(fx, 0x1000, 1, 2), AVPS_OK); /* below what is there */
    assert_int_equal(avps_kvm_memory_handle(&fx->memory, &mem), AVPS_OK);
    assert_int_equal(avps_mem_write(&mem, 0x40001fff, "a", 1), AVPS_OK);
    assert_int_equal(avps_mem_write(&mem, 0x1000, "b", 1), AVPS_OK);
    assert_int_equal(fx->host[2U * PAGE - 1U], 'a');
    assert_int_equal(fx->host[2U * PAGE], 'b');
    assert_int_equal(avps_mem_read(&mem, 0x40002000, &byte, 1), AVPS_E_GUEST_ADDR);
    assert_int_equal(avps_mem_read(&mem, 0x0fff, &byte, 1), AVPS_E_GUEST_ADDR);
}

static void test_without_memory_there_is_no_handle(void **state)
{
    struct fixture *fx = *state;
    struct avps_mem mem;

    assert_int_equal(avps_kvm_memory_handle(&fx->memory, &mem), AVPS_E_PARAM);
}

static void test_what_is_no_whole_pages_is_refused(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(add(fx, 0x800, 1, 0), AVPS_E_PARAM);
    assert_int_equal(add(fx, 0x1000, 0, 0), AVPS_E_PARAM);
    assert_int_equal(avps_kvm_memory_add(&fx->memory, 0, PAGE + 1U, fx->host, false), AVPS_E_PARAM);
    assert_int_equal(avps_kvm_memory_add(&fx->memory, 0, PAGE, fx->host + 1, false), AVPS_E_PARAM);
    assert_int_equal(avps_kvm_memory_add(&fx->memory, 0, PAGE, NULL, false), AVPS_E_PARAM);
    assert_int_equal(add(fx, UINT64_MAX - PAGE + 1U, 2, 0), AVPS_E_PARAM); /* wraps around */
    assert_int_equal(slots, 0);
}

static void test_overlaps_are_refused(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(add(fx, 0x10000, 4, 0), AVPS_OK);
    assert_int_equal(add(fx, 0x0f000, 2, 8), AVPS_E_PARAM);
    assert_int_equal(add(fx, 0x10000, 1, 8), AVPS_E_PARAM);
    assert_int_equal(add(fx, 0x13000, 2, 8), AVPS_E_PARAM);
    assert_int_equal(add(fx, 0x0e000, 8, 8), AVPS_E_PARAM);
    assert_int_equal(add(fx, 0x0f000, 1, 8), AVPS_OK); /* they touch */
    assert_int_equal(add(fx, 0x14000, 1, 9), AVPS_OK);
    assert_int_equal(fx->memory.count, 3);
}

static void test_the_last_page_of_the_address_space_is_well(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(add(fx, UINT64_MAX - PAGE + 1U, 1, 0), AVPS_OK);
    assert_ptr_equal(avps_kvm_memory_at(&fx->memory, UINT64_MAX, 1), fx->host + PAGE - 1U);
    assert_null(avps_kvm_memory_at(&fx->memory, UINT64_MAX, 2));
}

static void test_a_slot_too_many_is_refused(void **state)
{
    struct fixture *fx = *state;

    for (uint64_t i = 0; i < AVPS_KVM_SLOTS; i++) {
        assert_int_equal(add(fx, i * 2U * PAGE, 1, i), AVPS_OK);
    }
    assert_int_equal(add(fx, 0x100000, 1, 20), AVPS_E_NOSPACE);
}

static void test_what_the_kernel_refuses_is_not_in_the_table(void **state)
{
    struct fixture *fx = *state;

    answer = -1;
    assert_int_equal(add(fx, 0x1000, 1, 0), AVPS_E_IO);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(fx->memory.count, 0);
}

static void test_loaders_find_ranges_within_one_slot(void **state)
{
    struct fixture *fx = *state;

    assert_null(avps_kvm_memory_at(&fx->memory, 0, 1));
    assert_int_equal(add(fx, 0x10000, 2, 0), AVPS_OK);
    assert_int_equal(add(fx, 0x12000, 2, 8), AVPS_OK);
    assert_ptr_equal(avps_kvm_memory_at(&fx->memory, 0x10000, 2U * PAGE), fx->host);
    assert_ptr_equal(avps_kvm_memory_at(&fx->memory, 0x12001, 16), fx->host + 8U * PAGE + 1U);
    assert_null(avps_kvm_memory_at(&fx->memory, 0x11fff, 2)); /* in two slots */
    assert_null(avps_kvm_memory_at(&fx->memory, 0x13fff, 2));
    assert_null(avps_kvm_memory_at(&fx->memory, 0xffff, 1));
    assert_null(avps_kvm_memory_at(&fx->memory, 0x12000, UINT64_MAX));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_kernel_is_told_each_slot),
        TEST(test_read_only_memory_is_so_for_the_guest_and_for_devices),
        TEST(test_devices_reach_all_slots_and_nothing_else),
        TEST(test_without_memory_there_is_no_handle),
        TEST(test_what_is_no_whole_pages_is_refused),
        TEST(test_overlaps_are_refused),
        TEST(test_the_last_page_of_the_address_space_is_well),
        TEST(test_a_slot_too_many_is_refused),
        TEST(test_what_the_kernel_refuses_is_not_in_the_table),
        TEST(test_loaders_find_ranges_within_one_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
