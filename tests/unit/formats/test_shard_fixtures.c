/* Every shard of the shared SQLite fixtures against its recorded answers. */
#include "support.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "formats/kv.h"
#include "formats/vec0.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shard {
    uint8_t *bytes;
    size_t size;
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_kv kv;
    bool has_vectors;
    struct shf_vec0 vec;
};

static void shard_open(struct shard *shard, const char *folder) {
    char path[4200];
    struct shf_error *error = NULL;
    (void)snprintf(path, sizeof path, "%s/shard.db", folder);
    if (!file_exists(path)) (void)snprintf(path, sizeof path, "%s/shard.db.zst", folder);
    shard->bytes = load_file(path, &shard->size);
    expect_ok(shf_sqlite_open(&shard->db, shard->bytes, shard->size, &error), error);
    expect_ok(shf_sqlite_schema_load(&shard->db, &shard->schema, &error), error);
    expect_ok(shf_kv_open(&shard->kv, &shard->db, &shard->schema, &error), error);
    expect_ok(shf_vec0_open(&shard->vec, &shard->db, &shard->schema, &error), error);
}

static void shard_close(struct shard *shard) {
    shf_sqlite_schema_free(&shard->schema);
    free(shard->bytes);
}

static const char *text_of(const json_t *line, const char *key) {
    return json_string_value(json_object_get(line, key));
}
static json_int_t int_of(const json_t *line, const char *key) { return json_integer_value(json_object_get(line, key)); }

static void check_file(const struct shard *shard, const json_t *line) {
    struct digest digest;
    char hex[65];
    digest_begin(&digest);
    digest_add(&digest, shard->bytes, shard->size);
    digest_end(&digest, hex);
    assert_string_equal(hex, text_of(line, "sha256"));
    assert_int_equal(shard->db.page_size, int_of(line, "page_size"));
    assert_int_equal(shard->size, int_of(line, "bytes"));
}

static void check_kv_all(const struct shard *shard, const json_t *line) {
    struct digest digest;
    struct shf_kv_scan scan = {0};
    struct shf_error *error = NULL;
    json_int_t count = 0;
    char hex[65];
    digest_begin(&digest);
    for (;;) {
        struct shf_sqlite_payload payload;
        struct shf_sqlite_record record;
        uint8_t sizes[8];
        bool done;
        expect_ok(shf_kv_scan_next(&shard->kv, &scan, &done, &payload, &error), error);
        if (done) break;
        expect_ok(shf_sqlite_record_decode(&shard->db, &payload, &record, &error), error);
        assert_int_equal(record.column_count, 2);
        shf_store_u32le(sizes, (uint32_t)record.columns[0].size);
        shf_store_u32le(sizes + 4, (uint32_t)record.columns[1].size);
        digest_add(&digest, sizes, sizeof sizes);
        uint8_t *key = malloc(record.columns[0].size + 1), *value = malloc(record.columns[1].size + 1);
        expect_ok(shf_sqlite_column_copy(&shard->db, &record, &record.columns[0], key, &error), error);
        expect_ok(shf_sqlite_column_copy(&shard->db, &record, &record.columns[1], value, &error), error);
        digest_add(&digest, key, record.columns[0].size);
        digest_add(&digest, value, record.columns[1].size);
        struct shf_kv_value found; /* and every key is found */
        bool is_there = false;
        expect_ok(look_up(&shard->kv, key, record.columns[0].size, &is_there, &found, &error), error);
        assert_true(is_there);
        assert_int_equal(found.size, record.columns[1].size);
        uint8_t *again = malloc(found.size + 1);
        expect_ok(shf_kv_value_copy(&shard->kv, &found, again, &error), error);
        assert_memory_equal(again, value, found.size);
        if (found.in_place) assert_memory_equal(found.in_place, value, found.size);
        free(again);
        free(key);
        free(value);
        count++;
    }
    digest_end(&digest, hex);
    assert_int_equal(count, int_of(line, "count"));
    assert_string_equal(hex, text_of(line, "sha256_u32le_klen_u32le_vlen_k_v_in_key_order"));
}

static void check_get(const struct shard *shard, const json_t *line) {
    struct shf_kv_value value;
    struct shf_error *error = NULL;
    struct digest digest;
    size_t size;
    bool found;
    char hex[65];
    uint8_t *key = from_hex(text_of(line, "key_hex"), &size);
    expect_ok(look_up(&shard->kv, key, size, &found, &value, &error), error);
    free(key);
    assert_int_equal(found, !json_is_null(json_object_get(line, "value_len")));
    if (!found) return;
    assert_int_equal(value.size, int_of(line, "value_len"));
    uint8_t *copy = malloc(value.size + 1);
    expect_ok(shf_kv_value_copy(&shard->kv, &value, copy, &error), error);
    digest_begin(&digest);
    digest_add(&digest, copy, value.size);
    digest_end(&digest, hex);
    assert_string_equal(hex, text_of(line, "value_sha256"));
    free(copy);
}

static const int64_t *sort_rowids;
static int by_rowid(const void *a, const void *b) {
    int64_t left = sort_rowids[*(const size_t *)a], right = sort_rowids[*(const size_t *)b];
    return left < right ? -1 : left > right;
}

static void check_vectors(const struct shard *shard, const json_t *line) {
    const struct shf_vec0 *vec = &shard->vec;
    struct shf_error *error = NULL;
    struct digest digest;
    uint64_t rows;
    char hex[65];
    assert_int_equal(vec->dimension, int_of(line, "dim"));
    assert_string_equal(shf_metric_name(vec->metric), text_of(line, "metric"));
    expect_ok(shf_vec0_count(vec, &rows, &error), error);
    assert_int_equal(rows, int_of(line, "count"));
    float *vectors = malloc(rows * vec->dimension * 4 + 1);
    int64_t *rowids = malloc(rows * 8 + 1);
    size_t *order = malloc(rows * sizeof *order + 1);
    expect_ok(shf_vec0_read(vec, rows, vectors, rowids, &error), error);
    for (size_t i = 0; i < rows; i++) order[i] = i;
    sort_rowids = rowids;
    if (rows) qsort(order, rows, sizeof *order, by_rowid);
    digest_begin(&digest);
    for (size_t i = 0; i < rows; i++) {
        uint8_t rowid[8];
        shf_store_u64le(rowid, (uint64_t)rowids[order[i]]);
        digest_add(&digest, rowid, 8);
        digest_add(&digest, vectors + order[i] * vec->dimension, vec->dimension * 4);
    }
    digest_end(&digest, hex);
    assert_string_equal(hex, text_of(line, "sha256_rowid_i64le_vector_f32le_by_rowid"));
    expect_error(shf_vec0_read(vec, rows + 1, vectors, rowids, &error), &error, SHF_E_INDEX, "fewer rows");
    if (rows) expect_error(shf_vec0_read(vec, rows - 1, vectors, rowids, &error), &error, SHF_E_INDEX, "more rows");
    free(vectors);
    free(rowids);
    free(order);
}

/* The recorded text is parsed by jansson here, by our own code there. */
static void check_id(const struct shard *shard, const json_t *line) {
    struct shf_stored_id id;
    struct shf_error *error = NULL;
    int64_t rowid = int_of(line, "internal_id");
    json_t *wanted = json_loads(text_of(line, "original_id"), 0, NULL);
    const json_t *value = json_object_get(wanted, "v");
    expect_ok(shf_vec0_id(&shard->vec, rowid, &id, &error), error);
    assert_int_equal(id.is_text, json_is_string(value));
    if (id.is_text) {
        assert_string_equal(id.text, json_string_value(value));
        assert_int_equal(id.text_size, json_string_length(value));
    } else {
        assert_int_equal(id.integer, json_integer_value(value));
    }
    struct shf_sqlite_payload unused;
    bool found, is_live;
    int64_t at;
    expect_ok(shf_sqlite_row_find(&shard->db, shard->vec.rowids_root, rowid, &is_live, &unused, &error), error);
    expect_ok(shf_vec0_find_id(&shard->vec, id.text, id.text_size, id.integer, &found, &at, &error), error);
    if (is_live) {
        assert_true(found);
        assert_int_equal(at, rowid);
    }
    shf_free(id.text);
    json_decref(wanted);
}

static void check_payload(const struct shard *shard, const json_t *line) {
    const json_t *wanted = json_object_get(line, "payload");
    struct shf_error *error = NULL;
    char *text;
    size_t size;
    expect_ok(shf_vec0_payload(&shard->vec, int_of(line, "rowid"), &text, &size, &error), error);
    if (json_is_null(wanted)) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_int_equal(size, json_string_length(wanted));
    assert_string_equal(text, json_string_value(wanted));
    shf_free(text);
}

static size_t check_folder(const char *folder) {
    static const struct {
        const char *op;
        void (*check)(const struct shard *shard, const json_t *line);
    } checks[] = {{"file", check_file}, {"kv_all", check_kv_all},  {"get", check_get}, {"live_vectors", check_vectors},
                  {"id_map", check_id}, {"payload", check_payload}};
    struct shard shard;
    char path[4200];
    size_t index, checked = 0;
    json_t *line;
    (void)snprintf(path, sizeof path, "%s/expected.jsonl", folder);
    json_t *lines = load_jsonl(path);
    shard_open(&shard, folder);
    json_array_foreach(lines, index, line) {
        for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
            if (strcmp(text_of(line, "op"), checks[i].op) != 0) continue;
            checks[i].check(&shard, line);
            checked++;
        }
    }
    json_decref(lines);
    shard_close(&shard);
    return checked;
}

static void test_all_fixtures(void **state) {
    (void)state;
    const char *root = shared_path("fixtures/sqlite");
    if (!root) skip();
    char base[4096], folder[4200];
    (void)snprintf(base, sizeof base, "%s", root);
    DIR *directory = opendir(base);
    assert_non_null(directory);
    struct dirent *entry;
    int folders = 0;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "manifest") == 0 || strchr(entry->d_name, '.')) continue;
        (void)snprintf(folder, sizeof folder, "%s/%s", base, entry->d_name);
        size_t checked = check_folder(folder);
        print_message("%s: %zu answers\n", entry->d_name, checked);
        assert_true(checked >= 3);
        folders++;
    }
    (void)closedir(directory);
    assert_int_equal(folders, 13);
}

/* The same checks on files that are always there. */
static void test_own_copies(void **state) {
    (void)state;
    assert_int_equal(check_folder(SHF_TEST_DATA "/formats/d4_n10_l2"), 27);
    assert_int_equal(check_folder(SHF_TEST_DATA "/formats/page512"), 43);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own_copies), cmocka_unit_test(test_all_fixtures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
