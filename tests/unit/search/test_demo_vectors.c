/* Real vectors: the recorded exact answers over 3,000 package descriptions, with every kernel. */
#include "search/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 3000, DIMENSION = 384, QUERIES = 60, KEEP = 10, NPY_HEADER = 128 };

struct demo {
    char (*ids)[64]; /* ROWS */
    float *vectors;  /* ROWS * DIMENSION */
    double *norms;   /* ROWS */
    json_t *queries; /* array of QUERIES */
    float (*wanted)[DIMENSION];
};

static FILE *open_fixture(const char *name) {
    const char *shared = getenv("SHF_SHARED");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/fixtures/demo/%s", shared ? shared : "../shared", name);
    FILE *file = fopen(path, "rb");
    if (!file) print_message("SKIP: %s is not there (set SHF_SHARED)\n", path);
    return file;
}

/* IEEE binary16 to binary32; the set has no infinity and no NaN. */
static float widen(uint16_t half) {
    int exponent = half >> 10 & 31, fraction = half & 1023;
    assert_true(exponent != 31);
    float value = exponent ? ldexpf((float)(1024 + fraction), exponent - 25) : ldexpf((float)fraction, -24);
    return half & 0x8000 ? -value : value;
}

static void read_vectors(FILE *file, float *vectors) {
    unsigned char bytes[DIMENSION * 2];
    assert_int_equal(fseek(file, NPY_HEADER, SEEK_SET), 0);
    for (size_t row = 0; row < ROWS; row++) {
        assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof bytes);
        for (size_t i = 0; i < DIMENSION; i++) {
            vectors[row * DIMENSION + i] = widen((uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8));
        }
    }
    assert_int_equal(fgetc(file), EOF);
}

static void decode_base64(const char *text, unsigned char *out, size_t size) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    assert_int_equal(strlen(text), size / 3 * 4);
    for (size_t i = 0; i < size; i += 3, text += 4) {
        uint32_t group = 0;
        for (int j = 0; j < 4; j++) group = group << 6 | (uint32_t)(strchr(alphabet, text[j]) - alphabet);
        for (int j = 0; j < 3; j++) out[i + (size_t)j] = (unsigned char)(group >> (16 - 8 * j));
    }
}

static json_t *read_line(FILE *file) {
    static char line[1 << 16];
    assert_non_null(fgets(line, sizeof line, file));
    json_t *value = json_loads(line, 0, NULL);
    assert_non_null(value);
    return value;
}

static int load(void **state) {
    FILE *npy = open_fixture("vectors.npy"), *packages = open_fixture("packages.jsonl");
    FILE *queries = open_fixture("queries.jsonl");
    struct demo *demo = NULL;
    if (npy && packages && queries) {
        demo = calloc(1, sizeof *demo);
        demo->ids = calloc(ROWS, sizeof *demo->ids);
        demo->vectors = malloc(sizeof(float) * ROWS * DIMENSION);
        demo->norms = malloc(sizeof(double) * ROWS);
        demo->wanted = calloc(QUERIES, sizeof *demo->wanted);
        demo->queries = json_array();
        read_vectors(npy, demo->vectors);
        shf_search_norms(demo->vectors, ROWS, DIMENSION, demo->norms);
        for (size_t i = 0; i < ROWS; i++) {
            json_t *package = read_line(packages);
            (void)snprintf(demo->ids[i], sizeof demo->ids[i], "%s", json_string_value(json_object_get(package, "id")));
            json_decref(package);
        }
        for (size_t i = 0; i < QUERIES; i++) {
            json_t *query = read_line(queries);
            unsigned char bytes[DIMENSION * 4];
            decode_base64(json_string_value(json_object_get(query, "vector")), bytes, sizeof bytes);
            memcpy(demo->wanted[i], bytes, sizeof bytes); /* little-endian, like every machine that this runs on */
            (void)json_array_append_new(demo->queries, query);
        }
    }
    if (npy) (void)fclose(npy);
    if (packages) (void)fclose(packages);
    if (queries) (void)fclose(queries);
    *state = demo;
    return 0;
}

static int unload(void **state) {
    struct demo *demo = *state;
    if (!demo) return 0;
    json_decref(demo->queries);
    free(demo->ids);
    free(demo->vectors);
    free(demo->norms);
    free(demo->wanted);
    free(demo);
    return 0;
}

static void check_answer(const struct demo *demo, size_t query, const struct shf_candidate *hits) {
    json_t *top = json_object_get(json_array_get(demo->queries, query), "top10");
    assert_int_equal(json_array_size(top), KEEP);
    for (size_t i = 0; i < KEEP; i++) {
        json_t *hit = json_array_get(top, i);
        assert_string_equal(demo->ids[hits[i].position], json_string_value(json_object_get(hit, "id")));
        assert_true(fabs(hits[i].score - json_real_value(json_object_get(hit, "distance"))) < 1e-12);
    }
}

static void check_kernel(void **state, const char *name) {
    const struct demo *demo = *state;
    static double values[QUERIES][DIMENSION];
    static struct shf_candidate hits[QUERIES][KEEP];
    struct shf_search_query queries[QUERIES];
    struct shf_topk topks[QUERIES];
    if (!demo) skip();
    if (!shf_search_kernel_force(name)) {
        print_message("SKIP: this machine has no %s\n", name);
        skip();
    }
    const struct shf_vector_rows rows = {demo->vectors, demo->norms, ROWS, DIMENSION};
    for (size_t q = 0; q < QUERIES; q++) {
        shf_topk_init(&topks[q], hits[q], KEEP);
        assert_int_equal(
            shf_search_query_init(&queries[q], SHF_SEARCH_COSINE, demo->wanted[q], DIMENSION, values[q], NULL), SHF_OK);
    }
    assert_true(shf_search_scan(&rows, 0, 0, ROWS, queries, NULL, QUERIES, topks, NULL));
    for (size_t q = 0; q < QUERIES; q++) {
        shf_topk_sort(&topks[q]);
        check_answer(demo, q, hits[q]);
    }
    (void)shf_search_kernel_force(NULL);
}

static void test_scalar(void **state) { check_kernel(state, "scalar"); }
static void test_avx2(void **state) { check_kernel(state, "avx2"); }
static void test_avx512(void **state) { check_kernel(state, "avx512"); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar),
        cmocka_unit_test(test_avx2),
        cmocka_unit_test(test_avx512),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
