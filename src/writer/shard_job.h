/*
 * One shard: its rows merged, its file built, hashed, uploaded under the next free attempt, its sidecar made and uploaded.
 * Workers build and hash in slices; the loop thread uploads. A shard without rows has no objects.
 */
#ifndef SHF_WRITER_SHARD_JOB_H
#define SHF_WRITER_SHARD_JOB_H

#include "formats/shard_build.h"
#include "rt/wait.h"
#include "writer/errand.h"
#include "writer/rows.h"
#include "writer/shard_file.h"
#include "writer/writer.h"

struct shf_shard_result {
    uint32_t attempt, failed_attempts; /* attempts first_attempt to attempt - 1 failed */
    uint64_t rows, replaced, db_bytes; /* rows 0: no objects */
    uint8_t sha256[32];
    uint64_t sidecar_bytes; /* 0 = none */
    uint8_t sidecar_sha256[32];
    char *min_key, *max_key; /* JSON text, or NULL */
    char *db_url;
    char checkpoint[33]; /* of the content */
    uint64_t duration_ms;
};
void shf_shard_result_free(struct shf_shard_result *result);

struct shf_shard_job {
    /* in */
    struct shf_writer *writer; /* borrowed */
    struct shf_rows *ids;      /* where (id, key) pairs go, or NULL */
    uint32_t shard;
    const struct shf_cancel *stop; /* the publish is cancelled, or another shard failed */
    int64_t deadline_ns;
    void (*done)(struct shf_shard_job *job); /* loop thread */

    /* out */
    shf_status status;
    struct shf_error *error;
    struct shf_shard_result result;
    bool has_conflict;
    uint64_t first_origin, second_origin;

    /* its own while it works */
    struct shf_task task;
    struct shf_rows_merge *merge;
    struct shf_shard_build *build;
    struct shf_shard_file file, sidecar;
    struct shf_shard_pages pages;
    bool has_id_waiting, has_row;
    uint8_t id_hash[16];
    struct shf_rows_row row; /* the one that is being added */
    int64_t began_ns;
    struct shf_errand errand;
    struct shf_wait pause;
    char *tail; /* of the attempt */
};

void shf_shard_job_start(struct shf_shard_job *job);

#endif
