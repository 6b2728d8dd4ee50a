/*
 * Where a reader reads from: its options, the opened location, the stores, the local cache. Immutable after opening,
 * reference-counted: the reader and every shard hold one.
 */
#ifndef SHF_READER_SOURCE_H
#define SHF_READER_SOURCE_H

#include "io/disk_cache.h"
#include "io/store.h"
#include "reader/limiter.h"
#include "reader/shard/open_shards.h"
#include "shardyfusion/reader.h"
#include "snapshot/location.h"
#include "snapshot/manifest_given.h"

#include <pthread.h>

#define SHF_LIMIT_ALLOWED_PREFIXES 1024u

struct shf_source {
    atomic_uint references;
    shf_runtime *runtime;
    uint32_t flags; /* SHF_OPEN_* */
    uint32_t access_mode;
    uint64_t auto_per_shard_bytes, auto_total_bytes;
    uint32_t max_concurrency;
    int64_t timeout_ms;
    uint32_t max_fallback_attempts;
    uint64_t cache_max_bytes;
    char *url, *local_root, *manifest_ref, *pointer_key;
    struct shf_manifest_given given; /* body NULL = none; the open takes it away */
    int64_t pinned_offset;           /* -1 = none */
    char **allowed_urls;
    size_t allowed_count;
    bool has_s3_options;
    shf_s3_options s3; /* its strings are owned */

    /* after shf_source_connect */
    struct shf_location location;
    struct shf_store *store;
    struct shf_location *allowed;
    struct shf_store **allowed_stores; /* one each */

    struct shf_limiter limiter;
    struct shf_open_shards open_shards;
    pthread_mutex_t cache_mutex;
    struct shf_disk_cache *cache; /* under cache_mutex; opened at the first need */
};

/* Copies the options. SHF_E_INVALID when they contradict themselves. */
shf_status shf_source_new(shf_runtime *runtime, const shf_reader_options *options, struct shf_source **out);
struct shf_source *shf_source_retain(struct shf_source *source);
void shf_source_release(struct shf_source *source);

/* Parses the URLs and makes the stores (reads configuration files: worker only). */
shf_status shf_source_connect(struct shf_source *source, struct shf_error **error);

/* Requests of all its stores are signed with these from now on. SHF_E_INVALID, SHF_E_NO_MEMORY. After connecting; any thread. */
shf_status shf_source_set_credentials(struct shf_source *source, const char *access_key_id,
                                      const char *secret_access_key, const char *session_token);

/* The local cache, opened at the first call. Borrowed. Workers only. */
shf_status shf_source_cache(struct shf_source *source, struct shf_disk_cache **out, struct shf_error **error);

#endif
