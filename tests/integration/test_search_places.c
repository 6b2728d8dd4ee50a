/*
 * Queries that name a stored vector by its place: the hits of a search tell places, each leads back to its row, shards are
 * opened as far as they are needed, and places that are not there are refused.
 */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define HITS 25u

struct sample {
    const char *url;
    uint32_t shards, rows;
    bool is_nearest; /* a row is the nearest to itself: not by dot product */
};

static const struct sample samples[] = {{"tests/data/packages-1k", 2, 1000, true},
                                        {"tests/data/composite-120", 2, 120, false}};
static char *cache;

static int set_up(void **state) {
    cache = support_temporary_directory();
    return support_set_up(state);
}

static int tear_down(void **state) {
    int held = support_tear_down(state);
    support_remove_tree(cache);
    free(cache);
    return held;
}

static shf_reader *open_ok(const char *url, uint32_t flags) {
    shf_status status;
    shf_reader *reader = support_open(url, cache, flags, &status);
    if (!reader) fail_msg("%s: %d: %s", url, status, support_message);
    return reader;
}

static shf_query query_at(const shf_vector_place *place) {
    shf_query query;
    SHF_INIT(&query);
    query.top_k = HITS;
    query.like_place = place;
    return query;
}

static shf_op *search(shf_reader *reader, const shf_query *query) {
    shf_op *op = NULL;
    if (shf_search_sync(reader, query, 0, &op)) fail_msg("%s", shf_error_message(shf_op_error(op)));
    return op;
}

static shf_hit hit_of(const shf_op *op, size_t query, size_t index) {
    shf_hit hit;
    SHF_INIT(&hit);
    assert_int_equal(shf_op_hit(op, query, index, &hit), SHF_OK);
    return hit;
}

/* Both found the same rows in the same places. */
static void assert_same(const shf_op *a, size_t query_a, const shf_op *b, size_t query_b) {
    assert_int_equal(shf_op_hit_count(a, query_a), shf_op_hit_count(b, query_b));
    for (size_t i = 0; i < shf_op_hit_count(a, query_a); i++) {
        shf_hit left = hit_of(a, query_a, i), right = hit_of(b, query_b, i);
        assert_memory_equal(&left.score, &right.score, sizeof left.score);
        assert_int_equal(left.shard, right.shard);
        assert_true(left.row == right.row);
    }
}

/* The rows of a shard, as a search in it alone counts them. */
static uint64_t rows_of(shf_reader *reader, uint32_t shard) {
    const shf_vector_place first = {.shard = shard};
    shf_query query = query_at(&first);
    shf_search_info info;
    query.shard_ids = &shard;
    query.shard_count = 1;
    shf_op *op = search(reader, &query);
    SHF_INIT(&info);
    assert_int_equal(shf_op_search_info(op, 0, &info), SHF_OK);
    shf_op_release(op);
    return info.rows_scanned;
}

/* Each row asked for by its place and by its id, in one batch: the same, and every place is another row. */
static void check_shard(shf_reader *reader, const struct sample *sample, uint32_t shard, uint64_t rows) {
    for (uint64_t row = 0; row < rows; row += 1 + rows / 40) {
        const shf_vector_place place = {.shard = shard, .row = row};
        shf_query queries[2] = {query_at(&place), query_at(NULL)};
        queries[0].shard_ids = &shard;
        queries[0].shard_count = 1;
        queries[0].top_k = (uint32_t)rows;
        shf_op *all = search(reader, &queries[0]);
        size_t at = 0;
        while (at < shf_op_hit_count(all, 0) && hit_of(all, 0, at).row != row) at++;
        shf_hit self = hit_of(all, 0, at);
        assert_int_equal(self.shard, shard);
        if (sample->is_nearest) assert_true(self.score < 1e-12);
        queries[0] = query_at(&place);
        queries[1].like = &self.id;
        shf_op *both = NULL;
        assert_int_equal(shf_batch_search_sync(reader, queries, 2, 0, &both), SHF_OK);
        assert_int_equal(shf_op_hit_count(both, 0), HITS);
        assert_same(both, 0, both, 1);
        shf_op_release(both);
        shf_op_release(all);
    }
}

static void test_every_place_is_its_row(void **state) {
    (void)state;
    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        shf_reader *reader = open_ok(samples[s].url, 0);
        uint64_t rows = 0;
        for (uint32_t shard = 0; shard < samples[s].shards; shard++) {
            uint64_t count = rows_of(reader, shard);
            check_shard(reader, &samples[s], shard, count);
            rows += count;
        }
        assert_true(rows == samples[s].rows);
        support_close(reader);
    }
}

static void refused(shf_reader *reader, const shf_query *query, int64_t shard, const char *says) {
    shf_op *op = NULL;
    assert_int_equal(shf_search_sync(reader, query, 0, &op), SHF_E_INVALID);
    const shf_error *error = shf_op_error(op);
    if (!strstr(shf_error_message(error), says)) fail_msg("'%s' does not hold '%s'", shf_error_message(error), says);
    assert_int_equal(shf_error_shard(error), shard);
    shf_op_release(op);
}

static void test_places_that_are_not_there(void **state) {
    (void)state;
    static const float vector[384] = {1};
    static const shf_vector_id id = {.kind = SHF_ID_TEXT, .text = {"bash", 4}};
    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        shf_reader *reader = open_ok(samples[s].url, SHF_OPEN_LAZY);
        shf_vector_place place = {.shard = samples[s].shards};
        shf_query query = query_at(&place);
        refused(reader, &query, -1, "is out of range: the snapshot has shards 0 to 1");
        place = (shf_vector_place){.shard = UINT32_MAX, .row = UINT64_MAX};
        refused(reader, &query, -1, "out of range");
        place = (shf_vector_place){.shard = 1, .row = UINT64_MAX};
        refused(reader, &query, 1, "there is no row 18446744073709551615");
        place = (shf_vector_place){.shard = 1, .row = rows_of(reader, 1)};
        refused(reader, &query, 1, "there is no row");
        place = (shf_vector_place){.shard = 1, .reserved = 1};
        refused(reader, &query, -1, "reserved");
        place = (shf_vector_place){.shard = 1};
        query.like = &id;
        refused(reader, &query, -1, "either a vector or the id or place");
        query.like = NULL;
        query.vector = vector;
        query.dimension = 384;
        refused(reader, &query, -1, "either a vector or the id or place");
        shf_query batch[2] = {query_at(&place), query_at(&(shf_vector_place){.shard = 0, .row = 5000})};
        shf_op *op = NULL;
        assert_int_equal(shf_batch_search_sync(reader, batch, 2, 0, &op), SHF_E_INVALID);
        assert_non_null(strstr(shf_error_message(shf_op_error(op)), "query 1: `like_place`: shard 0 has "));
        shf_op_release(op);
        support_close(reader);
    }
}

static uint64_t mapped_bytes(void) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    return stats.mapped_bytes;
}

/* Where the shards are given, only they and that of the place are opened; none of them, and the place is still looked at. */
static void test_lazy(void **state) {
    (void)state;
    static const uint32_t first = 0;
    shf_vector_place place = {.shard = 0, .row = 3};
    shf_query query = query_at(&place);
    shf_reader *reader = open_ok(samples[0].url, SHF_OPEN_LAZY);
    query.shard_ids = &first;
    query.shard_count = 0;
    shf_op *op = search(reader, &query);
    assert_int_equal(shf_op_hit_count(op, 0), 0);
    shf_op_release(op);
    uint64_t one = mapped_bytes();
    query.shard_count = 1;
    op = search(reader, &query);
    assert_int_equal(hit_of(op, 0, 0).row, 3);
    shf_op_release(op);
    assert_true(one > 0 && mapped_bytes() == one);
    place.shard = 1; /* scanned in the first shard, found in the second */
    op = search(reader, &query);
    assert_int_equal(shf_op_hit_count(op, 0), HITS);
    assert_int_equal(hit_of(op, 0, 0).shard, 0);
    shf_op_release(op);
    assert_true(mapped_bytes() > one);
    support_close(reader);
}

/* A row of zeros has no direction. */
static void test_a_vector_that_is_no_query(void **state) {
    (void)state;
    char *directory = support_peer_case("unified-ties");
    if (!directory) skip();
    char *url = support_path("%s/snapshot", directory);
    shf_reader *reader = open_ok(url, 0);
    unsigned zeros = 0;
    for (uint32_t shard = 0; shard < 3; shard++) {
        shf_vector_place place = {.shard = shard};
        shf_query query = query_at(&place);
        for (;; place.row++) {
            shf_op *op = NULL;
            shf_status status = shf_search_sync(reader, &query, 0, &op);
            bool is_over = status && strstr(shf_error_message(shf_op_error(op)), "there is no row");
            if (status) {
                assert_int_equal(status, SHF_E_INVALID);
                assert_int_equal(shf_error_shard(shf_op_error(op)), shard);
            }
            zeros += status && !is_over;
            shf_op_release(op);
            if (is_over) break;
        }
    }
    assert_true(zeros > 0);
    support_close(reader);
    free(url);
    free(directory);
}

/* A program that was built before places were there. */
static void test_smaller_structs(void **state) {
    (void)state;
    static const float vector[384] = {1};
    shf_reader *reader = open_ok(samples[0].url, 0);
    shf_query query = query_at((const shf_vector_place *)&vector); /* what lies behind its struct is not looked at */
    query.struct_size = offsetof(shf_query, like_place);
    query.vector = vector;
    query.dimension = 384;
    shf_op *op = search(reader, &query);
    shf_hit hit;
    memset(&hit, 0x5a, sizeof hit);
    hit.struct_size = offsetof(shf_hit, row);
    assert_int_equal(shf_op_hit(op, 0, 0, &hit), SHF_OK);
    assert_true(hit.row == UINT64_C(0x5a5a5a5a5a5a5a5a));
    shf_op_release(op);
    support_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_every_place_is_its_row),    TEST(test_places_that_are_not_there), TEST(test_lazy),
        TEST(test_a_vector_that_is_no_query), TEST(test_smaller_structs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
