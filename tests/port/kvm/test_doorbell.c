/* SPDX-License-Identifier: BSD-3-Clause */
/* Doorbells of a KVM guest: where the kernel is told to take stores, and what a ring does. */
#include "support/fake.h"

#include <errno.h>
#include <linux/kvm.h>

#include "avps_kvm/doorbell.h"

#define VM_FD 77

int __wrap_ioctl(int fd, unsigned long request, ...);

static struct test_driver d;
static struct test_fake fake;
static struct avps_posix_loop loop;
static struct avps_kvm_doorbell bell;
static unsigned int rung;

/* What the kernel was told last. */
static struct kvm_ioeventfd told;
static unsigned int assigned;
static unsigned int removed;
static int answer;

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list values;

    assert_int_equal(fd, VM_FD);
    assert_int_equal(request, KVM_IOEVENTFD);
    va_start(values, request);
    told = *va_arg(values, struct kvm_ioeventfd *);
    va_end(values);
    if ((told.flags & KVM_IOEVENTFD_FLAG_DEASSIGN) != 0U) {
        removed++;
        return 0;
    }
    assigned++;
    errno = answer != 0 ? EEXIST : 0;
    return answer;
}

static void bell_rung(void *ctx)
{
    assert_ptr_equal(ctx, &bell);
    rung++;
}

static int setup(void **state)
{
    const struct avps_kvm_doorbell_config config = {.vm_fd = VM_FD,
                                                    .loop = &loop,
                                                    .device = &fake.base,
                                                    .queue = 0,
                                                    .rung = bell_rung,
                                                    .ctx = &bell};

    (void)state;
    test_driver_init(&d, TEST_MEM_REGIONS);
    test_fake_init(&fake, &d, TEST_FAKE_SYNC);
    test_driver_start(&d);
    assert_int_equal(avps_posix_loop_init(&loop), AVPS_OK);
    assert_int_equal(avps_kvm_doorbell_init(&bell, &config), AVPS_OK);
    assigned = removed = rung = 0;
    answer = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    avps_kvm_doorbell_free(&bell);
    avps_posix_loop_free(&loop);
    test_driver_free(&d);
    return 0;
}

static void test_in_a_window_the_queue_s_number_is_matched(void **state)
{
    (void)state;
    assert_int_equal(avps_kvm_doorbell_place(&bell, 0x0a000050, true), AVPS_OK);
    assert_int_equal(told.addr, 0x0a000050);
    assert_int_equal(told.len, 4);
    assert_int_equal(told.datamatch, 0);
    assert_int_equal(told.flags, KVM_IOEVENTFD_FLAG_DATAMATCH);
    assert_int_equal(told.fd, avps_posix_notifier_fd(&bell.notifier));
}

static void test_an_address_of_its_own_rings_with_any_store(void **state)
{
    (void)state;
    assert_int_equal(avps_kvm_doorbell_place(&bell, 0x10003000, false), AVPS_OK);
    assert_int_equal(told.len, 0);
    assert_int_equal(told.flags, 0);
}

static void test_a_ring_kicks_the_queue_and_is_told(void **state)
{
    struct test_request r = {.out = {{"ping", 4}}, .in = {4}};

    (void)state;
    (void)test_driver_poll(&d);
    (void)test_driver_send(&d, 0, &r);
    assert_false(avps_has_work(&fake.base));
    avps_posix_notifier_set(&bell.notifier); /* as the kernel does */
    avps_posix_notifier_set(&bell.notifier);
    assert_int_equal(avps_posix_loop_step(&loop, false), AVPS_OK);
    assert_int_equal(rung, 1);
    assert_true(avps_has_work(&fake.base));
}

static void test_it_moves_and_is_lifted(void **state)
{
    (void)state;
    assert_int_equal(avps_kvm_doorbell_place(&bell, 0x1000, false), AVPS_OK);
    assert_int_equal(avps_kvm_doorbell_place(&bell, 0x1000, false), AVPS_OK);
    assert_int_equal(assigned, 1); /* it is there */
    assert_int_equal(avps_kvm_doorbell_place(&bell, 0x2000, false), AVPS_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(told.addr, 0x2000);
    avps_kvm_doorbell_lift(&bell);
    avps_kvm_doorbell_lift(&bell);
    assert_int_equal(removed, 2);
}

static void test_what_the_kernel_refuses_is_not_lifted(void **state)
{
    (void)state;
    answer = -1;
    assert_int_equal(avps_kvm_doorbell_place(&bell, 0x1000, true), AVPS_E_IO);
    avps_kvm_doorbell_lift(&bell);
    assert_int_equal(removed, 0);
}

static void test_free_lifts_it(void **state)
{
    (void)state;
    assert_int_equal(avps_kvm_doorbell_place(&bell, 0x1000, true), AVPS_OK);
    avps_kvm_doorbell_free(&bell);
    assert_int_equal(removed, 1);
    avps_kvm_doorbell_free(&bell);
    assert_int_equal(removed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in_a_window_the_queue_s_number_is_matched),
        TEST(test_an_address_of_its_own_rings_with_any_store),
        TEST(test_a_ring_kicks_the_queue_and_is_told),
        TEST(test_it_moves_and_is_lifted),
        TEST(test_what_the_kernel_refuses_is_not_lifted),
        TEST(test_free_lifts_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
