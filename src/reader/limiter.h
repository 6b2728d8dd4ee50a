/* At most so many worker tasks of one reader at a time; the others wait their turn here, in order. Any thread. */
#ifndef SHF_READER_LIMITER_H
#define SHF_READER_LIMITER_H

#include "rt/runtime.h"

#include <pthread.h>

struct shf_limiter {
    shf_runtime *runtime;
    uint32_t limit;
    pthread_mutex_t mutex;
    struct { /* under mutex */
        uint32_t running;
        struct shf_task *head, *tail;
    };
};

void shf_limiter_init(struct shf_limiter *limiter, shf_runtime *runtime, uint32_t limit);
void shf_limiter_fini(struct shf_limiter *limiter);
void shf_limiter_post(struct shf_limiter *limiter, struct shf_task *task);
/* A posted task calls this at its end; it then may no longer touch the limiter. */
void shf_limiter_done(struct shf_limiter *limiter);

#endif
