/* Expressions without a snapshot. An evaluation keeps the interpreter's lock: it takes less than letting go would. */
#include "keys.h"

#include <string.h>

#define COLUMNS_MOST 4096

struct expression_object {
    PyObject_HEAD struct module_state *state;
    shf_expression *expression;
};

static bool column_from(struct module_state *state, PyObject *pair, shf_column_info *out) {
    Py_ssize_t size = 0;
    PyObject *name = PyTuple_Check(pair) && PyTuple_Size(pair) == 2 ? PyTuple_GetItem(pair, 0) : NULL;
    SHF_INIT(out);
    out->name = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &size) : NULL;
    if (out->name && strlen(out->name) == (size_t)size)
        return whole_number(state, PyTuple_GetItem(pair, 1), "the kind of a column", 0, &out->kind);
    PyErr_Clear();
    (void)raise_invalid(state, "the names of columns must be text without a zero byte");
    return false;
}

/* The columns of a tuple of pairs; the caller frees them. */
static shf_column_info *columns_from(struct module_state *state, PyObject *tuple) {
    Py_ssize_t count = PyTuple_Size(tuple);
    if (count > COLUMNS_MOST) return (shf_column_info *)raise_invalid(state, "%zd columns are too many", count);
    shf_column_info *columns = PyMem_Calloc(count ? (size_t)count : 1, sizeof *columns);
    if (!columns) return (shf_column_info *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        if (column_from(state, PyTuple_GetItem(tuple, i), &columns[i])) continue;
        PyMem_Free(columns);
        return NULL;
    }
    return columns;
}

static PyObject *compiled(struct module_state *state, const char *text, const shf_column_info *columns, size_t count) {
    shf_error *error = NULL;
    struct expression_object *self = (struct expression_object *)PyType_GenericAlloc(state->expression_type, 0);
    if (!self) return NULL;
    self->state = state;
    shf_status status = shf_expression_compile(text, columns, count, &self->expression, &error);
    if (!status) return (PyObject *)self;
    Py_DECREF((PyObject *)self);
    (void)raise_status(state, status, error);
    shf_error_free(error);
    return NULL;
}

/* compile(text, columns: tuple of (name, kind)) */
static PyObject *expression_compile(PyObject *module_type, PyObject *arguments) {
    struct module_state *state = module_state_of((PyTypeObject *)module_type);
    PyObject *text, *tuple;
    if (!PyArg_ParseTuple(arguments, "UO!", &text, &PyTuple_Type, &tuple)) return NULL;
    Py_ssize_t size = 0;
    const char *written = PyUnicode_AsUTF8AndSize(text, &size);
    if (!written || strlen(written) != (size_t)size) {
        PyErr_Clear();
        return raise_invalid(state, "an expression must be text without a zero byte");
    }
    shf_column_info *columns = columns_from(state, tuple);
    if (!columns) return NULL;
    PyObject *made = compiled(state, written, columns, (size_t)PyTuple_Size(tuple));
    PyMem_Free(columns);
    return made;
}

static PyObject *token_object(const shf_context_value *value) {
    switch (value->kind) {
    case SHF_CONTEXT_INT: return PyLong_FromLongLong(value->as.int_value);
    case SHF_CONTEXT_UINT: return PyLong_FromUnsignedLongLong(value->as.uint_value);
    case SHF_CONTEXT_TEXT:
        return PyUnicode_DecodeUTF8(value->as.bytes.data, (Py_ssize_t)value->as.bytes.size, "strict");
    default: return PyBytes_FromStringAndSize(value->as.bytes.data, (Py_ssize_t)value->as.bytes.size);
    }
}

/* evaluate(context) -> int, str or bytes */
static PyObject *expression_evaluate(PyObject *object, PyObject *dict) {
    struct expression_object *self = (struct expression_object *)object;
    struct context storage;
    const shf_routing_context *context;
    shf_context_value value;
    shf_error *error = NULL;
    if (!context_from(self->state, dict, &storage, &context)) return NULL;
    if (!context) return raise_invalid(self->state, "an expression is evaluated for a dict of columns, not for None");
    shf_status status = shf_expression_evaluate(self->expression, context, &value, &error);
    PyObject *result = status ? raise_status(self->state, status, error) : token_object(&value);
    context_clear(&storage); /* the value may point into it */
    shf_error_free(error);
    return result;
}

static void expression_dealloc(PyObject *object) {
    shf_expression_free(((struct expression_object *)object)->expression);
    module_object_free(object);
}

static PyMethodDef methods[] = {
    {"compile", expression_compile, METH_VARARGS | METH_CLASS, NULL},
    {"evaluate", expression_evaluate, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {{Py_tp_dealloc, expression_dealloc}, {Py_tp_methods, methods}, {0, NULL}};

static PyType_Spec spec = {.name = "shardyfusion._shardyfusion.Expression",
                           .basicsize = sizeof(struct expression_object),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool expression_type_make(PyObject *module, struct module_state *state) {
    return module_type_make(module, &spec, &state->expression_type);
}
