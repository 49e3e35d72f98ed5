/* SPDX-License-Identifier: BSD-3-Clause */
/* What the pages shared with Xen say, hostile values included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ioreq.h"

static struct ioreq access_to(uint64_t gpa, uint32_t size, uint8_t dir)
{
    const struct ioreq slot = {.type = IOREQ_TYPE_COPY,
                               .state = STATE_IOREQ_READY,
                               .addr = gpa,
                               .data = 0x1122334455667788U,
                               .count = 1,
                               .size = size,
                               .dir = dir & 1U};

    return slot;
}

static void test_takes_a_store_and_answers_it(void **state)
{
    struct ioreq slot = access_to(0x2000050, 4, IOREQ_WRITE);
    struct avps_window_access access;

    (void)state;
    assert_int_equal(ioreq_take(&slot, &access), IOREQ_ACCESS);
    assert_int_equal(slot.state, STATE_IOREQ_INPROCESS);
    assert_int_equal(access.gpa, 0x2000050);
    assert_int_equal(access.width, 4);
    assert_true(access.is_write);
    assert_int_equal(access.value, 0x1122334455667788U);
    ioreq_answer(&slot, 0);
    assert_int_equal(slot.state, STATE_IORESP_READY);
}

static void test_takes_a_load_and_answers_its_value(void **state)
{
    struct ioreq slot = access_to(0x2000000, 8, IOREQ_READ);
    struct avps_window_access access;

    (void)state;
    assert_int_equal(ioreq_take(&slot, &access), IOREQ_ACCESS);
    assert_false(access.is_write);
    assert_int_equal(access.value, UINT64_MAX);
    ioreq_answer(&slot, 0x74726976);
    assert_int_equal(slot.data, 0x74726976);
}

static void test_leaves_a_slot_alone_that_is_not_ready(void **state)
{
    const uint8_t others[] = {STATE_IOREQ_NONE, STATE_IOREQ_INPROCESS, STATE_IORESP_READY, 15};
    struct avps_window_access access;

    (void)state;
    for (size_t i = 0; i < sizeof others; i++) {
        struct ioreq slot = access_to(0x2000000, 4, IOREQ_READ);

        slot.state = others[i] & 15U;
        assert_int_equal(ioreq_take(&slot, &access), IOREQ_NONE);
        assert_int_equal(slot.state, others[i]);
    }
}

static void test_refuses_every_width_but_the_four(void **state)
{
    struct avps_window_access access;

    (void)state;
    for (uint32_t size = 0; size < 70U; size++) {
        struct ioreq slot = access_to(0x2000000, size, IOREQ_READ);
        const bool good = size == 1U || size == 2U || size == 4U || size == 8U;

        assert_int_equal(ioreq_take(&slot, &access), good ? IOREQ_ACCESS : IOREQ_UNKNOWN);
    }
    struct ioreq slot = access_to(0x2000000, UINT32_MAX, IOREQ_READ);

    assert_int_equal(ioreq_take(&slot, &access), IOREQ_UNKNOWN);
}

/* Repeated, by pointer, of another type: answered with all ones, never followed. */
static void test_refuses_what_is_no_plain_access(void **state)
{
    struct ioreq slots[] = {
        access_to(0x2000000, 4, IOREQ_READ), access_to(0x2000000, 4, IOREQ_READ),
        access_to(0x2000000, 4, IOREQ_READ), access_to(0x2000000, 4, IOREQ_READ)};
    struct avps_window_access access;

    (void)state;
    slots[0].count = 0;
    slots[1].count = 2;
    slots[2].data_is_ptr = 1;
    slots[3].type = 255;
    for (size_t i = 0; i < 4U; i++) {
        assert_int_equal(ioreq_take(&slots[i], &access), IOREQ_UNKNOWN);
        assert_int_equal(slots[i].state, STATE_IOREQ_INPROCESS);
        assert_int_equal(access.value, UINT64_MAX);
    }
}

static void test_tells_that_the_guest_gave_pages_back(void **state)
{
    struct ioreq slot = {.type = IOREQ_TYPE_INVALIDATE, .state = STATE_IOREQ_READY, .size = 4};
    struct avps_window_access access;

    (void)state;
    assert_int_equal(ioreq_take(&slot, &access), IOREQ_FLUSH);
}

/* ---- buffered ---- */

static struct buffered_iopage page;

static void put(uint32_t at, uint32_t addr, uint8_t size, uint32_t data)
{
    page.buf_ioreq[at % IOREQ_BUFFER_SLOT_NUM] = (struct buf_ioreq){.type = IOREQ_TYPE_COPY,
                                                                    .dir = IOREQ_WRITE,
                                                                    .size = size & 3U,
                                                                    .addr = addr & 0xfffffU,
                                                                    .data = data};
}

static void test_takes_buffered_stores_in_order(void **state)
{
    struct avps_window_access access;

    (void)state;
    (void)memset(&page, 0, sizeof page);
    put(0, 0xa0000, 0, 0x11);
    put(1, 0xa0004, 3, 0x55667788);
    put(2, 0, 0, 0x11223344);
    page.write_pointer = 3;
    assert_true(ioreq_take_buffered(&page, &access));
    assert_int_equal(access.gpa, 0xa0000);
    assert_int_equal(access.width, 1);
    assert_int_equal(page.read_pointer, 1);
    assert_true(ioreq_take_buffered(&page, &access));
    assert_int_equal(access.width, 8);
    assert_int_equal(access.value, 0x1122334455667788U);
    assert_int_equal(page.read_pointer, 3);
    assert_false(ioreq_take_buffered(&page, &access));
}

static void test_takes_a_wide_buffered_store_across_the_end(void **state)
{
    struct avps_window_access access;

    (void)state;
    (void)memset(&page, 0, sizeof page);
    put(IOREQ_BUFFER_SLOT_NUM - 1U, 8, 3, 0xdddddddd);
    put(0, 0, 0, 0xcccccccc);
    page.read_pointer = IOREQ_BUFFER_SLOT_NUM - 1U;
    page.write_pointer = IOREQ_BUFFER_SLOT_NUM + 1U;
    assert_true(ioreq_take_buffered(&page, &access));
    assert_int_equal(access.value, 0xccccccccddddddddU);
}

/* Half a wide store, and pointers further apart than there are places. */
static void test_takes_no_buffered_store_that_is_not_there(void **state)
{
    struct avps_window_access access;

    (void)state;
    (void)memset(&page, 0, sizeof page);
    put(0, 8, 3, 1);
    page.write_pointer = 1;
    assert_false(ioreq_take_buffered(&page, &access));
    page.write_pointer = IOREQ_BUFFER_SLOT_NUM + 1U;
    assert_false(ioreq_take_buffered(&page, &access));
    page.read_pointer = 5;
    page.write_pointer = 4;
    assert_false(ioreq_take_buffered(&page, &access));
    assert_int_equal(page.read_pointer, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_a_store_and_answers_it),
        cmocka_unit_test(test_takes_a_load_and_answers_its_value),
        cmocka_unit_test(test_leaves_a_slot_alone_that_is_not_ready),
        cmocka_unit_test(test_refuses_every_width_but_the_four),
        cmocka_unit_test(test_refuses_what_is_no_plain_access),
        cmocka_unit_test(test_tells_that_the_guest_gave_pages_back),
        cmocka_unit_test(test_takes_buffered_stores_in_order),
        cmocka_unit_test(test_takes_a_wide_buffered_store_across_the_end),
        cmocka_unit_test(test_takes_no_buffered_store_that_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
