/*
 * NumPy's .npy files (versions 1.0 to 3.0) that hold a table of floats: the centroids and hyperplanes of vector-only
 * snapshots. Pure: bytes in, numbers out. Page: vector-routing, section 2, and
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
#ifndef SHF_FORMATS_NPY_H
#define SHF_FORMATS_NPY_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shf_npy {
    uint64_t rows, columns;
    unsigned item_bytes; /* 2, 4 or 8: float16, float32, float64 */
    bool is_big_endian;
    bool is_fortran; /* columns lie one after the other, not rows */
    const uint8_t *items;
};

/*
 * Two dimensions (0 is one that a file may have), and exactly as many items as they say. `data` is borrowed by *out.
 * SHF_E_CORRUPT: it is no such file, or shorter or longer than it says; SHF_E_UNSUPPORTED: another type, another number
 * of dimensions; SHF_E_LIMIT: a header of more than SHF_LIMIT_NPY_HEADER_BYTES.
 */
shf_status shf_npy_parse(const void *data, size_t size, struct shf_npy *out, struct shf_error **error);

/* All items, row after row, exactly: rows * columns of them. NaN and infinities are taken as they are. */
void shf_npy_read(const struct shf_npy *npy, double *out);

/*
 * Writing one of float32, row after row (npy_build.c): `out` has room for shf_npy_size bytes, which is 0 where it
 * would be more than memory can hold.
 */
#define SHF_NPY_WRITTEN_HEADER_BYTES 128u
size_t shf_npy_size(uint64_t rows, uint64_t columns);
void shf_npy_write(const float *items, uint64_t rows, uint64_t columns, uint8_t *out);

#endif
