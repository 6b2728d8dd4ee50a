/* Round trips over files: what is written comes back bit for bit, whatever its shape. */
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERIES 6u

/* ---- one trip ---- */

struct trip {
    struct writer_shape shape;
    uint32_t num_dbs;
    uint64_t max_keys_per_shard, memory_bytes;
    uint32_t page_size;
    bool is_l2;
    size_t batch;
    bool spills;
};

static shf_writer_options options_of(const struct trip *trip) {
    shf_writer_options options =
        writer_options(writer_prefix, trip->shape.dimension ? SHF_WRITE_UNIFIED : SHF_WRITE_KV, trip->num_dbs);
    options.max_keys_per_shard = trip->max_keys_per_shard;
    options.memory_bytes = trip->memory_bytes;
    options.page_size = trip->page_size;
    if (trip->shape.keys == WRITER_U32) options.key_encoding = "u32be";
    if (trip->shape.keys == WRITER_RAW) options.key_encoding = "raw";
    if (trip->shape.dimension && trip->is_l2) options.metric = "l2";
    options.dimension = trip->shape.rows ? 0 : trip->shape.dimension;
    return options;
}

static void assert_readable(const struct trip *trip, const struct writer_rows *rows, const shf_op *publish) {
    shf_status status;
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(reader);
    writer_assert_told(publish, reader, rows);
    writer_assert_values(reader, rows);
    if (trip->shape.dimension) writer_assert_searches(reader, rows, trip->is_l2, QUERIES);
    support_close(reader);
}

static void travel(const struct trip *trip, struct writer_rows *rows) {
    shf_status status;
    shf_writer_options options = options_of(trip);
    shf_writer *writer = writer_open(&options, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(writer);
    writer_write(writer, rows->rows, rows->shape.rows, trip->batch ? trip->batch : 100);
    shf_op *publish = writer_publish(writer, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(publish);
    shf_publish_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_op_publish_info(publish, &info), SHF_OK);
    if (trip->num_dbs) assert_int_equal(info.num_dbs, trip->num_dbs);
    assert_int_equal(info.is_unconditional, 0);
    assert_int_equal(info.shard_retries + info.attempts_left + info.rows_replaced, 0);
    assert_int_equal(info.spilled_bytes > 0, trip->spills);
    assert_non_null(strstr(info.run_record, "/runs/"));
    assert_null(shf_op_publish_left_manifest(publish));
    assert_readable(trip, rows, publish);
    writer_assert_shards(writer_prefix, rows, trip->page_size);
    shf_op_release(publish);
    writer_close(writer);
    writer_assert_tidy(writer_root);
}

static void go(const struct trip *trip) {
    struct writer_rows *rows = writer_rows_new(&trip->shape);
    writer_rows_shuffle(rows, 42);
    travel(trip, rows);
    writer_rows_free(rows);
}

/* ---- shapes ---- */

static void test_no_rows(void **state) {
    (void)state;
    const struct trip trip = {.num_dbs = 3};
    go(&trip);
    assert_int_equal(writer_count_files(writer_prefix, "shard.db"), 0);
}

static void test_no_rows_with_vectors(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.dimension = 7}, .num_dbs = 2};
    go(&trip);
}

static void test_no_rows_with_most_keys(void **state) {
    (void)state;
    const struct trip trip = {.max_keys_per_shard = 10};
    go(&trip);
}

static void test_one_row(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 1, .value_least = 10, .value_most = 10}, .num_dbs = 1};
    go(&trip);
}

static void test_one_row_with_a_vector(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 1, .dimension = 1, .payload_every = 1}, .num_dbs = 1, .is_l2 = true};
    go(&trip);
}

static void test_integer_keys(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 5000, .value_most = 300}, .num_dbs = 4};
    go(&trip);
}

static void test_small_integer_keys(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 3000, .keys = WRITER_U32, .value_most = 100}, .num_dbs = 3};
    go(&trip);
}

static void test_text_keys(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 3000, .keys = WRITER_TEXT, .value_most = 5000}, .num_dbs = 3};
    go(&trip);
}

static void test_raw_keys(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 3000, .keys = WRITER_RAW, .value_most = 50}, .num_dbs = 5};
    go(&trip);
}

static void test_values_of_no_bytes(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 2000}, .num_dbs = 2};
    go(&trip);
}

static void test_empty_shards(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 5, .value_most = 100}, .num_dbs = 16};
    go(&trip);
}

static void test_most_keys_a_shard(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 1001, .value_most = 100}, .max_keys_per_shard = 100};
    go(&trip);
}

static void test_most_keys_a_shard_with_spilling(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 20000, .value_least = 300, .value_most = 1500},
                              .max_keys_per_shard = 3000,
                              .memory_bytes = 4 << 20,
                              .spills = true};
    go(&trip);
}

static void test_spilling(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 20000,
                                        .keys = WRITER_TEXT,
                                        .value_least = 300,
                                        .value_most = 1500,
                                        .dimension = 4,
                                        .id_kind = SHF_ID_INT,
                                        .payload_every = 2},
                              .num_dbs = 4,
                              .memory_bytes = 4 << 20,
                              .batch = 1000,
                              .spills = true};
    go(&trip);
}

static void test_page_sizes(void **state) {
    (void)state;
    for (uint32_t size = 4096; size <= 65536; size *= 2) {
        const struct trip trip = {.shape = {.rows = 600, .keys = WRITER_TEXT, .value_most = 9000, .dimension = 5},
                                  .num_dbs = 2,
                                  .page_size = size};
        go(&trip);
        support_remove_tree(writer_prefix);
    }
}

static void test_large_values_choose_large_pages(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 400, .value_least = 20000, .value_most = 90000}, .num_dbs = 2};
    go(&trip);
}

/* ---- vectors ---- */

static void test_ids_that_are_keys(void **state) {
    (void)state;
    static const enum writer_keys kinds[] = {WRITER_U64, WRITER_U32, WRITER_TEXT};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct trip trip = {
            .shape = {.rows = 2500, .keys = kinds[i], .value_most = 60, .dimension = 16, .payload_every = 3},
            .num_dbs = 2};
        go(&trip);
        support_remove_tree(writer_prefix);
    }
}

static void test_other_ids(void **state) {
    (void)state;
    for (uint32_t kind = SHF_ID_INT; kind <= SHF_ID_TEXT; kind++) {
        for (int keys = WRITER_U64; keys <= WRITER_RAW; keys++) {
            const struct trip trip = {.shape = {.rows = 1500,
                                                .keys = (enum writer_keys)keys,
                                                .value_most = 60,
                                                .dimension = 8,
                                                .id_kind = kind,
                                                .payload_every = 1},
                                      .num_dbs = 3,
                                      .is_l2 = keys % 2};
            go(&trip);
            support_remove_tree(writer_prefix);
        }
    }
}

static void test_widest_vectors(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 1100, .value_most = 10, .dimension = 4096}, .num_dbs = 1, .is_l2 = true};
    go(&trip);
}

static void test_a_vector_of_one(void **state) {
    (void)state;
    const struct trip trip = {.shape = {.rows = 3000, .value_most = 10, .dimension = 1}, .num_dbs = 2, .is_l2 = true};
    go(&trip);
}

/* ---- the large ---- */

static shf_row plain_row(shf_key key, const void *value, size_t size) {
    shf_row row;
    SHF_INIT(&row);
    row.key = key;
    row.value.data = value;
    row.value.size = size;
    return row;
}

static void go_with(const shf_row *given, size_t count, const struct trip *trip) {
    struct writer_rows rows = {.shape = trip->shape};
    rows.rows = malloc(count * sizeof *given);
    memcpy(rows.rows, given, count * sizeof *given);
    rows.shape.rows = count;
    travel(trip, &rows);
    free(rows.rows);
}

static void test_a_key_of_a_mebibyte(void **state) {
    (void)state;
    size_t size = 1 << 20;
    char *keys[3];
    shf_row rows[4];
    for (int i = 0; i < 3; i++) {
        keys[i] = malloc(size);
        memset(keys[i], 'k', size);
        keys[i][size - 1] = (char)('a' + i); /* they differ in the last byte */
        rows[i] = plain_row(shf_key_from_text(keys[i], size), "v", 1);
    }
    rows[3] = plain_row(shf_key_from_text(NULL, 0), "of the empty key", 16);
    const struct trip trip = {.shape = {.keys = WRITER_TEXT}, .num_dbs = 2};
    go_with(rows, 4, &trip);
    for (int i = 0; i < 3; i++) free(keys[i]);
}

static void test_a_value_of_a_hundred_mebibytes(void **state) {
    (void)state;
    size_t size = 100 << 20;
    char *value = malloc(size);
    for (size_t i = 0; i < size; i += 8) memcpy(value + i, &i, 8);
    shf_row rows[] = {plain_row(shf_key_from_int(1), "before", 6), plain_row(shf_key_from_int(2), value, size),
                      plain_row(shf_key_from_int(4), "after", 5)};
    const struct trip trip = {.num_dbs = 1, .spills = true};
    go_with(rows, 3, &trip);
    support_remove_tree(writer_prefix);
    const struct trip tight = {.num_dbs = 1, .memory_bytes = 4 << 20, .spills = true};
    go_with(rows, 3, &tight);
    free(value);
}

/* ---- what the manifest says ---- */

static void assert_keys_of(const shf_op *publish, const char *least, const char *most) {
    shf_shard_info shard;
    SHF_INIT(&shard);
    assert_int_equal(shf_op_publish_shard(publish, 0, &shard), SHF_OK);
    if (!least) {
        assert_null(shard.min_key);
        assert_null(shard.max_key);
        return;
    }
    assert_string_equal(shard.min_key, least);
    assert_string_equal(shard.max_key, most);
}

static void look_at_keys(const char *encoding, const shf_row *rows, size_t count, const char *least, const char *most) {
    shf_status status;
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_KV, 1);
    options.key_encoding = encoding;
    shf_writer *writer = writer_open(&options, &status);
    assert_non_null(writer);
    writer_write(writer, rows, count, count);
    shf_op *publish = writer_publish(writer, &status);
    assert_non_null(publish);
    assert_keys_of(publish, least, most);
    shf_shard_info shard;
    SHF_INIT(&shard);
    assert_int_equal(shf_op_publish_shard(publish, 1, &shard), SHF_E_INVALID);
    shf_op_release(publish);
    writer_close(writer);
}

static void test_least_and_greatest_keys(void **state) {
    (void)state;
    const shf_row integers[] = {plain_row(shf_key_from_int(70000), "", 0), plain_row(shf_key_from_int(3), "", 0),
                                plain_row(shf_key_from_uint(INT64_MAX), "", 0)};
    look_at_keys("u64be", integers, 3, "3", "9223372036854775807");
    look_at_keys("u32be", integers, 2, "3", "70000");
    const shf_row texts[] = {plain_row(shf_key_from_text("b\"\n", 3), "", 0),
                             plain_row(shf_key_from_text("\xc3\xa4", 2), "", 0),
                             plain_row(shf_key_from_text("a\\", 2), "", 0)};
    look_at_keys("utf8", texts, 3, "\"a\\\\\"", "\"\\u00e4\"");
    look_at_keys("raw", texts, 3, NULL, NULL);
}

static void test_custom_fields_and_column(void **state) {
    (void)state;
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_KV, 2);
    options.custom = "{\"team\": \"\xc3\xa4 search\", \"n\": [1, 2.5, null]}";
    options.key_column = "package";
    options.run_id = "a.run_of-7";
    options.flags = SHF_WRITE_NO_SIDECAR;
    const struct writer_shape shape = {.rows = 100, .value_most = 20};
    struct writer_rows *rows = writer_rows_new(&shape);
    writer_make(&options, rows, 10);
    shf_status status;
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    assert_non_null(reader);
    writer_assert_values(reader, rows);
    support_close(reader);
    assert_int_equal(writer_count_files(writer_prefix, "shard.sidecar"), 0);
    char *manifest = support_find_file(writer_prefix, "manifest", 0);
    assert_non_null(strstr(manifest, "_run_id=a.run_of-7/manifest"));
    free(manifest);
    writer_rows_free(rows);
}

static void test_a_dry_run_writes_nothing(void **state) {
    (void)state;
    const struct writer_shape shape = {.rows = 1000, .value_most = 200, .dimension = 4};
    struct writer_rows *rows = writer_rows_new(&shape);
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_UNIFIED, 4);
    options.flags = SHF_WRITE_DRY_RUN;
    options.local_root = writer_root;
    shf_status status;
    shf_writer *writer = writer_open(&options, &status);
    assert_non_null(writer);
    writer_write(writer, rows->rows, rows->shape.rows, 100);
    shf_op *publish = writer_publish(writer, &status);
    assert_non_null(publish);
    shf_publish_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_op_publish_info(publish, &info), SHF_OK);
    assert_int_equal(info.rows, 1000);
    assert_int_equal(info.db_bytes, 0);
    assert_null(info.manifest_ref);
    assert_null(info.run_record);
    shf_op_release(publish);
    writer_close(writer);
    writer_assert_tidy(writer_root);
    assert_int_equal(writer_count_files(writer_root, "snapshots"), 0);
    writer_rows_free(rows);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_begin, writer_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_no_rows),
        TEST(test_no_rows_with_vectors),
        TEST(test_no_rows_with_most_keys),
        TEST(test_one_row),
        TEST(test_one_row_with_a_vector),
        TEST(test_integer_keys),
        TEST(test_small_integer_keys),
        TEST(test_text_keys),
        TEST(test_raw_keys),
        TEST(test_values_of_no_bytes),
        TEST(test_empty_shards),
        TEST(test_most_keys_a_shard),
        TEST(test_most_keys_a_shard_with_spilling),
        TEST(test_spilling),
        TEST(test_page_sizes),
        TEST(test_large_values_choose_large_pages),
        TEST(test_ids_that_are_keys),
        TEST(test_other_ids),
        TEST(test_widest_vectors),
        TEST(test_a_vector_of_one),
        TEST(test_a_key_of_a_mebibyte),
        TEST(test_a_value_of_a_hundred_mebibytes),
        TEST(test_least_and_greatest_keys),
        TEST(test_custom_fields_and_column),
        TEST(test_a_dry_run_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
