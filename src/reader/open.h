/* The operation behind open and refresh. */
#ifndef SHF_READER_OPEN_H
#define SHF_READER_OPEN_H

#include "base/clock.h"
#include "reader/reader.h"
#include "reader/shard/shard_group.h"
#include "snapshot/manifest_store.h"

struct shf_load_op {
    struct shf_reader_op base; /* first */
    bool is_refresh;
    bool owns_reader; /* open: until shf_op_take_reader */
    bool has_turn;
    struct shf_wait turn;
    struct shf_load_op *next_turn;
    struct shf_manifest_given given; /* body NULL = none */
    struct shf_manifest_load manifests;
    struct shf_vector_parts parts; /* of a vector-only snapshot */
    struct shf_snapshot *fresh;
    struct shf_shard_group group;
    int64_t phase_began_ns;
    shf_status status; /* of a step on a worker */
    struct shf_error *error;
    shf_open_info info;
};

#endif
