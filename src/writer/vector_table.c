#include "writer/vector_table.h"

#include "base/alloc.h"
#include "formats/manifest_build.h"
#include "writer/publish.h"

#include <openssl/evp.h>

#define CONTENT_TYPE "application/octet-stream"

shf_status shf_vector_table_make(struct shf_publish_op *publish, struct shf_error **error) {
    const struct shf_writer_setup *setup = &publish->writer->setup;
    const struct shf_vector_sharder *vectors = setup->vectors;
    struct shf_vector_table *table = &publish->table;
    const char *name = shf_vector_sharder_table_name(vectors);
    unsigned digest_size = 0;
    if (!name) return SHF_OK;
    table->tail = shf_writer_table_tail(setup->run_id, name);
    table->url = table->tail ? shf_location_url(&setup->location, table->tail) : NULL;
    if (!table->url) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the name of %s", name);
    table->size = vectors->table_size;
    if (EVP_Digest(vectors->table, vectors->table_size, table->sha256, &digest_size, EVP_sha256(), NULL) != 1) {
        return shf_error_set(error, SHF_E_INTERNAL, "OpenSSL can not hash %s", name);
    }
    return SHF_OK;
}

void shf_vector_table_free(struct shf_vector_table *table) {
    shf_free(table->tail);
    shf_free(table->url);
    *table = (struct shf_vector_table){0};
}

shf_status shf_vector_table_describe(const struct shf_publish_op *publish, char **out, struct shf_error **error) {
    const struct shf_writer *writer = publish->writer;
    const struct shf_vector_sharder *vectors = writer->setup.vectors;
    struct shf_manifest_vector_spec spec = {.strategy = vectors->strategy,
                                            .metric = vectors->metric,
                                            .dimension = writer->dimension,
                                            .num_probes = vectors->num_probes,
                                            .total_vectors = publish->info.rows,
                                            .table_ref = publish->table.url,
                                            .hash_bits = vectors->hash_bits};
    if (writer->setup.sharder) spec.cel = shf_sharder_cel(writer->setup.sharder, &spec.values, &spec.value_count);
    return shf_manifest_vector_build(&spec, out, error);
}

static void written(struct shf_errand *errand) {
    struct shf_publish_op *publish = SHF_CONTAINER(errand, struct shf_publish_op, errand);
    if (!errand->status) {
        publish->table.then(publish);
        return;
    }
    struct shf_error *error = shf_errand_take_error(errand);
    shf_error_prefix(&error, "%s", publish->table.tail);
    shf_publish_note(publish, errand->status, error);
    shf_publish_fail(publish);
}

void shf_vector_table_put(struct shf_publish_op *publish, void (*then)(struct shf_publish_op *publish)) {
    const struct shf_writer_setup *setup = &publish->writer->setup;
    struct shf_vector_sharder *vectors = setup->vectors;
    publish->table.then = then;
    char *bytes = shf_vector_sharder_take_table(vectors);
    shf_errand_put(&publish->errand, shf_location_key(&setup->location, publish->table.tail), bytes,
                   publish->table.size, CONTENT_TYPE, NULL, written);
}
