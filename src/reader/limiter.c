#include "reader/limiter.h"

void shf_limiter_init(struct shf_limiter *limiter, shf_runtime *runtime, uint32_t limit) {
    *limiter = (struct shf_limiter){.runtime = runtime, .limit = limit};
    (void)pthread_mutex_init(&limiter->mutex, NULL);
}

void shf_limiter_fini(struct shf_limiter *limiter) { (void)pthread_mutex_destroy(&limiter->mutex); }

void shf_limiter_post(struct shf_limiter *limiter, struct shf_task *task) {
    task->next = NULL;
    (void)pthread_mutex_lock(&limiter->mutex);
    bool run = limiter->running < limiter->limit;
    if (run) {
        limiter->running++;
    } else if (limiter->head) {
        limiter->tail->next = task;
        limiter->tail = task;
    } else {
        limiter->head = limiter->tail = task;
    }
    (void)pthread_mutex_unlock(&limiter->mutex);
    if (run) shf_rt_post_worker(limiter->runtime, task);
}

void shf_limiter_done(struct shf_limiter *limiter) {
    (void)pthread_mutex_lock(&limiter->mutex);
    shf_runtime *runtime = limiter->runtime;
    struct shf_task *next = limiter->head;
    if (next) {
        limiter->head = next->next;
    } else {
        limiter->running--;
    }
    (void)pthread_mutex_unlock(&limiter->mutex);
    if (next) shf_rt_post_worker(runtime, next);
}
