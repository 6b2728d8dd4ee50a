/* Writers, and rows on their way to one. */
#ifndef SHARDYFUSION_PYTHON_WRITER_H
#define SHARDYFUSION_PYTHON_WRITER_H

#include "keys.h"
#include "runtime.h"
#include "vectors.h"

struct writer_object {
    PyObject_HEAD struct module_state *state;
    struct runtime_object *runtime; /* held */
    shf_writer *writer;
    uint32_t dimension;   /* of vectors; 0: there are none */
    bool is_text_encoded; /* keys of bytes are text, too */
    bool is_vectors_alone;
};

/* ---- options.c: writer options from a dict; what they point at is borrowed from it ---- */

struct writer_settings {
    shf_writer_options options;
    shf_s3_options s3;
    struct vectors centroids, hyperplanes;
};
bool writer_settings_from(struct module_state *state, PyObject *dict, struct writer_settings *out);
void writer_settings_clear(struct writer_settings *settings);

/* ---- rows.c: columns of Python as rows of the library, for one call ---- */

struct rows {
    shf_row *rows;
    size_t count;
    float *vectors; /* one after the other, or NULL */
    /* tuples that the rows point into, NULL where the snapshot has no such column */
    PyObject *keys, *values, *components, *ids, *texts, *shards;
    PyObject *copies; /* a list of bytes: values that were no bytes, or NULL */

    /* routing contexts, or NULL: a tuple of dicts, what the values point into, one context a row and their values */
    PyObject *columns, *held;
    shf_routing_context *contexts;
    shf_context_value *context_values;
    size_t value_count, value_limit;
};

/*
 * `columns`: keys, values, vectors, ids, payloads, contexts, shards, each a sequence of one length. The first two are None
 * where the snapshot has no keys, the third to fifth where it has no vectors, the sixth where keys alone route, the last
 * where rows do not name their shards. Rows are counted from `first` in messages.
 */
#define ROW_COLUMNS 7
bool rows_from(const struct writer_object *writer, PyObject *const columns[ROW_COLUMNS], unsigned long long first,
               struct rows *out);
void rows_clear(struct rows *rows);

/* ---- row_contexts.c: of rows whose `columns` are set ---- */

bool row_contexts_from(const struct writer_object *writer, struct rows *rows);
void row_contexts_clear(struct rows *rows);

#endif
