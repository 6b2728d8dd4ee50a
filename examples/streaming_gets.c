/*
 * Streams lookups at full speed: a window of them is kept in flight, and each completion makes room for the next.
 * Keys that are resident complete inside the call, without a system call or another thread.
 *
 *     example_streaming_gets URL KEY...        looks the keys up over and over, a million times in all
 */
#include <shardyfusion/shardyfusion.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WINDOW = 256, BATCH = 64, TOTAL = 1000000 };

static double seconds(void) {
    struct timespec now;
    (void)timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static shf_reader *open_reader(shf_runtime *runtime, const char *url) {
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = url;
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    shf_status status = shf_open_sync(runtime, &options, 0, &op);
    if (status == SHF_OK) {
        (void)shf_op_take_reader(op, &reader);
    } else {
        fprintf(stderr, "%s: %s\n", url, op ? shf_error_message(shf_op_error(op)) : shf_status_text(status));
    }
    shf_op_release(op);
    return reader;
}

/* Returns how many lookups failed. */
static size_t stream(shf_reader *reader, shf_cq *cq, char **keys, size_t key_count, size_t *found) {
    size_t submitted = 0, finished = 0, bad = 0;
    shf_call call;
    SHF_INIT(&call);
    call.cq = cq;
    while (finished < TOTAL) {
        while (submitted < TOTAL && submitted - finished < WINDOW) {
            const char *text = keys[submitted % key_count];
            const shf_key key = shf_key_from_text(text, strlen(text));
            shf_op_id id;
            shf_status status = shf_get(reader, &key, NULL, &call, &id);
            if (status == SHF_E_BUSY) break; /* drain completions, then go on */
            submitted++;
            if (status != SHF_OK) finished++, bad++; /* refused: no completion comes */
        }
        shf_op *done[BATCH];
        size_t count = shf_cq_poll(cq, done, BATCH, submitted > finished ? -1 : 0);
        for (size_t i = 0; i < count; i++) {
            shf_value value;
            SHF_INIT(&value);
            if (shf_op_value(done[i], 0, &value) != SHF_OK) {
                bad++;
            } else if (value.status == SHF_OK) {
                ++*found;
            }
            shf_op_release(done[i]);
        }
        finished += count;
    }
    return bad;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s URL KEY...\n", argv[0]);
        return 2;
    }
    shf_runtime *runtime = NULL;
    shf_cq *cq = NULL;
    if (shf_runtime_new(NULL, &runtime) != SHF_OK || shf_cq_new(runtime, WINDOW, &cq) != SHF_OK) return 1;
    shf_reader *reader = open_reader(runtime, argv[1]);
    size_t bad = 1, found = 0;
    if (reader) {
        double begin = seconds();
        bad = stream(reader, cq, argv + 2, (size_t)argc - 2, &found);
        double took = seconds() - begin;
        printf("%d lookups in %.3f s, %.0f a second; %zu found, %zu failed\n", TOTAL, took, TOTAL / took, found, bad);
    }
    shf_reader_release(reader);
    (void)shf_cq_free(cq);
    (void)shf_runtime_free(runtime);
    return bad ? 1 : 0;
}
