/* SPDX-License-Identifier: BSD-3-Clause */
/* Status names, and who is at fault. */
#include "support/mem.h"

#include "avps/status.h"

static void test_status_names_every_value(void **state)
{
    static const struct {
        enum avps_status status;
        const char *name;
    } rows[] = {
        {AVPS_OK, "AVPS_OK"},
        {AVPS_E_PARAM, "AVPS_E_PARAM"},
        {AVPS_E_STATE, "AVPS_E_STATE"},
        {AVPS_E_UNSUPPORTED, "AVPS_E_UNSUPPORTED"},
        {AVPS_EMPTY, "AVPS_EMPTY"},
        {AVPS_PENDING, "AVPS_PENDING"},
        {AVPS_AGAIN, "AVPS_AGAIN"},
        {AVPS_E_GUEST_ADDR, "AVPS_E_GUEST_ADDR"},
        {AVPS_E_GUEST_ACCESS, "AVPS_E_GUEST_ACCESS"},
        {AVPS_E_GUEST_DESC, "AVPS_E_GUEST_DESC"},
        {AVPS_E_GUEST_SIZE, "AVPS_E_GUEST_SIZE"},
        {AVPS_E_GUEST_PROTOCOL, "AVPS_E_GUEST_PROTOCOL"},
        {AVPS_E_IO, "AVPS_E_IO"},
        {AVPS_E_NOSPACE, "AVPS_E_NOSPACE"},
        {AVPS_E_INTERNAL, "AVPS_E_INTERNAL"},
        {(enum avps_status)7, "AVPS_E_?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(avps_status_name(rows[i].status), rows[i].name);
    }
}

static void test_status_tells_faults_of_the_guest_from_others(void **state)
{
    (void)state;
    for (int value = -100; value <= 0; value++) {
        assert_int_equal(avps_status_is_guest_fault((enum avps_status)value) != 0,
                         value <= -40 && value > -60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_names_every_value),
        cmocka_unit_test(test_status_tells_faults_of_the_guest_from_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
