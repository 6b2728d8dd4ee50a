/* The rows of a replay. Private to formats. */
#ifndef SHF_FORMATS_SLATEDB_WAL_PRIV_H
#define SHF_FORMATS_SLATEDB_WAL_PRIV_H

#include "base/arena.h"
#include "formats/slatedb/wal.h"

/* A row as it will be written: SHF_SORTED_ROW bytes, key, value. */
struct shf_replay_row {
    uint64_t key_part; /* eight bytes of the key, behind what all keys begin with; set when they are sorted */
    uint64_t seq;
    const uint8_t *stored;
};

struct shf_slatedb_replay {
    struct shf_budget *budget;
    struct shf_arena arena;
    struct shf_slatedb_unpacker unpacker;
    uint64_t replay_after_wal_id, next_id, last_l0_seq;
    struct shf_replay_row *rows;
    uint64_t row_count, row_capacity;
    size_t prefix_size; /* what all keys so far begin with */
    uint8_t *chunk;     /* of the arena: room for small rows */
    size_t chunk_left;
    bool is_over; /* written, or failed */
};

static inline struct shf_slatedb_bytes shf_replay_key(const struct shf_replay_row *row) {
    struct shf_slatedb_bytes key = {row->stored + 16, (size_t)(row->stored[0] | row->stored[1] << 8)};
    return key;
}
uint64_t shf_replay_row_size(const struct shf_replay_row *row);

/* Sorts by key, newest first, and keeps the first of each key. */
shf_status shf_replay_sort(struct shf_slatedb_replay *replay, struct shf_error **error);

#endif
