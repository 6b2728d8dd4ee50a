/* The parts of base that threads share: budget, cancellation tokens, reference-counted buffers. Run under TSan too. */
#include "base/alloc.h"
#include "base/budget.h"
#include "base/buf.h"
#include "base/cancel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 20000 };

static void in_threads(void *(*run)(void *), void *argument) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, run, argument), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* ---- budget ---- */

static uint64_t used(struct shf_budget *budget) { return atomic_load(&budget->used_bytes); }

static void test_budget_limits(void **state) {
    (void)state;
    struct shf_budget budget;
    shf_budget_init(&budget, 100);
    assert_true(shf_budget_take(&budget, 0) && used(&budget) == 0);
    assert_false(shf_budget_take(&budget, 101));
    assert_true(shf_budget_take(&budget, 60) && shf_budget_take(&budget, 40)); /* to the last byte */
    assert_false(shf_budget_take(&budget, 1));
    assert_true(shf_budget_take(&budget, 0));
    assert_int_equal(used(&budget), 100); /* what is refused takes nothing */
    shf_budget_give(&budget, 40);
    assert_false(shf_budget_take(&budget, 41));
    assert_false(shf_budget_take(&budget, UINT64_MAX)); /* no wrap-around */
    assert_false(shf_budget_take(&budget, UINT64_MAX - 59));
    assert_true(shf_budget_take(&budget, 40));
    shf_budget_give(&budget, 100);
    assert_int_equal(used(&budget), 0);
    shf_budget_init(&budget, 0);
    assert_false(shf_budget_take(&budget, 1));
    shf_budget_init(&budget, UINT64_MAX);
    assert_true(shf_budget_take(&budget, UINT64_MAX) && !shf_budget_take(&budget, 1));
    budget.limit_bytes = 10; /* above its limit: nothing more */
    assert_false(shf_budget_take(&budget, 1));
}

struct shared_budget {
    struct shf_budget budget;
    atomic_uint_least64_t held; /* counted apart, after a take and before the give */
    atomic_long taken, refused, overdrawn;
};

static void *take_and_give(void *argument) {
    struct shared_budget *shared = argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t bytes = i % 37 + 1;
        if (!shf_budget_take(&shared->budget, bytes)) {
            atomic_fetch_add(&shared->refused, 1);
            continue;
        }
        atomic_fetch_add(&shared->taken, 1);
        if (atomic_fetch_add(&shared->held, bytes) + bytes > 50) atomic_fetch_add(&shared->overdrawn, 1);
        if (i % 64 == 0) (void)sched_yield(); /* let the others meet a budget that is in use */
        atomic_fetch_sub(&shared->held, bytes);
        shf_budget_give(&shared->budget, bytes);
    }
    return NULL;
}

static void test_threads_never_overdraw(void **state) {
    (void)state;
    static struct shared_budget shared;
    shf_budget_init(&shared.budget, 50);
    in_threads(take_and_give, &shared);
    assert_int_equal(shared.overdrawn, 0);
    assert_int_equal(used(&shared.budget), 0);
    assert_true(shared.taken > 0 && shared.taken + shared.refused == (long)THREADS * ROUNDS);
}

/* ---- cancellation ---- */

static void test_cancel_tokens(void **state) {
    (void)state;
    struct shf_cancel cancel;
    assert_false(shf_cancel_requested(NULL));
    shf_cancel_init(&cancel);
    assert_false(shf_cancel_requested(&cancel));
    shf_cancel_request(&cancel);
    shf_cancel_request(&cancel);
    assert_true(shf_cancel_requested(&cancel));
    shf_cancel_arm(&cancel, UINT32_MAX); /* used again */
    assert_false(shf_cancel_requested(&cancel));
    assert_false(shf_cancel_request_generation(&cancel, 0)); /* a stale id */
    assert_false(shf_cancel_request_generation(&cancel, UINT32_MAX - 1));
    assert_false(shf_cancel_requested(&cancel));
    assert_true(shf_cancel_request_generation(&cancel, UINT32_MAX));
    assert_true(shf_cancel_requested(&cancel));
    assert_false(shf_cancel_request_generation(&cancel, UINT32_MAX)); /* once */
}

struct shared_cancel {
    struct shf_cancel cancels[ROUNDS];
    atomic_long wins;
};

static void *cancel_all(void *argument) {
    struct shared_cancel *shared = argument;
    long wins = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) wins += shf_cancel_request_generation(&shared->cancels[i], i);
    atomic_fetch_add(&shared->wins, wins);
    return NULL;
}

static void test_one_thread_wins_a_cancellation(void **state) {
    (void)state;
    static struct shared_cancel shared;
    for (uint32_t i = 0; i < ROUNDS; i++) shf_cancel_arm(&shared.cancels[i], i);
    in_threads(cancel_all, &shared);
    assert_int_equal(shared.wins, ROUNDS);
}

/* ---- buffers ---- */

static atomic_long destroyed;

static void destroy(struct shf_buf *buf) {
    atomic_fetch_add((atomic_long *)buf->context, 1);
    free(buf);
}

static void *retain_and_release(void *argument) {
    struct shf_buf *buf = argument;
    for (int i = 0; i < ROUNDS; i++) {
        (void)shf_buf_retain(buf);
        if (atomic_load(&destroyed) != 0) break;
        shf_buf_release(buf);
    }
    shf_buf_release(buf); /* the one that this thread was given */
    return NULL;
}

static void test_a_buffer_is_destroyed_once(void **state) {
    (void)state;
    struct shf_buf *buf = malloc(sizeof *buf);
    *buf = (struct shf_buf){.destroy = destroy, .context = &destroyed};
    atomic_init(&buf->references, 1);
    for (int i = 0; i < THREADS; i++) (void)shf_buf_retain(buf);
    shf_buf_release(buf); /* now the threads' alone; the last of them frees it */
    in_threads(retain_and_release, buf);
    assert_int_equal(destroyed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_limits),
        cmocka_unit_test(test_threads_never_overdraw),
        cmocka_unit_test(test_cancel_tokens),
        cmocka_unit_test(test_one_thread_wins_a_cancellation),
        cmocka_unit_test(test_a_buffer_is_destroyed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
