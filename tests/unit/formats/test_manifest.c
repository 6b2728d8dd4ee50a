/* Every validation rule of the manifest and of _CURRENT, one by one, on databases made by libsqlite3. */
#include "failing_alloc.h"
#include "support.h"

#include "formats/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define META_TABLE                                                                                                     \
    "CREATE TABLE build_meta (run_id TEXT NOT NULL, created_at TEXT NOT NULL, num_dbs INTEGER NOT NULL, s3_prefix "    \
    "TEXT NOT NULL,"                                                                                                   \
    "key_col TEXT NOT NULL, sharding TEXT NOT NULL, db_path_template TEXT NOT NULL, shard_prefix TEXT NOT NULL,"       \
    "format_version INTEGER NOT NULL, key_encoding TEXT NOT NULL, custom TEXT NOT NULL DEFAULT '{}')"
#define LOOSE_META_TABLE                                                                                               \
    "CREATE TABLE build_meta (extra, custom, key_encoding, format_version, shard_prefix, db_path_template, sharding, " \
    "key_col,"                                                                                                         \
    "s3_prefix, num_dbs, created_at, run_id)"
#define SHARDS_TABLE                                                                                                   \
    "CREATE TABLE shards (db_id INTEGER NOT NULL PRIMARY KEY, db_url TEXT, attempt INTEGER NOT NULL, row_count "       \
    "INTEGER NOT NULL,"                                                                                                \
    "db_bytes INTEGER NOT NULL, min_key TEXT, max_key TEXT, checkpoint_id TEXT, writer_info TEXT NOT NULL DEFAULT "    \
    "'{}')"
#define LOOSE_SHARDS_TABLE                                                                                             \
    "CREATE TABLE shards (writer_info, checkpoint_id, max_key, min_key, db_bytes, row_count, attempt, db_url, db_id, " \
    "extra)"
#define HASH "'{\"hash_algorithm\": \"xxh3_64\", \"strategy\": \"hash\"}'"
#define META_ROW                                                                                                       \
    "INSERT INTO build_meta (run_id, created_at, num_dbs, s3_prefix, key_col, sharding, db_path_template, "            \
    "shard_prefix,"                                                                                                    \
    "format_version, key_encoding, custom) VALUES ('run', '2026-03-14T10:30:00.5Z', 3, 's3://b/p', '_key', " HASH      \
    ", 'db={db_id:05d}', 'shards', 4, 'u64be', '{}')"
#define SHARD_ROWS                                                                                                     \
    "INSERT INTO shards (db_id, db_url, attempt, row_count, db_bytes, min_key, max_key, checkpoint_id, writer_info) "  \
    "VALUES"                                                                                                           \
    "(0, 's3://b/p/0', 0, 10, 4096, '1', '\"z\"', 'abc', '{}'), (2, NULL, 1, 5, 0, NULL, NULL, NULL, '{\"attempt\": "  \
    "0}')"

static sqlite3 *build(bool loose) {
    sqlite3 *db = db_new(4096, 0);
    db_run(db, loose ? LOOSE_META_TABLE : META_TABLE);
    db_run(db, loose ? LOOSE_SHARDS_TABLE : SHARDS_TABLE);
    db_run(db, META_ROW);
    db_run(db, SHARD_ROWS);
    return db;
}

static shf_status parse(sqlite3 *db, struct shf_manifest **manifest, struct shf_error **error) {
    size_t size;
    uint8_t *bytes = db_bytes(db, &size);
    shf_status status = shf_manifest_parse(bytes, size, manifest, error);
    free(bytes);
    return status;
}

/* The manifest after a change by SQL; free it. Tables without constraints let every value in. */
static struct shf_manifest *accepted(const char *change) {
    sqlite3 *db = build(true);
    struct shf_manifest *manifest = NULL;
    struct shf_error *error = NULL;
    db_run(db, change);
    shf_status status = parse(db, &manifest, &error);
    if (status) fail_msg("%s: %s", change, shf_error_message(error));
    return manifest;
}

static void accept(const char *change) { shf_manifest_free(accepted(change)); }

static void refuse_as(const char *change, shf_status code, const char *message) {
    sqlite3 *db = build(true);
    struct shf_manifest *manifest = NULL;
    struct shf_error *error = NULL;
    db_run(db, change);
    expect_error(parse(db, &manifest, &error), &error, code, message);
    assert_null(manifest);
}

static void refuse(const char *change, const char *message) { refuse_as(change, SHF_E_MANIFEST, message); }

static void set(const char *table, const char *column, const char *value, const char *message) {
    char sql[1024];
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET %s = %s", table, column, value);
    if (strcmp(table, "shards") == 0) strcat(sql, " WHERE db_id = 0");
    if (message) {
        refuse(sql, message);
    } else {
        accept(sql);
    }
}

static void meta(const char *column, const char *value, const char *message) {
    set("build_meta", column, value, message);
}
static void shard(const char *column, const char *value, const char *message) { set("shards", column, value, message); }

static void test_as_written(void **state) {
    (void)state;
    for (int loose = 0; loose < 2; loose++) {
        struct shf_manifest *manifest = NULL;
        struct shf_error *error = NULL;
        expect_ok(parse(build(loose), &manifest, &error), error);
        assert_string_equal(manifest->run_id, "run");
        assert_string_equal(manifest->created_at, "2026-03-14T10:30:00.5Z");
        assert_true(manifest->created_at_us == INT64_C(1773484200500000));
        assert_int_equal(manifest->num_dbs, 3);
        assert_int_equal(manifest->sharding, SHF_SHARD_BY_HASH);
        assert_int_equal(manifest->key_encoding, SHF_ENCODING_U64BE);
        assert_false(manifest->has_vector);
        assert_false(manifest->has_sidecar);
        assert_int_equal(manifest->shard_count, 2);
        assert_int_equal(manifest->row_count, 15);
        const struct shf_manifest_shard *first = shf_manifest_find_shard(manifest, 0);
        assert_string_equal(first->db_url, "s3://b/p/0");
        assert_string_equal(first->min_key, "1");
        assert_string_equal(first->max_key, "\"z\"");
        assert_null(shf_manifest_find_shard(manifest, 1));
        assert_null(shf_manifest_find_shard(manifest, 2)->db_url);
        assert_int_equal(shf_manifest_find_shard(manifest, 2)->attempt, 1);
        assert_string_equal(first->checkpoint_id, "abc");
        assert_string_equal(first->writer_info, "{}");
        assert_null(shf_manifest_find_shard(manifest, 2)->checkpoint_id);
        assert_string_equal(shf_manifest_find_shard(manifest, 2)->writer_info, "{\"attempt\": 0}");
        assert_string_equal(manifest->custom, "{}");
        shf_manifest_free(manifest);
    }
}

static void test_files(void **state) {
    (void)state;
    struct shf_manifest *manifest = NULL;
    struct shf_error *error = NULL;
    expect_error(shf_manifest_parse("", 0, &manifest, &error), &error, SHF_E_MANIFEST, "0 bytes");
    expect_error(shf_manifest_parse("{\"json\": true}", 14, &manifest, &error), &error, SHF_E_MANIFEST, "14 bytes");
    expect_error(shf_manifest_parse("", SHF_LIMIT_MANIFEST_BYTES + 1, &manifest, &error), &error, SHF_E_LIMIT,
                 "268435457 bytes; at most 268435456");
    static const int sizes[] = {512, 1024, 8192, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int utf16 = 0; utf16 < 2; utf16++) {
            sqlite3 *db = db_new(sizes[i], 0);
            if (utf16) db_run(db, "PRAGMA encoding='UTF-16be'");
            db_run(db, META_TABLE ";" SHARDS_TABLE ";" META_ROW ";" SHARD_ROWS
                                  ";CREATE TABLE other (a); CREATE INDEX i ON shards (row_count)");
            expect_ok(parse(db, &manifest, &error), error);
            assert_string_equal(manifest->s3_prefix, "s3://b/p");
            shf_manifest_free(manifest);
        }
    }
    sqlite3 *db = build(false); /* trailing bytes */
    size_t size;
    uint8_t *bytes = db_bytes(db, &size);
    bytes = realloc(bytes, size + 5000);
    memset(bytes + size, 0xaa, 5000);
    expect_ok(shf_manifest_parse(bytes, size + 5000, &manifest, &error), error);
    shf_manifest_free(manifest);
    bytes[19] = 2;
    expect_error(shf_manifest_parse(bytes, size, &manifest, &error), &error, SHF_E_MANIFEST, "WAL");
    free(bytes);
}

static void test_tables(void **state) {
    (void)state;
    refuse("DROP TABLE build_meta", "no table build_meta");
    refuse("DROP TABLE shards", "no table shards");
    refuse("DELETE FROM build_meta", "build_meta has no row");
    refuse("ALTER TABLE build_meta DROP COLUMN key_col", "build_meta has no column key_col");
    refuse("ALTER TABLE shards DROP COLUMN writer_info", "shards has no column writer_info");
    refuse("DROP TABLE build_meta; CREATE VIEW build_meta AS SELECT 1", "no table build_meta");
    refuse("DROP TABLE shards; CREATE TABLE shards (db_id INTEGER PRIMARY KEY, db_url) WITHOUT ROWID",
           "the table shards is WITHOUT ROWID");
    accept("INSERT INTO build_meta (run_id, format_version) VALUES (NULL, 99)"); /* the first row counts */
    accept("DELETE FROM shards");
    accept("ALTER TABLE shards ADD COLUMN more DEFAULT 7");
    accept("DROP TABLE shards; " SHARDS_TABLE "; " SHARD_ROWS);
}

static void test_meta_texts(void **state) {
    (void)state;
    static const char *const columns[] = {"run_id", "s3_prefix", "key_col", "shard_prefix", "db_path_template"};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        char message[64];
        (void)snprintf(message, sizeof message, "column %s: it is NULL", columns[i]);
        meta(columns[i], "NULL", message);
        meta(columns[i], "''", NULL);
        meta(columns[i], "CAST(x'ff' AS TEXT)", "not UTF-8");
        meta(columns[i], "CAST(x'610062' AS TEXT)", "NUL");
    }
    meta("created_at", "NULL", "created_at: it is NULL");
    meta("created_at", "'yesterday'", "created_at: it is no date");
    meta("created_at", "''", "it is no date");
    meta("created_at", "'2026-13-14T10:30:00Z'", "it is no date");
    meta("created_at", "'2026-03-14T10:30:00Z'", NULL);
    meta("created_at", "'2026-03-14 10:30:00.123456789+02:00'", NULL);
    meta("created_at", "'2026-03-14T10:30:00'", NULL);
    meta("created_at", "1773484200", NULL);
    meta("created_at", "1773484200.25", NULL);
    meta("created_at", "'1773484200'", NULL);
    struct shf_manifest *manifest = accepted("UPDATE build_meta SET created_at = 1773484200000");
    assert_true(manifest->created_at_us == INT64_C(1773484200000000));
    shf_manifest_free(manifest);
}

static void test_meta_numbers(void **state) {
    (void)state;
    meta("num_dbs", "NULL", "num_dbs: it is NULL");
    meta("num_dbs", "0", "it is 0; at least 1");
    meta("num_dbs", "-1", "it is -1; at least 1");
    meta("num_dbs", "3.5", "no integer");
    meta("num_dbs", "'3.5'", "no integer");
    meta("num_dbs", "'three'", "no integer");
    meta("num_dbs", "x'33'", "no integer");
    meta("num_dbs", "1e300", "no integer");
    meta("num_dbs", "3.0", NULL);
    meta("num_dbs", "'3'", NULL);
    meta("num_dbs", "65536", NULL);
    refuse_as("UPDATE build_meta SET num_dbs = 65537", SHF_E_LIMIT, "at most 65536 shards");
    meta("format_version", "3", "format_version is 3");
    meta("format_version", "5", "format_version is 5");
    meta("format_version", "NULL", "format_version: it is NULL");
    meta("format_version", "'four'", "no integer");
    meta("format_version", "4.5", "no integer");
    static const char *const encodings[] = {"'u64be'", "'u32be'", "'utf8'", "'raw'"};
    for (int i = 0; i < 4; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "UPDATE build_meta SET key_encoding = %s", encodings[i]);
        struct shf_manifest *manifest = accepted(sql);
        assert_int_equal(manifest->key_encoding, SHF_ENCODING_U64BE + i);
        shf_manifest_free(manifest);
    }
    meta("key_encoding", "'U64BE'", "none of u64be");
    meta("key_encoding", "'u64'", "none of u64be");
    meta("key_encoding", "''", "none of u64be");
    meta("key_encoding", "NULL", "key_encoding: it is NULL");
}

#define X "\"hash_algorithm\": \"xxh3_64\", "
static void test_sharding(void **state) {
    (void)state;
    meta("sharding", "NULL", "sharding: it is NULL");
    meta("sharding", "''", "broken JSON");
    meta("sharding", "'null'", "no JSON object");
    meta("sharding", "'[]'", "no JSON object");
    meta("sharding", "'{'", "broken JSON");
    meta("sharding", "'{}'", "hash_algorithm is not xxh3_64");
    meta("sharding", "'{\"hash_algorithm\": \"xxh64\"}'", "hash_algorithm is not xxh3_64");
    meta("sharding", "'{\"hash_algorithm\": null}'", "hash_algorithm is not xxh3_64");
    meta("sharding", "'{\"hash_algorithm\": \"xxh3_64\"}'", NULL); /* strategy: hash */
    meta("sharding", "'{" X "\"strategy\": \"range\"}'", "neither hash nor cel");
    meta("sharding", "'{" X "\"strategy\": \"HASH\"}'", "neither hash nor cel");
    meta("sharding", "'{" X "\"strategy\": null}'", "neither hash nor cel");
    meta("sharding", "'{" X "\"seed\": 1}'", "unknown key \"seed\"");
    meta("sharding", "'{" X "\"cel_expr\": null, \"cel_columns\": null, \"routing_values\": null}'", NULL);
    meta("sharding", "'{" X "\"cel_expr\": \"key\"}'", "hash takes no");
    meta("sharding", "'{" X "\"cel_columns\": {}}'", "hash takes no");
    meta("sharding", "'{" X "\"routing_values\": []}'", "hash takes no");
}

#define CEL "'{" X "\"strategy\": \"cel\", \"cel_expr\": \"key % 3\", \"cel_columns\": {\"key\": \"int\"}"
static void cel(const char *rest, const char *message) {
    char value[512];
    (void)snprintf(value, sizeof value, "%s%s}'", CEL, rest);
    meta("sharding", value, message);
}

static void routing_values(void) {
    struct shf_manifest *manifest =
        accepted("UPDATE build_meta SET sharding = " CEL ", \"routing_values\": [\"b\\u0000c\", \"\", \"\u65e5\"]}'");
    const struct shf_manifest_cel *cel = &manifest->cel;
    assert_int_equal(cel->routing_count, 3);
    assert_int_equal(cel->routing_values[0].type, SHF_CEL_STRING);
    assert_int_equal(cel->routing_values[0].as.text.size, 3);
    assert_memory_equal(cel->routing_values[0].as.text.data, "b\0c", 3);
    assert_int_equal(cel->routing_values[1].as.text.size, 0);
    assert_memory_equal(cel->routing_values[2].as.text.data, "\u65e5", 3);
    shf_manifest_free(manifest);
    manifest =
        accepted("UPDATE build_meta SET sharding = " CEL ", \"routing_values\": [true, -9223372036854775808, 5.0]}'");
    cel = &manifest->cel;
    assert_int_equal(cel->routing_values[0].type, SHF_CEL_INT);
    assert_int_equal(cel->routing_values[0].as.integer, 1);
    assert_int_equal(cel->routing_values[1].as.integer, INT64_MIN);
    assert_int_equal(cel->routing_values[2].as.integer, 5);
    shf_manifest_free(manifest);
    manifest =
        accepted("DELETE FROM shards; UPDATE build_meta SET num_dbs = 1, sharding = " CEL ", \"routing_values\": []}'");
    assert_non_null(manifest->cel.routing_values);
    assert_int_equal(manifest->cel.routing_count, 0);
    shf_manifest_free(manifest);
}

static void too_many_columns(void) {
    char value[8192];
    int size = snprintf(value, sizeof value,
                        "UPDATE build_meta SET sharding = '{" X
                        "\"strategy\": \"cel\", \"cel_expr\": \"0\", \"cel_columns\": {");
    for (int i = 0; i <= (int)SHF_LIMIT_CEL_COLUMNS; i++) {
        size += snprintf(value + size, sizeof value - (size_t)size, "%s\"c%d\": \"int\"", i ? ", " : "", i);
    }
    (void)snprintf(value + size, sizeof value - (size_t)size, "}}'");
    refuse_as(value, SHF_E_LIMIT, "257 cel_columns");
}

static void test_cel(void **state) {
    (void)state;
    struct shf_manifest *manifest = accepted("UPDATE build_meta SET sharding = " CEL "}'");
    assert_int_equal(manifest->sharding, SHF_SHARD_BY_CEL);
    assert_string_equal(manifest->cel.expression, "key % 3");
    assert_int_equal(manifest->cel.column_count, 1);
    assert_string_equal(manifest->cel.columns[0].name, "key");
    assert_string_equal(manifest->cel.columns[0].type, "int");
    assert_null(manifest->cel.routing_values);
    shf_manifest_free(manifest);
    routing_values();
    cel(", \"routing_values\": null", NULL);
    cel(", \"routing_values\": [\"a\", \"b\", \"\"]", NULL);
    cel(", \"routing_values\": [1, 2, 3]", NULL);
    cel(", \"routing_values\": [true, false, 5.0]", NULL); /* 1, 0, 5 */
    cel(", \"routing_values\": [true, 1, 2]", "occurs twice");
    cel(", \"routing_values\": [1.0, 1, 2]", "occurs twice");
    cel(", \"routing_values\": [\"a\", \"b\", \"a\"]", "occurs twice");
    cel(", \"routing_values\": [\"a\", \"b\"]", "num_dbs is 3 with 2 routing values");
    cel(", \"routing_values\": []", "num_dbs is 3 with 0 routing values");
    cel(", \"routing_values\": [\"a\", \"b\", 1]", "not of one type");
    cel(", \"routing_values\": [1, 2, \"3\"]", "not of one type");
    cel(", \"routing_values\": [1, 2, 3.5]", "neither an integer");
    cel(", \"routing_values\": [1, 2, null]", "neither an integer");
    cel(", \"routing_values\": [[], [], []]", "neither an integer");
    cel(", \"routing_values\": {}", "no list");
    cel(", \"other\": 1", "unknown key \"other\"");
    accept("DELETE FROM shards; UPDATE build_meta SET num_dbs = 1, sharding = " CEL ", \"routing_values\": []}'");
    meta("sharding", "'{" X "\"strategy\": \"cel\", \"cel_expr\": \"\", \"cel_columns\": {\"key\": \"int\"}}'",
         "needs a cel_expr");
    meta("sharding", "'{" X "\"strategy\": \"cel\", \"cel_columns\": {\"key\": \"int\"}}'", "needs a cel_expr");
    meta("sharding", "'{" X "\"strategy\": \"cel\", \"cel_expr\": \"key\", \"cel_columns\": {}}'", "needs cel_columns");
    meta("sharding", "'{" X "\"strategy\": \"cel\", \"cel_expr\": \"key\"}'", "needs cel_columns");
    meta("sharding", "'{" X "\"strategy\": \"cel\", \"cel_expr\": \"key\", \"cel_columns\": {\"key\": 1}}'",
         "is no text");
    meta("sharding", "'{" X "\"strategy\": \"cel\", \"cel_expr\": \"key\", \"cel_columns\": {\"key\": \"a\\u0000b\"}}'",
         "NUL");
    meta("sharding",
         "'{" X "\"strategy\": \"cel\", \"cel_expr\": \"ke\\u0000y\", \"cel_columns\": {\"key\": \"int\"}}'", "NUL");
    too_many_columns();
}

static void test_custom(void **state) {
    (void)state;
    meta("custom", "NULL", NULL);
    meta("custom", "''", NULL);
    meta("custom", "'{}'", NULL);
    meta("custom", "'{\"mine\": [NaN, -Infinity, 18446744073709551616, 1e999, \"\\ud800\"]}'", NULL);
    meta("custom", "'[]'", "no JSON object");
    meta("custom", "'null'", "no JSON object");
    meta("custom", "'{\"a\":'", "broken JSON");
    meta("custom", "' '", "broken JSON");
    meta("custom", "'{\"vector\": ' || replace(hex(zeroblob(150)), '00', '[[') || '}'", "deeper than 256");
}

static struct shf_manifest *with_custom(const char *json) {
    char sql[512];
    (void)snprintf(sql, sizeof sql, "UPDATE build_meta SET custom = '%s'", json);
    return accepted(sql);
}

#define OBJECT "0123456789abcdefABCDEF00000000000000000000000000000000000000ffff"

/* custom.shf_objects: found by the end of db_url; what is malformed is as good as absent. */
static void test_custom_objects(void **state) {
    (void)state;
    static const struct {
        const char *entry;
        uint64_t size; /* UINT64_MAX: not taken */
    } cases[] = {
        {"\"shards/run_id=r/db=00001/attempt=00/shard.db\": \"17 " OBJECT "\"", 17},
        {"\"attempt=00/shard.db\": \"18446744073709551614 " OBJECT "\"", UINT64_MAX - 1},
        {"\"p/shards/run_id=r/db=00001/attempt=00/shard.db\": \"5 " OBJECT "\"", 5},
        {"\"attempt=00/shard.db\": \"1 " OBJECT "\", \"db=00001/attempt=00/shard.db\": \"2 " OBJECT "\"", 2},
        {"\"tempt=00/shard.db\": \"1 " OBJECT "\"", UINT64_MAX}, /* no whole segment */
        {"\"shards/run_id=r/db=00001/attempt=00/shard.sidecar\": \"1 " OBJECT "\"", UINT64_MAX},
        {"\"shards/run_id=r/db=00001/attempt=01/shard.db\": \"1 " OBJECT "\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": \"18446744073709551616 " OBJECT "\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": \"-1 " OBJECT "\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": \" 1 " OBJECT "\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": \"1  " OBJECT "\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": \"1 " OBJECT "0\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": \"1 g" OBJECT "\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": \"1\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": \"\"", UINT64_MAX},
        {"\"attempt=00/shard.db\": 17", UINT64_MAX},
        {"\"attempt=00/shard.db\": {\"size\": 1}", UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sql[1024];
        (void)snprintf(sql, sizeof sql,
                       "UPDATE build_meta SET custom = '{\"shf_objects\": {%s}}'; UPDATE shards SET db_url = "
                       "'s3://b/p/shards/run_id=r/db=00001/attempt=00' WHERE db_id = 0",
                       cases[i].entry);
        struct shf_manifest *m = accepted(sql);
        const struct shf_manifest_shard *shard = shf_manifest_find_shard(m, 0);
        assert_int_equal(shard->has_object, cases[i].size != UINT64_MAX);
        if (shard->has_object) {
            assert_int_equal(shard->object_size, cases[i].size);
            assert_int_equal(shard->sha256[0], 0x01);
            assert_int_equal(shard->sha256[8], 0xab);
            assert_int_equal(shard->sha256[31], 0xff);
        }
        shf_manifest_free(m);
    }
    static const char *const others[] = {"[]", "null", "\"x\"", "{}", "1"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char json[64];
        (void)snprintf(json, sizeof json, "{\"shf_objects\": %s}", others[i]);
        struct shf_manifest *m = with_custom(json);
        for (uint32_t at = 0; at < m->shard_count; at++) assert_false(m->shards[at].has_object);
        shf_manifest_free(m);
    }
}

static void test_custom_vector(void **state) {
    (void)state;
    struct shf_manifest *m =
        with_custom("{\"vector\": {\"dim\": 384, \"metric\": \"dot_product\", \"unified\": true, \"backend\": \"x\","
                    "\"kv_backend\": \"y\", \"quantization\": \"fp16\", \"index_type\": \"flat\","
                    "\"index_params\": {\"M\": 16, \"a\": null}}, \"sqlite_sidecar\": {}}");
    assert_true(m->has_vector && m->vector.unified && m->has_sidecar);
    assert_int_equal(m->vector.dimension, 384);
    assert_int_equal(m->vector.metric, SHF_METRIC_DOT);
    assert_string_equal(m->vector.backend, "x");
    assert_string_equal(m->vector.kv_backend, "y");
    assert_string_equal(m->vector.quantization, "fp16");
    assert_string_equal(m->vector.index_type, "flat");
    assert_string_equal(m->vector.index_params, "{\"M\": 16, \"a\": null}");
    shf_manifest_free(m);
    m = with_custom("{\"vector\": {}}");
    assert_true(m->has_vector && !m->vector.unified && !m->has_sidecar);
    assert_int_equal(m->vector.dimension, 0);
    assert_int_equal(m->vector.metric, 0);
    assert_null(m->vector.metric_text);
    assert_null(m->vector.backend);
    assert_string_equal(m->vector.index_type, "hnsw");
    assert_string_equal(m->vector.index_params, "{}");
    shf_manifest_free(m);
    m = with_custom(
        "{\"vector\": {\"metric\": \"manhattan\", \"dim\": -3, \"unified\": 1, \"backend\": 7, \"index_params\": []}}");
    assert_int_equal(m->vector.metric, 0);
    assert_string_equal(m->vector.metric_text, "manhattan");
    assert_int_equal(m->vector.dimension, 0);
    assert_false(m->vector.unified);
    assert_string_equal(m->vector.backend, "7");
    assert_string_equal(m->vector.index_params, "{}");
    shf_manifest_free(m);
    static const char *const no_object[] = {"{\"vector\": null}", "{\"vector\": [1]}", "{\"vector\": \"x\"}",
                                            "{\"sqlite_sidecar\": 8}"};
    for (size_t i = 0; i < 4; i++) {
        m = with_custom(no_object[i]);
        assert_false(m->has_vector);
        assert_false(m->has_sidecar);
        shf_manifest_free(m);
    }
}

/* custom.vector of a vector-only snapshot. */
static struct shf_manifest *with_vector(const char *members) {
    char json[1500];
    (void)snprintf(json, sizeof json, "{\"vector\": {\"dim\": 4, \"metric\": \"l2\", %s}}", members);
    return with_custom(json);
}

static void refuse_vector(const char *members, const char *message) {
    char sql[2000];
    (void)snprintf(sql, sizeof sql,
                   "UPDATE build_meta SET custom = '{\"vector\": {\"dim\": 4, \"metric\": \"l2\", %s}}'", members);
    refuse(sql, message);
}

static void test_custom_routing(void **state) {
    (void)state;
    static const char *const names[] = {"cluster", "lsh", "explicit", "cel"};
    for (int i = 0; i < 4; i++) {
        char members[64];
        (void)snprintf(members, sizeof members, "\"sharding_strategy\": \"%s\"", names[i]);
        struct shf_manifest *m = with_vector(members);
        assert_int_equal(m->vector.routing.strategy, SHF_VECTORS_BY_CLUSTER + i);
        assert_string_equal(shf_vector_strategy_name(m->vector.routing.strategy), names[i]);
        assert_int_equal(m->vector.routing.num_probes, 1);
        shf_manifest_free(m);
    }
    assert_string_equal(shf_vector_strategy_name(0), "unknown");
    struct shf_manifest *m = with_vector("\"num_probes\": 3, \"centroids_ref\": \"s3://b/p/c.npy\", "
                                         "\"hyperplanes_ref\": null, \"cel_expr\": \"region\", \"cel_columns\": "
                                         "{\"region\": \"string\", \"n\": \"int\"}, \"routing_values\": [\"eu\", \"\", "
                                         "\"a\\u0000b\"]");
    const struct shf_manifest_routing *r = &m->vector.routing;
    assert_int_equal(r->strategy, SHF_VECTORS_BY_ID);
    assert_null(r->strategy_text);
    assert_int_equal(r->num_probes, 3);
    assert_string_equal(r->centroids_ref, "s3://b/p/c.npy");
    assert_null(r->hyperplanes_ref);
    assert_string_equal(r->cel_expr, "region");
    assert_int_equal(r->cel_column_count, 2);
    assert_string_equal(r->cel_columns[0].name, "region");
    assert_string_equal(r->cel_columns[0].type, "string");
    assert_string_equal(r->cel_columns[1].type, "int");
    assert_true(r->has_routing_values && r->routing_value_count == 3);
    assert_int_equal(r->routing_values[2].kind, SHF_TOKEN_TEXT);
    assert_int_equal(r->routing_values[2].size, 3);
    assert_memory_equal(r->routing_values[2].data, "a\0b", 4);
    shf_manifest_free(m);
    m = with_vector("\"routing_values\": [{\"__bytes_hex__\": \"00ffAb\"}, {\"__bytes_hex__\": \"\"}]");
    assert_int_equal(m->vector.routing.routing_values[0].kind, SHF_TOKEN_BYTES);
    assert_int_equal(m->vector.routing.routing_values[0].size, 3);
    assert_memory_equal(m->vector.routing.routing_values[0].data, "\0\xff\xab", 3);
    assert_int_equal(m->vector.routing.routing_values[1].size, 0);
    shf_manifest_free(m);
    m = with_vector("\"routing_values\": [7, -9223372036854775808]");
    assert_true(m->vector.routing.routing_values[1].integer == INT64_MIN);
    shf_manifest_free(m);
    m = with_vector("\"routing_values\": []");
    assert_true(m->vector.routing.has_routing_values && m->vector.routing.routing_value_count == 0);
    shf_manifest_free(m);
    m = with_vector("\"unified\": true, \"routing_values\": 5, \"cel_columns\": 7"); /* nobody reads them there */
    assert_false(m->vector.routing.has_routing_values);
    shf_manifest_free(m);
}

/* What a snapshot is refused for when it is opened, and what can not be stored. */
static void test_custom_routing_refused(void **state) {
    (void)state;
    static const char *const no_probes[] = {"0", "-1", "1.5", "\"many\"", "[]"};
    for (size_t i = 0; i < sizeof no_probes / sizeof no_probes[0]; i++) {
        char members[64];
        (void)snprintf(members, sizeof members, "\"num_probes\": %s", no_probes[i]);
        struct shf_manifest *m = with_vector(members);
        assert_int_equal(m->vector.routing.num_probes, 0);
        shf_manifest_free(m);
    }
    struct shf_manifest *m = with_vector("\"num_probes\": 99999999999, \"sharding_strategy\": \"random\"");
    assert_true(m->vector.routing.num_probes == UINT32_MAX);
    assert_int_equal(m->vector.routing.strategy, 0);
    assert_string_equal(m->vector.routing.strategy_text, "random");
    shf_manifest_free(m);
    refuse_vector("\"cel_columns\": []", "cel_columns is no JSON object");
    refuse_vector("\"cel_columns\": {\"a\": 1}", "a type that is no text");
    refuse_vector("\"cel_columns\": {\"a\": \"i\\u0000nt\"}", "NUL");
    refuse_vector("\"centroids_ref\": \"s3://b\\u0000/p\"", "NUL");
    refuse_vector("\"routing_values\": {}", "routing_values is no list");
    refuse_vector("\"routing_values\": [null]", "neither an integer");
    refuse_vector("\"routing_values\": [1.5]", "neither an integer");
    refuse_vector("\"routing_values\": [[]]", "neither an integer");
    refuse_vector("\"routing_values\": [1, \"1\"]", "not of one type");
    refuse_vector("\"routing_values\": [\"00\", {\"__bytes_hex__\": \"3030\"}]", "not of one type");
    refuse_vector("\"routing_values\": [\"b\", \"a\", \"b\"]", "a value twice");
    refuse_vector("\"routing_values\": [{\"__bytes_hex__\": \"0\"}]", "__bytes_hex__");
    refuse_vector("\"routing_values\": [{\"__bytes_hex__\": \"0g\"}]", "not hexadecimal");
    refuse_vector("\"routing_values\": [{\"__bytes_hex__\": 7}]", "__bytes_hex__");
    refuse_vector("\"routing_values\": [{\"__bytes_hex__\": \"00\", \"x\": 1}]", "__bytes_hex__");
    refuse_as(
        "UPDATE build_meta SET custom = '{\"vector\": {\"routing_values\": [' || replace(hex(zeroblob(65536)), '00', "
        "'1,') || '1]}}'",
        SHF_E_LIMIT, "65537 values; at most 65536");
}

static void test_shard_numbers(void **state) {
    (void)state;
    shard("db_id", "3", "not below num_dbs");
    shard("db_id", "-1", "it is -1; at least 0");
    shard("db_id", "NULL", "it is NULL");
    shard("db_id", "2", "db_id 2 occurs twice");
    shard("db_id", "1", NULL);
    refuse(
        "INSERT INTO shards (db_id, attempt, row_count, db_bytes, writer_info) VALUES (1,0,0,0,'{}'), (1,0,0,0,'{}')",
        "more rows than num_dbs");
    static const char *const columns[] = {"attempt", "row_count", "db_bytes"};
    for (size_t i = 0; i < 3; i++) {
        shard(columns[i], "NULL", "it is NULL");
        shard(columns[i], "-1", "at least 0");
        shard(columns[i], "0.5", "no integer");
        shard(columns[i], "'x'", "no integer");
        shard(columns[i], "7.0", NULL);
    }
    shard("attempt", "4294967296", "absurdly large");
    shard("row_count", "9223372036854775807", NULL);
    refuse(
        "UPDATE shards SET row_count = 9223372036854775807;"
        "INSERT INTO shards (db_id, attempt, row_count, db_bytes, writer_info) VALUES (1,0,9223372036854775807,0,'{}')",
        "absurdly large");
    struct shf_manifest *m = accepted("UPDATE shards SET db_id = 2 - db_id"); /* rows in no order */
    assert_int_equal(m->shards[0].db_id, 0);
    assert_null(m->shards[0].db_url);
    assert_string_equal(m->shards[1].db_url, "s3://b/p/0");
    shf_manifest_free(m);
}

/* Kept to the byte; what means {} is none. */
static void test_custom_text(void **state) {
    (void)state;
    struct shf_manifest *m = accepted("UPDATE build_meta SET custom = '{\"b\":  [1, 2.50], \"a\": {}}'");
    assert_string_equal(m->custom, "{\"b\":  [1, 2.50], \"a\": {}}");
    shf_manifest_free(m);
    m = accepted("UPDATE build_meta SET custom = ''");
    assert_null(m->custom);
    shf_manifest_free(m);
    m = accepted("UPDATE build_meta SET custom = NULL");
    assert_null(m->custom);
    shf_manifest_free(m);
}

static void test_shard_texts(void **state) {
    (void)state;
    static const char *const bounds[] = {"min_key", "max_key"};
    for (size_t i = 0; i < 2; i++) {
        shard(bounds[i], "NULL", NULL);
        shard(bounds[i], "'null'", NULL);
        shard(bounds[i], "'-5'", NULL);
        shard(bounds[i], "'18446744073709551615'", NULL);
        shard(bounds[i], "'\"\\u0000\\u65e5\"'", NULL);
        shard(bounds[i], "'true'", NULL);
        shard(bounds[i], "'1.5'", "neither an integer nor a text");
        shard(bounds[i], "'1.0'", "neither an integer nor a text");
        shard(bounds[i], "'1e3'", "neither an integer nor a text");
        shard(bounds[i], "'1e999'", "neither an integer nor a text");
        shard(bounds[i], "'NaN'", "neither an integer nor a text");
        shard(bounds[i], "'[1]'", "neither an integer nor a text");
        shard(bounds[i], "'{}'", "neither an integer nor a text");
        shard(bounds[i], "'abc'", "broken JSON");
        shard(bounds[i], "''", "broken JSON");
        shard(bounds[i], "'\"abc'", "broken JSON");
    }
    shard("db_url", "NULL", NULL);
    shard("db_url", "''", NULL);
    shard("db_url", "'http://elsewhere/../x'", NULL);
    shard("checkpoint_id", "NULL", NULL);
    shard("checkpoint_id", "''", NULL);
    shard("writer_info", "NULL", "writer_info: it is NULL");
    shard("writer_info", "''", "broken JSON");
    shard("writer_info", "'null'", "no JSON object");
    shard("writer_info", "'[]'", "no JSON object");
    shard("writer_info", "'{\"attempt\": \"x\"}'", "attempt is no integer");
    shard("writer_info", "'{\"attempt\": null}'", "attempt is no integer");
    shard("writer_info", "'{\"attempt\": 0.5}'", "attempt is no integer");
    shard("writer_info", "'{\"attempt\": 2, \"duration_ms\": 12, \"stage_id\": null, \"more\": []}'", NULL);
}

static void test_many_shards(void **state) {
    (void)state;
    struct shf_manifest *m =
        accepted("DELETE FROM shards; UPDATE build_meta SET num_dbs = 65536;"
                 "WITH RECURSIVE n(i) AS (SELECT 65535 UNION ALL SELECT i-1 FROM n WHERE i > 0)"
                 "INSERT INTO shards (db_id, attempt, row_count, db_bytes, writer_info) SELECT i,0,i,0,'{}' FROM n");
    assert_int_equal(m->shard_count, 65536);
    for (uint32_t i = 0; i < 65536; i++) assert_int_equal(shf_manifest_find_shard(m, i)->row_count, i);
    assert_null(shf_manifest_find_shard(m, 65536));
    shf_manifest_free(m);
}

/* ---- _CURRENT ---- */

#define REF "\"manifest_ref\": \"s3://b/m\", "
#define TYPE "\"manifest_content_type\": \"application/x-sqlite3\", "
#define RUN "\"run_id\": \"r\", "
#define TIME "\"updated_at\": \"2026-03-14T10:30:00Z\""

static void current(const char *json, const char *message) {
    struct shf_current parsed;
    struct shf_error *error = NULL;
    shf_status status = shf_current_parse(json, strlen(json), &parsed, &error);
    if (message) {
        expect_error(status, &error, SHF_E_MANIFEST, message);
        return;
    }
    expect_ok(status, error);
    assert_string_equal(parsed.manifest_ref, "s3://b/m");
    assert_string_equal(parsed.run_id, "r");
    assert_true(parsed.updated_at_us == INT64_C(1773484200000000));
    shf_current_free(&parsed);
    assert_null(parsed.run_id);
}

static void test_current(void **state) {
    (void)state;
    current("{" REF TYPE RUN TIME "}", NULL);
    current(" \n{" REF TYPE RUN TIME ", \"format_version\": 99, \"unknown\": [NaN]}\n", NULL);
    current("{" REF TYPE RUN "\"updated_at\": 1773484200}", NULL);
    current("{" REF TYPE RUN "\"updated_at\": \"2026-03-14 12:30:00+02:00\"}", NULL);
    current("{" TYPE RUN TIME "}", "manifest_ref is missing");
    current("{" REF RUN TIME "}", "manifest_content_type is missing");
    current("{" REF TYPE TIME "}", "run_id is missing");
    current("{" REF TYPE "\"run_id\": \"r\"}", "updated_at is missing");
    current("{\"manifest_ref\": 5, " TYPE RUN TIME "}", "manifest_ref is no text");
    current("{\"manifest_ref\": null, " TYPE RUN TIME "}", "manifest_ref is no text");
    current("{\"manifest_ref\": \"a\\u0000b\", " TYPE RUN TIME "}", "NUL");
    current("{" REF TYPE RUN "\"updated_at\": \"soon\"}", "updated_at is no date");
    current("{" REF TYPE RUN "\"updated_at\": null}", "updated_at is no date");
    current("{" REF TYPE RUN TIME ", \"format_version\": null}", "format_version is no integer");
    current("{" REF TYPE RUN TIME ", \"format_version\": \"one\"}", "format_version is no integer");
    current("\xef\xbb\xbf{" REF TYPE RUN TIME "}", "broken JSON");
    current("[]", "no JSON object");
    current("", "broken JSON");
    current("{" REF, "broken JSON");
    char *big = malloc(70000);
    memset(big, ' ', 69999);
    big[69999] = '\0';
    current(big, "at most 65536");
    free(big);
}

/* ---- memory ---- */

/* Every allocation of a parse fails once; each time there is an error about memory, and nothing leaks. */
static void fail_allocations(const char *vector) {
    sqlite3 *db = build(false);
    char sql[1000];
    size_t size;
    (void)snprintf(sql, sizeof sql,
                   "UPDATE build_meta SET custom = '{\"vector\": {\"dim\": 4, \"metric\": \"l2\", %s}}'", vector);
    db_run(db, sql);
    uint8_t *bytes = db_bytes(db, &size);
    shf_status status = SHF_E_NO_MEMORY;
    unsigned n = 0;
    while (status && n < 1000) {
        struct shf_manifest *manifest = NULL;
        struct shf_error *error = NULL;
        alloc_fail_at(++n);
        status = shf_manifest_parse(bytes, size, &manifest, &error);
        if (status) {
            assert_int_equal(status, SHF_E_NO_MEMORY);
            assert_int_equal(shf_error_code(error), SHF_E_NO_MEMORY);
            assert_null(manifest);
        }
        shf_error_free(error);
        shf_manifest_free(manifest);
        assert_int_equal(alloc_live(), 0);
    }
    alloc_normal();
    assert_int_equal(status, SHF_OK);
    assert_true(n > 30);
    free(bytes);
}

static void test_failing_allocations(void **state) {
    (void)state;
    fail_allocations("\"unified\": true, \"backend\": 7");
    fail_allocations(
        "\"sharding_strategy\": \"cel\", \"centroids_ref\": \"x\", \"hyperplanes_ref\": \"y\", \"cel_expr\": "
        "\"a\", \"cel_columns\": {\"a\": \"int\"}, \"routing_values\": [\"a\", \"b\"]");
    fail_allocations("\"routing_values\": [{\"__bytes_hex__\": \"00\"}, {\"__bytes_hex__\": \"01\"}]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_written),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_meta_texts),
        cmocka_unit_test(test_meta_numbers),
        cmocka_unit_test(test_sharding),
        cmocka_unit_test(test_cel),
        cmocka_unit_test(test_custom),
        cmocka_unit_test(test_custom_vector),
        cmocka_unit_test(test_custom_routing),
        cmocka_unit_test(test_custom_routing_refused),
        cmocka_unit_test(test_custom_objects),
        cmocka_unit_test(test_shard_numbers),
        cmocka_unit_test(test_custom_text),
        cmocka_unit_test(test_shard_texts),
        cmocka_unit_test(test_many_shards),
        cmocka_unit_test(test_current),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
