/* The inside of the runtime. */
#ifndef SHF_RT_RUNTIME_PRIV_H
#define SHF_RT_RUNTIME_PRIV_H

#include "rt/op.h"
#include "rt/runtime.h"
#include "rt/struct_size.h"
#include "rt/wait.h"

#include <pthread.h>

/* First in, first out; several producers. Bounded by what embeds the tasks: operations, requests, shards. */
struct shf_task_queue {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    struct shf_task *head, *tail;
    uint32_t sleepers, length;
    bool closed;
};
void shf_task_queue_init(struct shf_task_queue *queue);
void shf_task_queue_fini(struct shf_task_queue *queue);
/* True when the queue was empty. */
bool shf_task_queue_push(struct shf_task_queue *queue, struct shf_task *task);
/* The whole list, or NULL. */
struct shf_task *shf_task_queue_take_all(struct shf_task_queue *queue);
/* The next task, waiting for it; NULL when the queue is closed and empty. */
struct shf_task *shf_task_queue_wait(struct shf_task_queue *queue);
void shf_task_queue_close(struct shf_task_queue *queue);

struct shf_runtime {
    atomic_uint references;
    atomic_uint handles;
    unsigned fork_generation;
    struct shf_log log;
    struct shf_budget budget;
    struct shf_rt_counters counters;
    struct shf_op_table ops;

    struct { /* guarded by mutex */
        pthread_mutex_t background_mutex;
        pthread_cond_t background_ended;
        uint32_t background;
    };

    struct shf_task_queue worker_queue;
    pthread_t *workers;
    uint32_t worker_count, workers_started;

    struct shf_task_queue loop_queue;
    pthread_t loop_thread;
    bool loop_started;
    uv_loop_t loop;
    uv_async_t wake;
    struct shf_task sweep, stop, close;
    atomic_bool sweep_posted;

    struct { /* loop thread only */
        struct shf_rt_service *services;
        struct shf_wait *waits, *due_waits;
        uv_timer_t wait_timer;
        int64_t wait_timer_ns; /* when it fires; 0 = it was never set */
    };
};

void shf_wait_sweep(shf_runtime *runtime);

#endif
