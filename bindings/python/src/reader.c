/* Readers: open, refresh, close, and what they say of themselves. */
#include "reader.h"

static PyObject *convert_open(struct operation_object *operation, shf_op *op) {
    struct module_state *state = operation->state;
    struct reader_object *self = (struct reader_object *)PyType_GenericAlloc(state->reader_type, 0);
    if (!self) return NULL;
    self->state = state;
    self->runtime = (struct runtime_object *)Py_NewRef((PyObject *)operation->queue->runtime);
    shf_status status = shf_op_take_reader(op, &self->reader);
    if (!status) return (PyObject *)self;
    Py_DECREF((PyObject *)self);
    return raise_status(state, status, NULL);
}

/* submit_open(queue, options) */
static PyObject *reader_submit_open(PyObject *module_type, PyObject *arguments) {
    struct module_state *state = module_state_of((PyTypeObject *)module_type);
    PyObject *queue_argument, *dict;
    struct reader_settings settings;
    if (!PyArg_ParseTuple(arguments, "OO", &queue_argument, &dict)) return NULL;
    struct queue_object *queue = queue_of(state, queue_argument);
    if (!queue || !reader_settings_from(state, dict, &settings)) return NULL;
    PyObject *result = NULL;
    struct operation_object *operation = operation_new(queue, convert_open, NULL, NULL);
    if (operation) {
        shf_call call = operation_call(operation);
        result =
            operation_submitted(operation, shf_open(queue->runtime->runtime, &settings.options, &call, &operation->id));
    }
    reader_settings_clear(&settings);
    return result;
}

static PyObject *convert_refresh(struct operation_object *operation, shf_op *op) {
    shf_open_info info;
    SHF_INIT(&info);
    shf_status status = shf_op_open_info(op, &info);
    if (status) return raise_status(operation->state, status, NULL);
    return PyBool_FromLong(info.changed != 0);
}

/* submit_refresh(queue[, manifest_ref, manifest]) */
static PyObject *reader_submit_refresh(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    if (!arguments_are(count, 1, 3)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    const char *reference = NULL;
    shf_slice manifest = {NULL, 0};
    if (!queue) return NULL;
    if (count > 1) {
        if (count != 3 || !PyUnicode_Check(arguments[1]) || !PyBytes_Check(arguments[2]))
            return raise_invalid(self->state, "a manifest to go over to needs its name (text) and its bytes");
        reference = PyUnicode_AsUTF8AndSize(arguments[1], NULL);
        manifest = (shf_slice){PyBytes_AsString(arguments[2]), (size_t)PyBytes_Size(arguments[2])};
        if (!reference) return NULL;
    }
    struct operation_object *operation = operation_new(queue, convert_refresh, NULL, object);
    if (!operation) return NULL;
    shf_call call = operation_call(operation);
    return operation_submitted(operation, reference
                                              ? shf_refresh_to(self->reader, reference, manifest, &call, &operation->id)
                                              : shf_refresh(self->reader, &call, &operation->id));
}

/* submit_close(queue): operations that run finish first. */
static PyObject *reader_submit_close(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    if (!arguments_are(count, 1, 1)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    struct operation_object *operation = queue ? operation_new(queue, convert_nothing, NULL, object) : NULL;
    if (!operation) return NULL;
    shf_call call = operation_call(operation);
    return operation_submitted(operation, shf_close(self->reader, SHF_CLOSE_DRAIN, &call, &operation->id));
}

static PyObject *reader_set_credentials(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    const char *texts[3] = {NULL, NULL, NULL};
    if (!arguments_are(count, 2, 3)) return NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (arguments[i] == Py_None) continue;
        texts[i] = PyUnicode_Check(arguments[i]) ? PyUnicode_AsUTF8AndSize(arguments[i], NULL) : NULL;
        if (!texts[i]) return raise_invalid(self->state, "credentials must be text, or None");
    }
    shf_status status = shf_reader_set_credentials(self->reader, texts[0], texts[1], texts[2]);
    if (status) return raise_status(self->state, status, NULL);
    Py_RETURN_NONE;
}

/* snapshot() -> Snapshot: what is served now */
static PyObject *reader_snapshot(PyObject *object, PyObject *unused) {
    (void)unused;
    struct reader_object *self = (struct reader_object *)object;
    shf_snapshot *snapshot;
    shf_status status = shf_reader_snapshot(self->reader, &snapshot);
    if (status) return raise_status(self->state, status, NULL);
    struct snapshot_object *made = (struct snapshot_object *)PyType_GenericAlloc(self->state->snapshot_type, 0);
    if (!made) {
        shf_snapshot_release(snapshot);
        return NULL;
    }
    made->state = self->state;
    made->reader = (struct reader_object *)Py_NewRef(object);
    made->snapshot = snapshot;
    return (PyObject *)made;
}

/* health(threshold_ms) -> (status, shards, closed, age in seconds) */
static PyObject *reader_health(PyObject *object, PyObject *threshold) {
    struct reader_object *self = (struct reader_object *)object;
    long long milliseconds = PyLong_AsLongLong(threshold);
    if (milliseconds == -1 && PyErr_Occurred()) return NULL;
    shf_health_info info;
    SHF_INIT(&info);
    shf_status status = shf_health(self->reader, milliseconds, &info);
    if (status) return raise_status(self->state, status, NULL);
    const char *text = info.status == SHF_HEALTHY ? "healthy" : info.status == SHF_DEGRADED ? "degraded" : "unhealthy";
    return Py_BuildValue("sIOdI", text, (unsigned int)info.num_shards, info.is_closed ? Py_True : Py_False,
                         info.manifest_age_seconds, (unsigned int)info.open_shards);
}

static void reader_dealloc(PyObject *object) {
    struct reader_object *self = (struct reader_object *)object;
    shf_reader_release(self->reader);
    Py_XDECREF((PyObject *)self->runtime);
    module_object_free(object);
}

#define FAST(name)                                                                                                     \
    { #name, (PyCFunction)(void (*)(void))reader_##name, METH_FASTCALL, NULL }
static PyMethodDef methods[] = {
    {"submit_open", reader_submit_open, METH_VARARGS | METH_CLASS, NULL},
    FAST(get),
    FAST(multi_get),
    FAST(submit_get),
    FAST(submit_multi_get),
    FAST(submit_search),
    FAST(submit_batch_search),
    FAST(submit_refresh),
    FAST(submit_close),
    FAST(set_credentials),
    {"snapshot", reader_snapshot, METH_NOARGS, NULL},
    {"health", reader_health, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {{Py_tp_dealloc, reader_dealloc}, {Py_tp_methods, methods}, {0, NULL}};

static PyType_Spec spec = {.name = "shardyfusion._shardyfusion.Reader",
                           .basicsize = sizeof(struct reader_object),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool reader_type_make(PyObject *module, struct module_state *state) {
    return module_type_make(module, &spec, &state->reader_type);
}
