/* A .npy file, read as --queries reads it: prefix, header, then row by row; also as a whole. */
#include "cli/memory.h"
#include "cli/npy.h"
#include "fuzz_entry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROWS 64u

/* The rows that are there: each is finite, or refused; and the same bytes give the same numbers. */
static void read_rows(const struct cli_npy *npy, const uint8_t *data, size_t size) {
    size_t row_bytes = (size_t)npy->dimension * npy->item_bytes;
    float *row = cli_alloc_array(npy->dimension, sizeof *row), *again = cli_alloc_array(npy->dimension, sizeof *row);
    for (uint64_t i = 0; i < npy->rows && i < MOST_ROWS && size >= row_bytes; i++, data += row_bytes, size -= row_bytes) {
        bool is_finite = cli_npy_row(npy, data, row);
        if (is_finite != cli_npy_row(npy, data, again)) __builtin_trap();
        if (!is_finite) break;
        for (uint32_t j = 0; j < npy->dimension; j++) {
            if (!isfinite(row[j])) __builtin_trap();
        }
        if (memcmp(row, again, npy->dimension * sizeof *row) != 0) __builtin_trap();
    }
    free(row);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cli_npy npy = {0};
    size_t header = 0, prefix = size < CLI_NPY_PREFIX_BYTES ? size : CLI_NPY_PREFIX_BYTES;
    uint8_t *head =
        cli_alloc_array(prefix ? prefix : 1, 1); /* of exact size, so that a sanitizer sees a read past the end */
    if (prefix) memcpy(head, data, prefix);
    bool is_npy = cli_npy_is(head, prefix);
    char *error = cli_npy_header_size(head, prefix, &header);
    free(head);
    if (error) {
        if (!*error) __builtin_trap();
        free(error);
        return 0;
    }
    if (!is_npy || header < 10 || header > CLI_NPY_PREFIX_BYTES + CLI_NPY_HEADER_BYTES) __builtin_trap();
    size_t given = header < size ? header : size;
    head = cli_alloc_array(given ? given : 1, 1);
    memcpy(head, data, given);
    error = cli_npy_parse(head, given, &npy);
    free(head);
    if (error) {
        free(error);
        return 0;
    }
    if (npy.data_offset != header || !npy.dimension || npy.dimension > CLI_NPY_MAX_DIMENSION) __builtin_trap();
    if (npy.item_bytes != 2 && npy.item_bytes != 4 && npy.item_bytes != 8) __builtin_trap();
    read_rows(&npy, data + header, size - header);
    return 0;
}
