/* Runtime, tasks, waits, background work, services, forks. */
#include "base/alloc.h"
#include "base/clock.h"
#include "rt/runtime.h"
#include "rt/wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
/* The sanitizer ends a child that starts threads, unless it is asked not to. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "die_after_fork=0"; }
#endif
#endif

struct counting_task {
    struct shf_task task;
    atomic_int *count;
    pthread_t *thread;
};

static void count(struct shf_task *task) {
    struct counting_task *self = SHF_CONTAINER(task, struct counting_task, task);
    if (self->thread) *self->thread = pthread_self();
    atomic_fetch_add(self->count, 1);
}

static void wait_for(atomic_int *value, int wanted) {
    int64_t deadline = shf_deadline_after_ms(10000);
    while (atomic_load(value) != wanted) {
        assert_false(shf_deadline_over(deadline));
        usleep(200);
    }
}

static shf_runtime *new_runtime(void) {
    shf_runtime *runtime = NULL;
    shf_runtime_options options;
    SHF_INIT(&options);
    options.worker_threads = 2;
    assert_int_equal(shf_runtime_new(&options, &runtime), SHF_OK);
    return runtime;
}

static void test_tasks_run_once_and_in_order_on_the_loop(void **state) {
    (void)state;
    enum { TASKS = 1000 };
    static struct counting_task tasks[TASKS];
    shf_runtime *runtime = new_runtime();
    atomic_int on_loop = 0, on_workers = 0;
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = (struct counting_task){.task.run = count, .count = &on_loop};
        shf_rt_post_loop(runtime, &tasks[i].task);
    }
    wait_for(&on_loop, TASKS);
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = (struct counting_task){.task.run = count, .count = &on_workers};
        shf_rt_post_worker(runtime, &tasks[i].task);
    }
    wait_for(&on_workers, TASKS);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

static void check_signals(struct shf_task *task) {
    struct counting_task *self = SHF_CONTAINER(task, struct counting_task, task);
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (sigismember(&mask, SIGPIPE) && sigismember(&mask, SIGTERM)) atomic_fetch_add(self->count, 1);
}

static void test_library_threads_block_signals_and_the_caller_does_not(void **state) {
    (void)state;
    shf_runtime *runtime = new_runtime();
    atomic_int blocked = 0;
    struct counting_task loop = {.task.run = check_signals, .count = &blocked};
    struct counting_task worker = {.task.run = check_signals, .count = &blocked};
    shf_rt_post_loop(runtime, &loop.task);
    shf_rt_post_worker(runtime, &worker.task);
    wait_for(&blocked, 2);
    sigset_t mine;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_false(sigismember(&mine, SIGTERM));
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

static void test_handles_keep_the_runtime(void **state) {
    (void)state;
    shf_runtime *runtime = new_runtime();
    shf_rt_handle_add(runtime);
    assert_int_equal(shf_runtime_free(runtime), SHF_E_BUSY);
    shf_rt_handle_drop(runtime);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

static void test_options_are_checked(void **state) {
    (void)state;
    shf_runtime *runtime = NULL;
    struct {
        shf_runtime_options known;
        char future[16];
    } newer;
    memset(&newer, 0, sizeof newer);
    newer.known.struct_size = sizeof newer;
    assert_int_equal(shf_runtime_new(&newer.known, &runtime), SHF_OK); /* unknown fields are zero */
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    newer.future[7] = 1;
    assert_int_equal(shf_runtime_new(&newer.known, &runtime), SHF_E_INVALID);
    shf_runtime_options older;
    memset(&older, 0xff, sizeof older);
    older.struct_size = 8; /* a caller that knows two fields only */
    older.worker_threads = 1;
    assert_int_equal(shf_runtime_new(&older, &runtime), SHF_OK);
    assert_int_equal(shf_rt_worker_count(runtime), 1);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    older.struct_size = 3;
    assert_int_equal(shf_runtime_new(&older, &runtime), SHF_E_INVALID);
    assert_int_equal(shf_runtime_new(NULL, NULL), SHF_E_INVALID);
}

/* ---- waits ---- */

struct test_wait {
    struct shf_wait wait;
    struct shf_task task;
    shf_runtime *runtime;
    struct shf_wait *other;
    atomic_int reason; /* + 100 once woken */
};

static void woken(struct shf_wait *wait, shf_status reason) {
    struct test_wait *self = SHF_CONTAINER(wait, struct test_wait, wait);
    atomic_store(&self->reason, 100 + reason);
}

static void begin_wait(struct shf_task *task) {
    struct test_wait *self = SHF_CONTAINER(task, struct test_wait, task);
    self->wait.wake = woken;
    shf_wait_begin(self->runtime, &self->wait);
}

static void end_other(struct shf_task *task) {
    struct test_wait *self = SHF_CONTAINER(task, struct test_wait, task);
    shf_wait_end(self->runtime, self->other, SHF_OK);
    shf_wait_end(self->runtime, self->other, SHF_OK); /* the second one does nothing */
}

static void test_waits_end_by_deadline_cancel_or_news(void **state) {
    (void)state;
    shf_runtime *runtime = new_runtime();
    struct shf_cancel cancel;
    shf_cancel_init(&cancel);
    struct test_wait a = {.task.run = begin_wait, .runtime = runtime, .wait.deadline_ns = shf_deadline_after_ms(30)};
    struct test_wait b = {
        .task.run = begin_wait, .runtime = runtime, .wait = {.deadline_ns = SHF_DEADLINE_NONE, .cancel = &cancel}};
    struct test_wait c = {.task.run = begin_wait, .runtime = runtime, .wait.deadline_ns = shf_deadline_after_ms(60000)};
    struct test_wait d = {.task.run = end_other, .runtime = runtime, .other = &c.wait};
    shf_rt_post_loop(runtime, &a.task);
    shf_rt_post_loop(runtime, &b.task);
    shf_rt_post_loop(runtime, &c.task);
    wait_for(&a.reason, 100 + SHF_E_DEADLINE);
    assert_int_equal(atomic_load(&b.reason), 0);
    shf_cancel_request(&cancel);
    shf_rt_sweep(runtime);
    wait_for(&b.reason, 100 + SHF_E_CANCELLED);
    assert_int_equal(atomic_load(&c.reason), 0);
    shf_rt_post_loop(runtime, &d.task);
    wait_for(&c.reason, 100 + SHF_OK);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

static void test_a_wait_that_is_cancelled_before_it_begins(void **state) {
    (void)state;
    shf_runtime *runtime = new_runtime();
    struct shf_cancel cancel;
    shf_cancel_init(&cancel);
    shf_cancel_request(&cancel);
    struct test_wait a = {
        .task.run = begin_wait, .runtime = runtime, .wait = {.deadline_ns = SHF_DEADLINE_NONE, .cancel = &cancel}};
    shf_rt_post_loop(runtime, &a.task);
    wait_for(&a.reason, 100 + SHF_E_CANCELLED);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

/* ---- background work ends before the threads do ---- */

struct background {
    struct shf_task task;
    shf_runtime *runtime;
    atomic_int *done;
};

static void slow_work(struct shf_task *task) {
    struct background *self = SHF_CONTAINER(task, struct background, task);
    usleep(50000);
    atomic_fetch_add(self->done, 1);
    shf_rt_background_end(self->runtime);
}

static void test_free_waits_for_background_work(void **state) {
    (void)state;
    shf_runtime *runtime = new_runtime();
    atomic_int done = 0;
    struct background work = {.task.run = slow_work, .runtime = runtime, .done = &done};
    shf_rt_background_begin(runtime);
    shf_rt_post_worker(runtime, &work.task);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
    assert_int_equal(atomic_load(&done), 1);
}

/* ---- fork, files and threads ---- */

static int open_files(void) {
    int count_of = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory)) count_of++;
    (void)closedir(directory);
    return count_of;
}

static int threads(void) {
    int count_of = 0;
    DIR *directory = opendir("/proc/self/task");
    while (readdir(directory)) count_of++;
    (void)closedir(directory);
    return count_of;
}

/* The thread sanitizer itself can not start threads in the child of a process that has some. */
#ifdef __SANITIZE_THREAD__
static bool begins_anew(void) { return true; }
#else
static bool begins_anew(void) {
    shf_runtime *fresh = NULL;
    return shf_runtime_new(NULL, &fresh) == SHF_OK && shf_runtime_free(fresh) == SHF_OK;
}
#endif

static void test_a_child_may_free_and_begin_anew(void **state) {
    (void)state;
    shf_runtime *runtime = new_runtime();
    shf_cq *cq = NULL;
    assert_int_equal(shf_cq_new(runtime, 0, &cq), SHF_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(20);
        shf_op *op;
        shf_cq *other;
        shf_runtime_stats stats;
        SHF_INIT(&stats);
        int ok = shf_rt_forked(runtime) && shf_cq_new(runtime, 0, &other) == SHF_E_FORKED &&
                 shf_cq_poll(cq, &op, 1, -1) == 0 && shf_await(cq, 1, -1, &op) == SHF_E_FORKED &&
                 shf_cancel(runtime, 1) == SHF_E_FORKED && shf_runtime_stats_get(runtime, &stats) == SHF_E_FORKED &&
                 shf_cq_free(cq) == SHF_OK && shf_runtime_free(runtime) == SHF_OK && begins_anew();
        _exit(ok ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
    assert_int_equal(shf_cq_free(cq), SHF_OK);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

static void test_a_thousand_runtimes_leave_nothing(void **state) {
    (void)state;
    assert_int_equal(shf_runtime_free(new_runtime()), SHF_OK); /* what is made once in a process is made now */
    int files_before = open_files(), threads_before = threads();
    for (int i = 0; i < 1000; i++) assert_int_equal(shf_runtime_free(new_runtime()), SHF_OK);
    assert_int_equal(open_files(), files_before);
    assert_int_equal(threads(), threads_before);
}

/* ---- every allocation failing in turn ---- */

static int allocations_left;
static void *failing_allocate(size_t size) { return allocations_left-- > 0 ? malloc(size) : NULL; }

static void test_new_survives_every_failing_allocation(void **state) {
    (void)state;
    const struct shf_alloc_seam seam = {.allocate = failing_allocate};
    int failures = 0;
    for (int n = 0; n < 20; n++) {
        shf_runtime *runtime = NULL;
        allocations_left = n;
        shf_alloc_set_seam(&seam);
        shf_status status = shf_runtime_new(NULL, &runtime);
        shf_alloc_set_seam(NULL);
        if (status == SHF_OK) {
            assert_int_equal(shf_runtime_free(runtime), SHF_OK);
            break;
        }
        assert_int_equal(status, SHF_E_NO_MEMORY);
        assert_null(runtime);
        failures++;
    }
    assert_in_range(failures, 2, 19);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_run_once_and_in_order_on_the_loop),
        cmocka_unit_test(test_library_threads_block_signals_and_the_caller_does_not),
        cmocka_unit_test(test_handles_keep_the_runtime),
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_waits_end_by_deadline_cancel_or_news),
        cmocka_unit_test(test_a_wait_that_is_cancelled_before_it_begins),
        cmocka_unit_test(test_free_waits_for_background_work),
        cmocka_unit_test(test_a_child_may_free_and_begin_anew),
        cmocka_unit_test(test_a_thousand_runtimes_leave_nothing),
        cmocka_unit_test(test_new_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
