/* The sharding object of a snapshot that is sharded by an expression: what it takes, what it refuses, and its text. */
#include "build_support.h"

#include "base/alloc.h"
#include "formats/manifest_build.h"

#include <stdlib.h>
#include <string.h>

/* Given and taken, the text is this. */
static void expect_text(const char *expression, const char *columns, const char *values, const char *text) {
    struct shf_error *error = NULL;
    struct shf_manifest_cel cel = {0};
    char *got = NULL;
    expect_ok(shf_manifest_cel_take(expression, columns, values, &cel, &error), error);
    expect_ok(shf_manifest_cel_build(&cel, cel.routing_values, cel.routing_count, &got, &error), error);
    assert_string_equal(got, text);
    shf_free(got);
    shf_manifest_cel_free(&cel);
    assert_null(cel.expression);
}

static void test_text(void **state) {
    (void)state;
    expect_text("key % 4", "{\"key\":\"int\"}", NULL,
                "{\"cel_columns\": {\"key\": \"int\"}, \"cel_expr\": \"key % 4\", \"hash_algorithm\": \"xxh3_64\", "
                "\"routing_values\": null, \"strategy\": \"cel\"}");
    expect_text(
        "region", " {\"region\" : \"string\"} ", "[\"eu\",\"\\u65e5\xe6\x9c\xac\", \"\", \"a\\u0000b\"]",
        "{\"cel_columns\": {\"region\": \"string\"}, \"cel_expr\": \"region\", \"hash_algorithm\": \"xxh3_64\", "
        "\"routing_values\": [\"eu\", \"\\u65e5\\u672c\", \"\", \"a\\u0000b\"], \"strategy\": \"cel\"}");
    expect_text(
        "z == \"\xc3\xa9\" ? 1 : a", "{\"z\": \"string\", \"a\": \"int\"}",
        "[3, -9223372036854775808, 9223372036854775807]",
        "{\"cel_columns\": {\"a\": \"int\", \"z\": \"string\"}, \"cel_expr\": \"z == \\\"\\u00e9\\\" ? 1 : a\", "
        "\"hash_algorithm\": \"xxh3_64\", \"routing_values\": [3, -9223372036854775808, 9223372036854775807], "
        "\"strategy\": \"cel\"}");
    expect_text("key", "{\"key\": \"int\"}", "[]",
                "{\"cel_columns\": {\"key\": \"int\"}, \"cel_expr\": \"key\", \"hash_algorithm\": \"xxh3_64\", "
                "\"routing_values\": [], \"strategy\": \"cel\"}");
}

/* custom.vector of vectors alone, which has the same members between others. */
static void test_vectors_alone(void **state) {
    (void)state;
    struct shf_error *error = NULL;
    struct shf_manifest_cel cel = {0};
    char *got = NULL;
    struct shf_manifest_vector_spec spec = {.strategy = SHF_VECTORS_BY_CEL,
                                            .metric = SHF_METRIC_L2,
                                            .dimension = 8,
                                            .num_probes = 1,
                                            .total_vectors = UINT64_C(5000000000)};
    expect_ok(shf_manifest_cel_take("region", "{\"region\": \"string\"}", "[\"\xc3\xa9\", \"us\"]", &cel, &error), error);
    spec.cel = &cel;
    expect_ok(shf_manifest_vector_build(&spec, &got, &error), error);
    assert_string_equal(got, "{\"cel_columns\": {\"region\": \"string\"}, \"cel_expr\": \"region\", \"dim\": 8, "
                             "\"index_type\": \"hnsw\", \"metric\": \"l2\", \"num_probes\": 1, \"quantization\": null, "
                             "\"sharding_strategy\": \"cel\", \"total_vectors\": 5000000000}");
    shf_free(got);
    spec.values = cel.routing_values;
    spec.value_count = cel.routing_count;
    expect_ok(shf_manifest_vector_build(&spec, &got, &error), error);
    assert_non_null(
        strstr(got, "\"quantization\": null, \"routing_values\": [\"\\u00e9\", \"us\"], \"sharding_strategy\""));
    shf_free(got);
    shf_manifest_cel_free(&cel);
    spec = (struct shf_manifest_vector_spec){.strategy = SHF_VECTORS_BY_LSH,
                                             .metric = SHF_METRIC_COSINE,
                                             .dimension = 4,
                                             .num_probes = 3,
                                             .total_vectors = 0,
                                             .hash_bits = 6,
                                             .table_ref = "s3://b/\"p\"/hyperplanes.npy"};
    expect_ok(shf_manifest_vector_build(&spec, &got, &error), error);
    assert_string_equal(got,
                        "{\"dim\": 4, \"hyperplanes_ref\": \"s3://b/\\\"p\\\"/hyperplanes.npy\", "
                        "\"index_type\": \"hnsw\", \"metric\": \"cosine\", \"num_hash_bits\": 6, \"num_probes\": 3, "
                        "\"quantization\": null, \"sharding_strategy\": \"lsh\", \"total_vectors\": 0}");
    shf_free(got);
    spec.strategy = SHF_VECTORS_BY_CLUSTER;
    spec.table_ref = "file:///c.npy";
    expect_ok(shf_manifest_vector_build(&spec, &got, &error), error);
    assert_string_equal(got, "{\"centroids_ref\": \"file:///c.npy\", \"dim\": 4, \"index_type\": \"hnsw\", "
                             "\"metric\": \"cosine\", \"num_probes\": 3, \"quantization\": null, "
                             "\"sharding_strategy\": \"cluster\", \"total_vectors\": 0}");
    shf_free(got);
    spec.strategy = SHF_VECTORS_BY_ID;
    expect_ok(shf_manifest_vector_build(&spec, &got, &error), error);
    assert_string_equal(got, "{\"dim\": 4, \"index_type\": \"hnsw\", \"metric\": \"cosine\", \"num_probes\": 3, "
                             "\"quantization\": null, \"sharding_strategy\": \"explicit\", \"total_vectors\": 0}");
    shf_free(got);
}

static void test_refused(void **state) {
    static const struct {
        const char *expression, *columns, *values, *says;
    } cases[] = {
        {"", "{\"key\": \"int\"}", NULL, "the CEL expression is empty"},
        {"\xff", "{\"key\": \"int\"}", NULL, "not valid UTF-8"},
        {"key", "", NULL, "the columns of the expression"},
        {"key", "{\"key\": \"int\"", NULL, "the columns of the expression"},
        {"key", "{}", NULL, "no JSON object with a member"},
        {"key", "[\"key\"]", NULL, "no JSON object with a member"},
        {"key", "{\"key\": 1}", NULL, "the type of column key is no text"},
        {"key", "{\"key\": null}", NULL, "the type of column key is no text"},
        {"key", "{\"key\": \"int\"}", "[1,", "the routing values"},
        {"key", "{\"key\": \"int\"}", "7", "no JSON list"},
        {"key", "{\"key\": \"int\"}", "null", "no JSON list"},
        {"key", "{\"key\": \"int\"}", "[1, true]", "routing value 1 is neither"},
        {"key", "{\"key\": \"int\"}", "[1, 2, 3.0]", "routing value 2 is neither"},
        {"key", "{\"key\": \"int\"}", "[9223372036854775808]", "routing value 0 is neither"},
        {"key", "{\"key\": \"int\"}", "[null]", "routing value 0 is neither"},
        {"key", "{\"key\": \"int\"}", "[[1]]", "routing value 0 is neither"},
        {"key", "{\"key\": \"int\"}", "[1, \"a\"]", "not of one type"},
        {"key", "{\"key\": \"int\"}", "[1, 2, 1]", "occurs twice"},
        {"key", "{\"key\": \"int\"}", "[\"b\", \"a\", \"b\"]", "occurs twice"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shf_error *error = NULL;
        struct shf_manifest_cel cel = {0};
        expect_error(shf_manifest_cel_take(cases[i].expression, cases[i].columns, cases[i].values, &cel, &error),
                     &error, SHF_E_INVALID, cases[i].says);
        assert_null(cel.expression);
    }
}

static void test_limits(void **state) {
    (void)state;
    struct shf_error *error = NULL;
    struct shf_manifest_cel cel = {0};
    char *columns = malloc(300 * 16 + 3), *at = columns, *got = NULL;
    *at++ = '{';
    for (int i = 0; i <= (int)SHF_LIMIT_CEL_COLUMNS; i++) at += sprintf(at, "%s\"c%d\":\"int\"", i ? "," : "", i);
    (void)strcpy(at, "}");
    expect_error(shf_manifest_cel_take("c1", columns, NULL, &cel, &error), &error, SHF_E_LIMIT,
                 "257 columns; at most 256");
    free(columns);
    /* Values that take more of the manifest than is read back. */
    expect_ok(shf_manifest_cel_take("key", "{\"key\": \"string\"}", NULL, &cel, &error), error);
    size_t size = SHF_LIMIT_JSON_BYTES / 6 + 1;
    char *text = malloc(size);
    memset(text, 1, size); /* \u0001 */
    const struct shf_cel_value value = {.type = SHF_CEL_STRING, .as.text = {text, size}};
    expect_error(shf_manifest_cel_build(&cel, &value, 1, &got, &error), &error, SHF_E_LIMIT, "more than 16777216");
    assert_null(got);
    free(text);
    shf_manifest_cel_free(&cel);
}

static void test_failing_allocations(void **state) {
    (void)state;
    shf_status status = SHF_E_NO_MEMORY;
    unsigned n = 0;
    for (; status && n < 200; n++) {
        struct shf_error *error = NULL;
        struct shf_manifest_cel cel = {0};
        char *text = NULL;
        alloc_fail_at(n + 1);
        status = shf_manifest_cel_take("a + string(b)", "{\"a\": \"string\", \"b\": \"int\"}", "[\"x\", \"y1\"]", &cel,
                                       &error);
        if (!status) status = shf_manifest_cel_build(&cel, cel.routing_values, cel.routing_count, &text, &error);
        shf_free(text);
        shf_manifest_cel_free(&cel);
        if (status) assert_int_equal(status, SHF_E_NO_MEMORY);
        shf_error_free(error);
        assert_int_equal(alloc_live(), 0);
        alloc_normal();
    }
    assert_int_equal(status, SHF_OK);
    assert_true(n > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),   cmocka_unit_test(test_vectors_alone),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
