/*
 * The asynchronous calls in a libuv loop: a uv_poll_t watches the completion queue's file descriptor. Any other
 * event loop (libevent, epoll, asyncio, ...) takes the descriptor the same way.
 *
 *     example_libuv_loop URL KEY...
 */
#include <shardyfusion/shardyfusion.h>

#include <stdio.h>
#include <string.h>
#include <uv.h>

struct program {
    shf_cq *cq;
    shf_reader *reader;
    char **keys;
    int key_count;
    uv_poll_t watcher;
    uv_timer_t timer; /* something else that the loop does meanwhile */
    int result;
};

static void fail(struct program *p, const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    p->result = 1;
    uv_stop(p->watcher.loop);
}

static void submit_multi_get(struct program *p) {
    shf_key keys[64];
    size_t count = 0;
    for (; count < 64 && count < (size_t)p->key_count; count++) {
        keys[count] = shf_key_from_text(p->keys[count], strlen(p->keys[count]));
    }
    shf_call call;
    SHF_INIT(&call);
    call.cq = p->cq;
    shf_op_id id;
    shf_status status = shf_multi_get(p->reader, keys, count, NULL, &call, &id);
    if (status != SHF_OK) fail(p, "multi_get", shf_status_text(status));
}

static void completed(struct program *p, shf_op *op) {
    if (shf_op_status(op) != SHF_OK) {
        fail(p, "failed", shf_error_message(shf_op_error(op)));
    } else if (!p->reader) {
        (void)shf_op_take_reader(op, &p->reader);
        submit_multi_get(p);
    } else {
        for (size_t i = 0; i < shf_op_value_count(op); i++) {
            shf_value value;
            SHF_INIT(&value);
            (void)shf_op_value(op, i, &value);
            printf("%s: %s\n", p->keys[i], value.status == SHF_NOT_FOUND ? "not found" : "found");
        }
        uv_stop(p->watcher.loop);
    }
    shf_op_release(op);
}

static void readable(uv_poll_t *watcher, int status, int events) {
    struct program *p = watcher->data;
    shf_op *done[16];
    size_t count;
    (void)status, (void)events;
    while ((count = shf_cq_poll(p->cq, done, 16, 0)) > 0) { /* until 0: that arms the descriptor again */
        for (size_t i = 0; i < count; i++) completed(p, done[i]);
    }
}

static void ticked(uv_timer_t *timer) {
    (void)timer;
    fprintf(stderr, "still here\n");
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s URL KEY...\n", argv[0]);
        return 2;
    }
    struct program p = {.keys = argv + 2, .key_count = argc - 2};
    shf_runtime *runtime = NULL;
    if (shf_runtime_new(NULL, &runtime) != SHF_OK || shf_cq_new(runtime, 0, &p.cq) != SHF_OK) return 1;
    uv_loop_t *loop = uv_default_loop();
    p.watcher.data = &p;
    uv_poll_init(loop, &p.watcher, shf_cq_fd(p.cq));
    uv_poll_start(&p.watcher, UV_READABLE, readable);
    uv_timer_init(loop, &p.timer);
    uv_timer_start(&p.timer, ticked, 1000, 1000);

    shf_reader_options options;
    SHF_INIT(&options);
    options.url = argv[1];
    shf_call call;
    SHF_INIT(&call);
    call.cq = p.cq;
    shf_op_id id;
    shf_status status = shf_open(runtime, &options, &call, &id);
    if (status == SHF_OK) {
        uv_run(loop, UV_RUN_DEFAULT);
    } else {
        fail(&p, argv[1], shf_status_text(status));
    }
    uv_close((uv_handle_t *)&p.timer, NULL);
    uv_close((uv_handle_t *)&p.watcher, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    shf_reader_release(p.reader);
    (void)shf_cq_free(p.cq);
    (void)shf_runtime_free(runtime);
    return p.result;
}
