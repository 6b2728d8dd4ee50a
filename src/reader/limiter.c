#include "reader/source.h"

static void offer_task(struct shf_task *task);

void shf_limiter_init(struct shf_limiter *limiter, shf_runtime *runtime, uint32_t limit) {
    *limiter = (struct shf_limiter){.runtime = runtime, .limit = limit, .opening_limit = limit - limit / 2};
    limiter->offer.run = offer_task;
    (void)pthread_mutex_init(&limiter->mutex, NULL);
}

void shf_limiter_fini(struct shf_limiter *limiter) { (void)pthread_mutex_destroy(&limiter->mutex); }

/* Under the mutex. A free place is one that nobody in line could have: what is given back is offered to them first. */
static bool may_take(const struct shf_limiter *limiter, enum shf_place place) {
    return limiter->taken < limiter->limit && (place != SHF_PLACE_OPENING || limiter->openings < limiter->opening_limit);
}

static void take(struct shf_limiter *limiter, enum shf_place place) {
    limiter->taken++;
    if (place == SHF_PLACE_OPENING) limiter->openings++;
}

bool shf_limiter_try(struct shf_limiter *limiter) {
    (void)pthread_mutex_lock(&limiter->mutex);
    bool taken = may_take(limiter, SHF_PLACE_WORK);
    if (taken) take(limiter, SHF_PLACE_WORK);
    (void)pthread_mutex_unlock(&limiter->mutex);
    return taken;
}

static void remove_turn(struct shf_limiter *limiter, struct shf_turn *turn) {
    *(turn->previous ? &turn->previous->next : &limiter->head) = turn->next;
    *(turn->next ? &turn->next->previous : &limiter->tail) = turn->previous;
}

/* With SHF_OK its place was taken for it. */
static void woken(struct shf_wait *wait, shf_status reason) {
    struct shf_turn *turn = SHF_CONTAINER(wait, struct shf_turn, wait);
    struct shf_limiter *limiter = turn->limiter;
    remove_turn(limiter, turn);
    (void)pthread_mutex_lock(&limiter->mutex);
    limiter->waiting--;
    (void)pthread_mutex_unlock(&limiter->mutex);
    turn->begin(turn, reason);
}

void shf_limiter_wait(struct shf_limiter *limiter, struct shf_turn *turn) {
    (void)pthread_mutex_lock(&limiter->mutex);
    bool taken = may_take(limiter, turn->place);
    if (taken) {
        take(limiter, turn->place);
    } else {
        limiter->waiting++;
    }
    (void)pthread_mutex_unlock(&limiter->mutex);
    if (taken) {
        turn->begin(turn, SHF_OK);
        return;
    }
    turn->limiter = limiter;
    turn->previous = limiter->tail;
    turn->next = NULL;
    *(limiter->tail ? &limiter->tail->next : &limiter->head) = turn;
    limiter->tail = turn;
    turn->wait.wake = woken;
    shf_wait_begin(limiter->runtime, &turn->wait);
}

void shf_limiter_done(struct shf_limiter *limiter, enum shf_place place) {
    bool post = false;
    (void)pthread_mutex_lock(&limiter->mutex);
    if (place == SHF_PLACE_OPENING) limiter->openings--;
    if (limiter->waiting) {
        limiter->offered++;
        post = !limiter->offer_posted;
        limiter->offer_posted = true;
    } else {
        limiter->taken--;
    }
    if (post) (void)shf_source_retain(SHF_CONTAINER(limiter, struct shf_source, limiter));
    (void)pthread_mutex_unlock(&limiter->mutex);
    if (post) shf_rt_post_loop(limiter->runtime, &limiter->offer);
}

/* The first in line that may have a place, which is taken for it; NULL when there is none. */
static struct shf_turn *next_turn(struct shf_limiter *limiter) {
    struct shf_turn *turn = limiter->head;
    (void)pthread_mutex_lock(&limiter->mutex);
    limiter->taken -= limiter->offered;
    limiter->offered = 0;
    while (turn && !may_take(limiter, turn->place)) turn = turn->next;
    if (turn) take(limiter, turn->place);
    (void)pthread_mutex_unlock(&limiter->mutex);
    return turn;
}

static void offer_task(struct shf_task *task) {
    struct shf_limiter *limiter = SHF_CONTAINER(task, struct shf_limiter, offer);
    struct shf_turn *turn;
    (void)pthread_mutex_lock(&limiter->mutex);
    limiter->offer_posted = false;
    (void)pthread_mutex_unlock(&limiter->mutex);
    while ((turn = next_turn(limiter)) != NULL) shf_wait_end(limiter->runtime, &turn->wait, SHF_OK);
    shf_source_release(SHF_CONTAINER(limiter, struct shf_source, limiter));
}
