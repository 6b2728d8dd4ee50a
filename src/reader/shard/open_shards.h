/*
 * Which shards of vector-only snapshots stay open while nobody searches them: those that were used last, as many as
 * max_open_shards allows together with the ones in use. A shard counts as open from the beginning of its opening. Who
 * uses one holds it; what nobody holds is in a list, the least recently used first, and is closed from there while too
 * many are open. The mapped files stay in the local cache, the shard can be opened again.
 *
 * Without a limit, and of snapshots with keys, nothing is counted: what is open stays open, and a hold is only the
 * question whether it is.
 */
#ifndef SHF_READER_SHARD_OPEN_SHARDS_H
#define SHF_READER_SHARD_OPEN_SHARDS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct shf_shard;

/* Part of a shf_source: of all snapshots of a reader together. */
struct shf_open_shards {
    uint32_t limit; /* 0 = none */
    pthread_mutex_t mutex;
    struct { /* under mutex; so is every counted shard's `use`, and the way of its state from and to READY */
        uint32_t count;
        struct shf_shard *oldest, *newest; /* that nobody holds */
    };
};

struct shf_shard_use {
    bool is_counted; /* never changes */
    uint32_t holds;
    struct shf_shard *older, *newer;
};

void shf_open_shards_init(struct shf_open_shards *open, uint32_t limit);
void shf_open_shards_fini(struct shf_open_shards *open);

/* Closes what nobody holds until `coming` more can be opened within the limit, or nothing is left to close. Any thread. */
void shf_open_shards_make_room(struct shf_open_shards *open, uint32_t coming);

/* Whether the shard is ready; then it stays so until shf_shard_let_go, or for ever where it is not counted. Any thread. */
bool shf_shard_hold(struct shf_shard *shard);
void shf_shard_let_go(struct shf_shard *shard);

/* ---- for shard.c, which keeps the state of a shard ---- */

/* IDLE -> OPENING. Loop thread. */
void shf_shard_set_opening(struct shf_shard *shard);
/* OPENING -> READY, with so many holds; or IDLE. Loop thread. */
void shf_shard_set_opened(struct shf_shard *shard, bool is_ready, uint32_t holds);
/* Nobody has it any more. */
void shf_shard_set_gone(struct shf_shard *shard);

#endif
