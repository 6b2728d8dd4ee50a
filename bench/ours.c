#include "bench/ours.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_CAPACITY 1024u

bool bench_failed(const char *what, shf_status status, shf_op *op) {
    fprintf(stderr, "%s: %s\n", what, op ? shf_error_message(shf_op_error(op)) : shf_status_text(status));
    shf_op_release(op);
    return false;
}

bool bench_ours_open(struct bench_ours *ours, const char *data, const char *name, uint32_t workers) {
    return bench_ours_open_in(ours, data, name, workers, BENCH_CACHE);
}

bool bench_ours_open_in(struct bench_ours *ours, const char *data, const char *name, uint32_t workers, const char *cache) {
    char url[PATH_MAX], local_root[PATH_MAX];
    shf_op *op = NULL;
    shf_runtime_options runtime_options;
    shf_reader_options options;
    memset(ours, 0, sizeof *ours);
    SHF_INIT(&runtime_options);
    SHF_INIT(&options);
    (void)snprintf(url, sizeof url, "%s/%s", data, name);
    (void)snprintf(local_root, sizeof local_root, "%s/%s", data, cache);
    runtime_options.worker_threads = workers;
    options.url = url;
    options.local_root = local_root;
    shf_status status = shf_runtime_new(&runtime_options, &ours->runtime);
    if (!status) status = shf_cq_new(ours->runtime, QUEUE_CAPACITY, &ours->cq);
    if (!status) status = shf_open_sync(ours->runtime, &options, 0, &op);
    if (status) {
        (void)bench_failed(url, status, op);
        bench_ours_close(ours);
        return false;
    }
    (void)shf_op_take_reader(op, &ours->reader);
    shf_op_release(op);
    return true;
}

void bench_ours_close(struct bench_ours *ours) {
    shf_op *op = NULL;
    if (ours->reader) (void)shf_close_sync(ours->reader, SHF_CLOSE_DRAIN, 0, &op);
    shf_op_release(op);
    shf_reader_release(ours->reader);
    if (ours->cq && shf_cq_free(ours->cq)) fprintf(stderr, "the completion queue is still in use\n");
    if (ours->runtime && shf_runtime_free(ours->runtime)) fprintf(stderr, "the runtime is still in use\n");
    memset(ours, 0, sizeof *ours);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

bool bench_ours_forget(const char *data, const char *cache) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", data, cache);
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) return true;
    perror(path);
    return false;
}
