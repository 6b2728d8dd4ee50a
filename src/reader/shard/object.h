/*
 * Bringing one immutable object of a shard in: mapped in place (file://), found in the local cache, or downloaded into it.
 *
 *   loop    HEAD: size, ETag (or inode and time)                  -> identity
 *   worker  map it in place, or find it in the cache, or begin a file there
 *   loop    GET with If-Match, streamed into that file
 *   worker  verify, put in place, map; not what HEAD told of: once more
 */
#ifndef SHF_READER_SHARD_OBJECT_H
#define SHF_READER_SHARD_OBJECT_H

#include "io/disk_cache.h"
#include "io/store.h"

struct shf_shard;

struct shf_object {
    /* in; borrowed until done */
    const struct shf_shard *shard; /* its source, store and checkpoint */
    char *key;                     /* below the store's root; owned, as from shf_alloc */
    const char *kind;              /* extension in the cache: "shard", "sst", "lance" */
    const struct shf_cancel *cancel;
    const uint8_t *expected_sha256; /* what the manifest tells, with expected_size; or NULL */
    uint64_t expected_size;
    void (*done)(struct shf_object *object); /* once, on a worker */
    void *owner;                             /* for done */

    /* out */
    shf_status status;
    struct shf_error *error;       /* names the object; the receiver's */
    struct shf_mapped_file file;   /* the receiver's */
    struct shf_cache_key identity; /* of this content */
    uint64_t downloaded_bytes;

    /* own */
    char *url;
    struct shf_store_request request;
    struct shf_task task;
    struct shf_cache_writer writer;
    uint64_t size; /* from HEAD */
    char *etag;
    bool needs_download, asked_again;
};

/* Any thread. The shard's source holds what is used; `key` may be NULL (no memory was left for it): that fails. */
void shf_object_start(struct shf_object *object);
/* Releases everything that it still has. Not while it is under way. */
void shf_object_clear(struct shf_object *object);

/* Several of them, a few at a time. */
struct shf_object_group {
    /* in */
    struct shf_object *objects;                   /* with shard, key, kind and cancel set */
    uint32_t count;                               /* at least 1 */
    void (*done)(struct shf_object_group *group); /* once, on a worker; after a failure the rest may not have begun */
    void (*failing)(struct shf_object_group *group, shf_status status); /* at the first failure, on a worker; or NULL */

    /* out: of the first failure */
    shf_status status;
    struct shf_error *error;

    /* own */
    atomic_uint next, lanes;
    atomic_bool failed;
};
void shf_object_group_start(struct shf_object_group *group); /* any thread */
/* Clears and frees the objects, zeroes the group; gives how many bytes were downloaded. Not while it is under way. */
uint64_t shf_object_group_clear(struct shf_object_group *group);

/* "ROOT/KEY", the caller's to shf_free; NULL without memory. */
char *shf_store_url_of(const struct shf_store *store, const char *key);

#endif
