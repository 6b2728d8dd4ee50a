#include "integration/s3_composite_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

void composite_put_copy(const char *prefix) {
    assert_true(s3_server_put_folder(&s3_server, world->snapshot, S3_BUCKET, prefix));
}

int composite_group_begin(void **state) {
    if (s3_group_begin(state)) return -1;
    world_begin();
    world_select(WORLD_KEYS);
    composite_put_copy("elsewhere/keys");
    world_select(WORLD_COMPOSITE);
    composite_put_copy("elsewhere/composite");
    return 0;
}

int composite_group_end(void **state) {
    world_end();
    return s3_group_end(state);
}

void composite_publish(enum world_pointer pointer) {
    const char *text = world_pointer_text(pointer);
    assert_true(s3_server_put(&s3_server, S3_BUCKET, "elsewhere/composite/_CURRENT", text, strlen(text)));
}

int composite_end(void **state) {
    world_select(WORLD_COMPOSITE);
    composite_publish(WORLD_FIRST);
    return s3_end(state);
}

static bool values_are_exact(shf_reader *reader, int run) {
    shf_key *keys = calloc(world->row_count, sizeof *keys);
    shf_op *op = NULL;
    for (size_t i = 0; i < world->row_count; i++) keys[i] = world_key(i);
    shf_status status = shf_multi_get_sync(reader, keys, world->row_count, NULL, 0, &op);
    bool ok = status == SHF_OK && shf_op_value_count(op) == world->row_count;
    for (size_t i = 0; ok && i < world->row_count; i++) {
        shf_value value;
        SHF_INIT(&value);
        ok = shf_op_value(op, i, &value) == SHF_OK && world_value_is(i, run, &value);
        if (!ok) print_message("the value of row %zu is not that of run %d\n", i, run);
    }
    if (status) print_message("multi_get: %s\n", op ? shf_error_message(shf_op_error(op)) : shf_status_text(status));
    shf_op_release(op);
    free(keys);
    return ok;
}

bool composite_is_exact(shf_reader *reader, int run) {
    if (!values_are_exact(reader, run)) return false;
    for (size_t i = 0; world->kind != WORLD_KEYS && i < WORLD_QUERIES; i++) {
        shf_query query = world_query(i);
        shf_op *op = NULL;
        shf_status status = shf_search_sync(reader, &query, 0, &op);
        bool ok = status == SHF_OK && world_hits_are(op, 0, i, run);
        if (!ok) print_message("query %zu: %s\n", i, status ? shf_error_message(shf_op_error(op)) : "other hits");
        shf_op_release(op);
        if (!ok) return false;
    }
    return true;
}

void composite_assert_exact(struct s3_opened *opened, int run) {
    if (opened->status) print_message("%s\n", opened->message);
    assert_int_equal(opened->status, SHF_OK);
    assert_true(composite_is_exact(opened->reader, run));
    support_close(opened->reader);
}
