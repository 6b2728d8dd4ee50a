/* Lookups by an expression that takes long: what a call does of it is bounded, and the rest ends when it is told to. */
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 2000, ROWS = 300, SHARDS = 3, MANY = 1u << 20 };

/* Some 10,000 steps a key: of a million keys, minutes. The result is key % 3. */
static char *long_expression(const char *key) {
    size_t room = NUMBERS * 8 + 200, used = 0;
    char *text = malloc(room);
    used += (size_t)snprintf(text, room, "(%s + 0 * size([0", key);
    for (int i = 1; i < NUMBERS; i++) used += (size_t)snprintf(text + used, room - used, ", %d", i);
    (void)snprintf(text + used, room - used, "].filter(x, x %% 7 == %s %% 7))) %% %d", key, SHARDS);
    return text;
}

static shf_reader *make_and_open(const char *expression, const char *columns, bool is_text, uint32_t flags) {
    shf_writer_options options = writer_options(writer_prefix, SHF_WRITE_KV, SHARDS);
    char keys[ROWS][16];
    shf_row rows[ROWS];
    shf_status status;
    options.cel_expr = expression;
    options.cel_columns = columns;
    for (int i = 0; i < ROWS; i++) {
        SHF_INIT(&rows[i]);
        int size = snprintf(keys[i], sizeof keys[i], "%d", i);
        rows[i].key = is_text ? shf_key_from_text(keys[i], (size_t)size) : shf_key_from_int(i);
        rows[i].value = (shf_slice){keys[i], (size_t)size};
    }
    shf_writer *writer = writer_open(&options, &status);
    if (!writer) fail_msg("%s", support_message);
    writer_write(writer, rows, ROWS, 100);
    shf_op *publish = writer_publish(writer, &status);
    if (!publish) fail_msg("%s", support_message);
    shf_op_release(publish);
    writer_close(writer);
    shf_reader *reader = support_open(writer_prefix, writer_cache, flags, &status);
    if (!reader) fail_msg("%s", support_message);
    return reader;
}

static void assert_answer(const shf_op *op, size_t index, int64_t key) {
    char wanted[16];
    shf_value value;
    SHF_INIT(&value);
    assert_int_equal(shf_op_value(op, index, &value), SHF_OK);
    if (key < 0 || key >= ROWS) {
        assert_int_equal(value.status, SHF_NOT_FOUND);
        return;
    }
    int size = snprintf(wanted, sizeof wanted, "%d", (int)key);
    assert_int_equal(value.status, SHF_OK);
    assert_int_equal(value.data.size, size);
    assert_memory_equal(value.data.data, wanted, value.data.size);
}

/* Few keys, or a short expression: in the call. Otherwise somebody else goes on, with the same answers. */
static void test_where_it_runs(void **state) {
    (void)state;
    char *expression = long_expression("key");
    for (int lazy = 0; lazy < 2; lazy++) {
        shf_reader *reader = make_and_open(expression, "{\"key\": \"int\"}", false, lazy ? SHF_OPEN_LAZY : 0);
        shf_key keys[1000];
        shf_op *op = NULL;
        for (int i = 0; i < 1000; i++) keys[i] = shf_key_from_int(i);
        assert_int_equal(shf_multi_get_now(reader, keys, 128, NULL, &op), SHF_WOULD_WAIT);
        assert_int_equal(shf_multi_get_sync(reader, keys, 128, NULL, 0, &op), SHF_OK);
        for (size_t i = 0; i < 128; i++) assert_answer(op, i, (int64_t)i);
        shf_op_release(op);
        assert_int_equal(shf_multi_get_now(reader, keys, 128, NULL, &op), SHF_WOULD_WAIT); /* open, but long */
        assert_int_equal(shf_get_now(reader, keys, NULL, &op), SHF_OK);
        assert_answer(op, 0, 0);
        shf_op_release(op);
        assert_int_equal(shf_multi_get_sync(reader, keys, 1000, NULL, 0, &op), SHF_OK);
        for (size_t i = 0; i < 1000; i++) assert_answer(op, i, (int64_t)i);
        shf_op_release(op);
        support_close(reader);
        support_remove_tree(writer_prefix);
    }
    free(expression);
    shf_reader *reader = make_and_open("key % 3", "{\"key\": \"int\"}", false, 0);
    shf_key keys[128];
    shf_op *op = NULL;
    for (int i = 0; i < 128; i++) keys[i] = shf_key_from_int(i);
    assert_int_equal(shf_multi_get_now(reader, keys, 128, NULL, &op), SHF_OK);
    for (size_t i = 0; i < 128; i++) assert_answer(op, i, (int64_t)i);
    shf_op_release(op);
    support_close(reader);
}

/* Keys are copied as they are: the caller's memory may go. Bad ones are told of by their place, wherever that shows. */
static void test_texts(void **state) {
    (void)state;
    char *expression = long_expression("int(key)");
    shf_reader *reader = make_and_open(expression, "{\"key\": \"string\"}", true, 0);
    shf_key *keys = malloc(200 * sizeof *keys);
    char *texts = malloc(200 * 16);
    for (int i = 0; i < 200; i++) {
        int size = snprintf(texts + i * 16, 16, "%d", 2 * i);
        keys[i] = shf_key_from_text(texts + i * 16, (size_t)size);
    }
    shf_call call = support_call();
    shf_op_id id = 0;
    shf_op *op = NULL;
    assert_int_equal(shf_multi_get(reader, keys, 200, NULL, &call, &id), SHF_OK);
    memset(texts, 'x', 200 * 16);
    op = support_wait(SHF_OK, id);
    assert_int_equal(shf_op_status(op), SHF_OK);
    for (size_t i = 0; i < 200; i++) assert_answer(op, i, 2 * (int64_t)i);
    shf_op_release(op);
    /* After 130 good ones: no number, no text. */
    for (int i = 0; i < 200; i++) keys[i] = shf_key_from_text("7", 1);
    keys[130] = shf_key_from_text("seven", 5);
    assert_int_equal(shf_multi_get_sync(reader, keys, 200, NULL, 0, &op), SHF_E_ROUTING);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "key 130"));
    shf_op_release(op);
    keys[130] = shf_key_from_text("\xff", 1);
    assert_int_equal(shf_multi_get_sync(reader, keys, 200, NULL, 0, &op), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "key 130"));
    shf_op_release(op);
    free(texts);
    free(keys);
    free(expression);
    support_close(reader);
}

/*
 * A million keys would take minutes, in the call or on the worker. That the test ends, and how the operations do, shows that
 * the call does not route them, and that the worker looks at token and clock in between.
 */
static void test_it_ends_early(void **state) {
    (void)state;
    char *expression = long_expression("key");
    shf_reader *reader = make_and_open(expression, "{\"key\": \"int\"}", false, 0);
    shf_key *keys = malloc(MANY * sizeof *keys);
    shf_call call = support_call();
    shf_op_id id = 0;
    shf_op *op = NULL;
    for (int64_t i = 0; i < MANY; i++) keys[i] = shf_key_from_int(i);
    assert_int_equal(shf_multi_get(reader, keys, MANY, NULL, &call, &id), SHF_OK);
    assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
    op = support_wait(SHF_OK, id);
    assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
    shf_op_release(op);
    assert_int_equal(shf_multi_get_sync(reader, keys, MANY, NULL, 20, &op), SHF_E_DEADLINE);
    shf_op_release(op);
    /* Closing cancels it as well. */
    assert_int_equal(shf_multi_get(reader, keys, MANY, NULL, &call, &id), SHF_OK);
    shf_op *closed = NULL;
    assert_int_equal(shf_close_sync(reader, SHF_CLOSE_CANCEL, 0, &closed), SHF_OK);
    shf_op_release(closed);
    op = support_wait(SHF_OK, id);
    assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
    shf_op_release(op);
    shf_reader_release(reader);
    free(keys);
    free(expression);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_where_it_runs, writer_begin, writer_end),
        cmocka_unit_test_setup_teardown(test_texts, writer_begin, writer_end),
        cmocka_unit_test_setup_teardown(test_it_ends_early, writer_begin, writer_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
