/* A shard, or two, wrapped into a snapshot: a manifest and _CURRENT around what a test puts into their directories. */
#ifndef SHF_TESTS_WRAP_H
#define SHF_TESTS_WRAP_H

#include <stdbool.h>

/* Below the snapshot; made, and empty. */
#define WRAP_SHARD "shards/a"
#define WRAP_SECOND_SHARD "shards/b"

/* Makes ROOT/snapshot of format 4 with keys "raw"; custom: JSON text. The caller frees the name. */
char *wrap_snapshot(const char *root, const char *custom);
char *wrap_two_shards(const char *root, const char *custom);

/* custom of a composite snapshot; the caller frees it. */
char *wrap_composite(const char *kv_backend, int dimension, const char *metric);

/* An empty shard.db, so that a composite snapshot has the half that is not looked at. */
void wrap_empty_keys(const char *snapshot);

#endif
