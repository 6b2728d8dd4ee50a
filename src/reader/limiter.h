/*
 * How many shard operations of one reader are in flight: openings, scans, lookups on a worker. Each holds a place; who
 * finds none waits on the loop thread, in order, until its deadline or its token ends that. Openings, which may take as
 * long as a download, get half of the places at most (rounded up), so that what is open is served on beside them.
 */
#ifndef SHF_READER_LIMITER_H
#define SHF_READER_LIMITER_H

#include "rt/wait.h"

#include <pthread.h>

enum shf_place { SHF_PLACE_WORK, SHF_PLACE_OPENING };

struct shf_limiter;

/* One that waits for a place. Loop thread only. */
struct shf_turn {
    struct shf_wait wait; /* deadline_ns and cancel are the caller's */
    enum shf_place place; /* so is this */
    /* Once, perhaps within shf_limiter_wait: SHF_OK with a place, or why there is none. May free the turn. */
    void (*begin)(struct shf_turn *turn, shf_status status);
    struct shf_limiter *limiter;
    struct shf_turn *previous, *next;
};

/* Part of a shf_source, whose references it uses. */
struct shf_limiter {
    shf_runtime *runtime;
    uint32_t limit, opening_limit;
    pthread_mutex_t mutex;
    struct { /* under mutex */
        uint32_t taken, openings;
        uint32_t offered; /* of those taken: given back while somebody waited */
        uint32_t waiting;
        bool offer_posted;
    };
    struct shf_turn *head, *tail; /* loop thread only */
    struct shf_task offer;
};

void shf_limiter_init(struct shf_limiter *limiter, shf_runtime *runtime, uint32_t limit);
void shf_limiter_fini(struct shf_limiter *limiter);

/* Takes a place for work if one is free. Any thread. */
bool shf_limiter_try(struct shf_limiter *limiter);
/* Loop thread. */
void shf_limiter_wait(struct shf_limiter *limiter, struct shf_turn *turn);
/* Gives a place back. Any thread. */
void shf_limiter_done(struct shf_limiter *limiter, enum shf_place place);

#endif
