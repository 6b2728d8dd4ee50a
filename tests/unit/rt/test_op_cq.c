/* Operations, the completion queue, cancellation by id. */
#include "base/alloc.h"
#include "rt/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static shf_runtime *runtime;
static atomic_int destroyed;

static int set_up(void **state) {
    (void)state;
    shf_runtime_options options;
    SHF_INIT(&options);
    options.worker_threads = 2;
    options.max_inflight_ops = 8;
    atomic_store(&destroyed, 0);
    return shf_runtime_new(&options, &runtime);
}

static int tear_down(void **state) {
    (void)state;
    return shf_runtime_free(runtime);
}

struct test_op {
    struct shf_op op;
    struct shf_task task;
};

static void destroy(struct shf_op *op) {
    atomic_fetch_add(&destroyed, 1);
    free(op);
}

static shf_status begin(shf_cq *cq, void *tag, int64_t timeout_ms, struct test_op **out) {
    struct test_op *op = calloc(1, sizeof *op);
    const struct shf_submission submission = {.cq = cq, .tag = tag, .timeout_ms = timeout_ms};
    shf_status status = shf_op_begin(&op->op, runtime, SHF_OP_GET, &submission, 1000, destroy);
    if (status) {
        free(op);
    } else {
        *out = op;
    }
    return status;
}

static bool is_readable(shf_cq *cq) {
    struct pollfd entry = {.fd = shf_cq_fd(cq), .events = POLLIN};
    return poll(&entry, 1, 0) == 1;
}

static void test_a_completion_carries_its_facts(void **state) {
    (void)state;
    shf_cq *cq;
    struct test_op *op = NULL;
    shf_op *out[2];
    int mark;
    assert_int_equal(shf_cq_new(runtime, 4, &cq), SHF_OK);
    assert_int_equal(begin(cq, &mark, 0, &op), SHF_OK);
    shf_op_id id = op->op.id;
    assert_int_equal(shf_cq_poll(cq, out, 2, 0), 0);
    struct shf_error *error = NULL;
    (void)shf_error_set(&error, SHF_E_CORRUPT, "page %d", 7);
    shf_op_finish(&op->op, SHF_E_CORRUPT, error);
    assert_int_equal(shf_cq_poll(cq, out, 2, 0), 1);
    assert_ptr_equal(shf_op_tag(out[0]), &mark);
    assert_true(shf_op_get_id(out[0]) == id);
    assert_int_equal(shf_op_status(out[0]), SHF_E_CORRUPT);
    assert_string_equal(shf_error_message(shf_op_error(out[0])), "page 7");
    assert_true(shf_op_latency_ns(out[0]) >= 0);
    shf_op_release(out[0]);
    assert_int_equal(atomic_load(&destroyed), 1);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
}

static void test_full_tables_are_busy_and_nothing_is_held(void **state) {
    (void)state;
    shf_cq *cq, *wide;
    struct test_op *ops[9];
    shf_op *out[9];
    assert_int_equal(shf_cq_new(runtime, 2, &cq), SHF_OK);
    assert_int_equal(shf_cq_new(runtime, 64, &wide), SHF_OK);
    assert_int_equal(begin(cq, NULL, 0, &ops[0]), SHF_OK);
    assert_int_equal(begin(cq, NULL, 0, &ops[1]), SHF_OK);
    assert_int_equal(begin(cq, NULL, 0, &ops[2]), SHF_E_BUSY); /* the queue has two places */
    for (int i = 2; i < 8; i++) assert_int_equal(begin(wide, NULL, 0, &ops[i]), SHF_OK);
    assert_int_equal(begin(wide, NULL, 0, &ops[8]), SHF_E_BUSY); /* the runtime has eight */
    assert_int_equal(shf_cq_free(cq), SHF_E_BUSY);
    for (int i = 0; i < 8; i++) shf_op_finish(&ops[i]->op, SHF_OK, NULL);
    assert_int_equal(shf_cq_poll(cq, out, 9, 0), 2);
    assert_int_equal(shf_cq_poll(wide, out + 2, 7, 0), 6);
    assert_int_equal(begin(wide, NULL, 0, &ops[8]), SHF_E_BUSY); /* delivered, not released */
    shf_op_release(out[0]);
    assert_int_equal(begin(cq, NULL, 0, &ops[8]), SHF_OK);
    shf_op_finish(&ops[8]->op, SHF_OK, NULL);
    assert_int_equal(shf_cq_poll(cq, out, 1, 0), 1);
    for (int i = 0; i < 8; i++) shf_op_release(out[i]);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
    assert_int_equal(shf_cq_free(wide), SHF_OK);
}

static void test_the_fd_is_armed_by_an_empty_poll(void **state) {
    (void)state;
    shf_cq *cq;
    struct test_op *op = NULL;
    shf_op *out[4];
    assert_int_equal(shf_cq_new(runtime, 8, &cq), SHF_OK);
    assert_false(is_readable(cq));
    assert_int_equal(begin(cq, NULL, 0, &op), SHF_OK);
    shf_op_finish(&op->op, SHF_OK, NULL);
    assert_true(is_readable(cq)); /* a new queue is armed */
    assert_int_equal(shf_cq_poll(cq, out, 4, 0), 1);
    shf_op_release(out[0]);
    assert_true(is_readable(cq)); /* still: only an empty poll takes it back */
    assert_int_equal(shf_cq_poll(cq, out, 4, 0), 0);
    assert_false(is_readable(cq));
    assert_int_equal(begin(cq, NULL, 0, &op), SHF_OK);
    shf_op_finish(&op->op, SHF_OK, NULL);
    assert_true(is_readable(cq));
    assert_int_equal(shf_cq_poll(cq, out, 1, 0), 1);
    shf_op_release(out[0]);
    assert_int_equal(shf_cq_poll(cq, out, 1, 0), 0);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
}

static void finish_late(struct shf_task *task) {
    struct test_op *op = SHF_CONTAINER(task, struct test_op, task);
    usleep(20000);
    shf_op_finish(&op->op, SHF_OK, NULL);
}

static void test_poll_and_await_wait(void **state) {
    (void)state;
    shf_cq *cq;
    struct test_op *first = NULL, *second = NULL;
    shf_op *out[2];
    assert_int_equal(shf_cq_new(runtime, 8, &cq), SHF_OK);
    int64_t began = shf_clock_monotonic_ns();
    assert_int_equal(shf_cq_poll(cq, out, 1, 30), 0);
    assert_true(shf_clock_monotonic_ns() - began >= 29 * 1000000);
    assert_int_equal(begin(cq, NULL, 0, &first), SHF_OK);
    assert_int_equal(begin(cq, NULL, 0, &second), SHF_OK);
    shf_op_id first_id = first->op.id, second_id = second->op.id;
    assert_int_equal(shf_await(cq, first_id, 0, out), SHF_E_DEADLINE);
    assert_int_equal(shf_await(cq, first_id, 10, out), SHF_E_DEADLINE);
    first->task.run = finish_late;
    second->task.run = finish_late;
    shf_rt_post_worker(runtime, &first->task);
    shf_rt_post_worker(runtime, &second->task);
    assert_int_equal(shf_await(cq, second_id, -1, &out[0]), SHF_OK);
    assert_true(shf_op_get_id(out[0]) == second_id);
    assert_int_equal(shf_await(cq, second_id, -1, &out[1]), SHF_E_INVALID); /* taken already */
    assert_int_equal(shf_cq_poll(cq, &out[1], 1, -1), 1);
    assert_true(shf_op_get_id(out[1]) == first_id);
    shf_op_release(out[0]);
    shf_op_release(out[1]);
    assert_int_equal(shf_await(cq, first_id, -1, &out[1]), SHF_E_INVALID);
    assert_int_equal(shf_await(cq, 0, -1, &out[1]), SHF_E_INVALID);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
}

static void test_cancel_reaches_only_its_own_operation(void **state) {
    (void)state;
    shf_cq *cq;
    struct test_op *op = NULL;
    shf_op *out;
    struct shf_error *error = NULL;
    assert_int_equal(shf_cq_new(runtime, 8, &cq), SHF_OK);
    assert_int_equal(begin(cq, NULL, -1, &op), SHF_OK);
    shf_op_id stale = op->op.id;
    assert_int_equal(shf_op_check(&op->op, &error), SHF_OK);
    assert_int_equal(shf_cancel(runtime, stale), SHF_OK);
    assert_int_equal(shf_op_check(&op->op, &error), SHF_E_CANCELLED);
    shf_op_finish(&op->op, SHF_E_CANCELLED, error);
    assert_int_equal(shf_cq_poll(cq, &out, 1, 0), 1);
    shf_op_release(out);
    assert_int_equal(begin(cq, NULL, -1, &op), SHF_OK); /* the same slot again */
    assert_true(((stale ^ op->op.id) & UINT32_MAX) == 0);
    assert_int_equal(shf_cancel(runtime, stale), SHF_OK);
    assert_int_equal(shf_cancel(runtime, UINT64_MAX), SHF_OK);
    assert_int_equal(shf_cancel(runtime, 0), SHF_OK);
    assert_int_equal(shf_op_check(&op->op, NULL), SHF_OK);
    shf_op_finish(&op->op, SHF_OK, NULL);
    assert_int_equal(shf_cq_poll(cq, &out, 1, 0), 1);
    shf_op_release(out);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
}

static void test_deadlines(void **state) {
    (void)state;
    shf_cq *cq;
    struct test_op *op = NULL;
    shf_op *out;
    struct shf_error *error = NULL;
    assert_int_equal(shf_cq_new(runtime, 8, &cq), SHF_OK);
    assert_int_equal(begin(cq, NULL, 1, &op), SHF_OK);
    usleep(3000);
    assert_int_equal(shf_op_check(&op->op, &error), SHF_E_DEADLINE);
    shf_op_finish(&op->op, SHF_E_DEADLINE, error);
    assert_int_equal(shf_cq_poll(cq, &out, 1, 0), 1);
    assert_int_equal(shf_error_retryable(shf_op_error(out)), 1);
    shf_op_release(out);
    assert_int_equal(begin(cq, NULL, INT64_MAX, &op), SHF_OK); /* too far away to count: none */
    assert_true(op->op.deadline_ns == SHF_DEADLINE_NONE);
    shf_op_finish(&op->op, SHF_OK, NULL);
    assert_int_equal(shf_cq_poll(cq, &out, 1, 0), 1);
    shf_op_release(out);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
}

static void *cancel_storm(void *argument) {
    atomic_bool *stop = argument;
    uint64_t seed = 1;
    while (!atomic_load(stop)) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        (void)shf_cancel(runtime, (seed >> 40 & 0x3ff) << 32 | (seed >> 33 & 7));
    }
    return NULL;
}

static void finish_now(struct shf_task *task) {
    struct test_op *op = SHF_CONTAINER(task, struct test_op, task);
    shf_status status = shf_op_check(&op->op, NULL);
    shf_op_finish(&op->op, status, NULL);
}

/* Every accepted operation completes exactly once, whatever is cancelled meanwhile. */
static void test_storm(void **state) {
    (void)state;
    enum { ROUNDS = 20000 };
    shf_cq *cq;
    shf_op *out[8];
    pthread_t thread;
    atomic_bool stop = false;
    size_t accepted = 0, completed = 0;
    assert_int_equal(shf_cq_new(runtime, 6, &cq), SHF_OK);
    assert_int_equal(pthread_create(&thread, NULL, cancel_storm, &stop), 0);
    while (accepted < ROUNDS || completed < accepted) {
        struct test_op *op = NULL;
        if (accepted < ROUNDS && begin(cq, NULL, 0, &op) == SHF_OK) {
            accepted++;
            op->task.run = finish_now;
            if (accepted % 3 == 0) {
                finish_now(&op->task);
            } else {
                shf_rt_post_worker(runtime, &op->task);
            }
        }
        size_t got = shf_cq_poll(cq, out, 8, accepted == ROUNDS ? -1 : 0);
        for (size_t i = 0; i < got; i++) {
            shf_status status = shf_op_status(out[i]);
            assert_true(status == SHF_OK || status == SHF_E_CANCELLED);
            shf_op_release(out[i]);
        }
        completed += got;
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(completed, ROUNDS);
    assert_int_equal(atomic_load(&destroyed), ROUNDS);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_completion_carries_its_facts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_tables_are_busy_and_nothing_is_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_fd_is_armed_by_an_empty_poll, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_poll_and_await_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_reaches_only_its_own_operation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadlines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_storm, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
