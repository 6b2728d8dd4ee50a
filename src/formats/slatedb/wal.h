/*
 * Replaying a WAL: its objects are given one after the other, what comes out is the newest row of each key, sorted, in
 * the form of sorted.h. Pure. One thread at a time.
 *
 * Memory, charged to the budget: for every row that counts its key (where blocks are compressed, its value) and 40 bytes,
 * once more while sorting. Rows up to the manifest's last_l0_seq do not count.
 */
#ifndef SHF_FORMATS_SLATEDB_WAL_H
#define SHF_FORMATS_SLATEDB_WAL_H

#include "formats/slatedb/manifest.h"
#include "formats/slatedb/sorted.h"

struct shf_slatedb_replay;

/* The budget must outlive it. SHF_E_NO_MEMORY, SHF_E_INVALID. */
shf_status shf_slatedb_replay_new(const struct shf_slatedb_manifest *manifest, struct shf_budget *budget,
                                  struct shf_slatedb_replay **out, struct shf_error **error);
/* The id of the WAL object that is wanted next. The first one that does not exist ends the replay. */
uint64_t shf_slatedb_replay_next_id(const struct shf_slatedb_replay *replay);
/*
 * The whole object with that id, which must stay as long as the replay. SHF_SLATEDB_FOOTER_BYTES or fewer are a fence without
 * rows, and sound. SHF_E_CORRUPT, SHF_E_UNSUPPORTED, SHF_E_LIMIT (rows: SHF_LIMIT_SLATEDB_WAL_ROWS), SHF_E_NO_MEMORY,
 * SHF_E_INVALID (more than the budget has altogether): it can only be freed then. The messages want the name of the
 * object before them.
 */
shf_status shf_slatedb_replay_add(struct shf_slatedb_replay *replay, const uint8_t *data, size_t size,
                                  struct shf_error **error);
/* Where the sorted form goes: pieces, in any order. */
struct shf_slatedb_sink {
    shf_status (*write)(struct shf_slatedb_sink *sink, uint64_t offset, const void *data, size_t size,
                        struct shf_error **error);
};
/*
 * Sorts, drops what is older, and writes the sorted form in pieces of up to 64 KiB, from the front on; its header, which
 * has the checksum of the rest, comes last. The same objects give the same bytes. Once; nothing can be added any more.
 * SHF_E_NO_MEMORY, SHF_E_INVALID, the sink's errors.
 */
shf_status shf_slatedb_replay_write(struct shf_slatedb_replay *replay, struct shf_slatedb_sink *sink,
                                    struct shf_error **error);
void shf_slatedb_replay_free(struct shf_slatedb_replay *replay); /* NULL is fine */

#endif
