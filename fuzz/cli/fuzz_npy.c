/* .npy files: a header is read or refused with a message; a row of what was read has finite values, or is refused. */
#include "cli/memory.h"
#include "cli/npy.h"
#include "fuzz_entry.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cli_npy npy;
    size_t header_size = 0;
    char *error = cli_npy_header_size(data, size, &header_size);
    if (error) {
        if (!*error) __builtin_trap();
        free(error);
        return 0;
    }
    if (!cli_npy_is(data, size) || header_size < 10 || header_size > CLI_NPY_HEADER_BYTES + CLI_NPY_PREFIX_BYTES)
        __builtin_trap();
    error = cli_npy_parse(data, size, &npy);
    if (error) {
        if (!*error) __builtin_trap();
        free(error);
        return 0;
    }
    if (size < header_size || npy.data_offset != header_size) __builtin_trap();
    if (npy.dimension == 0 || npy.dimension > CLI_NPY_MAX_DIMENSION) __builtin_trap();
    if (npy.item_bytes != 2 && npy.item_bytes != 4 && npy.item_bytes != 8) __builtin_trap();
    if ((size - npy.data_offset) / npy.item_bytes < npy.dimension) return 0;
    float *row = cli_alloc_array(npy.dimension, sizeof *row);
    bool finite = cli_npy_row(&npy, data + npy.data_offset, row);
    for (uint32_t i = 0; finite && i < npy.dimension; i++) {
        if (!isfinite(row[i])) __builtin_trap();
    }
    free(row);
    return 0;
}
