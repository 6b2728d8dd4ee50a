/* The reader: open, look up, search, refresh, inspect. Include <shardyfusion/shardyfusion.h>. */
#ifndef SHF_READER_H
#define SHF_READER_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Serves one snapshot prefix; pinned to one manifest until refreshed. Any number of threads may share it. Comes from
 * shf_op_take_reader, and is the caller's until shf_reader_release.
 */
typedef struct shf_reader shf_reader;

/* ---- open ------------------------------------------------------------------------------------------- */

enum { SHF_ACCESS_AUTO = 0, SHF_ACCESS_DOWNLOAD = 1, SHF_ACCESS_RANGE = 2 };
enum { SHF_ADDRESSING_AUTO = 0, SHF_ADDRESSING_PATH = 1, SHF_ADDRESSING_VIRTUAL = 2 };
enum {
    SHF_OPEN_LAZY = 1u << 0,         /* open each shard at its first use, not with the snapshot; after a refresh too */
    SHF_OPEN_PRIVATE_COPY = 1u << 1, /* file:// shards: copy (reflink where possible) into local_root, map the copy */
};
enum { SHF_FALLBACK_NONE = -1 }; /* max_fallback_attempts: a malformed manifest fails the open at once */

/*
 * How to reach s3://. A NULL or zero field is looked up: environment (S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY,
 * S3_SESSION_TOKEN, S3_REGION, then AWS_*; endpoint AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL,
 * SLATEDB_S3_ENDPOINT_URL), then the AWS shared config and credentials files (credential_process too: the command is
 * run, without a shell). Key id, secret and token always come from one source. The strings are copied by the call that
 * takes the struct; they are looked at when the open or history runs, so that a wrong one is an error of the operation.
 */
typedef struct shf_s3_options {
    uint32_t struct_size;
    uint32_t addressing;       /* SHF_ADDRESSING_*; auto = path style when an endpoint is set, else virtual */
    const char *endpoint_url;  /* "http://127.0.0.1:9000"; plain http only when named here or in the environment */
    const char *region;        /* default us-east-1 */
    const char *access_key_id; /* with secret_access_key, or neither */
    const char *secret_access_key;
    const char *session_token;     /* with the two before, or NULL */
    const char *profile;           /* profile of the AWS shared files; NULL = AWS_PROFILE, else "default" */
    const char *ca_bundle;         /* path of a CA bundle; NULL = AWS_CA_BUNDLE, the profile's, the system's */
    uint32_t anonymous;            /* 1 = send unsigned requests */
    uint32_t insecure_skip_verify; /* 1 = do not verify TLS certificates */
    uint32_t connect_timeout_ms;   /* 0 = 10,000; at most a day */
    uint32_t read_timeout_ms;      /* longest silence within a response; 0 = 30,000; at most a day */
    uint32_t max_attempts;         /* first try included; 0 = 6; at most 100 */
    uint32_t reserved;             /* 0 */
} shf_s3_options;

/* Everything is copied by the call that takes it. */
typedef struct shf_reader_options {
    uint32_t struct_size;
    uint32_t flags;                /* SHF_OPEN_* */
    const char *url;               /* s3://bucket/prefix, file:///path or a plain path; or the URL of _CURRENT */
    const char *local_root;        /* local cache directory, made if missing; NULL = $XDG_CACHE_HOME/shardyfusion */
    const char *manifest_ref;      /* pin this manifest (a URL, or its tail from manifests/ on); NULL = _CURRENT */
    uint32_t history_offset;       /* pin the manifest this many places before the newest, plus one; 0 = not asked.
                                        Not together with manifest_ref. A pinned manifest has no fallback */
    int32_t max_fallback_attempts; /* older manifests tried when one is malformed; 0 = 3, SHF_FALLBACK_NONE = fail */
    uint32_t access_mode;          /* SHF_ACCESS_*; until range reads exist every mode downloads */
    uint32_t max_concurrency;      /* shard operations of this reader in flight: openings (half of them at most, rounded
                                        up), scans, lookups on a worker; 0 = 4 a worker thread, at least 16 */
    uint64_t auto_per_shard_bytes; /* threshold of SHF_ACCESS_AUTO; 0 = 16 MiB; without effect so far */
    uint64_t auto_total_bytes;     /* threshold of SHF_ACCESS_AUTO; 0 = 2 GiB; without effect so far */
    uint64_t cache_max_bytes;      /* cap of the local cache; 0 = 64 GiB. What a reader maps is never removed */
    int64_t timeout_ms;            /* default deadline of lookups, searches, close and history; 0 = 60,000, < 0 = none.
                                        Open and refresh have none by default: transfers are bounded by inactivity */
    const char *const *allowed_prefixes; /* further URL prefixes that a manifest may name; NULL-terminated (at most
                                            1,024) or NULL. They are reached with the same s3 options */
    const shf_s3_options *s3;            /* NULL = all from the environment */
    const char *current_pointer_key;     /* where below url the pointer lies, for open and refresh; NULL = _CURRENT.
                                            With it url is the prefix, whatever its last segment is */
    shf_slice manifest; /* the manifest itself (a SQLite file, at most 256 MiB), kept elsewhere; data NULL = read it.
                           Together with manifest_ref, which is only its name then: any text of at most 8,192 bytes.
                           Neither _CURRENT nor manifests/ is read, and there is no fallback */
    uint32_t max_open_shards; /* of vector-only snapshots; 0 = all that were opened stay open. Else as many at a time, but
                                 for those that searches use just then: each opens the shards that it needs, and the least
                                 recently used of those that nobody uses are closed. Their files stay in the local cache.
                                 With SHF_OPEN_LAZY shards are opened by searches alone; without it each shard is opened
                                 once with the snapshot, so many at a time, and the last ones stay open. Other snapshots
                                 keep their shards open whatever is said here */
    uint32_t reserved;        /* 0 */
} shf_reader_options;

/*
 * Opens a snapshot: _CURRENT, the manifest, the shards (concurrently; downloads go through the local cache).
 * A malformed manifest makes it walk back through older ones. On success take the reader with
 * shf_op_take_reader. A shard in files (file:// or a plain path) is mapped where it lies, unless
 * SHF_OPEN_PRIVATE_COPY is given: another process must not truncate or rewrite it while it is in use, or the reader
 * gives wrong answers or the process gets SIGBUS. Every open shard keeps up to two files of the local cache open.
 *
 * Errors: STATE (no _CURRENT, no valid manifest), MANIFEST, NOT_FOUND, ACCESS, STORE*, CORRUPT, INDEX, UNSUPPORTED
 * (a form that is not read, named in the message), LOCAL, LIMIT, NO_MEMORY, DEADLINE, CANCELLED,
 * INVALID (the URL, an S3 option, a manifest_ref, a current_pointer_key).
 */
SHF_API shf_status shf_open(shf_runtime *runtime, const shf_reader_options *options, const shf_call *call, shf_op_id *id);

/*
 * Moves the reader out of a successful open: the caller's, to be released. SHF_E_INVALID for another operation, a
 * failed one, or when taken before. By one thread only. A reader that is not taken is released with the operation.
 */
SHF_API shf_status shf_op_take_reader(shf_op *op, shf_reader **out);

/* What an open or a refresh did, a failed one too (as far as it came). Phases do not overlap. */
typedef struct shf_open_info {
    uint32_t struct_size;
    uint32_t changed;       /* refresh: 1 = a new snapshot is served; open: always 1 */
    int64_t current_ns;     /* reading _CURRENT (and listing manifests/, where that was needed) */
    int64_t manifest_ns;    /* reading and checking manifests; the centroids or hyperplanes of a vector-only one too */
    int64_t shards_ns;      /* opening shards */
    uint32_t shards_opened; /* or begun to be opened; 0 with SHF_OPEN_LAZY */
    uint32_t shards_reused; /* refresh: unchanged, taken over from the old snapshot */
    uint32_t fallback_attempts;  /* older manifests tried */
    uint32_t manifest_malformed; /* refresh: 1 = the new manifest is malformed, the old snapshot stays */
    uint64_t downloaded_bytes;   /* of shards; 0 = all were in the local cache, or in files */
} shf_open_info;

/* SHF_E_INVALID for another kind of operation. */
SHF_API shf_status shf_op_open_info(const shf_op *op, shf_open_info *out);

/*
 * Replaces the credentials of a reader, where somebody outside the library hands out new ones: requests that are sent from
 * now on are signed with these, those that an operation under way sends too; what the options, the environment or the AWS
 * files say is not asked any more. A request that is refused after it was signed with the ones of before is sent again.
 * Key id, secret and token (NULL = none) are copied. Any thread; never waits. Without
 * effect on files and on a reader that was opened with `anonymous`. Errors: INVALID (a missing key id or secret, characters
 * that none has), NO_MEMORY, CLOSED, FORKED.
 */
SHF_API shf_status shf_reader_set_credentials(shf_reader *reader, const char *access_key_id,
                                              const char *secret_access_key, const char *session_token);

/*
 * Frees a reader. A reader that was not closed is closed first: running operations complete as cancelled.
 * Never blocks. Delivered operations, snapshots and buffers stay valid. The last use of the handle.
 */
SHF_API void shf_reader_release(shf_reader *reader);

/* ---- lookups ---------------------------------------------------------------------------------------- */

/*
 * Looks one key up in the snapshot that is served at the time of the call. Inputs are copied. A missing key is a
 * result (SHF_NOT_FOUND), not an error. Errors: INVALID (kind or range of the key does not fit the key encoding,
 * snapshot without keys: a vector-only one), ROUTING, CORRUPT, NO_MEMORY, DEADLINE, CANCELLED, and those of open where the shard is opened
 * lazily. context may be NULL, except where the snapshot is sharded by an expression over other columns than the key
 * (INVALID names them); snapshots sharded by a hash ignore it. A routing token that the snapshot does not know has no keys.
 * A key of an open shard is answered before the call returns; its completion is in the queue then.
 */
SHF_API shf_status shf_get(shf_reader *reader, const shf_key *key, const shf_routing_context *context,
                           const shf_call *call, shf_op_id *id);

/*
 * Looks `count` keys up (0 to 1,048,576) in one snapshot; duplicates allowed, answers in the order given. One bad key
 * fails the whole operation; the message says which. Errors as for shf_get. Up to 128 keys of open shards are answered
 * before the call returns, more by a worker.
 */
SHF_API shf_status shf_multi_get(shf_reader *reader, const shf_key *keys, size_t count,
                                 const shf_routing_context *context, const shf_call *call, shf_op_id *id);

/*
 * The lookups that are answered within their call, alone: no queue, no slot, nothing is waited for. Either *op receives
 * the finished operation (to be released; failed ones included) and the return value is its status, as from the
 * synchronous forms. Or *op is NULL: SHF_WOULD_WAIT when there is no such answer (a shard is not open yet, or more than
 * 128 keys), nothing is left behind, and shf_get or shf_multi_get is to be called; another status is the refusal.
 */
SHF_API shf_status shf_get_now(shf_reader *reader, const shf_key *key, const shf_routing_context *context, shf_op **op);
SHF_API shf_status shf_multi_get_now(shf_reader *reader, const shf_key *keys, size_t count,
                                     const shf_routing_context *context, shf_op **op);

typedef struct shf_value {
    uint32_t struct_size;
    shf_status status; /* SHF_OK, or SHF_NOT_FOUND */
    shf_slice data;    /* lives until the operation is released; empty value: size 0 */
    shf_buf *buf;      /* shf_buf_retain it to keep data longer; NULL when absent */
} shf_value;

/* Number of values: 1 for get, the number of keys for multi_get and get_stored, 0 for a failed or another operation. */
SHF_API size_t shf_op_value_count(const shf_op *op);
/* Value `index`, in the order of the keys. SHF_E_INVALID: no such value. An absent key is SHF_OK with out->status. */
SHF_API shf_status shf_op_value(const shf_op *op, size_t index, shf_value *out);

/* ---- search ----------------------------------------------------------------------------------------- */

enum { SHF_ID_INT = 1, SHF_ID_TEXT = 2 };

/* Id of a stored vector; in Lance datasets (composite snapshots) always a text. In a query: borrowed for the call only. In a hit: text lives as long as the operation. */
typedef struct shf_vector_id {
    uint32_t kind; /* SHF_ID_* */
    uint32_t reserved;
    int64_t int_value; /* SHF_ID_INT */
    shf_slice text;    /* SHF_ID_TEXT: UTF-8 */
} shf_vector_id;

/*
 * Where a stored vector is: its position in its shard, from 0, below the number of vectors there (shf_shard_info.row_count
 * is no less, and more where keys were written twice or rows have no vector). It names the same vector as long as the
 * snapshot is the same. Borrowed for the call only.
 */
typedef struct shf_vector_place {
    uint32_t shard;
    uint32_t reserved; /* 0 */
    uint64_t row;
} shf_vector_place;

/*
 * One nearest-neighbour query. The score is a distance, lower is better: cosine = 1 - cos; l2 = square root of the sum
 * of squares, in Lance datasets (composite snapshots, and vector-only ones whose backend is lancedb) the sum itself, as
 * LanceDB gives it; dot_product (there only) = 1 - dot. Exact, computed in float64 in a fixed order: the same bits on every machine. Hits are ordered by
 * score, then shard id, then position in the shard; an infinite distance follows every finite one, an undefined one
 * (NaN: a zero row under cosine, a NaN in the row) follows those.
 */
typedef struct shf_query {
    uint32_t struct_size;
    uint32_t top_k;            /* hits wanted, at least 1; the memory budget is the only cap (INVALID above it) */
    const float *vector;       /* `dimension` floats, finite; copied */
    uint32_t dimension;        /* must be that of the snapshot */
    uint32_t shard_count;      /* number of shard_ids */
    const uint32_t *shard_ids; /* NULL = all shards (or those of the context; in vector-only snapshots those that are
                                  chosen); else just these, each once, count 0 = none (no hits) */
    const shf_routing_context *context; /* NULL, or where to search; shard_ids win over it */
    const shf_vector_id *like;          /* instead of vector: the stored vector of this id (the first in shard order) */
    uint32_t num_probes;                /* vector-only snapshots; 0 = the manifest's; INVALID for others */
    uint32_t reserved;                  /* 0 */
    const shf_vector_place *like_place; /* instead of vector and like: the stored vector at this place */
} shf_query;

/*
 * Searches the snapshot that is served at the time of the call, always on the workers. Inputs are copied. The row of
 * `like` and `like_place` is itself among the hits, where its shard is searched. Errors: INVALID (dimension, top_k, NaN or
 * Inf, a zero query under cosine, shard ids out of range or given twice, none or several of vector, like and like_place,
 * snapshot without vectors, unknown `like`, a `like_place` that is not there, num_probes for a snapshot that is not
 * vector-only, neither shard_ids nor a context where one is needed), ROUTING, INDEX, CORRUPT, NO_MEMORY, DEADLINE,
 * CANCELLED, and those of open where shards are opened lazily. Where the shard of a `like_place` has no such row, or the
 * vector there is none to search for (zero, NaN), shf_error_shard of INVALID is that shard; in its other cases it is -1.
 *
 * Vector-only snapshots (SHF_KIND_VECTOR_ONLY) have vectors and no keys: lookups are refused with INVALID. Without shard_ids
 * their sharding strategy (shf_vector_info) chooses the shards of a query: `cluster` the num_probes ones whose centroids are
 * nearest to it; `lsh` that of its hash code, then those of the codes that differ in one bit, until there are num_probes;
 * `cel` the one of the context; `explicit` none. What is in other shards is not found: shf_search_info says how many were
 * probed. A num_probes of num_dbs or more searches all (lsh: as many as there are such codes). The vector of `like` is
 * looked for in all shards (that of `like_place` in its own), and then routed as any other.
 */
SHF_API shf_status shf_search(shf_reader *reader, const shf_query *query, const shf_call *call, shf_op_id *id);

/*
 * Runs `count` queries (1 to 65,536) together over one snapshot; one result list a query, in the order given. A row is
 * read once for every 128 of them that ask for the same shards. One wrong query fails the whole operation; the message
 * says which. The queries must be an array of structs of one size (struct_size of the first is its stride).
 */
SHF_API shf_status shf_batch_search(shf_reader *reader, const shf_query *queries, size_t count, const shf_call *call,
                                    shf_op_id *id);

typedef struct shf_hit {
    uint32_t struct_size;
    uint32_t shard; /* shard that holds the row */
    double score;   /* distance */
    shf_vector_id id;
    shf_slice payload; /* JSON object text as stored (not checked); data NULL = no payload */
    uint64_t row;      /* position in the shard: with it a place (shf_vector_place) */
} shf_hit;

typedef struct shf_search_info {
    uint32_t struct_size;
    uint32_t num_shards_queried; /* non-empty shards, or as many as shard_ids were given; in vector-only snapshots the
                                    non-empty ones among those that were chosen or given */
    uint64_t rows_scanned;
    int64_t latency_ns;         /* of the operation: the same for every query of a batch */
    uint32_t num_shards_probed; /* that were chosen or given, empty ones included; all where nothing limits a search.
                                   With num_dbs it says how much of a snapshot an answer rests on */
    uint32_t num_dbs;           /* shards of the snapshot, empty ones included */
} shf_search_info;

/*
 * Number of queries of a search (1) or batch_search; hits of query `query`, best first. Views live as long as the
 * operation. Of a failed or another operation the counts are 0; SHF_E_INVALID when there is no such query or hit.
 */
SHF_API size_t shf_op_query_count(const shf_op *op);
SHF_API size_t shf_op_hit_count(const shf_op *op, size_t query);
SHF_API shf_status shf_op_hit(const shf_op *op, size_t query, size_t index, shf_hit *out);
SHF_API shf_status shf_op_search_info(const shf_op *op, size_t query, shf_search_info *out);

/* ---- refresh and close ------------------------------------------------------------------------------ */

/*
 * Looks at _CURRENT again and, where it names another manifest, opens that and serves it from then on. Operations
 * under way finish on the snapshot they started on. Refreshes of one reader run one at a time. A malformed new
 * manifest leaves the old one served, with changed = 0 (see shf_op_open_info) and a warning in the log; after any
 * other error the old one stays served too. No older manifest is tried. A reader that was opened with manifest_ref,
 * manifest or history_offset goes over to what _CURRENT names. Without a timeout in the call there is none; waiting for
 * the turn counts. Errors as for shf_open.
 */
SHF_API shf_status shf_refresh(shf_reader *reader, const shf_call *call, shf_op_id *id);

/*
 * Goes over to a manifest that the caller keeps elsewhere: its name (any text of at most 8,192 bytes; what
 * shf_snapshot_info.manifest_ref says then) and its bytes. Otherwise as shf_refresh: the name that is served already
 * changes nothing, a malformed manifest leaves the old snapshot served. What the manifest names is trusted no more than
 * what one of the prefix names. Errors as for shf_refresh; refused with INVALID (name or slice) and LIMIT (above 256 MiB)
 * as well.
 */
SHF_API shf_status shf_refresh_to(shf_reader *reader, const char *manifest_ref, shf_slice manifest,
                                  const shf_call *call, shf_op_id *id);

enum { SHF_CLOSE_DRAIN = 0, SHF_CLOSE_CANCEL = 1 };

/*
 * Closes the reader: later calls return SHF_E_CLOSED; running operations finish (SHF_CLOSE_DRAIN) or are cancelled
 * (SHF_CLOSE_CANCEL); the close completes last. Closing a closed reader succeeds. Release the reader afterwards.
 * DEADLINE and CANCELLED end the waiting only: the reader is closed from the moment of the call, and what runs goes on.
 */
SHF_API shf_status shf_close(shf_reader *reader, int mode, const shf_call *call, shf_op_id *id);

/* ---- history ---------------------------------------------------------------------------------------- */

/*
 * Lists the newest `limit` manifests of a prefix (0 = 10), newest first, without opening any. Needs no reader, so that
 * a prefix whose current manifest is broken can be looked at. Uses url, timeout_ms and s3 of the options; the others
 * are checked as for an open. A prefix without manifests has an empty history. Errors: INVALID, ACCESS, NOT_FOUND (no
 * such bucket), STORE*, LIMIT, LOCAL, NO_MEMORY, DEADLINE, CANCELLED.
 */
SHF_API shf_status shf_history(shf_runtime *runtime, const shf_reader_options *options, uint32_t limit,
                               const shf_call *call, shf_op_id *id);

typedef struct shf_manifest_entry {
    uint32_t struct_size;
    uint32_t offset;         /* 0 = newest */
    const char *ref;         /* URL under the opened prefix; lives as long as the operation */
    const char *run_id;      /* from the directory name; likewise */
    int64_t published_at_us; /* microseconds since 1970 UTC, from the directory name */
} shf_manifest_entry;

/* At most `limit`; 0 for a failed or another operation. SHF_E_INVALID when there is no such entry. */
SHF_API size_t shf_op_manifest_count(const shf_op *op);
SHF_API shf_status shf_op_manifest(const shf_op *op, size_t index, shf_manifest_entry *out);

/* ---- inspection: no I/O, about one pinned snapshot --------------------------------------------------- */

/*
 * The snapshot that a reader serves at one moment; reference-counted, may outlive the reader, immutable. It keeps its
 * shards open (a vector-only one as far as max_open_shards allows), so release it when it is not needed.
 */
typedef struct shf_snapshot shf_snapshot;

/* *out is the caller's to release. Errors: INVALID, CLOSED, FORKED. */
SHF_API shf_status shf_reader_snapshot(shf_reader *reader, shf_snapshot **out);
SHF_API void shf_snapshot_release(shf_snapshot *snapshot);

enum { SHF_KIND_KV_ONLY = 1, SHF_KIND_UNIFIED = 2, SHF_KIND_VECTOR_ONLY = 3, SHF_KIND_COMPOSITE = 4 };
enum { SHF_SHARDING_HASH = 1, SHF_SHARDING_CEL = 2 };

typedef struct shf_snapshot_info {
    uint32_t struct_size;
    uint32_t kind;              /* SHF_KIND_* */
    uint32_t num_dbs;           /* shards, empty ones included */
    uint32_t sharding;          /* SHF_SHARDING_*; of a vector-only snapshot without meaning: see shf_vector_info */
    const char *run_id;         /* strings live as long as the snapshot */
    const char *manifest_ref;   /* as it was resolved: under the opened prefix; or the name of one that was given */
    const char *created_at;     /* ISO 8601 text, as in the manifest */
    const char *key_encoding;   /* u64be, u32be, utf8, raw */
    const char *hash_algorithm; /* xxh3_64 */
    int64_t created_at_us;      /* microseconds since 1970 UTC */
    int64_t published_at_us;    /* of the manifest, from its directory name; created_at_us where that has none */
    uint64_t row_count;         /* rows written, repeated keys counted each time */
    const char *custom; /* JSON object text of the manifest's custom fields, as written; "{}" when there are none */
} shf_snapshot_info;

/* What the manifest says of a shard; nothing is looked up. Strings live as long as the snapshot. */
typedef struct shf_shard_info {
    uint32_t struct_size;
    uint32_t shard;
    uint32_t is_empty;         /* 1 = no rows, no object */
    uint32_t attempt;          /* which try of the writer this is */
    uint64_t row_count;        /* rows written, repeated keys counted each time */
    uint64_t db_bytes;         /* a hint */
    const char *min_key;       /* JSON text (number or string), or NULL; informational */
    const char *max_key;       /* likewise */
    const char *db_url;        /* as in the manifest, not as it was resolved; NULL when empty */
    const char *checkpoint_id; /* what identifies the content; NULL = the manifest has none */
    const char *writer_info;   /* JSON object text, as written; NULL = the manifest has no row for this shard */
} shf_shard_info;

/* What the manifest says of the vectors. Strings live as long as the snapshot. */
typedef struct shf_vector_info {
    uint32_t struct_size;
    uint32_t dimension;       /* floats a vector */
    const char *metric;       /* cosine, l2, dot_product */
    const char *index_type;   /* as the writer named it; searches are exact whatever it is */
    const char *quantization; /* NULL = none */
    const char *index_params; /* JSON object text */
    const char *backend;      /* where the vectors are: sqlite-vec, lancedb; of a vector-only snapshot what was found */
    const char *kv_backend; /* where the values are: sqlite-vec (the same file), sqlite, slatedb; NULL = vector-only */
    /* Of vector-only snapshots: */
    const char *sharding_strategy; /* cluster, lsh, explicit, cel; NULL = the snapshot has keys, which shard it */
    uint32_t num_probes;           /* that a query has by itself; 0 = not vector-only */
    uint32_t reserved;             /* 0 */
} shf_vector_info;

/* A column that the sharding of the snapshot reads from routing contexts. */
typedef struct shf_column_info {
    uint32_t struct_size;
    uint32_t kind;    /* SHF_CONTEXT_*: what its values must be, or become */
    const char *name; /* lives as long as the snapshot */
} shf_column_info;

/* Named *_describe so that types and functions differ. Errors: INVALID (shard out of range, snapshot without vectors). */
SHF_API shf_status shf_snapshot_describe(const shf_snapshot *snapshot, shf_snapshot_info *out);
SHF_API shf_status shf_snapshot_shard(const shf_snapshot *snapshot, uint32_t shard, shf_shard_info *out);
/* Column `index` from 0, in no special order. INVALID after the last one; a hash-sharded snapshot has none. */
SHF_API shf_status shf_snapshot_column(const shf_snapshot *snapshot, uint32_t index, shf_column_info *out);
SHF_API shf_status shf_snapshot_vectors(const shf_snapshot *snapshot, shf_vector_info *out);

/*
 * Shard of a key, whether the key is there or not. The key encoding is not looked at: a key that a lookup refuses may
 * have a shard. error may be NULL; else it receives the reason of a failure (the caller's to free) or NULL. Errors:
 * INVALID (text that is not UTF-8, an integer above 2^63-1 under hash sharding, a context that is needed, a vector-only
 * snapshot), ROUTING (a
 * token that the snapshot does not know, values that the expression has no shard for).
 */
SHF_API shf_status shf_snapshot_route_key(const shf_snapshot *snapshot, const shf_key *key,
                                          const shf_routing_context *context, uint32_t *shard, shf_error **error);

/* Shards of `count` keys (at most 1,048,576): shards[i] belongs to keys[i]. After a failure `shards` is half filled. */
SHF_API shf_status shf_snapshot_shards_for_keys(const shf_snapshot *snapshot, const shf_key *keys, size_t count,
                                                const shf_routing_context *context, uint32_t *shards, shf_error **error);

/*
 * The shards that a search in a vector-only snapshot goes to without shard_ids, nearest first, empty ones included: *count of
 * them, written to `shards`, which has room for `capacity` (num_dbs is always enough). num_probes 0 = the manifest's. vector
 * (`dimension` floats; NaN and infinity are no errors) may be NULL where the strategy is cel, context where it is not. error
 * as above. Errors: INVALID (another kind of snapshot, the dimension, `explicit` sharding, a missing context, no room; *count
 * is as many as there are then), ROUTING (cel), NO_MEMORY, FORKED.
 */
SHF_API shf_status shf_snapshot_route_vector(const shf_snapshot *snapshot, const float *vector, uint32_t dimension,
                                             const shf_routing_context *context, uint32_t num_probes, uint32_t *shards,
                                             uint32_t capacity, uint32_t *count, shf_error **error);

/*
 * Looks `count` keys (0 to 1,048,576) up in one shard, by the very bytes that are stored: nothing is routed and nothing
 * encoded, so a key that the writer put into another shard is absent. In a snapshot of this reader (shf_reader_snapshot),
 * the served one or one of before, as long as the reader is not closed. Values in order, by shf_op_value; of an empty shard
 * all are absent. Otherwise as shf_multi_get; shf_get_stored_now as shf_multi_get_now. INVALID also for a snapshot of another
 * reader and a shard out of range.
 */
SHF_API shf_status shf_get_stored(shf_reader *reader, const shf_snapshot *snapshot, uint32_t shard,
                                  const shf_slice *keys, size_t count, const shf_call *call, shf_op_id *id);
SHF_API shf_status shf_get_stored_now(shf_reader *reader, const shf_snapshot *snapshot, uint32_t shard,
                                      const shf_slice *keys, size_t count, shf_op **op);

enum { SHF_HEALTHY = 1, SHF_DEGRADED = 2, SHF_UNHEALTHY = 3 };

typedef struct shf_health_info {
    uint32_t struct_size;
    uint32_t status;     /* SHF_HEALTHY, SHF_DEGRADED (older than the threshold), SHF_UNHEALTHY (closed) */
    uint32_t num_shards; /* shards, empty ones included; 0 when closed */
    uint32_t is_closed;
    double manifest_age_seconds; /* since publication, by this machine's clock; 0 when closed */
    uint32_t open_shards;        /* of the served snapshot, at this moment: see SHF_OPEN_LAZY and max_open_shards */
    uint32_t reserved;           /* 0 */
} shf_health_info;

/*
 * State of a reader, without I/O: what it serves was whole when it was opened, and is not looked at again.
 * staleness_threshold_ms <= 0: age is not judged. Errors: INVALID, FORKED; a closed reader is a result.
 */
SHF_API shf_status shf_health(shf_reader *reader, int64_t staleness_threshold_ms, shf_health_info *out);

/* ---- synchronous forms ------------------------------------------------------------------------------ */

/*
 * Submit and wait, without a queue. timeout_ms as in shf_call. *op receives the finished operation (to be
 * released) whenever one was accepted, failed ones included, so that its error can be read; NULL when the call
 * was refused. The return value is the refusal, or the operation's status. They take a slot of max_inflight_ops (but
 * for a lookup that is answered within its call), but no queue; not to be called from a log function.
 */
SHF_API shf_status shf_open_sync(shf_runtime *runtime, const shf_reader_options *options, int64_t timeout_ms,
                                 shf_op **op);
SHF_API shf_status shf_get_sync(shf_reader *reader, const shf_key *key, const shf_routing_context *context,
                                int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_multi_get_sync(shf_reader *reader, const shf_key *keys, size_t count,
                                      const shf_routing_context *context, int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_get_stored_sync(shf_reader *reader, const shf_snapshot *snapshot, uint32_t shard,
                                       const shf_slice *keys, size_t count, int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_search_sync(shf_reader *reader, const shf_query *query, int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_batch_search_sync(shf_reader *reader, const shf_query *queries, size_t count, int64_t timeout_ms,
                                         shf_op **op);
SHF_API shf_status shf_refresh_sync(shf_reader *reader, int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_refresh_to_sync(shf_reader *reader, const char *manifest_ref, shf_slice manifest,
                                       int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_close_sync(shf_reader *reader, int mode, int64_t timeout_ms, shf_op **op);
SHF_API shf_status shf_history_sync(shf_runtime *runtime, const shf_reader_options *options, uint32_t limit,
                                    int64_t timeout_ms, shf_op **op);

#ifdef __cplusplus
}
#endif
#endif
