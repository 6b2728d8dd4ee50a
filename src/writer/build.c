/* Shards, some at a time. Loop thread. */
#include "base/alloc.h"
#include "base/clock.h"
#include "writer/publish.h"

#define IDS_SHARE 16u /* of the rows' memory, for ids that are not keys */
#define IDS_LEAST_BYTES (UINT64_C(1) << 20)

static void job_done(struct shf_shard_job *job);

/* Nobody waits for it: whoever finds no room looks again. */
static void no_one_waits(void *context) { (void)context; }

static struct shf_publish_op *publish_of(struct shf_shard_job *job) { return job->writer->publishing; }

/* Jobs have one token: what cancels the operation goes on to it, and the failure of another job. */
static void stop_jobs(struct shf_publish_op *publish) {
    shf_cancel_request(&publish->stop);
    shf_rt_sweep(publish->writer->runtime);
}

static void cancelled(struct shf_wait *wait, shf_status reason) {
    if (reason == SHF_E_CANCELLED) stop_jobs(SHF_CONTAINER(wait, struct shf_publish_op, stop_wait));
}

static void start_next(struct shf_publish_op *publish, struct shf_shard_job *job) {
    *job = (struct shf_shard_job){.writer = publish->writer,
                                  .ids = publish->ids,
                                  .shard = publish->next_shard++,
                                  .stop = &publish->stop,
                                  .deadline_ns = publish->op.deadline_ns,
                                  .done = job_done};
    publish->running++;
    shf_shard_job_start(job);
}

static void all_done(struct shf_publish_op *publish) {
    shf_wait_end(publish->writer->runtime, &publish->stop_wait, SHF_OK);
    publish->info.build_ns = shf_clock_monotonic_ns() - publish->phase_began_ns;
    if (publish->status) {
        shf_publish_fail(publish);
    } else {
        shf_publish_check_ids(publish);
    }
}

static void take_result(struct shf_publish_op *publish, struct shf_shard_job *job) {
    publish->results[job->shard] = job->result;
    publish->info.rows += job->result.rows;
    publish->info.rows_replaced += job->result.replaced;
    publish->info.db_bytes += job->result.db_bytes;
    publish->info.shard_retries += job->result.failed_attempts;
    atomic_fetch_add_explicit(&publish->writer->progress.shards_done, 1, memory_order_relaxed);
}

static void take_failure(struct shf_publish_op *publish, struct shf_shard_job *job) {
    if (!publish->status && job->has_conflict) {
        publish->has_conflict = true;
        publish->conflict_is_id = job->writer->setup.vectors != NULL;
        publish->first_origin = job->first_origin;
        publish->second_origin = job->second_origin;
    }
    shf_publish_note(publish, job->status, job->error);
    job->error = NULL;
    shf_shard_result_free(&job->result);
    stop_jobs(publish);
}

static void job_done(struct shf_shard_job *job) {
    struct shf_publish_op *publish = publish_of(job);
    publish->running--;
    if (job->status) {
        take_failure(publish, job);
    } else {
        take_result(publish, job);
    }
    if (!publish->status && publish->next_shard < publish->num_dbs) {
        start_next(publish, job);
    } else if (!publish->running) {
        all_done(publish);
    }
}

static shf_status make_ids(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    uint64_t bytes = writer->setup.memory_bytes / IDS_SHARE;
    bool is_vector_only = writer->setup.vectors;
    if (is_vector_only && publish->num_dbs == 1) return SHF_OK;
    if (!is_vector_only && !writer->ids_differ) return SHF_OK; /* keys are unique, and so are ids that are keys */
    const struct shf_rows_options options = {.runtime = writer->runtime,
                                             .memory_bytes = bytes < IDS_LEAST_BYTES ? IDS_LEAST_BYTES : bytes,
                                             .num_dbs = 1,
                                             .scratch_fd = writer->scratch.fd,
                                             .scratch_name = writer->scratch.path,
                                             .room = no_one_waits,
                                             .context = publish};
    return shf_rows_new(&options, &publish->ids, &publish->error);
}

void shf_publish_build(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    int64_t now = shf_clock_monotonic_ns();
    publish->info.sort_ns = now - publish->phase_began_ns;
    publish->phase_began_ns = now;
    atomic_store(&writer->progress.phase, SHF_PHASE_BUILD);
    shf_cancel_init(&publish->stop);
    if (!writer->rows) { /* not a single row */
        all_done(publish);
        return;
    }
    publish->job_count = writer->setup.jobs < publish->num_dbs ? writer->setup.jobs : publish->num_dbs;
    publish->jobs = shf_alloc_zero(publish->job_count, sizeof *publish->jobs);
    publish->status = publish->jobs ? make_ids(publish)
                                    : shf_error_set(&publish->error, SHF_E_NO_MEMORY, "no memory to build shards");
    if (publish->status) {
        all_done(publish);
        return;
    }
    publish->stop_wait =
        (struct shf_wait){.deadline_ns = SHF_DEADLINE_NONE, .cancel = publish->op.cancel, .wake = cancelled};
    shf_wait_begin(writer->runtime, &publish->stop_wait);
    for (uint32_t i = 0; i < publish->job_count; i++) start_next(publish, &publish->jobs[i]);
}
