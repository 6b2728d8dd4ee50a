/* The tables of a shard: kv, and those of its vectors. */
#include "formats/shard_build.h"

#include "base/alloc.h"
#include "formats/vec0_build.h"

#include <inttypes.h>

#define LEAST_KEY_BYTES 256u
#define PLANNED_KEY_BYTES (1u << 20) /* longest key that shf_shard_build_bytes counts on */

struct shf_shard_build {
    struct shf_sqlite_build file;
    struct shf_budget *budget;
    bool has_vectors, is_vector_only, has_rows;
    bool is_over; /* finished, or failed */
    struct shf_build_tree kv;
    struct shf_vec0_build vec;
    /* The key of the last row, to see that they ascend. */
    uint8_t *key;
    size_t key_size, key_capacity;
};

static uint64_t record_size(uint64_t key_size, uint64_t value_size) {
    return 1 + shf_build_varint_size(12 + 2 * key_size) + shf_build_varint_size(12 + 2 * value_size) + key_size +
           value_size;
}

bool shf_shard_row_fits(uint32_t page_size, uint64_t key_size, uint64_t value_size) {
    if (key_size > SHF_LIMIT_VALUE_BYTES || value_size > SHF_LIMIT_VALUE_BYTES) return false;
    return record_size(key_size, value_size) <= (page_size - 12) * 64 / 255 - 23;
}

uint64_t shf_shard_build_bytes(uint32_t page_size, uint32_t dimension) {
    uint64_t bytes = sizeof(struct shf_shard_build) + shf_build_block_bytes(SHF_BUILD_BUFFER_BYTES);
    bytes += shf_build_tree_bytes(page_size, true) + PLANNED_KEY_BYTES + PLANNED_KEY_BYTES / 2;
    bytes += shf_build_tree_bytes(page_size, false) + shf_build_block_bytes(page_size); /* the schema */
    return dimension ? bytes + shf_vec0_build_bytes(page_size) : bytes;
}

shf_status shf_shard_build_new(const struct shf_shard_build_options *options, struct shf_shard_build **out,
                               struct shf_error **error) {
    struct shf_budget *budget = options->budget;
    if (!shf_budget_take(budget, sizeof(struct shf_shard_build))) {
        return shf_budget_refuse(budget, sizeof(struct shf_shard_build), "building a shard", error);
    }
    struct shf_shard_build *build = shf_alloc_zero(1, sizeof *build);
    if (!build) {
        shf_budget_give(budget, sizeof *build);
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory to build a shard");
    }
    build->budget = build->file.budget = build->file.arena.budget = budget;
    build->has_vectors = options->dimension > 0;
    build->is_vector_only = options->is_vector_only;
    shf_status status = shf_sqlite_build_begin(&build->file, options->page_size, options->sink, budget, error);
    if (!status) status = shf_build_tree_begin(&build->kv, &build->file, true, error);
    if (!status && build->has_vectors) {
        status = shf_vec0_build_begin(&build->vec, &build->file, options->dimension, options->metric, error);
    }
    if (status) {
        shf_shard_build_free(build);
        return status;
    }
    *out = build;
    return SHF_OK;
}

void shf_shard_build_free(struct shf_shard_build *build) {
    if (!build) return;
    struct shf_budget *budget = build->budget;
    shf_vec0_build_free(&build->vec);
    shf_sqlite_build_free(&build->file);
    shf_budget_give(budget, build->key_capacity);
    shf_free(build->key);
    shf_free(build);
    shf_budget_give(budget, sizeof *build);
}

/* ---- rows ---- */

static int compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
    size_t common = a_size < b_size ? a_size : b_size;
    int order = common ? memcmp(a, b, common) : 0;
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static shf_status keep_key(struct shf_shard_build *build, const uint8_t *key, size_t size, struct shf_error **error) {
    if (size > build->key_capacity) {
        size_t capacity = size < LEAST_KEY_BYTES ? LEAST_KEY_BYTES : size + size / 2;
        shf_free(build->key); /* not needed any more */
        shf_budget_give(build->budget, build->key_capacity);
        build->key = NULL;
        build->key_capacity = 0;
        if (!shf_budget_take(build->budget, capacity)) {
            return shf_budget_refuse(build->budget, capacity, "the key of a row", error);
        }
        build->key = shf_alloc(capacity);
        build->key_capacity = build->key ? capacity : 0;
        if (!build->key) {
            shf_budget_give(build->budget, capacity);
            return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the key of a row");
        }
    }
    if (size) memcpy(build->key, key, size);
    build->key_size = size;
    build->has_rows = true;
    return SHF_OK;
}

static shf_status check_row(const struct shf_shard_build *build, const struct shf_shard_row *row,
                            struct shf_error **error) {
    if (row->key_size > SHF_LIMIT_VALUE_BYTES || row->value_size > SHF_LIMIT_VALUE_BYTES ||
        record_size(row->key_size, row->value_size) > SHF_LIMIT_VALUE_BYTES) {
        return shf_error_set(error, SHF_E_LIMIT, "a key of %zu bytes with a value of %zu; SQLite holds 2^31-1 a row",
                             row->key_size, row->value_size);
    }
    if (build->has_rows && compare(build->key, build->key_size, row->key, row->key_size) >= 0) {
        return shf_error_set(error, SHF_E_INTERNAL, "the keys of a shard were not given in ascending order");
    }
    return SHF_OK;
}

static shf_status add_row(struct shf_shard_build *build, const struct shf_shard_row *row, struct shf_error **error) {
    struct shf_record_build record;
    shf_status status = check_row(build, row, error);
    if (!status) status = keep_key(build, row->key, row->key_size, error);
    if (status) return status;
    if (!build->is_vector_only) {
        shf_record_begin(&record);
        shf_record_blob(&record, row->key, row->key_size);
        shf_record_blob(&record, row->value, row->value_size);
        shf_record_end(&record);
        status = shf_build_index_add(&build->kv, &record, error);
    }
    if (!status && build->has_vectors) status = shf_vec0_build_add(&build->vec, row, error);
    return status;
}

static shf_status refuse_ended(struct shf_error **error) {
    return shf_error_set(error, SHF_E_INTERNAL, "a shard was built on after its end, or after an error");
}

shf_status shf_shard_build_add(struct shf_shard_build *build, const struct shf_shard_row *row, struct shf_error **error) {
    if (build->is_over) return refuse_ended(error);
    shf_status status = add_row(build, row, error);
    if (status) build->is_over = true;
    return status;
}

/* ---- the end ---- */

static void hand_over(struct shf_sqlite_build *file, struct shf_shard_pages *out) {
    *out = (struct shf_shard_pages){
        .page_size = file->page_size,
        .page_count = file->next_page - 1,
        .interior = file->interior,
        .interior_count = file->interior_count,
        .chains = file->chains,
        .chain_count = file->chain_count,
        .budget = file->budget,
        .charged_bytes = file->interior_capacity * sizeof *file->interior + file->chain_capacity * sizeof *file->chains,
    };
    file->interior = NULL;
    file->chains = NULL;
    file->interior_count = file->interior_capacity = file->chain_count = file->chain_capacity = 0;
}

shf_status shf_shard_build_finish(struct shf_shard_build *build, struct shf_shard_pages *out, struct shf_error **error) {
    struct shf_build_schema_row rows[1 + SHF_VEC0_SCHEMA_ROWS] = {
        {"table", "kv", "kv", "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID", 0}};
    size_t count = build->has_vectors ? 1 + SHF_VEC0_SCHEMA_ROWS : 1;
    if (build->is_over) return refuse_ended(error);
    build->is_over = true;
    shf_status status = shf_build_tree_finish(&build->kv, &rows[0].root, error);
    if (!status && build->has_vectors) status = shf_vec0_build_finish(&build->vec, rows + 1, error);
    if (!status) status = shf_sqlite_build_finish(&build->file, rows, count, error);
    if (!status) hand_over(&build->file, out);
    return status;
}

void shf_shard_pages_free(struct shf_shard_pages *pages) {
    shf_free(pages->interior);
    shf_free(pages->chains);
    if (pages->budget) shf_budget_give(pages->budget, pages->charged_bytes);
    *pages = (struct shf_shard_pages){0};
}
