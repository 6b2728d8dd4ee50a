/*
 * What the tests read: small snapshots, each with a second run in which one shard has other contents and the other is the
 * same. Of unified shards sqlite3 says what the keys and values are; of the rest the records of the Python project.
 */
#ifndef SHF_TESTS_FAULT_WORLD_H
#define SHF_TESTS_FAULT_WORLD_H

#include <shardyfusion/shardyfusion.h>

#include <stdbool.h>
#include <stddef.h>

#define WORLD_RUNS 2
#define WORLD_QUERIES 3
#define WORLD_LONG_KEYS 2 /* of the unified world, the first rows: values on overflow pages, one in each shard */
#define WORLD_UNIFIED_DIMENSION 384

enum world_kind {
    WORLD_UNIFIED, /* tests/data/packages-1k, some values made longer than a page */
    WORLD_COMPOSITE, /* tests/data/composite-120: SlateDB, one shard with a WAL only, and LanceDB; run 1: shard 0 is empty */
    WORLD_KEYS,      /* the same without the vectors */
    WORLD_VECTORS,    /* the same without the keys: vector-only, sharded by a hash; run 1: shard 0 is empty */
    WORLD_EXPRESSION, /* that of keys, sharded by an expression: each key is where it was */
    WORLD_KINDS
};

enum world_pointer {
    WORLD_FIRST,     /* run 0 */
    WORLD_SECOND,    /* run 1: shard 0 is another, shard 1 the same */
    WORLD_MALFORMED, /* a manifest that is none */
    WORLD_DANGLING,  /* a manifest that is not there */
    WORLD_ABSENT     /* no _CURRENT */
};

struct world_row {
    char *key;
    unsigned char *values[WORLD_RUNS]; /* NULL: absent */
    size_t sizes[WORLD_RUNS];
};
#define WORLD_ANY_SHARD UINT32_MAX /* not recorded */
struct world_hit {
    char *id;
    double score;
    uint32_t shard;
};
struct world_query {
    unsigned char *vector; /* floats */
    uint32_t top_k, shard, shard_count;
    struct world_hit *hits; /* of run 0 */
    size_t hit_count;
};
struct world {
    enum world_kind kind;
    const char *name;
    char *snapshot; /* directory, below world_root */
    struct world_row *rows;
    size_t row_count;
    uint32_t dimension;
    struct world_query queries[WORLD_QUERIES]; /* none in WORLD_KEYS */
    char **objects;                            /* but for the pointer: keys below the snapshot's prefix */
    size_t object_count;
    shf_slice second_manifest; /* its bytes */
    enum world_pointer published;
    const char *pointers[4]; /* what _CURRENT holds */
};

extern char *world_root;    /* a directory */
extern struct world *world; /* the one that is in use */

void world_begin(void);
void world_end(void);
struct world *world_of(enum world_kind kind);
void world_select(enum world_kind kind);
void world_publish(enum world_pointer pointer);
/* What _CURRENT holds then; NULL for WORLD_ABSENT. */
const char *world_pointer_text(enum world_pointer pointer);
shf_key world_key(size_t row);
bool world_value_is(size_t row, int run, const shf_value *value);
shf_query world_query(size_t query);
/* Result `at` of a search is that of the query in this run. */
bool world_hits_are(const shf_op *op, size_t at, size_t query, int run);

/* ---- making; within ---- */

#define WORLD_SECOND_RUN "5ec0d05ec0d05ec0d05ec0d05ec0d05e"
#define WORLD_SECOND_MANIFEST "2026-11-23T07:29:27.503984Z_run_id=" WORLD_SECOND_RUN
#define WORLD_BAD_MANIFEST "2026-11-24T07:29:27.503984Z_run_id=bad0bad0bad0bad0bad0bad0bad0bad0"
#define WORLD_POINTER(prefix, run, directory)                                                                          \
    "{\"format_version\":1,\"manifest_content_type\":\"application/x-sqlite3\",\"manifest_ref\":"                      \
    "\"" prefix "/manifests/" directory "/manifest\",\"run_id\":\"" run "\","                                          \
    "\"updated_at\":\"2026-11-22T07:29:27.506796Z\"}"
#define WORLD_POINTERS(prefix, run, manifest)                                                                          \
    {                                                                                                                  \
        WORLD_POINTER(prefix, run, manifest), WORLD_POINTER(prefix, run, WORLD_SECOND_MANIFEST),                       \
            WORLD_POINTER(prefix, run, WORLD_BAD_MANIFEST),                                                            \
            WORLD_POINTER(prefix, run, "2026-11-25T07:29:27.503984Z_run_id=0")                                         \
    }

void world_make_unified(struct world *made);
void world_make_composite(struct world *made);
void world_make_keys(struct world *made);    /* of the composite one, which is there */
void world_make_vectors(struct world *made); /* likewise */
void world_make_expression(struct world *made);
void world_read_composite_queries(struct world *made);
/* Statements on a SQLite file. */
void world_change(const char *path, const char *statements);
/* The manifests of the second run and the malformed one; shard 0 is below the second run's id then. */
void world_make_manifests(const struct world *made, const char *run, const char *manifest);

#endif
