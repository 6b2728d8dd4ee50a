/* A run of `shardy build`. */
#ifndef CLI_BUILD_RUN_H
#define CLI_BUILD_RUN_H

#include "cli/build/build_array.h"
#include "cli/build/build_batch.h"
#include "cli/build/build_progress.h"
#include "cli/session.h"

#define CLI_SHOWN_ERRORS 10u /* bad lines that are told of one by one without -v */

struct cli_build {
    struct cli_session *session;
    const struct cli_build_options *options;
    struct cli_source source;
    struct cli_vectors vectors;
    bool has_vectors;
    struct cli_feed feed;
    struct cli_columns columns;              /* of the expression, if there is one */
    struct cli_array centroids, hyperplanes; /* of snapshots of vectors alone, where they are given */
    struct cli_idle idle;
    struct cli_progress progress;
    struct cli_batch batches[2]; /* one is read while the other is being written */
    struct cli_batch *sent;      /* the one being written; NULL = none */
    shf_op_id sent_id;
    shf_writer *writer;
    uint32_t num_dbs; /* as chosen; one of the two is set */
    uint64_t max_keys_per_shard;
    uint64_t rows, bytes; /* accepted by the writer */
    uint64_t skipped;
    int64_t began_ns;
};

/* Shards from what the inputs hold, unless the command line says how many. build_plan.c */
void cli_build_plan(struct cli_build *build);
/* The same for given sizes. */
uint32_t cli_plan_shards(uint64_t bytes, uint64_t shard_bytes);
#define CLI_SHARD_BYTES (UINT64_C(256) << 20)       /* of input */
#define CLI_PROBED_SHARD_BYTES (UINT64_C(32) << 20) /* where a query looks into some of the shards only */

/* --centroids and --hyperplanes; NULL, or what is wrong with them or beside them. build_arrays.c */
char *cli_build_arrays(struct cli_build *build);

/* Reads, parses and writes everything; false: it failed (told), or an interrupt came. build_feed.c */
bool cli_build_feed(struct cli_build *build);
/* Ends the write that is under way, whatever comes of it. */
void cli_build_abandon(struct cli_build *build);

/* Prints the result. build_summary.c */
void cli_build_summary(struct cli_build *build, const shf_op *op);

/* Waits for the only operation under way, showing progress; an interrupt cancels it. */
shf_op *cli_build_wait(struct cli_build *build, shf_op_id id);
/* The same for one that is to succeed: NULL when it was refused, failed (told) or was interrupted. */
shf_op *cli_build_finish(struct cli_build *build, shf_status submitted, shf_op_id id);
/* Tells of an error; the message is freed. */
void cli_build_error(struct cli_build *build, char *message);
void cli_build_show(struct cli_build *build);

#endif
