/*
 * The extension `shardyfusion._shardyfusion`: what its files share. CPython's limited API of 3.11, and nothing of the
 * library but its public header. What each type offers to Python is described in shardyfusion/_shardyfusion.pyi.
 *
 * Every function that returns a PyObject * returns NULL with an exception set; every bool function does so with false.
 */
#ifndef SHARDYFUSION_PYTHON_MODULE_H
#define SHARDYFUSION_PYTHON_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <shardyfusion/shardyfusion.h>
#include <stdbool.h>

/* Objects live as long as the module: each of its types holds the module, each object its type. */
struct module_state {
    PyTypeObject *runtime_type, *queue_type, *operation_type, *reader_type, *snapshot_type, *writer_type,
        *expression_type;
    PyObject *would_wait;    /* the answer of a call that would have to wait */
    PyObject *make_error;    /* shardyfusion._errors.make, once it was needed */
    PyObject *search_result; /* shardyfusion.vector.types.SearchResult, likewise */
    PyObject *search_response;
    PyObject *json_loads;
    PyObject *json_decode; /* raw_decode of a json.JSONDecoder */
    /* names of methods of an asyncio future */
    PyObject *name_done, *name_set_result, *name_set_exception;
    PyObject *result_fields[4], *response_fields[3]; /* names of a SearchResult's, of a VectorSearchResponse's */
};

struct module_state *module_state_of(PyTypeObject *type);

/* `*slot` of the state: imported once. Borrowed. */
PyObject *module_import(PyObject **slot, const char *module, const char *name);

bool runtime_type_make(PyObject *module, struct module_state *state);
bool queue_type_make(PyObject *module, struct module_state *state);
bool operation_type_make(PyObject *module, struct module_state *state);
bool reader_type_make(PyObject *module, struct module_state *state);
bool snapshot_type_make(PyObject *module, struct module_state *state);
bool writer_type_make(PyObject *module, struct module_state *state);
bool expression_type_make(PyObject *module, struct module_state *state);

/* Makes a type and adds it to the module. */
bool module_type_make(PyObject *module, PyType_Spec *spec, PyTypeObject **out);

/* Frees an object of one of the module's types, once its fields are released. */
void module_object_free(PyObject *self);

/* ---- errors ---- */

/* Raises the exception of a failed call; error may be NULL. Always returns NULL. */
PyObject *raise_status(struct module_state *state, shf_status status, const shf_error *error);
/* The same with a message of our own; raise_invalid is that for a wrong argument. */
PyObject *raise_message(struct module_state *state, shf_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define raise_invalid(state, ...) raise_message(state, SHF_E_INVALID, __VA_ARGS__)
/* As raise_status, but returns the exception instead. */
PyObject *exception_of(struct module_state *state, shf_status status, const shf_error *error);

#endif
