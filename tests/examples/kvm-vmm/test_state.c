/* SPDX-License-Identifier: BSD-3-Clause */
/* Saved machines: contents, header and records as written and read back; hostile files. */
#include "support/mem.h"

#include <stdio.h>

#include "little.h"
#include "state.h"

#define HEADER 44U
#define RECORD 16U

static FILE *file;

static int setup(void **state)
{
    (void)state;
    file = tmpfile();
    assert_non_null(file);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)fclose(file);
    return 0;
}

/* ---- contents ---- */

static void test_contents_are_read_as_written(void **state)
{
    struct state_out out = {0};

    (void)state;
    state_put_u32(&out, 0x11223344);
    state_put_u64(&out, UINT64_C(0x1122334455667788));
    state_put(&out, "abc", 3);
    assert_int_equal(out.size, 15);
    assert_int_equal(out.bytes[0], 0x44); /* little-endian on every host */
    struct state_in in = {.bytes = out.bytes, .left = out.size};
    char text[3];
    assert_int_equal(state_get_u32(&in), 0x11223344);
    assert_int_equal(state_get_u64(&in), UINT64_C(0x1122334455667788));
    assert_false(state_is_done(&in));
    state_get(&in, text, 3);
    assert_memory_equal(text, "abc", 3);
    assert_true(state_is_done(&in));
    free(out.bytes);
}

static void test_what_is_not_there_reads_as_zeroes_and_is_noted(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct state_in in = {.bytes = bytes, .left = sizeof bytes};

    (void)state;
    assert_int_equal(state_get_u32(&in), 0);
    assert_true(in.failed);
    uint8_t byte = 9;
    state_get(&in, &byte, 1); /* it is there, but nothing counts any more */
    assert_int_equal(byte, 0);
    assert_false(state_is_done(&in));
}

static void test_contents_grow(void **state)
{
    struct state_out out = {0};

    (void)state;
    for (uint32_t i = 0; i < 100000U; i++) {
        state_put_u32(&out, i);
    }
    assert_false(out.failed);
    assert_int_equal(out.size, 400000);
    assert_int_equal(little_get(out.bytes + 399996, 4), 99999);
    free(out.bytes);
}

/* ---- header ---- */

static const struct state_machine machine = {
    .arch = "arm64", .memory = UINT64_C(0x10000000), .cpus = 2, .devices = 4};

static void test_a_header_is_read_as_written(void **state)
{
    struct state_machine got = {0};

    (void)state;
    assert_int_equal(state_write_header(file, &machine), AVPS_OK);
    assert_int_equal(ftell(file), HEADER);
    rewind(file);
    assert_int_equal(state_read_header(file, &got), AVPS_OK);
    assert_string_equal(got.arch, "arm64");
    assert_int_equal(got.memory, 0x10000000);
    assert_int_equal(got.cpus, 2);
    assert_int_equal(got.devices, 4);
}

/* The header with one byte changed. */
static enum avps_status header_with(long offset, uint8_t byte)
{
    struct state_machine got = {0};

    rewind(file);
    assert_int_equal(state_write_header(file, &machine), AVPS_OK);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fwrite(&byte, 1, 1, file), 1);
    rewind(file);
    return state_read_header(file, &got);
}

static void test_a_file_that_is_none_is_refused(void **state)
{
    struct state_machine got = {0};

    (void)state;
    assert_int_equal(state_read_header(file, &got), AVPS_E_PARAM); /* empty */
    assert_int_equal(header_with(0, 'B'), AVPS_E_PARAM);
    assert_int_equal(header_with(8, 99), AVPS_E_UNSUPPORTED);
}

static void test_a_name_without_end_is_ended(void **state)
{
    uint8_t bytes[HEADER];
    struct state_machine got = {0};

    (void)state;
    assert_int_equal(state_write_header(file, &machine), AVPS_OK);
    rewind(file);
    assert_int_equal(fread(bytes, sizeof bytes, 1, file), 1);
    memset(bytes + 12, 'x', 16);
    rewind(file);
    assert_int_equal(fwrite(bytes, sizeof bytes, 1, file), 1);
    rewind(file);
    assert_int_equal(state_read_header(file, &got), AVPS_OK);
    assert_int_equal(strlen(got.arch), 15);
}

/* ---- records ---- */

static void test_a_record_is_read_as_written(void **state)
{
    const struct state_record record = {.kind = STATE_DEVICE, .index = 3, .length = 5};
    struct state_record got;
    char bytes[5];

    (void)state;
    assert_int_equal(state_write_record(file, &record, "hello"), AVPS_OK);
    rewind(file);
    assert_int_equal(state_read_record(file, &got), AVPS_OK);
    assert_int_equal(got.kind, STATE_DEVICE);
    assert_int_equal(got.index, 3);
    assert_int_equal(got.length, 5);
    assert_int_equal(fread(bytes, 5, 1, file), 1);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(state_read_record(file, &got), AVPS_E_IO); /* the end of the file */
}

static enum avps_status record_of(uint32_t kind, uint64_t length)
{
    uint8_t bytes[RECORD] = {0};
    struct state_record got;

    little_put(bytes, 4, kind);
    little_put(bytes + 8, 8, length);
    rewind(file);
    assert_int_equal(fwrite(bytes, sizeof bytes, 1, file), 1);
    rewind(file);
    return state_read_record(file, &got);
}

static void test_an_unknown_kind_is_refused(void **state)
{
    (void)state;
    assert_int_equal(record_of(0, 4), AVPS_E_PARAM);
    assert_int_equal(record_of(STATE_END + 1U, 4), AVPS_E_PARAM);
    assert_int_equal(record_of(UINT32_MAX, 4), AVPS_E_PARAM);
}

static void test_no_length_is_believed(void **state)
{
    (void)state;
    assert_int_equal(record_of(STATE_CPU, STATE_RECORD_MAX), AVPS_OK);
    assert_int_equal(record_of(STATE_CPU, STATE_RECORD_MAX + 1U), AVPS_E_PARAM);
    assert_int_equal(record_of(STATE_DEVICE, UINT64_MAX), AVPS_E_PARAM);
    assert_int_equal(record_of(STATE_MEMORY, 8), AVPS_E_PARAM); /* an address of nothing */
    assert_int_equal(record_of(STATE_MEMORY, 0), AVPS_E_PARAM);
    assert_int_equal(record_of(STATE_MEMORY, 8U + STATE_MEMORY_MAX), AVPS_OK);
    assert_int_equal(record_of(STATE_MEMORY, 9U + STATE_MEMORY_MAX), AVPS_E_PARAM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_contents_are_read_as_written),
        TEST(test_what_is_not_there_reads_as_zeroes_and_is_noted),
        TEST(test_contents_grow),
        TEST(test_a_header_is_read_as_written),
        TEST(test_a_file_that_is_none_is_refused),
        TEST(test_a_name_without_end_is_ended),
        TEST(test_a_record_is_read_as_written),
        TEST(test_an_unknown_kind_is_refused),
        TEST(test_no_length_is_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
