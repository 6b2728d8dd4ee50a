/* What is refused of snapshots of vectors alone: options that do not go together, rows that are wrong, rows that exclude one another. */
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
#define COLUMNS "{\"region\": \"string\"}"

static const float table[4 * DIMENSION] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1};

static void assert_says(const char *part) {
    if (!strstr(support_message, part)) fail_msg("\"%s\" does not say \"%s\"", support_message, part);
}

static shf_writer_options base(const char *sharding) {
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_VECTOR, 2);
    options.vector_sharding = sharding;
    options.dimension = DIMENSION;
    return options;
}

static void assert_option(const shf_writer_options *options, const char *says) {
    shf_status status;
    shf_writer *writer = writer_open(options, &status);
    if (writer) {
        writer_close(writer);
        fail_msg("it was not refused: %s", says);
    }
    if (status != SHF_E_INVALID) fail_msg("%d: %s", status, support_message);
    assert_says(says);
}

#define OPTION(sharding, change, says)                                                                                 \
    do {                                                                                                               \
        shf_writer_options o = base(sharding);                                                                         \
        change;                                                                                                        \
        assert_option(&o, says);                                                                                       \
    } while (0)

static void test_strategies(void **state) {
    (void)state;
    OPTION(NULL, , "vector_sharding is missing: cluster, lsh, explicit or cel");
    OPTION("", , "vector_sharding is \"\"; known are cluster, lsh, explicit and cel");
    OPTION("hash", , "vector_sharding is \"hash\"; known are");
    OPTION("Cluster", , "vector_sharding is \"Cluster\"; known are");
    OPTION("cluster", o.num_dbs = 0, "vector_sharding cluster needs num_dbs");
    OPTION("lsh", o.num_dbs = 0, "vector_sharding lsh needs num_dbs");
    OPTION("explicit", o.num_dbs = 0, "vector_sharding explicit needs num_dbs");
    OPTION("explicit", o.num_probes = 2, "num_probes is 2, but with vector_sharding explicit");
    OPTION("cel", (o.cel_expr = "region", o.cel_columns = COLUMNS, o.num_probes = 2),
           "num_probes is 2, but with vector_sharding cel");
    OPTION("cel", o.cel_expr = "region", "needs cel_expr and cel_columns");
    OPTION("cel", o.cel_columns = COLUMNS, "needs cel_expr and cel_columns");
    OPTION("cel", (o.cel_expr = "region", o.cel_columns = COLUMNS, o.infer_routing_values = 1),
           "leave out routing_values");
    OPTION("cel", (o.cel_expr = "region ==", o.cel_columns = COLUMNS), "expression");
    OPTION("cel", (o.cel_expr = "region", o.cel_columns = COLUMNS, o.routing_values = "[\"a\", \"b\", \"c\"]"),
           "num_dbs");
}

static void test_options_of_others(void **state) {
    (void)state;
    OPTION("cluster", o.key_encoding = "u64be", "key_encoding, key_column and max_keys_per_shard");
    OPTION("cluster", o.key_column = "id", "key_encoding, key_column and max_keys_per_shard");
    OPTION("cluster", (o.num_dbs = 0, o.max_keys_per_shard = 5), "key_encoding, key_column and max_keys_per_shard");
    OPTION("cluster", o.metric = "dot_product", "sqlite-vec, which has no metric dot_product");
    OPTION("cluster", o.metric = "hamming", "the metric is \"hamming\"");
    OPTION("lsh", o.centroids = table, "centroids belongs to vector_sharding cluster, but it is lsh");
    OPTION("lsh", o.training_rows = 5, "training_rows belongs to vector_sharding cluster, but it is lsh");
    OPTION("explicit", o.training_rounds = 5, "training_rounds belongs to vector_sharding cluster, but it is explicit");
    OPTION("cluster", o.hyperplanes = table, "hyperplanes belongs to vector_sharding lsh, but it is cluster");
    OPTION("explicit", o.hash_bits = 8, "hash_bits belongs to vector_sharding lsh, but it is explicit");
    OPTION("explicit", o.cel_expr = "region", "cel_expr belongs to vector_sharding cel, but it is explicit");
    OPTION("lsh", o.cel_columns = COLUMNS, "cel_columns belongs to vector_sharding cel, but it is lsh");
    OPTION("lsh", o.routing_values = "[]", "routing_values belongs to vector_sharding cel, but it is lsh");
    OPTION("lsh", o.infer_routing_values = 1, "infer_routing_values belongs to vector_sharding cel");
    OPTION(NULL, (o.backend = SHF_WRITE_UNIFIED, o.num_probes = 1), "are for snapshots of vectors alone");
    OPTION("lsh", o.backend = SHF_WRITE_UNIFIED, "are for snapshots of vectors alone");
    OPTION("lsh", (o.backend = SHF_WRITE_KV, o.dimension = 0), "are for snapshots of vectors alone");
}

static void test_numbers(void **state) {
    (void)state;
    float broken[2 * DIMENSION] = {0, 1, 2, 3, 4, NAN};
    OPTION("lsh", o.hash_bits = 64, "hash_bits is 64; it must be 1 to 63");
    OPTION("lsh", (o.hash_bits = UINT32_MAX, o.hyperplanes = table), "hash_bits is 4294967295");
    OPTION("cluster", (o.centroids = table, o.training_rows = 5), "but centroids are given");
    OPTION("cluster", (o.centroids = table, o.training_rounds = 5), "but centroids are given");
    OPTION("cluster", o.training_rows = 1, "training_rows is 1, too few to find 2 centroids");
    OPTION("cluster", (o.centroids = table, o.dimension = 0), "centroids are given, and no dimension");
    OPTION("lsh", (o.hyperplanes = table, o.dimension = 0), "hyperplanes are given, and no dimension");
    OPTION("cluster", o.centroids = broken, "element 2 of centroid 1 is not a finite number");
    broken[5] = 0;
    broken[1] = INFINITY;
    OPTION("lsh", (o.hyperplanes = broken, o.hash_bits = 2), "element 1 of hyperplane 0 is not a finite number");
    OPTION("cluster", (o.num_dbs = 0, o.centroids = table), "needs num_dbs");
    OPTION("explicit", o.reserved = 1, "");
    OPTION("cluster", o.num_dbs = 32769, "");
    OPTION("cluster", o.dimension = 8193, "");
}

/* ---- rows ---- */

static const float vector[DIMENSION] = {1, 2, 3};

static shf_row row_of(int64_t id) {
    shf_row row;
    SHF_INIT(&row);
    row.id.kind = SHF_ID_INT;
    row.id.int_value = id;
    row.vector = vector;
    row.dimension = DIMENSION;
    return row;
}

static shf_writer *open_writer(const shf_writer_options *options) {
    shf_status status;
    shf_writer *writer = writer_open(options, &status);
    if (!writer) fail_msg("%s", support_message);
    return writer;
}

/* The second of two, so that the first must not be taken either. */
static void assert_row(shf_writer *writer, const shf_row *bad, shf_status wanted, const char *says) {
    shf_write_info info;
    shf_row rows[2] = {row_of(1), *bad};
    rows[0].context = bad->context; /* the sort of it is that of the writer */
    shf_status status = writer_try(writer, rows, 2, &info);
    if (status != wanted) fail_msg("%d, \"%s\"; \"%s\" is wanted", status, support_message, says);
    assert_says(says);
    assert_int_equal(info.has_bad_row, 1);
    assert_int_equal(info.bad_row, 1);
}

#define ROW(change, wanted, says)                                                                                      \
    do {                                                                                                               \
        shf_row r = row_of(2);                                                                                         \
        change;                                                                                                        \
        assert_row(writer, &r, wanted, says);                                                                          \
    } while (0)

static void test_rows(void **state) {
    (void)state;
    shf_writer_options options = base("explicit");
    shf_writer *writer = open_writer(&options);
    float broken[DIMENSION] = {1, NAN, 2}, large[4] = {1, 2, 3, 4};
    ROW(r.shard = 2, SHF_E_INVALID, "the row names shard 2, but num_dbs is 2");
    ROW(r.shard = UINT32_MAX, SHF_E_INVALID, "the row names shard 4294967295");
    ROW(r.id.kind = 0, SHF_E_INVALID, "the row has no id");
    ROW(r.id.kind = 3, SHF_E_INVALID, "none of SHF_ID_*");
    ROW((r.id.kind = SHF_ID_TEXT, r.id.text = (shf_slice){"a", 1}), SHF_E_INVALID, "ids are all integers or all text");
    ROW((r.id.kind = SHF_ID_TEXT, r.id.text = (shf_slice){"\xff", 1}), SHF_E_INVALID, "the id is not valid UTF-8");
    ROW((r.id.kind = SHF_ID_TEXT, r.id.text = (shf_slice){"a\0b", 3}), SHF_E_INVALID, "the id holds a NUL");
    ROW(r.key = shf_key_from_int(5), SHF_E_INVALID, "the row has a key");
    ROW((r.value = (shf_slice){"v", 1}), SHF_E_INVALID, "the row has a value");
    ROW((r.value = (shf_slice){"", 0}), SHF_E_INVALID, "the row has a value");
    ROW((r.vector = NULL, r.dimension = 0), SHF_E_INVALID, "the row has no vector");
    ROW((r.vector = large, r.dimension = 4), SHF_E_INVALID, "the vector has 4 dimensions, the others have 3");
    ROW(r.dimension = 2, SHF_E_INVALID, "the vector has 2 dimensions, the others have 3");
    ROW(r.vector = broken, SHF_E_INVALID, "element 1 of the vector is not a finite number");
    ROW((r.payload = (shf_slice){"[1]", 3}), SHF_E_INVALID, "the payload is no JSON object");
    ROW(r.reserved = 1, SHF_E_INVALID, "reserved is 1");
    writer_close(writer);
}

static void test_rows_that_say_too_much(void **state) {
    (void)state;
    static const char *const shardings[] = {"cluster", "lsh"};
    shf_routing_context context;
    SHF_INIT(&context);
    for (size_t i = 0; i < 2; i++) {
        shf_writer_options options = base(shardings[i]);
        shf_writer *writer = open_writer(&options);
        shf_row row = row_of(2);
        char *says = support_path("but vector_sharding is %s, which decides that", shardings[i]);
        row.shard = 1;
        assert_row(writer, &row, SHF_E_INVALID, says);
        free(says);
        row.shard = 0;
        row.context = &context;
        assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_INVALID);
        assert_says("the row has a routing context");
        writer_close(writer);
    }
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_UNIFIED, 2);
    shf_writer *writer = open_writer(&options);
    shf_row row = row_of(2);
    row.key = shf_key_from_int(2);
    row.shard = 1;
    assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_INVALID);
    assert_says("the row names a shard");
    writer_close(writer);
}

static void test_contexts(void **state) {
    (void)state;
    shf_writer_options options = base("cel");
    options.cel_expr = "region";
    options.cel_columns = COLUMNS;
    options.routing_values = "[\"eu\", \"us\"]";
    shf_context_value value = {.name = "region", .kind = SHF_CONTEXT_TEXT, .as.bytes = {"mars", 4}};
    shf_routing_context context = {.struct_size = sizeof context, .count = 1, .values = &value};
    shf_writer *writer = open_writer(&options);
    shf_row row = row_of(1);
    assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_INVALID);
    assert_says("the row has no routing context");
    row.context = &context;
    assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_ROUTING);
    assert_says("mars");
    row.shard = 1;
    assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_INVALID);
    assert_says("but vector_sharding is cel");
    writer_close(writer);
    options.cel_expr = "int(region)";
    options.routing_values = NULL;
    writer = open_writer(&options);
    row.shard = 0;
    value.as.bytes = (shf_slice){"2", 1};
    assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_ROUTING);
    assert_says("2");
    writer_close(writer);
    /* An expression of the key alone finds no key either. */
    options.cel_expr = "key % 2";
    options.cel_columns = "{\"key\": \"int\"}";
    writer = open_writer(&options);
    row.context = NULL;
    assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_INVALID);
    assert_says("the row has no routing context");
    writer_close(writer);
}

/* ---- together ---- */

static void assert_conflict(const shf_writer_options *options, const shf_row *rows, size_t count, const char *says) {
    shf_op *op = NULL;
    shf_publish_conflict conflict;
    SHF_INIT(&conflict);
    shf_writer *writer = open_writer(options);
    writer_write(writer, rows, count, count);
    assert_int_equal(shf_publish_sync(writer, 0, &op), SHF_E_INVALID);
    (void)snprintf(support_message, sizeof support_message, "%s", shf_error_message(shf_op_error(op)));
    assert_says(says);
    assert_int_equal(shf_op_publish_conflict(op, &conflict), SHF_OK);
    assert_int_equal(conflict.is_id, 1);
    assert_int_equal(conflict.first_origin, 1);
    assert_int_equal(conflict.second_origin, 3);
    shf_op_release(op);
    writer_close(writer);
    assert_int_equal(writer_count_files(writer_prefix, "_CURRENT"), 0);
}

static void test_one_id_twice(void **state) {
    (void)state;
    shf_writer_options options = base("explicit");
    shf_row rows[3] = {row_of(-7), row_of(8), row_of(-7)};
    assert_conflict(&options, rows, 3, "have the same id; leave one out, or let the last one win");
    rows[2].shard = 1;
    assert_conflict(&options, rows, 3, "have the same id and belong to different shards; leave one out");
    options.flags = SHF_WRITE_LAST_WINS;
    assert_conflict(&options, rows, 3, "where the last can not replace the other");
    for (int i = 0; i < 3; i++) {
        rows[i].id.kind = SHF_ID_TEXT;
        rows[i].id.text = (shf_slice){i == 1 ? "b" : "", i == 1};
    }
    assert_conflict(&options, rows, 3, "where the last can not replace the other");
    rows[2].shard = 0;
    options.flags = 0;
    assert_conflict(&options, rows, 3, "have the same id; leave one out, or let the last one win");
}

static void test_the_last_wins(void **state) {
    (void)state;
    static const float other[DIMENSION] = {3, 2, 1};
    shf_status status;
    shf_publish_info info;
    SHF_INIT(&info);
    shf_writer_options options = base("explicit");
    options.flags = SHF_WRITE_LAST_WINS;
    options.metric = "l2";
    shf_row rows[3] = {row_of(-7), row_of(8), row_of(-7)};
    rows[2].vector = other;
    shf_writer *writer = open_writer(&options);
    writer_write(writer, rows, 3, 2);
    shf_op *op = writer_publish(writer, &status);
    assert_non_null(op);
    assert_int_equal(shf_op_publish_info(op, &info), SHF_OK);
    assert_int_equal(info.rows, 2);
    assert_int_equal(info.rows_replaced, 1);
    shf_op_release(op);
    writer_close(writer);
    const struct writer_rows kept = {
        .shape = {.rows = 2, .dimension = DIMENSION, .id_kind = SHF_ID_INT, .is_vector_only = true}, .rows = rows + 1};
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    assert_non_null(reader);
    writer_assert_searches(reader, &kept, true, 4);
    support_close(reader);
}

static void assert_publish(const shf_writer_options *options, size_t count, shf_status wanted, const char *says) {
    shf_status status;
    shf_writer *writer = open_writer(options);
    for (size_t i = 0; i < count; i++) {
        shf_row row = row_of((int64_t)i);
        writer_write(writer, &row, 1, 1);
    }
    shf_op *op = writer_publish(writer, &status);
    assert_int_equal(status, wanted);
    if (says) assert_says(says);
    shf_op_release(op);
    writer_close(writer);
}

static void test_too_few_rows(void **state) {
    (void)state;
    shf_writer_options options = base("cluster");
    options.num_dbs = 3;
    assert_publish(&options, 0, SHF_E_INVALID, "0 rows are too few to find the centroids of 3 shards");
    assert_publish(&options, 2, SHF_E_INVALID, "2 rows are too few to find the centroids of 3 shards");
    assert_publish(&options, 3, SHF_OK, NULL); /* all the same, but enough */
    options.dimension = 0;
    assert_publish(&options, 0, SHF_E_INVALID, "0 rows are too few");
    options.vector_sharding = "lsh";
    assert_publish(&options, 0, SHF_E_INVALID, "has no dimension yet");
    options.vector_sharding = "explicit";
    assert_publish(&options, 0, SHF_E_INVALID, "has no dimension yet");
    options.dimension = DIMENSION;
    assert_publish(&options, 0, SHF_OK, NULL);
}

/* Sixteen thousand centroids of 8,192 floats take half a gigabyte. */
static void test_no_memory_to_train(void **state) {
    (void)state;
    static float wide[8192];
    shf_writer_options options = base("cluster");
    options.num_dbs = 16384;
    options.dimension = 8192;
    options.memory_bytes = 64u << 20;
    shf_writer *writer = open_writer(&options);
    shf_row row = row_of(1);
    row.vector = wide;
    row.dimension = 8192;
    assert_int_equal(writer_try(writer, &row, 1, NULL), SHF_E_LIMIT);
    assert_says("give at least 2148532224 bytes, or centroids");
    writer_close(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_begin, writer_end)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_strategies),
                                       TEST(test_options_of_others),
                                       TEST(test_numbers),
                                       TEST(test_rows),
                                       TEST(test_rows_that_say_too_much),
                                       TEST(test_contexts),
                                       TEST(test_one_id_twice),
                                       TEST(test_the_last_wins),
                                       TEST(test_too_few_rows),
                                       TEST(test_no_memory_to_train)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
