#include "cli/build/build_array.h"

#include "cli/build/build_vectors.h"
#include "cli/memory.h"

#include <stdlib.h>

/* What the header says, before anything is allocated by it. */
static char *check_shape(const struct cli_vectors *file, uint32_t most_rows, uint64_t memory_bytes) {
    const struct cli_npy *npy = &file->npy;
    if (!file->is_npy) return cli_strdup("not a .npy file");
    if (npy->dimensions != 2) return cli_strdup("an array of one dimension; rows are wanted, (rows, floats of each)");
    if (!npy->rows) return cli_strdup("it has no rows");
    if (npy->rows > most_rows) {
        return cli_format("%llu rows; at most %u are possible", (unsigned long long)npy->rows, most_rows);
    }
    uint64_t bytes = npy->rows * npy->dimension * sizeof(float); /* at most 2^15 * 2^16 * 4 */
    if (bytes <= memory_bytes) return NULL;
    return cli_format("%llu bytes as floats, more than an eighth of the memory budget (--memory-budget)",
                      (unsigned long long)bytes);
}

static char *read_rows(struct cli_array *array, struct cli_vectors *file) {
    for (uint32_t i = 0; i < array->rows; i++) {
        enum cli_vector state;
        char *error = cli_vectors_next(file, array->items + (size_t)i * array->dimension, &state);
        if (error) return error;
        if (state == CLI_VECTOR_NOT_FINITE) {
            return cli_format("%s: row %u has an element that is not a finite float32", file->stream.name, i + 1);
        }
        if (state != CLI_VECTOR_READY) return cli_format("%s: not read to its end", file->stream.name);
    }
    return NULL;
}

char *cli_array_read(struct cli_array *array, const char *flag, const char *name, uint32_t most_rows,
                     uint64_t memory_bytes) {
    struct cli_vectors file;
    *array = (struct cli_array){0};
    char *wrong = NULL, *error = cli_vectors_open(&file, name, memory_bytes, NULL);
    if (!error) wrong = check_shape(&file, most_rows, memory_bytes);
    if (wrong) error = cli_format("%s: %s", file.stream.name, wrong);
    if (!error) {
        array->rows = (uint32_t)file.npy.rows;
        array->dimension = file.npy.dimension;
        array->items = cli_alloc_array((size_t)array->rows * array->dimension, sizeof *array->items);
        error = read_rows(array, &file);
    }
    free(wrong);
    cli_vectors_close(&file);
    if (!error) return NULL;
    char *named = cli_format("--%s: %s", flag, error);
    free(error);
    return named;
}

void cli_array_free(struct cli_array *array) {
    free(array->items);
    *array = (struct cli_array){0};
}
