/* No two rows have the same id. Ids that are keys need no look; else every id was handed to a store of rows of its own. */
#include "base/clock.h"
#include "writer/publish.h"

#define SLICE_ROWS 65536u

static void slice(struct shf_task *task);

static void over(struct shf_task *task) {
    struct shf_publish_op *publish = SHF_CONTAINER(task, struct shf_publish_op, task);
    if (publish->status) {
        shf_publish_fail(publish);
    } else {
        shf_publish_announce(publish);
    }
}

static void end(struct shf_publish_op *publish, shf_status status, struct shf_error *error) {
    if (status) shf_publish_note(publish, status, error);
    publish->task.run = over;
    shf_rt_post_loop(publish->writer->runtime, &publish->task);
}

static void conflict(struct shf_publish_op *publish) {
    struct shf_error *error = NULL;
    publish->has_conflict = publish->conflict_is_id = true;
    shf_rows_merge_conflict(publish->id_merge, &publish->first_origin, &publish->second_origin);
    if (publish->first_origin > publish->second_origin) { /* shards come in any order */
        uint64_t first = publish->second_origin;
        publish->second_origin = publish->first_origin;
        publish->first_origin = first;
    }
    const struct shf_writer_setup *setup = &publish->writer->setup;
    const char *why = !setup->vectors ? "different keys"
                      : setup->flags & SHF_WRITE_LAST_WINS
                          ? "belong to different shards, where the last can not replace the other; leave one out"
                          : "belong to different shards; leave one out";
    shf_status status =
        shf_error_set(&error, SHF_E_INVALID, "rows %llu and %llu have the same id and %s",
                      (unsigned long long)publish->first_origin, (unsigned long long)publish->second_origin, why);
    end(publish, status, error);
}

static void slice(struct shf_task *task) {
    struct shf_publish_op *publish = SHF_CONTAINER(task, struct shf_publish_op, task);
    struct shf_error *error = NULL;
    struct shf_rows_row row;
    uint64_t replaced = 0;
    bool done = false;
    shf_status status = shf_op_check(&publish->op, &error);
    if (!status && !publish->id_merge) status = shf_rows_merge_new(publish->ids, 0, &publish->id_merge, &error);
    for (uint32_t i = 0; !status && !done && i < SLICE_ROWS; i++) {
        status = shf_rows_merge_next(publish->id_merge, &row, &done, &replaced, &error);
    }
    if (status == SHF_E_INVALID) {
        shf_error_free(error);
        conflict(publish);
    } else if (status || done) {
        end(publish, status, error);
    } else {
        shf_rt_post_worker(publish->writer->runtime, task);
    }
}

static void sorted(void *context, shf_status status, struct shf_error *error) {
    struct shf_publish_op *publish = context;
    if (status) {
        end(publish, status, error);
        return;
    }
    publish->task.run = slice;
    shf_rt_post_worker(publish->writer->runtime, &publish->task);
}

void shf_publish_check_ids(struct shf_publish_op *publish) {
    publish->phase_began_ns = shf_clock_monotonic_ns();
    if (publish->ids) {
        shf_rows_finish(publish->ids, 1, publish->op.cancel, sorted);
    } else {
        shf_publish_announce(publish);
    }
}
