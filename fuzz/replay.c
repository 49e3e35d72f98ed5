/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a fuzz target over the files of a corpus, as an ordinary test.
 * usage: TARGET FOLDER-OR-FILE... */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define INPUT_MAX 65536U

static unsigned int replay_file(const char *path)
{
    static uint8_t bytes[INPUT_MAX];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    /* an exact copy, so that the address sanitizer sees reads past the input's end */
    uint8_t *input = malloc(size != 0U ? size : 1U);
    if (input == NULL) {
        exit(1);
    }
    memcpy(input, bytes, size);
    (void)LLVMFuzzerTestOneInput(input, size);
    free(input);
    return 1;
}

static unsigned int replay_folder(const char *path)
{
    char name[4096];
    unsigned int count = 0;
    DIR *folder = opendir(path);

    if (folder == NULL) {
        return replay_file(path);
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            count += replay_file(name);
        }
    }
    (void)closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    unsigned int count = 0;

    for (int i = 1; i < argc; i++) {
        count += replay_folder(argv[i]);
    }
    printf("%u inputs replayed\n", count);
    return count == 0U; /* an empty corpus is a mistake */
}
