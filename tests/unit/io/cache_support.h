/* A disk cache in a directory of its own. */
#ifndef TESTS_UNIT_IO_CACHE_SUPPORT_H
#define TESTS_UNIT_IO_CACHE_SUPPORT_H

#include "io/disk_cache_priv.h"
#include "support.h"

struct cache_test {
    char *parent, *path; /* path: the cache's directory, made by it */
    shf_runtime *runtime;
    struct shf_disk_cache *cache;
};
void cache_begin(struct cache_test *test, uint64_t max_bytes);
void cache_end(struct cache_test *test);

struct shf_cache_key cache_key(const char *name);
/* Path of the file of a key, or of its record; the caller's to free. */
char *cache_file_path(const struct cache_test *test, const char *name, bool record);
/* Commits and maps; kind "shard". */
struct shf_mapped_file cache_put(struct cache_test *test, const char *name, const void *data, size_t size);
/* The same, and lets go of the mapping. */
void cache_put_only(struct cache_test *test, const char *name, const void *data, size_t size);
bool cache_find(struct cache_test *test, const char *name, struct shf_mapped_file *out);
/* Found and these bytes, or not found at all. */
bool cache_has(struct cache_test *test, const char *name, const void *data, size_t size);
/* Files of the directory whose names begin so. */
size_t cache_count(const struct cache_test *test, const char *prefix);

#endif
