/* The rows of a replay. Private to formats. */
#ifndef SHF_FORMATS_SLATEDB_WAL_PRIV_H
#define SHF_FORMATS_SLATEDB_WAL_PRIV_H

#include "base/arena.h"
#include "formats/slatedb/wal.h"

struct shf_replay_row {
    uint64_t key_part; /* eight bytes of the key, behind what all keys begin with; set when they are sorted */
    uint64_t seq;
    const uint8_t *key;   /* of the arena */
    const uint8_t *value; /* of the object, or of the arena where that is compressed */
    uint32_t value_size;
    uint16_t key_size;
    uint8_t kind;
};

struct shf_slatedb_replay {
    struct shf_budget *budget;
    struct shf_arena arena;
    struct shf_slatedb_unpacker unpacker;
    uint64_t replay_after_wal_id, next_id, last_l0_seq;
    struct shf_replay_row *rows;
    uint64_t row_count, row_capacity;
    size_t prefix_size; /* what all keys so far begin with */
    uint8_t *chunk;     /* of the arena: room for keys and small values */
    size_t chunk_left;
    bool is_over; /* written, or failed */
};

static inline struct shf_slatedb_bytes shf_replay_key(const struct shf_replay_row *row) {
    struct shf_slatedb_bytes key = {row->key, row->key_size};
    return key;
}

#endif
