#include "cli/build/build_vectors.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

static char *named(const struct cli_vectors *v, char *what) {
    char *error = cli_format("%s: %s", v->stream.name, what);
    free(what);
    return error;
}

/* As many bytes as there are, up to `size`. */
static char *take(struct cli_vectors *v, void *data, size_t size, size_t *taken) {
    unsigned char *to = data;
    for (*taken = 0; *taken < size;) {
        size_t got;
        char *error = cli_stream_read(&v->stream, to + *taken, size - *taken, &got);
        if (error) return error;
        if (!got) break;
        *taken += got;
    }
    return NULL;
}

static char *cut_short(const struct cli_vectors *v) {
    return named(v, cli_format("cut short: it ends within vector %llu", (unsigned long long)v->taken + 1));
}

/* An uncompressed file must have the size that its header tells. */
static char *check_size(const struct cli_vectors *v) {
    const struct cli_npy *npy = &v->npy;
    uint64_t bytes;
    if (!v->stream.has_size || v->stream.packing) return NULL;
    if (__builtin_mul_overflow(npy->rows, (uint64_t)npy->dimension * npy->item_bytes, &bytes) ||
        v->stream.size < npy->data_offset || v->stream.size - npy->data_offset < bytes) {
        return named(v, cli_format("cut short: its header tells of %llu vectors", (unsigned long long)npy->rows));
    }
    return NULL;
}

static char *open_npy(struct cli_vectors *v, const unsigned char *begin, size_t there) {
    unsigned char *header = cli_alloc(CLI_NPY_PREFIX_BYTES + CLI_NPY_HEADER_BYTES);
    size_t size = 0, more = 0;
    memcpy(header, begin, there);
    char *wrong = cli_npy_header_size(header, there, &size), *error = NULL;
    if (!wrong && size > there) error = take(v, header + there, size - there, &more);
    /* A header is never shorter than its longest prefix: no byte of a row has been taken. */
    if (!wrong && !error) wrong = size < there ? cli_strdup("no header") : cli_npy_parse(header, there + more, &v->npy);
    free(header);
    if (wrong) return named(v, wrong);
    v->is_npy = true;
    return error ? error : check_size(v);
}

static uint32_t load32(const unsigned char *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

char *cli_vectors_open(struct cli_vectors *vectors, const char *name, uint64_t memory_bytes, const struct cli_idle *idle) {
    struct cli_vectors *v = vectors;
    unsigned char begin[CLI_NPY_PREFIX_BYTES];
    size_t there = 0;
    *v = (struct cli_vectors){.npy = {.item_bytes = 4}};
    char *error = cli_stream_open(&v->stream, name, memory_bytes, idle);
    /* .fvecs: the dimension alone, for no more can be given back. */
    if (!error) error = take(v, begin, 4, &there);
    if (error || v->stream.stopped || !there) return error;
    uint32_t dimension = there == 4 ? load32(begin) : 0;
    if (dimension == 0x4d554e93u) { /* "\x93NUM" */
        size_t more;
        error = take(v, begin + 4, sizeof begin - 4, &more);
        if (!error) error = open_npy(v, begin, 4 + more);
    } else if (!dimension || dimension > CLI_NPY_MAX_DIMENSION) {
        error = named(v, cli_format("neither .npy nor .fvecs with 1 to %u dimensions", CLI_NPY_MAX_DIMENSION));
    } else {
        v->npy.dimension = dimension;
        v->ahead = true;
    }
    if (!error && v->npy.dimension) v->row = cli_alloc_array(v->npy.dimension, v->npy.item_bytes);
    return error;
}

void cli_vectors_close(struct cli_vectors *vectors) {
    cli_stream_close(&vectors->stream);
    free(vectors->row);
    *vectors = (struct cli_vectors){.stream = {.fd = -1}};
}

/* The dimension before each vector of .fvecs. */
static char *fvecs_dimension(struct cli_vectors *v, bool *end) {
    unsigned char word[4];
    size_t got;
    *end = !v->npy.dimension;
    if (v->ahead || *end) {
        v->ahead = false;
        return NULL;
    }
    char *error = take(v, word, sizeof word, &got);
    *end = !got;
    if (error || !got || v->stream.stopped) return error;
    if (got < sizeof word) return cut_short(v);
    if (load32(word) == v->npy.dimension) return NULL;
    return named(v, cli_format("vector %llu has %u numbers, the first has %u", (unsigned long long)v->taken + 1,
                               load32(word), v->npy.dimension));
}

static char *next_row(struct cli_vectors *v, enum cli_vector *state) {
    size_t got = 0, size = (size_t)v->npy.dimension * v->npy.item_bytes;
    bool end = v->is_npy && v->taken == v->npy.rows;
    char *error = v->is_npy ? NULL : fvecs_dimension(v, &end);
    *state = CLI_VECTOR_END;
    if (!error && !end && !v->stream.stopped) error = take(v, v->row, size, &got);
    if (error) return error;
    if (v->stream.stopped) *state = CLI_VECTOR_STOPPED;
    if (end || v->stream.stopped) return NULL;
    if (got < size) return cut_short(v);
    v->taken++;
    *state = CLI_VECTOR_READY;
    return NULL;
}

char *cli_vectors_next(struct cli_vectors *vectors, float *out, enum cli_vector *state) {
    char *error = next_row(vectors, state);
    if (error || *state != CLI_VECTOR_READY) return error;
    if (!cli_npy_row(&vectors->npy, vectors->row, out)) *state = CLI_VECTOR_NOT_FINITE;
    return NULL;
}

char *cli_vectors_count(struct cli_vectors *vectors, uint64_t *count) {
    enum cli_vector state = CLI_VECTOR_READY;
    char *error = NULL;
    while (!vectors->is_npy && !error && state == CLI_VECTOR_READY) error = next_row(vectors, &state);
    *count = vectors->is_npy ? vectors->npy.rows : vectors->taken;
    return error;
}
