/* SPDX-License-Identifier: BSD-3-Clause */
/* A device model whose every reaction the test chooses: synchronous, asynchronous or fed by the
 * device side, with features that depend on each other and a configuration space.
 *
 *     struct test_fake fake;
 *     struct test_driver d;
 *     test_driver_init(&d, TEST_MEM_REGIONS);
 *     test_fake_init(&fake, &d, TEST_FAKE_ASYNC);     // also attaches
 *     test_driver_start(&d);
 *     ... send, kick, poll ...
 *     test_fake_complete(&fake, 0);                   // the oldest kept request
 *
 * An answered request gets back its readable bytes, as many as fit ("echo"). */
#ifndef TEST_SUPPORT_FAKE_H
#define TEST_SUPPORT_FAKE_H

#include "support/driver.h"

#include "devices/device_internal.h"

#define TEST_FAKE_ID       0x3fU
#define TEST_FAKE_QUEUES   3U
#define TEST_FAKE_REQUESTS 8U
#define TEST_FAKE_SEGS     16U
#define TEST_FAKE_CONFIG   20U

/* Own feature bits. */
#define TEST_FAKE_F_PLAIN     0U   /* nothing special */
#define TEST_FAKE_F_NEEDS     1U   /* needs PLAIN */
#define TEST_FAKE_F_ANY       2U   /* needs PLAIN or OTHER */
#define TEST_FAKE_F_OTHER     3U   /* nothing special */
#define TEST_FAKE_F_BOTH      4U   /* needs NEEDS, and ANY or OTHER */
#define TEST_FAKE_F_WITHHELD  5U   /* in the table, not in the offer */
#define TEST_FAKE_F_DEPENDENT 6U   /* needs WITHHELD: must not be offered */
#define TEST_FAKE_F_HIGH      100U /* in word 3 */

enum test_fake_kind {
    TEST_FAKE_SYNC,   /* queue 0 and 1 answered at once */
    TEST_FAKE_ASYNC,  /* requests are kept until test_fake_complete */
    TEST_FAKE_SUPPLY, /* queue 0 synchronous, queue 1 supply, queue 2 burst */
    TEST_FAKE_STRICT, /* synchronous, PLAIN is required */
    TEST_FAKE_BARE    /* requests and nothing else; queue 1 supply without an op */
};

struct test_fake {
    struct avps_device base;
    enum test_fake_kind kind;
    struct test_driver *driver;
    struct avps_request requests[TEST_FAKE_REQUESTS];
    struct avps_seg segs[TEST_FAKE_REQUESTS][TEST_FAKE_SEGS];
    struct avps_request *kept[TEST_FAKE_REQUESTS]; /* in order of arrival */
    size_t kept_count;

    /* what the test chooses */
    size_t request_limit;           /* how many of `requests` may be used */
    enum avps_status answer;        /* of the next requests */
    bool complete_inside;           /* async: completes inside `request` */
    bool complete_oldest;           /* async: completes the oldest request inside `request` */
    bool poll_inside;               /* calls avps_poll inside `request` */
    enum avps_status cancel_answer; /* AVPS_OK or AVPS_PENDING */
    bool cancel_completes;          /* completes all inside `cancel` */
    bool refuse_features;           /* features_ok refuses */
    bool work_more;                 /* what `work` returns */
    uint8_t config[TEST_FAKE_CONFIG];
    uint32_t state_value; /* saved and loaded; above 100 is not accepted */

    /* what the test sees */
    unsigned int served; /* requests */
    unsigned int supplies;
    unsigned int bursts;
    unsigned int works;
    unsigned int activations;
    unsigned int resets;
    unsigned int queue_resets[TEST_FAKE_QUEUES];
    unsigned int cancels;
    uint32_t last_cancel;
    unsigned int config_puts;
};

void test_fake_init(struct test_fake *fake, struct test_driver *d, enum test_fake_kind kind);
/* Without a transport. */
void test_fake_init_alone(struct test_fake *fake, struct test_driver *d, enum test_fake_kind kind);
/* With these features withheld, and so on: `base` is what test_driver_base gave, changed. */
enum avps_status test_fake_init_with(struct test_fake *fake, struct test_driver *d,
                                     enum test_fake_kind kind,
                                     const struct avps_device_config *base);
/* Storage for the queues of one fake device; two may live at once. */
struct avps_queue *test_fake_queues(unsigned int which);

/* Answer the n-th kept request (0: the oldest) and complete it. */
void test_fake_complete(struct test_fake *fake, size_t n);

#endif
