#include "writer/training.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "search/kmeans.h"

static void deliver(struct shf_task *task) {
    struct shf_training *training = SHF_CONTAINER(task, struct shf_training, task);
    training->done(training);
}

/* A worker, the last that has to do with it. */
static void end(struct shf_training *training) {
    shf_kmeans_free(training->kmeans);
    shf_free(training->workers);
    shf_vector_sharder_drop_sample(training->vectors);
    training->kmeans = NULL;
    training->workers = NULL;
    training->duration_ns = shf_clock_monotonic_ns() - training->began_ns;
    training->task.run = deliver;
    shf_rt_post_loop(training->runtime, &training->task);
}

static void take_centroids(struct shf_training *training) {
    const struct shf_kmeans *kmeans = training->kmeans;
    training->inertia = shf_kmeans_inertia(kmeans);
    training->rounds_done = shf_kmeans_rounds(kmeans);
    training->status = shf_vector_sharder_set_centroids(training->vectors, shf_kmeans_centroids(kmeans),
                                                        training->dimension, &training->error);
}

/* ---- phases: one thread ---- */

static void begin_phase(struct shf_training *training) {
    training->status = shf_op_check(training->op, &training->error);
    training->pieces = training->status ? 0 : shf_kmeans_pieces(training->kmeans);
    if (!training->pieces) {
        if (!training->status) take_centroids(training);
        end(training);
        return;
    }
    uint32_t count = training->pieces < training->worker_count ? training->pieces : training->worker_count;
    atomic_store(&training->next_piece, 0);
    atomic_store(&training->active, count);
    for (uint32_t i = 0; i < count; i++) shf_rt_post_worker(training->runtime, &training->workers[i].task);
}

static bool must_stop(const struct shf_training *training) {
    return shf_cancel_requested(training->op->cancel) || shf_deadline_over(training->op->deadline_ns);
}

/* A piece, then others get their turn. Of a phase that was left in the middle nothing is used any more. */
static void run_piece(struct shf_task *task) {
    struct shf_training *training = SHF_CONTAINER(task, struct shf_training_worker, task)->training;
    uint32_t piece = must_stop(training) ? UINT32_MAX : atomic_fetch_add(&training->next_piece, 1);
    if (piece < training->pieces) {
        shf_kmeans_run(training->kmeans, piece);
        shf_rt_post_worker(training->runtime, task);
        return;
    }
    if (atomic_fetch_sub(&training->active, 1) > 1) return;
    training->status = shf_op_check(training->op, &training->error);
    if (training->status) {
        end(training);
        return;
    }
    shf_kmeans_advance(training->kmeans);
    begin_phase(training);
}

/* ---- the beginning ---- */

static shf_status make_workers(struct shf_training *training) {
    training->worker_count = shf_rt_worker_count(training->runtime);
    training->workers = shf_alloc_zero(training->worker_count, sizeof *training->workers);
    if (!training->workers) {
        return shf_error_set(&training->error, SHF_E_NO_MEMORY, "no memory to find centroids");
    }
    for (uint32_t i = 0; i < training->worker_count; i++) {
        training->workers[i] = (struct shf_training_worker){.task.run = run_piece, .training = training};
    }
    return SHF_OK;
}

static void begin(struct shf_task *task) {
    struct shf_training *training = SHF_CONTAINER(task, struct shf_training, task);
    const struct shf_vector_sharder *vectors = training->vectors;
    training->row_count = shf_sample_count(vectors->sample);
    training->status = make_workers(training);
    if (!training->status) {
        const struct shf_kmeans_options options = {.rows = shf_sample_rows(vectors->sample),
                                                   .count = training->row_count,
                                                   .dimension = training->dimension,
                                                   .clusters = vectors->num_dbs,
                                                   .rounds = training->rounds,
                                                   .spherical = vectors->metric == SHF_METRIC_COSINE,
                                                   .seed = vectors->seed,
                                                   .budget = vectors->budget};
        training->status = shf_kmeans_new(&options, &training->kmeans, &training->error);
    }
    if (training->status) {
        if (training->error) shf_error_prefix(&training->error, "finding centroids");
        end(training);
    } else {
        begin_phase(training);
    }
}

void shf_training_start(struct shf_training *training) {
    training->began_ns = shf_clock_monotonic_ns();
    training->task.run = begin;
    shf_rt_post_worker(training->runtime, &training->task);
}
