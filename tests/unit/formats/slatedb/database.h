/* A SlateDB database in memory, from files or made by a test, and reading it in every way that there is. */
#ifndef SHF_TESTS_FORMATS_SLATEDB_DATABASE_H
#define SHF_TESTS_FORMATS_SLATEDB_DATABASE_H

#include "../support.h"

#include "base/budget.h"
#include "formats/slatedb/get.h"
#include "formats/slatedb/scan.h"
#include "formats/slatedb/wal.h"

struct object {
    char *name;
    uint8_t *bytes;
    size_t size;
};

struct database {
    struct object *objects;
    size_t object_count;
    /* Opened: */
    uint64_t budget_bytes; /* 0 = plenty */
    struct shf_budget budget;
    struct shf_slatedb_manifest *manifest;
    uint8_t *sorted_bytes; /* the replayed WAL */
    size_t sorted_size;
    struct shf_slatedb_sorted wal;
    struct shf_slatedb_table **tables; /* of manifest->ssts, as they were needed */
    unsigned table_reads, block_reads; /* what lookups asked for */
};

/* The bytes are copied. */
void database_add(struct database *db, const char *name, const void *bytes, size_t size);
/* Every file of manifest/, wal/ and compacted/ of a folder; false when it is not there. */
bool database_load(struct database *db, const char *folder);
const struct object *database_object(const struct database *db, const char *name);
void database_free(struct database *db);

/* The latest manifest, the replay. The steps are those of the product. */
shf_status database_open(struct database *db, struct shf_error **error);
/* One lookup; the value is a copy, the caller's to free. *found false: not there. */
shf_status database_get(struct database *db, const void *key, size_t key_size, bool *found, uint8_t **value,
                        size_t *value_size, struct shf_error **error);
/* Calls `row` for each row of a scan in order. */
typedef void scanned_row(void *context, const struct shf_slatedb_row *row);
shf_status database_scan(struct database *db, scanned_row *row, void *context, struct shf_error **error);

/* A sink into memory. */
struct memory_bytes {
    struct shf_slatedb_sink base;
    uint8_t *bytes;
    size_t size, writes, fail_at;
};
void memory_bytes_init(struct memory_bytes *sink);

/* Bytes from base64; the caller's to free. */
uint8_t *from_base64(const char *text, size_t *size);

#endif
