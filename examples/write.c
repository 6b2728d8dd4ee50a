/*
 * Writes a snapshot: colours, each with its red, green and blue as a vector. Everything becomes visible at once, when
 * it is published.
 *
 *     example_write URL
 *
 * Then, for example: shardy -u URL search 1,0.5,0.1 --top-k 3
 */
#include <shardyfusion/shardyfusion.h>

#include <stdio.h>
#include <string.h>

#define COUNT (sizeof colours / sizeof colours[0])

static const struct {
    const char *name, *web;
    float rgb[3];
} colours[] = {
    {"black", "#000000", {0, 0, 0}},         {"white", "#ffffff", {1, 1, 1}},
    {"red", "#ff0000", {1, 0, 0}},           {"green", "#008000", {0, 0.5f, 0}},
    {"blue", "#0000ff", {0, 0, 1}},          {"yellow", "#ffff00", {1, 1, 0}},
    {"orange", "#ff8000", {1, 0.5f, 0}},     {"teal", "#008080", {0, 0.5f, 0.5f}},
    {"purple", "#800080", {0.5f, 0, 0.5f}},  {"olive", "#808000", {0.5f, 0.5f, 0}},
    {"grey", "#808080", {0.5f, 0.5f, 0.5f}}, {"pink", "#ffc0cb", {1, 0.75f, 0.8f}},
};

/* Prints the error of a call that failed; op is NULL when the call was refused at once. */
static int failed(const char *what, shf_status status, shf_op *op) {
    fprintf(stderr, "%s: %s\n", what, op ? shf_error_message(shf_op_error(op)) : shf_status_text(status));
    shf_op_release(op);
    return 1;
}

/* Rows may come in any order and from any threads, up to 65,536 in one call. */
static int write_rows(shf_writer *writer) {
    shf_row rows[COUNT];
    char payloads[COUNT][32];
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(payloads[i], sizeof payloads[i], "{\"web\": \"%s\"}", colours[i].web);
        SHF_INIT(&rows[i]);
        rows[i].key = shf_key_from_text(colours[i].name, strlen(colours[i].name)); /* the id as well */
        rows[i].value = (shf_slice){colours[i].web, strlen(colours[i].web)};
        rows[i].vector = colours[i].rgb;
        rows[i].dimension = 3;
        rows[i].payload = (shf_slice){payloads[i], strlen(payloads[i])};
    }
    shf_op *op = NULL;
    shf_status status = shf_write_sync(writer, rows, COUNT, 0, &op);
    if (status != SHF_OK) return failed("write", status, op);
    shf_op_release(op);
    return 0;
}

static int publish(shf_writer *writer) {
    shf_op *op = NULL;
    shf_status status = shf_publish_sync(writer, 0, &op);
    if (status != SHF_OK) return failed("publish", status, op);
    shf_publish_info info;
    SHF_INIT(&info);
    (void)shf_op_publish_info(op, &info);
    printf("published %llu rows in %u shards\n", (unsigned long long)info.rows, info.num_dbs);
    shf_op_release(op);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    shf_runtime *runtime = NULL;
    if (shf_runtime_new(NULL, &runtime) != SHF_OK) return 1;

    shf_writer_options options;
    SHF_INIT(&options);
    options.url = argv[1]; /* s3://bucket/prefix, file:///path or a path */
    options.backend = SHF_WRITE_UNIFIED;
    options.num_dbs = 2;
    options.metric = "l2";
    shf_writer *writer = NULL;
    shf_op *op = NULL;
    int result = 0;
    shf_status status = shf_writer_open_sync(runtime, &options, 0, &op);
    if (status != SHF_OK) {
        result = failed(argv[1], status, op);
    } else {
        (void)shf_op_take_writer(op, &writer);
        shf_op_release(op);
        result = write_rows(writer);
        if (!result) result = publish(writer);

        /* Ends the run's record. Without it the release does the same in the background. */
        op = NULL;
        status = shf_writer_close_sync(writer, 0, &op);
        if (status != SHF_OK) {
            result = failed("close", status, op);
        } else {
            shf_op_release(op);
        }
    }
    shf_writer_release(writer);
    (void)shf_runtime_free(runtime);
    return result;
}
