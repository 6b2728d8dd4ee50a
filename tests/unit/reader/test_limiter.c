/* Places for the shard operations of one reader: never more than there are, in order, and waiting for one can be ended. */
#include "base/alloc.h"
#include "base/clock.h"
#include "reader/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

enum { USERS = 400, ROUNDS = 20 };

static shf_runtime *runtime;
static struct shf_source *source;
static atomic_int taken, openings, most_taken, most_openings, ended;

/* Takes a place ROUNDS times, waiting for it on the loop thread, and holds it on a worker. */
struct user {
    struct shf_turn turn;
    struct shf_task task;
    struct shf_cancel cancel;
    enum shf_place place;
    int rounds;
    atomic_int status; /* of a wait that ended without a place */
};

static void set_up(uint32_t workers, uint32_t limit) {
    shf_runtime_options options;
    shf_reader_options reader_options;
    SHF_INIT(&options);
    SHF_INIT(&reader_options);
    options.worker_threads = workers;
    reader_options.url = "/nowhere";
    reader_options.max_concurrency = limit;
    assert_int_equal(shf_runtime_new(&options, &runtime), SHF_OK);
    assert_int_equal(shf_source_new(runtime, &reader_options, &source), SHF_OK);
    taken = openings = most_taken = most_openings = ended = 0;
}

static void tear_down(void) {
    shf_source_release(source);
    assert_int_equal(shf_runtime_free(runtime), SHF_OK);
}

static void sleep_a_moment(void) {
    const struct timespec moment = {0, 200000};
    (void)nanosleep(&moment, NULL);
}

static void wait_for(const atomic_int *value, int wanted) {
    for (int i = 0; *value != wanted && i < 100000; i++) sleep_a_moment();
    assert_int_equal(*value, wanted);
}

static void raise_to(atomic_int *most, int value) {
    int before = *most;
    while (before < value && !atomic_compare_exchange_weak(most, &before, value)) continue;
}

static void enter(enum shf_place place) {
    raise_to(&most_taken, ++taken);
    if (place == SHF_PLACE_OPENING) raise_to(&most_openings, ++openings);
}

static void leave(enum shf_place place) {
    if (place == SHF_PLACE_OPENING) openings--;
    taken--;
    shf_limiter_done(&source->limiter, place);
}

/* ---- many at once ---- */

static void ask(struct shf_task *task);

static void use_place(struct shf_task *task) {
    struct user *user = SHF_CONTAINER(task, struct user, task);
    enter(user->place);
    if (user->rounds % 7 == 0) sleep_a_moment();
    leave(user->place);
    if (--user->rounds == 0) {
        ended++;
        return;
    }
    task->run = ask;
    shf_rt_post_loop(runtime, task);
}

static void place_given(struct shf_turn *turn, shf_status status) {
    struct user *user = SHF_CONTAINER(turn, struct user, turn);
    if (status) {
        atomic_store(&user->status, (int)status);
        ended++;
        return;
    }
    user->task.run = use_place;
    shf_rt_post_worker(runtime, &user->task);
}

static void ask(struct shf_task *task) {
    struct user *user = SHF_CONTAINER(task, struct user, task);
    if (user->place == SHF_PLACE_WORK && user->rounds % 2 && shf_limiter_try(&source->limiter)) {
        place_given(&user->turn, SHF_OK);
        return;
    }
    user->turn = (struct shf_turn){
        .wait = {.deadline_ns = SHF_DEADLINE_NONE, .cancel = &user->cancel}, .place = user->place, .begin = place_given};
    shf_limiter_wait(&source->limiter, &user->turn);
}

static struct user *start_users(void (*first)(struct shf_task *task)) {
    struct user *users = shf_alloc_zero(USERS, sizeof *users);
    for (int i = 0; i < USERS; i++) {
        shf_cancel_init(&users[i].cancel);
        users[i].place = i % 3 ? SHF_PLACE_WORK : SHF_PLACE_OPENING;
        users[i].rounds = ROUNDS;
        users[i].task.run = first;
        shf_rt_post_loop(runtime, &users[i].task);
    }
    return users;
}

static void check_bounds(uint32_t limit) {
    set_up(4, limit);
    struct user *users = start_users(ask);
    wait_for(&ended, USERS);
    assert_in_range(most_taken, 1, limit);
    assert_in_range(most_openings, 1, (limit + 1) / 2);
    for (uint32_t i = 0; i < limit; i++) assert_true(shf_limiter_try(&source->limiter)); /* all were given back */
    assert_false(shf_limiter_try(&source->limiter));
    for (uint32_t i = 0; i < limit; i++) shf_limiter_done(&source->limiter, SHF_PLACE_WORK);
    tear_down();
    shf_free(users);
}

static void test_never_more_than_the_limit(void **state) {
    (void)state;
    check_bounds(1);
    check_bounds(2);
    check_bounds(3);
}

/* ---- waiting ---- */

static void test_waiting_can_be_cancelled(void **state) {
    (void)state;
    set_up(1, 1);
    assert_true(shf_limiter_try(&source->limiter));
    struct user *users = start_users(ask);
    sleep_a_moment();
    for (int i = 0; i < USERS; i++) shf_cancel_request(&users[i].cancel);
    shf_rt_sweep(runtime);
    wait_for(&ended, USERS);
    for (int i = 0; i < USERS; i++) assert_int_equal(users[i].status, SHF_E_CANCELLED);
    shf_limiter_done(&source->limiter, SHF_PLACE_WORK);
    assert_true(shf_limiter_try(&source->limiter));
    shf_limiter_done(&source->limiter, SHF_PLACE_WORK);
    tear_down();
    shf_free(users);
}

static void ask_with_a_deadline(struct shf_task *task) {
    struct user *user = SHF_CONTAINER(task, struct user, task);
    user->turn = (struct shf_turn){.wait = {.deadline_ns = shf_deadline_after_ms(20), .cancel = &user->cancel},
                                   .place = user->place,
                                   .begin = place_given};
    shf_limiter_wait(&source->limiter, &user->turn);
}

static void test_waiting_has_a_deadline(void **state) {
    (void)state;
    set_up(1, 1);
    assert_true(shf_limiter_try(&source->limiter));
    struct user *users = start_users(ask_with_a_deadline);
    wait_for(&ended, USERS);
    for (int i = 0; i < USERS; i++) assert_int_equal(users[i].status, SHF_E_DEADLINE);
    shf_limiter_done(&source->limiter, SHF_PLACE_WORK);
    tear_down();
    shf_free(users);
}

/* ---- openings that take long ---- */

static void hold(struct shf_turn *turn, shf_status status) {
    struct user *user = SHF_CONTAINER(turn, struct user, turn);
    atomic_store(&user->status, (int)status);
    if (status == SHF_OK) taken++;
    ended++;
}

static void ask_and_hold(struct shf_task *task) {
    struct user *user = SHF_CONTAINER(task, struct user, task);
    user->turn = (struct shf_turn){
        .wait = {.deadline_ns = SHF_DEADLINE_NONE, .cancel = &user->cancel}, .place = SHF_PLACE_OPENING, .begin = hold};
    shf_limiter_wait(&source->limiter, &user->turn);
}

/* A refresh that downloads must not keep searches of what is open waiting. */
static void test_openings_leave_places_for_work(void **state) {
    (void)state;
    set_up(1, 4);
    struct user *users = start_users(ask_and_hold);
    wait_for(&taken, 2);
    assert_true(shf_limiter_try(&source->limiter));
    assert_true(shf_limiter_try(&source->limiter));
    assert_false(shf_limiter_try(&source->limiter));
    shf_limiter_done(&source->limiter, SHF_PLACE_WORK);
    shf_limiter_done(&source->limiter, SHF_PLACE_WORK);
    shf_limiter_done(&source->limiter, SHF_PLACE_OPENING);
    wait_for(&taken, 3); /* the next in line */
    for (int i = 0; i < USERS; i++) shf_cancel_request(&users[i].cancel);
    shf_rt_sweep(runtime);
    wait_for(&ended, USERS);
    shf_limiter_done(&source->limiter, SHF_PLACE_OPENING);
    shf_limiter_done(&source->limiter, SHF_PLACE_OPENING);
    tear_down();
    shf_free(users);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_more_than_the_limit),
        cmocka_unit_test(test_waiting_can_be_cancelled),
        cmocka_unit_test(test_waiting_has_a_deadline),
        cmocka_unit_test(test_openings_leave_places_for_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
