/* Manifests, their custom fields, _CURRENT, dates and JSON texts as they are written. */
#include "build_support.h"

#include "base/alloc.h"
#include "formats/manifest_build.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- dates and texts ---- */

static void test_time(void **state) {
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } known[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {1795332567506796, "2026-11-22T07:29:27.506796Z"},
        {951782400000000, "2000-02-29T00:00:00.000000Z"},
        {-2203891200000001, "1900-02-28T23:59:59.999999Z"},
        {253402300799999999, "9999-12-31T23:59:59.999999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999999Z"},
        {-62135596800000000, "0001-01-01T00:00:00.000000Z"},
        {INT64_MIN, "0001-01-01T00:00:00.000000Z"},
    };
    char text[SHF_TIME_TEXT_BYTES];
    uint64_t seed = 5;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        shf_time_format(known[i].us, text);
        assert_string_equal(text, known[i].text);
    }
    for (int i = 0; i < 200000; i++) {
        int64_t us = (int64_t)(random_next(&seed) % 315537897600000000u) - 62135596800000000, parsed;
        shf_time_format(us, text);
        assert_true(shf_time_parse(text, strlen(text), &parsed));
        assert_true(parsed == us);
    }
}

static void expect_quoted(const char *text, size_t size, const char *quoted) {
    char *got = shf_json_quote(text, size);
    assert_string_equal(got, quoted);
    shf_free(got);
}

static void test_quote(void **state) {
    (void)state;
    static const char controls[] = "\0\x01\x1f\x7f\b\f\n\r\t";
    expect_quoted("", 0, "\"\"");
    expect_quoted("id-3 /~", 7, "\"id-3 /~\"");
    expect_quoted("\"\\", 2, "\"\\\"\\\\\"");
    expect_quoted(controls, 9, "\"\\u0000\\u0001\\u001f\\u007f\\b\\f\\n\\r\\t\"");
    expect_quoted("b\xc3\xa9ta", 5, "\"b\\u00e9ta\"");
    expect_quoted("\xe6\x97\xa5\xe6\x9c\xac", 6, "\"\\u65e5\\u672c\"");
    expect_quoted("\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", 8, "\"\\ud83d\\ude00\\udbff\\udfff\"");
    expect_quoted("\xff\xc3", 2, "\"\\ufffd\\ufffd\"");            /* no UTF-8 */
    expect_quoted("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
    expect_quoted("\xc0\x80\xe2\x82", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    for (uint32_t c = 0x80; c < 0x110000; c += c < 0x3000 ? 1 : 97) { /* another reader gives the text back */
        char utf8[4];
        size_t size = 0;
        if (c >= 0xd800 && c < 0xe000) continue;
        if (c >= 0x10000) utf8[size++] = (char)(0xf0 | c >> 18);
        if (c >= 0x800) utf8[size++] = (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12);
        utf8[size++] = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6);
        utf8[size++] = (char)(0x80 | (c & 0x3f));
        char *quoted = shf_json_quote(utf8, size);
        json_t *json = json_loads(quoted, JSON_DECODE_ANY, NULL);
        assert_int_equal(json_string_length(json), size);
        assert_memory_equal(json_string_value(json), utf8, size);
        json_decref(json);
        shf_free(quoted);
    }
}

static void test_current(void **state) {
    (void)state;
    struct shf_error *error = NULL;
    struct shf_current current;
    char *text;
    expect_ok(shf_current_build("s3://b/p/manifests/\"x\"", "r\xc3\xa9n", 1795332567000000, &text, &error), error);
    assert_string_equal(text,
                        "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":"
                        "\"s3://b/p/manifests/\\\"x\\\"\",\"run_id\":\"r\\u00e9n\",\"updated_at\":"
                        "\"2026-11-22T07:29:27.000000Z\"}");
    expect_ok(shf_current_parse(text, strlen(text), &current, &error), error);
    assert_string_equal(current.manifest_ref, "s3://b/p/manifests/\"x\"");
    assert_string_equal(current.run_id, "r\xc3\xa9n");
    assert_true(current.updated_at_us == 1795332567000000);
    shf_current_free(&current);
    shf_free(text);
}

/* ---- custom ---- */

#define SIDECAR                                                                                                        \
    "\"sqlite_sidecar\": {\"codec\": \"zstd\", \"filename\": \"shard.sidecar\", \"format_version\": 8, "               \
    "\"page_size\": "
#define VECTOR                                                                                                         \
    "\"vector\": {\"backend\": \"sqlite-vec\", \"dim\": 8, \"index_type\": \"hnsw\", \"kv_backend\": \"sqlite-vec\", " \
    "\"metric\": \"l2\", \"quantization\": null, \"unified\": true}"

static void expect_custom(const struct shf_manifest_custom_spec *spec, const char *expected) {
    struct shf_error *error = NULL;
    char *text;
    expect_ok(shf_manifest_custom_build(spec, &text, &error), error);
    assert_string_equal(text, expected);
    shf_free(text);
}

static void test_custom(void **state) {
    (void)state;
    struct shf_manifest_object objects[2] = {{"shards/\"b", UINT64_MAX, {0}}, {"shards/a", 7, {0}}};
    memset(objects[1].sha256, 0xab, 32);
    struct shf_manifest_custom_spec spec = {0};
    expect_custom(&spec, "{}");
    spec.has_sidecar = true;
    expect_custom(&spec, "{" SIDECAR "\"auto\"}}");
    spec.page_size = 4096;
    expect_custom(&spec, "{" SIDECAR "4096}}");
    spec.dimension = 8;
    spec.metric = SHF_METRIC_L2;
    expect_custom(&spec, "{" SIDECAR "4096}, " VECTOR "}");
    spec.user = " {\"z\":[1,2.5,null],\"a\\u00e9\":{\"y\":true,\"x\":\"\\u65e5\"}} ";
    expect_custom(&spec, "{\"a\\u00e9\": {\"x\": \"\\u65E5\", \"y\": true}, " SIDECAR "4096}, " VECTOR
                         ", \"z\": [1, 2.5, null]}");
    spec.has_sidecar = false;
    spec.dimension = 0;
    spec.user = "{\"sh\": 1, \"shg\": 2, \"Z\": 3}";
    spec.objects = objects;
    spec.object_count = 0;
    expect_custom(&spec, "{\"Z\": 3, \"sh\": 1, \"shf_objects\": {}, \"shg\": 2}");
    spec.object_count = 2;
    expect_custom(&spec, "{\"Z\": 3, \"sh\": 1, \"shf_objects\": {\"shards/\\\"b\": \"18446744073709551615 "
                         "0000000000000000000000000000000000000000000000000000000000000000\", \"shards/a\": \"7 "
                         "abababababababababababababababababababababababababababababababab\"}, \"shg\": 2}");
}

static void refuse_custom(const struct shf_manifest_custom_spec *spec, shf_status code, const char *says) {
    struct shf_error *error = NULL;
    char *text = NULL;
    expect_error(shf_manifest_custom_build(spec, &text, &error), &error, code, says);
    assert_null(text);
}

static void test_custom_refused(void **state) {
    (void)state;
    static const char *const users[] = {
        "", "[]", "7", "null", "{", "{\"a\": }", "{} x", "{\"vector\": 1}", "{\"sqlite_sidecar\": {}}", "{\"shf_objects\": {}}"};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        refuse_custom(&(struct shf_manifest_custom_spec){.user = users[i]}, SHF_E_INVALID, "custom field");
    }
    const struct shf_manifest_object same[2] = {{"a", 0, {0}}, {"a", 0, {0}}};
    refuse_custom(&(struct shf_manifest_custom_spec){.objects = same, .object_count = 2}, SHF_E_INTERNAL, "ascending");
    size_t size = (15u << 20);
    char *user = malloc(size + 1);
    memset(user, ' ', size);
    memcpy(user, "{\"a\": \"", 7);
    memset(user + 7, 'x', size - 9);
    memcpy(user + size - 2, "\"}", 3);
    static char path[2u << 20];
    memset(path, 'p', sizeof path - 1);
    const struct shf_manifest_object longest[1] = {{path, 0, {0}}};
    refuse_custom(&(struct shf_manifest_custom_spec){.user = user, .objects = longest, .object_count = 1}, SHF_E_LIMIT,
                  "16777216");
    free(user);
}

/* ---- manifests ---- */

static struct shf_manifest_object *many_objects(size_t count, char **paths) {
    struct shf_manifest_object *objects = calloc(count, sizeof *objects);
    *paths = malloc(count * 96);
    for (size_t i = 0; i < count; i++) {
        char *path = *paths + 96 * i;
        (void)snprintf(path, 96, "shards/run_id=0123456789abcdef0123456789abcdef/db=%05zu/attempt=00/shard.%s", i / 2,
                       i % 2 ? "sidecar" : "db");
        objects[i].path = path;
        objects[i].size = i << 20;
        memset(objects[i].sha256, (int)i, 32);
    }
    return objects;
}

static void check_manifest(const struct shf_manifest_spec *spec, const uint8_t *bytes, size_t size) {
    struct shf_error *error = NULL;
    struct shf_manifest *manifest;
    expect_ok(shf_manifest_parse(bytes, size, &manifest, &error), error);
    assert_string_equal(manifest->run_id, spec->run_id);
    assert_string_equal(manifest->s3_prefix, spec->s3_prefix);
    assert_string_equal(manifest->key_col, spec->key_col);
    assert_true(manifest->created_at_us == spec->created_at_us);
    assert_int_equal(manifest->num_dbs, spec->num_dbs);
    assert_int_equal(manifest->sharding, SHF_SHARD_BY_HASH);
    assert_int_equal(manifest->key_encoding, spec->key_encoding);
    assert_int_equal(manifest->shard_count, spec->shard_count);
    for (uint32_t i = 0; i < spec->shard_count; i++) {
        const struct shf_manifest_shard *shard = &manifest->shards[i];
        const struct shf_manifest_spec_shard *expected = &spec->shards[i];
        assert_int_equal(shard->db_id, expected->db_id);
        assert_int_equal(shard->attempt, expected->attempt);
        assert_string_equal(shard->db_url, expected->db_url);
        assert_true(shard->row_count == expected->row_count);
        assert_true(shard->db_bytes == expected->db_bytes);
        assert_int_equal(!shard->min_key, !expected->min_key);
        if (shard->min_key) assert_string_equal(shard->min_key, expected->min_key);
        if (shard->max_key) assert_string_equal(shard->max_key, expected->max_key);
        assert_int_equal(!shard->checkpoint_id, !expected->checkpoint_id);
        if (shard->checkpoint_id) assert_string_equal(shard->checkpoint_id, expected->checkpoint_id);
    }
    shf_manifest_free(manifest);
}

static struct shf_manifest_spec small_spec(void) {
    static const struct shf_manifest_spec_shard shards[] = {
        {0, 0, "s3://b/p/shards/run_id=r/db=00000/attempt=00", 7, 4096, "1", "9", "0123456789abcdef0123456789abcdef", 12},
        {2, 1, "s3://b/p/shards/run_id=r/db=00002/attempt=01", 0, INT64_MAX, NULL, NULL, NULL, 0},
    };
    return (struct shf_manifest_spec){
        .run_id = "r",
        .s3_prefix = "s3://b/p",
        .key_col = "_key",
        .created_at_us = 1795332567506796,
        .num_dbs = 3,
        .key_encoding = SHF_ENCODING_U64BE,
        .db_path_template = "db={db_id:05d}",
        .shard_prefix = "shards",
        .custom = "{}",
        .shards = shards,
        .shard_count = 2,
    };
}

static void expect_query(sqlite3 *db, const char *sql, const char *expected) {
    char *text = query_text(db, sql);
    assert_string_equal(text, expected);
    free(text);
}

static void test_manifest(void **state) {
    (void)state;
    struct shf_manifest_spec spec = small_spec();
    struct shf_error *error = NULL;
    uint8_t *bytes, *again;
    size_t size, again_size;
    expect_ok(shf_manifest_build(&spec, &bytes, &size, &error), error);
    expect_ok(shf_manifest_build(&spec, &again, &again_size, &error), error);
    assert_int_equal(size, 12288);
    assert_int_equal(again_size, size);
    assert_memory_equal(again, bytes, size);
    shf_free(again);
    check_manifest(&spec, bytes, size);
    sqlite3 *db = open_checked(bytes, size);
    expect_query(
        db, "SELECT created_at || sharding FROM build_meta",
        "2026-11-22T07:29:27.506796Z{\"cel_columns\": null, \"cel_expr\": null, \"hash_algorithm\": \"xxh3_64\", "
        "\"routing_values\": null, \"strategy\": \"hash\"}");
    expect_query(db, "SELECT writer_info FROM shards WHERE db_id = 2",
                 "{\"attempt\": 1, \"duration_ms\": 0, \"stage_id\": null, \"task_attempt_id\": null}");
    expect_query(db,
                 "SELECT group_concat(typeof(num_dbs) || typeof(format_version) || format_version || key_encoding) "
                 "FROM build_meta",
                 "integerinteger4u64be");
    assert_int_equal(query_integer(db, "SELECT count(*) FROM shards WHERE min_key IS NULL AND checkpoint_id IS NULL"), 1);
    (void)sqlite3_close(db);
    shf_free(bytes);
    spec.created_at_us = 1795332567000000;
    expect_ok(shf_manifest_build(&spec, &bytes, &size, &error), error);
    db = open_checked(bytes, size);
    expect_query(db, "SELECT created_at FROM build_meta", "2026-11-22T07:29:27Z");
    (void)sqlite3_close(db);
    shf_free(bytes);
    spec.shard_count = 0;
    expect_ok(shf_manifest_build(&spec, &bytes, &size, &error), error);
    check_manifest(&spec, bytes, size);
    shf_free(bytes);
}

static void test_largest(void **state) {
    (void)state;
    enum { SHARDS = 32768 };
    struct shf_error *error = NULL;
    struct shf_manifest_spec spec = small_spec();
    struct shf_manifest_spec_shard *shards = calloc(SHARDS, sizeof *shards);
    char *paths, *custom;
    struct shf_manifest_object *objects = many_objects(2 * SHARDS, &paths);
    uint8_t *bytes;
    size_t size;
    expect_ok(shf_manifest_custom_build(
                  &(struct shf_manifest_custom_spec){
                      .has_sidecar = true, .objects = objects, .object_count = 2 * SHARDS, .user = "{\"a\": 1}"},
                  &custom, &error),
              error);
    for (uint32_t i = 0; i < SHARDS; i++) {
        shards[i] =
            (struct shf_manifest_spec_shard){i, i % 3, paths + 192 * i, i, (uint64_t)i << 30, "-1", "\"k\"", NULL, i};
    }
    spec.custom = custom;
    spec.num_dbs = spec.shard_count = SHARDS;
    spec.shards = shards;
    expect_ok(shf_manifest_build(&spec, &bytes, &size, &error), error);
    check_manifest(&spec, bytes, size);
    sqlite3 *db = open_checked(bytes, size);
    assert_int_equal(
        query_integer(db, "SELECT count(*) FROM shards WHERE db_id = row_count AND json_valid(writer_info)"), SHARDS);
    assert_int_equal(query_integer(db, "SELECT count(*) FROM build_meta, json_each(custom, '$.shf_objects')"),
                     2 * SHARDS);
    expect_query(db,
                 "SELECT json_extract(custom, '$.shf_objects.\"shards/run_id=0123456789abcdef0123456789abcdef/db=00001/"
                 "attempt=00/shard.sidecar\"') FROM build_meta",
                 "3145728 0303030303030303030303030303030303030303030303030303030303030303");
    (void)sqlite3_close(db);
    shf_free(bytes);
    shf_free(custom);
    free(objects);
    free(paths);
    objects = many_objects(131072, &paths); /* a member too many for a reader */
    custom = NULL;
    expect_error(shf_manifest_custom_build(
                     &(struct shf_manifest_custom_spec){.objects = objects, .object_count = 131072}, &custom, &error),
                 &error, SHF_E_LIMIT, "custom fields");
    free(objects);
    free(paths);
    free(shards);
}

static void test_refused(void **state) {
    (void)state;
    struct shf_manifest_spec spec = small_spec();
    struct shf_manifest_spec_shard shards[2] = {spec.shards[1], spec.shards[1]};
    struct shf_error *error = NULL;
    uint8_t *bytes = NULL;
    size_t size;
    spec.shards = shards;
    expect_error(shf_manifest_build(&spec, &bytes, &size, &error), &error, SHF_E_INTERNAL, "ascend");
    spec.shard_count = 1;
    spec.num_dbs = 2;
    expect_error(shf_manifest_build(&spec, &bytes, &size, &error), &error, SHF_E_INTERNAL, "ascend");
    spec.num_dbs = 3;
    char *url = malloc(SHF_LIMIT_MANIFEST_BYTES + 1);
    memset(url, 'u', SHF_LIMIT_MANIFEST_BYTES);
    url[SHF_LIMIT_MANIFEST_BYTES] = '\0';
    shards[0].db_url = url;
    expect_error(shf_manifest_build(&spec, &bytes, &size, &error), &error, SHF_E_LIMIT, "268435456");
    assert_null(bytes);
    free(url);
}

/* Every manifest of the Python project comes out as it was, row by row, its schema included. */
static char *dump(sqlite3 *db) {
    return query_text(db,
                      "SELECT (SELECT group_concat(type || name || tbl_name || rootpage || sql) FROM sqlite_schema) || "
                      "(SELECT group_concat(quote(db_id) || quote(db_url) || quote(attempt) || quote(row_count) || "
                      "quote(db_bytes) || quote(min_key) || quote(max_key) || quote(checkpoint_id) || "
                      "quote(writer_info)) FROM shards) || (SELECT quote(run_id) || quote(created_at) || "
                      "quote(num_dbs) || quote(s3_prefix) || quote(key_col) || quote(sharding) || "
                      "quote(db_path_template) || quote(shard_prefix) || quote(format_version) || "
                      "quote(key_encoding) || quote(custom) FROM build_meta)");
}

static void rebuild(const char *path) {
    struct shf_error *error = NULL;
    struct shf_manifest *manifest;
    size_t size, again_size;
    uint8_t *bytes = load_file(path, &size), *again;
    expect_ok(shf_manifest_parse(bytes, size, &manifest, &error), error);
    sqlite3 *db = open_checked(bytes, size);
    char *custom = query_text(db, "SELECT custom FROM build_meta");
    struct shf_manifest_spec_shard *shards = calloc(manifest->shard_count + 1, sizeof *shards);
    for (uint32_t i = 0; i < manifest->shard_count; i++) {
        const struct shf_manifest_shard *from = &manifest->shards[i];
        char sql[128];
        (void)snprintf(sql, sizeof sql,
                       "SELECT json_extract(writer_info, '$.duration_ms') FROM shards WHERE db_id = %u", from->db_id);
        shards[i] =
            (struct shf_manifest_spec_shard){from->db_id,     from->attempt,       from->db_url,
                                             from->row_count, from->db_bytes,      from->min_key,
                                             from->max_key,   from->checkpoint_id, (uint64_t)query_integer(db, sql)};
    }
    char *sharding = NULL;
    if (manifest->sharding == SHF_SHARD_BY_CEL) {
        expect_ok(shf_manifest_cel_build(&manifest->cel, manifest->cel.routing_values, manifest->cel.routing_count,
                                         &sharding, &error),
                  error);
    }
    const struct shf_manifest_spec spec = {manifest->run_id,
                                           manifest->s3_prefix,
                                           manifest->key_col,
                                           manifest->created_at_us,
                                           manifest->num_dbs,
                                           manifest->key_encoding,
                                           "db={db_id:05d}",
                                           "shards",
                                           custom,
                                           shards,
                                           manifest->shard_count,
                                           sharding};
    expect_ok(shf_manifest_build(&spec, &again, &again_size, &error), error);
    sqlite3 *other = open_checked(again, again_size);
    char *expected = dump(db), *got = dump(other);
    assert_string_equal(got, expected);
    free(expected);
    free(got);
    if (manifest->has_vector && manifest->has_sidecar && strstr(custom, "\"kv_backend\": \"sqlite-vec\"")) {
        const struct shf_manifest_custom_spec custom_spec = {
            .has_sidecar = true,
            .page_size = strstr(custom, "\"auto\"")
                             ? 0
                             : (uint32_t)query_integer(
                                   other, "SELECT json_extract(custom, '$.sqlite_sidecar.page_size') FROM build_meta"),
            .dimension = manifest->vector.dimension,
            .metric = manifest->vector.metric,
        };
        expect_custom(&custom_spec, custom);
    }
    (void)sqlite3_close(db);
    (void)sqlite3_close(other);
    free(shards);
    free(custom);
    shf_free(sharding);
    shf_manifest_free(manifest);
    shf_free(again);
    free(bytes);
}

static void test_peer(void **state) {
    (void)state;
    const char *shared = shared_path("fixtures/peer");
    char root[4096], path[9000];
    size_t count = 0;
    if (!shared) return;
    (void)snprintf(root, sizeof root, "%s", shared);
    DIR *directory = opendir(root);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        (void)snprintf(path, sizeof path, "%s/%s/snapshot/manifests", root, entry->d_name);
        DIR *manifests = entry->d_name[0] == '.' ? NULL : opendir(path);
        for (struct dirent *run; manifests && (run = readdir(manifests));) {
            if (run->d_name[0] == '.' || strncmp(entry->d_name, "fallback", 8) == 0) continue; /* damaged on purpose */
            (void)snprintf(path, sizeof path, "%s/%s/snapshot/manifests/%s/manifest", root, entry->d_name, run->d_name);
            rebuild(path);
            count++;
        }
        if (manifests) (void)closedir(manifests);
    }
    (void)closedir(directory);
    assert_true(count > 10);
}

/* ---- memory ---- */

static void test_failing_allocations(void **state) {
    (void)state;
    struct shf_manifest_spec spec = small_spec();
    const struct shf_manifest_object objects[1] = {{"shards/a", 7, {0}}};
    const struct shf_manifest_custom_spec custom = {
        .user = "{\"b\": {\"c\": [1]}}", .has_sidecar = true, .objects = objects, .object_count = 1};
    shf_status status = SHF_E_NO_MEMORY;
    unsigned n = 0;
    for (; status && n < 300; n++) {
        struct shf_error *error = NULL;
        char *text = NULL, *current = NULL;
        uint8_t *bytes = NULL;
        size_t size;
        alloc_fail_at(n + 1);
        status = shf_manifest_custom_build(&custom, &text, &error);
        if (!status) status = shf_manifest_build(&spec, &bytes, &size, &error);
        if (!status) status = shf_current_build("s3://b/m", "r", 0, &current, &error);
        shf_free(text);
        shf_free(bytes);
        shf_free(current);
        if (status) {
            assert_int_equal(status, SHF_E_NO_MEMORY);
            assert_int_equal(shf_error_code(error), SHF_E_NO_MEMORY);
        }
        shf_error_free(error);
        assert_int_equal(alloc_live(), 0);
        alloc_normal();
    }
    assert_int_equal(status, SHF_OK);
    assert_true(n > 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),           cmocka_unit_test(test_quote),
        cmocka_unit_test(test_current),        cmocka_unit_test(test_custom),
        cmocka_unit_test(test_custom_refused), cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_largest),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_peer),           cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
