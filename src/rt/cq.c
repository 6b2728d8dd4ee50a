/* The completion queue. The fd is written only for a consumer that found the queue empty and so armed it. */
#include "base/alloc.h"
#include "base/limits.h"
#include "rt/op.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_CAPACITY 1024u

struct shf_cq {
    shf_runtime *runtime;
    uint32_t capacity;
    int fd;
    atomic_uint reserved; /* accepted and not yet polled */
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    struct { /* under mutex */
        struct shf_op *head, *tail;
        uint32_t sleepers;
        bool armed;     /* the last poll found nothing: write the fd for the next completion */
        bool signalled; /* the fd is readable */
    };
};

shf_status shf_cq_new(shf_runtime *runtime, uint32_t capacity, shf_cq **out) {
    if (!runtime || !out || capacity > SHF_LIMIT_CQ_CAPACITY) return SHF_E_INVALID;
    if (shf_rt_forked(runtime)) return SHF_E_FORKED;
    shf_cq *cq = shf_alloc_zero(1, sizeof *cq);
    if (!cq) return SHF_E_NO_MEMORY;
    cq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cq->fd < 0) {
        shf_free(cq);
        return SHF_E_LOCAL;
    }
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic); /* none of these fails on Linux with valid arguments */
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cq->condition, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&cq->mutex, NULL);
    cq->runtime = shf_rt_retain(runtime);
    cq->capacity = capacity ? capacity : DEFAULT_CAPACITY;
    cq->armed = true;
    shf_rt_handle_add(runtime);
    *out = cq;
    return SHF_OK;
}

shf_status shf_cq_free(shf_cq *cq) {
    if (!cq) return SHF_OK;
    bool forked = shf_rt_forked(cq->runtime);
    if (!forked) {
        if (atomic_load(&cq->reserved) != 0) return SHF_E_BUSY;
        /* A producer that pushed the last completion may still be about to leave the lock. */
        (void)pthread_mutex_lock(&cq->mutex);
        (void)pthread_mutex_unlock(&cq->mutex);
        (void)pthread_cond_destroy(&cq->condition);
        (void)pthread_mutex_destroy(&cq->mutex);
        shf_rt_handle_drop(cq->runtime);
    }
    (void)close(cq->fd);
    shf_rt_release(cq->runtime);
    shf_free(cq);
    return SHF_OK;
}

int shf_cq_fd(const shf_cq *cq) { return cq ? cq->fd : -1; }

bool shf_cq_reserve(shf_cq *cq) {
    if (atomic_fetch_add_explicit(&cq->reserved, 1, memory_order_relaxed) < cq->capacity) return true;
    shf_cq_unreserve(cq);
    return false;
}

void shf_cq_unreserve(shf_cq *cq) { atomic_fetch_sub_explicit(&cq->reserved, 1, memory_order_release); }

static void signal_fd(shf_cq *cq) {
    const uint64_t one = 1;
    ssize_t written;
    do written = write(cq->fd, &one, sizeof one);
    while (written < 0 && errno == EINTR);
    cq->signalled = true;
}

static void drain_fd(shf_cq *cq) {
    uint64_t count;
    ssize_t got;
    do got = read(cq->fd, &count, sizeof count);
    while (got < 0 && errno == EINTR);
    cq->signalled = false;
}

void shf_cq_push(shf_cq *cq, struct shf_op *op) {
    (void)pthread_mutex_lock(&cq->mutex);
    op->next = NULL;
    if (cq->head) {
        cq->tail->next = op;
    } else {
        cq->head = op;
    }
    cq->tail = op;
    if (cq->armed) {
        cq->armed = false;
        if (!cq->signalled) signal_fd(cq);
    }
    if (cq->sleepers) (void)pthread_cond_broadcast(&cq->condition);
    (void)pthread_mutex_unlock(&cq->mutex);
}

/* From now on the operation is nobody's to await. */
static void forget(shf_cq *cq, struct shf_op *op) {
    op->next = NULL;
    atomic_store_explicit(&shf_rt_op_table(cq->runtime)->slots[op->slot].cq, NULL, memory_order_relaxed);
}

/* Waits under the lock; false when the time is over. */
static bool sleep_until(shf_cq *cq, int64_t deadline_ns) {
    cq->sleepers++;
    int result;
    if (deadline_ns == SHF_DEADLINE_NONE) {
        result = pthread_cond_wait(&cq->condition, &cq->mutex);
    } else {
        struct timespec until = {(time_t)(deadline_ns / 1000000000), (long)(deadline_ns % 1000000000)};
        result = pthread_cond_timedwait(&cq->condition, &cq->mutex, &until);
    }
    cq->sleepers--;
    return result != ETIMEDOUT;
}

static size_t take(shf_cq *cq, shf_op **out, size_t max) {
    size_t count = 0;
    while (count < max && cq->head) {
        struct shf_op *op = cq->head;
        cq->head = op->next;
        forget(cq, op);
        out[count++] = op;
    }
    return count;
}

size_t shf_cq_poll(shf_cq *cq, shf_op **out, size_t max, int64_t wait_ms) {
    if (!cq || !out || max == 0 || shf_rt_forked(cq->runtime)) return 0;
    int64_t deadline = wait_ms > 0 ? shf_deadline_after_ms(wait_ms) : SHF_DEADLINE_NONE;
    (void)pthread_mutex_lock(&cq->mutex);
    while (!cq->head && wait_ms != 0) {
        if (!sleep_until(cq, deadline)) break;
    }
    size_t count = take(cq, out, max);
    if (count == 0) {
        cq->armed = true;
        if (cq->signalled) drain_fd(cq);
    }
    (void)pthread_mutex_unlock(&cq->mutex);
    atomic_fetch_sub_explicit(&cq->reserved, (unsigned)count, memory_order_release);
    return count;
}

/* Removes one operation from the list; NULL when it is not there yet. */
static struct shf_op *take_one(shf_cq *cq, shf_op_id id) {
    struct shf_op *before = NULL;
    for (struct shf_op *op = cq->head; op; before = op, op = op->next) {
        if (op->id != id) continue;
        if (before) {
            before->next = op->next;
        } else {
            cq->head = op->next;
        }
        if (cq->tail == op) cq->tail = before;
        forget(cq, op);
        return op;
    }
    return NULL;
}

/* Whether an operation of this id is under way to this queue or waits in it. */
static bool is_expected(const shf_cq *cq, shf_op_id id) {
    const struct shf_op_slot *slot = shf_op_slot_of(shf_rt_op_table(cq->runtime), id);
    return slot && atomic_load(&slot->cancel.word) >> 1 == id >> 32 && atomic_load(&slot->cq) == cq;
}

shf_status shf_await(shf_cq *cq, shf_op_id id, int64_t wait_ms, shf_op **out) {
    if (!cq || !out) return SHF_E_INVALID;
    if (shf_rt_forked(cq->runtime)) return SHF_E_FORKED;
    int64_t deadline = wait_ms >= 0 ? shf_deadline_after_ms(wait_ms) : SHF_DEADLINE_NONE;
    shf_status status = SHF_OK;
    struct shf_op *op;
    (void)pthread_mutex_lock(&cq->mutex);
    while ((op = take_one(cq, id)) == NULL) {
        if (!is_expected(cq, id)) {
            status = SHF_E_INVALID;
            break;
        }
        if (wait_ms == 0 || !sleep_until(cq, deadline)) {
            op = take_one(cq, id);
            if (!op) status = SHF_E_DEADLINE;
            break;
        }
    }
    (void)pthread_mutex_unlock(&cq->mutex);
    if (!op) return status;
    shf_cq_unreserve(cq);
    *out = op;
    return SHF_OK;
}
