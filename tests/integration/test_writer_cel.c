/* Snapshots that are sharded by an expression when they are written: each row lies where the expression says, and is found there. */
#include "integration/writer_support.h"

#include "formats/cel/cel_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static shf_writer_options cel_options(uint32_t backend, uint32_t num_dbs, const char *expression, const char *columns) {
    shf_writer_options options = writer_options(writer_prefix, backend, num_dbs);
    options.cel_expr = expression;
    options.cel_columns = columns;
    options.run_id = "run";
    return options;
}

static shf_writer *open_with(const shf_writer_options *options) {
    shf_status status;
    shf_writer *writer = writer_open(options, &status);
    if (!writer) fail_msg("%s", support_message);
    return writer;
}

/* Publishes, tells, closes. */
static shf_publish_info finish(shf_writer *writer) {
    shf_status status;
    shf_op *publish = writer_publish(writer, &status);
    if (!publish) fail_msg("%s", support_message);
    shf_publish_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_op_publish_info(publish, &info), SHF_OK);
    shf_op_release(publish);
    writer_close(writer);
    writer_assert_tidy(writer_root);
    return info;
}

static sqlite3 *open_database(char *path) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    free(path);
    return db;
}

/* A column of build_meta of the manifest, as libsqlite3 reads it. */
static void expect_meta(const char *column, const char *expected) {
    sqlite3 *db = open_database(support_find_file(writer_prefix, "manifest", 0));
    sqlite3_stmt *statement = NULL;
    char *sql = support_path("SELECT %s FROM build_meta", column);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), expected);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    free(sql);
}

/* ---- where rows lie ---- */

static size_t stored_key(const shf_key *key, enum writer_keys keys, uint8_t out[64]) {
    if (key->kind == SHF_KEY_TEXT || key->kind == SHF_KEY_BYTES) {
        memcpy(out, key->as.bytes.data, key->as.bytes.size);
        return key->as.bytes.size;
    }
    size_t width = keys == WRITER_U32 ? 4 : 8;
    for (size_t i = 0; i < width; i++) out[i] = (uint8_t)((uint64_t)key->as.int_value >> (8 * (width - 1 - i)));
    return width;
}

static bool shard_has(sqlite3 *db, const uint8_t *key, size_t size) {
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT 1 FROM kv WHERE k = ?", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(statement, 1, key, (int)size, SQLITE_STATIC), SQLITE_OK);
    bool has = sqlite3_step(statement) == SQLITE_ROW;
    (void)sqlite3_finalize(statement);
    return has;
}

static sqlite3 *open_shard(uint32_t shard) {
    char *path = support_path("%s/shards/run_id=run/db=%05" PRIu32 "/attempt=00/shard.db", writer_prefix, shard);
    return open_database(path);
}

/* Every row is in the shard that shf_cel_route gives, and every shard has some. */
static void assert_places(const struct writer_rows *rows, const char *expression, const char *column,
                          enum shf_cel_type type, uint32_t num_dbs) {
    const struct shf_cel_column columns[] = {{.name = column, .type = type}};
    struct shf_cel_router *router = NULL;
    struct shf_cel_scratch scratch;
    sqlite3 *shards[16];
    size_t counts[16] = {0};
    assert_true(num_dbs <= 16);
    assert_int_equal(shf_cel_router_new(expression, strlen(expression), columns, 1, NULL, 0, num_dbs, &router, NULL),
                     SHF_OK);
    for (uint32_t i = 0; i < num_dbs; i++) shards[i] = open_shard(i);
    shf_cel_scratch_init(&scratch);
    for (size_t i = 0; i < rows->shape.rows; i++) {
        struct shf_cel_value value;
        uint32_t shard = 99;
        uint8_t key[64];
        (void)shf_cel_bind_key(type, &rows->rows[i].key, &value);
        assert_int_equal(shf_cel_route(router, &value, &scratch, &shard, NULL, NULL), SHF_OK);
        assert_true(shard_has(shards[shard], key, stored_key(&rows->rows[i].key, rows->shape.keys, key)));
        counts[shard]++;
    }
    for (uint32_t i = 0; i < num_dbs; i++) {
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(shards[i], "SELECT count(*) FROM kv", -1, &statement, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int64(statement, 0), counts[i]);
        assert_true(counts[i] > 0);
        (void)sqlite3_finalize(statement);
        (void)sqlite3_close(shards[i]);
    }
    shf_cel_scratch_free(&scratch);
    shf_cel_router_free(router);
}

/* ---- the key decides: all encodings, in and beyond memory ---- */

static void go(enum writer_keys keys, const char *encoding, const char *type, const char *expression, uint32_t num_dbs,
               bool tells_num_dbs, uint32_t dimension, uint64_t memory_bytes) {
    const struct writer_shape shape = {
        .rows = 3000, .keys = keys, .value_most = memory_bytes ? 6000 : 60, .dimension = dimension};
    struct writer_rows *rows = writer_rows_new(&shape);
    char *columns = support_path("{\"key\": \"%s\"}", type);
    shf_writer_options options =
        cel_options(dimension ? SHF_WRITE_UNIFIED : SHF_WRITE_KV, tells_num_dbs ? num_dbs : 0, expression, columns);
    options.key_encoding = encoding;
    options.memory_bytes = memory_bytes;
    shf_writer *writer = open_with(&options);
    writer_rows_shuffle(rows, 7);
    writer_write(writer, rows->rows, shape.rows, 100);
    shf_publish_info info = finish(writer);
    assert_int_equal(info.num_dbs, num_dbs);
    assert_int_equal(info.rows, shape.rows);
    assert_int_equal(info.spilled_bytes > 0, memory_bytes > 0);
    assert_places(rows, expression, "key", shf_cel_type_parse(type), num_dbs);
    char *sharding = support_path("{\"cel_columns\": {\"key\": \"%s\"}, \"cel_expr\": \"%s\", \"hash_algorithm\": "
                                  "\"xxh3_64\", \"routing_values\": null, \"strategy\": \"cel\"}",
                                  type, expression);
    expect_meta("sharding", sharding);
    shf_status status;
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    if (!reader) fail_msg("%s", support_message);
    writer_assert_values(reader, rows);
    if (dimension) writer_assert_searches(reader, rows, false, 6);
    support_close(reader);
    writer_assert_shards(writer_prefix, rows, 0);
    free(sharding);
    free(columns);
    writer_rows_free(rows);
}

static void test_integer_keys(void **state) {
    (void)state;
    go(WRITER_U64, NULL, "int", "key % 4", 4, true, 0, 0);
}

static void test_integer_keys_hashed(void **state) {
    (void)state;
    go(WRITER_U64, NULL, "uint", "shard_hash(key) % 7u", 7, false, 0, 0);
}

static void test_small_integer_keys(void **state) {
    (void)state;
    go(WRITER_U32, "u32be", "uint", "key % 3u", 3, false, 0, 0);
}

static void test_text_keys(void **state) {
    (void)state;
    go(WRITER_TEXT, NULL, "string", "string(shard_hash(key) % 5u)", 5, false, 0, 0);
}

static void test_more_than_memory(void **state) {
    (void)state;
    go(WRITER_U64, NULL, "int", "key % 4", 4, false, 0, 4u << 20);
}

static void test_vectors(void **state) {
    (void)state;
    go(WRITER_TEXT, NULL, "string", "shard_hash(key) % 4u", 4, true, 9, 0);
}

/* ---- contexts ---- */

#define REGIONS 5u
static const char *const regions[REGIONS] = {"eu", "us-west", "", "\xe6\x97\xa5\xe6\x9c\xac", "ap"};

struct context {
    shf_context_value values[2];
    shf_routing_context context;
};

/* Not in the order of the list, and without its last. */
static const char *region_of(size_t number) { return regions[(number * number % 7 + 1) % REGIONS]; }

static const shf_routing_context *context_of(struct context *context, size_t number) {
    const char *region = region_of(number);
    context->values[0] =
        (shf_context_value){.name = "region", .kind = SHF_CONTEXT_TEXT, .as.bytes = {region, strlen(region)}};
    context->values[1] = (shf_context_value){.name = "unused", .kind = SHF_CONTEXT_DOUBLE, .as.double_value = 1.5};
    context->context = (shf_routing_context){sizeof context->context, 2, context->values};
    return &context->context;
}

struct context_rows {
    struct writer_rows *rows;
    struct context *contexts;
};

static struct context_rows context_rows_new(size_t count, size_t value_most) {
    const struct writer_shape shape = {.rows = count, .keys = WRITER_TEXT, .value_most = value_most};
    struct context_rows out = {writer_rows_new(&shape), calloc(count, sizeof(struct context))};
    for (size_t i = 0; i < count; i++) out.rows->rows[i].context = context_of(&out.contexts[i], i);
    return out;
}

static void context_rows_free(struct context_rows *rows) {
    writer_rows_free(rows->rows);
    free(rows->contexts);
}

static void assert_found(const struct context_rows *all) {
    shf_status status;
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    if (!reader) fail_msg("%s", support_message);
    for (size_t i = 0; i < all->rows->shape.rows; i++) {
        const shf_row *row = &all->rows->rows[i];
        shf_op *op = NULL;
        shf_value value;
        SHF_INIT(&value);
        assert_int_equal(shf_get_sync(reader, &row->key, row->context, 0, &op), SHF_OK);
        assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
        assert_int_equal(value.status, SHF_OK);
        assert_int_equal(value.data.size, row->value.size);
        assert_memory_equal(value.data.data, row->value.data, value.data.size);
        shf_op_release(op);
    }
    support_close(reader);
}

/* Such keys begin with a NUL: none of them says anything, and the writer tells how many they are. */
static void test_raw_keys(void **state) {
    (void)state;
    const struct writer_shape shape = {.rows = 50, .keys = WRITER_RAW, .value_most = 20};
    struct writer_rows *rows = writer_rows_new(&shape);
    shf_writer_options options = cel_options(SHF_WRITE_KV, 3, "shard_hash(key) % 3u", "{\"key\": \"bytes\"}");
    shf_writer *writer = open_with(&options);
    writer_write(writer, rows->rows, shape.rows, 20);
    shf_publish_info info = finish(writer);
    assert_int_equal(info.rows_cut, 50);
    assert_int_equal(writer_count_files(writer_prefix, "shard.db"), 1);
    assert_found(&(struct context_rows){rows, NULL});
    writer_rows_free(rows);
}

static void test_given_values(void **state) {
    (void)state;
    struct context_rows rows = context_rows_new(1000, 100);
    shf_writer_options options = cel_options(SHF_WRITE_KV, 0, "region", "{\"region\": \"string\"}");
    options.routing_values = "[\"eu\", \"us-west\", \"ap\", \"\\u65e5\\u672c\", \"\", \"us-east\", \"unused\"]";
    shf_writer *writer = open_with(&options);
    writer_write(writer, rows.rows->rows, 1000, 64);
    assert_int_equal(finish(writer).num_dbs, 7);
    expect_meta("sharding", "{\"cel_columns\": {\"region\": \"string\"}, \"cel_expr\": \"region\", \"hash_algorithm\": "
                            "\"xxh3_64\", \"routing_values\": [\"eu\", \"us-west\", \"ap\", \"\\u65e5\\u672c\", \"\", "
                            "\"us-east\", \"unused\"], \"strategy\": \"cel\"}");
    expect_meta("(SELECT group_concat(db_id) FROM shards)", "0,1,3,4");
    assert_found(&rows);
    context_rows_free(&rows);
}

/* Tokens appear in another order than that of the shards, and rows go to the disk before the shards are known. */
static void infer(size_t count, size_t value_most, uint64_t memory_bytes) {
    struct context_rows rows = context_rows_new(count, value_most);
    shf_writer_options options =
        cel_options(SHF_WRITE_KV, 0, "region + \"/\"", "{\"region\": \"string\", \"unused\": \"double\"}");
    options.infer_routing_values = 1;
    options.memory_bytes = memory_bytes;
    shf_writer *writer = open_with(&options);
    writer_write(writer, rows.rows->rows, count, 64);
    shf_publish_info info = finish(writer);
    assert_int_equal(info.num_dbs, 4);
    assert_int_equal(info.spilled_bytes > 0, memory_bytes > 0);
    expect_meta("sharding",
                "{\"cel_columns\": {\"region\": \"string\", \"unused\": \"double\"}, \"cel_expr\": \"region + "
                "\\\"/\\\"\", \"hash_algorithm\": \"xxh3_64\", \"routing_values\": [\"/\", \"eu/\", "
                "\"us-west/\", \"\\u65e5\\u672c/\"], \"strategy\": \"cel\"}");
    sqlite3 *shard = open_shard(3);
    for (size_t i = 0; i < count; i += 17) {
        uint8_t key[64];
        bool is_there = strlen(region_of(i)) == 6;
        assert_int_equal(shard_has(shard, key, stored_key(&rows.rows->rows[i].key, WRITER_TEXT, key)), is_there);
    }
    (void)sqlite3_close(shard);
    assert_found(&rows);
    context_rows_free(&rows);
}

static void test_inferred_values(void **state) {
    (void)state;
    infer(1000, 100, 0);
}

static void test_inferred_values_beyond_memory(void **state) {
    (void)state;
    infer(4000, 5000, 4u << 20);
}

/* Integers by value, not by their text; uint and int are one; a token of refused rows only is none. */
static void test_inferred_integers(void **state) {
    (void)state;
    shf_writer_options options = cel_options(SHF_WRITE_KV, 0, "key / 10u", "{\"key\": \"uint\"}");
    options.infer_routing_values = 1;
    shf_writer *writer = open_with(&options);
    const int64_t keys[] = {1000, 95, 3, 991, 7, 99};
    shf_row rows[7];
    for (size_t i = 0; i < 6; i++) {
        SHF_INIT(&rows[i]);
        rows[i].key = shf_key_from_int(keys[i]);
    }
    rows[6] = rows[0];
    rows[6].key = shf_key_from_int(-1); /* refused, after its fellow's token 500 was seen */
    shf_row other = rows[0];
    other.key = shf_key_from_int(5000);
    const shf_row refused[] = {other, rows[6]};
    assert_int_equal(writer_try(writer, refused, 2, NULL), SHF_E_INVALID);
    writer_write(writer, rows, 6, 6);
    assert_int_equal(finish(writer).num_dbs, 4);
    expect_meta("json_extract(sharding, '$.routing_values')", "[0,9,99,100]");
    expect_meta("(SELECT group_concat(row_count) FROM shards)", "2,2,1,1");
}

static void test_inferred_bytes(void **state) {
    (void)state;
    shf_writer_options options = cel_options(SHF_WRITE_KV, 0, "key", "{\"key\": \"bytes\"}");
    options.infer_routing_values = 1;
    shf_writer *writer = open_with(&options);
    static const char *const keys[] = {"b\0x", "a", "b\0y", "\xc3\xa9"};
    static const size_t sizes[] = {3, 1, 3, 2};
    shf_row rows[5];
    shf_write_info info;
    for (size_t i = 0; i < 4; i++) {
        SHF_INIT(&rows[i]);
        rows[i].key = shf_key_from_bytes(keys[i], sizes[i]);
    }
    rows[4] = rows[0];
    rows[4].key = shf_key_from_bytes("\xff", 1);
    assert_int_equal(writer_try(writer, &rows[3], 2, &info), SHF_E_ROUTING);
    assert_int_equal(info.bad_row, 1);
    assert_non_null(strstr(support_message, "not valid UTF-8"));
    writer_write(writer, rows, 4, 4);
    shf_publish_info published = finish(writer);
    assert_int_equal(published.num_dbs, 3);
    assert_int_equal(published.rows_cut, 2);
    expect_meta("json_extract(sharding, '$.routing_values')", "[\"a\",\"b\",\"\\u00e9\"]");
}

static void test_no_rows(void **state) {
    (void)state;
    shf_writer_options options = cel_options(SHF_WRITE_KV, 0, "key", "{\"key\": \"string\"}");
    options.infer_routing_values = 1;
    assert_int_equal(finish(open_with(&options)).num_dbs, 1);
    expect_meta("json_extract(sharding, '$.routing_values')", "[]");
    options.infer_routing_values = 0;
    options.run_id = "again";
    assert_int_equal(finish(open_with(&options)).num_dbs, 1);
}

/* Writes that have to wait for the disk are copied, and their contexts may be gone by then. */
static void test_waiting_writes(void **state) {
    (void)state;
    enum { WRITES = 400, ROWS = 16 };
    struct context_rows rows = context_rows_new(WRITES * ROWS, 3000);
    shf_writer_options options = cel_options(SHF_WRITE_KV, 0, "region", "{\"region\": \"string\"}");
    options.infer_routing_values = 1;
    options.memory_bytes = 4u << 20;
    shf_writer *writer = open_with(&options);
    unsigned done = 0, waited = 0;
    for (unsigned i = 0; i < WRITES; i++) {
        shf_call call = support_call();
        shf_op *op = NULL;
        shf_op_id id = 0;
        struct context contexts[ROWS];
        shf_row given[ROWS];
        for (size_t k = 0; k < ROWS; k++) {
            given[k] = rows.rows->rows[i * ROWS + k];
            given[k].context = context_of(&contexts[k], i * ROWS + k);
        }
        assert_int_equal(shf_write(writer, given, ROWS, &call, &id), SHF_OK);
        memset(contexts, 0xee, sizeof contexts);
        if (!shf_cq_poll(support_cq, &op, 1, 0)) {
            waited++;
            continue;
        }
        assert_int_equal(shf_op_status(op), SHF_OK);
        shf_op_release(op);
        done++;
    }
    for (; done < WRITES; done++) {
        shf_op *op = NULL;
        assert_int_equal(shf_cq_poll(support_cq, &op, 1, -1), 1);
        assert_int_equal(shf_op_status(op), SHF_OK);
        shf_op_release(op);
    }
    assert_true(waited > 0);
    assert_int_equal(finish(writer).rows, WRITES * ROWS);
    assert_found(&rows);
    context_rows_free(&rows);
}

/* ---- what is refused ---- */

static void refuse_open(shf_writer_options options, const char *says) {
    shf_status status;
    assert_null(writer_open(&options, &status));
    assert_int_equal(status, SHF_E_INVALID);
    if (says && !strstr(support_message, says)) fail_msg("\"%s\" does not say \"%s\"", support_message, says);
}

static void test_refused_options(void **state) {
    (void)state;
    const char *columns = "{\"key\": \"int\"}";
    shf_writer_options good = cel_options(SHF_WRITE_KV, 0, "key % 4", columns), o = good;
    o.cel_columns = NULL;
    refuse_open(o, NULL);
    o = good;
    o.cel_expr = NULL;
    refuse_open(o, NULL);
    o = good;
    o.max_keys_per_shard = 10;
    refuse_open(o, NULL);
    o = good;
    o.infer_routing_values = 2;
    refuse_open(o, NULL);
    o.infer_routing_values = 1;
    o.num_dbs = 3;
    refuse_open(o, NULL);
    o.num_dbs = 0;
    o.routing_values = "[1]";
    refuse_open(o, NULL);
    o = writer_options(writer_prefix, SHF_WRITE_KV, 3);
    o.routing_values = "[1]";
    refuse_open(o, NULL);
    refuse_open(cel_options(SHF_WRITE_KV, 0, "key %% 4", columns), "offset 5");
    refuse_open(cel_options(SHF_WRITE_KV, 0, "key % 4u", columns), "offset 4");
    refuse_open(cel_options(SHF_WRITE_KV, 0, "kez % 4", columns), "kez");
    refuse_open(cel_options(SHF_WRITE_KV, 0, "key < 4", columns), "type bool, which names no shard");
    refuse_open(cel_options(SHF_WRITE_KV, 0, "key % 4", "{\"key\": \"integer\"}"), "column key");
    refuse_open(cel_options(SHF_WRITE_KV, 0, "key % 4", "{}"), "no JSON object with a member");
    o = good;
    o.routing_values = "[0, 1, 1]";
    refuse_open(o, "occurs twice");
    o.routing_values = "[0, 1, 2]";
    o.num_dbs = 4;
    refuse_open(o, "3 routing values make 3 shards");
    o.num_dbs = 3;
    writer_close(open_with(&o));
}

static shf_row integer_row(int64_t key) {
    shf_row row;
    SHF_INIT(&row);
    row.key = shf_key_from_int(key);
    return row;
}

static void refuse_row(shf_writer *writer, shf_row wrong, shf_status code, const char *says) {
    const shf_row rows[] = {integer_row(1), wrong};
    shf_write_info info;
    shf_status status = writer_try(writer, rows, 2, &info);
    if (status != code || !strstr(support_message, says))
        fail_msg("%d: \"%s\", not \"%s\"", status, support_message, says);
    assert_int_equal(info.has_bad_row, 1);
    assert_int_equal(info.bad_row, 1);
    assert_non_null(strstr(support_message, "row 1 of this write: "));
}

static void test_refused_rows(void **state) {
    (void)state;
    shf_writer_options options = cel_options(SHF_WRITE_KV, 4, "100 / key", "{\"key\": \"int\"}");
    options.routing_values = "[100, 50, 7, 20]";
    shf_writer *writer = open_with(&options);
    refuse_row(writer, integer_row(0), SHF_E_ROUTING, "divi");
    refuse_row(writer, integer_row(4), SHF_E_ROUTING, "25 is none of the snapshot's routing values");
    shf_row row = integer_row(2);
    shf_routing_context context = {.struct_size = 3};
    row.context = &context;
    refuse_row(writer, row, SHF_E_INVALID, "routing context");
    context = (shf_routing_context){sizeof context, 1, NULL};
    refuse_row(writer, row, SHF_E_INVALID, "routing context");
    shf_context_value value = {.name = "key", .kind = SHF_CONTEXT_TEXT, .as.bytes = {"2", 1}};
    context.values = &value;
    refuse_row(writer, row, SHF_E_ROUTING, "key"); /* names the column: text for an int */
    value.name = "other";
    refuse_row(writer, row, SHF_E_ROUTING, "key"); /* and one that is missing */
    const shf_row rows[] = {integer_row(1), integer_row(2), integer_row(5)};
    writer_write(writer, rows, 3, 3);
    assert_int_equal(finish(writer).rows, 3);
}

static void test_context_is_needed(void **state) {
    (void)state;
    shf_writer_options options = cel_options(SHF_WRITE_KV, 4, "tier % 4", "{\"tier\": \"int\", \"key\": \"int\"}");
    shf_writer *writer = open_with(&options);
    shf_row row = integer_row(1);
    assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_INVALID);
    assert_non_null(strstr(support_message, "the row has no routing context"));
    assert_non_null(strstr(support_message, "tier"));
    writer_close(writer);
}

static void test_direct_numbers(void **state) {
    (void)state;
    shf_writer_options options = cel_options(SHF_WRITE_KV, 0, "key - 1", "{\"key\": \"int\"}");
    shf_writer *writer = open_with(&options);
    refuse_row(writer, integer_row(0), SHF_E_ROUTING, "gives shard -1");
    refuse_row(writer, integer_row(32769), SHF_E_ROUTING, "gives shard 32768");
    const shf_row rows[] = {integer_row(4), integer_row(1), integer_row(2)};
    shf_status status;
    writer_write(writer, rows, 3, 3);
    assert_null(writer_publish(writer, &status));
    assert_int_equal(status, SHF_E_ROUTING);
    assert_non_null(strstr(support_message, "up to 3, but no row belongs to shard 2"));
    writer_close(writer);
    assert_int_equal(writer_count_files(writer_prefix, "manifest"), 0);
    /* With their number given, shards may be empty. */
    options.num_dbs = 6;
    options.run_id = "again";
    writer = open_with(&options);
    writer_write(writer, rows, 3, 3);
    assert_int_equal(finish(writer).num_dbs, 6);
    expect_meta("num_dbs || ': ' || (SELECT group_concat(db_id) FROM shards)", "6: 0,1,3");
}

/* Each value needs a shard, and there are no more than so many. */
static void test_too_many_values(void **state) {
    (void)state;
    shf_writer_options options = cel_options(SHF_WRITE_KV, 0, "key", "{\"key\": \"int\"}");
    options.infer_routing_values = 1;
    options.flags = SHF_WRITE_DRY_RUN;
    shf_writer *writer = open_with(&options);
    shf_row *rows = calloc(32769, sizeof *rows);
    for (int64_t i = 0; i < 32769; i++) rows[i] = integer_row(i);
    shf_write_info info;
    assert_int_equal(writer_try(writer, rows, 32769, &info), SHF_E_LIMIT);
    assert_int_equal(info.bad_row, 32768);
    assert_non_null(strstr(support_message, "more than 32768 routing values"));
    writer_write(writer, rows, 32768, 8192);
    assert_int_equal(finish(writer).num_dbs, 32768);
    free(rows);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_begin, writer_end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_integer_keys),
        TEST(test_integer_keys_hashed),
        TEST(test_small_integer_keys),
        TEST(test_text_keys),
        TEST(test_more_than_memory),
        TEST(test_vectors),
        TEST(test_raw_keys),
        TEST(test_given_values),
        TEST(test_inferred_values),
        TEST(test_inferred_values_beyond_memory),
        TEST(test_inferred_integers),
        TEST(test_inferred_bytes),
        TEST(test_no_rows),
        TEST(test_waiting_writes),
        TEST(test_refused_options),
        TEST(test_refused_rows),
        TEST(test_context_is_needed),
        TEST(test_direct_numbers),
        TEST(test_too_many_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
