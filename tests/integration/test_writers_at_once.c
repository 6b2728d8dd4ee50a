/* Two writers of one prefix at once: the first to publish wins, the second changes nothing that a reader can see. */
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static shf_writer *begin(const char *url, const char *value) {
    shf_writer_options options;
    shf_writer *writer = NULL;
    shf_op_id id = 0;
    shf_row row;
    SHF_INIT(&options);
    options.url = url;
    options.run_id = value;
    options.backend = SHF_WRITE_KV;
    options.num_dbs = 1;
    shf_call call = support_call();
    shf_status submitted = shf_writer_open(support_runtime, &options, &call, &id);
    shf_op *op = support_wait(submitted, id);
    assert_int_equal(shf_op_status(op), SHF_OK);
    assert_int_equal(shf_op_take_writer(op, &writer), SHF_OK);
    shf_op_release(op);
    SHF_INIT(&row);
    row.key = shf_key_from_text("key", 3);
    row.value = (shf_slice){value, strlen(value)};
    submitted = shf_write(writer, &row, 1, &call, &id);
    op = support_wait(submitted, id);
    assert_int_equal(shf_op_status(op), SHF_OK);
    shf_op_release(op);
    return writer;
}

static shf_status publish(shf_writer *writer, const char *message) {
    shf_op_id id = 0;
    shf_call call = support_call();
    shf_status submitted = shf_publish(writer, &call, &id);
    shf_op *op = support_wait(submitted, id);
    shf_status status = shf_op_status(op);
    if (message) assert_non_null(strstr(shf_error_message(shf_op_error(op)), message));
    shf_op_release(op);
    submitted = shf_writer_close(writer, &call, &id);
    op = support_wait(submitted, id);
    assert_int_equal(shf_op_status(op), SHF_OK);
    shf_op_release(op);
    shf_writer_release(writer);
    return status;
}

static void check_served(const char *url, const char *value) {
    shf_status status;
    shf_op_id id = 0;
    shf_value got;
    shf_call call = support_call();
    shf_reader *reader = support_open(url, NULL, 0, &status);
    assert_non_null(reader);
    const shf_key key = shf_key_from_text("key", 3);
    shf_status submitted = shf_get(reader, &key, NULL, &call, &id);
    shf_op *op = support_wait(submitted, id);
    SHF_INIT(&got);
    assert_int_equal(shf_op_value(op, 0, &got), SHF_OK);
    assert_int_equal(got.data.size, strlen(value));
    assert_memory_equal(got.data.data, value, got.data.size);
    shf_op_release(op);
    support_close(reader);
}

/* The newest manifest, and how many there are: those of writers that lost are gone. */
static void check_history(const char *url, const char *newest, size_t count) {
    shf_reader_options options;
    shf_manifest_entry entry;
    shf_op_id id = 0;
    SHF_INIT(&options);
    SHF_INIT(&entry);
    options.url = url;
    shf_call call = support_call();
    shf_status submitted = shf_history(support_runtime, &options, 10, &call, &id);
    shf_op *op = support_wait(submitted, id);
    assert_int_equal(shf_op_status(op), SHF_OK);
    assert_int_equal(shf_op_manifest_count(op), count);
    assert_int_equal(shf_op_manifest(op, 0, &entry), SHF_OK);
    assert_string_equal(entry.run_id, newest);
    shf_op_release(op);
}

static void test_second_is_refused(void **state) {
    (void)state;
    char *root = support_temporary_directory();
    shf_writer *first = begin(root, "first"), *second = begin(root, "second");
    assert_int_equal(publish(first, NULL), SHF_OK);
    assert_int_equal(publish(second, "another writer published run first"), SHF_E_STATE);
    check_served(root, "first");
    check_history(root, "first", 1);

    /* The same over a prefix that has a snapshot. */
    first = begin(root, "third");
    second = begin(root, "fourth");
    assert_int_equal(publish(second, NULL), SHF_OK);
    assert_int_equal(publish(first, "another writer published run fourth"), SHF_E_STATE);
    check_served(root, "fourth");
    check_history(root, "fourth", 2);
    support_remove_tree(root);
    free(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_second_is_refused, support_set_up, support_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
