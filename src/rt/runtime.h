/*
 * The one owner of threads: a loop thread (sockets, timers) and a pool of workers (decoding, scans, files).
 * Work crosses threads as whole tasks. A task is embedded in the object that it works for, so that posting can not fail.
 */
#ifndef SHF_RT_RUNTIME_H
#define SHF_RT_RUNTIME_H

#include "base/budget.h"
#include "base/error.h"
#include "base/log.h"
#include "shardyfusion/runtime.h"

#include <uv.h>

struct shf_task {
    struct shf_task *next;
    void (*run)(struct shf_task *task); /* the task may be freed or posted again from within */
};

/* The struct that embeds member `member` at `pointer`. */
#define SHF_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Any thread. Tasks of the loop run in the order posted; workers take them in order, several at once. */
void shf_rt_post_loop(shf_runtime *runtime, struct shf_task *task);
void shf_rt_post_worker(shf_runtime *runtime, struct shf_task *task);

uv_loop_t *shf_rt_loop(shf_runtime *runtime); /* loop thread only */
const struct shf_log *shf_rt_log(const shf_runtime *runtime);
struct shf_budget *shf_rt_budget(shf_runtime *runtime);
uint32_t shf_rt_worker_count(const shf_runtime *runtime);
/* At this moment: > 0 so many workers have nothing to do, < 0 so many tasks wait for one. Any thread. */
int64_t shf_rt_idle_workers(shf_runtime *runtime);
/* True in a child of fork(): the handle must only be freed. */
bool shf_rt_forked(const shf_runtime *runtime);

/* Counters behind shf_runtime_stats_get. */
struct shf_rt_counters {
    atomic_uint_least64_t mapped_bytes, store_requests, store_retries, downloaded_bytes, uploaded_bytes, cache_hits,
        cache_misses, refresh_failures;
};
struct shf_rt_counters *shf_rt_counters(shf_runtime *runtime);

/*
 * Something that lives as long as the runtime and has handles on its loop (the HTTP client).
 * sweep: loop thread; some operation was cancelled, look at the tokens of your requests. May be NULL.
 * stop: loop thread, at the end; fail what is under way, and from then on whatever is asked, at once.
 * close: loop thread, after the last request ended; uv_close every handle. destroy: after the threads ended
 * (in a forked child: without stop; release memory only).
 */
struct shf_rt_service {
    struct shf_rt_service *next;
    const void *kind; /* address that names the service */
    void (*sweep)(struct shf_rt_service *service);
    void (*stop)(struct shf_rt_service *service);
    void (*close)(struct shf_rt_service *service);
    void (*destroy)(struct shf_rt_service *service, bool forked);
};
/* Loop thread only. */
void shf_rt_service_add(shf_runtime *runtime, struct shf_rt_service *service);
struct shf_rt_service *shf_rt_service_find(shf_runtime *runtime, const void *kind);

/* Makes every service and every wait look at its cancellation tokens soon; any thread. */
void shf_rt_sweep(shf_runtime *runtime);

/*
 * The memory of the runtime outlives shf_runtime_free while something that a caller may still hold (a retained
 * buffer) refers to it. These count such holders; they keep no thread alive.
 */
shf_runtime *shf_rt_retain(shf_runtime *runtime);
void shf_rt_release(shf_runtime *runtime);

/*
 * Work that nobody waits for any more but that must end before the threads do (a download that was cancelled).
 * shf_runtime_free stops the services, then waits until none is left.
 */
void shf_rt_background_begin(shf_runtime *runtime);
void shf_rt_background_end(shf_runtime *runtime);

/* Public handles (readers, queues, snapshots; operations count themselves) that make shf_runtime_free answer SHF_E_BUSY. */
void shf_rt_handle_add(shf_runtime *runtime);
void shf_rt_handle_drop(shf_runtime *runtime);

#endif
