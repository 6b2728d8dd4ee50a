/* Waiting for several shards at once, a bounded number being opened at a time. Loop thread only. */
#ifndef SHF_READER_SHARD_GROUP_H
#define SHF_READER_SHARD_GROUP_H

#include "reader/shard.h"

struct shf_shard_group {
    /* in */
    shf_runtime *runtime;
    struct shf_shard **shards; /* borrowed */
    uint32_t count;
    uint32_t limit; /* waits at a time */
    int64_t deadline_ns;
    const struct shf_cancel *cancel;
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
