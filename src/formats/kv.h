/*
 * The key-value table of a shard: `CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID`, an index
 * b-tree of (key, value) records. Pure, read-only, thread-safe; a lookup allocates nothing.
 */
#ifndef SHF_FORMATS_KV_H
#define SHF_FORMATS_KV_H

#include "formats/sqlite.h"

struct shf_kv {
    struct shf_sqlite db;
    uint32_t root;
};

/* SHF_E_CORRUPT when there is no such table. */
shf_status shf_kv_open(struct shf_kv *kv, const struct shf_sqlite *db, const struct shf_sqlite_schema *schema,
                       struct shf_error **error);

/* A value that was found: in place, or to be copied. */
struct shf_kv_value {
    const uint8_t *in_place; /* NULL when part of it lies in an overflow chain */
    uint64_t size;
    struct shf_sqlite_payload payload; /* for shf_kv_value_copy */
    uint64_t offset;
};

struct shf_kv_separators; /* formats/kv_separators.h */

/* separators: of this table, or NULL. */
shf_status shf_kv_get(const struct shf_kv *kv, const struct shf_kv_separators *separators, const void *key,
                      size_t key_size, bool *found, struct shf_kv_value *value, struct shf_error **error);

/* Many lookups side by side, in any tables: while one waits for memory, the others go on. */
struct shf_kv_probe {
    /* in */
    const struct shf_kv *kv;
    const struct shf_kv_separators *separators; /* or NULL */
    const void *key;
    size_t key_size;
    /* out */
    bool found;
    struct shf_kv_value value;
};
/* At the first that fails the others are given up; *failed says which it is. */
shf_status shf_kv_get_many(struct shf_kv_probe *probes, size_t count, size_t *failed, struct shf_error **error);
shf_status shf_kv_value_copy(const struct shf_kv *kv, const struct shf_kv_value *value, void *out,
                             struct shf_error **error);

/* In-order scan, for verification and tests. Zero the struct to begin; payload is a (key, value) record. */
struct shf_kv_scan {
    bool started;
    uint32_t depth;
    uint64_t pages_seen;
    struct {
        uint32_t page;
        uint32_t cell;
    } stack[SHF_LIMIT_BTREE_DEPTH];
};
shf_status shf_kv_scan_next(const struct shf_kv *kv, struct shf_kv_scan *scan, bool *done,
                            struct shf_sqlite_payload *payload, struct shf_error **error);

#endif
