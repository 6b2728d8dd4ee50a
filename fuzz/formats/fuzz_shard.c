/* A shard, as a file. */
#include "fuzz_entry.h"
#include "read_tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_kv kv;
    struct shf_vec0 vec;
    if (shf_sqlite_open(&db, data, size, NULL) || shf_sqlite_schema_load(&db, &schema, NULL)) return 0;
    if (!shf_kv_open(&kv, &db, &schema, NULL)) read_kv(&kv);
    if (!shf_vec0_open(&vec, &db, &schema, NULL)) read_vectors(&vec);
    shf_sqlite_schema_free(&schema);
    return 0;
}
