/* A whole .npy file of rows in memory: --centroids and --hyperplanes. */
#ifndef CLI_BUILD_ARRAY_H
#define CLI_BUILD_ARRAY_H

#include <stdint.h>

struct cli_array {
    float *items; /* rows * dimension finite numbers; NULL = none were read */
    uint32_t rows, dimension;
};

/*
 * At most `most_rows` rows, and memory_bytes of floats. `flag` is what messages call it. NULL, or what is wrong with the
 * file, the caller's to free; free the array either way.
 */
char *cli_array_read(struct cli_array *array, const char *flag, const char *name, uint32_t most_rows,
                     uint64_t memory_bytes);
void cli_array_free(struct cli_array *array);

#endif
