/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of a front end mapped into this process: checked mapping, and a guard against a file that
 * is cut short under it. */
#ifndef VU_MAPPING_H
#define VU_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: not mapped. */
struct vu_mapping {
    uint8_t *base;   /* what mmap gave */
    uint64_t length; /* its bytes */
    uint8_t *data;   /* the part asked for, `size` bytes */
    uint64_t size;
    uint32_t guard; /* place in the table of guarded mappings */
};

/* Map [offset, offset + size) of a regular file for reading and writing. `offset` needs no
 * alignment. @return NULL if it is mapped; else why not, as part of a sentence. */
const char *vu_mapping_map(struct vu_mapping *mapping, int fd, uint64_t offset, uint64_t size);

void vu_mapping_unmap(struct vu_mapping *mapping);

/* Whether the file was cut short and the mapping replaced by zeros. */
bool vu_mapping_is_lost(const struct vu_mapping *mapping);

/* How often that happened in this process: whoever sees a new number looks at its own mappings. */
uint32_t vu_mapping_losses(void);

/* Catch SIGBUS from now on. */
void vu_mapping_guard(void);

#endif
