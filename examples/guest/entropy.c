/* SPDX-License-Identifier: BSD-3-Clause */
/* entropy BYTES: read that many from /dev/hwrng and look at the distribution of the byte values.
 * Exit status 0 if all came and chi-square (255 degrees of freedom) is between 170 and 360, which
 * random bytes miss once in ten thousand runs. */
#include <stdio.h>
#include <stdlib.h>

static double entropy_chi_square(const unsigned long counts[256], unsigned long total)
{
    const double expected = (double)total / 256.0;
    double sum = 0.0;

    for (int i = 0; i < 256; i++) {
        const double difference = (double)counts[i] - expected;

        sum += difference * difference / expected;
    }
    return sum;
}

int main(int argc, char **argv)
{
    const unsigned long wanted = argc == 2 ? strtoul(argv[1], NULL, 10) : 0UL;
    unsigned long counts[256] = {0};
    unsigned long total = 0;
    FILE *source = fopen("/dev/hwrng", "rb");

    if (source == NULL || wanted == 0UL) {
        perror("/dev/hwrng");
        return 2;
    }
    for (int byte = getc(source); byte != EOF; byte = total < wanted ? getc(source) : EOF) {
        counts[byte]++;
        total++;
    }
    (void)fclose(source);
    const double chi_square = total == 0UL ? 0.0 : entropy_chi_square(counts, total);

    printf("%lu bytes, chi-square %.1f\n", total, chi_square);
    return total == wanted && chi_square > 170.0 && chi_square < 360.0 ? 0 : 1;
}
