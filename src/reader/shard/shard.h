/*
 * One shard of a snapshot: its keys (a SQLite file or a SlateDB database) and its vectors (a table of that file or a Lance
 * dataset), or the vectors alone, mapped. Reference-counted; shared by the snapshots that name the same objects. Once ready it is immutable, so
 * any thread may read it without a lock; where the number of open shards is bounded, while it is held (open_shards.h).
 */
#ifndef SHF_READER_SHARD_SHARD_H
#define SHF_READER_SHARD_SHARD_H

#include "formats/kv.h"
#include "formats/manifest.h"
#include "formats/vec0.h"
#include "formats/vector_layout.h"
#include "reader/shard/lance.h"
#include "reader/shard/slatedb.h"
#include "reader/source.h"
#include "rt/wait.h"
#include "search/search.h"

enum shf_shard_state { SHF_SHARD_IDLE, SHF_SHARD_OPENING, SHF_SHARD_READY };

/* What the manifest says. Of key-value snapshots it does not say which: a file shard.db, or else SlateDB. */
enum shf_keys_format { SHF_KEYS_WHAT_IS_THERE, SHF_KEYS_SQLITE, SHF_KEYS_SLATEDB, SHF_KEYS_NONE };
enum shf_vectors_format { SHF_VECTORS_NONE, SHF_VECTORS_VEC0, SHF_VECTORS_LANCE };

struct shf_shard {
    atomic_uint references;
    atomic_int state; /* READY is set last, with release order */
    struct shf_source *source;
    struct shf_store *store; /* borrowed from source */
    uint32_t id;
    enum shf_keys_format keys;
    enum shf_vectors_format vectors;
    char *directory_key; /* database directory below the store's root, with a slash at the end */
    char *url;           /* of the directory */
    char *object_url;    /* of its shard.db, whether there is one or not */
    char *checkpoint_id; /* or NULL */
    uint32_t dimension;  /* what the manifest says of the vectors */
    enum shf_metric metric;
    bool has_object; /* the manifest tells size and SHA-256 of shard.db */
    uint64_t object_size;
    uint8_t object_sha256[32];

    /* when ready: the keys in one of two */
    struct shf_mapped_file file;
    struct shf_kv kv;
    struct shf_slatedb *slatedb; /* or NULL */
    /* and the vectors, in the layout */
    struct shf_vec0 vec;
    struct shf_lance *lance; /* or NULL */
    struct shf_mapped_file layout_file;
    struct shf_vector_rows rows;
    const int64_t *rowids; /* or addresses of a Lance dataset */

    struct { /* separators.h */
        _Atomic(struct shf_kv_separators *) separators;
        atomic_uint lookups;
        struct shf_task separators_task;
    };

    struct shf_shard_use use; /* open_shards.h */
    struct {                  /* loop thread only */
        struct shf_shard_opening *opening;
        bool was_opened; /* at least once, with success */
    };
};

struct shf_shard *shf_shard_retain(struct shf_shard *shard);
void shf_shard_release(struct shf_shard *shard);

static inline bool shf_shard_is_ready(const struct shf_shard *shard) {
    return atomic_load_explicit(&shard->state, memory_order_acquire) == SHF_SHARD_READY;
}

/* Where the keys of a ready shard are, for messages. */
static inline const char *shf_shard_keys_url(const struct shf_shard *shard) {
    return shard->slatedb ? shard->url : shard->object_url;
}
/* Where the vectors of a ready shard are, for messages. */
static inline const char *shf_shard_vectors_url(const struct shf_shard *shard) {
    return shard->lance ? shard->url : shard->object_url;
}

/* Key of an object of the shard: directory_key + name. The caller's to shf_free; NULL without memory. */
char *shf_shard_key_of(const struct shf_shard *shard, const char *name);

/*
 * Somebody who waits for a shard. Loop thread only. `done` runs on the loop thread, once: with SHF_OK when the shard is
 * ready, and held for the waiter, who lets it go; else with the failure (its error is the receiver's to free), which the next waiter starts anew from.
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

/* ---- within the folder ---- */

/* Parses the mapped shard.db, lays the vectors of a unified one out. Worker; identity names this content. */
shf_status shf_shard_parse_sqlite(struct shf_shard *shard, const struct shf_cache_key *identity,
                                  struct shf_error **error);
/*
 * Sends a request for an object of the shard, with what the caller has set beside these. No deadline: transfers are bounded by
 * the store's inactivity limit. Any thread.
 */
void shf_shard_ask(const struct shf_shard *shard, struct shf_store_request *request, enum shf_store_verb verb,
                   const char *key, const struct shf_cancel *cancel, void (*done)(struct shf_store_request *request));
/* SHF_E_CANCELLED when nobody waits for an opening any more. */
shf_status shf_shard_check_cancelled(const struct shf_cancel *cancel, struct shf_error **error);

#endif
