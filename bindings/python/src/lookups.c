/* get and multi_get: what is resident is answered in the call, without a queue; the rest is submitted. */
#include "reader.h"

bool arguments_are(Py_ssize_t count, Py_ssize_t least, Py_ssize_t most) {
    if (count >= least && count <= most) return true;
    PyErr_Format(PyExc_TypeError, "%zd to %zd arguments are needed, not %zd", least, most, count);
    return false;
}

PyObject *value_object(const shf_op *op, size_t index) {
    shf_value value;
    SHF_INIT(&value);
    if (shf_op_value(op, index, &value) || value.status == SHF_NOT_FOUND) Py_RETURN_NONE;
    return PyBytes_FromStringAndSize(value.data.data, (Py_ssize_t)value.data.size);
}

/* What a call that answers within itself gave: the result of `convert`, WOULD_WAIT, or the exception. */
static PyObject *answer(struct module_state *state, shf_status status, shf_op *op, PyObject *subject,
                        PyObject *(*convert)(const shf_op *op, PyObject *subject)) {
    PyObject *result;
    if (status == SHF_WOULD_WAIT) return Py_NewRef(state->would_wait);
    if (status) {
        result = raise_status(state, status, shf_op_error(op));
    } else {
        result = convert(op, subject);
    }
    shf_op_release(op);
    return result;
}

static PyObject *one_value(const shf_op *op, PyObject *subject) {
    (void)subject;
    return value_object(op, 0);
}

/* A dict from the keys, in their order, to their values. */
static PyObject *many_values(const shf_op *op, PyObject *keys) {
    PyObject *dict = PyDict_New();
    size_t count = shf_op_value_count(op);
    for (size_t i = 0; dict && i < count; i++) {
        PyObject *value = value_object(op, i);
        if (!value || PyDict_SetItem(dict, PyTuple_GetItem(keys, (Py_ssize_t)i), value)) Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *convert_one(struct operation_object *operation, shf_op *op) {
    return one_value(op, operation->subject);
}
static PyObject *convert_many(struct operation_object *operation, shf_op *op) {
    return many_values(op, operation->subject);
}

PyObject *reader_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    struct context storage;
    const shf_routing_context *context;
    shf_key key;
    shf_op *op = NULL;
    if (!arguments_are(count, 1, 2) || !key_from(self->state, arguments[0], &key)) return NULL;
    if (!context_from(self->state, count == 2 ? arguments[1] : NULL, &storage, &context)) return NULL;
    shf_status status = shf_get_now(self->reader, &key, context, &op);
    context_clear(&storage);
    return answer(self->state, status, op, NULL, one_value);
}

PyObject *reader_multi_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    struct context storage;
    const shf_routing_context *context;
    struct key_list keys;
    shf_op *op = NULL;
    shf_status status;
    if (!arguments_are(count, 1, 2) || !key_list_from(self->state, arguments[0], &keys)) return NULL;
    if (!context_from(self->state, count == 2 ? arguments[1] : NULL, &storage, &context)) {
        key_list_clear(&keys);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = shf_multi_get_now(self->reader, keys.keys, keys.count, context, &op);
    Py_END_ALLOW_THREADS
    context_clear(&storage);
    PyObject *result = answer(self->state, status, op, keys.tuple, many_values);
    key_list_clear(&keys);
    return result;
}

PyObject *reader_submit_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    struct context storage;
    const shf_routing_context *context;
    shf_key key;
    if (!arguments_are(count, 2, 3)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    if (!queue || !key_from(self->state, arguments[1], &key)) return NULL;
    if (!context_from(self->state, count == 3 ? arguments[2] : NULL, &storage, &context)) return NULL;
    PyObject *result = NULL;
    struct operation_object *operation = operation_new(queue, convert_one, NULL, object);
    if (operation) {
        shf_call call = operation_call(operation);
        result = operation_submitted(operation, shf_get(self->reader, &key, context, &call, &operation->id));
    }
    context_clear(&storage);
    return result;
}

PyObject *reader_submit_multi_get(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    struct context storage;
    const shf_routing_context *context;
    struct key_list keys;
    if (!arguments_are(count, 2, 3)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    if (!queue || !key_list_from(self->state, arguments[1], &keys)) return NULL;
    PyObject *result = NULL;
    if (context_from(self->state, count == 3 ? arguments[2] : NULL, &storage, &context)) {
        struct operation_object *operation = operation_new(queue, convert_many, keys.tuple, object);
        if (operation) {
            shf_call call = operation_call(operation);
            result = operation_submitted(
                operation, shf_multi_get(self->reader, keys.keys, keys.count, context, &call, &operation->id));
        }
        context_clear(&storage);
    }
    key_list_clear(&keys);
    return result;
}
