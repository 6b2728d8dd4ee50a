/*
 * The synchronous forms: submit and wait, one call after another. For tools, scripts and tests.
 *
 *     example_synchronous URL KEY...
 */
#include <shardyfusion/shardyfusion.h>

#include <stdio.h>
#include <string.h>

/* Prints the error of a call that failed; op is NULL when the call was refused at once. */
static int failed(const char *what, shf_status status, shf_op *op) {
    fprintf(stderr, "%s: %s\n", what, op ? shf_error_message(shf_op_error(op)) : shf_status_text(status));
    shf_op_release(op);
    return 1;
}

static int look_up(shf_reader *reader, const char *text) {
    const shf_key key = shf_key_from_text(text, strlen(text));
    shf_op *op = NULL;
    shf_status status = shf_get_sync(reader, &key, NULL, 0, &op);
    if (status != SHF_OK) return failed(text, status, op);
    shf_value value;
    SHF_INIT(&value);
    (void)shf_op_value(op, 0, &value);
    if (value.status == SHF_NOT_FOUND) {
        printf("%s: not found\n", text);
    } else {
        printf("%s: %.*s\n", text, (int)value.data.size, (const char *)value.data.data);
    }
    shf_op_release(op); /* value was a view into it */
    return 0;
}

static int search_like(shf_reader *reader, const char *text) {
    shf_vector_id id = {SHF_ID_TEXT, 0, 0, {text, strlen(text)}};
    shf_query query;
    SHF_INIT(&query);
    query.like = &id;
    query.top_k = 3;
    shf_op *op = NULL;
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    if (status != SHF_OK) return failed("search", status, op);
    for (size_t i = 0; i < shf_op_hit_count(op, 0); i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        (void)shf_op_hit(op, 0, i, &hit);
        printf("like %s: %.*s at %.6f\n", text, (int)hit.id.text.size, (const char *)hit.id.text.data, hit.score);
    }
    shf_op_release(op);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s URL KEY...\n", argv[0]);
        return 2;
    }
    shf_runtime *runtime = NULL;
    if (shf_runtime_new(NULL, &runtime) != SHF_OK) return 1;

    shf_reader_options options;
    SHF_INIT(&options);
    options.url = argv[1];
    shf_op *opened = NULL;
    shf_reader *reader = NULL;
    int result = 0;
    shf_status status = shf_open_sync(runtime, &options, 0, &opened);
    if (status != SHF_OK) {
        result = failed(argv[1], status, opened);
    } else {
        (void)shf_op_take_reader(opened, &reader);
        shf_op_release(opened);
        for (int i = 2; i < argc; i++) result |= look_up(reader, argv[i]);
        result |= search_like(reader, argv[2]);
    }
    shf_reader_release(reader);
    (void)shf_runtime_free(runtime);
    return result;
}
