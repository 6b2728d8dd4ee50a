#include "reader/source.h"

#include "base/alloc.h"
#include "io/credentials.h"
#include "rt/struct_size.h"
#include "snapshot/s3_options.h"

#define DEFAULT_FALLBACK_ATTEMPTS 3u
#define LARGEST_FALLBACK_ATTEMPTS 100000
#define DEFAULT_TIMEOUT_MS 60000
#define DEFAULT_AUTO_PER_SHARD (UINT64_C(16) << 20)
#define DEFAULT_AUTO_TOTAL (UINT64_C(2) << 30)
#define CONCURRENCY_A_WORKER 4u
#define LEAST_CONCURRENCY 16u
#define ANY_POINTER "_CURRENT" /* of an allowed prefix: nobody reads it, but a last segment "_x" is one of the prefix */

static shf_status copy_allowed(struct shf_source *source, const char *const *prefixes) {
    size_t count = 0;
    while (prefixes && prefixes[count]) {
        if (++count > SHF_LIMIT_ALLOWED_PREFIXES) return SHF_E_INVALID;
    }
    if (count == 0) return SHF_OK;
    source->allowed_urls = shf_alloc_zero(count, sizeof *source->allowed_urls);
    if (!source->allowed_urls) return SHF_E_NO_MEMORY;
    source->allowed_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!(source->allowed_urls[i] = shf_strdup(prefixes[i]))) return SHF_E_NO_MEMORY;
    }
    return SHF_OK;
}

static shf_status check_options(const shf_reader_options *o) {
    const uint32_t known_flags = SHF_OPEN_LAZY | SHF_OPEN_PRIVATE_COPY;
    if (!o->url || !*o->url || (o->flags & ~known_flags) || o->access_mode > SHF_ACCESS_RANGE) return SHF_E_INVALID;
    if (o->manifest_ref && o->history_offset) return SHF_E_INVALID;
    if (!o->manifest.data ? o->manifest.size != 0 : !o->manifest_ref) return SHF_E_INVALID;
    if (o->max_fallback_attempts < SHF_FALLBACK_NONE || o->max_fallback_attempts > LARGEST_FALLBACK_ATTEMPTS) {
        return SHF_E_INVALID;
    }
    return SHF_OK;
}

static void copy_numbers(struct shf_source *source, const shf_reader_options *o) {
    uint32_t workers = shf_rt_worker_count(source->runtime);
    uint32_t concurrency = workers * CONCURRENCY_A_WORKER;
    source->flags = o->flags;
    source->access_mode = o->access_mode;
    source->auto_per_shard_bytes = o->auto_per_shard_bytes ? o->auto_per_shard_bytes : DEFAULT_AUTO_PER_SHARD;
    source->auto_total_bytes = o->auto_total_bytes ? o->auto_total_bytes : DEFAULT_AUTO_TOTAL;
    source->max_concurrency = o->max_concurrency                ? o->max_concurrency
                              : concurrency < LEAST_CONCURRENCY ? LEAST_CONCURRENCY
                                                                : concurrency;
    source->timeout_ms = o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
    source->max_fallback_attempts = o->max_fallback_attempts == SHF_FALLBACK_NONE ? 0
                                    : o->max_fallback_attempts == 0               ? DEFAULT_FALLBACK_ATTEMPTS
                                                                                  : (uint32_t)o->max_fallback_attempts;
    source->cache_max_bytes = o->cache_max_bytes;
    source->pinned_offset = o->history_offset ? (int64_t)o->history_offset - 1 : -1;
}

shf_status shf_source_new(shf_runtime *runtime, const shf_reader_options *options, struct shf_source **out) {
    shf_reader_options read;
    shf_status status = shf_struct_copy(&read, sizeof read, options);
    if (!status) status = check_options(&read);
    if (status) return status;
    struct shf_source *source = shf_alloc_zero(1, sizeof *source);
    if (!source) return SHF_E_NO_MEMORY;
    atomic_init(&source->references, 1);
    source->runtime = shf_rt_retain(runtime);
    (void)pthread_mutex_init(&source->cache_mutex, NULL);
    copy_numbers(source, &read);
    shf_limiter_init(&source->limiter, runtime, source->max_concurrency);
    shf_open_shards_init(&source->open_shards, read.max_open_shards);
    status = SHF_E_NO_MEMORY;
    if (!(source->url = shf_strdup(read.url))) goto done;
    if (read.local_root && !(source->local_root = shf_strdup(read.local_root))) goto done;
    if (read.current_pointer_key && !(source->pointer_key = shf_strdup(read.current_pointer_key))) goto done;
    if (read.manifest.data) {
        status = shf_manifest_given_copy(runtime, read.manifest_ref, read.manifest, &source->given);
        if (status) goto done;
    } else if (read.manifest_ref && !(source->manifest_ref = shf_strdup(read.manifest_ref))) {
        goto done;
    }
    status = copy_allowed(source, read.allowed_prefixes);
    if (status) goto done;
    if (read.s3) {
        status = shf_s3_options_copy(read.s3, &source->s3);
        source->has_s3_options = !status;
    }
done:
    if (status) {
        shf_source_release(source);
        return status;
    }
    *out = source;
    return SHF_OK;
}

struct shf_source *shf_source_retain(struct shf_source *source) {
    atomic_fetch_add_explicit(&source->references, 1, memory_order_relaxed);
    return source;
}

void shf_source_release(struct shf_source *source) {
    if (!source || atomic_fetch_sub_explicit(&source->references, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < source->allowed_count; i++) {
        shf_free(source->allowed_urls[i]);
        if (source->allowed) shf_location_free(&source->allowed[i]);
        if (source->allowed_stores && source->allowed_stores[i]) shf_store_release(source->allowed_stores[i]);
    }
    shf_free(source->allowed_urls);
    shf_free(source->allowed);
    shf_free(source->allowed_stores);
    shf_location_free(&source->location);
    if (source->store) shf_store_release(source->store);
    if (source->cache) shf_disk_cache_release(source->cache);
    (void)pthread_mutex_destroy(&source->cache_mutex);
    shf_limiter_fini(&source->limiter);
    shf_open_shards_fini(&source->open_shards);
    shf_s3_options_free(&source->s3);
    shf_free(source->url);
    shf_free(source->local_root);
    shf_free(source->manifest_ref);
    shf_free(source->pointer_key);
    shf_manifest_given_free(&source->given);
    shf_rt_release(source->runtime);
    shf_free(source);
}

static shf_status connect_store(struct shf_source *source, const struct shf_location *location, struct shf_store **out,
                                struct shf_error **error) {
    switch (location->scheme) {
    case SHF_SCHEME_FILE: return shf_store_file_new(source->runtime, out, error);
    case SHF_SCHEME_S3:
        return shf_store_s3_new(source->runtime, location->bucket, source->has_s3_options ? &source->s3 : NULL, out,
                                error);
    case SHF_SCHEME_MEM: break;
    }
    return shf_error_set(error, SHF_E_INVALID, "%s: only s3://, file:// and plain paths can be opened", location->url);
}

shf_status shf_source_connect(struct shf_source *source, struct shf_error **error) {
    shf_status status = shf_location_parse_prefix(source->url, source->pointer_key, &source->location, error);
    if (!status) status = connect_store(source, &source->location, &source->store, error);
    if (status || source->allowed_count == 0) return status;
    source->allowed = shf_alloc_zero(source->allowed_count, sizeof *source->allowed);
    source->allowed_stores = shf_alloc_zero(source->allowed_count, sizeof(struct shf_store *));
    if (!source->allowed || !source->allowed_stores) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for %zu allowed prefixes", source->allowed_count);
    }
    for (size_t i = 0; i < source->allowed_count && !status; i++) {
        status = shf_location_parse_prefix(source->allowed_urls[i], ANY_POINTER, &source->allowed[i], error);
        if (!status) status = connect_store(source, &source->allowed[i], &source->allowed_stores[i], error);
        if (status) shf_error_prefix(error, "allowed prefix %zu", i);
    }
    return status;
}

shf_status shf_source_set_credentials(struct shf_source *source, const char *access_key_id,
                                      const char *secret_access_key, const char *session_token) {
    struct shf_credentials *credentials;
    shf_status status = shf_credentials_given(access_key_id, secret_access_key, session_token, &credentials);
    if (status) return status;
    shf_store_use_credentials(source->store, credentials);
    for (size_t i = 0; i < source->allowed_count; i++) {
        shf_store_use_credentials(source->allowed_stores[i], credentials);
    }
    shf_credentials_release(credentials);
    return SHF_OK;
}

shf_status shf_source_cache(struct shf_source *source, struct shf_disk_cache **out, struct shf_error **error) {
    shf_status status = SHF_OK;
    (void)pthread_mutex_lock(&source->cache_mutex);
    if (!source->cache) {
        status = shf_disk_cache_open(source->runtime, source->local_root, source->cache_max_bytes, &source->cache, error);
    }
    *out = source->cache;
    (void)pthread_mutex_unlock(&source->cache_mutex);
    return status;
}
