/* What finished operations hold: layouts that the accessors of api read. */
#ifndef SHF_READER_RESULTS_H
#define SHF_READER_RESULTS_H

#include "reader/reader.h"
#include "reader/shard/shard_group.h"

/* ---- get, multi_get ---- */

struct shf_lookup_value {
    const uint8_t *data;
    size_t size;
    struct shf_buf *buf; /* NULL = absent */
    bool owns_buf;       /* a copied value; else the shard's mapping, which the pinned state keeps */
};

struct shf_lookup_detour;

struct shf_lookup_op {
    struct shf_reader_op base;       /* first */
    struct shf_lookup_value *values; /* count; &one for a single key */
    size_t count;
    struct shf_lookup_value one;
    struct shf_lookup_detour *detour; /* what a lookup needs that was not answered in its call; else NULL */
};

/* ---- search, batch_search ---- */

struct shf_search_hit {
    struct shf_candidate candidate;
    bool id_is_text;
    int64_t id_integer;
    char *id_text; /* owned */
    size_t id_text_size;
    char *payload; /* owned, or NULL */
    size_t payload_size;
};

struct shf_search_result {
    struct shf_search_hit *hits;
    uint32_t hit_count;
    uint32_t num_shards_queried;
    uint32_t num_shards_probed; /* before empty ones were left out */
    uint64_t rows_scanned;
};

struct shf_search_run;

struct shf_search_op {
    struct shf_reader_op base;         /* first */
    struct shf_search_result *results; /* query_count */
    size_t query_count;
    atomic_uint_least64_t answer_bytes; /* charged to the budget until the operation is released */
    struct shf_search_run *run;         /* while it runs */
};

/* ---- history ---- */

#include "snapshot/manifest_store.h"

struct shf_history_op {
    struct shf_op op; /* first */
    struct shf_source *source;
    struct shf_task task;
    uint32_t limit;
    shf_status status;
    struct shf_error *error;
    struct shf_manifest_listing listing;
};

#endif
