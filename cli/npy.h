/* NumPy's .npy files (versions 1 to 3) of floats: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef CLI_NPY_H
#define CLI_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_NPY_HEADER_BYTES 10000u
#define CLI_NPY_PREFIX_BYTES 12u /* magic, version and the longest form of the header's length */
#define CLI_NPY_MAX_DIMENSION 65536u

struct cli_npy {
    uint64_t rows;       /* 1 for an array of one dimension */
    uint32_t dimension;  /* floats a row */
    unsigned dimensions; /* of the array: 1 or 2 */
    unsigned item_bytes; /* 2, 4 or 8 */
    bool big_endian;
    size_t data_offset; /* of the first row in the file */
};

bool cli_npy_is(const void *data, size_t size); /* by the magic */
/* Size of prefix and header, from the first bytes of the file (10, or 12 for versions 2 and 3). NULL, or what is wrong. */
char *cli_npy_header_size(const void *data, size_t size, size_t *out);
/* data is the whole of prefix and header. NULL, or what is wrong, the caller's to free. */
char *cli_npy_parse(const void *data, size_t size, struct cli_npy *out);
/* One row as float32; false when a value does not fit into a finite one. */
bool cli_npy_row(const struct cli_npy *npy, const void *data, float *out);

#endif
