/* SPDX-License-Identifier: BSD-3-Clause */
/* A small driver for tests: ring formats -> used elements and suppression -> register file ->
 * requests. It keeps its own indices and believes the device nothing that it can check. */
#include "support/driver.h"

#define SLOT_INNER 0xffffU /* a descriptor in the middle of a split chain */

bool test_split_format = false;
bool test_packed_format = true;

bool test_is_packed(void **state)
{
    return *(const bool *)*state;
}

/* ---- areas ---- */

static uint32_t ring_driver_len(const struct test_ring *ring)
{
    return ring->packed ? 4U : 6U + 2U * ring->size;
}

static uint32_t ring_device_len(const struct test_ring *ring)
{
    return ring->packed ? 4U : 6U + 8U * ring->size;
}

void test_ring_init(struct test_ring *ring, struct test_mem *mem, bool packed, uint32_t size)
{
    (void)memset(ring, 0, sizeof *ring);
    ring->mem = mem;
    ring->packed = packed;
    ring->size = size;
    ring->desc = test_mem_alloc(mem, 16U * size + 16U, 16); /* and the spare one */
    ring->driver = test_mem_alloc(mem, ring_driver_len(ring), packed ? 4 : 2);
    ring->device = test_mem_alloc(mem, ring_device_len(ring), 4);
    ring->slots = calloc(size, sizeof *ring->slots);
    ring->next = calloc(size, sizeof *ring->next);
    assert_true(ring->slots != NULL && ring->next != NULL);
    test_ring_reset(ring);
}

void test_ring_reset(struct test_ring *ring)
{
    test_mem_fill(ring->mem, ring->desc, 0, 16U * ring->size);
    test_mem_fill(ring->mem, ring->driver, 0, ring_driver_len(ring));
    test_mem_fill(ring->mem, ring->device, 0, ring_device_len(ring));
    test_ring_raw(ring, ring->size, TEST_RAM_GPA, 1, 0, 0);
    (void)memset(ring->slots, 0, ring->size * sizeof *ring->slots);
    ring->free_slots = ring->size;
    ring->search = 0;
    ring->avail = 0;
    ring->used = 0;
    ring->kicked = 0;
    ring->avail_wrap = true;
    ring->used_wrap = true;
    ring->kicked_wrap = true;
}

void test_ring_free(struct test_ring *ring)
{
    free(ring->slots);
    free(ring->next);
    (void)memset(ring, 0, sizeof *ring);
}

void test_ring_start_at(struct test_ring *ring, uint16_t position, bool wrap)
{
    ring->avail = position;
    ring->used = position;
    ring->kicked = position;
    ring->avail_wrap = wrap;
    ring->used_wrap = wrap;
    ring->kicked_wrap = wrap;
    if (!ring->packed) {
        test_mem_put16(ring->mem, ring->driver + 2U, position);
        test_mem_put16(ring->mem, ring->device + 2U, position);
        return;
    }
    /* Descriptors that the last lap left behind: used, in that lap's colour. */
    for (uint32_t i = 0; i < ring->size; i++) {
        const bool colour = i < position ? wrap : !wrap;
        test_ring_raw(ring, i, 0, 0, colour ? TEST_AVAIL | TEST_USED : 0U, 0);
    }
}

struct avps_vq_config test_ring_config(const struct test_ring *ring)
{
    const struct avps_vq_config config = {
        .size = ring->size,
        .desc = ring->desc,
        .driver = ring->driver,
        .device = ring->device,
        .packed = ring->packed,
        .avail_start = ring->avail,
        .used_start = ring->used,
        .avail_wrap = ring->avail_wrap,
        .used_wrap = ring->used_wrap,
    };
    return config;
}

avps_gpa test_ring_desc_at(const struct test_ring *ring, uint32_t index)
{
    return ring->desc + 16U * (uint64_t)index;
}

avps_gpa test_ring_used_at(const struct test_ring *ring, uint32_t index)
{
    return ring->device + 4U + 8U * (uint64_t)index;
}

uint16_t test_ring_used_idx(const struct test_ring *ring)
{
    return test_mem_get16(ring->mem, ring->device + 2U);
}

/* ---- descriptors ---- */

void test_ring_raw_at(struct test_ring *ring, avps_gpa at, avps_gpa gpa, uint32_t len,
                      uint16_t flags, uint16_t extra)
{
    test_mem_put64(ring->mem, at, gpa);
    test_mem_put32(ring->mem, at + 8U, len);
    test_mem_put16(ring->mem, at + 12U, ring->packed ? extra : flags);
    test_mem_put16(ring->mem, at + 14U, ring->packed ? flags : extra);
}

void test_ring_raw(struct test_ring *ring, uint32_t index, avps_gpa gpa, uint32_t len,
                   uint16_t flags, uint16_t extra)
{
    test_ring_raw_at(ring, test_ring_desc_at(ring, index), gpa, len, flags, extra);
}

void test_ring_raw_idx(struct test_ring *ring, uint16_t idx)
{
    ring->avail = idx;
    test_mem_put16(ring->mem, ring->driver + 2U, idx);
}

void test_ring_raw_head(struct test_ring *ring, uint16_t head)
{
    const uint32_t slot = ring->avail % ring->size;

    test_mem_put16(ring->mem, ring->driver + 4U + 2U * slot, head);
    test_ring_raw_idx(ring, (uint16_t)(ring->avail + 1U));
}

static uint16_t avail_bits(bool wrap)
{
    return wrap ? TEST_AVAIL : TEST_USED;
}

uint16_t test_ring_avail_bits(const struct test_ring *ring)
{
    return avail_bits(ring->avail_wrap);
}

/* A descriptor (split) or buffer id (packed) that is free. */
static uint16_t ring_find_free(struct test_ring *ring)
{
    for (uint32_t i = 0; i < ring->size; i++) {
        const uint32_t index = (ring->search + i) % ring->size;

        if (ring->slots[index] == 0U) {
            ring->search = (index + 1U) % ring->size;
            return (uint16_t)index;
        }
    }
    assert_true(false); /* no free descriptor */
    return 0;
}

static uint16_t split_put(struct test_ring *ring, const struct test_desc *table, uint32_t count)
{
    uint16_t head = 0;
    uint16_t index = 0;

    for (uint32_t i = 0; i < count; i++) {
        const uint16_t fresh = ring_find_free(ring);

        ring->slots[fresh] = SLOT_INNER;
        if (i == 0U) {
            head = fresh;
        } else {
            ring->next[index] = fresh;
            test_mem_put16(ring->mem, test_ring_desc_at(ring, index) + 14U, fresh);
        }
        index = fresh;
        test_ring_raw(ring, index, table[i].gpa, table[i].len,
                      (uint16_t)(table[i].flags | (i + 1U < count ? TEST_NEXT : 0U)), 0);
    }
    ring->slots[head] = (uint16_t)count;
    test_mem_put16(ring->mem, ring->driver + 4U + 2U * (ring->avail % ring->size), head);
    ring->avail++;
    return head;
}

/* Backwards, so that the first descriptor's flags come last. */
static uint16_t packed_put(struct test_ring *ring, const struct test_desc *table, uint32_t count)
{
    const uint16_t id = ring_find_free(ring);
    const uint32_t start = ring->avail;
    const bool start_wrap = ring->avail_wrap;

    for (uint32_t i = count; i > 0U; i--) {
        const uint32_t at = start + i - 1U;
        const bool wrap = at >= ring->size ? !start_wrap : start_wrap;
        const uint32_t flags =
            table[i - 1U].flags | avail_bits(wrap) | (i < count ? TEST_NEXT : 0U);

        test_ring_raw(ring, at % ring->size, table[i - 1U].gpa, table[i - 1U].len, (uint16_t)flags,
                      id);
    }
    ring->slots[id] = (uint16_t)count;
    ring->avail = (uint16_t)((start + count) % ring->size);
    ring->avail_wrap = start + count >= ring->size ? !start_wrap : start_wrap;
    return id;
}

uint16_t test_ring_put(struct test_ring *ring, const struct test_desc *table, uint32_t count)
{
    assert_true(count != 0U && count <= ring->free_slots);
    ring->free_slots -= count;
    return ring->packed ? packed_put(ring, table, count) : split_put(ring, table, count);
}

void test_ring_publish(struct test_ring *ring)
{
    if (!ring->packed) {
        test_mem_put16(ring->mem, ring->driver + 2U, ring->avail);
    }
}

uint16_t test_ring_add(struct test_ring *ring, const struct test_desc *table, uint32_t count)
{
    const uint16_t id = test_ring_put(ring, table, count);

    test_ring_publish(ring);
    return id;
}

avps_gpa test_ring_table(struct test_ring *ring, const struct test_desc *table, uint32_t count)
{
    const avps_gpa at = test_mem_alloc(ring->mem, 16U * count, 16);

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t next = !ring->packed && i + 1U < count ? TEST_NEXT : 0U;

        test_ring_raw_at(ring, at + 16U * (uint64_t)i, table[i].gpa, table[i].len,
                         (uint16_t)(table[i].flags | next), (uint16_t)(next != 0U ? i + 1U : 0U));
    }
    return at;
}

/* ---- used elements ---- */

static void split_release(struct test_ring *ring, uint16_t head)
{
    const uint32_t count = ring->slots[head];
    uint16_t index = head;

    for (uint32_t i = 0; i < count; i++) {
        ring->slots[index] = 0;
        index = ring->next[index];
    }
    ring->free_slots += count;
}

static bool split_reap(struct test_ring *ring, struct test_used *used)
{
    const avps_gpa at = test_ring_used_at(ring, ring->used % ring->size);

    if (test_ring_used_idx(ring) == ring->used) {
        return false;
    }
    const uint32_t id = test_mem_get32(ring->mem, at);
    assert_true(id < ring->size && ring->slots[id] != 0U && ring->slots[id] != SLOT_INNER);
    *used = (struct test_used){(uint16_t)id, test_mem_get32(ring->mem, at + 4U)};
    split_release(ring, used->id);
    ring->used++;
    return true;
}

static bool packed_reap(struct test_ring *ring, struct test_used *used)
{
    const avps_gpa at = test_ring_desc_at(ring, ring->used);
    const uint16_t flags = test_mem_get16(ring->mem, at + 14U);
    const bool is_avail = (flags & TEST_AVAIL) != 0U;
    const bool is_used = (flags & TEST_USED) != 0U;

    if (is_avail != ring->used_wrap || is_used != ring->used_wrap) {
        return false;
    }
    *used =
        (struct test_used){test_mem_get16(ring->mem, at + 12U), test_mem_get32(ring->mem, at + 8U)};
    assert_true(used->id < ring->size && ring->slots[used->id] != 0U);
    assert_int_equal((flags & TEST_WRITE) != 0U, used->len != 0U);
    const uint32_t after = (uint32_t)ring->used + ring->slots[used->id];
    ring->used = (uint16_t)(after % ring->size);
    ring->used_wrap = after >= ring->size ? !ring->used_wrap : ring->used_wrap;
    ring->free_slots += ring->slots[used->id];
    ring->slots[used->id] = 0;
    return true;
}

bool test_ring_reap(struct test_ring *ring, struct test_used *used)
{
    return ring->packed ? packed_reap(ring, used) : split_reap(ring, used);
}

/* ---- suppression ---- */

void test_ring_interrupts(struct test_ring *ring, bool on)
{
    test_mem_put16(ring->mem, ring->driver + (ring->packed ? 2U : 0U), on ? 0 : 1);
}

void test_ring_used_event(struct test_ring *ring, uint16_t idx)
{
    assert_false(ring->packed);
    test_mem_put16(ring->mem, ring->driver + 4U + 2U * ring->size, idx);
}

void test_ring_event(struct test_ring *ring, uint16_t off, bool wrap, uint16_t flags)
{
    assert_true(ring->packed);
    test_mem_put16(ring->mem, ring->driver, (uint16_t)(off | (wrap ? 0x8000U : 0U)));
    test_mem_put16(ring->mem, ring->driver + 2U, flags);
}

static bool split_wants_kick(const struct test_ring *ring, uint16_t old)
{
    if (!ring->event_idx) {
        return (test_mem_get16(ring->mem, ring->device) & 1U) == 0U;
    }
    const uint16_t event = test_mem_get16(ring->mem, test_ring_used_at(ring, ring->size));
    return (uint16_t)(ring->avail - event - 1U) < (uint16_t)(ring->avail - old);
}

/* Distances on a line on which the lap of `wrap` now starts at `size`. */
static bool packed_wants_kick(const struct test_ring *ring, uint16_t old, bool old_wrap)
{
    const uint16_t flags = test_mem_get16(ring->mem, ring->device + 2U);
    const uint16_t event = test_mem_get16(ring->mem, ring->device);

    if (flags != 2U) {
        return flags == 0U;
    }
    const uint32_t now = ring->size + ring->avail;
    const uint32_t from = (old_wrap == ring->avail_wrap ? ring->size : 0U) + old;
    const uint32_t at =
        ((event >> 15 != 0U) == ring->avail_wrap ? ring->size : 0U) + (event & 0x7fffU);
    return at >= from && at < now;
}

bool test_ring_wants_kick(struct test_ring *ring)
{
    const uint16_t old = ring->kicked;
    const bool old_wrap = ring->kicked_wrap;

    ring->kicked = ring->avail;
    ring->kicked_wrap = ring->avail_wrap;
    return ring->packed ? packed_wants_kick(ring, old, old_wrap) : split_wants_kick(ring, old);
}

/* ---- register file ---- */

void test_driver_init_sized(struct test_driver *d, enum test_mem_kind kind, uint32_t ram_size)
{
    (void)memset(d, 0, sizeof *d);
    test_mem_init_sized(&d->mem, kind, ram_size);
    test_port_init(&d->port);
    avps_features_add(&d->want, AVPS_F_VERSION_1);
    if (d->mem.handle.platform) {
        avps_features_add(&d->want, AVPS_F_ACCESS_PLATFORM);
    }
    d->size = 16;
}

void test_driver_init(struct test_driver *d, enum test_mem_kind kind)
{
    test_driver_init_sized(d, kind, TEST_RAM_SIZE);
}

struct avps_device_config test_driver_base(struct test_driver *d, struct avps_queue *queues,
                                           uint16_t count, uint16_t size_max)
{
    const struct avps_device_config config = {.mem = &d->mem.handle,
                                              .port = &d->port.port,
                                              .queues = queues,
                                              .queue_count = count,
                                              .queue_size_max = size_max,
                                              .access_platform = d->mem.handle.platform};

    d->queue_count = count;
    return config;
}

void test_driver_attach(struct test_driver *d, struct avps_device *device)
{
    const struct avps_mmio_config config = {.device = device,
                                            .irq = &test_port_irq,
                                            .irq_ctx = &d->port,
                                            .irq_line = TEST_PORT_LINE,
                                            .vendor_id = TEST_VENDOR};

    assert_true(d->queue_count <= TEST_QUEUES);
    d->device = device;
    assert_int_equal(avps_mmio_init(&d->mmio, &config), AVPS_OK);
}

static void driver_forget_rings(struct test_driver *d)
{
    for (size_t i = 0; i < TEST_QUEUES; i++) {
        test_ring_free(&d->ring[i]);
    }
}

void test_driver_free(struct test_driver *d)
{
    if (d->device != NULL) {
        test_driver_set(d, TEST_STATUS, 0);
        assert_int_equal(test_driver_get(d, TEST_STATUS), 0);
        assert_false(d->port.level);
    }
    driver_forget_rings(d);
    test_mem_free(&d->mem);
}

uint32_t test_driver_get(struct test_driver *d, uint32_t offset)
{
    return d->bus != NULL ? d->bus->get(d->bus_ctx, offset)
                          : (uint32_t)avps_mmio_read(&d->mmio, offset, 4);
}

void test_driver_set(struct test_driver *d, uint32_t offset, uint32_t value)
{
    if (d->bus != NULL) {
        d->bus->set(d->bus_ctx, offset, value);
    } else {
        avps_mmio_write(&d->mmio, offset, 4, value);
    }
}

uint64_t test_driver_config(struct test_driver *d, uint32_t offset, uint32_t width)
{
    return d->bus != NULL ? d->bus->config(d->bus_ctx, offset, width)
                          : avps_mmio_read(&d->mmio, (uint64_t)TEST_CONFIG + offset, width);
}

void test_driver_config_set(struct test_driver *d, uint32_t offset, uint32_t width, uint64_t value)
{
    if (d->bus != NULL) {
        d->bus->config_set(d->bus_ctx, offset, width, value);
    } else {
        avps_mmio_write(&d->mmio, (uint64_t)TEST_CONFIG + offset, width, value);
    }
}

static uint32_t driver_offered(struct test_driver *d, uint32_t word)
{
    test_driver_set(d, TEST_DEVICE_FEATURES_SEL, word);
    return test_driver_get(d, TEST_DEVICE_FEATURES);
}

bool test_driver_offers(struct test_driver *d, unsigned int bit)
{
    return (driver_offered(d, bit / 32U) >> (bit % 32U) & 1U) != 0U;
}

void test_driver_want(struct test_driver *d, unsigned int bit)
{
    avps_features_add(&d->want, bit);
}

void test_driver_want_all(struct test_driver *d, bool packed)
{
    for (uint32_t word = 0; word < 4U; word++) {
        d->want.word[word] = driver_offered(d, word);
    }
    if (!packed) {
        avps_features_remove(&d->want, AVPS_F_RING_PACKED);
    }
}

bool test_driver_negotiate(struct test_driver *d)
{
    test_driver_reset(d);
    test_driver_set(d, TEST_STATUS, TEST_S_ACKNOWLEDGE);
    test_driver_set(d, TEST_STATUS, TEST_S_ACKNOWLEDGE | TEST_S_DRIVER);
    for (uint32_t word = 0; word < 4U; word++) {
        test_driver_set(d, TEST_DRIVER_FEATURES_SEL, word);
        test_driver_set(d, TEST_DRIVER_FEATURES, d->want.word[word]);
    }
    test_driver_set(d, TEST_STATUS, TEST_S_ACKNOWLEDGE | TEST_S_DRIVER | TEST_S_FEATURES_OK);
    return (test_driver_get(d, TEST_STATUS) & TEST_S_FEATURES_OK) != 0U;
}

bool test_driver_enable(struct test_driver *d, uint16_t queue)
{
    const struct test_ring *ring = &d->ring[queue];

    test_driver_set(d, TEST_QUEUE_SEL, queue);
    test_driver_set(d, TEST_QUEUE_SIZE, ring->size);
    test_driver_set(d, TEST_QUEUE_DESC_LOW, (uint32_t)ring->desc);
    test_driver_set(d, TEST_QUEUE_DESC_HIGH, (uint32_t)(ring->desc >> 32));
    test_driver_set(d, TEST_QUEUE_DRIVER_LOW, (uint32_t)ring->driver);
    test_driver_set(d, TEST_QUEUE_DRIVER_HIGH, (uint32_t)(ring->driver >> 32));
    test_driver_set(d, TEST_QUEUE_DEVICE_LOW, (uint32_t)ring->device);
    test_driver_set(d, TEST_QUEUE_DEVICE_HIGH, (uint32_t)(ring->device >> 32));
    test_driver_set(d, TEST_QUEUE_READY, 1);
    return test_driver_get(d, TEST_QUEUE_READY) == 1U;
}

bool test_driver_queue(struct test_driver *d, uint16_t queue, uint32_t size)
{
    struct test_ring *ring = &d->ring[queue];
    const bool packed = avps_features_has(&d->want, AVPS_F_RING_PACKED);

    if (ring->mem != NULL && ring->size == size && ring->packed == packed) {
        test_ring_reset(ring);
    } else {
        test_ring_free(ring);
        test_ring_init(ring, &d->mem, packed, size);
    }
    ring->event_idx = avps_features_has(&d->want, AVPS_F_EVENT_IDX);
    return test_driver_enable(d, queue);
}

void test_driver_ok(struct test_driver *d)
{
    test_driver_set(d, TEST_STATUS, TEST_S_LIVE);
}

void test_driver_start(struct test_driver *d)
{
    assert_true(test_driver_negotiate(d));
    for (uint16_t i = 0; i < d->queue_count; i++) {
        test_driver_set(d, TEST_QUEUE_SEL, i);
        const uint32_t max = test_driver_get(d, TEST_QUEUE_SIZE_MAX);
        assert_true(test_driver_queue(d, i, d->size < max ? d->size : max));
    }
    test_driver_ok(d);
    assert_int_equal(test_driver_get(d, TEST_STATUS), TEST_S_LIVE);
}

void test_driver_reset(struct test_driver *d)
{
    test_driver_set(d, TEST_STATUS, 0);
    assert_int_equal(test_driver_get(d, TEST_STATUS), 0);
}

/* ---- requests ---- */

uint16_t test_driver_send(struct test_driver *d, uint16_t queue, struct test_request *request)
{
    struct test_ring *ring = &d->ring[queue];
    struct test_desc table[2U * TEST_PARTS];
    uint32_t count = 0;

    for (size_t i = 0; i < TEST_PARTS && request->out[i].len != 0U; i++) {
        request->out_gpa[i] = test_mem_alloc(&d->mem, request->out[i].len, 1);
        test_mem_put(&d->mem, request->out_gpa[i], request->out[i].bytes, request->out[i].len);
        table[count++] = (struct test_desc){request->out_gpa[i], request->out[i].len, 0};
    }
    for (size_t i = 0; i < TEST_PARTS && request->in[i] != 0U; i++) {
        request->in_gpa[i] = test_mem_alloc(&d->mem, request->in[i], 1);
        table[count++] = (struct test_desc){request->in_gpa[i], request->in[i], TEST_WRITE};
    }
    if (request->indirect) {
        table[0] =
            (struct test_desc){test_ring_table(ring, table, count), 16U * count, TEST_INDIRECT};
        count = 1;
    }
    request->id = test_ring_add(ring, table, count);
    return request->id;
}

void test_driver_kick(struct test_driver *d, uint16_t queue)
{
    const struct test_ring *ring = &d->ring[queue];
    uint32_t value = queue;

    if (avps_features_has(&d->want, AVPS_F_NOTIFICATION_DATA)) {
        value |= (uint32_t)ring->avail << 16;
        value |= ring->packed && ring->avail_wrap ? 0x80000000U : 0U;
    }
    test_driver_set(d, TEST_QUEUE_NOTIFY, value);
}

enum avps_poll_result test_driver_poll(struct test_driver *d)
{
    enum avps_poll_result result = AVPS_POLL_MORE;

    for (unsigned int i = 0; i < 100000U && result == AVPS_POLL_MORE; i++) {
        result = avps_poll(d->device, 64);
    }
    assert_int_not_equal(result, AVPS_POLL_MORE);
    return result;
}

bool test_driver_reap(struct test_driver *d, uint16_t queue, struct test_used *used)
{
    return test_ring_reap(&d->ring[queue], used);
}

uint32_t test_driver_do(struct test_driver *d, uint16_t queue, struct test_request *request)
{
    struct test_used used = {0, 0};

    (void)test_driver_send(d, queue, request);
    test_driver_kick(d, queue);
    (void)test_driver_poll(d);
    assert_true(test_driver_reap(d, queue, &used));
    assert_int_equal(used.id, request->id);
    return used.len;
}

void test_driver_in(struct test_driver *d, const struct test_request *request, uint32_t off,
                    void *bytes, uint32_t len)
{
    uint8_t *to = bytes;

    for (size_t i = 0; i < TEST_PARTS && request->in[i] != 0U && len != 0U; i++) {
        if (off >= request->in[i]) {
            off -= request->in[i];
            continue;
        }
        const uint32_t room = request->in[i] - off;
        const uint32_t piece = len < room ? len : room;
        test_mem_get(&d->mem, request->in_gpa[i] + off, to, piece);
        to += piece;
        len -= piece;
        off = 0;
    }
    assert_int_equal(len, 0);
}

uint32_t test_driver_ack(struct test_driver *d)
{
    const uint32_t pending = test_driver_get(d, TEST_INTERRUPT_STATUS);

    test_driver_set(d, TEST_INTERRUPT_ACK, pending);
    return pending;
}

void test_driver_assert_faulted(struct test_driver *d)
{
    const uint32_t status = test_driver_get(d, TEST_STATUS);

    assert_int_equal(status, TEST_S_LIVE | TEST_S_NEEDS_RESET);
    assert_int_not_equal(test_driver_get(d, TEST_INTERRUPT_STATUS) & 2U, 0);
    assert_int_equal(test_driver_poll(d), AVPS_POLL_IDLE);
}
