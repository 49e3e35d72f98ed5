/* SPDX-License-Identifier: BSD-3-Clause */
/* MSI-X of the PCI transport: masks -> sending -> table and pending bits -> save, load.
 *
 * A message waits in its entry's pending bit until nothing masks it. Raising sets the bit, then
 * delivers; unmasking opens the mask, then delivers: whichever comes second sees the other, and
 * taking the bit is one exchange, so that a message is sent once and none is lost, on any CPUs. */
#include "transport/pci_internal.h"

#define MSIX_ADDRESS_LOW  0U
#define MSIX_ADDRESS_HIGH 1U
#define MSIX_DATA         2U
#define MSIX_CONTROL      3U
#define MSIX_WORDS        4U
#define MSIX_MASKED       1U /* in the control word */

static unsigned int msix_word(const struct avps_pci_vector *vector, unsigned int word)
{
    return atomic_load(&vector->word[word]);
}

/* ---- masks ---- */

static bool msix_is_masked(const struct avps_pci *pci, uint32_t index)
{
    return (atomic_load(&pci->msix) & PCI_MSIX_OPEN) == 0U ||
           (msix_word(&pci->vectors[index], MSIX_CONTROL) & MSIX_MASKED) != 0U;
}

/* ---- sending ---- */

static uint64_t msix_address(const struct avps_pci_vector *vector)
{
    return (uint64_t)msix_word(vector, MSIX_ADDRESS_HIGH) << 32 |
           msix_word(vector, MSIX_ADDRESS_LOW);
}

/* Send what waits, unless something keeps it back. */
static void msix_deliver(struct avps_pci *pci, uint32_t index)
{
    struct avps_pci_vector *vector = &pci->vectors[index];

    if (!msix_is_masked(pci, index) && atomic_exchange(&vector->pending, 0U) != 0U) {
        pci->irq->msi(pci->irq_ctx, index, msix_address(vector), msix_word(vector, MSIX_DATA));
    }
}

void avps_pci_msix_raise(struct avps_pci *pci, uint32_t vector)
{
    if (vector < pci->vector_count) { /* [pci-13.1] [pci-14.1] not for AVPS_NO_VECTOR */
        atomic_store(&pci->vectors[vector].pending, 1U);
        msix_deliver(pci, vector);
    }
}

static void msix_route(const struct avps_pci *pci, uint32_t index)
{
    const struct avps_pci_vector *vector = &pci->vectors[index];

    if (pci->irq->msi_route != NULL) {
        pci->irq->msi_route(pci->irq_ctx, index, msix_address(vector), msix_word(vector, MSIX_DATA),
                            msix_is_masked(pci, index));
    }
}

void avps_pci_msix_set(struct avps_pci *pci, unsigned int state)
{
    const unsigned int before = atomic_exchange(&pci->msix, state);

    if ((state & PCI_MSIX_ON) == 0U) {
        avps_pci_msix_forget(pci);
    }
    if (((state ^ before) & PCI_MSIX_OPEN) == 0U) {
        return;
    }
    for (uint32_t i = 0; i < pci->vector_count; i++) {
        if ((msix_word(&pci->vectors[i], MSIX_CONTROL) & MSIX_MASKED) == 0U) {
            msix_route(pci, i);
            msix_deliver(pci, i);
        }
    }
}

void avps_pci_msix_forget(struct avps_pci *pci)
{
    for (uint32_t i = 0; i < pci->vector_count; i++) {
        atomic_store(&pci->vectors[i].pending, 0U);
    }
}

/* PCI: an entry is masked after a reset. */
void avps_pci_msix_reset(struct avps_pci *pci)
{
    for (uint32_t i = 0; i < pci->vector_count; i++) {
        struct avps_pci_vector *vector = &pci->vectors[i];

        atomic_store(&vector->word[MSIX_CONTROL], MSIX_MASKED);
        for (uint32_t word = 0; word < MSIX_CONTROL; word++) {
            atomic_store(&vector->word[word], 0U);
        }
    }
    avps_pci_msix_forget(pci);
}

/* ---- table and pending bits: 4 or 8 bytes wide, aligned ---- */

/*@ assigns \nothing;
  @ ensures \result != 0 <==> (width == 4 || width == 8); */
static bool msix_width_is_valid(uint32_t width)
{
    return width == 4U || width == 8U;
}

/*@ requires offset / 16 < pci->vector_count && offset % 4 == 0 && \valid_read(pci) &&
  @   \valid_read(pci->vectors + (0 .. pci->vector_count - 1));
  @ assigns \nothing; */
static uint32_t msix_read_word(const struct avps_pci *pci, uint32_t offset)
{
    return msix_word(&pci->vectors[offset / PCI_VECTOR_SIZE], offset / 4U % MSIX_WORDS);
}

/* Told and sent as the new contents ask. */
static void msix_write_word(struct avps_pci *pci, uint32_t offset, uint32_t value)
{
    static const uint32_t writable[MSIX_WORDS] = {0xfffffffcU, 0xffffffffU, 0xffffffffU,
                                                  MSIX_MASKED};
    const uint32_t index = offset / PCI_VECTOR_SIZE;
    const uint32_t word = offset / 4U % MSIX_WORDS;
    const bool was_masked = msix_is_masked(pci, index);
    const unsigned int before =
        atomic_exchange(&pci->vectors[index].word[word], value & writable[word]);

    if (before != (value & writable[word]) && !(was_masked && msix_is_masked(pci, index))) {
        msix_route(pci, index);
        msix_deliver(pci, index);
    }
}

uint64_t avps_pci_table_read(struct avps_pci *pci, uint32_t offset, uint32_t width)
{
    if (!msix_width_is_valid(width)) {
        pci->device->counters.bad_accesses++;
        return 0;
    }
    uint64_t value = msix_read_word(pci, offset);

    if (width == 8U) {
        value |= (uint64_t)msix_read_word(pci, offset + 4U) << 32;
    }
    return value;
}

void avps_pci_table_write(struct avps_pci *pci, uint32_t offset, uint32_t width, uint64_t value)
{
    if (!msix_width_is_valid(width)) {
        pci->device->counters.bad_accesses++;
        return;
    }
    msix_write_word(pci, offset, (uint32_t)(value & 0xffffffffU));
    if (width == 8U) {
        msix_write_word(pci, offset + 4U, (uint32_t)(value >> 32));
    }
}

/* Bit n is vector n; the array is padded to whole quadwords. */
uint64_t avps_pci_pending_read(struct avps_pci *pci, uint32_t offset, uint32_t width)
{
    uint64_t bits = 0;

    if (!msix_width_is_valid(width)) {
        pci->device->counters.bad_accesses++;
        return 0;
    }
    for (uint32_t bit = 0; bit < 8U * width; bit++) {
        const uint32_t index = 8U * offset + bit;

        if (index < pci->vector_count && atomic_load(&pci->vectors[index].pending) != 0U) {
            bits |= (uint64_t)1 << bit;
        }
    }
    return bits;
}

/* ---- save, load ---- */

void avps_pci_msix_save(const struct avps_pci *pci, struct avps_state *state)
{
    for (uint32_t i = 0; i < pci->vector_count; i++) {
        for (uint32_t word = 0; word < MSIX_WORDS; word++) {
            avps_state_put_int(state, msix_word(&pci->vectors[i], word), 4);
        }
        avps_state_put_int(state, atomic_load(&pci->vectors[i].pending), 1);
    }
}

void avps_pci_msix_load(struct avps_pci *pci, struct avps_state *state)
{
    for (uint32_t i = 0; i < pci->vector_count; i++) {
        struct avps_pci_vector *vector = &pci->vectors[i];

        for (uint32_t word = 0; word < MSIX_WORDS; word++) {
            atomic_store(&vector->word[word], (uint32_t)avps_state_get_int(state, 4));
        }
        atomic_store(&vector->pending, avps_state_get_bool(state) ? 1U : 0U);
        if ((msix_word(vector, MSIX_ADDRESS_LOW) & 3U) != 0U ||
            msix_word(vector, MSIX_CONTROL) > MSIX_MASKED) {
            state->failed = true;
        }
    }
}

bool avps_pci_msix_has_pending(const struct avps_pci *pci)
{
    for (uint32_t i = 0; i < pci->vector_count; i++) {
        if (atomic_load(&pci->vectors[i].pending) != 0U) {
            return true;
        }
    }
    return false;
}
