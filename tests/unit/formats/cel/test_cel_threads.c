/* One compiled expression, used by several threads at once, each with a scratch of its own. */
#include "cel_support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4u
#define ROWS 2000u

static const char text[] =
    "s.matches('^[a-m]+[0-9]') ? 'low' : k in [1,2,3,5,8,13,21,34,55,89] ? 'fibonacci' : "
    "shard_hash(s + ':' + string(k)) % 2u == 0u ? 'even' : ['odd', 'odder'].filter(x, x.size() > 3 + k % 2)[0]";

struct work {
    const struct shf_cel_router *router;
    uint32_t shards[ROWS]; /* ROWS: an error */
    pthread_t thread;
};

static void *route_all(void *context) {
    struct work *work = context;
    struct shf_cel_scratch scratch;
    shf_cel_scratch_init(&scratch);
    for (uint32_t i = 0; i < ROWS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%c%u", 'a' + (int)(i % 26), i);
        struct shf_cel_value columns[2] = {{SHF_CEL_INT, {.integer = i % 100}},
                                           {SHF_CEL_STRING, {.text = {name, strlen(name)}}}};
        if (shf_cel_route(work->router, columns, &scratch, &work->shards[i], NULL, NULL)) work->shards[i] = ROWS;
    }
    shf_cel_scratch_free(&scratch);
    return NULL;
}

static void test_threads(void **state) {
    static const struct shf_cel_column columns[] = {{"k", SHF_CEL_INT, 0, 0}, {"s", SHF_CEL_STRING, 0, 0}};
    static const struct shf_cel_value values[] = {{SHF_CEL_STRING, {.text = {"low", 3}}},
                                                  {SHF_CEL_STRING, {.text = {"fibonacci", 9}}},
                                                  {SHF_CEL_STRING, {.text = {"even", 4}}},
                                                  {SHF_CEL_STRING, {.text = {"odder", 5}}}};
    static struct work alone, works[THREADS];
    struct shf_cel_router *router = NULL;
    struct shf_error *error = NULL;
    unsigned seen[4] = {0};
    (void)state;
    shf_status status = shf_cel_router_new(text, strlen(text), columns, 2, values, 4, 4, &router, &error);
    expect_ok(status, error);
    alone.router = router;
    (void)route_all(&alone);
    for (uint32_t i = 0; i < ROWS; i++) {
        if (alone.shards[i] < 4) seen[alone.shards[i]]++;
    }
    for (int i = 0; i < 4; i++) assert_true(seen[i] > 0);
    for (uint32_t t = 0; t < THREADS; t++) {
        works[t].router = router;
        assert_int_equal(pthread_create(&works[t].thread, NULL, route_all, &works[t]), 0);
    }
    for (uint32_t t = 0; t < THREADS; t++) {
        assert_int_equal(pthread_join(works[t].thread, NULL), 0);
        assert_memory_equal(works[t].shards, alone.shards, sizeof alone.shards);
    }
    shf_cel_router_free(router);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
