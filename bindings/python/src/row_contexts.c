/* Routing contexts of rows, see writer.h. */
#include "writer.h"

#include <string.h>

static bool keep_values(struct rows *rows, const struct context *context) {
    size_t count = context->context.count;
    if (rows->value_limit - rows->value_count < count) {
        size_t limit = 2 * rows->value_limit + count + 1024;
        shf_context_value *grown = PyMem_Realloc(rows->context_values, limit * sizeof *grown);
        if (!grown) {
            (void)PyErr_NoMemory();
            return false;
        }
        rows->context_values = grown;
        rows->value_limit = limit;
    }
    if (count) memcpy(rows->context_values + rows->value_count, context->values, count * sizeof *context->values);
    rows->value_count += count;
    return true;
}

/* The row's values follow those of the row before; None is no context. */
static bool context_of_row(const struct writer_object *writer, struct rows *rows, size_t index, struct context *storage) {
    const shf_routing_context *given;
    if (!context_from(writer->state, PyTuple_GetItem(rows->columns, (Py_ssize_t)index), storage, &given)) return false;
    if (!given) return true;
    bool kept = PyList_Append(rows->held, storage->held) == 0 && keep_values(rows, storage);
    if (kept) {
        rows->contexts[index] = storage->context;
        rows->rows[index].context = &rows->contexts[index];
    }
    context_clear(storage);
    return kept;
}

bool row_contexts_from(const struct writer_object *writer, struct rows *rows) {
    struct context *storage = PyMem_Malloc(sizeof *storage);
    rows->contexts = PyMem_Calloc(rows->count, sizeof *rows->contexts);
    rows->held = PyList_New(0);
    bool made = storage && rows->contexts && rows->held;
    if (!made && !PyErr_Occurred()) (void)PyErr_NoMemory();
    for (size_t i = 0; made && i < rows->count; i++) made = context_of_row(writer, rows, i, storage);
    PyMem_Free(storage);
    for (size_t i = 0, at = 0; made && i < rows->count; at += rows->contexts[i++].count) {
        rows->contexts[i].values = rows->context_values + at;
    }
    return made;
}

void row_contexts_clear(struct rows *rows) {
    PyMem_Free(rows->contexts);
    PyMem_Free(rows->context_values);
    Py_XDECREF(rows->columns);
    Py_XDECREF(rows->held);
}
