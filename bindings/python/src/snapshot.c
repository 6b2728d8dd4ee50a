/* Pinned snapshots: what they are, where keys go, lookups of stored keys in one shard. No I/O but those lookups. */
#include "reader.h"
#include "vectors.h"

static PyObject *described(const struct snapshot_object *self, shf_status status) {
    return raise_status(self->state, status, NULL);
}

/* info() -> dict */
static PyObject *snapshot_info(PyObject *object, PyObject *unused) {
    (void)unused;
    struct snapshot_object *self = (struct snapshot_object *)object;
    shf_snapshot_info info;
    SHF_INIT(&info);
    shf_status status = shf_snapshot_describe(self->snapshot, &info);
    if (status) return described(self, status);
    return Py_BuildValue("{sI sI sI sz sz sz sz sz sL sL sK}", "kind", (unsigned int)info.kind, "num_dbs",
                         (unsigned int)info.num_dbs, "sharding", (unsigned int)info.sharding, "run_id", info.run_id,
                         "manifest_ref", info.manifest_ref, "created_at", info.created_at, "key_encoding",
                         info.key_encoding, "hash_algorithm", info.hash_algorithm, "created_at_us",
                         (long long)info.created_at_us, "published_at_us", (long long)info.published_at_us, "row_count",
                         (unsigned long long)info.row_count);
}

/* shard(id) -> dict */
static PyObject *snapshot_shard(PyObject *object, PyObject *argument) {
    struct snapshot_object *self = (struct snapshot_object *)object;
    unsigned long id = PyLong_AsUnsignedLong(argument);
    if (id == (unsigned long)-1 && PyErr_Occurred()) return NULL;
    shf_shard_info info;
    SHF_INIT(&info);
    shf_status status = id > UINT32_MAX ? SHF_E_INVALID : shf_snapshot_shard(self->snapshot, (uint32_t)id, &info);
    if (status) return described(self, status);
    return Py_BuildValue("{sI sI sK sK sz sz sz sz sz}", "db_id", (unsigned int)info.shard, "attempt",
                         (unsigned int)info.attempt, "row_count", (unsigned long long)info.row_count, "db_bytes",
                         (unsigned long long)info.db_bytes, "min_key", info.min_key, "max_key", info.max_key, "db_url",
                         info.is_empty ? NULL : info.db_url, "checkpoint_id", info.checkpoint_id, "writer_info",
                         info.writer_info);
}

/* vectors() -> dict, or None for a snapshot without vectors */
static PyObject *snapshot_vectors(PyObject *object, PyObject *unused) {
    (void)unused;
    struct snapshot_object *self = (struct snapshot_object *)object;
    shf_vector_info info;
    SHF_INIT(&info);
    shf_status status = shf_snapshot_vectors(self->snapshot, &info);
    if (status == SHF_E_INVALID) Py_RETURN_NONE;
    if (status) return described(self, status);
    return Py_BuildValue("{sI sz sz sz sz sz sz sz sI}", "dim", (unsigned int)info.dimension, "metric", info.metric,
                         "index_type", info.index_type, "quantization", info.quantization, "index_params",
                         info.index_params, "backend", info.backend, "kv_backend", info.kv_backend, "sharding_strategy",
                         info.sharding_strategy, "num_probes", (unsigned int)info.num_probes);
}

/* route(key[, context]) -> shard */
static PyObject *snapshot_route(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct snapshot_object *self = (struct snapshot_object *)object;
    struct context storage;
    const shf_routing_context *context;
    shf_key key;
    uint32_t shard;
    shf_error *error = NULL;
    if (!arguments_are(count, 1, 2) || !key_from(self->state, arguments[0], &key)) return NULL;
    if (!context_from(self->state, count == 2 ? arguments[1] : NULL, &storage, &context)) return NULL;
    shf_status status = shf_snapshot_route_key(self->snapshot, &key, context, &shard, &error);
    context_clear(&storage);
    PyObject *result = status ? raise_status(self->state, status, error) : PyLong_FromUnsignedLong(shard);
    shf_error_free(error);
    return result;
}

static PyObject *list_of(const uint32_t *shards, uint32_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (uint32_t i = 0; list && i < count; i++) {
        PyObject *shard = PyLong_FromUnsignedLong(shards[i]);
        if (shard) {
            (void)PyList_SetItem(list, (Py_ssize_t)i, shard); /* takes the reference */
        } else {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *routed(const struct snapshot_object *self, const struct vectors *vector,
                        const shf_routing_context *context, uint32_t num_probes) {
    shf_snapshot_info info;
    SHF_INIT(&info);
    shf_status status = shf_snapshot_describe(self->snapshot, &info);
    if (status) return described(self, status);
    uint32_t count = 0, *shards = PyMem_Calloc(info.num_dbs ? info.num_dbs : 1, sizeof *shards);
    if (!shards) return PyErr_NoMemory();
    shf_error *error = NULL;
    status = shf_snapshot_route_vector(self->snapshot, vector->data, vector->dimension, context, num_probes, shards,
                                       info.num_dbs, &count, &error);
    PyObject *result = status ? raise_status(self->state, status, error) : list_of(shards, count);
    shf_error_free(error);
    PyMem_Free(shards);
    return result;
}

/* route_vector(query or None, num_probes, context) -> list of shards */
static PyObject *snapshot_route_vector(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct snapshot_object *self = (struct snapshot_object *)object;
    struct vectors vector = {0};
    struct context storage;
    const shf_routing_context *context;
    uint32_t num_probes;
    if (!arguments_are(count, 3, 3) || !whole_number(self->state, arguments[1], "num_probes", 0, &num_probes) ||
        !context_from(self->state, arguments[2], &storage, &context)) {
        return NULL;
    }
    PyObject *result = NULL;
    if (arguments[0] == Py_None || vectors_from_one(self->state, arguments[0], &vector)) {
        result = routed(self, &vector, context, num_probes);
        vectors_clear(&vector);
    }
    context_clear(&storage);
    return result;
}

/* ---- stored keys ---- */

/* The slices of a tuple of bytes; the caller frees them. */
static shf_slice *stored_keys_from(struct module_state *state, PyObject *tuple) {
    Py_ssize_t count = PyTuple_Size(tuple);
    shf_slice *keys = PyMem_Calloc(count ? (size_t)count : 1, sizeof *keys);
    if (!keys) return (shf_slice *)PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *key = PyTuple_GetItem(tuple, i);
        if (!PyBytes_Check(key)) {
            PyMem_Free(keys);
            return (shf_slice *)raise_invalid(state, "a handle of one shard looks stored keys up: they are bytes");
        }
        keys[i] = (shf_slice){PyBytes_AsString(key), (size_t)PyBytes_Size(key)};
    }
    return keys;
}

/* The shard of the first and the tuple of the second of two arguments. */
static bool stored_arguments(PyObject *const *arguments, uint32_t *shard, PyObject **tuple) {
    unsigned long id = PyLong_AsUnsignedLong(arguments[0]);
    if (id == (unsigned long)-1 && PyErr_Occurred()) return false;
    *shard = (uint32_t)id;
    *tuple = PySequence_Tuple(arguments[1]);
    return *tuple != NULL;
}

/* get_stored(shard, keys) -> dict or WOULD_WAIT */
PyObject *snapshot_get_stored(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct snapshot_object *self = (struct snapshot_object *)object;
    uint32_t shard;
    PyObject *tuple, *result = NULL;
    shf_op *op = NULL;
    if (!arguments_are(count, 2, 2) || !stored_arguments(arguments, &shard, &tuple)) return NULL;
    shf_slice *keys = stored_keys_from(self->state, tuple);
    if (keys) {
        shf_status status =
            shf_get_stored_now(self->reader->reader, self->snapshot, shard, keys, (size_t)PyTuple_Size(tuple), &op);
        result = answer_object(self->state, status, op, tuple, values_object);
        PyMem_Free(keys);
    }
    Py_DECREF(tuple);
    return result;
}

/* submit_get_stored(queue, shard, keys) -> Operation or None */
PyObject *snapshot_submit_get_stored(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct snapshot_object *self = (struct snapshot_object *)object;
    uint32_t shard;
    PyObject *tuple, *result = NULL;
    if (!arguments_are(count, 3, 3)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    if (!queue || !stored_arguments(arguments + 1, &shard, &tuple)) return NULL;
    shf_slice *keys = stored_keys_from(self->state, tuple);
    struct operation_object *operation = keys ? operation_new(queue, convert_values, tuple, object) : NULL;
    if (operation) {
        shf_call call = operation_call(operation);
        result = operation_submitted(operation, shf_get_stored(self->reader->reader, self->snapshot, shard, keys,
                                                               (size_t)PyTuple_Size(tuple), &call, &operation->id));
    }
    PyMem_Free(keys);
    Py_DECREF(tuple);
    return result;
}

static void snapshot_dealloc(PyObject *object) {
    struct snapshot_object *self = (struct snapshot_object *)object;
    shf_snapshot_release(self->snapshot);
    Py_XDECREF((PyObject *)self->reader);
    module_object_free(object);
}

#define FAST(name)                                                                                                     \
    { #name, (PyCFunction)(void (*)(void))snapshot_##name, METH_FASTCALL, NULL }
static PyMethodDef methods[] = {
    {"info", snapshot_info, METH_NOARGS, NULL},
    {"shard", snapshot_shard, METH_O, NULL},
    {"vectors", snapshot_vectors, METH_NOARGS, NULL},
    FAST(route),
    FAST(route_vector),
    FAST(get_stored),
    FAST(submit_get_stored),
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {{Py_tp_dealloc, snapshot_dealloc}, {Py_tp_methods, methods}, {0, NULL}};

static PyType_Spec spec = {.name = "shardyfusion._shardyfusion.Snapshot",
                           .basicsize = sizeof(struct snapshot_object),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool snapshot_type_make(PyObject *module, struct module_state *state) {
    return module_type_make(module, &spec, &state->snapshot_type);
}
