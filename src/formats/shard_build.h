/*
 * Building a shard.db: the tables of a key-value or unified shard, bulk-loaded in one pass over rows in ascending order of
 * their keys; or of one with vectors alone, whose kv is empty. Pure: finished pages go to a sink. Every page is written once, whole; memory does not grow with the number of
 * rows but for the two lists that a sidecar needs (4 bytes an interior page, 8 bytes a value that overflows), charged to the
 * budget. Values, payloads and vectors pass through buffers of 256 KiB; one key is kept, to see that they ascend.
 *
 * The files are what SQLite (with sqlite-vec 0.1.9) would have written: same schema texts and shadow tables
 * (https://www.sqlite.org/fileformat2.html; table names and texts as the reader's vec0.h and kv.h expect them). The same
 * rows give the same bytes. Position in the vector tables (rowid 0, 1, 2, ...) is the order of the rows.
 */
#ifndef SHF_FORMATS_SHARD_BUILD_H
#define SHF_FORMATS_SHARD_BUILD_H

#include "base/budget.h"
#include "base/error.h"
#include "formats/vec0.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where finished pages go. Numbers begin at 1; most come in ascending order (those of a chunk of vectors, whose place is kept
 * when it begins, among later ones), page 1 comes last. The lock page (SQLite leaves the one at 2^30 bytes out) is never
 * written: a hole. The pages are good for the call only.
 */
struct shf_page_sink {
    shf_status (*write)(struct shf_page_sink *sink, uint32_t first_page, const uint8_t *pages, uint32_t page_count,
                        struct shf_error **error);
};

struct shf_shard_build_options {
    uint32_t page_size;     /* power of two, 512..65536 */
    uint32_t dimension;     /* 0 = key-value only */
    bool is_vector_only;    /* with a dimension: kv stays empty, keys give the order of the rows alone */
    enum shf_metric metric; /* cosine or l2 */
    struct shf_page_sink *sink;
    struct shf_budget *budget; /* must outlive the build and its result */
};

/* All borrowed for the call. */
struct shf_shard_row {
    const uint8_t *key, *value; /* stored key; may be NULL where the size is 0 */
    size_t key_size, value_size;
    /* unified only: */
    const uint8_t *vector; /* 4 * dimension bytes: float32, little-endian, not aligned */
    bool id_is_text;
    int64_t id_integer;
    const char *id_text; /* UTF-8, id_text_size bytes; may hold NUL */
    size_t id_text_size;
    const char *payload; /* JSON object text, or NULL */
    size_t payload_size;
};

struct shf_shard_build;
shf_status shf_shard_build_new(const struct shf_shard_build_options *options, struct shf_shard_build **out,
                               struct shf_error **error);
/*
 * SHF_E_INTERNAL when the key does not follow the one before; SHF_E_LIMIT above 2^31-1 bytes or 2^32-2 pages, and for an id
 * whose JSON text is longer than SHF_LIMIT_ID_BYTES; SHF_E_NO_MEMORY; the sink's errors. After any of them the build can only
 * be freed.
 */
shf_status shf_shard_build_add(struct shf_shard_build *build, const struct shf_shard_row *row, struct shf_error **error);

/* An overflow chain: consecutive pages (but for the lock page, which is left out). */
struct shf_page_chain {
    uint32_t head, count;
};
/* What a sidecar of the file is made from. */
struct shf_shard_pages {
    uint32_t page_size, page_count;
    uint32_t *interior; /* ascending: interior pages of all b-trees, and all pages of the schema (1 first) */
    size_t interior_count;
    struct shf_page_chain *chains; /* ascending */
    size_t chain_count;
    struct shf_budget *budget; /* what they are charged to */
    uint64_t charged_bytes;
};
/* Writes what is left, page 1 last. The result is the caller's. */
shf_status shf_shard_build_finish(struct shf_shard_build *build, struct shf_shard_pages *out, struct shf_error **error);
void shf_shard_build_free(struct shf_shard_build *build); /* NULL is fine; finished or not */
void shf_shard_pages_free(struct shf_shard_pages *pages);

/* Bytes that it takes of the budget while it runs, at most, without the lists, for keys of up to 1 MiB (for planning). */
uint64_t shf_shard_build_bytes(uint32_t page_size, uint32_t dimension);

/* Whether a row of these sizes stays in its cell at this page size (for the choice of page_size). */
bool shf_shard_row_fits(uint32_t page_size, uint64_t key_size, uint64_t value_size);

#endif
