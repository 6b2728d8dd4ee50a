/* Which shards a query of a vector-only snapshot visits: by hand, against a plain model, and as the Python project recorded it. */
#include "peer.h"

#include "base/alloc.h"
#include "base/cursor.h"
#include "base/limits.h"
#include "snapshot/vector_router.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MOST_SHARDS 64u

static struct shf_budget budget;

static int begin(void **state) {
    (void)state;
    shf_budget_init(&budget, 1 << 20);
    return 0;
}

static int end(void **state) {
    (void)state;
    return budget.used_bytes ? -1 : 0;
}

static struct shf_manifest manifest_of(enum shf_vector_strategy strategy, enum shf_metric metric, uint32_t num_dbs,
                                       uint32_t dimension, uint32_t num_probes) {
    struct shf_manifest manifest = {.num_dbs = num_dbs, .has_vector = true};
    manifest.vector.dimension = dimension;
    manifest.vector.metric = metric;
    manifest.vector.routing.strategy = strategy;
    manifest.vector.routing.num_probes = num_probes;
    return manifest;
}

/* A .npy file of doubles; free() it. */
static uint8_t *npy_of(const double *items, uint32_t rows, uint32_t columns, size_t *size) {
    char header[119];
    uint8_t *bytes = malloc(128 + (size_t)rows * columns * sizeof *items + 1);
    char text[100];
    (void)snprintf(text, sizeof text, "{'descr': '<f8', 'fortran_order': False, 'shape': (%u, %u), }", rows, columns);
    (void)snprintf(header, sizeof header, "%-117s\n", text);
    memcpy(bytes, "\x93NUMPY\x01\0\x76\0", 10);
    memcpy(bytes + 10, header, 118);
    for (size_t i = 0; i < (size_t)rows * columns; i++) {
        uint64_t word;
        memcpy(&word, &items[i], sizeof word);
        shf_store_u64le(bytes + 128 + 8 * i, word);
    }
    *size = 128 + (size_t)rows * columns * sizeof *items;
    return bytes;
}

static struct shf_vector_router *router_of(const struct shf_manifest *manifest, const double *items, uint32_t rows) {
    struct shf_vector_router *router = NULL;
    struct shf_error *error = NULL;
    size_t size;
    uint8_t *bytes = npy_of(items, rows, manifest->vector.dimension, &size);
    if (shf_vector_router_new(manifest, (shf_slice){bytes, size}, &budget, &router, &error)) {
        fail_msg("%s", shf_error_message(error));
    }
    free(bytes);
    return router;
}

/* "2 0 1" */
static void expect(const struct shf_vector_router *router, const float *vector, uint32_t num_probes, const char *wanted) {
    struct shf_vector_probe scratch[MOST_SHARDS];
    struct shf_error *error = NULL;
    uint32_t shards[MOST_SHARDS], count = 0;
    char got[512] = "";
    assert_true(shf_vector_router_most(router, num_probes) <= MOST_SHARDS);
    if (shf_vector_route(router, vector, NULL, num_probes, scratch, shards, &count, &error)) {
        fail_msg("%s", shf_error_message(error));
    }
    assert_true(count >= 1 && count <= shf_vector_router_most(router, num_probes));
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%u", i ? " " : "", shards[i]);
    }
    assert_string_equal(got, wanted);
}

/* ---- cluster ---- */

static void test_l2(void **state) {
    (void)state;
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_CLUSTER, SHF_METRIC_L2, 4, 2, 2);
    struct shf_vector_router *router = router_of(&manifest, (const double[]){0, 0, 10, 0, 0, 10, 10, 10}, 4);
    expect(router, (const float[]){9, 1}, 0, "1 0"); /* the manifest's two: 2; 82 twice: by id */
    expect(router, (const float[]){9, 1}, 1, "1");
    expect(router, (const float[]){9, 1}, 3, "1 0 3");
    expect(router, (const float[]){9, 1}, 4, "1 0 3 2");
    expect(router, (const float[]){9, 1}, 4000000000u, "1 0 3 2");
    expect(router, (const float[]){5, 5}, 3, "0 1 2"); /* all the same */
    expect(router, (const float[]){NAN, 5}, 2, "0 1");
    expect(router, (const float[]){INFINITY, 5}, 4, "0 1 2 3");
    assert_int_equal(shf_vector_router_most(router, 0), 2);
    assert_int_equal(shf_vector_router_most(router, 99), 4);
    shf_vector_router_free(router);
}

static void test_cosine(void **state) {
    (void)state;
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_CLUSTER, SHF_METRIC_COSINE, 4, 2, 1);
    struct shf_vector_router *router = router_of(&manifest, (const double[]){0, 0, 100, 1, 0, 3, -1, 0}, 4);
    expect(router, (const float[]){1, 0}, 4, "1 0 2 3"); /* about 0, a zero centroid at 1, orthogonal at 1, opposite at 2 */
    expect(router, (const float[]){0, 0.001f}, 4, "2 1 0 3");
    expect(router, (const float[]){0, 0}, 4, "0 1 2 3"); /* a zero query: all at 1 */
    expect(router, (const float[]){NAN, 0}, 3, "0 1 2");
    shf_vector_router_free(router);
}

static void test_dot(void **state) {
    (void)state;
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_CLUSTER, SHF_METRIC_DOT, 3, 2, 3);
    struct shf_vector_router *router = router_of(&manifest, (const double[]){1, 0, 100, 0, -5, 0}, 3);
    expect(router, (const float[]){2, 7}, 0, "1 0 2");
    expect(router, (const float[]){-2, 7}, 0, "2 0 1");
    expect(router, (const float[]){0, 7}, 0, "0 1 2");
    shf_vector_router_free(router);
}

/* Distances that overflow are equal, and after those that do not. */
static void test_overflow(void **state) {
    (void)state;
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_CLUSTER, SHF_METRIC_L2, 3, 1, 3);
    struct shf_vector_router *router = router_of(&manifest, (const double[]){1e300, -1e300, 5}, 3);
    expect(router, (const float[]){1}, 0, "2 0 1");
    shf_vector_router_free(router);
    manifest.vector.metric = SHF_METRIC_COSINE; /* NaN: infinity by infinity */
    router = router_of(&manifest, (const double[]){1e300, 1e-3, -2}, 3);
    expect(router, (const float[]){3e38f}, 0, "1 2 0");
    shf_vector_router_free(router);
}

static double random_number(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*seed >> 40) / 8388608.0 - 1;
}

/* The nearest so many are the beginning of all of them, sorted plainly. */
static void test_heap(void **state) {
    (void)state;
    uint64_t seed = 11;
    double items[MOST_SHARDS * 19];
    float vector[19];
    for (size_t i = 0; i < COUNT(items); i++) items[i] = random_number(&seed);
    for (size_t i = 0; i < 19 * 5; i++) items[19 * 40 + i] = items[i]; /* rows that are equal */
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_CLUSTER, SHF_METRIC_L2, MOST_SHARDS, 19, 1);
    struct shf_vector_router *router = router_of(&manifest, items, MOST_SHARDS);
    for (unsigned round = 0; round < 50; round++) {
        struct shf_vector_probe scratch[MOST_SHARDS];
        uint32_t order[MOST_SHARDS], shards[MOST_SHARDS], count;
        double distances[MOST_SHARDS];
        for (unsigned i = 0; i < 19; i++) vector[i] = (float)random_number(&seed);
        for (uint32_t row = 0; row < MOST_SHARDS; row++) {
            uint32_t place = row;
            distances[row] = 0;
            for (unsigned i = 0; i < 19; i++) distances[row] += pow(items[row * 19 + i] - (double)vector[i], 2);
            for (; place && distances[order[place - 1]] > distances[row] + 1e-9; place--)
                order[place] = order[place - 1];
            order[place] = row;
        }
        for (uint32_t wanted = 1; wanted <= MOST_SHARDS; wanted++) {
            assert_int_equal(shf_vector_route(router, vector, NULL, wanted, scratch, shards, &count, NULL), SHF_OK);
            assert_int_equal(count, wanted);
            assert_memory_equal(shards, order, wanted * sizeof *shards);
        }
    }
    shf_vector_router_free(router);
}

/* ---- lsh ---- */

static void test_lsh(void **state) {
    (void)state;
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_LSH, SHF_METRIC_COSINE, 5, 2, 1);
    struct shf_vector_router *router = router_of(&manifest, (const double[]){1, 0, 0, 1, -1, 0}, 3);
    expect(router, (const float[]){1, 1}, 0, "3");       /* 011 */
    expect(router, (const float[]){1, 1}, 2, "3 2");     /* 010 */
    expect(router, (const float[]){1, 1}, 3, "3 2 1");   /* 001 */
    expect(router, (const float[]){1, 1}, 5, "3 2 1");   /* 111 = 7, mod 5 = 2 again: the bits are used up */
    expect(router, (const float[]){-1, -1}, 9, "4 0 1"); /* 100; 101 = 5, mod 5 = 0; 110 = 6: 1; 000: 0 again */
    expect(router, (const float[]){0, 0}, 9, "0 1 2 4"); /* no bit */
    expect(router, (const float[]){NAN, NAN}, 1, "0");
    assert_int_equal(shf_vector_router_most(router, 9), 4);
    assert_int_equal(shf_vector_router_most(router, 2), 2);
    shf_vector_router_free(router);
}

static void test_most_bits(void **state) {
    (void)state;
    double planes[SHF_LIMIT_HASH_BITS + 1];
    for (size_t i = 0; i < COUNT(planes); i++) planes[i] = 1;
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_LSH, SHF_METRIC_L2, 1000, 1, 1);
    struct shf_vector_router *router = router_of(&manifest, planes, SHF_LIMIT_HASH_BITS);
    expect(router, (const float[]){1}, 1, "807"); /* 2^63 - 1 */
    expect(router, (const float[]){-1}, 1, "0");
    shf_vector_router_free(router);
}

/* ---- the others, and what is refused ---- */

static void refuse(const struct shf_manifest *manifest, const float *vector, const shf_routing_context *context,
                   shf_status code, const char *text) {
    struct shf_vector_router *router = NULL;
    struct shf_vector_probe scratch[MOST_SHARDS];
    struct shf_error *error = NULL;
    uint32_t shards[MOST_SHARDS], count = 77;
    assert_int_equal(shf_vector_router_new(manifest, (shf_slice){NULL, 0}, &budget, &router, &error), SHF_OK);
    assert_int_equal(shf_vector_router_most(router, 0), 1);
    assert_int_equal(shf_vector_route(router, vector, context, 0, scratch, shards, &count, &error), code);
    if (!strstr(shf_error_message(error), text)) fail_msg("%s", shf_error_message(error));
    assert_int_equal(count, 77);
    shf_error_free(error);
    shf_vector_router_free(router);
}

static void test_explicit_and_cel(void **state) {
    (void)state;
    const float vector[2] = {1, 2};
    shf_routing_context context = {.struct_size = sizeof context};
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_ID, SHF_METRIC_L2, 4, 2, 1);
    refuse(&manifest, vector, NULL, SHF_E_INVALID, "EXPLICIT sharding");
    manifest.vector.routing.strategy = SHF_VECTORS_BY_CEL;
    refuse(&manifest, vector, NULL, SHF_E_INVALID, "give a routing context");
    refuse(&manifest, vector, &context, SHF_E_INVALID, "no cel_expr and cel_columns");
    manifest.vector.routing.cel_expr = (char[]){"region"};
    refuse(&manifest, vector, &context, SHF_E_INVALID, "no cel_expr and cel_columns");
    struct shf_manifest_cel_column column = {(char[]){"region"}, (char[]){"string"}};
    manifest.vector.routing.cel_columns = &column;
    manifest.vector.routing.cel_column_count = 1;
    refuse(&manifest, vector, &context, SHF_E_ROUTING, "region");
    struct shf_manifest_token tokens[] = {{SHF_TOKEN_BYTES, 0, (char[]){"\xff"}, 1},
                                          {SHF_TOKEN_BYTES, 0, (char[]){"eu"}, 2}};
    manifest.vector.routing.has_routing_values = true;
    manifest.vector.routing.routing_values = tokens;
    manifest.vector.routing.routing_value_count = 2;
    shf_context_value value = {.name = "region", .kind = SHF_CONTEXT_BYTES, .as.bytes = {"mars", 4}};
    context.count = 1;
    context.values = &value;
    column.type = (char[]){"bytes"};
    refuse(&manifest, vector, &context, SHF_E_ROUTING, "\"mars\" is none of");
    value.as.bytes = (shf_slice){"eu", 2};
    struct shf_vector_router *router = NULL;
    struct shf_error *error = NULL;
    uint32_t shard = 77, count = 77;
    assert_int_equal(shf_vector_router_new(&manifest, (shf_slice){NULL, 0}, &budget, &router, &error), SHF_OK);
    assert_int_equal(shf_vector_route(router, NULL, &context, 0, NULL, &shard, &count, &error), SHF_OK);
    assert_int_equal(shard, 1);
    assert_int_equal(count, 1);
    shf_vector_router_free(router);
    manifest.vector.routing.cel_expr = (char[]){"region +"};
    router = NULL;
    assert_int_equal(shf_vector_router_new(&manifest, (shf_slice){NULL, 0}, &budget, &router, &error), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), "offset 8"));
    assert_null(router);
    shf_error_free(error);
}

static void refuse_table(const struct shf_manifest *manifest, const double *items, uint32_t rows, uint32_t columns,
                         shf_status code, const char *text) {
    struct shf_vector_router *router = NULL;
    struct shf_error *error = NULL;
    size_t size;
    uint8_t *bytes = npy_of(items, rows, columns, &size);
    assert_int_equal(shf_vector_router_new(manifest, (shf_slice){bytes, size}, &budget, &router, &error), code);
    if (!strstr(shf_error_message(error), text)) fail_msg("%s", shf_error_message(error));
    assert_null(router);
    assert_int_equal(budget.used_bytes, 0);
    shf_error_free(error);
    free(bytes);
}

static void test_tables_refused(void **state) {
    (void)state;
    double items[256] = {0};
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_CLUSTER, SHF_METRIC_L2, 3, 2, 1);
    refuse_table(&manifest, items, 2, 2, SHF_E_STATE, "2 centroids for 3 shards");
    refuse_table(&manifest, items, 4, 2, SHF_E_STATE, "4 centroids for 3 shards");
    refuse_table(&manifest, items, 0, 2, SHF_E_STATE, "0 centroids for 3 shards");
    refuse_table(&manifest, items, 3, 1, SHF_E_STATE, "rows of 1 numbers");
    refuse_table(&manifest, items, 3, 0, SHF_E_STATE, "rows of 0 numbers");
    items[3] = NAN;
    refuse_table(&manifest, items, 3, 2, SHF_E_STATE, "row 1 has an element");
    items[3] = -INFINITY;
    refuse_table(&manifest, items, 3, 2, SHF_E_STATE, "(-inf)");
    items[3] = 0;
    manifest.vector.routing.strategy = SHF_VECTORS_BY_LSH;
    refuse_table(&manifest, items, 0, 2, SHF_E_STATE, "0 hyperplanes");
    refuse_table(&manifest, items, 64, 2, SHF_E_STATE, "64 hyperplanes");
    struct shf_vector_router *router = NULL;
    struct shf_error *error = NULL;
    assert_int_equal(shf_vector_router_new(&manifest, (shf_slice){"junk", 4}, &budget, &router, &error), SHF_E_STATE);
    assert_non_null(strstr(shf_error_message(error), "no .npy file"));
    shf_error_free(error);
    struct shf_budget small;
    uint8_t *bytes;
    size_t size;
    shf_budget_init(&small, 40);
    bytes = npy_of(items, 3, 2, &size);
    error = NULL;
    assert_int_equal(shf_vector_router_new(&manifest, (shf_slice){bytes, size}, &small, &router, &error), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), "centroids or hyperplanes"));
    shf_error_free(error);
    free(bytes);
}

static unsigned left;

static void *count_down(size_t size) { return left && --left == 0 ? NULL : malloc(size); }
static void *count_down_again(void *old, size_t size) { return left && --left == 0 ? NULL : realloc(old, size); }
static const struct shf_alloc_seam failing = {count_down, count_down_again, NULL};

static void test_memory(void **state) {
    (void)state;
    const double items[6] = {1, 2, 3, 4, 5, 6};
    struct shf_manifest manifest = manifest_of(SHF_VECTORS_BY_CLUSTER, SHF_METRIC_COSINE, 3, 2, 1);
    struct shf_vector_router *router = NULL;
    shf_status status = SHF_E_NO_MEMORY;
    size_t size;
    unsigned n = 0;
    uint8_t *bytes = npy_of(items, 3, 2, &size);
    while (status && n < 50) {
        struct shf_error *error = NULL;
        left = ++n;
        shf_alloc_set_seam(&failing);
        status = shf_vector_router_new(&manifest, (shf_slice){bytes, size}, &budget, &router, &error);
        left = 0;
        shf_alloc_set_seam(NULL);
        assert_true(status == SHF_OK || status == SHF_E_NO_MEMORY);
        assert_true(!status == !error);
        if (status) assert_int_equal(budget.used_bytes, 0);
        shf_error_free(error);
    }
    assert_true(n == 4);
    shf_vector_router_free(router);
    free(bytes);
}

/* ---- as recorded ---- */

static char *find_file(const char *folder, const char *name, char *out, size_t size) {
    DIR *directory = opendir(folder);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') (void)snprintf(out, size, "%s/%s/%s", folder, entry->d_name, name);
    }
    if (directory) (void)closedir(directory);
    return out;
}

static struct shf_vector_router *open_case(const char *folder, struct shf_manifest **manifest) {
    char below[4300], path[4700];
    struct shf_vector_router *router = NULL;
    struct shf_error *error = NULL;
    size_t size;
    (void)snprintf(below, sizeof below, "%s/snapshot/manifests", folder);
    uint8_t *bytes = peer_read(find_file(below, "manifest", path, sizeof path), &size);
    assert_non_null(bytes);
    if (shf_manifest_parse(bytes, size, manifest, &error)) fail_msg("%s", shf_error_message(error));
    free(bytes);
    const char *ref = shf_vector_router_table_ref(*manifest);
    if (!ref) return NULL; /* explicit, cel */
    (void)snprintf(below, sizeof below, "%s/snapshot/vector_meta", folder);
    bytes = peer_read(find_file(below, strrchr(ref, '/') + 1, path, sizeof path), &size);
    assert_non_null(bytes);
    if (shf_vector_router_new(*manifest, (shf_slice){bytes, size}, &budget, &router, &error)) {
        fail_msg("%s", shf_error_message(error));
    }
    free(bytes);
    return router;
}

static void check_query(const struct shf_vector_router *router, const json_t *query, size_t *checked) {
    const json_t *wanted = json_object_get(query, "routed_shards"), *shard;
    struct shf_vector_probe scratch[MOST_SHARDS];
    uint32_t shards[MOST_SHARDS], count = 0;
    size_t size, i;
    if (!wanted) return;
    uint8_t *bytes = peer_base64(json_string_value(json_object_get(query, "query")), &size);
    uint32_t probes = (uint32_t)json_integer_value(json_object_get(query, "num_probes"));
    assert_int_equal(size, router->dimension * sizeof(float));
    assert_int_equal(
        shf_vector_route(router, (const float *)(const void *)bytes, NULL, probes, scratch, shards, &count, NULL),
        SHF_OK);
    assert_int_equal(count, json_array_size(wanted));
    json_array_foreach(wanted, i, shard) assert_int_equal(shards[i], json_integer_value(shard));
    free(bytes);
    ++*checked;
}

static void check_case(const char *name, void *context) {
    char folder[4200], path[4300];
    struct shf_manifest *manifest = NULL;
    json_error_t why;
    (void)snprintf(folder, sizeof folder, "%s/%s", peer_root(), name);
    struct shf_vector_router *router = open_case(folder, &manifest);
    (void)snprintf(path, sizeof path, "%s/queries.jsonl", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (;;) {
        json_t *query = router ? json_loadf(file, JSON_DISABLE_EOF_CHECK, &why) : NULL;
        if (!query) break;
        check_query(router, query, context);
        json_decref(query);
    }
    (void)fclose(file);
    shf_vector_router_free(router);
    shf_manifest_free(manifest);
}

static void test_peer(void **state) {
    (void)state;
    size_t checked = 0;
    if (!peer_root()) skip();
    assert_int_equal(peer_each("vector-", check_case, &checked), 5);
    assert_int_equal(checked, 8 + 10 + 14);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_l2, begin, end),
                                       cmocka_unit_test_setup_teardown(test_cosine, begin, end),
                                       cmocka_unit_test_setup_teardown(test_dot, begin, end),
                                       cmocka_unit_test_setup_teardown(test_overflow, begin, end),
                                       cmocka_unit_test_setup_teardown(test_heap, begin, end),
                                       cmocka_unit_test_setup_teardown(test_lsh, begin, end),
                                       cmocka_unit_test_setup_teardown(test_most_bits, begin, end),
                                       cmocka_unit_test_setup_teardown(test_explicit_and_cel, begin, end),
                                       cmocka_unit_test_setup_teardown(test_tables_refused, begin, end),
                                       cmocka_unit_test_setup_teardown(test_memory, begin, end),
                                       cmocka_unit_test_setup_teardown(test_peer, begin, end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
