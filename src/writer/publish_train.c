/* The step of a publish that finds centroids. */
#include "writer/publish.h"

#include <inttypes.h>

shf_status shf_publish_check_training(struct shf_publish_op *publish) {
    const struct shf_writer *writer = publish->writer;
    uint32_t num_dbs = writer->setup.num_dbs;
    if (writer->row_count >= num_dbs) return SHF_OK;
    return shf_error_set(&publish->error, SHF_E_INVALID,
                         "%" PRIu64 " rows are too few to find the centroids of %" PRIu32
                         " shards among; write more rows, ask for fewer shards, or give centroids",
                         writer->row_count, num_dbs);
}

static void warn_of_sample(const struct shf_publish_op *publish, uint32_t row_count, uint32_t wanted) {
    const struct shf_writer *writer = publish->writer;
    shf_log_write(shf_rt_log(writer->runtime), SHF_LOG_WARNING,
                  "centroids of %s are found among %" PRIu32 " rows, not %" PRIu32
                  ": a quarter of memory_bytes has no room for more",
                  writer->setup.location.url, row_count, wanted);
}

static void trained(struct shf_training *training) {
    struct shf_publish_op *publish = SHF_CONTAINER(training, struct shf_publish_op, training);
    publish->info.training_rows = training->row_count;
    publish->info.training_rounds = training->rounds_done;
    publish->info.training_ns = training->duration_ns;
    publish->info.inertia = training->inertia;
    if (training->status) {
        shf_publish_note(publish, training->status, training->error);
        shf_publish_fail(publish);
    } else {
        shf_publish_sort(publish);
    }
}

void shf_publish_train(struct shf_publish_op *publish) {
    struct shf_writer *writer = publish->writer;
    struct shf_vector_sharder *vectors = writer->setup.vectors;
    uint64_t wanted = writer->row_count < vectors->training_rows ? writer->row_count : vectors->training_rows;
    uint32_t row_count = shf_sample_count(vectors->sample);
    if (row_count < wanted) warn_of_sample(publish, row_count, (uint32_t)wanted);
    atomic_store(&writer->progress.phase, SHF_PHASE_TRAIN);
    publish->training = (struct shf_training){.op = &publish->op,
                                              .runtime = writer->runtime,
                                              .vectors = vectors,
                                              .dimension = writer->dimension,
                                              .rounds = vectors->training_rounds,
                                              .done = trained};
    shf_training_start(&publish->training);
}
