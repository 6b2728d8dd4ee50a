/*
 * The bytes of a data file: all of them (mapped or read), or the pieces that somebody fetched. What reads them asks for
 * ranges and is told when one is not there. Pure.
 */
#ifndef SHF_FORMATS_LANCE_SOURCE_H
#define SHF_FORMATS_LANCE_SOURCE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shf_lance_range {
    uint64_t offset, size;
};

struct shf_lance_piece {
    uint64_t offset;
    const uint8_t *data;
    size_t size;
};

/* Borrowed: everything that is read from it points into it. */
struct shf_lance_source {
    uint64_t size;                        /* of the file */
    const uint8_t *data;                  /* all of it, or NULL: */
    const struct shf_lance_piece *pieces; /* what is there of it, in any order */
    size_t piece_count;
    bool pieces_ascend; /* and do not overlap: then they are not all looked at for every range */
};

struct shf_lance_source shf_lance_source_of(const void *data, size_t size);

/* NULL when they are not all there, or lie in two pieces. Never NULL for size 0 within the file. */
const uint8_t *shf_lance_source_at(const struct shf_lance_source *source, uint64_t offset, uint64_t size);

/* The same: SHF_E_CORRUPT when they lie beyond the file, SHF_E_INVALID when nobody fetched them. `what` they are. */
shf_status shf_lance_source_get(const struct shf_lance_source *source, uint64_t offset, uint64_t size, const char *what,
                                const uint8_t **out, struct shf_error **error);

#endif
