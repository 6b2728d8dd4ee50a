#include "formats/lance/deletions_priv.h"

#include "base/alloc.h"
#include "formats/lance/memory_priv.h"

#include <inttypes.h>

shf_status shf_lance_delete_row(struct shf_lance_deletions *deletions, uint64_t row, struct shf_error **error) {
    if (row >= deletions->rows) {
        return shf_error_set(error, SHF_E_CORRUPT, "it deletes row %" PRIu64 " of a fragment of %" PRIu64, row,
                             deletions->rows);
    }
    uint8_t bit = (uint8_t)(1u << (row & 7));
    if (deletions->bits[row >> 3] & bit) {
        return shf_error_set(error, SHF_E_CORRUPT, "it deletes row %" PRIu64 " twice", row);
    }
    deletions->bits[row >> 3] |= bit;
    deletions->deleted++;
    return SHF_OK;
}

shf_status shf_lance_deletions_parse(enum shf_lance_deletion_type type, const void *data, size_t size, uint64_t rows,
                                     struct shf_lance_deletions *out, struct shf_error **error) {
    return shf_lance_deletions_parse_within(type, data, size, rows, NULL, out, error);
}

shf_status shf_lance_deletions_parse_within(enum shf_lance_deletion_type type, const void *data, size_t size,
                                            uint64_t rows, struct shf_budget *budget, struct shf_lance_deletions *out,
                                            struct shf_error **error) {
    struct shf_lance_deletions deletions = {.rows = rows, .budget = budget};
    void *bits;
    if (rows > UINT64_C(1) << 32) return shf_error_set(error, SHF_E_LIMIT, "a fragment of more than 2^32 rows");
    shf_status status = shf_lance_memory_zero(budget, (size_t)(rows / 8 + 1), 1, "the deletions of a Lance fragment",
                                              &bits, &deletions.charged_bytes, error);
    if (status) return status;
    deletions.bits = bits;
    status = type == SHF_LANCE_DELETIONS_ARROW ? shf_lance_deletions_arrow(data, size, &deletions, error)
                                               : shf_lance_deletions_roaring(data, size, &deletions, error);
    if (status) {
        if (error) shf_error_prefix(error, "Lance deletion file");
        shf_lance_deletions_free(&deletions);
        return status;
    }
    *out = deletions;
    return SHF_OK;
}

void shf_lance_deletions_free(struct shf_lance_deletions *deletions) {
    shf_free(deletions->bits);
    shf_lance_memory_give(deletions->budget, deletions->charged_bytes);
    *deletions = (struct shf_lance_deletions){0};
}

uint64_t shf_lance_next_row(const struct shf_lance_deletions *deletions, uint64_t row, bool is_deleted) {
    if (!deletions->bits) return is_deleted || row > deletions->rows ? deletions->rows : row;
    uint8_t skip = is_deleted ? 0 : 0xff; /* eight rows none of which is wanted */
    while (row < deletions->rows) {
        if ((row & 7) == 0 && deletions->bits[row >> 3] == skip) {
            row += 8;
        } else if (shf_lance_is_deleted(deletions, row) == is_deleted) {
            return row;
        } else {
            row++;
        }
    }
    return deletions->rows;
}
