/*
 * The rows of a fragment that are deleted: a file `_deletions/FRAGMENT-VERSION-ID.arrow` (Arrow IPC, one column `row_id` of
 * 32 bits) or `.bin` (a portable Roaring bitmap). Either becomes a bit a row. Pure.
 */
#ifndef SHF_FORMATS_LANCE_DELETIONS_H
#define SHF_FORMATS_LANCE_DELETIONS_H

#include "base/budget.h"
#include "base/error.h"
#include "formats/lance/manifest.h"

struct shf_lance_deletions {
    uint64_t rows;    /* of the fragment */
    uint64_t deleted; /* of those */
    uint8_t *bits;    /* owned; LSB first; NULL = nothing is deleted */
    struct shf_budget *budget;
    uint64_t charged_bytes; /* to it */
};

/*
 * Allocates a bit a row: the caller has made sure that the fragment has its rows. SHF_E_CORRUPT when the file names rows that
 * are not there or one row twice; SHF_E_UNSUPPORTED; SHF_E_LIMIT; SHF_E_NO_MEMORY. Give it to shf_lance_deletions_free.
 */
shf_status shf_lance_deletions_parse(enum shf_lance_deletion_type type, const void *data, size_t size, uint64_t rows,
                                     struct shf_lance_deletions *out, struct shf_error **error);
/* The same, charged to a budget: also SHF_E_INVALID (more than it has altogether). */
shf_status shf_lance_deletions_parse_within(enum shf_lance_deletion_type type, const void *data, size_t size,
                                            uint64_t rows, struct shf_budget *budget, struct shf_lance_deletions *out,
                                            struct shf_error **error);
void shf_lance_deletions_free(struct shf_lance_deletions *deletions); /* a zeroed one is fine */

static inline bool shf_lance_is_deleted(const struct shf_lance_deletions *deletions, uint64_t row) {
    return deletions->bits && (deletions->bits[row >> 3] >> (row & 7) & 1);
}

/* The first row from `row` on that is deleted (or is not); `rows` when there is none. */
uint64_t shf_lance_next_row(const struct shf_lance_deletions *deletions, uint64_t row, bool is_deleted);

#endif
