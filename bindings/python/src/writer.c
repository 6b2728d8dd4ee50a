/* Writers: open, rows, publish, close. */
#include "writer.h"

#include "reader.h"

#include <string.h>

static PyObject *convert_open(struct operation_object *operation, shf_op *op) {
    struct writer_object *self = (struct writer_object *)Py_NewRef(operation->subject);
    shf_status status = shf_op_take_writer(op, &self->writer);
    if (!status) return (PyObject *)self;
    Py_DECREF((PyObject *)self);
    return raise_status(operation->state, status, NULL);
}

/* A writer object without a writer yet. */
static struct writer_object *writer_new(struct queue_object *queue, const shf_writer_options *options) {
    struct writer_object *self = (struct writer_object *)PyType_GenericAlloc(queue->state->writer_type, 0);
    if (!self) return NULL;
    self->state = queue->state;
    self->runtime = (struct runtime_object *)Py_NewRef((PyObject *)queue->runtime);
    self->dimension = options->dimension;
    self->is_vectors_alone = options->backend == SHF_WRITE_VECTOR;
    self->is_text_encoded = options->key_encoding && strcmp(options->key_encoding, "utf8") == 0;
    return self;
}

static PyObject *opened(struct queue_object *queue, const shf_writer_options *options) {
    PyObject *made = (PyObject *)writer_new(queue, options);
    struct operation_object *operation = made ? operation_new(queue, convert_open, made, NULL) : NULL;
    Py_XDECREF(made);
    if (!operation) return NULL;
    shf_call call = operation_call(operation);
    return operation_submitted(operation, shf_writer_open(queue->runtime->runtime, options, &call, &operation->id));
}

/* submit_open(queue, options) */
static PyObject *writer_submit_open(PyObject *module_type, PyObject *arguments) {
    struct module_state *state = module_state_of((PyTypeObject *)module_type);
    PyObject *queue_argument, *dict;
    struct writer_settings settings;
    if (!PyArg_ParseTuple(arguments, "OO", &queue_argument, &dict)) return NULL;
    struct queue_object *queue = queue_of(state, queue_argument);
    if (!queue || !writer_settings_from(state, dict, &settings)) return NULL;
    const shf_writer_options *options = &settings.options;
    PyObject *result = NULL;
    if (options->backend != SHF_WRITE_KV && !options->dimension) {
        (void)raise_invalid(state, "a snapshot with vectors needs their dimension");
    } else {
        result = opened(queue, options);
    }
    writer_settings_clear(&settings);
    return result;
}

/* submit_write(queue, keys, values, vectors, ids, payloads, contexts, shards, first) */
static PyObject *writer_submit_write(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct writer_object *self = (struct writer_object *)object;
    struct rows rows;
    if (!arguments_are(count, ROW_COLUMNS + 2, ROW_COLUMNS + 2)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    if (!queue) return NULL;
    unsigned long long first = PyLong_AsUnsignedLongLong(arguments[ROW_COLUMNS + 1]);
    if (PyErr_Occurred() || !rows_from(self, arguments + 1, first, &rows)) return NULL;
    PyObject *result = NULL;
    struct operation_object *operation = operation_new(queue, convert_nothing, NULL, object);
    if (operation) {
        shf_call call = operation_call(operation);
        shf_status status;
        /* The rows are checked and copied, which takes as long as some thousand lookups. */
        Py_BEGIN_ALLOW_THREADS
        status = shf_write(self->writer, rows.rows, rows.count, &call, &operation->id);
        Py_END_ALLOW_THREADS
        result = operation_submitted(operation, status);
    }
    rows_clear(&rows);
    return result;
}

static PyObject *shard_object(const shf_shard_info *info) {
    return Py_BuildValue("{sI sI sK sK sz sz sz sz}", "db_id", (unsigned int)info->shard, "attempt",
                         (unsigned int)info->attempt, "row_count", (unsigned long long)info->row_count, "db_bytes",
                         (unsigned long long)info->db_bytes, "min_key", info->min_key, "max_key", info->max_key,
                         "db_url", info->db_url, "checkpoint_id", info->checkpoint_id);
}

/* Those that are not empty. */
static PyObject *shards_object(struct module_state *state, const shf_op *op, uint32_t num_dbs) {
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < num_dbs; i++) {
        shf_shard_info info;
        SHF_INIT(&info);
        shf_status status = shf_op_publish_shard(op, i, &info);
        if (!status && info.is_empty) continue;
        PyObject *shard = status ? raise_status(state, status, NULL) : shard_object(&info);
        if (!shard || PyList_Append(list, shard)) Py_CLEAR(list);
        Py_XDECREF(shard);
    }
    return list;
}

static PyObject *convert_publish(struct operation_object *operation, shf_op *op) {
    shf_publish_info info;
    SHF_INIT(&info);
    shf_status status = shf_op_publish_info(op, &info);
    if (status) return raise_status(operation->state, status, NULL);
    PyObject *shards = shards_object(operation->state, op, info.num_dbs);
    if (!shards) return NULL;
#define COUNT(name) #name, (unsigned long long)info.name
#define TIME(name) #name, (long long)info.name
    return Py_BuildValue("{ss sz sz sK sK sK sK sK sK sK sK sK sd sK sL sL sL sL sN}", "run_id", info.run_id,
                         "manifest_ref", info.manifest_ref, "run_record", info.run_record, COUNT(num_dbs), COUNT(rows),
                         COUNT(rows_replaced), COUNT(db_bytes), COUNT(spilled_bytes), COUNT(shard_retries),
                         COUNT(attempts_left), COUNT(rows_cut), COUNT(training_rows), "inertia", info.inertia,
                         COUNT(training_rounds), TIME(training_ns), TIME(sort_ns), TIME(build_ns), TIME(publish_ns),
                         "shards", shards);
#undef TIME
#undef COUNT
}

static void explain_publish(const shf_op *op, PyObject *exception) {
    const char *left = shf_op_publish_left_manifest(op);
    PyObject *text = left ? PyUnicode_FromString(left) : NULL;
    if (!text || PyObject_SetAttrString(exception, "manifest_ref", text)) PyErr_Clear();
    Py_XDECREF(text);
}

/* submit_publish(queue) */
static PyObject *writer_submit_publish(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct writer_object *self = (struct writer_object *)object;
    if (!arguments_are(count, 1, 1)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    struct operation_object *operation = queue ? operation_new(queue, convert_publish, NULL, object) : NULL;
    if (!operation) return NULL;
    operation->explain = explain_publish;
    shf_call call = operation_call(operation);
    return operation_submitted(operation, shf_publish(self->writer, &call, &operation->id));
}

/* submit_close(queue) */
static PyObject *writer_submit_close(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct writer_object *self = (struct writer_object *)object;
    if (!arguments_are(count, 1, 1)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    struct operation_object *operation = queue ? operation_new(queue, convert_nothing, NULL, object) : NULL;
    if (!operation) return NULL;
    shf_call call = operation_call(operation);
    return operation_submitted(operation, shf_writer_close(self->writer, &call, &operation->id));
}

static const char *phase_name(uint32_t phase) {
    static const char *const names[] = {"", "write", "sort", "build", "publish", "done", "failed"};
    return phase < sizeof names / sizeof *names ? names[phase] : "";
}

static PyObject *writer_progress(PyObject *object, PyObject *unused) {
    (void)unused;
    struct writer_object *self = (struct writer_object *)object;
    shf_writer_progress progress;
    SHF_INIT(&progress);
    shf_status status = shf_writer_progress_get(self->writer, &progress);
    if (status) return raise_status(self->state, status, NULL);
#define COUNT(name) #name, (unsigned long long)progress.name
    return Py_BuildValue("{ss sK sK sK sK sK sK sK sK}", "phase", phase_name(progress.phase), COUNT(num_dbs),
                         COUNT(shards_done), COUNT(rows), COUNT(bytes), COUNT(spilled_bytes), COUNT(rows_built),
                         COUNT(built_bytes), COUNT(uploaded_bytes));
#undef COUNT
}

static PyObject *writer_get_run_id(PyObject *object, void *unused) {
    (void)unused;
    return PyUnicode_FromString(shf_writer_run_id(((struct writer_object *)object)->writer));
}

static void writer_dealloc(PyObject *object) {
    struct writer_object *self = (struct writer_object *)object;
    shf_writer_release(self->writer);
    Py_XDECREF((PyObject *)self->runtime);
    module_object_free(object);
}

#define FAST(name)                                                                                                     \
    { #name, (PyCFunction)(void (*)(void))writer_##name, METH_FASTCALL, NULL }
static PyMethodDef methods[] = {
    {"submit_open", writer_submit_open, METH_VARARGS | METH_CLASS, NULL},
    FAST(submit_write),
    FAST(submit_publish),
    FAST(submit_close),
    {"progress", writer_progress, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"run_id", writer_get_run_id, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, writer_dealloc}, {Py_tp_methods, methods}, {Py_tp_getset, attributes}, {0, NULL}};

static PyType_Spec spec = {.name = "shardyfusion._shardyfusion.Writer",
                           .basicsize = sizeof(struct writer_object),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool writer_type_make(PyObject *module, struct module_state *state) {
    return module_type_make(module, &spec, &state->writer_type);
}
