/*
 * One shard of a snapshot: its file, mapped, with the readers of its tables. Reference-counted; shared by the
 * snapshots that name the same object. Once ready it is immutable, so any thread may read it without a lock.
 */
#ifndef SHF_READER_SHARD_H
#define SHF_READER_SHARD_H

#include "formats/kv.h"
#include "formats/manifest.h"
#include "formats/vec0.h"
#include "formats/vector_layout.h"
#include "reader/source.h"
#include "rt/wait.h"
#include "search/search.h"

enum shf_shard_state { SHF_SHARD_IDLE, SHF_SHARD_OPENING, SHF_SHARD_READY };

struct shf_shard {
    atomic_uint references;
    atomic_int state; /* READY is set last, with release order */
    struct shf_source *source;
    struct shf_store *store; /* borrowed from source */
    uint32_t id;
    char *directory_key; /* database directory below the store's root, with a slash at the end */
    char *object_key;    /* directory_key + "shard.db" */
    char *object_url;
    char *checkpoint_id; /* or NULL */
    bool wants_vectors;
    uint32_t dimension; /* what the manifest says of the vectors */
    enum shf_metric metric;
    bool has_object; /* the manifest tells size and SHA-256 of shard.db */
    uint64_t object_size;
    uint8_t object_sha256[32];

    /* when ready */
    struct shf_mapped_file file;
    struct shf_kv kv;
    struct shf_vec0 vec;
    struct shf_mapped_file layout_file;
    struct shf_vector_rows rows;
    const int64_t *rowids;

    struct { /* shard_separators.h */
        _Atomic(struct shf_kv_separators *) separators;
        atomic_uint lookups;
        struct shf_task separators_task;
    };

    struct shf_shard_opening *opening; /* loop thread only */
};

struct shf_shard *shf_shard_retain(struct shf_shard *shard);
void shf_shard_release(struct shf_shard *shard);

static inline bool shf_shard_is_ready(const struct shf_shard *shard) {
    return atomic_load_explicit(&shard->state, memory_order_acquire) == SHF_SHARD_READY;
}

/*
 * Somebody who waits for a shard. Loop thread only. `done` runs on the loop thread, once: with SHF_OK when the shard is
 * ready; else with the failure (its error is the receiver's to free), which the next waiter starts anew from.
 */
struct shf_shard_waiter {
    struct shf_wait wait; /* deadline_ns and cancel are set by the caller */
    struct shf_shard *shard;
    struct shf_shard_waiter *next;
    void (*done)(struct shf_shard_waiter *waiter, shf_status status, struct shf_error *error);
    struct shf_error *error;
    uint64_t downloaded_bytes; /* by the opening that this one began */
};
void shf_shard_wait(struct shf_shard *shard, struct shf_shard_waiter *waiter);

/* Parses the mapped file and lays the vectors out. Worker only; identity names this content. */
shf_status shf_shard_parse(struct shf_shard *shard, const struct shf_cache_key *identity, struct shf_error **error);
/* Only the vectors: shard_vectors.c. */
shf_status shf_shard_lay_out_vectors(struct shf_shard *shard, const struct shf_cache_key *identity,
                                     struct shf_error **error);

#endif
