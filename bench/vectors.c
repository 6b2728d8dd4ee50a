#include "bench/vectors.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *read_array(const char *data, const char *part, const char *name, size_t size) {
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s/%s", data, part, name);
    FILE *file = fopen(path, "rb");
    void *bytes = malloc(size);
    bool ok = file && bytes && fread(bytes, 1, size, file) == size;
    if (file) (void)fclose(file);
    if (ok) return bytes;
    fprintf(stderr, "cannot read %s\n", path);
    free(bytes);
    return NULL;
}

bool bench_vectors_load_part(struct bench_vectors *vectors, const char *data, const char *part) {
    vectors->queries = read_array(data, part, "queries.bin", BENCH_QUERIES * sizeof *vectors->queries);
    vectors->truth = read_array(data, part, "truth.bin", BENCH_QUERIES * sizeof *vectors->truth);
    return vectors->queries && vectors->truth;
}

bool bench_vectors_load(struct bench_vectors *vectors, const char *data) {
    return bench_vectors_load_part(vectors, data, "vectors");
}

void bench_vectors_free(struct bench_vectors *vectors) {
    free(vectors->queries);
    free(vectors->truth);
    memset(vectors, 0, sizeof *vectors);
}

shf_query bench_query(const struct bench_vectors *vectors, unsigned index) {
    shf_query query;
    SHF_INIT(&query);
    query.top_k = BENCH_TOP_K;
    query.vector = vectors->queries[index % BENCH_QUERIES];
    query.dimension = BENCH_DIMENSION;
    return query;
}

double bench_recall(const struct bench_vectors *vectors, unsigned first, unsigned count, const int64_t *ids) {
    size_t found = 0;
    for (unsigned q = 0; q < count; q++) {
        for (unsigned t = 0; t < BENCH_TOP_K; t++) {
            for (unsigned i = 0; i < BENCH_TOP_K; i++) {
                found += vectors->truth[first + q][t] == ids[q * BENCH_TOP_K + i];
            }
        }
    }
    return (double)found / (count * BENCH_TOP_K);
}

/* A dataset of LanceDB has texts for ids: the number in digits. */
static int64_t id_number(const shf_vector_id *id) {
    char digits[24] = "";
    if (id->kind == SHF_ID_INT) return id->int_value;
    if (id->kind != SHF_ID_TEXT || id->text.size == 0 || id->text.size >= sizeof digits) return -1;
    memcpy(digits, id->text.data, id->text.size);
    return strtoll(digits, NULL, 10);
}

void bench_hits(const shf_op *op, size_t query, int64_t *ids) {
    for (size_t i = 0; i < BENCH_TOP_K; i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        ids[i] = shf_op_hit(op, query, i, &hit) ? -1 : id_number(&hit.id);
    }
}
