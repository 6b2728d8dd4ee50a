#include "rt/runtime_priv.h"

void shf_task_queue_init(struct shf_task_queue *queue) {
    (void)pthread_mutex_init(&queue->mutex, NULL); /* neither fails on Linux with default attributes */
    (void)pthread_cond_init(&queue->condition, NULL);
}

void shf_task_queue_fini(struct shf_task_queue *queue) {
    (void)pthread_cond_destroy(&queue->condition);
    (void)pthread_mutex_destroy(&queue->mutex);
}

bool shf_task_queue_push(struct shf_task_queue *queue, struct shf_task *task) {
    task->next = NULL;
    (void)pthread_mutex_lock(&queue->mutex);
    bool was_empty = queue->head == NULL;
    if (was_empty) {
        queue->head = task;
    } else {
        queue->tail->next = task;
    }
    queue->tail = task;
    queue->length++;
    bool wake = queue->sleepers > 0;
    (void)pthread_mutex_unlock(&queue->mutex);
    if (wake) (void)pthread_cond_signal(&queue->condition);
    return was_empty;
}

struct shf_task *shf_task_queue_take_all(struct shf_task_queue *queue) {
    (void)pthread_mutex_lock(&queue->mutex);
    struct shf_task *tasks = queue->head;
    queue->head = NULL;
    queue->tail = NULL;
    queue->length = 0;
    (void)pthread_mutex_unlock(&queue->mutex);
    return tasks;
}

struct shf_task *shf_task_queue_wait(struct shf_task_queue *queue) {
    (void)pthread_mutex_lock(&queue->mutex);
    while (!queue->head && !queue->closed) {
        queue->sleepers++;
        (void)pthread_cond_wait(&queue->condition, &queue->mutex);
        queue->sleepers--;
    }
    struct shf_task *task = queue->head;
    if (task) {
        queue->head = task->next;
        queue->length--;
    }
    if (!queue->head) queue->tail = NULL;
    (void)pthread_mutex_unlock(&queue->mutex);
    return task;
}

int64_t shf_rt_idle_workers(shf_runtime *runtime) {
    struct shf_task_queue *queue = &runtime->worker_queue;
    (void)pthread_mutex_lock(&queue->mutex);
    int64_t idle = (int64_t)queue->sleepers - (int64_t)queue->length;
    (void)pthread_mutex_unlock(&queue->mutex);
    return idle;
}

void shf_task_queue_close(struct shf_task_queue *queue) {
    (void)pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    (void)pthread_mutex_unlock(&queue->mutex);
    (void)pthread_cond_broadcast(&queue->condition);
}
