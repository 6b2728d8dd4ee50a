/* Vectors of Python as arrays of float. */
#ifndef SHARDYFUSION_PYTHON_VECTORS_H
#define SHARDYFUSION_PYTHON_VECTORS_H

#include "module.h"

/* `count` vectors of `dimension` floats, one after the other; in place where the buffer has just that. */
struct vectors {
    const float *data;
    size_t count;
    uint32_t dimension;
    float *copy;    /* NULL: `view` holds the data */
    Py_buffer view; /* view.obj NULL: none */
};

/* One vector: a buffer of float32 or float64 in one dimension, or of one row, or a sequence of numbers. */
bool vectors_from_one(struct module_state *state, PyObject *object, struct vectors *out);
/* Several: a buffer in two dimensions, or a sequence of vectors. */
bool vectors_from_many(struct module_state *state, PyObject *object, struct vectors *out);
void vectors_clear(struct vectors *vectors);

/*
 * The vector of a row that is to be written, of `dimension` floats, into `to`: a buffer in one dimension or a sequence, of
 * any numbers. `row` is for messages.
 */
bool vector_of_row(struct module_state *state, PyObject *object, unsigned long long row, uint32_t dimension, float *to);

#endif
