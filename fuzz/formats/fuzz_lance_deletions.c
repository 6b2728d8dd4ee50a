/* A deletion file of a Lance dataset: a byte of its type, two of the number of rows (in eights), then the file. */
#include "base/cursor.h"
#include "formats/lance/deletions.h"
#include "fuzz_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_lance_deletions deletions;
    struct shf_error *error = NULL;
    struct shf_budget budget;
    if (size < 3) return 0;
    uint64_t rows = (uint64_t)shf_load_u16be(data + 1) * 8 + 5, live = 0, last = 0;
    enum shf_lance_deletion_type type = data[0] & 1 ? SHF_LANCE_DELETIONS_BITMAP : SHF_LANCE_DELETIONS_ARROW;
    shf_budget_init(&budget, UINT64_C(1) << 20);
    if (shf_lance_deletions_parse_within(type, data + 3, size - 3, rows, &budget, &deletions, &error)) {
        if (!error || budget.used_bytes != 0) __builtin_trap();
        shf_error_free(error);
        return 0;
    }
    for (uint64_t row = 0; row < rows; row++) live += !shf_lance_is_deleted(&deletions, row);
    if (live + deletions.deleted != rows) __builtin_trap();
    for (uint64_t row = 0; row < rows;) { /* runs of live rows */
        uint64_t first = shf_lance_next_row(&deletions, row, false);
        row = shf_lance_next_row(&deletions, first, true);
        live -= row - first;
        if (row < last || (row < rows && !shf_lance_is_deleted(&deletions, row))) __builtin_trap();
        last = row;
    }
    if (live != 0) __builtin_trap();
    shf_lance_deletions_free(&deletions);
    if (budget.used_bytes != 0) __builtin_trap();
    return 0;
}
