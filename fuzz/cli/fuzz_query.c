/* Vectors from outside: a line of --queries, a QUERY, and a .npy header with a row. */
#include "cli/memory.h"
#include "cli/npy.h"
#include "cli/query.h"
#include "fuzz_entry.h"

#include <math.h>
#include <stdlib.h>

static void check(char *error, struct cli_query *query) {
    if (!error && !query->vector) __builtin_trap();
    for (uint32_t i = 0; !error && i < query->dimension; i++) {
        if (!isfinite(query->vector[i])) __builtin_trap();
    }
    free(error);
    cli_query_free(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cli_query query = {0};
    struct cli_npy npy;
    char *text = cli_strndup((const char *)data, size);
    check(cli_query_from_json(text, size, &query), &query);
    check(cli_query_from_text(text, &query), &query);
    free(text);
    char *error = cli_npy_parse(data, size, &npy);
    if (!error && (size - npy.data_offset) / npy.item_bytes >= npy.dimension) {
        float *row = cli_alloc_array(npy.dimension, sizeof *row);
        cli_npy_row(&npy, data + npy.data_offset, row);
        free(row);
    }
    free(error);
    return 0;
}
