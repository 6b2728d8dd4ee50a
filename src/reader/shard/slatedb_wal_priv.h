/* Between slatedb_wal.c (which objects there are) and slatedb_replay.c (their rows, sorted). */
#ifndef SHF_READER_SHARD_SLATEDB_WAL_PRIV_H
#define SHF_READER_SHARD_SLATEDB_WAL_PRIV_H

#include "reader/shard/shard.h"

#define SHF_WAL_AT_ONCE 16u /* objects that are fetched side by side */

struct shf_wal_fetch {
    struct shf_slatedb_wal_load *load;
    struct shf_store_request request;
    char *key;
};

struct shf_slatedb_wal_load {
    struct shf_slatedb_opening *opening;
    struct shf_task task;
    char *directory;
    struct shf_store_request listing;
    uint64_t first_id, end_id; /* the objects to be replayed: [first_id, end_id); the first ones of the listing, then */
    struct shf_cache_key identity;
    struct shf_slatedb_replay *replay;
    struct shf_buf **bodies; /* of all objects, one each: the replay refers to them */
    struct shf_wal_fetch fetches[SHF_WAL_AT_ONCE];
    uint32_t fetch_count;
    uint32_t pending;             /* loop thread only */
    struct shf_wal_fetch *failed; /* the first that did; likewise, then the worker's */
};

static inline shf_runtime *shf_wal_runtime(const struct shf_slatedb_wal_load *load) {
    return load->opening->shard->source->runtime;
}
/* What the listing calls the content of an object; NULL: it does not say. */
static inline const char *shf_wal_version(const struct shf_slatedb_wal_load *load, uint64_t id) {
    return load->listing.versions ? load->listing.versions[id - load->first_id] : NULL;
}
static inline void shf_wal_name(uint64_t id, char name[SHF_SLATEDB_NAME_BYTES]) {
    const struct shf_slatedb_object object = {.kind = SHF_SLATEDB_WAL, .id = id};
    shf_slatedb_name_format(&object, name);
}

/* Opens the sorted rows that are mapped, and sees that they are of these objects. */
shf_status shf_wal_use_sorted(struct shf_slatedb_wal_load *load, struct shf_error **error);
/* Fetches and replays all objects, puts the sorted rows into the cache, and goes on with the opening. Worker. */
void shf_wal_replay(struct shf_slatedb_wal_load *load);
void shf_wal_drop_fetches(struct shf_slatedb_wal_load *load);

#endif
