#include "cli_test.h"

#include "cli/context.h"
#include "cli/key.h"
#include "cli/query.h"

static char *parse(const char *text, enum cli_key_format format, const char *encoding, struct cli_key *key) {
    return cli_key_parse(text, strlen(text), format, encoding, key);
}

static void expect_int(const char *text, enum cli_key_format format, int64_t wanted) {
    struct cli_key key;
    assert_right(parse(text, format, "u64be", &key));
    assert_int_equal(key.key.kind, SHF_KEY_INT);
    assert_true(key.key.as.int_value == wanted);
    cli_key_free(&key);
}

static void expect_bytes(const char *text, enum cli_key_format format, const char *encoding, uint32_t kind,
                         const char *wanted, size_t size) {
    struct cli_key key;
    assert_right(parse(text, format, encoding, &key));
    assert_int_equal(key.key.kind, kind);
    assert_int_equal(key.key.as.bytes.size, size);
    assert_memory_equal(key.key.as.bytes.data, wanted, size);
    cli_key_free(&key);
}

static void expect_wrong(const char *text, enum cli_key_format format, const char *encoding, const char *part) {
    struct cli_key key;
    assert_wrong(parse(text, format, encoding, &key), part);
    cli_key_free(&key);
}

static void automatic_keys(void **state) {
    struct cli_key key;
    (void)state;
    expect_int("42", CLI_KEY_AUTO, 42);
    expect_int("-5", CLI_KEY_AUTO, -5);
    expect_int("007", CLI_KEY_AUTO, 7);
    assert_right(parse("18446744073709551615", CLI_KEY_AUTO, "u64be", &key));
    assert_int_equal(key.key.kind, SHF_KEY_UINT);
    assert_true(key.key.as.uint_value == UINT64_MAX);
    cli_key_free(&key);
    expect_wrong("abc", CLI_KEY_AUTO, "u64be",
                 "key 'abc' is not an integer that fits in 64 bits; keys of this snapshot are u64be");
    expect_wrong("", CLI_KEY_AUTO, "u32be", "not an integer");
    expect_wrong("18446744073709551616", CLI_KEY_AUTO, "u32be", "not an integer");
    expect_bytes("42", CLI_KEY_AUTO, "utf8", SHF_KEY_TEXT, "42", 2);
    expect_bytes("", CLI_KEY_AUTO, "utf8", SHF_KEY_TEXT, "", 0);
    expect_bytes("\xff", CLI_KEY_AUTO, "raw", SHF_KEY_BYTES, "\xff", 1);
    expect_wrong("\xff", CLI_KEY_AUTO, "utf8", "not UTF-8");
}

static void formats_of_keys(void **state) {
    (void)state;
    expect_bytes(" 42 ", CLI_KEY_TEXT, "u64be", SHF_KEY_TEXT, " 42 ", 4);
    expect_bytes(" 00fF ", CLI_KEY_HEX, "utf8", SHF_KEY_BYTES, "\x00\xff", 2);
    expect_bytes("AAAAMQ==\r", CLI_KEY_BASE64, "raw", SHF_KEY_BYTES, "\0\0\0001", 4);
    expect_bytes("", CLI_KEY_BASE64, "raw", SHF_KEY_BYTES, "", 0);
    expect_bytes(" \"b\\u00e9\\u0000\" ", CLI_KEY_JSON, "utf8", SHF_KEY_TEXT, "b\xc3\xa9\0", 4);
    expect_int(" -7 ", CLI_KEY_JSON, -7);
    expect_wrong("xyz", CLI_KEY_HEX, "raw", "not hex");
    expect_wrong("AAA", CLI_KEY_BASE64, "raw", "not base64");
    expect_wrong("abc", CLI_KEY_JSON, "utf8", "not a JSON string");
    expect_wrong("1.5", CLI_KEY_JSON, "u64be", "not a JSON string");
    expect_wrong("007", CLI_KEY_JSON, "u64be", "not a JSON string");
    expect_wrong("[1]", CLI_KEY_JSON, "u64be", "not a JSON string");
    expect_wrong("\"a\" 1", CLI_KEY_JSON, "utf8", "not a JSON string");
    expect_wrong("\"\\ud800\"", CLI_KEY_JSON, "utf8", "not a JSON string");
    expect_wrong("", CLI_KEY_JSON, "utf8", "not a JSON string");
}

static void keys_are_shown_as_typed(void **state) {
    struct cli_out out;
    struct cli_json json;
    struct cli_key key;
    (void)state;
    cli_out_init(&out, -1);
    cli_json_init(&json, &out, false);
    cli_json_begin(&json, '[');
    assert_right(parse("007", CLI_KEY_AUTO, "u64be", &key));
    cli_key_json(&json, &key);
    cli_key_free(&key);
    assert_right(parse(" \"a\\u00e9\"", CLI_KEY_JSON, "utf8", &key));
    cli_key_json(&json, &key);
    cli_key_free(&key);
    assert_right(parse("12", CLI_KEY_JSON, "u64be", &key));
    cli_key_json(&json, &key);
    cli_key_free(&key);
    assert_wrong(parse("\"open", CLI_KEY_JSON, "u64be", &key), "JSON");
    cli_key_json(&json, &key);
    cli_key_free(&key);
    cli_json_end(&json, ']');
    assert_string_equal(out.data, "[\"007\",\"a\\u00e9\",12,\"\\\"open\"]");
    cli_out_free(&out);
}

static void contexts(void **state) {
    const char *pairs[] = {"n=-3", "u=18446744073709551615", "d=2.5", "b=true", "t=a=b", "e="};
    const char *twice[] = {"a=1", "a=2"};
    struct cli_context context;
    (void)state;
    assert_right(cli_context_parse(&(struct cli_list){pairs, 6}, &context));
    const shf_context_value *v = cli_context_get(&context)->values;
    assert_int_equal(context.context.count, 6);
    assert_true(v[0].kind == SHF_CONTEXT_INT && v[0].as.int_value == -3 && !strcmp(v[0].name, "n"));
    assert_true(v[1].kind == SHF_CONTEXT_UINT && v[1].as.uint_value == UINT64_MAX);
    assert_true(v[2].kind == SHF_CONTEXT_DOUBLE && v[2].as.double_value == 2.5);
    assert_true(v[3].kind == SHF_CONTEXT_BOOL && v[3].as.int_value == 1);
    assert_true(v[4].kind == SHF_CONTEXT_TEXT && v[4].as.bytes.size == 3 && !memcmp(v[4].as.bytes.data, "a=b", 3));
    assert_true(v[5].kind == SHF_CONTEXT_TEXT && v[5].as.bytes.size == 0);
    cli_context_free(&context);
    assert_wrong(cli_context_parse(&(struct cli_list){twice, 2}, &context), "names 'a' twice");
    cli_context_free(&context);
    assert_right(cli_context_parse(&(struct cli_list){NULL, 0}, &context));
    assert_null(cli_context_get(&context));
    cli_context_free(&context);
}

static void types_of_columns(void **state) {
    const char *pairs[] = {"i=5", "u=7", "d=2", "b=true", "t=2026", "x=00ff", "free=8"};
    struct cli_context context;
    (void)state;
    assert_right(cli_context_parse(&(struct cli_list){pairs, 7}, &context));
    assert_right(cli_context_set_type(&context, "i", SHF_CONTEXT_INT));
    assert_right(cli_context_set_type(&context, "u", SHF_CONTEXT_UINT));
    assert_right(cli_context_set_type(&context, "d", SHF_CONTEXT_DOUBLE));
    assert_right(cli_context_set_type(&context, "b", SHF_CONTEXT_BOOL));
    assert_right(cli_context_set_type(&context, "t", SHF_CONTEXT_TEXT));
    assert_right(cli_context_set_type(&context, "x", SHF_CONTEXT_BYTES));
    assert_right(cli_context_set_type(&context, "absent", SHF_CONTEXT_BYTES));
    const shf_context_value *v = cli_context_get(&context)->values;
    assert_true(v[0].kind == SHF_CONTEXT_INT && v[0].as.int_value == 5);
    assert_true(v[1].kind == SHF_CONTEXT_UINT && v[1].as.uint_value == 7);
    assert_true(v[2].kind == SHF_CONTEXT_DOUBLE && v[2].as.double_value == 2.0);
    assert_true(v[3].kind == SHF_CONTEXT_BOOL && v[3].as.int_value == 1);
    assert_true(v[4].kind == SHF_CONTEXT_TEXT && v[4].as.bytes.size == 4 && !memcmp(v[4].as.bytes.data, "2026", 4));
    assert_true(v[5].kind == SHF_CONTEXT_BYTES && v[5].as.bytes.size == 2 && !memcmp(v[5].as.bytes.data, "\0\xff", 2));
    assert_true(v[6].kind == SHF_CONTEXT_INT && v[6].as.int_value == 8);
    assert_right(cli_context_set_type(&context, "b", SHF_CONTEXT_TEXT));
    assert_true(v[3].kind == SHF_CONTEXT_TEXT && v[3].as.bytes.size == 4);
    assert_wrong(cli_context_set_type(&context, "b", SHF_CONTEXT_INT), "column 'b' is an int, which 'true' is not");
    assert_wrong(cli_context_set_type(&context, "i", SHF_CONTEXT_BOOL), "'i' is a bool (true or false), which '5' is");
    assert_wrong(cli_context_set_type(&context, "b", SHF_CONTEXT_BYTES), "bytes (in hex)");
    cli_context_free(&context);
}

static char *query(const char *line, struct cli_query *out) {
    memset(out, 0, sizeof *out);
    return cli_query_from_json(line, strlen(line), out);
}

static void queries_of_json(void **state) {
    struct cli_query q;
    struct cli_options options = {.top_k = 3, .sqlite_mode = -1};
    struct cli_query_defaults defaults = {.options = &options};
    (void)state;
    assert_right(query("{\"vector\":[1,-2.5,0],\"top_k\":5,\"shard_ids\":[2,0],\"num_probes\":4,\"exact\":true,"
                       "\"routing_context\":{\"lang\":\"de\",\"year\":2026}}",
                       &q));
    assert_int_equal(q.dimension, 3);
    assert_true(q.vector[0] == 1.0f && q.vector[1] == -2.5f && q.vector[2] == 0.0f);
    shf_query built = cli_query_build(&q, &defaults, NULL);
    assert_int_equal(built.top_k, 5);
    assert_int_equal(built.num_probes, 4);
    assert_int_equal(built.shard_count, 2);
    assert_int_equal(built.shard_ids[0], 2);
    assert_int_equal(built.context->count, 2);
    cli_query_free(&q);

    assert_right(query("{\"vector_base64\":\"AACAPwAAAMA=\"}", &q));
    assert_int_equal(q.dimension, 2);
    assert_true(q.vector[0] == 1.0f && q.vector[1] == -2.0f);
    built = cli_query_build(&q, &defaults, NULL);
    assert_int_equal(built.top_k, 3);
    assert_null(built.shard_ids);
    assert_null(built.context);
    cli_query_free(&q);

    assert_right(query("{\"vector\":[1],\"shard_ids\":[],\"top_k\":null}", &q));
    built = cli_query_build(&q, &defaults, NULL);
    assert_non_null(built.shard_ids); /* none, which is not "all" */
    assert_int_equal(built.shard_count, 0);
    cli_query_free(&q);
}

static void wrong_queries(void **state) {
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"", "not JSON"},
        {"[1]", "not a JSON object"},
        {"{\"vector\":[1]", "not JSON"},
        {"{}", "neither vector nor vector_base64"},
        {"{\"vector\":\"AACAPw==\"}", "vector is not an array"},
        {"{\"vector\":[]}", "0 elements"},
        {"{\"vector\":[1,\"2\"]}", "element 1"},
        {"{\"vector\":[1e39]}", "element 0"},
        {"{\"vector\":[NaN]}", "not JSON"},
        {"{\"vector_base64\":\"AACAPw\"}", "not base64"},
        {"{\"vector_base64\":\"AACA\"}", "3 bytes"},
        {"{\"vector_base64\":\"\"}", "0 bytes"},
        {"{\"vector_base64\":\"AADAfw==\"}", "NaN or infinite"},
        {"{\"vector\":[1],\"vector_base64\":\"AACAPw==\"}", "exclude one another"},
        {"{\"vector\":[1],\"vector\":[2]}", "not JSON"},
        {"{\"vector\":[1],\"top_k\":0}", "top_k is not a whole number above 0"},
        {"{\"vector\":[1],\"top_k\":2.5}", "top_k is not"},
        {"{\"vector\":[1],\"shard_ids\":[-1]}", "shard_ids is not"},
        {"{\"vector\":[1],\"shard_ids\":3}", "shard_ids is not"},
        {"{\"vector\":[1],\"exact\":1}", "exact is not"},
        {"{\"vector\":[1],\"routing_context\":[]}", "routing_context is not"},
        {"{\"vector\":[1],\"routing_context\":{\"a\":null}}", "'a' is not"},
    };
    struct cli_query q = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_wrong(query(cases[i].line, &q), cases[i].part);
        cli_query_free(&q);
    }
    assert_wrong(cli_query_from_text("1,,2", &q), "'' is not a number");
    cli_query_free(&q);
    assert_wrong(cli_query_from_text("1,x", &q), "'x' is not a number");
    cli_query_free(&q);
    assert_wrong(cli_query_from_text("1e39", &q), "is not a number");
    cli_query_free(&q);
    assert_right(cli_query_from_text("1, -2.5 ,3e-1", &q));
    assert_int_equal(q.dimension, 3);
    assert_true(q.vector[1] == -2.5f);
    cli_query_free(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(automatic_keys), cmocka_unit_test(formats_of_keys),  cmocka_unit_test(keys_are_shown_as_typed),
        cmocka_unit_test(contexts),       cmocka_unit_test(types_of_columns), cmocka_unit_test(queries_of_json),
        cmocka_unit_test(wrong_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
