/*
 * The manifest of a SlateDB database: which SSTs there are, in which order they are looked at, and where the replay of
 * the WAL begins. Versions 1 and 2 of the file become the same struct. Pure, read-only after parsing: any number of
 * threads.
 *
 * A database without segments is one segment here, with an empty prefix; so there is one way to look a key up.
 */
#ifndef SHF_FORMATS_SLATEDB_MANIFEST_H
#define SHF_FORMATS_SLATEDB_MANIFEST_H

#include "formats/slatedb/info.h"
#include "formats/slatedb/names.h"

enum shf_slatedb_bound_kind { SHF_SLATEDB_UNBOUNDED = 1, SHF_SLATEDB_INCLUDED, SHF_SLATEDB_EXCLUDED };

struct shf_slatedb_bound {
    enum shf_slatedb_bound_kind kind;
    struct shf_slatedb_bytes key;
};

/* A place of an SST in a list. The same SST may be in several places, with different bounds. */
struct shf_slatedb_sst {
    struct shf_slatedb_ulid id; /* its name is compacted/<id>.sst */
    struct shf_slatedb_info info;
    struct shf_slatedb_bound from, to; /* only the keys within count */
};

/* A sorted run: SSTs in the order of their keys; neighbours may share a key, the left one has its newer versions. */
struct shf_slatedb_run {
    uint32_t id;
    uint32_t first, count; /* in ssts */
};

/* The keys that begin with a prefix. Newest first: the L0 SSTs, then the runs. */
struct shf_slatedb_segment {
    struct shf_slatedb_bytes prefix;
    uint32_t l0_first, l0_count;   /* in ssts */
    uint32_t run_first, run_count; /* in runs */
};

struct shf_slatedb_manifest {
    uint16_t version; /* of the file */
    uint64_t writer_epoch, compactor_epoch;
    uint64_t replay_after_wal_id; /* the replay begins with the WAL object after this one, and ends at the first that is missing */
    uint64_t last_l0_seq; /* WAL rows up to this one are in L0 or in the runs already */
    bool has_segments;    /* the file has */
    struct shf_slatedb_sst *ssts;
    struct shf_slatedb_run *runs;
    struct shf_slatedb_segment *segments; /* ascending; no prefix begins another */
    uint32_t sst_count, run_count, segment_count;
    uint8_t *bytes; /* a copy of the file, which the keys above are views of */
    size_t size;
};

/*
 * SHF_E_CORRUPT: bytes contradict the format (an SST that is not in the dictionary, a run out of order, prefixes that
 * nest, an unfinished clone); SHF_E_UNSUPPORTED: another version of manifest, SST or codec, a WAL in a store of its
 * own, an SST that lies in another database; SHF_E_LIMIT: more than SHF_LIMIT_SLATEDB_MANIFEST_BYTES, or
 * SHF_LIMIT_SLATEDB_SSTS places; SHF_E_NO_MEMORY. The messages begin with "manifest"; the caller adds its name.
 */
shf_status shf_slatedb_manifest_parse(const void *data, size_t size, struct shf_slatedb_manifest **out,
                                      struct shf_error **error);
void shf_slatedb_manifest_free(struct shf_slatedb_manifest *manifest); /* NULL is fine */

/* The segment that may hold the key; NULL: no SST does. */
const struct shf_slatedb_segment *shf_slatedb_manifest_segment(const struct shf_slatedb_manifest *manifest,
                                                               struct shf_slatedb_bytes key);
/* The SSTs of a run that may hold the key, by their first keys: [*first, *end) in ssts, newest first. */
void shf_slatedb_manifest_run_candidates(const struct shf_slatedb_manifest *manifest, const struct shf_slatedb_run *run,
                                         struct shf_slatedb_bytes key, uint32_t *first, uint32_t *end);
/* That the key lies within first and last key and the bounds. */
bool shf_slatedb_sst_may_hold(const struct shf_slatedb_sst *sst, struct shf_slatedb_bytes key);
/* That the key lies within the bounds. */
bool shf_slatedb_sst_shows(const struct shf_slatedb_sst *sst, struct shf_slatedb_bytes key);

#endif
