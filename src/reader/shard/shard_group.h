/*
 * Waiting for several shards at once. No more wait than the reader may open anyhow (max_concurrency), so that a snapshot of
 * many shards does not hold memory for all its openings. Loop thread only.
 */
#ifndef SHF_READER_SHARD_GROUP_H
#define SHF_READER_SHARD_GROUP_H

#include "reader/shard/shard.h"

struct shf_shard_group {
    /* in */
    shf_runtime *runtime;
    struct shf_shard **shards; /* borrowed */
    uint32_t count;
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
    bool keeps;      /* with SHF_OK all are held, for the receiver to let go; else none is */
    bool skips_seen; /* those that were open before are left out */
    void (*done)(struct shf_shard_group *group); /* once; may free the group */

    /* out */
    shf_status status;       /* of the first failure; the others are not waited for */
    struct shf_error *error; /* the receiver's */
    uint32_t opened;         /* that were not ready */
    uint64_t downloaded_bytes;

    /* own */
    struct shf_group_member *members;
    uint32_t next, pending;
    bool starting;
};

void shf_shard_group_start(struct shf_shard_group *group);

#endif
