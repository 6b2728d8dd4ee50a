/* A .npy file as NumPy writes an array of float32 in C order: version 1.0, the data from byte 128 on. */
#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_BYTES 10u /* magic, version, length of the text */

size_t shf_npy_size(uint64_t rows, uint64_t columns) {
    size_t items, size;
    if (rows > SIZE_MAX || columns > SIZE_MAX || !shf_mul((size_t)rows, (size_t)columns, &items)) return 0;
    if (!shf_mul(items, sizeof(float), &size) || !shf_add(size, SHF_NPY_WRITTEN_HEADER_BYTES, &size)) return 0;
    return size;
}

/* Two numbers of twenty digits fit in it. */
static void write_header(uint64_t rows, uint64_t columns, uint8_t *out) {
    static const uint8_t prefix[PREFIX_BYTES] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, SHF_NPY_WRITTEN_HEADER_BYTES - PREFIX_BYTES, 0};
    char text[SHF_NPY_WRITTEN_HEADER_BYTES - PREFIX_BYTES + 1];
    int size = snprintf(text, sizeof text,
                        "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRIu64 ", %" PRIu64 "), }", rows, columns);
    memcpy(out, prefix, sizeof prefix);
    memset(out + PREFIX_BYTES, ' ', SHF_NPY_WRITTEN_HEADER_BYTES - PREFIX_BYTES);
    memcpy(out + PREFIX_BYTES, text, (size_t)size);
    out[SHF_NPY_WRITTEN_HEADER_BYTES - 1] = '\n';
}

void shf_npy_write(const float *items, uint64_t rows, uint64_t columns, uint8_t *out) {
    write_header(rows, columns, out);
    uint8_t *at = out + SHF_NPY_WRITTEN_HEADER_BYTES;
    size_t count = (size_t)rows * (size_t)columns;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &items[i], sizeof bits);
        shf_store_u32le(at + i * sizeof bits, bits);
    }
}
