/* What a writer refuses: each wrong row with its place and a message that says why, each wrong option, each conflict. */
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIMENSION 3u

static shf_writer *open_writer(uint32_t backend, const char *encoding, uint32_t flags) {
    shf_status status;
    shf_writer_options options = writer_options(writer_prefix, backend, 3);
    options.key_encoding = encoding;
    options.flags = flags;
    shf_writer *writer = writer_open(&options, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(writer);
    return writer;
}

static const float some_vector[DIMENSION] = {1, 2, 3};

static shf_row kv_row(shf_key key, const char *value) {
    shf_row row;
    SHF_INIT(&row);
    row.key = key;
    row.value.data = value;
    row.value.size = strlen(value);
    return row;
}

static shf_row unified_row(shf_key key, const char *value) {
    shf_row row = kv_row(key, value);
    row.vector = some_vector;
    row.dimension = DIMENSION;
    return row;
}

static shf_key text(const char *key) { return shf_key_from_text(key, strlen(key)); }

static void assert_says(const char *part) {
    if (!strstr(support_message, part)) print_message("\"%s\" does not say \"%s\"\n", support_message, part);
    assert_non_null(strstr(support_message, part));
}

/* Between two good rows, the wrong one is found; none of the three is taken. */
static void assert_refuses(shf_writer *writer, shf_row good, shf_row wrong, shf_status status, const char *says) {
    shf_write_info info;
    const shf_row rows[] = {good, wrong, good};
    shf_status got = writer_try(writer, rows, 3, &info);
    if (got != status) print_message("%d: %s\n", got, support_message);
    assert_int_equal(got, status);
    assert_int_equal(info.has_bad_row, 1);
    assert_int_equal(info.bad_row, 1);
    assert_says("row 1 of this write");
    assert_says(says);
}

/* The writer goes on, and the snapshot has exactly these rows. */
static void finish(shf_writer *writer, const shf_row *rows, size_t count) {
    shf_status status;
    writer_write(writer, rows, count, 1);
    shf_op *publish = writer_publish(writer, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(publish);
    shf_publish_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_op_publish_info(publish, &info), SHF_OK);
    assert_int_equal(info.rows, count);
    shf_op_release(publish);
    writer_close(writer);
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    assert_non_null(reader);
    for (size_t i = 0; i < count; i++) {
        shf_op *op = NULL;
        shf_value value;
        SHF_INIT(&value);
        assert_int_equal(shf_get_sync(reader, &rows[i].key, NULL, 0, &op), SHF_OK);
        assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
        assert_int_equal(value.status, SHF_OK);
        assert_int_equal(value.data.size, rows[i].value.size);
        assert_memory_equal(value.data.data, rows[i].value.data, value.data.size);
        shf_op_release(op);
    }
    support_close(reader);
    writer_assert_tidy(writer_root);
}

/* ---- rows ---- */

static void test_integer_keys(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_KV, NULL, 0);
    shf_row good = kv_row(shf_key_from_int(1), "one");
    shf_row nothing = good;
    nothing.key.kind = 0;
    assert_refuses(writer, good, nothing, SHF_E_INVALID, "none of SHF_KEY_*");
    nothing.key.kind = 9;
    assert_refuses(writer, good, nothing, SHF_E_INVALID, "none of SHF_KEY_*");
    assert_refuses(writer, good, kv_row(shf_key_from_int(-5), "v"), SHF_E_INVALID,
                   "-5 is negative; u64be holds 0 to 9223");
    assert_refuses(writer, good, kv_row(shf_key_from_uint(UINT64_MAX), "v"), SHF_E_INVALID,
                   "18446744073709551615 is too large");
    assert_refuses(writer, good, kv_row(text("a"), "v"), SHF_E_INVALID,
                   "the key is text; with key encoding u64be all keys are integers");
    assert_refuses(writer, good, kv_row(shf_key_from_bytes("a", 1), "v"), SHF_E_INVALID, "the key is bytes");
    /* A refused first write decides nothing: the keys may be of another kind after all. */
    const shf_row rows[] = {kv_row(text("a"), "x"), kv_row(text("b"), "y")};
    finish(writer, rows, 2);
}

static void test_small_integer_keys(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_KV, "u32be", 0);
    shf_row good = kv_row(shf_key_from_int(1), "one");
    assert_refuses(writer, good, kv_row(shf_key_from_int(INT64_C(1) << 32), "v"), SHF_E_INVALID,
                   "4294967296 is too large; u32be holds 0 to 4294967295");
    assert_refuses(writer, good, kv_row(shf_key_from_int(-1), "v"), SHF_E_INVALID, "negative");
    assert_refuses(writer, good, kv_row(text("1"), "v"), SHF_E_INVALID, "all keys are integers");
    const shf_row rows[] = {kv_row(shf_key_from_uint(UINT32_MAX), "x"), kv_row(shf_key_from_int(0), "y")};
    finish(writer, rows, 2);
}

static void test_text_keys(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_KV, "utf8", 0);
    shf_row good = kv_row(text("a"), "one");
    assert_refuses(writer, good, kv_row(shf_key_from_int(1), "v"), SHF_E_INVALID, "all keys are text");
    assert_refuses(writer, good, kv_row(shf_key_from_bytes("a", 1), "v"), SHF_E_INVALID, "the key is bytes");
    assert_refuses(writer, good, kv_row(text("\xff"), "v"), SHF_E_INVALID, "not valid UTF-8");
    assert_refuses(writer, good, kv_row(text("\xed\xa0\x80"), "v"), SHF_E_INVALID, "not valid UTF-8"); /* half a pair */
    assert_refuses(writer, good, kv_row(text("\xc0\x80"), "v"), SHF_E_INVALID, "not valid UTF-8"); /* too long a form */
    assert_refuses(writer, good, kv_row(shf_key_from_text(NULL, 3), "v"), SHF_E_INVALID, "null pointer");
    shf_row wrong = good;
    wrong.value.data = NULL;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "null pointer");
    wrong.value.size = (size_t)1 << 31;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "2147483648 bytes");
    wrong = good;
    wrong.key.as.bytes.size = (size_t)1 << 31;
    assert_refuses(writer, good, wrong, SHF_E_LIMIT, "together at most");
    const shf_row rows[] = {kv_row(text(""), "x"), kv_row(text("y"), "")};
    finish(writer, rows, 2);
}

static void test_raw_keys(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_KV, NULL, 0);
    shf_row good = kv_row(shf_key_from_bytes("\0\xff", 2), "one");
    writer_write(writer, &good, 1, 1); /* bytes first: raw, where text is welcome too */
    shf_row another = kv_row(shf_key_from_bytes("z", 1), "z");
    assert_refuses(writer, another, kv_row(shf_key_from_int(1), "v"), SHF_E_INVALID, "all keys are text or bytes");
    shf_row as_text = kv_row(text("t"), "two");
    writer_write(writer, &as_text, 1, 1);
    shf_status status;
    shf_op *publish = writer_publish(writer, &status);
    assert_non_null(publish);
    shf_op_release(publish);
    writer_close(writer);
}

static void test_vectors_in_a_kv_writer(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_KV, NULL, 0);
    shf_row good = kv_row(text("a"), "one"), wrong = good;
    wrong.vector = some_vector;
    wrong.dimension = DIMENSION;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "has a vector, an id or a payload");
    wrong = good;
    wrong.id.kind = SHF_ID_INT;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "has a vector, an id or a payload");
    wrong = good;
    wrong.payload = (shf_slice){"{}", 2};
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "has a vector, an id or a payload");
    finish(writer, &good, 1);
}

static void test_vectors(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_UNIFIED, NULL, 0);
    shf_row good = unified_row(text("a"), "one"), wrong = good;
    float bad[DIMENSION + 1] = {1, NAN, 1, 1};
    wrong.vector = bad;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "element 1 of the vector is not a finite number");
    bad[1] = 1;
    bad[2] = INFINITY;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "element 2 of the vector");
    bad[2] = -INFINITY;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "element 2 of the vector");
    bad[2] = 1;
    wrong.dimension = DIMENSION + 1;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "the vector has 4 dimensions, the others have 3");
    wrong.dimension = 8193;
    assert_refuses(writer, good, wrong, SHF_E_LIMIT, "8193 dimensions");
    wrong.dimension = 0;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "the row has no vector");
    wrong = good;
    wrong.vector = NULL;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "the row has no vector");
    finish(writer, &good, 1);
}

static void test_ids(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_UNIFIED, "raw", 0);
    shf_row good = unified_row(text("a"), "one"), wrong = unified_row(text("b"), "two");
    wrong.id.kind = SHF_ID_INT;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "the id is an integer, others are text");
    wrong.id.kind = 3;
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "none of SHF_ID_*");
    wrong.id.kind = SHF_ID_TEXT;
    wrong.id.text = (shf_slice){"\xff", 1};
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "the id is not valid UTF-8");
    wrong.id.text = (shf_slice){NULL, 1};
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "null pointer");
    wrong = unified_row(shf_key_from_bytes("\xff", 1), "two");
    assert_refuses(writer, good, wrong, SHF_E_INVALID, "the key is bytes, which can be no id");
    char *large = malloc(20000);
    memset(large, 'k', 20000);
    assert_refuses(writer, good, unified_row(shf_key_from_text(large, 20000), "v"), SHF_E_LIMIT,
                   "which is the id as well, has 20000 bytes");
    wrong = good;
    wrong.id.kind = SHF_ID_TEXT;
    wrong.id.text = (shf_slice){large, 20000};
    assert_refuses(writer, good, wrong, SHF_E_LIMIT, "the id has 20000 bytes");
    free(large);
    finish(writer, &good, 1);
}

static void test_payloads(void **state) {
    (void)state;
    static const char *const wrongs[] = {
        "", "[]", "1", "null", "{", "{} {}", "{\"a\": nan}", "{\"a\": \"\xff\"}", "\"x\"", "{'a': 1}"};
    shf_writer *writer = open_writer(SHF_WRITE_UNIFIED, NULL, 0);
    shf_row good = unified_row(text("a"), "one");
    good.payload = (shf_slice){" {\"a\": [1, {}]} ", 16};
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        shf_row wrong = unified_row(text("b"), "two");
        wrong.payload = (shf_slice){wrongs[i], strlen(wrongs[i])};
        assert_refuses(writer, good, wrong, SHF_E_INVALID, "the payload is no JSON object");
    }
    finish(writer, &good, 1);
}

static void test_origins_name_the_row(void **state) {
    (void)state;
    shf_write_info info;
    shf_writer *writer = open_writer(SHF_WRITE_KV, "u64be", 0);
    shf_row rows[] = {kv_row(shf_key_from_int(1), "a"), kv_row(shf_key_from_int(-1), "b")};
    rows[1].origin = 4711;
    assert_int_equal(writer_try(writer, rows, 2, &info), SHF_E_INVALID);
    assert_says("row 4711: ");
    assert_int_equal(info.bad_row, 1);
    finish(writer, rows, 1);
}

static void test_calls_that_can_not_be_read(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_KV, "u64be", 0);
    shf_row row = kv_row(shf_key_from_int(1), "a");
    shf_op *op = NULL;
    assert_int_equal(shf_write_sync(writer, &row, 0, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_write_sync(writer, &row, 65537, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_write_sync(writer, NULL, 1, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_write_sync(NULL, &row, 1, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_write_sync(writer, &row, 1, 0, NULL), SHF_E_INVALID);
    assert_null(op);
    shf_row small = row;
    small.struct_size = 2;
    assert_int_equal(shf_write_sync(writer, &small, 1, 0, &op), SHF_E_INVALID);
    assert_null(op);
    /* A struct of a later version: longer, with something where this library knows nothing. */
    struct {
        shf_row row;
        uint64_t more;
    } later = {row, 1};
    later.row.struct_size = sizeof later;
    shf_write_info info;
    assert_int_equal(writer_try(writer, &later.row, 1, &info), SHF_E_INVALID);
    assert_int_equal(info.has_bad_row, 1);
    shf_op_id id = 0;
    assert_int_equal(shf_write(writer, &row, 1, NULL, &id), SHF_E_INVALID);
    later.more = 0;
    assert_int_equal(writer_try(writer, &later.row, 1, &info), SHF_OK);
    assert_int_equal(info.has_bad_row, 0);
    shf_status status;
    shf_op *publish = writer_publish(writer, &status);
    assert_non_null(publish);
    assert_int_equal(shf_op_write_info(publish, &info), SHF_E_INVALID);
    shf_publish_conflict conflict;
    SHF_INIT(&conflict);
    assert_int_equal(shf_op_publish_conflict(publish, &conflict), SHF_E_INVALID);
    shf_op_release(publish);
    writer_close(writer);
}

/* ---- options ---- */

static void assert_option(const shf_writer_options *options, shf_status wanted, const char *says) {
    shf_status status;
    shf_writer *writer = writer_open(options, &status);
    if (writer) writer_close(writer);
    if (status != wanted) print_message("%d, wanted %d: %s\n", status, wanted, support_message);
    assert_int_equal(status, wanted);
    if (says) assert_says(says);
}

#define OPTION(field, content)                                                                                         \
    do {                                                                                                               \
        shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_UNIFIED, 2);                              \
        options.field = content;                                                                                       \
        assert_option(&options, SHF_E_INVALID, NULL);                                                                  \
    } while (0)

static void test_options(void **state) {
    (void)state;
    OPTION(struct_size, 3);
    OPTION(flags, 1u << 5);
    OPTION(flags, SHF_WRITE_RESUME); /* what should it go on with? */
    OPTION(url, NULL);
    OPTION(url, "");
    OPTION(backend, 0);
    OPTION(backend, 4);
    OPTION(num_dbs, 0);
    OPTION(num_dbs, 32769);
    OPTION(max_keys_per_shard, 5); /* both */
    OPTION(key_encoding, "");
    OPTION(key_encoding, "U64BE");
    OPTION(key_encoding, "utf-8");
    OPTION(metric, "dot_product");
    OPTION(metric, "");
    OPTION(dimension, 8193);
    OPTION(page_size, 512);
    OPTION(page_size, 5000);
    OPTION(page_size, 131072);
    OPTION(jobs, 257);
    OPTION(shard_attempts, 101);
    shf_writer_options kv = writer_options(writer_prefix, SHF_WRITE_KV, 1);
    kv.metric = "l2";
    assert_option(&kv, SHF_E_INVALID, NULL);
    kv = writer_options(writer_prefix, SHF_WRITE_KV, 1);
    kv.dimension = 3;
    assert_option(&kv, SHF_E_INVALID, NULL);
    shf_op *op = NULL;
    assert_int_equal(shf_writer_open_sync(support_runtime, NULL, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_writer_open_sync(NULL, &kv, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_writer_open_sync(support_runtime, &kv, 0, NULL), SHF_E_INVALID);
    assert_null(op);
    assert_int_equal(writer_count_files(writer_root, "snapshots"), 0); /* nothing was made */
}

/* Before any row is given. */
static void test_custom_that_is_no_object(void **state) {
    (void)state;
    static const char *const wrongs[] = {"", "[]", "{", "{\"a\": nan}", "1"};
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_KV, 1);
        options.custom = wrongs[i];
        assert_option(&options, SHF_E_INVALID, "the custom fields of the manifest");
    }
}

static void test_run_ids(void **state) {
    (void)state;
    static const char *const wrongs[] = {"", ".x", "a/b", "a b", "a=b", "\xc3\xa4", "a\nb", "..", "a%2f", "a:b"};
    char large[140];
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) OPTION(run_id, wrongs[i]);
    memset(large, 'r', sizeof large);
    large[129] = '\0';
    OPTION(run_id, large);
    large[128] = '\0';
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_KV, 1);
    options.run_id = large;
    assert_option(&options, SHF_OK, NULL);
}

static void test_urls(void **state) {
    (void)state;
    static const struct {
        const char *url, *says;
    } wrongs[] = {{"s3://bucket", "names no prefix"},
                  {"s3://bucket/", "names no prefix"},
                  {"/", "names no prefix"},
                  {"file:///", "names no prefix"},
                  {"http://host/prefix", "http"},
                  {"mem://x/y", NULL},
                  {"/some/run_id=5/prefix", "run_id="},
                  {"s3:///prefix", NULL}};
    shf_s3_options s3;
    SHF_INIT(&s3);
    s3.endpoint_url = "http://127.0.0.1:9"; /* nobody is asked */
    s3.access_key_id = "a";
    s3.secret_access_key = "b";
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        shf_writer_options options = writer_options(wrongs[i].url, SHF_WRITE_KV, 1);
        options.s3 = &s3;
        options.local_root = writer_root;
        assert_option(&options, SHF_E_INVALID, wrongs[i].says);
    }
    writer_assert_tidy(writer_root);
}

static void test_a_run_id_is_used_once(void **state) {
    (void)state;
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_KV, 1);
    options.run_id = "one";
    shf_status status;
    shf_writer *first = writer_open(&options, &status);
    assert_non_null(first);
    assert_string_equal(shf_writer_run_id(first), "one");
    assert_option(&options, SHF_E_STATE, "another writer holds its lease until");
    options.flags = SHF_WRITE_RESUME;
    assert_option(&options, SHF_E_STATE, "another writer holds its lease until");
    shf_row row = kv_row(shf_key_from_int(1), "a");
    finish(first, &row, 1);
    options.flags = 0;
    assert_option(&options, SHF_E_STATE, "is what _CURRENT names");
    options.flags = SHF_WRITE_RESUME;
    assert_option(&options, SHF_E_STATE, "is what _CURRENT names");
    options.flags = 0;
    options.run_id = "two";
    first = writer_open(&options, &status);
    assert_non_null(first);
    finish(first, &row, 1);
    options.run_id = "one";
    assert_option(&options, SHF_E_STATE, "was used before");
    options.flags = SHF_WRITE_RESUME;
    assert_option(&options, SHF_E_STATE, "was published");
    /* Given up: only a resume may go on with it. */
    options.flags = 0;
    options.run_id = "three";
    first = writer_open(&options, &status);
    assert_non_null(first);
    writer_close(first);
    assert_option(&options, SHF_E_STATE, "was used before: it has a run record");
    options.flags = SHF_WRITE_RESUME;
    first = writer_open(&options, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(first);
    finish(first, &row, 1);
}

/* ---- conflicts ---- */

static void assert_conflict(shf_writer *writer, uint32_t is_id, uint64_t first, uint64_t second) {
    shf_op *op = NULL;
    shf_publish_conflict conflict;
    shf_publish_info info;
    SHF_INIT(&conflict);
    SHF_INIT(&info);
    assert_int_equal(shf_publish_sync(writer, 0, &op), SHF_E_INVALID);
    assert_int_equal(shf_op_publish_conflict(op, &conflict), SHF_OK);
    assert_int_equal(conflict.is_id, is_id);
    assert_int_equal(conflict.first_origin, first);
    assert_int_equal(conflict.second_origin, second);
    assert_int_equal(shf_op_publish_info(op, &info), SHF_E_INVALID);
    (void)snprintf(support_message, sizeof support_message, "%s", shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    writer_close(writer);
    assert_int_equal(writer_count_files(writer_prefix, "_CURRENT"), 0);
    assert_int_equal(writer_count_files(writer_prefix, "manifest"), 0);
    writer_assert_tidy(writer_root);
}

static void test_duplicate_keys(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_KV, NULL, 0);
    for (int i = 0; i < 1000; i++) {
        shf_row row = kv_row(shf_key_from_int(i == 800 ? 17 : i), "v");
        row.origin = 5000 + (uint64_t)i;
        writer_write(writer, &row, 1, 1);
    }
    assert_conflict(writer, 0, 5017, 5800);
    assert_says("5017");
    assert_says("5800");
    assert_says("same key");
}

static void test_duplicate_keys_without_origins(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_KV, NULL, 0);
    const shf_row rows[] = {kv_row(text("a"), "1"), kv_row(text("b"), "2"), kv_row(text("a"), "3")};
    writer_write(writer, rows, 3, 2);
    assert_conflict(writer, 0, 1, 3);
}

static void test_duplicate_ids(void **state) {
    (void)state;
    for (uint32_t kind = SHF_ID_INT; kind <= SHF_ID_TEXT; kind++) {
        shf_writer *writer = open_writer(SHF_WRITE_UNIFIED, NULL, kind == SHF_ID_TEXT ? SHF_WRITE_LAST_WINS : 0);
        for (int i = 0; i < 1000; i++) {
            char id[16];
            shf_row row = unified_row(shf_key_from_int(i), "v");
            row.id.kind = kind;
            row.id.int_value = i == 900 ? 33 : i;
            row.id.text = (shf_slice){id, (size_t)snprintf(id, sizeof id, "id%d", i == 900 ? 33 : i)};
            writer_write(writer, &row, 1, 1);
        }
        assert_conflict(writer, 1, 34, 901);
        assert_says("same id and different keys");
    }
}

/* An id that is given, and equals the key of another row that has none of its own. */
static void test_an_id_that_is_another_key(void **state) {
    (void)state;
    shf_writer *writer = open_writer(SHF_WRITE_UNIFIED, NULL, 0);
    shf_row rows[] = {unified_row(shf_key_from_int(1), "a"), unified_row(shf_key_from_int(2), "b")};
    rows[1].id.kind = SHF_ID_INT;
    rows[1].id.int_value = 1;
    writer_write(writer, rows, 2, 2);
    assert_conflict(writer, 1, 1, 2);
}

/* Of a replaced row nothing stays: neither its vector, nor its payload, nor its id. */
static void test_the_last_row_wins_whole(void **state) {
    (void)state;
    static const float other_vector[DIMENSION] = {-3, 2, 1};
    shf_writer *writer = open_writer(SHF_WRITE_UNIFIED, NULL, SHF_WRITE_LAST_WINS);
    shf_row rows[] = {unified_row(text("a"), "old"), unified_row(text("b"), "b"), unified_row(text("a"), "middle"),
                      unified_row(text("a"), "new")};
    for (int i = 0; i < 4; i++) {
        rows[i].id.kind = SHF_ID_TEXT;
        rows[i].id.text = (shf_slice){i == 1 ? "id of b" : i == 3 ? "new id" : "old id", 7 - (i != 1)};
    }
    rows[0].payload = (shf_slice){"{\"old\": 1}", 10};
    rows[3].vector = other_vector;
    writer_write(writer, rows, 4, 3);
    shf_status status;
    shf_op *op = writer_publish(writer, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(op);
    shf_publish_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_op_publish_info(op, &info), SHF_OK);
    assert_int_equal(info.rows, 2);
    assert_int_equal(info.rows_replaced, 2);
    shf_op_release(op);
    writer_close(writer);
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    assert_non_null(reader);
    const struct writer_rows wanted = {.shape = {.rows = 2, .keys = WRITER_TEXT, .dimension = DIMENSION},
                                       .rows = (shf_row[]){rows[1], rows[3]}};
    writer_assert_values(reader, &wanted);
    writer_assert_searches(reader, &wanted, false, 8);
    support_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_begin, writer_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_integer_keys),
        TEST(test_small_integer_keys),
        TEST(test_text_keys),
        TEST(test_raw_keys),
        TEST(test_vectors_in_a_kv_writer),
        TEST(test_vectors),
        TEST(test_ids),
        TEST(test_payloads),
        TEST(test_origins_name_the_row),
        TEST(test_calls_that_can_not_be_read),
        TEST(test_options),
        TEST(test_custom_that_is_no_object),
        TEST(test_run_ids),
        TEST(test_urls),
        TEST(test_a_run_id_is_used_once),
        TEST(test_duplicate_keys),
        TEST(test_duplicate_keys_without_origins),
        TEST(test_duplicate_ids),
        TEST(test_an_id_that_is_another_key),
        TEST(test_the_last_row_wins_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
