#include "writer/vector_options.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "formats/npy.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define DEFAULT_HASH_BITS 8u
#define DEFAULT_TRAINING_ROWS 100000u
#define DEFAULT_TRAINING_ROUNDS 100u

/* ---- copying ---- */

static uint32_t bits_of(const struct shf_vector_options *options) {
    return options->hash_bits ? options->hash_bits : DEFAULT_HASH_BITS;
}

/* Only where it is known how much of the caller's memory there is to read; else the check refuses it. */
static shf_status copy_table(const shf_writer_options *o, struct shf_vector_options *out) {
    enum shf_vector_strategy strategy = out->is_vector_only ? shf_vector_options_strategy(out) : 0;
    bool is_cluster = strategy == SHF_VECTORS_BY_CLUSTER, is_lsh = strategy == SHF_VECTORS_BY_LSH;
    const float *items = is_cluster ? o->centroids : is_lsh ? o->hyperplanes : NULL;
    uint32_t rows = is_cluster ? o->num_dbs : bits_of(out);
    uint32_t most = is_cluster ? SHF_LIMIT_WRITER_SHARDS : SHF_LIMIT_HASH_BITS;
    if (!items || rows < 1 || rows > most || o->dimension < 1 || o->dimension > SHF_LIMIT_DIMENSION) return SHF_OK;
    size_t size = shf_npy_size(rows, o->dimension);
    if (!size || !shf_budget_take(out->budget, size)) return SHF_E_NO_MEMORY;
    out->table = shf_alloc(size);
    if (!out->table) {
        shf_budget_give(out->budget, size);
        return SHF_E_NO_MEMORY;
    }
    out->table_size = size;
    out->table_rows = rows;
    shf_npy_write(items, rows, o->dimension, out->table);
    return SHF_OK;
}

static shf_status copy(const shf_writer_options *o, struct shf_vector_options *out) {
    if (o->vector_sharding && !(out->strategy_text = shf_strdup(o->vector_sharding))) return SHF_E_NO_MEMORY;
    if (o->metric && !(out->metric_text = shf_strdup(o->metric))) return SHF_E_NO_MEMORY;
    return copy_table(o, out);
}

shf_status shf_vector_options_read(const shf_writer_options *o, struct shf_budget *budget,
                                   struct shf_vector_options *out) {
    struct shf_vector_options options = {
        .is_vector_only = o->backend == SHF_WRITE_VECTOR,
        .has_any = o->vector_sharding || o->num_probes || o->centroids || o->hyperplanes || o->hash_bits ||
                   o->training_rows || o->training_rounds,
        .has_key_options = o->key_encoding || o->key_column || o->max_keys_per_shard,
        .has_cel = o->cel_expr || o->cel_columns || o->routing_values || o->infer_routing_values,
        .has_centroids = o->centroids != NULL,
        .has_hyperplanes = o->hyperplanes != NULL,
        .num_dbs = o->num_dbs,
        .num_probes = o->num_probes,
        .dimension = o->dimension,
        .hash_bits = o->hash_bits,
        .training_rows = o->training_rows,
        .training_rounds = o->training_rounds,
        .seed = o->seed,
        .infers_routing_values = o->infer_routing_values != 0,
        .has_cel_expr = o->cel_expr != NULL,
        .has_cel_columns = o->cel_columns != NULL,
        .has_routing_values = o->routing_values != NULL,
        .budget = budget,
    };
    shf_status status = copy(o, &options);
    if (status) {
        shf_vector_options_free(&options);
        return status;
    }
    *out = options;
    return SHF_OK;
}

void shf_vector_options_free(struct shf_vector_options *options) {
    shf_free(options->strategy_text);
    shf_free(options->metric_text);
    if (options->table) shf_budget_give(options->budget, options->table_size);
    shf_free(options->table);
    *options = (struct shf_vector_options){0};
}

/* ---- what was asked for ---- */

enum shf_vector_strategy shf_vector_options_strategy(const struct shf_vector_options *options) {
    for (int i = SHF_VECTORS_BY_CLUSTER; options->strategy_text && i <= SHF_VECTORS_BY_CEL; i++) {
        enum shf_vector_strategy strategy = (enum shf_vector_strategy)i;
        if (strcmp(options->strategy_text, shf_vector_strategy_name(strategy)) == 0) return strategy;
    }
    return 0;
}

uint32_t shf_vector_options_hash_bits(const struct shf_vector_options *options) { return bits_of(options); }

bool shf_vector_options_train(const struct shf_vector_options *options) {
    return shf_vector_options_strategy(options) == SHF_VECTORS_BY_CLUSTER && !options->has_centroids;
}

uint32_t shf_vector_options_training_rows(const struct shf_vector_options *options) {
    return options->training_rows ? options->training_rows : DEFAULT_TRAINING_ROWS;
}

uint32_t shf_vector_options_training_rounds(const struct shf_vector_options *options) {
    return options->training_rounds ? options->training_rounds : DEFAULT_TRAINING_ROUNDS;
}

/* ---- checking ---- */

static shf_status refuse(struct shf_error **error, const char *why) {
    return shf_error_set(error, SHF_E_INVALID, "a snapshot of vectors alone: %s", why);
}

/* sqlite-vec, of which the shards are, has no dot product. */
static shf_status check_metric(const struct shf_vector_options *o, struct shf_error **error) {
    const char *metric = o->metric_text;
    if (!metric || strcmp(metric, shf_metric_name(SHF_METRIC_COSINE)) == 0 ||
        strcmp(metric, shf_metric_name(SHF_METRIC_L2)) == 0) {
        return SHF_OK;
    }
    if (strcmp(metric, shf_metric_name(SHF_METRIC_DOT)) == 0) {
        return refuse(error,
                      "its shards are of sqlite-vec, which has no metric dot_product; choose cosine (of normalised "
                      "vectors it gives the same order) or l2");
    }
    return shf_error_set(error, SHF_E_INVALID,
                         "a snapshot of vectors alone: the metric is \"%.64s\"; it must be cosine or l2", metric);
}

static shf_status check_cel(const struct shf_vector_options *o, struct shf_error **error) {
    if (!o->has_cel_expr || !o->has_cel_columns) {
        return refuse(error, "vector_sharding cel needs cel_expr and cel_columns");
    }
    if (o->infers_routing_values && (o->has_routing_values || o->num_dbs)) {
        return refuse(error,
                      "infer_routing_values takes the routing values from the rows; leave out routing_values and "
                      "num_dbs");
    }
    return SHF_OK;
}

/* Options that another strategy has no use for. */
static shf_status check_strategy(const struct shf_vector_options *o, struct shf_error **error) {
    enum shf_vector_strategy strategy = shf_vector_options_strategy(o);
    bool is_cluster = strategy == SHF_VECTORS_BY_CLUSTER, is_lsh = strategy == SHF_VECTORS_BY_LSH;
    const char *stray = NULL, *of = NULL;
    if (!is_cluster) {
        stray = o->has_centroids     ? "centroids"
                : o->training_rows   ? "training_rows"
                : o->training_rounds ? "training_rounds"
                                     : NULL;
        of = "cluster";
    }
    if (!stray && !is_lsh) {
        stray = o->has_hyperplanes ? "hyperplanes" : o->hash_bits ? "hash_bits" : NULL;
        of = "lsh";
    }
    if (!stray && strategy != SHF_VECTORS_BY_CEL) {
        stray = o->has_cel_expr            ? "cel_expr"
                : o->has_cel_columns       ? "cel_columns"
                : o->has_routing_values    ? "routing_values"
                : o->infers_routing_values ? "infer_routing_values"
                                           : NULL;
        of = "cel";
    }
    if (stray) {
        return shf_error_set(
            error, SHF_E_INVALID,
            "a snapshot of vectors alone: %s belongs to vector_sharding %s, but it is %s; leave it out", stray, of,
            o->strategy_text);
    }
    if (o->num_probes > 1 && !is_cluster && !is_lsh) {
        return shf_error_set(error, SHF_E_INVALID,
                             "a snapshot of vectors alone: num_probes is %" PRIu32
                             ", but with vector_sharding %s a query has no further shards to go to; leave it out",
                             o->num_probes, o->strategy_text);
    }
    return strategy == SHF_VECTORS_BY_CEL ? check_cel(o, error) : SHF_OK;
}

static shf_status check_numbers(const struct shf_vector_options *o, struct shf_error **error) {
    if (!o->num_dbs && shf_vector_options_strategy(o) != SHF_VECTORS_BY_CEL) {
        return shf_error_set(error, SHF_E_INVALID,
                             "a snapshot of vectors alone: vector_sharding %s needs num_dbs, the number of shards",
                             o->strategy_text);
    }
    if (o->hash_bits > SHF_LIMIT_HASH_BITS) {
        return shf_error_set(error, SHF_E_INVALID,
                             "a snapshot of vectors alone: hash_bits is %" PRIu32 "; it must be 1 to %u", o->hash_bits,
                             SHF_LIMIT_HASH_BITS);
    }
    if (o->has_centroids && (o->training_rows || o->training_rounds)) {
        return refuse(error,
                      "training_rows and training_rounds are for centroids that are to be found, but centroids are "
                      "given; leave them out");
    }
    if (o->training_rows && o->training_rows < o->num_dbs) {
        return shf_error_set(error, SHF_E_INVALID,
                             "a snapshot of vectors alone: training_rows is %" PRIu32 ", too few to find %" PRIu32
                             " centroids among; give num_dbs at least, better a hundred times as many",
                             o->training_rows, o->num_dbs);
    }
    if ((o->has_centroids || o->has_hyperplanes) && !o->dimension) {
        return shf_error_set(error, SHF_E_INVALID,
                             "a snapshot of vectors alone: %s are given, and no dimension; it says how long they are",
                             o->has_centroids ? "centroids" : "hyperplanes");
    }
    return SHF_OK;
}

static shf_status check_table(const struct shf_vector_options *o, struct shf_error **error) {
    for (size_t i = 0; o->table && i < (size_t)o->table_rows * o->dimension; i++) {
        float item;
        memcpy(&item, o->table + SHF_NPY_WRITTEN_HEADER_BYTES + i * sizeof item, sizeof item);
        if (isfinite(item)) continue;
        return shf_error_set(error, SHF_E_INVALID,
                             "a snapshot of vectors alone: element %zu of %s %zu is not a finite number",
                             i % o->dimension, o->has_centroids ? "centroid" : "hyperplane", i / o->dimension);
    }
    return SHF_OK;
}

shf_status shf_vector_options_check(const struct shf_vector_options *o, struct shf_error **error) {
    if (!o->is_vector_only && o->has_any) {
        return shf_error_set(error, SHF_E_INVALID,
                             "vector_sharding, num_probes, centroids, hyperplanes, hash_bits, training_rows and "
                             "training_rounds are for snapshots of vectors alone (SHF_WRITE_VECTOR); leave them out");
    }
    if (!o->is_vector_only) return SHF_OK;
    if (!o->strategy_text) return refuse(error, "vector_sharding is missing: cluster, lsh, explicit or cel");
    if (!shf_vector_options_strategy(o)) {
        return shf_error_set(
            error, SHF_E_INVALID,
            "a snapshot of vectors alone: vector_sharding is \"%.64s\"; known are cluster, lsh, explicit and cel",
            o->strategy_text);
    }
    if (o->has_key_options) {
        return refuse(error, "its rows have no keys, so key_encoding, key_column and max_keys_per_shard say nothing; "
                             "leave them out");
    }
    shf_status status = check_metric(o, error);
    if (!status) status = check_strategy(o, error);
    if (!status) status = check_numbers(o, error);
    return status ? status : check_table(o, error);
}
