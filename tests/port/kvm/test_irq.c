/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts of a KVM guest: wires, routes of messages as the guest programs them, sending by eventfd or by
 * call, giving all back. */
#include "support/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "avps_kvm/irq.h"

#define VM_FD     77
#define FIRST_GSI 24U
#define VECTORS   3U
#define REQUESTER 0x18U
#define ADDRESS   UINT64_C(0x180810040)

int __wrap_ioctl(int fd, unsigned long request, ...);

/* What the kernel was told. */
static struct {
    struct kvm_irq_level level;
    struct kvm_msi message;
    struct kvm_irqfd bind;
    struct kvm_irq_routing_entry routes[AVPS_KVM_ROUTES];
    uint32_t route_count;
    unsigned int levels, messages, binds, unbinds, tables;
    bool refuses_tables;
    bool refuses_binds;
} kernel;

static int take_table(const struct kvm_irq_routing *table)
{
    const uint8_t *rows = (const uint8_t *)table + sizeof *table;

    kernel.tables++;
    if (kernel.refuses_tables) {
        return -1;
    }
    kernel.route_count = table->nr;
    memcpy(kernel.routes, rows, table->nr * sizeof kernel.routes[0]);
    return 0;
}

static int take_bind(const struct kvm_irqfd *bind)
{
    kernel.bind = *bind;
    if ((bind->flags & KVM_IRQFD_FLAG_DEASSIGN) != 0U) {
        kernel.unbinds++;
        return 0;
    }
    kernel.binds++;
    return kernel.refuses_binds ? -1 : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list values;

    assert_int_equal(fd, VM_FD);
    va_start(values, request);
    const void *value = va_arg(values, void *);
    va_end(values);
    switch (request) {
    case KVM_IRQ_LINE:
        kernel.level = *(const struct kvm_irq_level *)value;
        kernel.levels++;
        return 0;
    case KVM_SIGNAL_MSI:
        kernel.message = *(const struct kvm_msi *)value;
        kernel.messages++;
        return 1;
    case KVM_SET_GSI_ROUTING:
        return take_table(value);
    case KVM_IRQFD:
        return take_bind(value);
    default:
        fail();
        return -1;
    }
}

struct fixture {
    struct avps_kvm_irq irq;
    struct avps_kvm_vector vectors[VECTORS];
    struct avps_kvm_msi msi;
};

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof *fx);

    assert_non_null(fx);
    memset(&kernel, 0, sizeof kernel);
    assert_int_equal(avps_kvm_irq_init(&fx->irq, VM_FD, FIRST_GSI), AVPS_OK);
    fx->msi = (struct avps_kvm_msi){.irq = &fx->irq,
                                    .vectors = fx->vectors,
                                    .count = VECTORS,
                                    .has_requester = true,
                                    .requester = REQUESTER};
    assert_int_equal(avps_kvm_msi_init(&fx->msi), AVPS_OK);
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    avps_kvm_msi_free(&fx->msi);
    avps_kvm_irq_free(&fx->irq);
    free(fx);
    return 0;
}

static void route(struct fixture *fx, uint32_t vector, uint64_t address, uint32_t data)
{
    avps_kvm_msi_ops.msi_route(&fx->msi, vector, address, data, false);
}

static uint64_t rings(const struct fixture *fx, uint32_t vector)
{
    uint64_t count = 0;

    return read(fx->vectors[vector].fd, &count, sizeof count) == sizeof count ? count : 0U;
}

static void test_a_wire_is_set_by_its_line(void **state)
{
    struct fixture *fx = *state;

    avps_kvm_line_ops.set_level(&fx->irq, 0x01000030, true);
    assert_int_equal(kernel.level.irq, 0x01000030);
    assert_int_equal(kernel.level.level, 1);
    avps_kvm_msi_ops.set_level(&fx->msi, 0x01000031, false);
    assert_int_equal(kernel.level.irq, 0x01000031);
    assert_int_equal(kernel.level.level, 0);
    assert_int_equal(kernel.levels, 2);
}

static void test_a_programmed_vector_is_routed_and_bound(void **state)
{
    struct fixture *fx = *state;

    route(fx, 1, ADDRESS, 7);
    assert_int_equal(kernel.route_count, 1);
    assert_int_equal(kernel.routes[0].gsi, FIRST_GSI + 1U);
    assert_int_equal(kernel.routes[0].type, KVM_IRQ_ROUTING_MSI);
    assert_int_equal(kernel.routes[0].flags, KVM_MSI_VALID_DEVID);
    assert_int_equal(kernel.routes[0].u.msi.devid, REQUESTER);
    assert_int_equal(kernel.routes[0].u.msi.address_lo, 0x80810040);
    assert_int_equal(kernel.routes[0].u.msi.address_hi, 1);
    assert_int_equal(kernel.routes[0].u.msi.data, 7);
    assert_int_equal(kernel.bind.fd, fx->vectors[1].fd);
    assert_int_equal(kernel.bind.gsi, FIRST_GSI + 1U);
}

static void test_a_routed_vector_is_sent_by_its_eventfd(void **state)
{
    struct fixture *fx = *state;

    route(fx, 2, ADDRESS, 7);
    avps_kvm_msi_ops.msi(&fx->msi, 2, ADDRESS, 7);
    avps_kvm_msi_ops.msi(&fx->msi, 2, ADDRESS, 7);
    assert_int_equal(rings(fx, 2), 2);
    assert_int_equal(kernel.messages, 0);
}

static void test_another_message_of_a_vector_moves_its_route(void **state)
{
    struct fixture *fx = *state;

    route(fx, 0, ADDRESS, 7);
    route(fx, 0, ADDRESS, 8);
    assert_int_equal(kernel.route_count, 1); /* the same row */
    assert_int_equal(kernel.routes[0].u.msi.data, 8);
    assert_int_equal(kernel.binds, 1); /* bound as it was */
    assert_int_equal(kernel.tables, 2);
    route(fx, 0, ADDRESS, 8);
    assert_int_equal(kernel.tables, 2); /* nothing new */
}

static void test_a_masked_vector_keeps_its_route(void **state)
{
    struct fixture *fx = *state;

    avps_kvm_msi_ops.msi_route(&fx->msi, 0, ADDRESS, 7, true);
    assert_int_equal(kernel.tables, 0);
    route(fx, 0, ADDRESS, 7);
    avps_kvm_msi_ops.msi_route(&fx->msi, 0, ADDRESS, 9, true);
    assert_int_equal(kernel.tables, 1);
}

static void test_a_message_that_is_not_routed_is_sent_by_call(void **state)
{
    struct fixture *fx = *state;

    avps_kvm_msi_ops.msi(&fx->msi, 0, ADDRESS, 5);
    assert_int_equal(kernel.messages, 1);
    assert_int_equal(kernel.message.address_lo, 0x80810040);
    assert_int_equal(kernel.message.address_hi, 1);
    assert_int_equal(kernel.message.data, 5);
    assert_int_equal(kernel.message.flags, KVM_MSI_VALID_DEVID);
    assert_int_equal(kernel.message.devid, REQUESTER);
    route(fx, 0, ADDRESS, 5);
    avps_kvm_msi_ops.msi(&fx->msi, 0, ADDRESS, 6); /* other data than the route's */
    assert_int_equal(kernel.messages, 2);
    assert_int_equal(rings(fx, 0), 0);
}

static void test_a_route_that_the_kernel_refuses_is_taken_away(void **state)
{
    struct fixture *fx = *state;

    route(fx, 0, ADDRESS, 5);
    kernel.refuses_tables = true;
    route(fx, 0, ADDRESS, 6);
    assert_int_equal(kernel.unbinds, 1);
    avps_kvm_msi_ops.msi(&fx->msi, 0, ADDRESS, 6);
    assert_int_equal(kernel.messages, 1);
}

static void test_an_eventfd_that_is_not_bound_is_not_used(void **state)
{
    struct fixture *fx = *state;

    kernel.refuses_binds = true;
    route(fx, 0, ADDRESS, 5);
    avps_kvm_msi_ops.msi(&fx->msi, 0, ADDRESS, 5);
    assert_int_equal(kernel.messages, 1);
}

static void test_without_requester_none_is_told(void **state)
{
    struct fixture *fx = *state;

    fx->msi.has_requester = false;
    route(fx, 0, ADDRESS, 5);
    assert_int_equal(kernel.routes[0].flags, 0);
    assert_int_equal(kernel.routes[0].u.msi.devid, 0);
    avps_kvm_msi_ops.msi(&fx->msi, 1, ADDRESS, 5);
    assert_int_equal(kernel.message.flags, 0);
}

static void test_functions_have_numbers_of_their_own(void **state)
{
    struct fixture *fx = *state;
    struct avps_kvm_vector more[2];
    struct avps_kvm_msi other = {.irq = &fx->irq, .vectors = more, .count = 2};

    assert_int_equal(avps_kvm_msi_init(&other), AVPS_OK);
    avps_kvm_msi_ops.msi_route(&other, 0, ADDRESS, 1, false);
    assert_int_equal(kernel.routes[0].gsi, FIRST_GSI + VECTORS);
    avps_kvm_msi_free(&other);
}

static void test_pins_stay_in_the_table(void **state)
{
    struct fixture *fx = *state;

    assert_int_equal(avps_kvm_irq_pin(&fx->irq, 5, 2, 5), AVPS_OK);
    assert_int_equal(avps_kvm_irq_pin(&fx->irq, FIRST_GSI, 2, 5), AVPS_E_PARAM);
    route(fx, 0, ADDRESS, 5);
    assert_int_equal(kernel.route_count, 2);
    assert_int_equal(kernel.routes[0].type, KVM_IRQ_ROUTING_IRQCHIP);
    assert_int_equal(kernel.routes[0].u.irqchip.irqchip, 2);
    assert_int_equal(kernel.routes[0].u.irqchip.pin, 5);
}

static void test_routes_are_limited(void **state)
{
    struct fixture *fx = *state;
    struct avps_kvm_msi other = {.irq = &fx->irq, .count = AVPS_KVM_ROUTES - VECTORS + 1U};

    assert_int_equal(avps_kvm_msi_init(&other), AVPS_E_NOSPACE);
    for (uint32_t i = 0; i < AVPS_KVM_ROUTES; i++) {
        assert_int_equal(avps_kvm_irq_pin(&fx->irq, 0, 0, i), AVPS_OK);
    }
    assert_int_equal(avps_kvm_irq_pin(&fx->irq, 0, 0, 0), AVPS_E_NOSPACE);
    route(fx, 0, ADDRESS, 5); /* no room: sent by call */
    assert_int_equal(kernel.tables, 0);
    avps_kvm_msi_ops.msi(&fx->msi, 0, ADDRESS, 5);
    assert_int_equal(kernel.messages, 1);
}

static void test_free_unbinds_and_closes_all(void **state)
{
    struct fixture *fx = *state;
    const int fd = fx->vectors[0].fd;

    route(fx, 0, ADDRESS, 5);
    avps_kvm_msi_free(&fx->msi);
    assert_int_equal(kernel.unbinds, 1);
    assert_int_equal(kernel.bind.gsi, FIRST_GSI);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    avps_kvm_msi_free(&fx->msi);
    assert_int_equal(kernel.unbinds, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_wire_is_set_by_its_line),
        TEST(test_a_programmed_vector_is_routed_and_bound),
        TEST(test_a_routed_vector_is_sent_by_its_eventfd),
        TEST(test_another_message_of_a_vector_moves_its_route),
        TEST(test_a_masked_vector_keeps_its_route),
        TEST(test_a_message_that_is_not_routed_is_sent_by_call),
        TEST(test_a_route_that_the_kernel_refuses_is_taken_away),
        TEST(test_an_eventfd_that_is_not_bound_is_not_used),
        TEST(test_without_requester_none_is_told),
        TEST(test_functions_have_numbers_of_their_own),
        TEST(test_pins_stay_in_the_table),
        TEST(test_routes_are_limited),
        TEST(test_free_unbinds_and_closes_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
