/* Readers and pinned snapshots. */
#ifndef SHARDYFUSION_PYTHON_READER_H
#define SHARDYFUSION_PYTHON_READER_H

#include "keys.h"
#include "runtime.h"

struct reader_object {
    PyObject_HEAD struct module_state *state;
    struct runtime_object *runtime; /* held */
    shf_reader *reader;
};

struct snapshot_object {
    PyObject_HEAD struct module_state *state;
    struct reader_object *reader; /* held */
    shf_snapshot *snapshot;
};

/* ---- options.c: reader options from a dict; what they point at is borrowed from it ---- */

struct reader_settings {
    shf_reader_options options;
    shf_s3_options s3;
    PyObject *allowed; /* a tuple of text, or NULL */
    const char *allowed_prefixes[17];
};
bool reader_settings_from(struct module_state *state, PyObject *dict, struct reader_settings *out);
void reader_settings_clear(struct reader_settings *settings);
bool s3_options_from(struct module_state *state, PyObject *dict, shf_s3_options *out);

/* ---- lookups.c, search.c: methods of a reader ---- */

PyObject *reader_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count);
PyObject *reader_multi_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count);
PyObject *reader_submit_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count);
PyObject *reader_submit_multi_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count);
PyObject *reader_submit_search(PyObject *object, PyObject *const *arguments, Py_ssize_t count);
PyObject *reader_submit_batch_search(PyObject *object, PyObject *const *arguments, Py_ssize_t count);

PyObject *snapshot_get_stored(PyObject *object, PyObject *const *arguments, Py_ssize_t count);
PyObject *snapshot_submit_get_stored(PyObject *object, PyObject *const *arguments, Py_ssize_t count);

/* A dict from a tuple of keys, in their order, to bytes or None; convert_values for an operation with them as subject. */
PyObject *values_object(const shf_op *op, PyObject *keys);
PyObject *convert_values(struct operation_object *operation, shf_op *op);

/*
 * What a call that answers within itself gave: `convert` of it, WOULD_WAIT, or the exception. Releases the operation, which
 * may be NULL.
 */
PyObject *answer_object(struct module_state *state, shf_status status, shf_op *op, PyObject *subject,
                        PyObject *(*convert)(const shf_op *op, PyObject *subject));

/* Raises a TypeError unless there are from `least` to `most` arguments. */
bool arguments_are(Py_ssize_t count, Py_ssize_t least, Py_ssize_t most);

#endif
