/* SPDX-License-Identifier: BSD-3-Clause */
/* Platform files for the tests: sources in tests/port/platform and examples/platforms, compiled by dtc
 * into the build folder. */
#ifndef TESTS_PLATFORM_FILE_H
#define TESTS_PLATFORM_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PLATFORM_BLOB_SIZE 65536U

/* With a byte to spare, and aligned. */
union platform_blob {
    uint64_t align;
    uint8_t bytes[PLATFORM_BLOB_SIZE];
};

/* Load a compiled file by its name without ending, "good/full". @return its size, not 0. */
static inline size_t platform_file_load(const char *name, union platform_blob *blob)
{
    char path[512];
    FILE *file = NULL;
    size_t size = 0;

    (void)snprintf(path, sizeof path, AVPS_TEST_PLATFORM_BLOBS "/%s.dtb", name);
    file = fopen(path, "rb");
    assert_non_null(file);
    memset(blob, 0, sizeof *blob);
    size = fread(blob->bytes, 1U, sizeof blob->bytes - 1U, file);
    (void)fclose(file);
    assert_true(size != 0U);
    return size;
}

/* The line that a malformed file is to get. */
static inline void platform_file_expected(const char *name, char *text, size_t size)
{
    static const char before[] = "/* expect: ";
    static const char behind[] = " */\n";
    char path[512];
    char found[1024] = "";
    FILE *file = NULL;

    (void)snprintf(path, sizeof path, AVPS_TEST_PLATFORM_SOURCES "/%s.dts", name);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(found, sizeof found, file)); /* licence */
    assert_non_null(fgets(found, sizeof found, file));
    (void)fclose(file);

    const size_t length = strlen(found);

    assert_true(length > sizeof before + sizeof behind);
    assert_memory_equal(found, before, sizeof before - 1U);
    assert_string_equal(found + length - (sizeof behind - 1U), behind);
    found[length - (sizeof behind - 1U)] = '\0';
    (void)snprintf(text, size, "%s", found + sizeof before - 1U);
}

#endif
