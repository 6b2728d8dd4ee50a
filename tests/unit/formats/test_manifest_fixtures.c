/* Every recorded manifest and pointer of the shared fixtures. */
#include "support.h"

#include "formats/manifest.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}
static json_int_t int_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static void expect_same_text(const char *text, const json_t *wanted) {
    if (!wanted || json_is_null(wanted)) {
        assert_null(text);
    } else {
        assert_non_null(text);
        assert_string_equal(text, json_string_value(wanted));
    }
}

static void expect_same_json(const char *text, const json_t *wanted) {
    if (json_is_null(wanted)) {
        assert_null(text);
        return;
    }
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_true(json_equal(json, wanted));
    json_decref(json);
}

static void check_shards(const struct shf_manifest *manifest, const json_t *wanted) {
    size_t index;
    json_t *row;
    uint64_t rows = 0;
    assert_int_equal(manifest->shard_count, json_array_size(wanted));
    json_array_foreach(wanted, index, row) {
        const struct shf_manifest_shard *shard = shf_manifest_find_shard(manifest, (uint32_t)int_of(row, "db_id"));
        assert_ptr_equal(shard, &manifest->shards[index]);
        expect_same_text(shard->db_url, json_object_get(row, "db_url"));
        expect_same_text(shard->checkpoint_id, json_object_get(row, "checkpoint_id"));
        assert_int_equal(shard->attempt, int_of(row, "attempt"));
        assert_int_equal(shard->row_count, int_of(row, "row_count"));
        assert_int_equal(shard->db_bytes, int_of(row, "db_bytes"));
        expect_same_json(shard->min_key, json_object_get(row, "min_key"));
        expect_same_json(shard->max_key, json_object_get(row, "max_key"));
        rows += shard->row_count;
    }
    assert_int_equal(manifest->row_count, rows);
}

static void check_vector(const struct shf_manifest *manifest, const json_t *custom) {
    const json_t *wanted = json_object_get(custom, "vector");
    assert_int_equal(manifest->has_vector, wanted != NULL);
    assert_int_equal(manifest->has_sidecar, json_object_get(custom, "sqlite_sidecar") != NULL);
    if (!wanted) return;
    assert_int_equal(manifest->vector.unified, json_is_true(json_object_get(wanted, "unified")));
    assert_int_equal(manifest->vector.dimension, int_of(wanted, "dim"));
    assert_string_equal(shf_metric_name(manifest->vector.metric), text_of(wanted, "metric"));
    assert_string_equal(manifest->vector.metric_text, text_of(wanted, "metric"));
    assert_string_equal(manifest->vector.index_type, text_of(wanted, "index_type"));
    expect_same_text(manifest->vector.quantization, json_object_get(wanted, "quantization"));
    expect_same_text(manifest->vector.backend, json_object_get(wanted, "backend"));
    expect_same_text(manifest->vector.kv_backend, json_object_get(wanted, "kv_backend"));
    const json_t *params = json_object_get(wanted, "index_params");
    if (params) expect_same_json(manifest->vector.index_params, params);
    if (!params) assert_string_equal(manifest->vector.index_params, "{}");
}

static void check_meta(const struct shf_manifest *manifest, const json_t *wanted) {
    const json_t *sharding = json_object_get(wanted, "sharding");
    int64_t us;
    assert_string_equal(manifest->run_id, text_of(wanted, "run_id"));
    assert_string_equal(manifest->created_at, text_of(wanted, "created_at"));
    assert_true(shf_time_parse(manifest->created_at, strlen(manifest->created_at), &us));
    assert_int_equal(manifest->created_at_us, us);
    assert_string_equal(manifest->s3_prefix, text_of(wanted, "s3_prefix"));
    assert_string_equal(manifest->key_col, text_of(wanted, "key_col"));
    assert_int_equal(manifest->num_dbs, int_of(wanted, "num_dbs"));
    assert_string_equal(shf_key_encoding_name(manifest->key_encoding), text_of(wanted, "key_encoding"));
    bool is_cel = strcmp(text_of(sharding, "strategy"), "cel") == 0;
    assert_int_equal(manifest->sharding, is_cel ? SHF_SHARD_BY_CEL : SHF_SHARD_BY_HASH);
    expect_same_text(manifest->cel.expression, json_object_get(sharding, "cel_expr"));
}

static void check_recorded(const char *folder, const json_t *line) {
    char path[4300];
    size_t size;
    struct shf_manifest *manifest = NULL;
    struct shf_error *error = NULL;
    (void)snprintf(path, sizeof path, "%s/%s", folder, text_of(line, "file"));
    uint8_t *bytes = load_file(path, &size);
    shf_status status = shf_manifest_parse(bytes, size, &manifest, &error);
    free(bytes); /* the model keeps nothing of it */
    if (!json_is_true(json_object_get(line, "valid"))) {
        expect_error(status, &error, SHF_E_MANIFEST, "malformed manifest");
        return;
    }
    expect_ok(status, error);
    check_meta(manifest, json_object_get(line, "build_meta"));
    check_shards(manifest, json_object_get(line, "shards"));
    check_vector(manifest, json_object_get(line, "custom"));
    shf_manifest_free(manifest);
}

static void check_folder(const char *folder) {
    char path[4300];
    size_t index;
    json_t *line;
    (void)snprintf(path, sizeof path, "%s/expected.jsonl", folder);
    json_t *lines = load_jsonl(path);
    assert_int_equal(json_array_size(lines), 7);
    json_array_foreach(lines, index, line) check_recorded(folder, line);
    json_decref(lines);
}

static void test_own_copies(void **state) {
    (void)state;
    struct shf_current current;
    struct shf_error *error = NULL;
    size_t size;
    check_folder(SHF_TEST_DATA "/formats/manifest");
    uint8_t *bytes = load_file(SHF_TEST_DATA "/formats/manifest/_CURRENT", &size);
    expect_ok(shf_current_parse(bytes, size, &current, &error), error);
    free(bytes);
    assert_string_equal(current.run_id, "0123456789abcdef0123456789abcdef");
    assert_string_equal(current.manifest_content_type, "application/x-sqlite3");
    shf_current_free(&current);
}

/* ---- peer ---- */

static bool may_be_malformed(const char *name) { return strncmp(name, "fallback-", 9) == 0; }

/* What info.json of the reference's reader says of the manifest that it served; its vector-only reader names counts
 * otherwise and tells no keys. */
static void check_info(const char *folder, const struct shf_manifest *manifest) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/info.json", folder);
    if (!file_exists(path)) return;
    json_t *info = json_load_file(path, 0, NULL);
    const json_t *snapshot = json_object_get(info, "snapshot_info"), *details = json_object_get(info, "shard_details");
    if (snapshot && strcmp(text_of(snapshot, "run_id"), manifest->run_id) == 0) {
        size_t index;
        json_t *row;
        bool has_keys = json_object_get(snapshot, "row_count") != NULL;
        assert_int_equal(manifest->num_dbs, int_of(snapshot, "num_dbs"));
        assert_int_equal(manifest->row_count, int_of(snapshot, has_keys ? "row_count" : "total_vectors"));
        assert_int_equal(json_array_size(details), manifest->num_dbs);
        json_array_foreach(details, index, row) {
            const struct shf_manifest_shard *shard = shf_manifest_find_shard(manifest, (uint32_t)index);
            assert_int_equal(shard ? shard->row_count : 0, int_of(row, has_keys ? "row_count" : "vector_count"));
            if (!shard || !has_keys) continue;
            expect_same_json(shard->min_key, json_object_get(row, "min_key"));
            expect_same_json(shard->max_key, json_object_get(row, "max_key"));
        }
    }
    json_decref(info);
}

static void check_against_case(const char *folder, const struct shf_manifest *manifest) {
    char path[4300];
    (void)snprintf(path, sizeof path, "%s/case.json", folder);
    json_t *c = json_load_file(path, 0, NULL);
    assert_non_null(c);
    const char *kind = text_of(c, "kind");
    assert_string_equal(manifest->s3_prefix, text_of(c, "s3_prefix"));
    assert_int_equal(manifest->num_dbs, int_of(c, "num_dbs"));
    assert_int_equal(manifest->has_vector, strcmp(kind, "kv-only") != 0);
    if (manifest->has_vector) {
        assert_int_equal(manifest->vector.unified, strcmp(kind, "vector-only") != 0);
        assert_int_equal(manifest->vector.dimension, int_of(c, "dim"));
        assert_string_equal(manifest->vector.metric_text, text_of(c, "metric"));
    }
    if (manifest->has_vector && !manifest->vector.unified) {
        const json_t *probes = json_object_get(c, "num_probes"), *values = json_object_get(c, "routing_values");
        const struct shf_manifest_routing *routing = &manifest->vector.routing;
        assert_string_equal(shf_vector_strategy_name(routing->strategy), text_of(c, "strategy"));
        assert_int_equal(routing->num_probes, probes ? json_integer_value(probes) : 1);
        assert_int_equal(routing->routing_value_count, json_array_size(values));
        assert_int_equal(routing->centroids_ref != NULL, routing->strategy == SHF_VECTORS_BY_CLUSTER);
        assert_int_equal(routing->hyperplanes_ref != NULL, routing->strategy == SHF_VECTORS_BY_LSH);
        for (uint32_t i = 0; i < routing->routing_value_count; i++) {
            assert_string_equal(routing->routing_values[i].data, json_string_value(json_array_get(values, i)));
        }
    }
    if (manifest->vector.unified) {
        assert_string_equal(manifest->vector.backend, text_of(c, "backend"));
        assert_string_equal(manifest->vector.kv_backend, text_of(c, "kv_backend"));
    }
    json_decref(c);
    check_info(folder, manifest);
}

/* Counts manifests that parse and those that do not, of one case. */
static void check_case(const char *folder, int *good, int *bad) {
    char path[4300], file[4700];
    struct dirent *entry;
    (void)snprintf(path, sizeof path, "%s/snapshot/manifests", folder);
    DIR *directory = opendir(path);
    if (!directory) return;
    while ((entry = readdir(directory)) != NULL) {
        const char *run_id;
        size_t run_size, size;
        int64_t published;
        struct shf_manifest *manifest = NULL;
        struct shf_error *error = NULL;
        if (entry->d_name[0] == '.') continue;
        assert_true(shf_manifest_directory_parse(entry->d_name, strlen(entry->d_name), &published, &run_id, &run_size));
        (void)snprintf(file, sizeof file, "%s/%s/manifest", path, entry->d_name);
        if (!file_exists(file)) continue;
        uint8_t *bytes = load_file(file, &size);
        shf_status status = shf_manifest_parse(bytes, size, &manifest, &error);
        free(bytes);
        if (status) {
            expect_error(status, &error, SHF_E_MANIFEST, "malformed manifest");
            ++*bad;
            continue;
        }
        assert_int_equal(run_size, strlen(manifest->run_id));
        assert_memory_equal(run_id, manifest->run_id, run_size);
        assert_true(manifest->created_at_us <= published);
        check_against_case(folder, manifest);
        shf_manifest_free(manifest);
        ++*good;
    }
    (void)closedir(directory);
}

static void check_pointer(const char *folder, const char *name) {
    char path[4300];
    struct shf_current current;
    struct shf_error *error = NULL;
    size_t size;
    (void)snprintf(path, sizeof path, "%s/snapshot/_CURRENT", folder);
    if (!file_exists(path)) return;
    uint8_t *bytes = load_file(path, &size);
    shf_status status = shf_current_parse(bytes, size, &current, &error);
    free(bytes);
    if (strcmp(name, "current-malformed") == 0) {
        expect_error(status, &error, SHF_E_MANIFEST, "broken JSON");
    } else if (strcmp(name, "current-incomplete") == 0) {
        expect_error(status, &error, SHF_E_MANIFEST, "manifest_ref is missing");
    } else {
        expect_ok(status, error);
        assert_non_null(strstr(current.manifest_ref, current.run_id));
        shf_current_free(&current);
    }
}

static void test_peer(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int good, bad;
    } broken[] = {
        {"fallback-one-bad", 3, 1}, {"fallback-three-bad", 1, 3}, {"fallback-four-bad", 1, 4}, {"fallback-zeroed", 1, 1}};
    const char *root = shared_path("fixtures/peer");
    if (!root) skip();
    char base[4096], folder[4200];
    (void)snprintf(base, sizeof base, "%s", root);
    DIR *directory = opendir(base);
    struct dirent *entry;
    int total = 0, cases = 0, seen = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        int good = 0, bad = 0;
        if (entry->d_name[0] == '.' || strchr(entry->d_name, '.')) continue;
        (void)snprintf(folder, sizeof folder, "%s/%s", base, entry->d_name);
        check_case(folder, &good, &bad);
        check_pointer(folder, entry->d_name);
        for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
            if (strcmp(entry->d_name, broken[i].name) != 0) continue;
            assert_int_equal(good, broken[i].good);
            assert_int_equal(bad, broken[i].bad);
            seen++;
        }
        if (!may_be_malformed(entry->d_name)) assert_int_equal(bad, 0);
        total += good + bad;
        cases++;
    }
    (void)closedir(directory);
    print_message("%d manifests of %d cases\n", total, cases);
    assert_int_equal(seen, 4);
    assert_true(total >= 80);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own_copies), cmocka_unit_test(test_peer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
