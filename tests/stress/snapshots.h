/*
 * Snapshots whose every value, payload and vector id names the version that it is of, so that an answer which mixes two
 * snapshots is seen.
 *
 * A prefix has several snapshots of STRESS_SHARDS shards. Snapshot m has version m of each shard, but for shard 0, which
 * two snapshots in a row share, so that refreshes take a shard over. A check gives the set of snapshots (a bit each) that
 * an answer can be of; what several answers have in common is where an operation ran. An empty set: wrong, or mixed.
 */
#ifndef SHF_TESTS_STRESS_SNAPSHOTS_H
#define SHF_TESTS_STRESS_SNAPSHOTS_H

#include "stress/stress.h"

#define STRESS_SHARDS 4u
#define STRESS_MOST_SNAPSHOTS 8u
#define STRESS_KEY_BYTES 16u

struct stress_shape {
    unsigned snapshots, keys, vectors, dimension;
    unsigned queries, top_k;    /* whose answers are worked out beforehand */
    unsigned large_value_bytes; /* each sixteenth value has up to so many, in overflow pages; 0: none has */
};

struct stress_hit {
    unsigned vector;
    double score;
};

struct stress_prefix {
    struct stress_shape shape;
    char *path;                         /* of the prefix: what is opened */
    char *ref[STRESS_MOST_SNAPSHOTS];   /* tail of the manifest's, as shf_reader_options takes it */
    char (*key_text)[STRESS_KEY_BYTES]; /* keys */
    uint8_t *shard_of;                  /* keys: by XXH3-64 */
    float *query_vectors;               /* queries * dimension */
    struct stress_hit *hits;            /* snapshots * queries * top_k, best first */
    char *current_path;
};

/* Makes the snapshots below `directory`, and publishes the first. */
void stress_prefix_make(struct stress_prefix *prefix, const char *directory, const struct stress_shape *shape);
/* The same without the files: another process has made them. */
void stress_prefix_know(struct stress_prefix *prefix, const char *directory, const struct stress_shape *shape);
void stress_prefix_free(struct stress_prefix *prefix);
/* Any thread. */
void stress_publish(const struct stress_prefix *prefix, unsigned snapshot);

/* Of offset 0 (newest) and so on; snapshots are numbered from the oldest. */
static inline unsigned stress_snapshot_at(const struct stress_prefix *prefix, unsigned offset) {
    return prefix->shape.snapshots - 1 - offset;
}
static inline uint32_t stress_all_snapshots(const struct stress_prefix *prefix) {
    return (UINT32_C(1) << prefix->shape.snapshots) - 1;
}

shf_key stress_key(const struct stress_prefix *prefix, unsigned key);
shf_query stress_query(const struct stress_prefix *prefix, unsigned query, uint32_t top_k);

/* ---- checks: the snapshots that an answer can be of ---- */

uint32_t stress_check_value(const struct stress_prefix *prefix, unsigned key, const shf_value *value);
/* A get or multi_get of these keys. */
uint32_t stress_check_lookup(const struct stress_prefix *prefix, const shf_op *op, const unsigned *keys, size_t count);
/* Result `index` of a search or batch_search, of query `query`; all hits, those beyond the known ones for order and origin. */
uint32_t stress_check_hits(const struct stress_prefix *prefix, const shf_op *op, size_t index, unsigned query,
                           uint32_t top_k);

/* Whether the reader answers wholly as one of these snapshots: a multi_get of all keys and a batch of all queries. */
void stress_require_serves(const struct stress_prefix *prefix, shf_reader *reader, uint32_t snapshots);

/* Options that open the prefix with a cache directory. */
shf_reader_options stress_options(const struct stress_prefix *prefix, const char *cache);

/* ---- how contents follow from numbers; for those who write the files ---- */

unsigned stress_version_of(unsigned snapshot, unsigned shard);
bool stress_key_is_there(unsigned version, unsigned key);
size_t stress_value_make(const struct stress_shape *shape, unsigned version, unsigned key,
                         char *out); /* out NULL: its size */
float stress_vector_element(unsigned version, unsigned vector, unsigned element);
size_t stress_payload_make(unsigned version, unsigned vector, char out[64]); /* 0: none */

#endif
