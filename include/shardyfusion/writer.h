/* The writer: rows in, a published snapshot out. Include <shardyfusion/shardyfusion.h>. */
#ifndef SHF_WRITER_H
#define SHF_WRITER_H

#include "reader.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Builds one snapshot and publishes it under a prefix: open, write rows, publish, close. Rows may come in any order and
 * from any threads; what does not fit into memory is sorted on the local disk. Comes from shf_op_take_writer, and is the
 * caller's until shf_writer_release.
 *
 * Nothing becomes visible before the publish: it writes shards, then the manifest, then _CURRENT. Whatever goes wrong
 * before, readers keep what they had. After SHF_E_NO_MEMORY, SHF_E_LOCAL and the like in the middle of a write, the
 * writer has failed: everything later ends with that error, and all that is left is to close it.
 */
typedef struct shf_writer shf_writer;

/* ---- open ------------------------------------------------------------------------------------------- */

enum { SHF_WRITE_KV = 1, SHF_WRITE_UNIFIED = 2, SHF_WRITE_VECTOR = 3 };
enum {
    SHF_WRITE_RESUME = 1u << 0,        /* go on with run_id, which exists and was not published: rows are given again */
    SHF_WRITE_KEEP_ATTEMPTS = 1u << 1, /* do not delete what failed attempts of this run left behind */
    SHF_WRITE_DRY_RUN = 1u << 2,       /* check and count everything, write nothing to the store */
    SHF_WRITE_LAST_WINS = 1u << 3,     /* of rows with one key the last counts; without it they fail the publish */
    SHF_WRITE_NO_SIDECAR = 1u << 4     /* no shard.sidecar beside the shards */
};

/* Everything is copied by the call that takes it. */
typedef struct shf_writer_options {
    uint32_t struct_size;
    uint32_t flags;           /* SHF_WRITE_* */
    const char *url;          /* s3://bucket/prefix, file:///path or a plain path; or the URL of _CURRENT */
    const shf_s3_options *s3; /* NULL = all from the environment */
    const char *run_id;       /* 1 to 128 of A-Z a-z 0-9 . _ -, not beginning with a dot; NULL = 32 random hex digits */
    const char *local_root;   /* directory for sorting and building, made if missing. NULL = s3: $TMPDIR or /var/tmp;
                                    files: below the prefix itself, so that a finished shard is renamed, not copied */
    uint32_t backend;         /* SHF_WRITE_*: keys and values; with a vector each; vectors alone */
    uint32_t num_dbs;         /* shards, at most 32,768; 0 = by max_keys_per_shard */
    uint64_t max_keys_per_shard; /* shards = rows given / this, rounded up, at least 1. Without cel_expr exactly one of
                                    the two is set; with it this is 0 */
    const char *key_encoding; /* u64be, u32be, utf8, raw; NULL = by the first key: integer u64be, text utf8, bytes raw */
    const char *key_column;   /* name of the keys in the manifest; NULL = "_key" */
    const char *metric;       /* unified: cosine or l2; NULL = cosine */
    const char *custom;       /* JSON object: further fields of the manifest's `custom`; NULL = none */
    uint32_t dimension;       /* unified: floats a vector, at most 8,192; 0 = as the first row's */
    uint32_t page_size;       /* of shards: 4,096 to 65,536, a power of two; 0 = chosen for each by its values */
    uint64_t memory_bytes;    /* for rows in memory; 0 = five eighths of the runtime's budget, out of which it comes */
    uint32_t jobs;            /* shards built at a time; 0 = one a worker thread */
    uint32_t shard_attempts;  /* tries of a shard whose upload fails for now; 0 = 3; at most 100 */
    uint64_t seed;           /* of what is random in a snapshot: centroids that are found, hyperplanes that are drawn */
    int64_t timeout_ms;      /* default deadline of a write and a close; 0 = none, < 0 = none. Open and publish have
                                    none by default */
    const char *cel_expr;    /* NULL = rows go to shards by the hash of their keys; else see below */
    const char *cel_columns; /* with cel_expr: JSON object, {"region": "string", "tier": "int"}; the types are int, uint,
                                    double, bool, string and bytes */
    const char *routing_values;    /* JSON list of texts or of integers, ["eu", "us"]; NULL = none */
    uint32_t infer_routing_values; /* 1 = the values are those that the rows have, in ascending order; not with
                                    routing_values or num_dbs */
    /* SHF_WRITE_VECTOR only, see below: */
    uint32_t num_probes; /* shards that a query goes to where it does not say; 0 = 1. Above 1 with cluster and lsh only */
    const char *vector_sharding; /* cluster, lsh, explicit or cel; needed */
    const float *centroids;      /* cluster: num_dbs rows of `dimension` finite floats; NULL = found by k-means */
    const float *hyperplanes;    /* lsh: hash_bits such rows; NULL = drawn from `seed` */
    uint32_t hash_bits;          /* lsh: 1 to 63; 0 = 8 */
    uint32_t training_rows;      /* cluster without centroids: how many rows k-means looks at, at most; 0 = 100,000 */
    uint32_t training_rounds;    /* likewise: rounds of k-means, at most; 0 = 100 */
    uint32_t reserved;           /* 0 */
} shf_writer_options;

/*
 * Sharding by an expression of the Common Expression Language (CEL), which is evaluated for each row and again for each
 * lookup. Its result, an integer, a text or bytes, names the row's shard:
 *   directly                as its number. num_dbs says how many there are; with 0 the rows do, and then every number from 0
 *                           to the highest must occur (else the publish ends with SHF_E_ROUTING);
 *   through routing values  as its place among them. Each has a shard (so num_dbs is 0 or their number, at least 1), and a
 *                           row with another result is refused. Bytes are found by their UTF-8 text.
 * An expression whose only column is "key" needs nothing but the key. With other columns each row has a routing context,
 * which is used alone, as in a lookup: the key is not added to it. Keys are unique within a shard.
 *
 * Text and bytes count up to their first NUL byte only, as in the Python project: binary keys may all fall into one shard.
 * shf_publish_info.rows_cut counts such rows, and the log warns.
 */

/*
 * Snapshots of vectors alone (SHF_WRITE_VECTOR): rows have an id, a vector and perhaps a payload, no key and no value. No two
 * rows have one id. vector_sharding says which shard a row belongs to:
 *   cluster   that of the nearest centroid, by the snapshot's metric. Centroids are given, or found among a sample of the rows
 *             when all are there (k-means++, then Lloyd's rounds; over normalised vectors under cosine): the same rows and seed give
 *             the same ones, in whatever order the rows come. Fewer rows than shards are refused then. A quarter of
 *             memory_bytes is for the sample: where it holds fewer than training_rows, the log says so
 *   lsh       its hash code mod num_dbs: bit i is set where the product with hyperplane i is above 0
 *   explicit  shf_row.shard
 *   cel       what cel_expr gives for its routing context, which each row has; as described above
 * num_dbs is needed, but for cel with routing values or none. Key options (key_encoding, key_column, max_keys_per_shard) are refused.
 */

/*
 * Opens a writer: looks at the prefix (_CURRENT, and whether the run id was used), makes a directory for its work, writes
 * the run record and keeps its lease from then on. On success take the writer with shf_op_take_writer. A _CURRENT that is
 * malformed is no error: it will be replaced, which the log says.
 *
 * Errors: INVALID (options; the expression does not compile, with the place in it), STATE (the run id was used before and SHF_WRITE_RESUME is not set; it was published; another
 * writer holds its lease), ACCESS, NOT_FOUND (no such bucket), STORE*, LOCAL, NO_MEMORY, DEADLINE, CANCELLED.
 */
SHF_API shf_status shf_writer_open(shf_runtime *runtime, const shf_writer_options *options, const shf_call *call,
                                   shf_op_id *id);

/* Moves the writer out of a successful open, as shf_op_take_reader does. */
SHF_API shf_status shf_op_take_writer(shf_op *op, shf_writer **out);

/* The run id, as given or made. Lives as long as the writer. */
SHF_API const char *shf_writer_run_id(const shf_writer *writer);

/*
 * Frees a writer. One that was not closed is closed first, in the background: what was not published is given up.
 * Never blocks. The last use of the handle.
 */
SHF_API void shf_writer_release(shf_writer *writer);

/* ---- rows ------------------------------------------------------------------------------------------- */

/*
 * One row; struct_size first, all else borrowed for the call only. The keys of a snapshot are all integers (u64be from 0
 * to 2^63-1, which is what hash sharding can route; u32be from 0 to 2^32-1), all text (utf8), or text and bytes (raw).
 * Keys and values have at most 2^31-1 bytes together.
 */
typedef struct shf_row {
    uint32_t struct_size;
    uint32_t dimension;  /* floats in vector; 0 = no vector (SHF_WRITE_KV) */
    shf_key key;         /* SHF_WRITE_VECTOR: all zero */
    shf_slice value;     /* likewise */
    const float *vector; /* unified, vector: finite */
    shf_vector_id id; /* unified: kind 0 = the key, and each belongs to one key; vector: needed, and unique. Ids are all
                            integers or all text */
    shf_slice payload; /* unified, vector: text of a JSON object; data NULL = none */
    uint64_t origin;   /* where the row comes from, for messages: a line number, say; 0 = its number, from 1 */
    const shf_routing_context *context; /* with cel_expr: values of the columns. NULL = the key is the only one */
    uint32_t shard;                     /* SHF_WRITE_VECTOR with explicit sharding: below num_dbs; else 0 */
    uint32_t reserved;                  /* 0 */
} shf_row;

/*
 * Adds `count` rows (1 to 65,536; the array's stride is the struct_size of the first): all of them or, after an error,
 * none. Inputs are copied. Completes within the call while there is memory for them; else when the disk has caught up, so
 * whoever waits for each completion (or for one of few) is slowed down to the speed of the disk. Writes that were accepted
 * earlier come earlier: of two rows with one key "the last" is that of the later write. DEADLINE and CANCELLED are noticed
 * when the disk has caught up, and end a write of which nothing is in memory yet.
 *
 * Errors: INVALID, and with an expression ROUTING (a row is wrong, its expression fails or names no shard: shf_op_write_info
 * says which; the writer is as before), BUSY (also of a finished
 * operation: the budget has no room for rows that have to wait; take completions first, or use the synchronous form,
 * which needs none), LIMIT, NO_MEMORY, LOCAL (disk full), STATE (after the publish), CLOSED, DEADLINE, CANCELLED.
 */
SHF_API shf_status shf_write(shf_writer *writer, const shf_row *rows, size_t count, const shf_call *call, shf_op_id *id);

typedef struct shf_write_info {
    uint32_t struct_size;
    uint32_t has_bad_row; /* 1 = the write failed because of one row */
    uint64_t bad_row;     /* its index in the array */
} shf_write_info;

/* SHF_E_INVALID for another kind of operation. */
SHF_API shf_status shf_op_write_info(const shf_op *op, shf_write_info *out);

/* ---- publish ---------------------------------------------------------------------------------------- */

/*
 * Builds the shards of all rows written so far, uploads and publishes them; once. Completes when _CURRENT names the new
 * manifest. A store that honours conditional writes is asked to replace only the _CURRENT that was there when the writer
 * was opened: of two writers at once the second to publish gets SHF_E_STATE and changes nothing.
 *
 * Errors: INVALID (duplicate keys or ids: shf_op_publish_conflict), ROUTING (an expression left shards out), STATE (another writer published meanwhile; the lease
 * was lost; a call: published before), those of shf_writer_open and shf_write. After a failure nothing was published; where the
 * message does not say otherwise, a new writer with SHF_WRITE_RESUME and the same run id may try again.
 */
SHF_API shf_status shf_publish(shf_writer *writer, const shf_call *call, shf_op_id *id);

typedef struct shf_publish_info {
    uint32_t struct_size;
    uint32_t num_dbs;          /* shards, empty ones included */
    const char *run_id;        /* strings live as long as the operation */
    const char *manifest_ref;  /* URL; NULL after a dry run */
    uint64_t rows;             /* in the snapshot */
    uint64_t rows_replaced;    /* given, and replaced by a later one (SHF_WRITE_LAST_WINS) */
    uint64_t db_bytes;         /* sum of the sizes of shards; 0 after a dry run */
    uint64_t spilled_bytes;    /* written to the local disk for sorting */
    uint32_t shard_retries;    /* attempts of shards that failed */
    uint32_t is_unconditional; /* 1 = the store can not replace _CURRENT conditionally; the last writer wins there */
    uint32_t attempts_left;    /* prefixes of failed attempts that could not be deleted */
    uint32_t reserved;
    int64_t sort_ns, build_ns,
        publish_ns;         /* phases: until all is sorted; shards built and uploaded; manifest and pointer */
    const char *run_record; /* URL; NULL = the run has none: a dry run, or it could not be written */
    uint64_t rows_cut;      /* given rows with a routing value that was cut at a NUL byte */
    /* Centroids that were found; all 0 without: */
    uint64_t training_rows; /* that k-means looked at */
    double inertia;         /* sum of squared distances of these to their centroids (of normalised ones under cosine) */
    int64_t training_ns;    /* a part of sort_ns */
    uint32_t training_rounds; /* of k-means */
    uint32_t reserved_too;    /* 0 */
} shf_publish_info;

/* Of a successful publish. SHF_E_INVALID for another. */
SHF_API shf_status shf_op_publish_info(const shf_op *op, shf_publish_info *out);
/* What the manifest says of shard 0 to num_dbs - 1, writer_info apart (NULL); strings live as long as the operation. */
SHF_API shf_status shf_op_publish_shard(const shf_op *op, uint32_t shard, shf_shard_info *out);

/*
 * URL of the manifest that a failed publish had stored when _CURRENT could not be written: everything is there, only nothing
 * may name it yet. NULL when there is none, also when it was deleted because the store refused _CURRENT or another writer
 * won. Lives as long as the operation.
 */
SHF_API const char *shf_op_publish_left_manifest(const shf_op *op);

/* Two rows that exclude one another: origins as given. SHF_E_INVALID when the operation did not fail for that. */
typedef struct shf_publish_conflict {
    uint32_t struct_size;
    uint32_t is_id; /* 1 = two keys, or two rows of vectors alone, have the same id; 0 = two rows have the same key */
    uint64_t first_origin, second_origin;
} shf_publish_conflict;
SHF_API shf_status shf_op_publish_conflict(const shf_op *op, shf_publish_conflict *out);

/* ---- progress and close ----------------------------------------------------------------------------- */

enum {
    SHF_PHASE_WRITE = 1,
    SHF_PHASE_SORT,
    SHF_PHASE_BUILD,
    SHF_PHASE_PUBLISH,
    SHF_PHASE_DONE,
    SHF_PHASE_FAILED,
    SHF_PHASE_TRAIN /* between writing and sorting */
};

typedef struct shf_writer_progress {
    uint32_t struct_size;
    uint32_t phase;         /* SHF_PHASE_* */
    uint32_t num_dbs;       /* 0 = not known yet */
    uint32_t shards_done;   /* built and uploaded */
    uint64_t rows;          /* accepted */
    uint64_t bytes;         /* accepted: keys, values, vectors, ids, payloads */
    uint64_t spilled_bytes; /* written for sorting */
    uint64_t rows_built;    /* of `rows`, how many are in shard files */
    uint64_t built_bytes;   /* of shard files */
    uint64_t uploaded_bytes;
} shf_writer_progress;

/* Never waits, any thread. Errors: INVALID, FORKED. */
SHF_API shf_status shf_writer_progress_get(const shf_writer *writer, shf_writer_progress *out);

/*
 * Closes a writer: running operations are cancelled, what was not published is given up, the run record is ended, local
 * files are removed. Objects that were uploaded stay, for SHF_WRITE_RESUME or a cleanup. Closing a closed writer succeeds.
 */
SHF_API shf_status shf_writer_close(shf_writer *writer, const shf_call *call, shf_op_id *id);

/* ---- synchronous forms, see reader.h ------------------------------------------------------------------ */

SHF_API shf_status shf_writer_open_sync(shf_runtime *runtime, const shf_writer_options *options, int64_t timeout_ms,
                                        shf_op **op);
SHF_API shf_status shf_write_sync(shf_writer *writer, const shf_row *rows, size_t count, int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_publish_sync(shf_writer *writer, int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_writer_close_sync(shf_writer *writer, int64_t timeout_ms, shf_op **op);

#ifdef __cplusplus
}
#endif
#endif
