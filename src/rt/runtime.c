#include "rt/runtime_priv.h"

#include "base/alloc.h"
#include "base/limits.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_INFLIGHT_OPS 16384u
#define DEFAULT_BUDGET_BYTES (UINT64_C(1) << 30)
#define LARGEST_STRUCT 4096u /* no option struct is larger; bounds the look at unknown trailing bytes */

/* Counts forks of this process: a handle from before the last one belongs to the parent. */
static atomic_uint fork_generation;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void after_fork_in_child(void) { atomic_fetch_add(&fork_generation, 1); }
static void install_fork_handler(void) { (void)pthread_atfork(NULL, NULL, after_fork_in_child); }

bool shf_rt_forked(const shf_runtime *runtime) {
    return runtime->fork_generation != atomic_load_explicit(&fork_generation, memory_order_relaxed);
}

shf_status shf_struct_copy(void *known, size_t known_size, const void *given) {
    uint32_t given_size;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > LARGEST_STRUCT) return SHF_E_INVALID;
    memset(known, 0, known_size);
    memcpy(known, given, given_size < known_size ? given_size : known_size);
    const unsigned char *bytes = given;
    for (size_t i = known_size; i < given_size; i++) {
        if (bytes[i]) return SHF_E_INVALID; /* a newer caller set a field that we do not know */
    }
    return SHF_OK;
}

shf_status shf_struct_fill(void *given, const void *known, size_t known_size) {
    uint32_t given_size;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size || given_size > LARGEST_STRUCT) return SHF_E_INVALID;
    size_t size = given_size < known_size ? given_size : known_size;
    memcpy((char *)given + sizeof given_size, (const char *)known + sizeof given_size, size - sizeof given_size);
    if (given_size > known_size) memset((char *)given + known_size, 0, given_size - known_size);
    return SHF_OK;
}

static uint32_t core_count(void) {
    unsigned cores = uv_available_parallelism(); /* heeds the affinity of the process; at least 1 */
    return cores > SHF_LIMIT_WORKERS ? SHF_LIMIT_WORKERS : cores;
}

static shf_status read_options(const shf_runtime_options *given, shf_runtime_options *out) {
    *out = (shf_runtime_options){.struct_size = sizeof *out};
    shf_status status = given ? shf_struct_copy(out, sizeof *out, given) : SHF_OK;
    if (status) return status;
    if (out->worker_threads == 0) out->worker_threads = core_count();
    if (out->max_inflight_ops == 0) out->max_inflight_ops = DEFAULT_INFLIGHT_OPS;
    if (out->memory_budget_bytes == 0) out->memory_budget_bytes = DEFAULT_BUDGET_BYTES;
    if (out->log_level == 0) out->log_level = SHF_LOG_WARNING;
    if (out->worker_threads > SHF_LIMIT_WORKERS || out->max_inflight_ops > SHF_LIMIT_OPS ||
        out->log_level > SHF_LOG_DEBUG) {
        return SHF_E_INVALID;
    }
    return SHF_OK;
}

static void *worker_main(void *argument) {
    shf_runtime *runtime = argument;
    struct shf_task *task;
    while ((task = shf_task_queue_wait(&runtime->worker_queue)) != NULL) task->run(task);
    return NULL;
}

static void run_loop_tasks(uv_async_t *wake) {
    shf_runtime *runtime = wake->data;
    struct shf_task *task = shf_task_queue_take_all(&runtime->loop_queue);
    while (task) {
        struct shf_task *next = task->next;
        task->run(task);
        task = next;
    }
}

static void sweep_task(struct shf_task *task) {
    shf_runtime *runtime = SHF_CONTAINER(task, shf_runtime, sweep);
    atomic_store(&runtime->sweep_posted, false);
    for (struct shf_rt_service *s = runtime->services; s; s = s->next) {
        if (s->sweep) s->sweep(s);
    }
    shf_wait_sweep(runtime);
}

void shf_rt_sweep(shf_runtime *runtime) {
    if (!atomic_exchange(&runtime->sweep_posted, true)) shf_rt_post_loop(runtime, &runtime->sweep);
}

static void stop_task(struct shf_task *task) {
    shf_runtime *runtime = SHF_CONTAINER(task, shf_runtime, stop);
    for (struct shf_rt_service *s = runtime->services; s; s = s->next) s->stop(s);
    shf_rt_background_end(runtime);
}

static void close_task(struct shf_task *task) {
    shf_runtime *runtime = SHF_CONTAINER(task, shf_runtime, close);
    for (struct shf_rt_service *s = runtime->services; s; s = s->next) {
        if (s->close) s->close(s);
    }
    uv_close((uv_handle_t *)&runtime->wait_timer, NULL);
    uv_close((uv_handle_t *)&runtime->wake, NULL);
}

void shf_rt_background_begin(shf_runtime *runtime) {
    (void)pthread_mutex_lock(&runtime->background_mutex);
    runtime->background++;
    (void)pthread_mutex_unlock(&runtime->background_mutex);
}

void shf_rt_background_end(shf_runtime *runtime) {
    (void)pthread_mutex_lock(&runtime->background_mutex);
    if (--runtime->background == 0) (void)pthread_cond_broadcast(&runtime->background_ended);
    (void)pthread_mutex_unlock(&runtime->background_mutex);
}

/* Makes what runs in the background fail soon, and waits for its end. */
static void stop_background(shf_runtime *runtime) {
    shf_rt_background_begin(runtime); /* the stop itself */
    runtime->stop.run = stop_task;
    shf_rt_post_loop(runtime, &runtime->stop);
    (void)pthread_mutex_lock(&runtime->background_mutex);
    while (runtime->background) (void)pthread_cond_wait(&runtime->background_ended, &runtime->background_mutex);
    (void)pthread_mutex_unlock(&runtime->background_mutex);
}

static void *loop_main(void *argument) {
    shf_runtime *runtime = argument;
    (void)uv_run(&runtime->loop, UV_RUN_DEFAULT); /* ends when stop_task has closed every handle */
    return NULL;
}

static bool start_thread(pthread_t *thread, void *(*entry)(void *), shf_runtime *runtime, const char *name) {
    if (pthread_create(thread, NULL, entry, runtime) != 0) return false;
    (void)pthread_setname_np(*thread, name); /* a name is a nicety */
    return true;
}

/* All signals are blocked in the new threads: they are the program's business, and SIGPIPE can not kill. */
static bool start_threads(shf_runtime *runtime) {
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = start_thread(&runtime->loop_thread, loop_main, runtime, "shf-loop");
    runtime->loop_started = ok;
    for (uint32_t i = 0; ok && i < runtime->worker_count; i++) {
        char name[16]; /* what the kernel keeps; SHF_LIMIT_WORKERS fits */
        (void)snprintf(name, sizeof name, "shf-work-%u", i % 1000u);
        ok = start_thread(&runtime->workers[i], worker_main, runtime, name);
        if (ok) runtime->workers_started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static void join_threads(shf_runtime *runtime) {
    if (runtime->loop_started) stop_background(runtime);
    shf_task_queue_close(&runtime->worker_queue);
    for (uint32_t i = 0; i < runtime->workers_started; i++) (void)pthread_join(runtime->workers[i], NULL);
    runtime->close.run = close_task;
    if (runtime->loop_started) {
        shf_rt_post_loop(runtime, &runtime->close);
        (void)pthread_join(runtime->loop_thread, NULL);
    } else {
        close_task(&runtime->close);
        (void)uv_run(&runtime->loop, UV_RUN_DEFAULT);
    }
}

static void free_memory(shf_runtime *runtime, bool forked) {
    while (runtime->services) {
        struct shf_rt_service *service = runtime->services;
        runtime->services = service->next;
        service->destroy(service, forked);
    }
    shf_free(runtime->workers);
    shf_free(runtime->ops.slots);
    runtime->workers = NULL;
    runtime->ops.slots = NULL;
    shf_rt_release(runtime);
}

static bool init_loop(shf_runtime *runtime) {
    if (uv_loop_init(&runtime->loop) != 0) return false;
    if (uv_async_init(&runtime->loop, &runtime->wake, run_loop_tasks) != 0) {
        (void)uv_loop_close(&runtime->loop);
        return false;
    }
    runtime->wake.data = runtime;
    (void)uv_timer_init(&runtime->loop, &runtime->wait_timer); /* cannot fail */
    runtime->wait_timer.data = runtime;
    return true;
}

shf_status shf_runtime_new(const shf_runtime_options *options, shf_runtime **out) {
    shf_runtime_options read;
    if (!out) return SHF_E_INVALID;
    shf_status status = read_options(options, &read);
    if (status) return status;
    (void)pthread_once(&fork_once, install_fork_handler);
    shf_runtime *runtime = shf_alloc_zero(1, sizeof *runtime);
    if (!runtime) return SHF_E_NO_MEMORY;
    atomic_init(&runtime->references, 1);
    runtime->fork_generation = atomic_load(&fork_generation);
    runtime->worker_count = read.worker_threads;
    runtime->log = (struct shf_log){read.log, read.log_context, read.log_level};
    runtime->sweep.run = sweep_task;
    shf_budget_init(&runtime->budget, read.memory_budget_bytes);
    shf_task_queue_init(&runtime->worker_queue);
    shf_task_queue_init(&runtime->loop_queue);
    (void)pthread_mutex_init(&runtime->background_mutex, NULL);
    (void)pthread_cond_init(&runtime->background_ended, NULL);
    runtime->workers = shf_alloc_zero(runtime->worker_count, sizeof *runtime->workers);
    if (!runtime->workers || !shf_op_table_init(&runtime->ops, read.max_inflight_ops)) {
        free_memory(runtime, false);
        return SHF_E_NO_MEMORY;
    }
    if (!init_loop(runtime)) {
        free_memory(runtime, false);
        return SHF_E_LOCAL;
    }
    if (!start_threads(runtime)) {
        join_threads(runtime);
        (void)uv_loop_close(&runtime->loop);
        free_memory(runtime, false);
        return SHF_E_LOCAL;
    }
    *out = runtime;
    return SHF_OK;
}

shf_status shf_runtime_free(shf_runtime *runtime) {
    if (!runtime) return SHF_OK;
    if (shf_rt_forked(runtime)) {
        free_memory(runtime, true); /* the threads are the parent's; locks may be held by nobody that lives here */
        return SHF_OK;
    }
    if (atomic_load(&runtime->handles) != 0 || atomic_load(&runtime->ops.used) != 0) return SHF_E_BUSY;
    join_threads(runtime);
    (void)uv_loop_close(&runtime->loop);
    free_memory(runtime, false);
    return SHF_OK;
}

shf_runtime *shf_rt_retain(shf_runtime *runtime) {
    atomic_fetch_add_explicit(&runtime->references, 1, memory_order_relaxed);
    return runtime;
}

void shf_rt_release(shf_runtime *runtime) {
    if (atomic_fetch_sub_explicit(&runtime->references, 1, memory_order_acq_rel) != 1) return;
    if (!shf_rt_forked(runtime)) { /* in a child, threads that are not there seem to wait on them */
        shf_task_queue_fini(&runtime->worker_queue);
        shf_task_queue_fini(&runtime->loop_queue);
        (void)pthread_cond_destroy(&runtime->background_ended);
        (void)pthread_mutex_destroy(&runtime->background_mutex);
    }
    shf_free(runtime);
}

void shf_rt_handle_add(shf_runtime *runtime) { atomic_fetch_add_explicit(&runtime->handles, 1, memory_order_relaxed); }
void shf_rt_handle_drop(shf_runtime *runtime) { atomic_fetch_sub_explicit(&runtime->handles, 1, memory_order_release); }

void shf_rt_post_loop(shf_runtime *runtime, struct shf_task *task) {
    /* Only the first task of an empty queue needs a wake-up: the loop takes all that is there. */
    if (shf_task_queue_push(&runtime->loop_queue, task)) (void)uv_async_send(&runtime->wake);
}

void shf_rt_post_worker(shf_runtime *runtime, struct shf_task *task) {
    (void)shf_task_queue_push(&runtime->worker_queue, task);
}

uv_loop_t *shf_rt_loop(shf_runtime *runtime) { return &runtime->loop; }
const struct shf_log *shf_rt_log(const shf_runtime *runtime) { return &runtime->log; }
struct shf_budget *shf_rt_budget(shf_runtime *runtime) {
    return &runtime->budget;
}
uint32_t shf_rt_worker_count(const shf_runtime *runtime) { return runtime->worker_count; }
struct shf_rt_counters *shf_rt_counters(shf_runtime *runtime) {
    return &runtime->counters;
}
struct shf_op_table *shf_rt_op_table(shf_runtime *runtime) {
    return &runtime->ops;
}

void shf_rt_service_add(shf_runtime *runtime, struct shf_rt_service *service) {
    service->next = runtime->services;
    runtime->services = service;
}

struct shf_rt_service *shf_rt_service_find(shf_runtime *runtime, const void *kind) {
    struct shf_rt_service *service = runtime->services;
    while (service && service->kind != kind) service = service->next;
    return service;
}

shf_status shf_runtime_stats_get(shf_runtime *runtime, shf_runtime_stats *out) {
    if (!runtime || !out) return SHF_E_INVALID;
    if (shf_rt_forked(runtime)) return SHF_E_FORKED;
    const struct shf_rt_counters *c = &runtime->counters;
    shf_runtime_stats stats = {.struct_size = sizeof stats,
                               .inflight_ops = atomic_load(&runtime->ops.used),
                               .budget_bytes = runtime->budget.limit_bytes,
                               .budget_used_bytes = atomic_load(&runtime->budget.used_bytes),
                               .mapped_bytes = atomic_load(&c->mapped_bytes),
                               .store_requests = atomic_load(&c->store_requests),
                               .store_retries = atomic_load(&c->store_retries),
                               .downloaded_bytes = atomic_load(&c->downloaded_bytes),
                               .cache_hits = atomic_load(&c->cache_hits),
                               .cache_misses = atomic_load(&c->cache_misses),
                               .refresh_failures = atomic_load(&c->refresh_failures),
                               .uploaded_bytes = atomic_load(&c->uploaded_bytes)};
    return shf_struct_fill(out, &stats, sizeof stats);
}
