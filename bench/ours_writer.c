#include "bench/ours_writer.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OPEN_FOLDERS 16

bool bench_writer_open(struct bench_writer *writer, const char *data, const char *name, uint64_t memory_budget_bytes,
                       shf_writer_options *options) {
    char url[PATH_MAX];
    shf_op *op = NULL;
    shf_runtime_options runtime_options;
    memset(writer, 0, sizeof *writer);
    SHF_INIT(&runtime_options);
    (void)snprintf(url, sizeof url, "%s/%s", data, name);
    runtime_options.memory_budget_bytes = memory_budget_bytes;
    options->url = url;
    shf_status status = shf_runtime_new(&runtime_options, &writer->runtime);
    if (!status) status = shf_writer_open_sync(writer->runtime, options, 0, &op);
    options->url = NULL;
    if (status) return bench_failed(url, status, op);
    (void)shf_op_take_writer(op, &writer->writer);
    shf_op_release(op);
    return true;
}

bool bench_writer_add(struct bench_writer *writer, const shf_row *rows, size_t count) {
    shf_op *op = NULL;
    shf_status status = shf_write_sync(writer->writer, rows, count, 0, &op);
    if (status) return bench_failed("write", status, op);
    shf_op_release(op);
    return true;
}

bool bench_writer_publish(struct bench_writer *writer, struct bench_built *out) {
    shf_op *op = NULL;
    shf_publish_info info;
    SHF_INIT(&info);
    shf_status status = shf_publish_sync(writer->writer, 0, &op);
    if (status) return bench_failed("publish", status, op);
    (void)shf_op_publish_info(op, &info);
    *out = (struct bench_built){info.rows,
                                info.db_bytes,
                                info.spilled_bytes,
                                (double)info.sort_ns,
                                (double)info.build_ns,
                                (double)info.publish_ns};
    shf_op_release(op);
    op = NULL;
    status = shf_writer_close_sync(writer->writer, 0, &op);
    if (status) return bench_failed("close", status, op);
    shf_op_release(op);
    bench_writer_drop(writer);
    return true;
}

void bench_writer_drop(struct bench_writer *writer) {
    shf_writer_release(writer->writer);
    if (writer->runtime && shf_runtime_free(writer->runtime)) fprintf(stderr, "the runtime is still in use\n");
    memset(writer, 0, sizeof *writer);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    if (remove(path) != 0) perror(path);
    return 0;
}

void bench_remove_tree(const char *data, const char *name) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", data, name);
    (void)nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}
