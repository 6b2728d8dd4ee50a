/*
 * Snapshots of vectors alone, written and read back: each row lies in the shard that a query of its vector goes to first (or
 * that was named), and a search of all shards finds what a plain computation finds.
 */
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERIES 6u
#define COUNTRIES 5u

struct trip {
    const char *sharding;
    bool is_l2;
    uint32_t num_dbs, dimension;
    size_t rows;
    bool is_text, gives_table;
    uint32_t num_probes, hash_bits;
    uint64_t memory_bytes;
    const char *cel_expr, *routing_values;
    bool infers, spills;
    uint32_t training_rows;
};

static const char *const countries[COUNTRIES] = {"eu", "us", "ap", "", "\xe6\x97\xa5\xe6\x9c\xac"};
static shf_context_value country_values[COUNTRIES];
static shf_routing_context country_contexts[COUNTRIES];

static int set_up_all(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNTRIES; i++) {
        country_values[i] = (shf_context_value){
            .name = "region", .kind = SHF_CONTEXT_TEXT, .as.bytes = {countries[i], strlen(countries[i])}};
        SHF_INIT(&country_contexts[i]);
        country_contexts[i].values = &country_values[i];
        country_contexts[i].count = 1;
    }
    return 0;
}

static bool is(const struct trip *trip, const char *sharding) { return strcmp(trip->sharding, sharding) == 0; }

static struct writer_rows *make_rows(const struct trip *trip) {
    const struct writer_shape shape = {.rows = trip->rows,
                                       .dimension = trip->dimension,
                                       .id_kind = trip->is_text ? SHF_ID_TEXT : SHF_ID_INT,
                                       .payload_every = 3,
                                       .is_vector_only = true};
    struct writer_rows *rows = writer_rows_new(&shape);
    for (size_t i = 0; i < shape.rows; i++) {
        if (is(trip, "explicit")) rows->rows[i].shard = (uint32_t)(i * i % trip->num_dbs);
        if (is(trip, "cel")) rows->rows[i].context = &country_contexts[i % COUNTRIES];
    }
    writer_rows_shuffle(rows, 42);
    return rows;
}

/* num_dbs, or as many as the hash has bits. */
static float *make_table(const struct trip *trip) {
    size_t count = (size_t)(is(trip, "lsh") ? trip->hash_bits : trip->num_dbs) * trip->dimension;
    float *table = calloc(count, sizeof *table);
    for (size_t i = 0; i < count; i++) table[i] = (float)(writer_mix(i, 77) % 2001) / 1000 - 1;
    return table;
}

static shf_writer_options options_of(const struct trip *trip, const float *table) {
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_VECTOR, trip->num_dbs);
    options.vector_sharding = trip->sharding;
    options.metric = trip->is_l2 ? "l2" : NULL;
    options.num_probes = trip->num_probes;
    options.hash_bits = trip->hash_bits;
    options.memory_bytes = trip->memory_bytes;
    options.dimension = table || !trip->rows ? trip->dimension : 0;
    if (is(trip, "lsh")) {
        options.hyperplanes = table;
    } else {
        options.centroids = table;
    }
    options.cel_expr = trip->cel_expr;
    options.cel_columns = trip->cel_expr ? "{\"region\": \"string\"}" : NULL;
    options.routing_values = trip->routing_values;
    options.infer_routing_values = trip->infers;
    options.training_rows = trip->training_rows;
    options.seed = 5;
    return options;
}

/* A search for its vector in one shard, the first that it goes to, finds the row. */
static void assert_found(shf_reader *reader, const struct trip *trip, const shf_row *row) {
    shf_query query;
    shf_hit hit;
    shf_op *op = NULL;
    SHF_INIT(&query);
    SHF_INIT(&hit);
    query.vector = row->vector;
    query.dimension = row->dimension;
    query.top_k = 1;
    query.num_probes = is(trip, "cluster") || is(trip, "lsh") ? 1 : 0;
    query.context = row->context;
    if (is(trip, "explicit")) {
        query.shard_ids = &row->shard;
        query.shard_count = 1;
    }
    if (shf_search_sync(reader, &query, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    assert_int_equal(shf_op_hit_count(op, 0), 1);
    assert_int_equal(shf_op_hit(op, 0, 0, &hit), SHF_OK);
    assert_true(fabs(hit.score) < 1e-6);
    assert_true(writer_same_id(&hit.id, row));
    shf_op_release(op);
}

static void assert_described(shf_reader *reader, const struct trip *trip) {
    shf_vector_info info;
    shf_snapshot *snapshot = NULL;
    SHF_INIT(&info);
    assert_int_equal(shf_reader_snapshot(reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_vectors(snapshot, &info), SHF_OK);
    assert_int_equal(info.dimension, trip->dimension);
    assert_string_equal(info.metric, trip->is_l2 ? "l2" : "cosine");
    assert_string_equal(info.sharding_strategy, trip->sharding);
    assert_int_equal(info.num_probes, trip->num_probes ? trip->num_probes : 1);
    shf_snapshot_release(snapshot);
}

static void assert_trained(const shf_op *publish, const struct trip *trip) {
    shf_publish_info info;
    SHF_INIT(&info);
    assert_int_equal(shf_op_publish_info(publish, &info), SHF_OK);
    bool trains = is(trip, "cluster") && !trip->gives_table;
    assert_int_equal(info.training_rows > 0, trains);
    assert_int_equal(info.training_rounds > 0, trains);
    assert_int_equal(info.training_ns > 0, trains);
    assert_true(info.training_ns <= info.sort_ns);
    assert_int_equal(info.inertia > 0, trains && trip->rows > trip->num_dbs);
    if (trip->training_rows) assert_int_equal(info.training_rows, trip->training_rows);
    assert_int_equal(info.spilled_bytes > 0, trip->spills);
}

static void go(const struct trip *trip) {
    shf_status status;
    float *table = trip->gives_table ? make_table(trip) : NULL;
    struct writer_rows *rows = make_rows(trip);
    shf_writer_options options = options_of(trip, table);
    shf_writer *writer = writer_open(&options, &status);
    if (!writer) fail_msg("%s", support_message);
    free(table); /* was copied */
    writer_write(writer, rows->rows, rows->shape.rows, 100);
    shf_op *publish = writer_publish(writer, &status);
    if (!publish) fail_msg("%s", support_message);
    shf_reader *reader = support_open(writer_prefix, writer_cache, 0, &status);
    if (!reader) fail_msg("%s", support_message);
    writer_assert_told(publish, reader, rows);
    assert_trained(publish, trip);
    writer_assert_searches(reader, rows, trip->is_l2, QUERIES);
    assert_described(reader, trip);
    for (size_t i = 0; i < rows->shape.rows; i++) assert_found(reader, trip, &rows->rows[i]);
    support_close(reader);
    writer_assert_shards(writer_prefix, rows, 0);
    writer_rows_free(rows);
    shf_op_release(publish);
    writer_close(writer);
    writer_assert_tidy(writer_root);
}

static void test_explicit(void **state) {
    (void)state;
    go(&(struct trip){.sharding = "explicit", .num_dbs = 5, .dimension = 12, .rows = 2000});
}

static void test_lsh(void **state) {
    (void)state;
    go(&(struct trip){.sharding = "lsh", .num_dbs = 5, .dimension = 12, .rows = 2000, .is_text = true});
}

static void test_given_hyperplanes(void **state) {
    (void)state;
    go(&(struct trip){.sharding = "lsh",
                      .is_l2 = true,
                      .num_dbs = 7,
                      .dimension = 9,
                      .rows = 1500,
                      .gives_table = true,
                      .hash_bits = 63,
                      .num_probes = 3});
}

static void test_given_centroids(void **state) {
    (void)state;
    go(&(struct trip){
        .sharding = "cluster", .num_dbs = 6, .dimension = 16, .rows = 2000, .gives_table = true, .num_probes = 2});
}

static void test_given_centroids_by_l2(void **state) {
    (void)state;
    go(&(struct trip){
        .sharding = "cluster", .is_l2 = true, .num_dbs = 40, .dimension = 5, .rows = 3000, .gives_table = true});
}

static void test_found_centroids(void **state) {
    (void)state;
    go(&(struct trip){.sharding = "cluster", .num_dbs = 6, .dimension = 16, .rows = 2000, .num_probes = 2});
}

static void test_found_centroids_by_l2(void **state) {
    (void)state;
    go(&(struct trip){
        .sharding = "cluster", .is_l2 = true, .num_dbs = 9, .dimension = 33, .rows = 3000, .training_rows = 700});
}

static void test_found_centroids_spilled(void **state) {
    (void)state;
    go(&(struct trip){.sharding = "cluster",
                      .num_dbs = 4,
                      .dimension = 300,
                      .rows = 9000,
                      .is_text = true,
                      .memory_bytes = 4 << 20,
                      .spills = true});
}

static void test_one_row(void **state) {
    (void)state;
    go(&(struct trip){.sharding = "cluster", .num_dbs = 1, .dimension = 3, .rows = 1, .is_l2 = true});
}

static void test_cel(void **state) {
    (void)state;
    go(&(struct trip){.sharding = "cel",
                      .dimension = 8,
                      .rows = 1000,
                      .cel_expr = "region",
                      .routing_values = "[\"us\", \"eu\", \"\", \"ap\", \"\xe6\x97\xa5\xe6\x9c\xac\"]"});
}

static void test_cel_inferred(void **state) {
    (void)state;
    go(&(struct trip){.sharding = "cel", .dimension = 8, .rows = 1000, .cel_expr = "region", .infers = true});
}

static void test_cel_direct(void **state) {
    (void)state;
    go(&(struct trip){
        .sharding = "cel", .dimension = 8, .rows = 1000, .num_dbs = 9, .cel_expr = "size(region) == 0 ? 7 : size(region)"});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, writer_begin, writer_end)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_explicit),
                                       TEST(test_lsh),
                                       TEST(test_given_hyperplanes),
                                       TEST(test_given_centroids),
                                       TEST(test_given_centroids_by_l2),
                                       TEST(test_found_centroids),
                                       TEST(test_found_centroids_by_l2),
                                       TEST(test_found_centroids_spilled),
                                       TEST(test_one_row),
                                       TEST(test_cel),
                                       TEST(test_cel_inferred),
                                       TEST(test_cel_direct)};
    return cmocka_run_group_tests(tests, set_up_all, NULL);
}
