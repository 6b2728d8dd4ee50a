/*
 * Scanning. The first runner is the operation's own task; it brings in as many more as there are workers with nothing
 * to do. Each takes the next unit until none is left, so all end at about the same time, whatever else the machine
 * does. The one that leaves a group last fetches its answer; the last of all ends the operation.
 */
#include "reader/search_priv.h"

struct shf_search_runner {
    struct shf_task task;
    struct shf_search_run *run;
    struct shf_scanner scanner;
};

static struct shf_limiter *limiter_of(const struct shf_search_run *run) {
    return &run->search->base.reader->source->limiter;
}

/* The first failure is the operation's. */
static void stop(struct shf_search_run *run, shf_status status, struct shf_error *error) {
    (void)pthread_mutex_lock(&run->mutex);
    if (!run->status) {
        run->status = status;
        run->error = error;
        error = NULL;
    }
    (void)pthread_mutex_unlock(&run->mutex);
    shf_error_free(error);
    atomic_store(&run->stopped, true);
}

static void leave_group(struct shf_search_runner *runner) {
    struct shf_search_run *run = runner->run;
    struct shf_plan_group *group = runner->scanner.group;
    if (!group) return;
    if (atomic_load(&run->stopped)) {
        shf_scanner_drop(&runner->scanner);
        return;
    }
    (void)pthread_mutex_lock(&run->mutex);
    bool complete = shf_scanner_leave(&runner->scanner);
    (void)pthread_mutex_unlock(&run->mutex);
    if (!complete) return;
    struct shf_error *error = NULL;
    shf_status status = shf_search_answer(run->search, &run->plan, group, &error);
    shf_arena_free(&group->arena);
    if (status) stop(run, status, error);
}

static shf_status scan_unit(struct shf_search_runner *runner, uint64_t unit, struct shf_error **error) {
    struct shf_search_run *run = runner->run;
    const struct shf_op *op = &run->search->base.op;
    struct shf_plan_group *group = shf_scanner_seek(&runner->scanner, unit);
    shf_status status = shf_op_check(op, error);
    if (!status && runner->scanner.group != group) {
        leave_group(runner);
        status = shf_scanner_enter(&runner->scanner, error);
    }
    if (!status && !shf_scanner_scan(&runner->scanner, unit, op->cancel)) status = shf_op_check(op, error);
    return status;
}

static void end_runner(struct shf_search_runner *runner) {
    struct shf_search_run *run = runner->run;
    leave_group(runner);
    shf_scanner_drop(&runner->scanner);
    shf_limiter_done(limiter_of(run), SHF_PLACE_WORK);
    if (atomic_fetch_sub_explicit(&run->runners_left, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t g = 0; run->status && g < run->plan.group_count; g++) shf_arena_free(&run->plan.groups[g].arena);
    shf_search_end(run, run->status, run->error);
}

/* By the first runner alone: more of them, while there are units and workers for them. */
static void bring_in_others(struct shf_search_run *run) {
    uint64_t next = atomic_load_explicit(&run->next_unit, memory_order_relaxed), units = run->plan.unit_count;
    int64_t wanted = shf_rt_idle_workers(run->search->base.op.runtime);
    for (; wanted > 0 && next < units && run->runners_started < run->runner_count; wanted--, next++) {
        if (!shf_limiter_try(limiter_of(run))) return;
        atomic_fetch_add_explicit(&run->runners_left, 1, memory_order_relaxed);
        shf_rt_post_worker(run->search->base.op.runtime, &run->runners[run->runners_started++].task);
    }
}

static void run_task(struct shf_task *task) {
    struct shf_search_runner *runner = SHF_CONTAINER(task, struct shf_search_runner, task);
    struct shf_search_run *run = runner->run;
    while (!atomic_load_explicit(&run->stopped, memory_order_relaxed)) {
        uint64_t unit = atomic_fetch_add_explicit(&run->next_unit, 1, memory_order_relaxed);
        if (unit >= run->plan.unit_count) break;
        if (runner == run->runners && run->runner_count > 1) bring_in_others(run);
        struct shf_error *error = NULL;
        shf_status status = scan_unit(runner, unit, &error);
        if (status) {
            stop(run, status, error);
            break;
        }
        if (unit + 1 < run->plan.unit_count && shf_rt_idle_workers(run->search->base.op.runtime) < 0) {
            shf_rt_post_worker(run->search->base.op.runtime, task); /* others have waited: to the end of the line */
            return;
        }
    }
    end_runner(runner);
}

void shf_search_scan_all(struct shf_search_run *run) {
    uint32_t threads = run->plan.threads;
    uint64_t units = run->plan.unit_count;
    run->runner_count = units < threads ? (uint32_t)units : threads;
    if (run->runner_count == 0) run->runner_count = 1;
    run->runners = shf_arena_zero(&run->arena, run->runner_count, sizeof *run->runners);
    if (!run->runners) {
        struct shf_error *error = NULL;
        shf_status status = shf_arena_refuse(&run->arena, "the search", &error);
        shf_limiter_done(limiter_of(run), SHF_PLACE_WORK);
        shf_search_end(run, status, error);
        return;
    }
    for (uint32_t i = 0; i < run->runner_count; i++) {
        run->runners[i].task.run = run_task;
        run->runners[i].run = run;
        run->runners[i].scanner = (struct shf_scanner){.plan = &run->plan, .arena = {.budget = run->arena.budget}};
    }
    run->runners_started = 1;
    atomic_store(&run->runners_left, 1);
    run_task(&run->runners[0].task);
}
