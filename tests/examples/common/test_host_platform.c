/* SPDX-License-Identifier: BSD-3-Clause */
/* Guests of platform files in a hosted program: what the user connects, what is refused and how, and that
 * the devices that come of it keep to the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform.h"
#include "support/driver.h"

#define COCKPIT AVPS_TEST_PLATFORM_BLOBS "/examples/cockpit.dtb"
#define MIB     (UINT64_C(1) << 20U)

enum { TERMINAL, DATA, MAPS, CABIN, ENTROPY, DEVICES };

static struct avps_posix_error error;
static struct avps_posix_loop loop;
static struct host host;
static struct host_platform *platform;
static struct host_device *devices[DEVICES];
static struct test_driver drivers[DEVICES];
static char folder[64];
static char words[4][160];

static void host_says(void *ctx, enum host_log level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

/* ---- loading ---- */

static enum avps_status load(const char *path, const char *guest, const char *connection)
{
    const struct option_list connections = {.items = {connection},
                                            .count = connection != NULL ? 1U : 0U};

    error.text[0] = '\0';
    return host_platform_load(&platform, path, guest, &connections, &error);
}

static void assert_refused(const char *path, const char *guest, const char *connection,
                           const char *said)
{
    assert_int_not_equal(load(path, guest, connection), AVPS_OK);
    assert_string_equal(error.text, said);
    assert_null(platform);
}

static void test_host_platform_says_what_is_wrong_with_a_file(void **state)
{
    static const char bad[] = AVPS_TEST_PLATFORM_BLOBS "/bad/misspelt-rings.dtb";

    (void)state;
    assert_refused("/nowhere/x.dtb", NULL, NULL, "/nowhere/x.dtb: No such file or directory");
    assert_refused("/", NULL, NULL, "/: Is a directory");
    assert_refused(bad, NULL, NULL,
                   AVPS_TEST_PLATFORM_BLOBS
                   "/bad/misspelt-rings.dtb: /guests/cluster/devices/disk0: rings: expected "
                   "\"split\" or \"packed\", found \"spilt\"");
}

static void test_host_platform_chooses_a_guest(void **state)
{
    (void)state;
    assert_refused(COCKPIT, NULL, NULL,
                   COCKPIT ": say with --guest which one: cluster, infotainment");
    assert_refused(COCKPIT, "custer", NULL,
                   COCKPIT ": there is no guest 'custer', only: cluster, infotainment");
    assert_int_equal(load(COCKPIT, "infotainment", NULL), AVPS_OK);
    assert_string_equal(platform->guest->name, "infotainment");
    host_platform_free(platform);
    assert_int_equal(load(AVPS_TEST_PLATFORM_BLOBS "/examples/minimal.dtb", NULL, NULL), AVPS_OK);
    assert_string_equal(platform->guest->name, "linux");
    host_platform_free(platform);
    host_platform_free(NULL);
}

static void test_host_platform_knows_the_resources_of_its_guest(void **state)
{
    static const char *const bad[] = {"clusterdata=file=x", "data", "infotainment-data=file=x",
                                      "cluster-dat=file=x", "cabin=user"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char said[320];

        (void)snprintf(said, sizeof said,
                       "--connect %s: takes NAME=HOW with a resource of guest cluster, one of: "
                       "cluster-terminal, cluster-data, maps, gateway, entropy",
                       bad[i]);
        assert_refused(COCKPIT, "cluster", bad[i], said);
    }
}

/* ---- connecting ---- */

static void assert_not_made(uint32_t index, const char *connection, const char *said)
{
    assert_int_equal(load(COCKPIT, "cluster", connection), AVPS_OK);
    assert_null(host_platform_device(platform, &host, index, &error));
    assert_string_equal(error.text, said);
    host_platform_free(platform);
}

static void test_host_platform_says_what_is_wrong_with_a_connection(void **state)
{
    (void)state;
    assert_not_made(DATA, "cluster-data=image=x",
                    "--connect cluster-data: there is no option --image");
    assert_not_made(DATA, "cluster-data=",
                    "--connect cluster-data: '--' is no option: options "
                    "begin with two dashes");
    assert_not_made(DATA, "cluster-data=file=a,null=1M",
                    "--connect cluster-data: --file and --null exclude each other");
    assert_not_made(MAPS, "maps=direct", "--connect maps: --file or --null is missing");
}

/* Else a user could loosen the contract without a word. */
static void test_host_platform_leaves_to_the_file_what_it_decides(void **state)
{
    (void)state;
    assert_not_made(DATA, "cluster-data=file=x,queues=2",
                    "--connect cluster-data: queues is for the platform file to say");
    assert_not_made(CABIN, "gateway=user,mac=02:00:00:00:00:99",
                    "--connect gateway: mac is for the platform file to say");
    assert_not_made(CABIN, "gateway=switch=other",
                    "--connect gateway: switch is for the platform file to say");
    assert_not_made(TERMINAL, "cluster-terminal=pty,ports=3",
                    "--connect cluster-terminal: ports is for the platform file to say");
}

/* ---- serving ---- */

/* A file of that many MiB in the test's folder. */
static void medium(const char *name, uint64_t mib)
{
    char path[128];
    FILE *file = NULL;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), (off_t)(mib * MIB)), 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    (void)state;
    host = (struct host){.say = host_says};
    (void)snprintf(folder, sizeof folder, "/tmp/avps-platform-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(avps_posix_loop_init(&loop), AVPS_OK);
    medium("data", 65);
    medium("maps", 8);
    (void)snprintf(words[0], sizeof words[0], "cluster-data=file=%s/data,sync", folder);
    (void)snprintf(words[1], sizeof words[1], "maps=file=%s/maps,sync", folder);
    (void)snprintf(words[2], sizeof words[2], "cluster-terminal=file=%s/log", folder);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    for (uint32_t i = 0; i < DEVICES; i++) {
        if (devices[i] != NULL) {
            test_driver_free(&drivers[i]);
            assert_true(host_device_free(devices[i]));
        }
        devices[i] = NULL;
    }
    host_switches_free(&host);
    host_platform_free(platform);
    platform = NULL;
    avps_posix_loop_free(&loop);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static enum avps_status open_device(uint32_t index)
{
    struct host_device *device = host_platform_device(platform, &host, index, &error);

    assert_non_null(device);
    devices[index] = device;
    test_driver_init(&drivers[index], TEST_MEM_REGIONS);
    device->loop = &loop;
    device->mem = drivers[index].mem.handle;
    return host_device_open(device, &error);
}

static void serve(uint32_t index)
{
    if (open_device(index) != AVPS_OK) {
        fail_msg("%s", error.text);
    }
    test_driver_attach(&drivers[index], devices[index]->base);
    assert_int_equal(host_device_keeps_promise(devices[index], &error), AVPS_OK);
    host_device_ready(devices[index]);
}

static void load_connected(void)
{
    const struct option_list connections = {.items = {words[0], words[1], words[2]}, .count = 3};

    assert_int_equal(host_platform_load(&platform, COCKPIT, "cluster", &connections, &error),
                     AVPS_OK);
}

static uint64_t capacity(struct test_driver *d)
{
    uint64_t sectors = 0;

    for (uint32_t i = 0; i < 8U; i++) {
        sectors |= avps_mmio_read(&d->mmio, 0x100U + i, 1) << (8U * i);
    }
    return sectors;
}

static void test_host_platform_serves_a_whole_guest(void **state)
{
    (void)state;
    load_connected();
    for (uint32_t i = 0; i < DEVICES; i++) {
        serve(i);
        assert_string_equal(devices[i]->name, platform->guest->devices[i].name);
    }
    assert_string_equal(devices[DATA]->label, "cluster/data");
    assert_int_equal(capacity(&drivers[DATA]), 64U * 2048U); /* of 65 MiB */
    assert_false(test_driver_offers(&drivers[DATA], 5));
    assert_true(test_driver_offers(&drivers[DATA], 13));    /* discard */
    assert_false(test_driver_offers(&drivers[DATA], 10));   /* topology: not in the list */
    assert_true(test_driver_offers(&drivers[MAPS], 5));     /* read-only */
    assert_true(test_driver_offers(&drivers[TERMINAL], 1)); /* multiport */
    assert_true(test_driver_offers(&drivers[CABIN], AVPS_NET_F_CTRL_MAC_ADDR));
    assert_false(test_driver_offers(&drivers[CABIN], AVPS_NET_F_CSUM));
    assert_true(test_driver_offers(&drivers[ENTROPY], AVPS_F_RING_PACKED));
}

static void test_host_platform_refuses_a_medium_that_is_too_small(void **state)
{
    (void)state;
    medium("data", 63);
    load_connected();
    assert_int_equal(open_device(DATA), AVPS_E_NOSPACE);
    assert_string_equal(
        error.text, "the medium of 129024 sectors is smaller than the 64 MiB of the platform file");
}

static void test_host_platform_needs_a_disk_to_be_connected(void **state)
{
    const struct option_list none = {.count = 0};

    (void)state;
    assert_int_equal(host_platform_load(&platform, COCKPIT, "cluster", &none, &error), AVPS_OK);
    assert_null(host_platform_device(platform, &host, DATA, &error));
    assert_string_equal(error.text, "guest cluster has a disk that is not connected: --connect "
                                    "cluster-data=file=IMG");
}

static void test_host_platform_does_not_start_with_a_promise_broken(void **state)
{
    (void)state;
    load_connected();
    assert_int_equal(open_device(DATA), AVPS_OK);
    test_driver_attach(&drivers[DATA], devices[DATA]->base);
    struct avps_platform_device more = *devices[DATA]->planned;
    avps_features_add(&more.promise, AVPS_F_NOTIF_CONFIG_DATA); /* PCI only */
    devices[DATA]->planned = &more;
    assert_int_equal(host_device_keeps_promise(devices[DATA], &error), AVPS_E_UNSUPPORTED);
    assert_string_equal(error.text,
                        "the platform file promises the feature notif-config-data, which what "
                        "cluster/data is connected to, or its transport, cannot give");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_platform_says_what_is_wrong_with_a_file),
        cmocka_unit_test(test_host_platform_chooses_a_guest),
        cmocka_unit_test(test_host_platform_knows_the_resources_of_its_guest),
        cmocka_unit_test(test_host_platform_says_what_is_wrong_with_a_connection),
        cmocka_unit_test(test_host_platform_leaves_to_the_file_what_it_decides),
        cmocka_unit_test_setup_teardown(test_host_platform_serves_a_whole_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_platform_refuses_a_medium_that_is_too_small,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_host_platform_needs_a_disk_to_be_connected, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_host_platform_does_not_start_with_a_promise_broken,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
