/* One query of a search, however it was asked for. */
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include "cli/context.h"
#include "cli/options.h"

#include <shardyfusion/shardyfusion.h>

#define CLI_DEFAULT_TOP_K 10u

struct cli_query {
    float *vector;
    uint32_t dimension;
    uint32_t top_k;
    uint32_t num_probes;
    bool has_exact, exact; /* its own; else that of the command line */
    bool has_shard_ids;
    uint32_t *shard_ids; /* own, or NULL: those of the command line */
    size_t shard_id_count;
    bool has_context;
    struct cli_context context; /* own; else that of the command line */
};

/* What the command line says for queries that do not say it themselves. */
struct cli_query_defaults {
    const struct cli_options *options;
    struct cli_context context;
    uint32_t *all_shards; /* all_count; NULL where a search that does not name shards is exact */
    uint32_t all_count;
};

/* The ids of so many shards, from 0 on; the caller's to free. */
uint32_t *cli_all_shards(uint32_t count);

/* Looks at the snapshot that was opened: where searches probe some shards only, exact ones have to name all. */
void cli_query_defaults_apply(struct cli_query_defaults *defaults, const shf_snapshot *snapshot);
void cli_query_defaults_free(struct cli_query_defaults *defaults);

/* Each fills a zeroed query and returns NULL, or what is wrong; free the query either way. */
char *cli_query_from_text(const char *text, struct cli_query *out); /* "0.1,0.2" */
char *cli_query_from_json(const char *line, size_t size, struct cli_query *out);
void cli_query_free(struct cli_query *query);

/* The library's form; points into both. `like` may be NULL. */
shf_query cli_query_build(const struct cli_query *query, const struct cli_query_defaults *defaults,
                          const shf_vector_id *like);

#endif
