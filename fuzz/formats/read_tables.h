/* Everything in the tables of a shard is read, in every way that the reader has. Only status and memory safety are checked. */
#ifndef SHF_FUZZ_READ_TABLES_H
#define SHF_FUZZ_READ_TABLES_H

#include "base/alloc.h"
#include "every_way.h"
#include "formats/vec0.h"

#include <string.h>

/* Rows that are copied and looked up, and ids, so that a large input stays quick. */
#ifndef MAX_ROWS
#define MAX_ROWS 4096
#define MAX_IDS 64
#endif

static inline void *memory(uint64_t size) { return size <= PTRDIFF_MAX ? shf_alloc((size_t)size) : NULL; }

static inline void get(const struct shf_kv *kv, const struct shf_kv_separators *separators, const void *key, size_t size) {
    struct shf_kv_value value;
    bool found = false;
    if (get_every_way(kv, separators, key, size, &found, &value, NULL) || !found) return;
    uint8_t *copy = memory(value.size);
    if (!copy) return;
    if (!shf_kv_value_copy(kv, &value, copy, NULL) && value.in_place && memcmp(copy, value.in_place, value.size) != 0) {
        __builtin_trap(); /* both ways must give the same bytes */
    }
    shf_free(copy);
}

static inline void look_up_row(const struct shf_kv *kv, const struct shf_kv_separators *separators,
                               const struct shf_sqlite_payload *payload) {
    struct shf_sqlite_record record;
    if (shf_sqlite_record_decode(&kv->db, payload, &record, NULL) || record.column_count == 0) return;
    const struct shf_sqlite_column *column = &record.columns[0];
    uint8_t *key = memory(column->size + 1);
    if (!key) return;
    if (!shf_sqlite_column_copy(&kv->db, &record, column, key, NULL)) {
        get(kv, separators, key, (size_t)column->size);
        key[column->size] = 0;
        get(kv, separators, key, (size_t)column->size + 1);
    }
    shf_free(key);
}

static inline void read_kv(const struct shf_kv *kv) {
    struct shf_kv_separators *separators;
    struct shf_kv_scan scan = {0};
    if (shf_kv_separators_build(kv, UINT32_MAX, &separators)) return;
    get(kv, separators, "", 0);
    get(kv, separators, "key-0000", 8);
    get(kv, separators, "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    for (int row = 0;; row++) {
        struct shf_sqlite_payload payload;
        bool done;
        if (shf_kv_scan_next(kv, &scan, &done, &payload, NULL) || done) break;
        if (row < MAX_ROWS) look_up_row(kv, separators, &payload);
    }
    shf_kv_separators_free(separators);
}

static inline void read_id(const struct shf_vec0 *vec, int64_t rowid) {
    struct shf_stored_id id;
    char *payload;
    size_t size;
    bool found;
    int64_t at;
    if (!shf_vec0_payload(vec, rowid, &payload, &size, NULL)) shf_free(payload);
    if (shf_vec0_id(vec, rowid, &id, NULL)) return;
    (void)shf_vec0_find_id(vec, id.text, id.text_size, id.integer, &found, &at, NULL);
    shf_free(id.text);
}

static inline void read_vectors(const struct shf_vec0 *vec) {
    uint64_t rows;
    if (shf_vec0_count(vec, &rows, NULL)) return;
    float *vectors = memory(rows * vec->dimension * sizeof(float));
    int64_t *rowids = memory(rows * sizeof(int64_t));
    if (vectors && rowids && !shf_vec0_read(vec, rows, vectors, rowids, NULL)) {
        for (uint64_t i = 0; i < rows && i < MAX_IDS; i++) read_id(vec, rowids[i]);
    }
    shf_free(vectors);
    shf_free(rowids);
    read_id(vec, 0);
    read_id(vec, -1);
}

#endif
