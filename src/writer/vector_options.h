/*
 * What a snapshot of vectors alone was asked to be sharded by: the options as given, copied; and whether they make sense
 * together, which a person is told in words.
 */
#ifndef SHF_WRITER_VECTOR_OPTIONS_H
#define SHF_WRITER_VECTOR_OPTIONS_H

#include "base/budget.h"
#include "base/error.h"
#include "formats/manifest.h"
#include "shardyfusion/writer.h"

#include <stdbool.h>

struct shf_vector_options {
    bool is_vector_only;                     /* SHF_WRITE_VECTOR */
    bool has_any;                            /* some option of this struct was given */
    bool has_key_options;                    /* key_encoding, key_column or max_keys_per_shard */
    bool has_cel;                            /* cel_expr, or something that goes with it */
    bool has_centroids, has_hyperplanes;     /* were given */
    char *strategy_text, *metric_text;       /* as given, or NULL */
    uint32_t num_dbs, num_probes, dimension; /* as given */
    uint32_t hash_bits;                      /* as given */
    uint32_t training_rows, training_rounds; /* as given */
    uint64_t seed;
    bool infers_routing_values, has_cel_expr, has_cel_columns, has_routing_values;

    /* Centroids or hyperplanes as a .npy file: what will be uploaded. NULL = none were given, or they have no size. */
    uint8_t *table;
    size_t table_size; /* charged to the budget */
    uint32_t table_rows;
    struct shf_budget *budget;
};

/* Copies. SHF_E_NO_MEMORY. */
shf_status shf_vector_options_read(const shf_writer_options *options, struct shf_budget *budget,
                                   struct shf_vector_options *out);
void shf_vector_options_free(struct shf_vector_options *options);
/* SHF_E_INVALID: what is wrong with them, also where they were given for another kind of snapshot. */
shf_status shf_vector_options_check(const struct shf_vector_options *options, struct shf_error **error);

/* Of options that were checked: what they say, or the default. */
enum shf_vector_strategy shf_vector_options_strategy(const struct shf_vector_options *options);
uint32_t shf_vector_options_hash_bits(const struct shf_vector_options *options);
uint32_t shf_vector_options_training_rows(const struct shf_vector_options *options);
uint32_t shf_vector_options_training_rounds(const struct shf_vector_options *options);
bool shf_vector_options_train(const struct shf_vector_options *options);

#endif
