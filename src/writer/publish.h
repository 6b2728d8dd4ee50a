/* The operation that builds and publishes (publish.c), and its parts: centroids (publish_train.c), shards (build.c), ids (ids.c), the manifest (announce.c). */
#ifndef SHF_WRITER_PUBLISH_H
#define SHF_WRITER_PUBLISH_H

#include "writer/losers.h"
#include "writer/pointer.h"
#include "writer/shard_job.h"
#include "writer/training.h"
#include "writer/vector_table.h"
#include "writer/writer.h"

struct shf_publish_op {
    struct shf_op op; /* first */
    struct shf_writer *writer;
    bool begun; /* under the writer's mutex */
    struct shf_task task;
    shf_status status; /* the first failure */
    struct shf_error *error;
    bool has_conflict, conflict_is_id;
    uint64_t first_origin, second_origin;

    uint32_t num_dbs;
    struct shf_shard_result *results; /* num_dbs */
    shf_publish_info info;
    int64_t phase_began_ns;
    char *run_id, *manifest_ref, *run_record;
    bool manifest_is_left; /* stored, and _CURRENT does not name it for certain */

    struct { /* build.c, loop thread */
        struct shf_shard_job *jobs;
        uint32_t job_count, running, next_shard;
        struct shf_cancel stop; /* the operation is cancelled, or another shard failed */
        struct shf_wait stop_wait;
    };
    struct shf_rows *ids;
    struct shf_rows_merge *id_merge;

    /* announce.c */
    struct shf_errand errand;
    struct shf_pointer pointer;
    uint8_t *manifest;
    size_t manifest_size;
    char *manifest_key;
    struct shf_losers losers;
    struct shf_vector_table table;
    struct shf_training training;
};

/* Mutex held. SHF_E_INVALID: there are fewer rows than centroids to find. */
shf_status shf_publish_check_training(struct shf_publish_op *publish);

/* Loop thread. Each calls the next when it is over, or shf_publish_fail. */
void shf_publish_train(struct shf_publish_op *publish);
void shf_publish_sort(struct shf_publish_op *publish);
void shf_publish_build(struct shf_publish_op *publish);
void shf_publish_check_ids(struct shf_publish_op *publish);
void shf_publish_announce(struct shf_publish_op *publish);
void shf_publish_succeed(struct shf_publish_op *publish);
/* The first failure counts; error moves in. */
void shf_publish_note(struct shf_publish_op *publish, shf_status status, struct shf_error *error);
void shf_publish_fail(struct shf_publish_op *publish);

#endif
