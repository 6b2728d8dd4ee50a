/* Lines of snapshots of vectors alone, and the arrays that say where their rows go. */
#include "build_test.h"
#include "row_test.h"

#include "cli/build/build_array.h"

#define RULES(...) ((struct cli_row_rules){.backend = CLI_BACKEND_VECTOR, .sharding = __VA_ARGS__})
#define BAD(part, words, ...) WRONG(part, words, .backend = CLI_BACKEND_VECTOR, .sharding = __VA_ARGS__)

static void a_key_serves_as_the_id(void **state) {
    struct cli_row_rules rules = RULES(CLI_SHARDING_CLUSTER);
    struct line line;
    (void)state;
    assert_right(read_line(&line, "{\"key\":\"k\",\"vector\":[1,2],\"payload\":{\"a\":1}}", &rules));
    assert_int_equal(line.row.id.kind, SHF_ID_TEXT);
    assert_slice(line.row.id.text, "k");
    assert_int_equal(line.row.key.kind, 0);
    assert_int_equal(line.row.dimension, 2);
    assert_slice(line.row.payload, "{\"a\": 1}");
    assert_false(rules.ignored);
    line_free(&line);
    assert_right(read_line(&line, "{\"vector\":[1,2],\"id\":-7}", &rules));
    assert_int_equal(line.row.id.kind, SHF_ID_INT);
    assert_int_equal(line.row.id.int_value, -7);
    assert_false(rules.ignored);
    line_free(&line);
    /* An id counts before a key, which then is left out. */
    assert_right(read_line(&line, "{\"key\":5,\"vector\":[1,2],\"id\":9}", &rules));
    assert_int_equal(line.row.id.int_value, 9);
    assert_true(rules.ignored);
    line_free(&line);
    rules.ignored = false;
    /* Any value is passed over, whatever --value-format would say of it. */
    assert_right(read_line(&line, "{\"key\":-5,\"value\":{\"a\":[\"\\u00e9\"]},\"vector\":[1,2],\"id\":null}", &rules));
    assert_int_equal(line.row.id.int_value, -5);
    assert_int_equal(line.row.value.size, 0);
    assert_null(line.row.value.data);
    assert_int_equal(line.memory.text.size, 0);
    assert_true(rules.ignored);
    line_free(&line);
}

static void wrong_rows(void **state) {
    (void)state;
    BAD("it has neither id nor key", "{\"vector\":[1]}", CLI_SHARDING_CLUSTER);
    BAD("it has no vector", "{\"id\":1}", CLI_SHARDING_CLUSTER);
    BAD("key: neither a string nor an integer", "{\"key\":null,\"vector\":[1]}", CLI_SHARDING_CLUSTER);
    BAD("key: an integer that does not fit into 64 bits", "{\"key\":9223372036854775808}", CLI_SHARDING_CLUSTER);
    BAD("value: not JSON", "{\"id\":1,\"value\":NaN,\"vector\":[1]}", CLI_SHARDING_CLUSTER);
    BAD("its vector has 1 numbers, the first has 2", "{\"id\":1,\"vector\":[1]}", CLI_SHARDING_CLUSTER, .dimension = 2);
    BAD("its vector has 1 numbers, those of --centroids have 2", "{\"id\":1,\"vector\":[1]}", CLI_SHARDING_CLUSTER,
        .dimension = 2, .dimension_of = "those of --centroids have");
    BAD("routing_context: it counts with --cel-expr alone", "{\"id\":1,\"vector\":[1],\"routing_context\":{}}",
        CLI_SHARDING_LSH);
}

static void shards_that_rows_name(void **state) {
    struct cli_row_rules rules = RULES(CLI_SHARDING_EXPLICIT);
    struct line line;
    (void)state;
    assert_right(read_line(&line, "{\"id\":1,\"shard_id\":4294967295,\"vector\":[1]}", &rules));
    assert_int_equal(line.row.shard, UINT32_MAX);
    line_free(&line);
}

static void wrong_shards(void **state) {
    (void)state;
    BAD("it has no shard_id", "{\"id\":1,\"vector\":[1]}", CLI_SHARDING_EXPLICIT);
    BAD("it has no shard_id", "{\"id\":1,\"vector\":[1],\"shard_id\":null}", CLI_SHARDING_EXPLICIT);
    BAD("shard_id: -1 is not the number of a shard", "{\"id\":1,\"shard_id\":-1}", CLI_SHARDING_EXPLICIT);
    BAD("shard_id: 4294967296 is not", "{\"id\":1,\"shard_id\":4294967296}", CLI_SHARDING_EXPLICIT);
    BAD("shard_id: 99999999999999999999 is not", "{\"id\":1,\"shard_id\":99999999999999999999}", CLI_SHARDING_EXPLICIT);
    BAD("shard_id: not an integer (byte", "{\"id\":1,\"shard_id\":\"1\"}", CLI_SHARDING_EXPLICIT);
    BAD("shard_id: not an integer", "{\"id\":1,\"shard_id\":1.0}", CLI_SHARDING_EXPLICIT);
    BAD("shard_id stands twice", "{\"shard_id\":1,\"shard_id\":1}", CLI_SHARDING_EXPLICIT);
    BAD("with --vector-sharding explicit alone, and this is lsh", "{\"id\":1,\"shard_id\":1}", CLI_SHARDING_LSH);
    WRONG("only snapshots of vectors alone", "{\"key\":1,\"shard_id\":1}", .backend = CLI_BACKEND_UNIFIED);
}

static struct cli_column declared[] = {{(char *)"region", "string", SHF_CONTEXT_TEXT},
                                       {(char *)"key", "int", SHF_CONTEXT_INT}};
static const struct cli_columns both = {declared, 2, 1}, regions = {declared, 1, 1};

static void columns(void **state) {
    struct cli_row_rules rules = RULES(CLI_SHARDING_CEL, .columns = &both);
    struct line line;
    (void)state;
    /* The expression has nothing but the context: what the line calls its key is in there, an id is not. */
    assert_right(read_line(&line, "{\"key\":7,\"id\":\"i\",\"region\":\"eu\",\"vector\":[1]}", &rules));
    assert_int_equal(line.row.context->count, 2);
    assert_slice(line.row.context->values[0].as.bytes, "eu");
    assert_string_equal(line.row.context->values[1].name, "key");
    assert_int_equal(line.row.context->values[1].as.int_value, 7);
    assert_slice(line.row.id.text, "i");
    line_free(&line);
    assert_right(read_line(&line, "{\"key\":\"seven\",\"vector\":[1]}", &rules));
    assert_int_equal(line.row.context->count, 1);
    assert_int_equal(line.row.context->values[0].kind, SHF_CONTEXT_TEXT);
    assert_slice(line.row.context->values[0].as.bytes, "seven");
    line_free(&line);
    assert_right(read_line(&line, "{\"key\":1,\"routing_context\":{\"key\":8},\"vector\":[1]}", &rules));
    assert_int_equal(line.row.context->count, 1);
    assert_int_equal(line.row.context->values[0].as.int_value, 8);
    line_free(&line);
    rules.columns = &regions;
    assert_right(read_line(&line, "{\"key\":1,\"vector\":[1]}", &rules));
    assert_null(line.row.context);
    line_free(&line);
}

/* A .npy of these bytes. */
static void make_array(char *name, const char *type, const char *order, const char *shape, const void *data, size_t size) {
    static const unsigned char begin[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0};
    unsigned char file[TEST_BYTES];
    char header[118];
    int used = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", type, order, shape);
    memset(header + used, ' ', sizeof header - (size_t)used);
    memcpy(file, begin, sizeof begin);
    memcpy(file + 10, header, sizeof header);
    memcpy(file + 128, data, size);
    make_file(name, file, 128 + size);
}

static const float numbers[6] = {1, 2, -3.5f, 4, 5, 1e-40f};

static void arrays(void **state) {
    static const double wide[2] = {0.1, -2};
    static const unsigned char half[4] = {0x00, 0x3c, 0x00, 0xc0};
    char name[FILE_NAME_BYTES];
    struct cli_array array;
    (void)state;
    make_array(name, "<f4", "False", "(3, 2)", numbers, sizeof numbers);
    assert_right(cli_array_read(&array, "centroids", name, 3, sizeof numbers));
    assert_int_equal(array.rows, 3);
    assert_int_equal(array.dimension, 2);
    assert_memory_equal(array.items, numbers, sizeof numbers);
    cli_array_free(&array);
    assert_wrong(cli_array_read(&array, "centroids", name, 2, 1000), ": 3 rows; at most 2 are possible");
    cli_array_free(&array);
    assert_wrong(cli_array_read(&array, "centroids", name, 9, 23), ": 24 bytes as floats, more than");
    cli_array_free(&array);
    unlink(name);
    make_array(name, "<f8", "False", "(2, 1)", wide, sizeof wide);
    assert_right(cli_array_read(&array, "hyperplanes", name, 9, 1000));
    assert_true(array.items[0] == 0.1f && array.items[1] == -2);
    cli_array_free(&array);
    unlink(name);
    make_array(name, "<f2", "False", "(1, 2)", half, sizeof half);
    assert_right(cli_array_read(&array, "hyperplanes", name, 9, 1000));
    assert_true(array.rows == 1 && array.items[0] == 1 && array.items[1] == -2);
    cli_array_free(&array);
    unlink(name);
}

static void array_is_wrong(const char *part, const char *type, const char *order, const char *shape, const void *data,
                           size_t size) {
    char name[FILE_NAME_BYTES];
    struct cli_array array;
    make_array(name, type, order, shape, data, size);
    char *error = cli_array_read(&array, "centroids", name, 100, 1u << 20);
    assert_non_null(error);
    assert_non_null(strstr(error, name)); /* one error that names the flag and the file */
    assert_memory_equal(error, "--centroids: ", 13);
    assert_wrong(error, part);
    cli_array_free(&array);
    unlink(name);
}

static void wrong_arrays(void **state) {
    static const unsigned char nan[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0x7f, 0, 0, 0, 0};
    static const double huge[2] = {1e300, 0};
    char name[FILE_NAME_BYTES];
    struct cli_array array;
    (void)state;
    array_is_wrong("row 2 has an element that is not a finite float32", "<f4", "False", "(2, 2)", nan, sizeof nan);
    array_is_wrong("row 1 has an element that is not a finite float32", "<f8", "False", "(1, 2)", huge, sizeof huge);
    array_is_wrong("an array of one dimension", "<f4", "False", "(6,)", numbers, sizeof numbers);
    array_is_wrong("it has no rows", "<f4", "False", "(0, 2)", numbers, 0);
    array_is_wrong("its type is <i4", "<i4", "False", "(3, 2)", numbers, sizeof numbers);
    array_is_wrong("fortran_order", "<f4", "True", "(3, 2)", numbers, sizeof numbers);
    array_is_wrong("cut short", "<f4", "False", "(3, 2)", numbers, sizeof numbers - 1);
    array_is_wrong("shape", "<f4", "False", "(3, 2, 1)", numbers, sizeof numbers);
    array_is_wrong("101 rows; at most 100", "<f4", "False", "(101, 1)", (const float[101]){0}, 404);
    assert_wrong(cli_array_read(&array, "centroids", "/nowhere/c.npy", 9, 99), "--centroids: /nowhere/c.npy: ");
    cli_array_free(&array);
    make_file(name, "\2\0\0\0\0\0\0\0\0\0\0\0", 12);
    assert_wrong(cli_array_read(&array, "centroids", name, 9, 99), ": not a .npy file");
    cli_array_free(&array);
    unlink(name);
    make_file(name, "", 0);
    assert_wrong(cli_array_read(&array, "centroids", name, 9, 99), ": not a .npy file");
    cli_array_free(&array);
    unlink(name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_serves_as_the_id), cmocka_unit_test(wrong_rows), cmocka_unit_test(shards_that_rows_name),
        cmocka_unit_test(wrong_shards),           cmocka_unit_test(columns),    cmocka_unit_test(arrays),
        cmocka_unit_test(wrong_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
