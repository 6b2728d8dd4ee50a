/* Plans for random batches, scanned by several scanners in turn: the answers are those of a plain search of each query. */
#include "search/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 7, MOST_ROWS = 700, DIMENSION = 5, MOST_QUERIES = 300, SCANNERS = 3 };
#define NO_LIMIT (UINT64_C(1) << 40)

static uint64_t seed = 3;
static uint32_t next_random(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32) % below;
}

struct set {
    float vectors[SHARDS][MOST_ROWS * DIMENSION];
    double norms[SHARDS][MOST_ROWS];
    struct shf_vector_rows rows[SHARDS];
    float query_vectors[MOST_QUERIES][DIMENSION];
    uint32_t lists[MOST_QUERIES][SHARDS];
    struct shf_plan_query queries[MOST_QUERIES];
    uint32_t query_count;
    enum shf_search_metric metric;
    struct shf_budget budget;
    struct shf_arena arena;
    struct shf_plan plan;
};

static struct shf_plan_shard shard_at(const void *context, uint32_t index) {
    const struct set *set = context;
    return (struct shf_plan_shard){&set->rows[index], 100 + 2 * index};
}

/* Coarse values, so that there are ties; an empty shard among them. */
static void make_shards(struct set *set) {
    for (uint32_t s = 0; s < SHARDS; s++) {
        uint32_t rows = s == 2 ? 0 : 1 + next_random(MOST_ROWS);
        for (size_t i = 0; i < (size_t)rows * DIMENSION; i++) set->vectors[s][i] = (float)next_random(7) - 3;
        if (rows > 3) memset(set->vectors[s] + (size_t)2 * DIMENSION, 0, DIMENSION * sizeof(float));
        shf_search_norms(set->vectors[s], rows, DIMENSION, set->norms[s]);
        set->rows[s] = (struct shf_vector_rows){set->vectors[s], set->norms[s], rows, DIMENSION};
    }
}

/* kind: 0 = all shards, 1 = one shard each, 2 = any lists, 3 = everything, empty lists too. */
static void make_query(struct set *set, uint32_t q, uint32_t kind) {
    struct shf_plan_query *query = &set->queries[q];
    float *vector = set->query_vectors[q];
    for (uint32_t i = 0; i < DIMENSION; i++) vector[i] = (float)next_random(5) + 1;
    if (q && next_random(8) == 0) memcpy(vector, set->query_vectors[q - 1], sizeof set->query_vectors[q]);
    *query = (struct shf_plan_query){.vector = vector, .top_k = next_random(4) ? 1 + next_random(20) : 100000};
    assert_int_equal(shf_search_query_check(set->metric, vector, DIMENSION, &query->norm, NULL), SHF_OK);
    if (kind == 0 || (kind == 3 && next_random(2))) return;
    query->shards = set->lists[q];
    if (kind == 1) {
        set->lists[q][query->shard_count++] = next_random(SHARDS);
        return;
    }
    for (uint32_t s = 0; s < SHARDS; s++) {
        if (next_random(3) == 0) set->lists[q][query->shard_count++] = s;
    }
}

static void plan_all(struct set *set, uint32_t threads) {
    bool more = true;
    set->plan = (struct shf_plan){.arena = &set->arena,
                                  .shards = {set, SHARDS, shard_at},
                                  .queries = set->queries,
                                  .query_count = set->query_count,
                                  .dimension = DIMENSION,
                                  .metric = set->metric,
                                  .threads = threads};
    assert_int_equal(shf_plan_begin(&set->plan, NULL), SHF_OK);
    while (more) assert_int_equal(shf_plan_next(&set->plan, &more, NULL), SHF_OK);
}

/* Units of 64 rows, so that small shards have several. */
static void cut_finely(struct shf_plan *plan) {
    plan->unit_count = 0;
    for (uint32_t g = 0; g < plan->group_count; g++) {
        struct shf_plan_group *group = &plan->groups[g];
        group->terms_a_unit = group->unit_count = 0;
        for (uint32_t p = 0; p < group->part_count; p++) {
            group->unit_count += shf_plan_units_of(plan, group, &group->parts[p]);
        }
        group->units_left = group->unit_count;
        plan->unit_count += group->unit_count;
    }
}

static struct set *make_set_of(enum shf_search_metric metric, uint32_t kind, uint32_t query_count) {
    struct set *set = calloc(1, sizeof *set);
    set->metric = metric;
    shf_budget_init(&set->budget, NO_LIMIT);
    set->arena.budget = &set->budget;
    make_shards(set);
    set->query_count = query_count;
    for (uint32_t q = 0; q < query_count; q++) make_query(set, q, kind);
    plan_all(set, 1 + next_random(SCANNERS));
    return set;
}

static struct set *make_set(uint32_t kind, uint32_t query_count) {
    return make_set_of(SHF_SEARCH_COSINE, kind, query_count);
}

static void free_set(struct set *set) {
    shf_arena_free(&set->arena);
    assert_int_equal(set->budget.used_bytes, 0);
    free(set);
}

/* Each query by itself, one shard after the other. */
static void check_answer(const struct set *set, uint32_t q, struct shf_topk *found) {
    const struct shf_plan_query *query = &set->queries[q];
    uint32_t count = query->shards ? query->shard_count : SHARDS;
    double values[DIMENSION];
    struct shf_search_query plain;
    struct shf_candidate *storage = malloc((size_t)SHARDS * MOST_ROWS * sizeof *storage);
    struct shf_topk wanted;
    shf_topk_init(&wanted, storage, shf_plan_keep(query));
    shf_search_query_fill(&plain, set->metric, query->vector, DIMENSION, query->norm, values);
    for (uint32_t i = 0; i < count; i++) {
        struct shf_plan_shard shard = shard_at(set, query->shards ? query->shards[i] : i);
        assert_true(shf_search_scan(shard.rows, shard.id, 0, shard.rows->rows, &plain, NULL, 1, &wanted, NULL));
    }
    shf_topk_sort(&wanted);
    shf_topk_sort(found);
    assert_int_equal(found->count, wanted.count);
    assert_int_equal(found->count, shf_plan_keep(query));
    assert_memory_equal(found->entries, wanted.entries, wanted.count * sizeof *wanted.entries);
    free(storage);
}

/* Units go to scanners at random; groups end when their last one has left. */
static void run(struct set *set) {
    struct shf_scanner scanners[SCANNERS];
    bool *answered = calloc(set->query_count, sizeof *answered);
    for (size_t i = 0; i < SCANNERS; i++) {
        scanners[i] = (struct shf_scanner){.plan = &set->plan, .arena = {.budget = &set->budget}};
    }
    for (uint64_t unit = 0; unit < set->plan.unit_count + SCANNERS; unit++) {
        bool over = unit >= set->plan.unit_count;
        struct shf_scanner *scanner = &scanners[over ? unit - set->plan.unit_count : next_random(SCANNERS)];
        struct shf_plan_group *group = over ? NULL : shf_scanner_seek(scanner, unit), *left = scanner->group;
        if (left && left != group && shf_scanner_leave(scanner)) {
            for (uint32_t i = 0; i < left->query_count; i++) {
                assert_false(answered[left->queries[i]]);
                answered[left->queries[i]] = true;
                check_answer(set, left->queries[i], &left->topks[i]);
            }
            shf_arena_free(&left->arena);
        }
        if (!over && left != group) assert_int_equal(shf_scanner_enter(scanner, NULL), SHF_OK);
        if (!over) assert_true(shf_scanner_scan(scanner, unit, NULL));
    }
    for (uint32_t q = 0; q < set->query_count; q++) assert_int_equal(answered[q], set->queries[q].rows > 0);
    free(answered);
}

/* Zero rows and equal ones among them: NaN under cosine, ties under all. */
static void check_batches(enum shf_search_metric metric) {
    for (uint32_t round = 0; round < 60; round++) {
        struct set *set = make_set_of(metric, round % 4, 1 + next_random(round % 5 ? 12 : MOST_QUERIES));
        if (round % 3) cut_finely(&set->plan);
        run(set);
        free_set(set);
    }
}

static void test_random_batches_cosine(void **state) { (void)state, check_batches(SHF_SEARCH_COSINE); }
static void test_random_batches_l2(void **state) { (void)state, check_batches(SHF_SEARCH_L2); }
static void test_random_batches_dot(void **state) { (void)state, check_batches(SHF_SEARCH_DOT); }
static void test_random_batches_l2_squared(void **state) { (void)state, check_batches(SHF_SEARCH_L2_SQUARED); }

static void test_queries_of_one_shard_are_scanned_together(void **state) {
    (void)state;
    struct set *set = make_set(1, MOST_QUERIES);
    uint32_t parts = 0;
    for (uint32_t g = 0; g < set->plan.group_count; g++) parts += set->plan.groups[g].part_count;
    assert_in_range(set->plan.group_count, 2, 3); /* of 128 */
    assert_true(parts <= SHARDS - 1 + set->plan.group_count);
    free_set(set);
}

static void test_nothing_to_scan(void **state) {
    (void)state;
    struct set *set = make_set(0, 3);
    for (uint32_t q = 0; q < 3; q++) {
        set->queries[q].shards = set->lists[q];
        set->queries[q].shard_count = q ? 0 : 1;
        set->lists[q][0] = 2; /* the empty one */
    }
    plan_all(set, 2);
    assert_int_equal(set->plan.group_count, 0);
    assert_int_equal(set->plan.unit_count, 0);
    free_set(set);
}

/* 65,536 queries for "all": what the plan takes does not grow with queries x shards. */
static void test_all_is_shared(void **state) {
    (void)state;
    struct set *set = make_set(0, 1);
    uint32_t many = 65536;
    struct shf_plan_query *queries = calloc(many, sizeof *queries);
    for (uint32_t q = 0; q < many; q++) queries[q] = set->queries[0];
    shf_arena_free(&set->arena);
    set->plan.queries = queries;
    struct shf_plan plan = {.arena = &set->arena,
                            .shards = {set, SHARDS, shard_at},
                            .queries = queries,
                            .query_count = many,
                            .dimension = DIMENSION,
                            .metric = set->metric,
                            .threads = 2};
    bool more = true;
    assert_int_equal(shf_plan_begin(&plan, NULL), SHF_OK);
    while (more) assert_int_equal(shf_plan_next(&plan, &more, NULL), SHF_OK);
    assert_true(set->budget.used_bytes < many * (sizeof(uint32_t) + sizeof(struct shf_plan_group)) + 100000);
    free(queries);
    free_set(set);
}

static void test_what_does_not_fit_is_refused(void **state) {
    (void)state;
    struct set *set = make_set(2, 200);
    uint64_t needed = set->budget.used_bytes;
    size_t refused = 0;
    for (uint64_t limit = 0; limit < needed; limit += 1 + needed / 50) {
        struct shf_error *error = NULL;
        bool more = true;
        shf_arena_free(&set->arena);
        set->budget.limit_bytes = limit;
        struct shf_plan plan = {.arena = &set->arena,
                                .shards = {set, SHARDS, shard_at},
                                .queries = set->queries,
                                .query_count = set->query_count,
                                .dimension = DIMENSION,
                                .metric = set->metric,
                                .threads = 2};
        shf_status status = shf_plan_begin(&plan, &error);
        while (!status && more) status = shf_plan_next(&plan, &more, &error);
        assert_true(status == SHF_OK || status == SHF_E_NO_MEMORY || status == SHF_E_INVALID);
        assert_int_equal(status != SHF_OK, error != NULL);
        assert_true(set->budget.used_bytes <= limit);
        refused += status != SHF_OK;
        shf_error_free(error);
    }
    assert_true(refused > 10);
    free_set(set);
}

static void test_a_scanner_without_memory_says_so(void **state) {
    (void)state;
    struct set *set = make_set(0, 4);
    struct shf_budget none;
    struct shf_error *error = NULL;
    shf_budget_init(&none, 100);
    struct shf_scanner scanner = {.plan = &set->plan, .arena = {.budget = &none}};
    (void)shf_scanner_seek(&scanner, 0);
    assert_int_equal(shf_scanner_enter(&scanner, &error), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), "top_k"));
    shf_error_free(error);
    shf_scanner_drop(&scanner);
    assert_int_equal(none.used_bytes, 0);
    free_set(set);
}

/* A large shard is cut so that every thread has some of it; a small one is not cut at all. */
static void test_units(void **state) {
    (void)state;
    float value[2] = {1, 1};
    struct set *set = calloc(1, sizeof *set);
    shf_budget_init(&set->budget, NO_LIMIT);
    set->arena.budget = &set->budget;
    for (uint32_t s = 0; s < SHARDS; s++)
        set->rows[s] = (struct shf_vector_rows){value, NULL, s == 0 ? 38400000 : 1000, DIMENSION};
    set->query_count = 1;
    set->metric = SHF_SEARCH_L2;
    set->queries[0] = (struct shf_plan_query){.vector = value, .norm = 1, .top_k = 1};
    plan_all(set, 2);
    const struct shf_plan_group *group = &set->plan.groups[0];
    assert_in_range(shf_plan_units_of(&set->plan, group, &group->parts[0]), 8, 64);
    assert_int_equal(shf_plan_units_of(&set->plan, group, &group->parts[1]), 1);
    free_set(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_batches_cosine),
        cmocka_unit_test(test_random_batches_l2),
        cmocka_unit_test(test_random_batches_dot),
        cmocka_unit_test(test_random_batches_l2_squared),
        cmocka_unit_test(test_queries_of_one_shard_are_scanned_together),
        cmocka_unit_test(test_nothing_to_scan),
        cmocka_unit_test(test_all_is_shared),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_a_scanner_without_memory_says_so),
        cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
