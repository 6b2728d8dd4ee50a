/* Keys and routing contexts, see keys.h. */
#include "keys.h"

static const char *type_name(PyObject *object, PyObject **holder) {
    *holder = PyType_GetQualName(Py_TYPE(object));
    const char *name = *holder ? PyUnicode_AsUTF8AndSize(*holder, NULL) : NULL;
    if (!name) PyErr_Clear();
    return name ? name : "something else";
}

static bool refuse_kind(struct module_state *state, PyObject *object) {
    PyObject *holder = NULL;
    (void)raise_invalid(state, "a key must be an int, a str or bytes, not %.100s", type_name(object, &holder));
    Py_XDECREF(holder);
    return false;
}

/* -2^63 to 2^64-1. */
static bool integer_from(struct module_state *state, PyObject *integer, shf_key *out) {
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(integer, &overflow);
    if (value == -1 && PyErr_Occurred()) return false;
    if (!overflow) {
        *out = shf_key_from_int(value);
        return true;
    }
    unsigned long long large = overflow > 0 ? PyLong_AsUnsignedLongLong(integer) : 0;
    if (overflow < 0 || PyErr_Occurred()) {
        PyErr_Clear();
        (void)raise_invalid(state, "an integer key must be from -2^63 to 2^64-1: this one does not fit into 64 bits");
        return false;
    }
    *out = (shf_key){.kind = SHF_KEY_UINT, .as.uint_value = large};
    return true;
}

static bool text_of(struct module_state *state, PyObject *text, const char *what, shf_slice *out) {
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(text, &size);
    if (!data) {
        PyErr_Clear();
        (void)raise_invalid(state, "%s is not valid text: it has surrogates, which UTF-8 can not hold", what);
        return false;
    }
    *out = (shf_slice){data, (size_t)size};
    return true;
}

static shf_slice bytes_of(PyObject *bytes) { return (shf_slice){PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes)}; }

bool key_from(struct module_state *state, PyObject *object, shf_key *out) {
    shf_slice slice;
    if (PyBytes_Check(object)) {
        slice = bytes_of(object);
        *out = shf_key_from_bytes(slice.data, slice.size);
        return true;
    }
    if (PyUnicode_Check(object)) {
        if (!text_of(state, object, "the key", &slice)) return false;
        *out = shf_key_from_text(slice.data, slice.size);
        return true;
    }
    if (PyLong_Check(object)) return integer_from(state, object, out);
    if (!PyIndex_Check(object)) return refuse_kind(state, object);
    PyObject *integer = PyNumber_Index(object);
    if (!integer) return false;
    bool fits = integer_from(state, integer, out);
    Py_DECREF(integer);
    return fits;
}

bool whole_number(struct module_state *state, PyObject *object, const char *what, long long least, uint32_t *out) {
    PyObject *integer = PyIndex_Check(object) ? PyNumber_Index(object) : NULL;
    int overflow = 0;
    long long value = integer ? PyLong_AsLongLongAndOverflow(integer, &overflow) : -1;
    Py_XDECREF(integer);
    if (integer && !overflow && value >= least && value <= UINT32_MAX) {
        *out = (uint32_t)value;
        return true;
    }
    PyErr_Clear();
    (void)raise_invalid(state, "%s must be an int from %lld to %lld", what, least, (long long)UINT32_MAX);
    return false;
}

bool key_list_from(struct module_state *state, PyObject *sequence, struct key_list *out) {
    out->keys = out->few;
    out->count = 0;
    if (PyUnicode_Check(sequence) || PyBytes_Check(sequence)) {
        out->tuple = NULL;
        (void)raise_invalid(state, "keys must be a sequence of keys, not one key");
        return false;
    }
    /* A copy, since another thread may change a list while the lock is not held. */
    out->tuple = PySequence_Tuple(sequence);
    if (!out->tuple) return false;
    out->count = (size_t)PyTuple_Size(out->tuple);
    if (out->count > KEYS_ON_STACK) {
        out->keys = PyMem_Calloc(out->count, sizeof *out->keys);
        if (!out->keys) {
            key_list_clear(out);
            (void)PyErr_NoMemory();
            return false;
        }
    }
    for (size_t i = 0; i < out->count; i++) {
        if (!key_from(state, PyTuple_GetItem(out->tuple, (Py_ssize_t)i), &out->keys[i])) {
            key_list_clear(out);
            return false;
        }
    }
    return true;
}

void key_list_clear(struct key_list *list) {
    if (list->keys != list->few) PyMem_Free(list->keys);
    list->keys = list->few;
    Py_CLEAR(list->tuple);
}

/*
 * What has __float__ (numpy.float32, Decimal) is a double. Anything else fits no column, which is an error when the expression
 * reads it: a context may be a whole row, with columns that say nothing of the shard.
 */
static void other_value(PyObject *object, shf_context_value *out) {
    PyObject *real = PyNumber_Float(object);
    if (real) {
        out->kind = SHF_CONTEXT_DOUBLE;
        out->as.double_value = PyFloat_AsDouble(real);
        Py_DECREF(real);
    }
    PyErr_Clear();
}

static void context_value_from(struct module_state *state, PyObject *object, shf_context_value *out) {
    if (PyBool_Check(object)) {
        out->kind = SHF_CONTEXT_BOOL;
        out->as.int_value = object == Py_True;
        return;
    }
    if (PyFloat_Check(object)) {
        out->kind = SHF_CONTEXT_DOUBLE;
        out->as.double_value = PyFloat_AsDouble(object);
        return;
    }
    shf_key key;
    if (!key_from(state, object, &key)) {
        PyErr_Clear();
        other_value(object, out);
        return;
    }
    switch (key.kind) {
    case SHF_KEY_INT:
        out->kind = SHF_CONTEXT_INT;
        out->as.int_value = key.as.int_value;
        break;
    case SHF_KEY_UINT:
        out->kind = SHF_CONTEXT_UINT;
        out->as.uint_value = key.as.uint_value;
        break;
    default:
        out->kind = key.kind == SHF_KEY_TEXT ? SHF_CONTEXT_TEXT : SHF_CONTEXT_BYTES;
        out->as.bytes = key.as.bytes;
        break;
    }
}

static bool column_from(struct module_state *state, PyObject *pair, shf_context_value *out) {
    PyObject *name = PyTuple_GetItem(pair, 0);
    *out = (shf_context_value){0};
    out->name = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    if (!out->name) {
        PyErr_Clear();
        (void)raise_invalid(state, "routing_context: the names of columns must be text");
        return false;
    }
    context_value_from(state, PyTuple_GetItem(pair, 1), out);
    return true;
}

bool context_from(struct module_state *state, PyObject *dict, struct context *storage, const shf_routing_context **out) {
    storage->held = NULL;
    *out = NULL;
    if (!dict || dict == Py_None) return true;
    if (!PyDict_Check(dict)) {
        (void)raise_invalid(state, "routing_context must be a dict of column names and values, or None");
        return false;
    }
    storage->held = PyDict_Items(dict);
    if (!storage->held) return false;
    Py_ssize_t count = PyList_Size(storage->held);
    if (count > CONTEXT_COLUMNS) {
        (void)raise_invalid(state, "routing_context has %zd columns; at most %d are allowed", count, CONTEXT_COLUMNS);
        context_clear(storage);
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (column_from(state, PyList_GetItem(storage->held, i), &storage->values[i])) continue;
        context_clear(storage);
        return false;
    }
    SHF_INIT(&storage->context);
    storage->context.count = (uint32_t)count;
    storage->context.values = storage->values;
    *out = &storage->context;
    return true;
}

void context_clear(struct context *storage) { Py_CLEAR(storage->held); }
