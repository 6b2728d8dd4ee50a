/*
 * The steps of a search between its copy of the queries and its scan: which shards it needs, opening those that are not
 * open, finding the stored vectors of `like`, planning.
 *
 * Where the number of open shards is bounded, a search holds the shards that it scans until its answer is there; what it
 * needs more than the bound allows stays open for so long. `like`, which may be in any shard, is looked for in some
 * after the other, as many at a time as may be open.
 */
#include "reader/search_priv.h"

static struct shf_source *source_of(const struct shf_search_run *run) { return run->search->base.reader->source; }

/* On a worker with a place. */
static void fail(struct shf_search_run *run, shf_status status, struct shf_error *error) {
    shf_limiter_done(&source_of(run)->limiter, SHF_PLACE_WORK);
    shf_search_end(run, status, error);
}

static void refused(struct shf_reader_op *op, shf_status status) {
    shf_search_end(SHF_CONTAINER(op, struct shf_search_op, base)->run, status, NULL);
}

/* ---- opening ---- */

static void shards_ready(struct shf_shard_group *group) {
    struct shf_search_run *run = SHF_CONTAINER(group, struct shf_search_run, group);
    if (group->status) {
        shf_search_end(run, group->status, group->error);
        return;
    }
    for (uint32_t i = 0; run->held && i < group->count; i++) run->held[run->held_count++] = group->shards[i];
    group->count = 0;
    shf_reader_work(&run->search->base, run->when_open, refused);
}

static void open_shards(struct shf_task *task) {
    shf_shard_group_start(&SHF_CONTAINER(task, struct shf_search_op, base.task)->run->group);
}

/* Opens what was listed as needed, and goes on with `next` on a worker. Gives the place back. */
static void open_needed(struct shf_search_run *run, void (*next)(struct shf_task *task)) {
    struct shf_search_op *search = run->search;
    struct shf_source *source = source_of(run);
    if (run->held) shf_open_shards_make_room(&source->open_shards, run->group.count); /* here, not on the loop thread */
    shf_limiter_done(&source->limiter, SHF_PLACE_WORK);
    run->when_open = next;
    run->group.runtime = source->runtime;
    run->group.shards = run->needed;
    run->group.deadline_ns = search->base.op.deadline_ns;
    run->group.cancel = search->base.op.cancel;
    run->group.keeps = true;
    run->group.done = shards_ready;
    search->base.task.run = open_shards;
    shf_rt_post_loop(source->runtime, &search->base.task);
}

/* ---- all shards are open ---- */

static void scan(struct shf_search_run *run) {
    struct shf_error *error = NULL;
    bool more = true;
    shf_status status = run->held ? SHF_OK : shf_search_look(run, 0, run->plan.shards.count, &error);
    if (!status && !run->held) status = shf_search_resolve_like(run, &error);
    if (!status) status = shf_plan_begin(&run->plan, &error);
    while (!status && more) {
        status = shf_op_check(&run->search->base.op, &error);
        if (!status) status = shf_plan_next(&run->plan, &more, &error);
    }
    if (status) {
        fail(run, status, error);
    } else {
        shf_search_scan_all(run);
    }
}

static void scan_task(struct shf_task *task) { scan(SHF_CONTAINER(task, struct shf_search_op, base.task)->run); }

static void open_and_scan(struct shf_search_run *run) {
    struct shf_error *error = NULL;
    shf_status status = shf_search_list_shards(run, &error);
    if (status) {
        fail(run, status, error);
    } else if (run->group.count) {
        open_needed(run, scan_task);
    } else {
        scan(run);
    }
}

/* ---- `like`, where the number of open shards is bounded ---- */

static void look_task(struct shf_task *task);

static void look_on(struct shf_search_run *run) {
    const uint32_t all = run->plan.shards.count, limit = source_of(run)->open_shards.limit;
    struct shf_error *error = NULL;
    shf_status status = SHF_OK;
    for (;;) {
        status = shf_search_look(run, run->looked, run->looking, &error);
        run->looked += run->looking;
        shf_search_let_go(run);
        if (status || !run->likes_missing || run->looked == all) break;
        run->looking = all - run->looked < limit ? all - run->looked : limit;
        for (uint32_t i = 0; i < run->looking; i++) {
            if (shf_search_looks_in(run, run->looked + i)) shf_search_hold(run, run->looked + i);
        }
        if (run->group.count == 0) continue;
        open_needed(run, look_task);
        return;
    }
    if (!status) status = shf_search_resolve_like(run, &error);
    if (status) {
        fail(run, status, error);
    } else {
        open_and_scan(run);
    }
}

static void look_task(struct shf_task *task) { look_on(SHF_CONTAINER(task, struct shf_search_op, base.task)->run); }

/* ---- the beginning ---- */

static void check_task(struct shf_task *task) {
    struct shf_search_run *run = SHF_CONTAINER(task, struct shf_search_op, base.task)->run;
    struct shf_error *error = NULL;
    shf_status status = shf_search_check(run, &error);
    if (!status && shf_snapshot_is_bounded(run->search->base.snapshot)) status = shf_search_bound(run, &error);
    if (status) {
        fail(run, status, error);
    } else if (run->held && run->like_count) {
        look_on(run);
    } else {
        open_and_scan(run);
    }
}

void shf_search_begin(struct shf_search_op *search) { shf_reader_work(&search->base, check_task, refused); }
