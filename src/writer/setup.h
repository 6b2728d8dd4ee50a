/* What a writer was asked for: the options, copied and checked, and where they point. Immutable once it is connected. */
#ifndef SHF_WRITER_SETUP_H
#define SHF_WRITER_SETUP_H

#include "formats/manifest.h"
#include "io/store.h"
#include "shardyfusion/writer.h"
#include "snapshot/location.h"
#include "writer/sharder.h"
#include "writer/vector_sharder.h"

struct shf_writer_setup {
    shf_runtime *runtime;
    uint32_t flags;   /* SHF_WRITE_* */
    bool is_unified;  /* keys, values and vectors; with neither this nor `vectors`: keys and values */
    uint32_t num_dbs; /* 0 = by max_keys_per_shard or the expression */
    uint64_t max_keys_per_shard;
    enum shf_key_encoding key_encoding; /* 0 = by the first key */
    enum shf_metric metric;
    uint32_t dimension; /* 0 = as the first row's */
    uint32_t page_size; /* 0 = auto */
    uint64_t memory_bytes;
    uint32_t jobs, shard_attempts;
    int64_t timeout_ms;
    char *url, *run_id, *local_root, *key_column, *custom; /* run_id NULL = to be made; local_root, custom or NULL */
    char *cel_expr, *cel_columns, *routing_values;         /* or NULL */
    bool infers_routing_values;
    struct shf_vector_options vector;
    bool run_id_is_given; /* so others may use it too */
    bool has_s3_options;
    shf_s3_options s3; /* its strings are owned */

    /* after shf_writer_setup_connect */
    struct shf_location location;
    struct shf_store *store;
    struct shf_sharder *sharder;        /* by an expression, else NULL; used with the writer's mutex held */
    struct shf_vector_sharder *vectors; /* of a snapshot of vectors alone, else NULL */
};

/* Copies the options. SHF_E_INVALID (a reason is not told), SHF_E_NO_MEMORY. */
shf_status shf_writer_setup_read(shf_runtime *runtime, const shf_writer_options *options, struct shf_writer_setup *out);
/* Worker: checks what needs words, parses the URL, makes the store, and a run id where none was given. */
shf_status shf_writer_setup_connect(struct shf_writer_setup *setup, struct shf_error **error);
void shf_writer_setup_free(struct shf_writer_setup *setup);

/* Tails of objects below the prefix, the caller's to shf_free; NULL without memory. */
#define SHF_SHARD_PREFIX "shards"
#define SHF_DB_PATH_TEMPLATE "db={db_id:05d}"
char *shf_writer_run_tail(const char *run_id);                                       /* shards/run_id=R/ */
char *shf_writer_attempt_tail(const char *run_id, uint32_t shard, uint32_t attempt); /* shards/run_id=R/db=N/attempt=N */
char *shf_writer_table_tail(const char *run_id, const char *name);                   /* vector_meta/run_id=R/NAME */

#endif
