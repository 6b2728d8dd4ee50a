/* custom.vector of a snapshot of vectors alone, as it is written (vector-routing, section 1): keys sorted. */
#include "base/text.h"
#include "formats/manifest_build.h"
#include "formats/manifest_priv.h"

#include <inttypes.h>
#include <string.h>

static void add_table(struct shf_text *text, const char *name, const char *url) {
    shf_text_format(text, "\"%s\": ", name);
    shf_manifest_add_quoted(text, url, strlen(url));
    shf_text_add_string(text, ", ");
}

shf_status shf_manifest_vector_build(const struct shf_manifest_vector_spec *spec, char **out, struct shf_error **error) {
    enum shf_vector_strategy strategy = spec->strategy;
    struct shf_text text = {0};
    shf_text_add_string(&text, "{");
    if (strategy == SHF_VECTORS_BY_CEL) {
        shf_manifest_add_expression(&text, spec->cel);
        shf_text_add_string(&text, ", ");
    }
    if (strategy == SHF_VECTORS_BY_CLUSTER) add_table(&text, "centroids_ref", spec->table_ref);
    shf_text_format(&text, "\"dim\": %" PRIu32 ", ", spec->dimension);
    if (strategy == SHF_VECTORS_BY_LSH) add_table(&text, "hyperplanes_ref", spec->table_ref);
    shf_text_format(&text, "\"index_type\": \"hnsw\", \"metric\": \"%s\", ", shf_metric_name(spec->metric));
    if (strategy == SHF_VECTORS_BY_LSH) shf_text_format(&text, "\"num_hash_bits\": %" PRIu32 ", ", spec->hash_bits);
    shf_text_format(&text, "\"num_probes\": %" PRIu32 ", \"quantization\": null, ", spec->num_probes);
    if (strategy == SHF_VECTORS_BY_CEL && spec->values) {
        shf_manifest_add_values(&text, spec->values, spec->value_count);
        shf_text_add_string(&text, ", ");
    }
    shf_text_format(&text, "\"sharding_strategy\": \"%s\", \"total_vectors\": %" PRIu64 "}",
                    shf_vector_strategy_name(strategy), spec->total_vectors);
    return shf_manifest_take_routing(&text, "custom.vector of a manifest", out, error);
}
