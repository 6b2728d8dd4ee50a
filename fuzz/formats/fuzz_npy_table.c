/* A .npy file of centroids or hyperplanes, read whole; the first row and the first column by another way as well. */
#include "formats/npy.h"
#include "fuzz_entry.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ITEMS (1u << 20)

/* The value at a place is that of a table of just these bytes. */
static void check_item(const struct shf_npy *npy, uint64_t row, uint64_t column, double got) {
    uint64_t place = npy->is_fortran ? column * npy->rows + row : row * npy->columns + column;
    struct shf_npy one = *npy;
    double alone;
    one.rows = one.columns = 1;
    one.items = npy->items + place * npy->item_bytes;
    shf_npy_read(&one, &alone);
    if (memcmp(&alone, &got, sizeof alone) != 0) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_npy npy;
    struct shf_error *error = NULL;
    if (shf_npy_parse(data, size, &npy, &error)) {
        if (!error) __builtin_trap();
        shf_error_free(error);
        return 0;
    }
    if (npy.item_bytes != 2 && npy.item_bytes != 4 && npy.item_bytes != 8) __builtin_trap();
    if (npy.rows * npy.columns * npy.item_bytes > size) __builtin_trap();
    if (npy.rows == 0 || npy.columns == 0 || npy.rows * npy.columns > MOST_ITEMS) return 0;
    double *items = calloc(npy.rows * npy.columns, sizeof *items);
    shf_npy_read(&npy, items);
    for (uint64_t column = 0; column < npy.columns; column++) check_item(&npy, 0, column, items[column]);
    for (uint64_t row = 0; row < npy.rows; row++) check_item(&npy, row, 0, items[row * npy.columns]);
    free(items);
    return 0;
}
