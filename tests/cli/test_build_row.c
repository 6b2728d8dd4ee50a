/* Lines of JSON as rows, and the parts they are read with. */
#include "row_test.h"

#include "cli/build/build_scan.h"
#include "cli/memory.h"

#include <math.h>
#include <stdio.h>

/* ---- columns of an expression ---- */

static struct cli_column declared[] = {{(char *)"region", "string", SHF_CONTEXT_TEXT},
                                       {(char *)"tier", "int", SHF_CONTEXT_INT},
                                       {(char *)"key", "string", SHF_CONTEXT_TEXT},
                                       {(char *)"raw", "bytes", SHF_CONTEXT_BYTES},
                                       {(char *)"value", "double", SHF_CONTEXT_DOUBLE}};
static const struct cli_columns five = {declared, 5, 2};

static const shf_context_value *column(const struct line *line, const char *name) {
    const shf_routing_context *context = line->row.context;
    for (uint32_t i = 0; i < context->count; i++) {
        if (!strcmp(context->values[i].name, name)) return &context->values[i];
    }
    return NULL;
}

static void columns_of_a_row(void **state) {
    struct cli_row_rules rules = {.columns = &five};
    struct line line;
    (void)state;
    /* Members of the line, and of its context; key is the key. */
    assert_right(read_line(&line,
                           "{\"key\":\"k\",\"tier\":-3,\"value\":\"v\",\"routing_context\":{\"region\":\"\\u00e9\","
                           "\"other\":[{\"a\":1}],\"value\":2.5,\"raw\":\"00fF\"}}",
                           &rules));
    assert_int_equal(line.row.context->struct_size, sizeof(shf_routing_context));
    assert_int_equal(line.row.context->count, 5);
    assert_slice(column(&line, "region")->as.bytes, "\xc3\xa9");
    assert_int_equal(column(&line, "tier")->kind, SHF_CONTEXT_INT);
    assert_int_equal(column(&line, "tier")->as.int_value, -3);
    assert_int_equal(column(&line, "value")->kind, SHF_CONTEXT_DOUBLE);
    assert_true(column(&line, "value")->as.double_value == 2.5);
    assert_int_equal(column(&line, "raw")->kind, SHF_CONTEXT_BYTES);
    assert_int_equal(column(&line, "raw")->as.bytes.size, 2);
    assert_memory_equal(column(&line, "raw")->as.bytes.data, "\0\xff", 2);
    assert_int_equal(column(&line, "key")->kind, SHF_CONTEXT_TEXT);
    assert_slice(column(&line, "key")->as.bytes, "k");
    assert_slice(line.row.value, "v");
    assert_int_equal(line.memory.text.size, 0);
    line_free(&line);
    /* What it is, whatever the column: the library judges. null and nothing are the same. */
    assert_right(read_line(&line,
                           "{\"key\":\"k\",\"value\":\"\",\"routing_context\":{\"tier\":18446744073709551615,"
                           "\"region\":true,\"raw\":null,\"key\":7,\"value\":99999999999999999999}}",
                           &rules));
    assert_int_equal(column(&line, "tier")->kind, SHF_CONTEXT_UINT);
    assert_true(column(&line, "tier")->as.uint_value == UINT64_MAX);
    assert_int_equal(column(&line, "region")->kind, SHF_CONTEXT_BOOL);
    assert_int_equal(column(&line, "region")->as.int_value, 1);
    assert_null(column(&line, "raw"));
    assert_int_equal(column(&line, "key")->kind, SHF_CONTEXT_INT);
    assert_int_equal(column(&line, "value")->kind, SHF_CONTEXT_DOUBLE);
    line_free(&line);
    /* Nothing but a key: the library takes that. */
    assert_right(read_line(&line, "{\"key\":\"k\",\"value\":\"\",\"routing_context\":null}", &rules));
    assert_null(line.row.context);
    line_free(&line);
    assert_right(read_line(&line, "{\"key\":\"k\",\"value\":\"\",\"routing_context\":{}}", &rules));
    assert_int_equal(line.row.context->count, 1);
    line_free(&line);
}

#define WITH(members) "{\"key\":\"k\",\"value\":\"\"," members "}"
static void wrong_columns(void **state) {
    (void)state;
    WRONG("there is no member \"other\"", WITH("\"other\":1"), .columns = &five);
    WRONG("there is no member \"tier\"", WITH("\"tier\":1"), 0);
    WRONG("routing_context: not an object", WITH("\"routing_context\":[]"), .columns = &five);
    WRONG("tier: given twice (byte", WITH("\"tier\":1,\"routing_context\":{\"tier\":1}"), .columns = &five);
    WRONG("tier: given twice", WITH("\"tier\":1,\"tier\":1"), .columns = &five);
    WRONG("tier: not a number, string, true, false or null", WITH("\"tier\":[1]"), .columns = &five);
    WRONG("raw: not hex", WITH("\"raw\":\"0\""), .columns = &five);
    WRONG("region: a wrong escape", WITH("\"region\":\"\\q\""), .columns = &five);
    WRONG("tier: a number that is too large", WITH("\"tier\":1e999"), .columns = &five);
    WRONG("routing_context: ',' or '}' is missing", WITH("\"routing_context\":{\"tier\":1 2}"), .columns = &five);
    WRONG("routing_context: ':' is missing", WITH("\"routing_context\":{\"tier\" 1}"), .columns = &five);
    WRONG("routing_context stands twice", WITH("\"routing_context\":{},\"routing_context\":{}"), .columns = &five);
}

static void a_whole_row(void **state) {
    struct cli_row_rules rules = {0};
    struct line line;
    (void)state;
    assert_right(
        read_line(&line,
                  " {\"payload\" : {\"b\":[1,2.50,{}],\"a\":\"\xc3\xa9\\/\"}, \"id\":-7,\t\"value\":\"x\\u0000\\n\","
                  "\"vector\":[ 0.5 ,-2e-3],\"key\":\"k\\u00e9\\ud83d\\ude00\"} \r",
                  &rules));
    assert_int_equal(line.row.key.kind, SHF_KEY_TEXT);
    assert_slice(line.row.key.as.bytes, "k\xc3\xa9\xf0\x9f\x98\x80");
    assert_int_equal(line.row.value.size, 3);
    assert_memory_equal(line.row.value.data, "x\0\n", 3);
    assert_int_equal(line.row.id.kind, SHF_ID_INT);
    assert_int_equal(line.row.id.int_value, -7);
    assert_int_equal(line.row.dimension, 2);
    assert_true(line.row.vector[0] == 0.5f && line.row.vector[1] == -2e-3f);
    assert_slice(line.row.payload, "{\"b\": [1, 2.5, {}], \"a\": \"\\u00e9/\"}");
    assert_int_equal(rules.backend, CLI_BACKEND_UNIFIED);
    assert_int_equal(rules.dimension, 2);
    assert_int_equal(rules.key_kind, SHF_KEY_TEXT);
    line_free(&line);
}

static void the_first_row_decides(void **state) {
    struct cli_row_rules rules = {0};
    struct line line;
    (void)state;
    assert_right(read_line(&line, "{\"key\":9223372036854775807,\"value\":\"\",\"id\":null,\"payload\":null}", &rules));
    assert_int_equal(line.row.key.kind, SHF_KEY_INT);
    assert_true(line.row.key.as.int_value == INT64_MAX);
    assert_int_equal(line.row.id.kind, 0);
    assert_null(line.row.payload.data);
    assert_int_equal(rules.backend, CLI_BACKEND_KV);
    assert_false(rules.ignored);
    line_free(&line);
    WRONG("it has a vector, but the first row has none", "{\"key\":1,\"value\":\"\",\"vector\":[1]}",
          .backend = CLI_BACKEND_KV);
    WRONG("key: text, but the first key is an integer", "{\"key\":\"a\",\"value\":\"\"}", .key_kind = SHF_KEY_INT);
    WRONG("key: an integer, but the first key is text", "{\"key\":1,\"value\":\"\"}", .key_kind = SHF_KEY_TEXT);
    WRONG("its vector has 1 numbers, the first has 2", "{\"key\":1,\"value\":\"\",\"vector\":[1]}",
          .backend = CLI_BACKEND_UNIFIED, .dimension = 2);
    WRONG("it has no vector", "{\"key\":1,\"value\":\"\"}", .backend = CLI_BACKEND_UNIFIED);
    rules = (struct cli_row_rules){.backend = CLI_BACKEND_KV, .backend_was_given = true};
    assert_right(
        read_line(&line, "{\"key\":1,\"value\":\"v\",\"id\":\"i\",\"vector\":[1],\"payload\":{\"a\":1}}", &rules));
    assert_true(rules.ignored);
    assert_int_equal(line.row.dimension, 0);
    assert_int_equal(line.row.id.kind, 0);
    assert_int_equal(line.row.payload.size, 0);
    line_free(&line);
}

static void formats(void **state) {
    struct cli_row_rules rules = {.value_format = CLI_VALUE_BASE64, .key_format = CLI_KEY_HEX};
    struct line line;
    (void)state;
    assert_right(read_line(&line, "{\"key\":\"00fF\",\"value\":\"AAH\\u002f\"}", &rules));
    assert_int_equal(line.row.key.kind, SHF_KEY_BYTES);
    assert_int_equal(line.row.key.as.bytes.size, 2);
    assert_memory_equal(line.row.key.as.bytes.data, "\0\xff", 2);
    assert_int_equal(line.row.value.size, 3);
    assert_memory_equal(line.row.value.data, "\0\x01\xff", 3);
    line_free(&line);
    rules = (struct cli_row_rules){.value_format = CLI_VALUE_HEX, .key_format = CLI_KEY_BASE64};
    assert_right(read_line(&line, "{\"key\":\"\",\"value\":\"0a\"}", &rules));
    assert_int_equal(line.row.key.as.bytes.size, 0);
    assert_slice(line.row.value, "\n");
    line_free(&line);
    rules = (struct cli_row_rules){.value_format = CLI_VALUE_JSON};
    assert_right(read_line(
        &line, "{\"key\":\"k\",\"value\": { \"a\" : [ 1.50 , 1e400, \"\\u00e9\\\"\" ] , \"a\":null } }", &rules));
    assert_slice(line.row.value, "{\"a\":[1.50,1e400,\"\\u00e9\\\"\"],\"a\":null}");
    line_free(&line);
    assert_right(read_line(&line, "{\"key\":\"k\",\"value\":null}", &rules));
    assert_slice(line.row.value, "null");
    line_free(&line);
    WRONG("value: not base64", "{\"key\":1,\"value\":\"AAA\"}", .value_format = CLI_VALUE_BASE64);
    WRONG("value: not hex", "{\"key\":1,\"value\":\"a\"}", .value_format = CLI_VALUE_HEX);
    WRONG("key: not hex", "{\"key\":\"xy\",\"value\":\"a\"}", .key_format = CLI_KEY_HEX);
    WRONG("key: not base64", "{\"key\":\"xy\",\"value\":\"a\"}", .key_format = CLI_KEY_BASE64);
    WRONG("where --key-format wants a string", "{\"key\":1,\"value\":\"a\"}", .key_format = CLI_KEY_TEXT);
    WRONG("value: not JSON", "{\"key\":1,\"value\":NaN}", .value_format = CLI_VALUE_JSON);
}

static void wrong_keys_and_ids(void **state) {
    (void)state;
    WRONG("it has no key", "{\"value\":\"\"}", 0);
    WRONG("it has no value", "{\"key\":1}", 0);
    WRONG("key: a negative integer", "{\"key\":-1,\"value\":\"\"}", 0);
    WRONG("key: an integer above 9223372036854775807", "{\"key\":9223372036854775808,\"value\":\"\"}", 0);
    WRONG("key: 1.0 is not an integer", "{\"key\":1.0,\"value\":\"\"}", 0);
    WRONG("key: neither a string nor an integer", "{\"key\":null,\"value\":\"\"}", 0);
    WRONG("key: neither a string nor an integer", "{\"key\":01,\"value\":\"\"}", 0);
    WRONG("the largest that u32be holds", "{\"key\":4294967296,\"value\":\"\"}", .key_encoding = "u32be");
    WRONG("an integer, but the key encoding is utf8", "{\"key\":1,\"value\":\"\"}", .key_encoding = "utf8");
    WRONG("not an integer, but the key encoding is u64be", "{\"key\":\"1\",\"value\":\"\"}", .key_encoding = "u64be");
    WRONG("value: not a string (--value-format json", "{\"key\":1,\"value\":5}", 0);
    WRONG("id: neither a string nor an integer", "{\"key\":1,\"value\":\"\",\"id\":1.5}", 0);
    WRONG("id: an integer that does not fit into 64 bits", "{\"key\":1,\"value\":\"\",\"id\":9223372036854775808}", 0);
    WRONG("key stands twice", "{\"key\":1,\"value\":\"\",\"k\\u0065y\":1}", 0);
    WRONG("there is no member \"colour\"", "{\"key\":1,\"value\":\"\",\"colour\":[1]}", 0);
    WRONG("there is no member \"\\x01\"", "{\"\\u0001\":1}", 0);
    WRONG("routing_context: without --cel-expr", "{\"key\":1,\"value\":\"\",\"routing_context\":{}}", 0);
    WRONG("shard_id: rows go to shards by the hash of their keys", "{\"key\":1,\"value\":\"\",\"shard_id\":0}", 0);
}

static void wrong_text(void **state) {
    struct cli_row_rules rules = {0};
    struct line line;
    (void)state;
    WRONG("not a JSON object (byte 1 of the line)", "[1]", 0);
    WRONG("not a JSON object", "", 0);
    WRONG("something follows the JSON object", "{\"key\":1,\"value\":\"\"} x", 0);
    WRONG("',' or '}' is missing", "{\"key\":1", 0);
    WRONG("':' is missing", "{\"key\" 1}", 0);
    WRONG("not a string", "{\"key\":1,}", 0);
    WRONG("it ends within a string", "{\"key\":1,\"value\":\"abcdefghijklmn", 0);
    WRONG("not UTF-8 (byte 21 of the line)", "{\"key\":1,\"value\":\"ab\xc3\x28\"}", 0);
    WRONG("not UTF-8", "{\"key\":1,\"value\":\"\xed\xa0\x80\"}", 0);
    WRONG("a control character in a string", "{\"key\":1,\"value\":\"abcdefghijk\tm\"}", 0);
    WRONG("a wrong escape", "{\"key\":1,\"value\":\"\\x41\"}", 0);
    WRONG("a wrong escape", "{\"key\":1,\"value\":\"\\u12g4\"}", 0);
    WRONG("half of a surrogate pair", "{\"key\":1,\"value\":\"\\ud800\\u0041\"}", 0);
    WRONG("half of a surrogate pair", "{\"key\":1,\"value\":\"\\udc00\"}", 0);
    assert_wrong(read_bytes(&line, "{\"key\":1,\"value\":\"\\\0\"}", 21, &rules), "a wrong escape");
    line_free(&line);
    assert_wrong(read_bytes(&line, "{\"key\":1\0}", 10, &rules), "is missing");
    line_free(&line);
}

static void wrong_vectors_and_payloads(void **state) {
    struct cli_out deep;
    (void)state;
    WRONG("vector: not an array of numbers", "{\"vector\":\"1,2\"}", 0);
    WRONG("vector: element 0 is not a number", "{\"vector\":[]}", 0);
    WRONG("vector: element 1 is not a number", "{\"vector\":[1,NaN]}", 0);
    WRONG("vector: element 1 is not a number", "{\"vector\":[1,null]}", 0);
    WRONG("vector: element 0 is a number that float32 does not hold", "{\"vector\":[3.5e38]}", 0);
    WRONG("vector: element 0 is a number that float32 does not hold", "{\"vector\":[-1e999999]}", 0);
    WRONG("vector: ',' or ']' is missing", "{\"vector\":[1 2]}", 0);
    WRONG("come from the file of --vectors", "{\"vector\":[1]}", .has_vector_file = true);
    WRONG("payload: not an object", "{\"payload\":[1]}", 0);
    WRONG("payload: a member stands twice", "{\"payload\":{\"a\":{\"b\":1,\"c\":2,\"\\u0062\":3}}}", 0);
    WRONG("payload: a number that float64 does not hold", "{\"payload\":{\"a\":1e400}}", 0);
    WRONG("payload: not JSON", "{\"payload\":{\"a\":Infinity}}", 0);
    WRONG("payload: not JSON: ',' or a closing bracket is missing", "{\"payload\":{\"a\":[1}}", 0);
    WRONG("payload: not JSON: a member's name is missing", "{\"payload\":{\"a\":1,}}", 0);
    WRONG("payload: not JSON: it ends within a value", "{\"payload\":{\"a\":", 0);
    cli_out_init(&deep, -1);
    cli_out_string(&deep, "{\"payload\":{\"a\":");
    cli_out_repeat(&deep, '[', 512);
    WRONG("payload: nested more than 512 deep", deep.data, 0);
    cli_out_free(&deep);
}

/* json.dumps of Python 3 wrote the right-hand sides. */
static void payloads_are_as_python_writes_them(void **state) {
    static const char *const cases[][2] = {
        {"{}", "{}"},
        {"{\"b\":1,\"a\":[true,false,null]}", "{\"b\": 1, \"a\": [true, false, null]}"},
        {"[0.1,1e22,1e16,1e15,123456789012345678,-0.0,-0]",
         "[0.1, 1e+22, 1e+16, 1000000000000000.0, 123456789012345678, -0.0, 0]"},
        {"[0.0001,0.00001,5e-324,1.7976931348623157e308,0.30000000000000004]",
         "[0.0001, 1e-05, 5e-324, 1.7976931348623157e+308, 0.30000000000000004]"},
        {"[2.2250738585072014e-308,100.0,1.5E+3,12345678901234567890]",
         "[2.2250738585072014e-308, 100.0, 1500.0, 12345678901234567890]"},
        {"[9007199254740993.0,5.0e-1,0.001234,9999999999999998.0]",
         "[9007199254740992.0, 0.5, 0.001234, 9999999999999998.0]"},
        {"\"\\u007f\\b\\f\\n\\r\\t\\u0001\\\"\\\\\\/\xe2\x82\xac\xf0\x9f\x98\x80\"",
         "\"\\u007f\\b\\f\\n\\r\\t\\u0001\\\"\\\\/\\u20ac\\ud83d\\ude00\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = cli_strdup(cases[i][0]);
        struct cli_scan scan = {text, text + strlen(text)};
        struct cli_out out;
        cli_out_init(&out, -1);
        assert_null(cli_scan_copy(&scan, CLI_SCAN_PYTHON, &out));
        assert_ptr_equal(scan.at, scan.end);
        assert_string_equal(out.data, cases[i][1]);
        cli_out_free(&out);
        free(text);
    }
}

/* Against strtod, over what is hard: many digits, halves between two floats, all sizes. */
static void floats_are_rounded_as_by_way_of_float64(void **state) {
    static const char *const formats[] = {"%.0f", "%.6f", "%.17g", "%.9g", "%.25e", "%.15e", "%.40f"};
    uint64_t seed = 88172645463325252u;
    char text[500];
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        uint32_t bits = (uint32_t)seed & 0x7fffffffu;
        float from, taken = 0;
        memcpy(&from, &bits, sizeof from);
        if (!isfinite(from)) continue;
        /* the float, the middle between it and the next, or that and a little */
        double value = from;
        if (i % 3) value = (value + nextafterf(from, 0)) / 2;
        if (i % 3 == 2) value = nextafter(value, i & 1 ? 0 : INFINITY);
        snprintf(text, sizeof text, formats[i % (sizeof formats / sizeof formats[0])], seed & 1 ? value : -value);
        struct cli_scan scan = {text, text + strlen(text)};
        const char *wrong = cli_scan_float(&scan, &taken);
        float expected = (float)strtod(text, NULL);
        if (wrong || taken != expected || signbit(taken) != signbit(expected)) {
            fail_msg("%s: %a, not %a (%s)", text, (double)taken, (double)expected, wrong ? wrong : "taken");
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_row),
        cmocka_unit_test(columns_of_a_row),
        cmocka_unit_test(wrong_columns),
        cmocka_unit_test(the_first_row_decides),
        cmocka_unit_test(formats),
        cmocka_unit_test(wrong_keys_and_ids),
        cmocka_unit_test(wrong_text),
        cmocka_unit_test(wrong_vectors_and_payloads),
        cmocka_unit_test(payloads_are_as_python_writes_them),
        cmocka_unit_test(floats_are_rounded_as_by_way_of_float64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
