/*
 * A store in memory, for tests: answers like S3 (ETags, If-Match, ranges, listings). Objects may be put and removed from
 * any thread while requests run.
 */
#ifndef SHF_IO_STORE_MEM_H
#define SHF_IO_STORE_MEM_H

#include "io/store.h"

/* root_url: "s3://bucket" or whatever messages are to show. */
shf_status shf_store_mem_new(shf_runtime *runtime, const char *root_url, struct shf_store **out,
                             struct shf_error **error);

/* Copies data; replaces an object of the same key. etag verbatim with quotes; NULL = the MD5 of the data, as S3 does. SHF_E_NO_MEMORY. */
shf_status shf_store_mem_put(struct shf_store *store, const char *key, const void *data, size_t size, const char *etag);
/* False when there was none. */
bool shf_store_mem_remove(struct shf_store *store, const char *key);

#endif
