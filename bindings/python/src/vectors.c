/* Vectors, see vectors.h. numpy is never imported: its arrays are buffers. */
#include "vectors.h"

#include <stdio.h>
#include <string.h>

#define DIMENSION_MOST 65536
#define QUERIES_MOST 65536

/* The size of a component: 4 or 8; 0 when it is neither a native float32 nor a native float64. */
static size_t component_of(const Py_buffer *view) {
    const char *format = view->format ? view->format : "B";
    if (*format == '@' || *format == '=') format++;
    if (*format == '<' && PY_LITTLE_ENDIAN) format++;
    if (format[0] == 'f' && format[1] == 0 && view->itemsize == 4) return 4;
    if (format[0] == 'd' && format[1] == 0 && view->itemsize == 8) return 8;
    return 0;
}

static float component(const char *at, size_t size) {
    if (size == 4) {
        float value;
        memcpy(&value, at, sizeof value);
        return value;
    }
    double value;
    memcpy(&value, at, sizeof value);
    return (float)value;
}

static bool reserve(struct vectors *out, size_t count, size_t dimension) {
    out->copy = PyMem_Calloc(count && dimension ? count * dimension : 1, sizeof *out->copy); /* at most 2^32 */
    out->data = out->copy;
    out->count = count;
    out->dimension = (uint32_t)dimension;
    if (!out->copy) (void)PyErr_NoMemory();
    return out->copy != NULL;
}

static bool check_sizes(struct module_state *state, Py_ssize_t count, Py_ssize_t dimension) {
    if (dimension <= DIMENSION_MOST && count <= QUERIES_MOST) return true;
    (void)raise_invalid(state, "%zd queries of %zd floats: at most %d queries of %d floats fit into one call", count,
                        dimension, QUERIES_MOST, DIMENSION_MOST);
    return false;
}

/* The float32 array that an array of other numbers turns itself into, as numpy's do. New reference. */
static PyObject *as_float32(struct module_state *state, PyObject *object, const char *format) {
    PyObject *converted = PyObject_CallMethod(object, "astype", "s", "float32");
    if (converted) return converted;
    bool is_no_array = PyErr_ExceptionMatches(PyExc_AttributeError) || PyErr_ExceptionMatches(PyExc_TypeError) ||
                       PyErr_ExceptionMatches(PyExc_ValueError);
    if (!is_no_array) return NULL;
    PyErr_Clear();
    return raise_invalid(state, "the query's components have the format '%s': numbers are needed, best float32", format);
}

static bool buffer_from(struct module_state *state, PyObject *object, Py_buffer *view) {
    char format[24];
    if (PyObject_GetBuffer(object, view, PyBUF_FORMAT | PyBUF_STRIDES)) {
        if (PyErr_ExceptionMatches(PyExc_MemoryError)) return false;
        PyErr_Clear();
        (void)raise_invalid(state,
                            "the query can not be read: an array of float32 or float64, or a sequence of numbers, "
                            "is needed");
        return false;
    }
    if (component_of(view)) return true;
    (void)snprintf(format, sizeof format, "%s", view->format ? view->format : "B");
    PyBuffer_Release(view);
    PyObject *converted = as_float32(state, object, format);
    if (!converted) return false;
    int failed = PyObject_GetBuffer(converted, view, PyBUF_FORMAT | PyBUF_STRIDES);
    Py_DECREF(converted); /* the view holds it */
    if (failed || component_of(view)) return !failed;
    (void)raise_invalid(state, "the query's astype(\"float32\") gave components of the format '%.20s'",
                        view->format ? view->format : "B");
    return false;
}

static bool from_buffer(struct module_state *state, PyObject *object, int dimensions, struct vectors *out) {
    if (!buffer_from(state, object, &out->view)) return false;
    const Py_buffer *view = &out->view;
    size_t size = component_of(view);
    bool is_row = dimensions == 1 && view->ndim == 2 && view->shape[0] == 1; /* as models give for a list of one text */
    if (view->ndim != dimensions && !is_row) {
        (void)raise_invalid(state, "the query has %d dimensions: %s", view->ndim,
                            dimensions == 1
                                ? "search takes one vector (one dimension, or one row); batch_search takes several"
                                : "batch_search takes an array of shape (queries, dimension)");
        return false;
    }
    Py_ssize_t count = dimensions == 1 ? 1 : view->shape[0], dimension = view->shape[view->ndim - 1];
    if (!check_sizes(state, count, dimension)) return false;
    if (size == 4 && PyBuffer_IsContiguous(view, 'C') && (size_t)view->buf % _Alignof(float) == 0) {
        out->data = view->buf;
        out->count = (size_t)count;
        out->dimension = (uint32_t)dimension;
        return true;
    }
    if (!reserve(out, (size_t)count, (size_t)dimension)) return false;
    Py_ssize_t row_stride = dimensions == 1 ? 0 : view->strides[0], stride = view->strides[view->ndim - 1];
    for (Py_ssize_t row = 0; row < count; row++) {
        const char *at = (const char *)view->buf + row * row_stride;
        for (Py_ssize_t i = 0; i < dimension; i++) out->copy[row * dimension + i] = component(at + i * stride, size);
    }
    return true;
}

/* `dimension` numbers into `to`. */
static bool numbers_into(struct module_state *state, PyObject *tuple, float *to) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++) {
        double value = PyFloat_AsDouble(PyTuple_GetItem(tuple, i));
        if (value == -1.0 && PyErr_Occurred()) {
            bool is_no_number = PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError) ||
                                PyErr_ExceptionMatches(PyExc_OverflowError);
            if (!is_no_number) return false;
            PyErr_Clear();
            (void)raise_invalid(state, "component %zd of the query is not a number", i);
            return false;
        }
        to[i] = (float)value;
    }
    return true;
}

static PyObject *tuple_of(struct module_state *state, PyObject *object) {
    bool is_sequence = PySequence_Check(object) && !PyUnicode_Check(object) && !PyBytes_Check(object);
    if (is_sequence) return PySequence_Tuple(object);
    return raise_invalid(state, "a query must be an array of float32 or float64, or a sequence of numbers");
}

bool vectors_from_one(struct module_state *state, PyObject *object, struct vectors *out) {
    *out = (struct vectors){0};
    if (PyObject_CheckBuffer(object) && !PyBytes_Check(object)) {
        if (from_buffer(state, object, 1, out)) return true;
        vectors_clear(out);
        return false;
    }
    PyObject *tuple = tuple_of(state, object);
    if (!tuple) return false;
    bool made = check_sizes(state, 1, PyTuple_Size(tuple)) && reserve(out, 1, (size_t)PyTuple_Size(tuple)) &&
                numbers_into(state, tuple, out->copy);
    Py_DECREF(tuple);
    if (!made) vectors_clear(out);
    return made;
}

/* The vectors of a sequence, each a buffer or a sequence, all of the first one's dimension. */
static bool from_each(struct module_state *state, PyObject *tuple, struct vectors *out) {
    Py_ssize_t count = PyTuple_Size(tuple);
    for (Py_ssize_t i = 0; i < count; i++) {
        struct vectors one;
        if (!vectors_from_one(state, PyTuple_GetItem(tuple, i), &one)) return false;
        bool fits = i > 0 || (check_sizes(state, count, one.dimension) && reserve(out, (size_t)count, one.dimension));
        if (fits && one.dimension != out->dimension) {
            (void)raise_invalid(state, "query %zd has %u components, the first one %u", i, one.dimension, out->dimension);
            fits = false;
        }
        if (fits) memcpy(out->copy + (size_t)i * out->dimension, one.data, one.dimension * sizeof *one.data);
        vectors_clear(&one);
        if (!fits) return false;
    }
    return true;
}

bool vectors_from_many(struct module_state *state, PyObject *object, struct vectors *out) {
    *out = (struct vectors){0};
    if (PyObject_CheckBuffer(object) && !PyBytes_Check(object)) {
        if (from_buffer(state, object, 2, out)) return true;
        vectors_clear(out);
        return false;
    }
    PyObject *tuple = tuple_of(state, object);
    if (!tuple) return false;
    bool made = from_each(state, tuple, out);
    Py_DECREF(tuple);
    if (!made) vectors_clear(out);
    return made;
}

void vectors_clear(struct vectors *vectors) {
    PyMem_Free(vectors->copy);
    vectors->copy = NULL;
    if (vectors->view.obj) PyBuffer_Release(&vectors->view);
}

/* ---- of rows ---- */

static bool refuse_dimension(struct module_state *state, unsigned long long row, Py_ssize_t given, uint32_t dimension) {
    (void)raise_invalid(state, "row %llu: the vector has %zd components; those of this snapshot have %u", row, given,
                        (unsigned int)dimension);
    return false;
}

/* False without an exception: its components are not float32 or float64 in one dimension; as a sequence it may do. */
static bool buffer_of_row(struct module_state *state, PyObject *object, unsigned long long row, uint32_t dimension,
                          float *to) {
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_FORMAT | PyBUF_STRIDES)) {
        PyErr_Clear();
        return false;
    }
    size_t size = view.ndim == 1 ? component_of(&view) : 0;
    bool done = false;
    if (size && view.shape[0] != (Py_ssize_t)dimension) {
        (void)refuse_dimension(state, row, view.shape[0], dimension);
    } else if (size) {
        const char *at = view.buf;
        Py_ssize_t stride = view.strides[0];
        if (size == sizeof *to && stride == (Py_ssize_t)sizeof *to) {
            memcpy(to, at, dimension * sizeof *to);
        } else {
            for (uint32_t i = 0; i < dimension; i++) to[i] = component(at + (Py_ssize_t)i * stride, size);
        }
        done = true;
    }
    PyBuffer_Release(&view);
    return done;
}

bool vector_of_row(struct module_state *state, PyObject *object, unsigned long long row, uint32_t dimension, float *to) {
    if (PyObject_CheckBuffer(object)) {
        if (buffer_of_row(state, object, row, dimension, to)) return true;
        if (PyErr_Occurred()) return false;
    }
    if (!PySequence_Check(object) || PyUnicode_Check(object) || PyBytes_Check(object)) {
        (void)raise_invalid(state, "row %llu: a vector must be an array or a sequence of numbers", row);
        return false;
    }
    PyObject *tuple = PySequence_Tuple(object);
    if (!tuple) return false;
    bool fits =
        PyTuple_Size(tuple) == (Py_ssize_t)dimension || refuse_dimension(state, row, PyTuple_Size(tuple), dimension);
    for (uint32_t i = 0; fits && i < dimension; i++) {
        double value = PyFloat_AsDouble(PyTuple_GetItem(tuple, (Py_ssize_t)i));
        if (value == -1.0 && PyErr_Occurred()) {
            PyErr_Clear();
            (void)raise_invalid(state, "row %llu: component %u of the vector is not a number", row, (unsigned int)i);
            fits = false;
        }
        to[i] = (float)value;
    }
    Py_DECREF(tuple);
    return fits;
}
