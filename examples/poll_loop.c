/*
 * The asynchronous calls in a plain poll(2) loop: everything is submitted at once, and the loop sleeps until
 * the completion queue's file descriptor says that something has finished. Other descriptors go beside it.
 *
 *     example_poll_loop URL KEY...
 */
#include <shardyfusion/shardyfusion.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

struct program {
    shf_cq *cq;
    shf_reader *reader;
    char **keys;
    int key_count;
    int pending; /* accepted and not yet delivered */
    int result;
};

static void fail(struct program *p, const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    p->result = 1;
}

/* The tag of an operation is what we want back with it: here the key, or the URL for the open. */
static shf_call call_for(struct program *p, char *tag) {
    shf_call call;
    SHF_INIT(&call);
    call.cq = p->cq;
    call.tag = tag;
    return call;
}

static void submit_gets(struct program *p) {
    for (int i = 0; i < p->key_count; i++) {
        const shf_key key = shf_key_from_text(p->keys[i], strlen(p->keys[i]));
        const shf_call call = call_for(p, p->keys[i]);
        shf_op_id id; /* for shf_cancel */
        shf_status status = shf_get(p->reader, &key, NULL, &call, &id);
        if (status == SHF_OK) {
            p->pending++;
        } else { /* refused: nothing will complete */
            fail(p, p->keys[i], shf_status_text(status));
        }
    }
}

static void completed(struct program *p, shf_op *op) {
    const char *tag = shf_op_tag(op);
    p->pending--;
    if (shf_op_status(op) != SHF_OK) {
        fail(p, tag, shf_error_message(shf_op_error(op)));
    } else if (!p->reader) {
        (void)shf_op_take_reader(op, &p->reader);
        submit_gets(p);
    } else {
        shf_value value;
        SHF_INIT(&value);
        (void)shf_op_value(op, 0, &value);
        printf("%s: %s (%zu bytes, %.1f us)\n", tag, value.status == SHF_NOT_FOUND ? "not found" : "found",
               value.data.size, (double)shf_op_latency_ns(op) / 1000);
    }
    shf_op_release(op);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s URL KEY...\n", argv[0]);
        return 2;
    }
    struct program p = {NULL, NULL, argv + 2, argc - 2, 0, 0};
    shf_runtime *runtime = NULL;
    if (shf_runtime_new(NULL, &runtime) != SHF_OK || shf_cq_new(runtime, 0, &p.cq) != SHF_OK) return 1;

    shf_reader_options options;
    SHF_INIT(&options);
    options.url = argv[1];
    const shf_call call = call_for(&p, argv[1]);
    shf_op_id id;
    shf_status status = shf_open(runtime, &options, &call, &id);
    if (status == SHF_OK) {
        p.pending = 1;
    } else {
        fail(&p, argv[1], shf_status_text(status));
    }
    while (p.pending > 0) {
        shf_op *done[16];
        size_t count = shf_cq_poll(p.cq, done, 16, 0);
        for (size_t i = 0; i < count; i++) completed(&p, done[i]);
        if (count > 0) continue; /* poll until 0: that arms the descriptor */
        struct pollfd fds[] = {{shf_cq_fd(p.cq), POLLIN, 0}};
        (void)poll(fds, 1, -1);
    }
    shf_reader_release(p.reader);
    (void)shf_cq_free(p.cq);
    (void)shf_runtime_free(runtime);
    return p.result;
}
