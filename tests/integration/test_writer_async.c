/* The writer and time: many writes in flight, threads, cancellation, deadlines, closing at any moment, fork. */
#include "stress/stress.h"
#include "integration/writer_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)

static char *root, *prefix, *cache;
static unsigned fds, threads;

static int begin(void **state) {
    fds = writer_fd_count();
    threads = writer_thread_count();
    root = support_temporary_directory();
    prefix = support_path("%s/snapshots", root);
    cache = support_path("%s/cache", root);
    return support_set_up(state);
}

static int leave(void **state) {
    int result = support_tear_down(state);
    writer_assert_tidy(root);
    support_remove_tree(root);
    free(root);
    free(prefix);
    free(cache);
    return result;
}

static int end(void **state) {
    int result = leave(state);
    if (writer_fd_count() != fds || writer_thread_count() != threads) {
        print_message("%u descriptors, before %u; %u threads, before %u\n", writer_fd_count(), fds,
                      writer_thread_count(), threads);
        result = -1;
    }
    return result;
}

static void nap_us(long us) { (void)nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL); }

static shf_writer *open_writer(uint32_t flags, uint64_t memory_bytes) {
    shf_status status;
    shf_writer_options options = writer_options(prefix, SHF_WRITE_KV, 4);
    options.flags = flags;
    options.memory_bytes = memory_bytes;
    options.local_root = root;
    shf_writer *writer = writer_open(&options, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(writer);
    return writer;
}

/* Closes, or forgets to. */
static void publish_and_close(shf_writer *writer, uint64_t rows) {
    shf_status status;
    shf_publish_info info;
    shf_op *op = writer_publish(writer, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(op);
    SHF_INIT(&info);
    assert_int_equal(shf_op_publish_info(op, &info), SHF_OK);
    assert_int_equal(info.rows, rows);
    shf_op_release(op);
    writer_close(writer);
}

static void assert_serves(const struct writer_rows *rows) {
    shf_status status;
    shf_reader *reader = support_open(prefix, cache, 0, &status);
    if (status) print_message("%s\n", support_message);
    assert_non_null(reader);
    writer_assert_values(reader, rows);
    support_close(reader);
}

static struct writer_rows *rows_of(size_t count, size_t value_bytes, uint32_t generation) {
    const struct writer_shape shape = {
        .rows = count, .value_least = value_bytes, .value_most = value_bytes, .generation = generation};
    return writer_rows_new(&shape);
}

/* ---- many writes in flight ---- */

#define WRITES 4000u
#define KEYS 700u
#define LARGE_VALUE 3000u

/* Versions of one value differ in every word. */
static void make_value(char *value, uint32_t key, uint32_t version) {
    for (uint32_t at = 0; at < LARGE_VALUE; at += 8) memcpy(value + at, (uint32_t[]){key, version}, 8);
}

struct flight {
    shf_cq *cq;
    unsigned in_flight, refused, busy;
};

/* True when the operation with the tag was told to come again. */
static bool collect(struct flight *flight, const void *tag, int64_t wait_ms) {
    shf_op *ops[64];
    bool again = false;
    for (size_t count; (count = shf_cq_poll(flight->cq, ops, 64, wait_ms)) != 0; wait_ms = 0) {
        for (size_t i = 0; i < count; i++) {
            shf_status status = shf_op_status(ops[i]);
            if (status == SHF_E_BUSY) {
                assert_ptr_equal(shf_op_tag(ops[i]), tag); /* within the call, so it is this one */
                again = true;
                flight->busy++;
            } else {
                if (status) print_message("%s\n", shf_error_message(shf_op_error(ops[i])));
                assert_int_equal(status, SHF_OK);
            }
            flight->in_flight--;
            shf_op_release(ops[i]);
        }
    }
    return again;
}

static void submit(struct flight *flight, shf_writer *writer, const shf_row *rows, size_t count, void *tag) {
    shf_call call;
    SHF_INIT(&call);
    call.cq = flight->cq;
    call.tag = tag;
    for (bool again = true; again;) {
        shf_status status = shf_write(writer, rows, count, &call, NULL);
        if (status == SHF_E_BUSY) {
            flight->refused++;
            (void)collect(flight, NULL, 20);
            continue;
        }
        assert_int_equal(status, SHF_OK);
        flight->in_flight++;
        again = collect(flight, tag, 0);
        if (again) (void)collect(flight, NULL, 20);
    }
}

static void fly(struct flight *flight, uint64_t memory_bytes) {
    static uint32_t versions[KEYS];
    struct writer_rows wanted = {.shape = {.rows = KEYS}};
    shf_writer *writer = open_writer(SHF_WRITE_LAST_WINS, memory_bytes);
    char *values = malloc((size_t)KEYS * LARGE_VALUE);
    uint64_t given = 0;
    wanted.rows = calloc(KEYS, sizeof *wanted.rows);
    for (uint32_t i = 0; i < WRITES; i++) {
        shf_row rows[4];
        char contents[4][LARGE_VALUE];
        uint32_t count = 1 + (uint32_t)(writer_mix(i, 1) % 4);
        for (uint32_t r = 0; r < count; r++) {
            uint32_t key = (uint32_t)(i < KEYS && r == 0 ? i : writer_mix(i, 2 + r) % KEYS);
            SHF_INIT(&rows[r]);
            rows[r].key = shf_key_from_int(key);
            make_value(contents[r], key, ++versions[key]);
            rows[r].value = (shf_slice){contents[r], LARGE_VALUE};
        }
        submit(flight, writer, rows, count, &versions[i % KEYS]);
        memset(contents, 0, sizeof contents); /* inputs were copied */
        given += count;
    }
    publish_and_close(writer, KEYS); /* comes after all the writes that wait */
    while (flight->in_flight) (void)collect(flight, NULL, 1000);
    for (uint32_t key = 0; key < KEYS; key++) {
        SHF_INIT(&wanted.rows[key]);
        wanted.rows[key].key = shf_key_from_int(key);
        wanted.rows[key].value = (shf_slice){values + (size_t)key * LARGE_VALUE, LARGE_VALUE};
        make_value(values + (size_t)key * LARGE_VALUE, key, versions[key]);
        versions[key] = 0;
    }
    assert_serves(&wanted);
    assert_true(given > WRITES);
    free(wanted.rows);
    free(values);
}

static void test_many_writes_in_flight(void **state) {
    (void)state;
    struct flight flight = {0};
    assert_int_equal(shf_cq_new(support_runtime, 2048, &flight.cq), SHF_OK);
    fly(&flight, 4 * MIB);
    print_message("%u times refused, %u times told to come again\n", flight.refused, flight.busy);
    assert_int_equal(shf_cq_free(flight.cq), SHF_OK);
}

/* A queue and a budget that are full most of the time. */
static void test_many_writes_through_a_small_queue(void **state) {
    struct flight flight = {0};
    shf_runtime_options options;
    SHF_INIT(&options);
    options.memory_budget_bytes = 16 * MIB;
    assert_int_equal(support_tear_down(state), 0);
    assert_int_equal(shf_runtime_new(&options, &support_runtime), SHF_OK);
    assert_int_equal(shf_cq_new(support_runtime, 0, &support_cq), SHF_OK);
    assert_int_equal(shf_cq_new(support_runtime, 8, &flight.cq), SHF_OK);
    fly(&flight, 8 * MIB);
    assert_int_equal(shf_cq_free(flight.cq), SHF_OK);
}

static void test_a_full_queue(void **state) {
    (void)state;
    shf_cq *cq = NULL;
    shf_op *ops[2];
    shf_call call;
    SHF_INIT(&call);
    assert_int_equal(shf_cq_new(support_runtime, 2, &cq), SHF_OK);
    call.cq = cq;
    struct writer_rows *rows = rows_of(4, 10, 0);
    shf_writer *writer = open_writer(0, 0);
    for (int i = 0; i < 2; i++) assert_int_equal(shf_write(writer, &rows->rows[i], 1, &call, NULL), SHF_OK);
    assert_int_equal(shf_write(writer, &rows->rows[2], 1, &call, NULL), SHF_E_BUSY);
    assert_int_equal(shf_publish(writer, &call, NULL), SHF_E_BUSY);
    assert_int_equal(shf_writer_close(writer, &call, NULL), SHF_E_BUSY);
    assert_int_equal(shf_cq_poll(cq, ops, 2, 1000), 2);
    for (int i = 0; i < 2; i++) shf_op_release(ops[i]);
    writer_write(writer, rows->rows + 2, 2, 1); /* none of the refused calls did anything */
    publish_and_close(writer, 4);
    assert_serves(rows);
    writer_rows_free(rows);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
}

/* ---- threads ---- */

struct crew {
    shf_writer *writer;
    const struct writer_rows *rows;
    atomic_uint next;
    atomic_uint failed;
};

#define BATCH 20u

static void *write_some(void *argument) {
    struct crew *crew = argument;
    for (unsigned at; (at = atomic_fetch_add(&crew->next, BATCH)) < crew->rows->shape.rows;) {
        size_t left = crew->rows->shape.rows - at;
        shf_op *op = NULL;
        if (shf_write_sync(crew->writer, crew->rows->rows + at, left < BATCH ? left : BATCH, 0, &op)) crew->failed++;
        shf_op_release(op);
    }
    return NULL;
}

static void test_several_threads(void **state) {
    (void)state;
    struct writer_rows *rows = rows_of(10000, 1500, 0);
    struct crew crew = {.writer = open_writer(0, 4 * MIB), .rows = rows};
    pthread_t handles[4];
    shf_writer_progress progress;
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&handles[i], NULL, write_some, &crew), 0);
    for (uint64_t before = 0, rounds = 0; rounds < 100; rounds++) {
        SHF_INIT(&progress);
        assert_int_equal(shf_writer_progress_get(crew.writer, &progress), SHF_OK);
        assert_true(progress.rows >= before && progress.rows <= 10000);
        assert_int_equal(progress.phase, SHF_PHASE_WRITE);
        before = progress.rows;
    }
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_join(handles[i], NULL), 0);
    assert_int_equal(crew.failed, 0);
    shf_status status;
    shf_op *op = writer_publish(crew.writer, &status);
    assert_non_null(op);
    shf_op_release(op);
    assert_int_equal(shf_writer_progress_get(crew.writer, &progress), SHF_OK);
    assert_int_equal(progress.phase, SHF_PHASE_DONE);
    assert_int_equal(progress.num_dbs, 4);
    assert_int_equal(progress.shards_done, 4);
    assert_int_equal(progress.rows, 10000);
    assert_int_equal(progress.rows_built, 10000);
    assert_int_equal(progress.built_bytes, progress.uploaded_bytes);
    assert_true(progress.spilled_bytes > 0 && progress.bytes == UINT64_C(10000) * (1500 + 8));
    writer_close(crew.writer);
    assert_serves(rows);
    writer_rows_free(rows);
}

/* ---- a write is all or nothing ---- */

/* Part of it is in memory, the rest waits; a cancellation must not leave it at that. */
static void test_a_cancelled_write_is_all_or_nothing(void **state) {
    (void)state;
    unsigned cancelled = 0;
    for (unsigned round = 0; round < 6; round++) {
        struct writer_rows *rows = rows_of(6000, 2000, round);
        shf_writer *writer = open_writer(0, 4 * MIB);
        shf_call call = support_call();
        shf_op_id ids[6];
        uint64_t wanted = 0;
        for (int i = 0; i < 6; i++) {
            assert_int_equal(shf_write(writer, rows->rows + i * 1000, 1000, &call, &ids[i]), SHF_OK);
        }
        nap_us(round * 300);
        for (int i = 0; i < 6; i++) assert_int_equal(shf_cancel(support_runtime, ids[i]), SHF_OK);
        for (int i = 0; i < 6; i++) {
            shf_op *op = support_wait(SHF_OK, ids[i]);
            shf_status status = shf_op_status(op);
            assert_true(status == SHF_OK || status == SHF_E_CANCELLED);
            cancelled += status != SHF_OK;
            wanted += status ? 0 : 1000;
            shf_op_release(op);
        }
        publish_and_close(writer, wanted);
        writer_rows_free(rows);
    }
    print_message("%u writes were cancelled\n", cancelled);
}

static void test_a_write_whose_time_is_over(void **state) {
    (void)state;
    struct writer_rows *rows = rows_of(9000, 2000, 0);
    shf_writer *writer = open_writer(0, 4 * MIB);
    shf_call call = support_call();
    shf_op_id ids[3];
    uint64_t wanted = 0;
    call.timeout_ms = 1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(shf_write(writer, rows->rows + i * 3000, 3000, &call, &ids[i]), SHF_OK);
    }
    for (int i = 0; i < 3; i++) {
        shf_op *op = support_wait(SHF_OK, ids[i]);
        shf_status status = shf_op_status(op);
        assert_true(status == SHF_OK || status == SHF_E_DEADLINE);
        wanted += status ? 0 : 3000;
        shf_op_release(op);
    }
    publish_and_close(writer, wanted);
    writer_rows_free(rows);
}

/* ---- publishes that do not come to their end ---- */

static void publish_first(const struct writer_rows *rows) {
    shf_writer *writer = open_writer(0, 0);
    writer_write(writer, rows->rows, rows->shape.rows, 500);
    publish_and_close(writer, rows->shape.rows);
}

static void test_publishes_are_cancelled(void **state) {
    (void)state;
    enum { ROUNDS = 40 };
    struct writer_rows *generations[ROUNDS + 1];
    unsigned cancelled = 0, serves = 0;
    for (unsigned i = 0; i <= ROUNDS; i++) generations[i] = rows_of(3000, 300, i);
    publish_first(generations[0]);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        shf_writer *writer = open_writer(0, 0);
        shf_call call = support_call();
        shf_op_id id = 0;
        writer_write(writer, generations[i]->rows, 3000, 1000);
        assert_int_equal(shf_publish(writer, &call, &id), SHF_OK);
        nap_us((long)(writer_mix(i, 77) % 30000));
        assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
        shf_op *op = support_wait(SHF_OK, id);
        shf_status status = shf_op_status(op);
        assert_true(status == SHF_OK || status == SHF_E_CANCELLED);
        shf_op_release(op);
        cancelled += status != SHF_OK;
        if (!status) serves = i;
        writer_close(writer);
        assert_serves(generations[serves]);
    }
    print_message("%u of %u publishes were cancelled\n", cancelled, ROUNDS);
    assert_true(cancelled > 0);
    for (unsigned i = 0; i <= ROUNDS; i++) writer_rows_free(generations[i]);
}

static void test_a_publish_whose_time_is_over(void **state) {
    (void)state;
    struct writer_rows *old = rows_of(500, 100, 0), *new = rows_of(20000, 1000, 1);
    publish_first(old);
    shf_writer *writer = open_writer(0, 4 * MIB);
    shf_op *op = NULL;
    shf_row more;
    SHF_INIT(&more);
    writer_write(writer, new->rows, 20000, 1000);
    assert_int_equal(shf_publish_sync(writer, 1, &op), SHF_E_DEADLINE);
    assert_non_null(shf_op_error(op));
    shf_op_release(op);
    /* What failed stays so. */
    assert_int_equal(shf_publish_sync(writer, 0, &op), SHF_E_STATE);
    more.key = shf_key_from_int(1);
    assert_int_equal(writer_try(writer, &more, 1, NULL), SHF_E_DEADLINE);
    shf_writer_progress progress;
    SHF_INIT(&progress);
    assert_int_equal(shf_writer_progress_get(writer, &progress), SHF_OK);
    assert_int_equal(progress.phase, SHF_PHASE_FAILED);
    writer_close(writer);
    assert_serves(old);
    writer_rows_free(old);
    writer_rows_free(new);
}

static void test_published_once(void **state) {
    (void)state;
    struct writer_rows *rows = rows_of(100, 10, 0);
    shf_writer *writer = open_writer(0, 0);
    shf_op *op = NULL;
    shf_row more = rows->rows[0];
    shf_status status;
    more.key = shf_key_from_int(999999);
    writer_write(writer, rows->rows, 100, 100);
    op = writer_publish(writer, &status);
    assert_non_null(op);
    shf_op_release(op);
    op = NULL;
    assert_int_equal(shf_publish_sync(writer, 0, &op), SHF_E_STATE);
    shf_op_release(op);
    assert_int_equal(writer_try(writer, &more, 1, NULL), SHF_E_STATE);
    for (int i = 0; i < 2; i++) { /* closing a closed writer succeeds */
        op = NULL;
        assert_int_equal(shf_writer_close_sync(writer, 0, &op), SHF_OK);
        shf_op_release(op);
    }
    op = NULL;
    assert_int_equal(writer_try(writer, &more, 1, NULL), SHF_E_CLOSED);
    assert_int_equal(shf_publish_sync(writer, 0, &op), SHF_E_CLOSED);
    assert_null(op);
    shf_writer_release(writer);
    assert_serves(rows);
    writer_rows_free(rows);
}

/* ---- closing at any moment ---- */

static unsigned end_operations(const shf_op_id *ids, size_t count) {
    unsigned closed = 0;
    for (size_t i = 0; i < count; i++) {
        shf_op *op = support_wait(SHF_OK, ids[i]);
        shf_status status = shf_op_status(op);
        assert_true(status == SHF_OK || status == SHF_E_CLOSED || status == SHF_E_CANCELLED);
        closed += status != SHF_OK;
        shf_op_release(op);
    }
    return closed;
}

static void test_closed_during_writes(void **state) {
    (void)state;
    struct writer_rows *rows = rows_of(8000, 2000, 0);
    unsigned closed = 0;
    for (unsigned round = 0; round < 12; round++) {
        shf_writer *writer = open_writer(0, 4 * MIB);
        shf_call call = support_call();
        shf_op_id ids[20], id = 0;
        for (int i = 0; i < 20; i++) {
            assert_int_equal(shf_write(writer, rows->rows + i * 400, 400, &call, &ids[i]), SHF_OK);
        }
        nap_us(round * 200);
        if (round % 2) {
            assert_int_equal(shf_writer_close(writer, &call, &id), SHF_OK);
            shf_op *op = support_wait(SHF_OK, id);
            assert_int_equal(shf_op_status(op), SHF_OK);
            shf_op_release(op);
        }
        shf_writer_release(writer); /* every other one without a close */
        closed += end_operations(ids, 20);
    }
    print_message("%u of %u writes were ended by it\n", closed, 240);
    assert_true(closed > 0);
    writer_rows_free(rows);
}

static void test_closed_during_publish(void **state) {
    (void)state;
    enum { ROUNDS = 30 };
    struct writer_rows *old = rows_of(3000, 300, 0), *new = rows_of(3000, 300, 1);
    const struct writer_rows *served = old;
    unsigned ended = 0;
    publish_first(old);
    for (unsigned round = 0; round < ROUNDS; round++) {
        shf_writer *writer = open_writer(0, 0);
        shf_call call = support_call();
        shf_op_id publish = 0, close = 0;
        const struct writer_rows *next = round % 2 ? old : new;
        writer_write(writer, next->rows, 3000, 1000);
        assert_int_equal(shf_publish(writer, &call, &publish), SHF_OK);
        nap_us((long)(writer_mix(round, 78) % 25000));
        bool is_closed = round % 3 != 0; /* else just released */
        if (is_closed) assert_int_equal(shf_writer_close(writer, &call, &close), SHF_OK);
        shf_writer_release(writer);
        unsigned failed = end_operations(&publish, 1);
        ended += failed;
        if (is_closed) assert_int_equal(end_operations(&close, 1), 0);
        if (!failed) served = next;
        assert_serves(served);
    }
    print_message("%u of %u publishes were ended by it\n", ended, ROUNDS);
    assert_true(ended > 0);
    writer_rows_free(old);
    writer_rows_free(new);
}

static void test_an_open_that_nobody_takes(void **state) {
    (void)state;
    shf_writer_options options = writer_options(prefix, SHF_WRITE_KV, 1);
    shf_call call = support_call();
    shf_op_id id = 0;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(shf_writer_open(support_runtime, &options, &call, &id), SHF_OK);
        nap_us(i * 150);
        if (i % 2) assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
        shf_op *op = support_wait(SHF_OK, id);
        shf_status status = shf_op_status(op);
        assert_true(status == SHF_OK || status == SHF_E_CANCELLED);
        shf_writer *writer = NULL;
        if (status) assert_int_equal(shf_op_take_writer(op, &writer), SHF_E_INVALID);
        shf_op_release(op);
    }
}

static void test_the_runtime_waits_for_writers(void **state) {
    (void)state;
    shf_runtime *runtime = NULL, *before = support_runtime;
    assert_int_equal(shf_runtime_new(NULL, &runtime), SHF_OK);
    support_runtime = runtime;
    struct writer_rows *rows = rows_of(100, 100, 0);
    shf_writer *writer = open_writer(0, 0);
    assert_int_equal(shf_runtime_free(runtime), SHF_E_BUSY);
    writer_write(writer, rows->rows, 100, 10);
    assert_int_equal(shf_runtime_free(runtime), SHF_E_BUSY);
    shf_writer_release(writer);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK); /* ends what the release began */
    support_runtime = before;
    assert_int_equal(writer_count_files(prefix, "_CURRENT"), 0);
    writer_rows_free(rows);
}

/* ---- fork ---- */

static int try_in_child(shf_writer *writer, const shf_row *row) {
    shf_op *op = NULL;
    shf_writer_progress progress;
    shf_call call = support_call();
    SHF_INIT(&progress);
    shf_writer_options options = writer_options(prefix, SHF_WRITE_KV, 1);
    if (shf_write_sync(writer, row, 1, 0, &op) != SHF_E_FORKED) return 1;
    if (shf_write(writer, row, 1, &call, NULL) != SHF_E_FORKED) return 2;
    if (shf_publish_sync(writer, 0, &op) != SHF_E_FORKED) return 3;
    if (shf_writer_close_sync(writer, 0, &op) != SHF_E_FORKED) return 4;
    if (shf_writer_progress_get(writer, &progress) != SHF_E_FORKED) return 5;
    if (shf_writer_open_sync(support_runtime, &options, 0, &op) != SHF_E_FORKED) return 6;
    if (op) return 7;
    /* The address sanitizer forks its own locks as they are: a child can then hang in free. */
    if (!STRESS_ADDRESS_SANITIZER) shf_writer_release(writer);
    return 0;
}

static void test_fork(void **state) {
    (void)state;
    struct writer_rows *rows = rows_of(4000, 1500, 0);
    shf_writer *writer = open_writer(0, 4 * MIB);
    writer_write(writer, rows->rows, 3000, 300);
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(60);
        _exit(try_in_child(writer, rows->rows));
    }
    int result = 0;
    while (waitpid(child, &result, 0) < 0) assert_int_equal(errno, EINTR);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    writer_write(writer, rows->rows + 3000, 1000, 300); /* the parent's files are still there */
    publish_and_close(writer, 4000);
    assert_serves(rows);
    writer_rows_free(rows);
}

/* What OpenSSL and others open once, and keep. */
static int warm_up(void **state) {
    struct writer_rows *rows = rows_of(10, 10, 0);
    if (begin(state)) return -1;
    publish_first(rows);
    assert_serves(rows);
    writer_rows_free(rows);
    return leave(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_many_writes_in_flight),
        TEST(test_many_writes_through_a_small_queue),
        TEST(test_a_full_queue),
        TEST(test_several_threads),
        TEST(test_a_cancelled_write_is_all_or_nothing),
        TEST(test_a_write_whose_time_is_over),
        TEST(test_publishes_are_cancelled),
        TEST(test_a_publish_whose_time_is_over),
        TEST(test_published_once),
        TEST(test_closed_during_writes),
        TEST(test_closed_during_publish),
        TEST(test_an_open_that_nobody_takes),
        TEST(test_the_runtime_waits_for_writers),
        TEST(test_fork),
    };
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
