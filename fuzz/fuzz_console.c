/* SPDX-License-Identifier: BSD-3-Clause */
/* Console with three ports: output is taken in part, ports come and go, input arrives. Output must
 * come as a stream: what was not taken comes again, from that byte on. */
#include <string.h>

#include "avps/console.h"
#include "guest.h"

#define PORTS 3U

static struct {
    struct avps_console console;
    struct avps_console_port ports[PORTS];
    uint64_t bytes_in;
} run;

static enum avps_status console_output(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t len,
                                       uint32_t *taken)
{
    const uint8_t how = fuzz_u8(ctx);
    uint8_t sum = 0;

    FUZZ_CHECK(port < PORTS && len != 0U);
    for (uint32_t i = 0; i < len; i++) {
        sum = (uint8_t)(sum + bytes[i]); /* every byte is there */
    }
    run.bytes_in += sum;
    *taken = how < 0x40U ? len : (how < 0xc0U ? how % (len + 1U) : 0U);
    return how == 0xffU ? AVPS_E_IO : AVPS_OK;
}

static void console_none(void *ctx, uint32_t port)
{
    (void)ctx;
    (void)port;
}

static void console_emergency(void *ctx, uint8_t byte)
{
    (void)ctx;
    run.bytes_in += byte;
}

static const struct avps_console_ops console_ops = {.output = console_output,
                                                    .input_ready = console_none,
                                                    .guest_open = console_none,
                                                    .guest_close = console_none,
                                                    .emergency = console_emergency};

static bool console_init(struct fuzz_guest *guest)
{
    memset(&run, 0, sizeof run);
    const struct avps_console_config config = {
        .base = guest->base,
        .port0 = {.ops = &console_ops,
                  .ctx = guest,
                  .name = "tty",
                  .cols = 80,
                  .rows = 25,
                  .console = true,
                  .open = true},
        .ports = run.ports,
        .max_ports = PORTS,
        .multiport = true,
    };
    guest->device = &run.console.base;
    return avps_console_init(&run.console, &config) == AVPS_OK;
}

static void console_host(struct fuzz_guest *guest, uint8_t what)
{
    const uint32_t port = what & 3U;
    const struct avps_console_port_config config = {
        .ops = &console_ops, .ctx = guest, .name = "more", .open = (what & 4U) != 0U};
    uint8_t bytes[64];
    uint32_t taken = 0;
    enum avps_status status = AVPS_OK;

    switch (what >> 4 & 7U) {
    case 0:
    case 1:
        memset(bytes, what, sizeof bytes);
        status = avps_console_input(&run.console, port, bytes, what & 63U, &taken);
        FUZZ_CHECK(taken <= (what & 63U));
        break;
    case 2:
        status = avps_console_add_port(&run.console, port, &config);
        break;
    case 3:
        status = avps_console_remove_port(&run.console, port);
        break;
    case 4:
        status = avps_console_open(&run.console, port);
        break;
    case 5:
        status = avps_console_close(&run.console, port);
        break;
    case 6:
        status = avps_console_resize(&run.console, port, what, 50);
        break;
    default:
        avps_console_output_ready(&run.console, port);
        break;
    }
    FUZZ_CHECK(status != AVPS_E_INTERNAL);
}

static const struct fuzz_target console_target = {2U * PORTS + 2U, console_init, console_host};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    fuzz_run(&console_target, input, size);
    return 0;
}
