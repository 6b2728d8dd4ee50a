/* search and batch_search: always submitted, since they take the workers' time. */
#include "reader.h"
#include "vectors.h"

#include <string.h>

/* ---- answers ---- */

static PyObject *json_decoder(struct module_state *state) {
    PyObject *class = NULL, *decoder = NULL;
    if (module_import(&class, "json", "JSONDecoder")) decoder = PyObject_CallNoArgs(class);
    if (decoder) state->json_decode = PyObject_GetAttrString(decoder, "raw_decode");
    Py_XDECREF(class);
    Py_XDECREF(decoder);
    return state->json_decode;
}

/* What json.loads gives. The decoder's raw_decode is spared its frames, and leaves what it does not like to it. */
static PyObject *payload_object(struct module_state *state, shf_slice payload) {
    if (!payload.data) Py_RETURN_NONE;
    PyObject *decode = state->json_decode ? state->json_decode : json_decoder(state);
    PyObject *text = decode ? PyUnicode_FromStringAndSize(payload.data, (Py_ssize_t)payload.size) : NULL;
    if (!text) return NULL;
    PyObject *object = NULL, *pair = PyObject_CallFunctionObjArgs(decode, text, NULL);
    if (pair && PyTuple_Check(pair) && PyTuple_Size(pair) == 2 &&
        PyLong_AsSsize_t(PyTuple_GetItem(pair, 1)) == PyUnicode_GetLength(text)) {
        object = Py_NewRef(PyTuple_GetItem(pair, 0));
    } else {
        PyErr_Clear();
        PyObject *loads = module_import(&state->json_loads, "json", "loads");
        if (loads) object = PyObject_CallFunctionObjArgs(loads, text, NULL);
    }
    Py_XDECREF(pair);
    Py_DECREF(text);
    return object;
}

static PyObject *id_object(const shf_vector_id *id) {
    if (id->kind == SHF_ID_INT) return PyLong_FromLongLong(id->int_value);
    return PyUnicode_DecodeUTF8(id->text.data, (Py_ssize_t)id->text.size, "strict");
}

/* A payload is not looked at by the library: that it can not be read is told here. */
static PyObject *unreadable(struct module_state *state, const shf_hit *hit) {
    if (PyErr_ExceptionMatches(PyExc_MemoryError)) return NULL;
    PyErr_Clear();
    return raise_message(state, SHF_E_CORRUPT, "a row of shard %u has an id or payload that is not UTF-8, or no JSON",
                         hit->shard);
}

/* As __init__ of a frozen dataclass would fill it: nothing but object.__setattr__ may. */
static PyObject *filled_object(PyObject *class, size_t count, PyObject *const *names, PyObject *const *values) {
    PyObject *made = PyType_GenericAlloc((PyTypeObject *)class, 0);
    for (size_t i = 0; made && i < count; i++) {
        if (PyObject_GenericSetAttr(made, names[i], values[i])) Py_CLEAR(made);
    }
    return made;
}

static PyObject *hit_object(struct module_state *state, const shf_hit *hit) {
    PyObject *class = module_import(&state->search_result, "shardyfusion.vector.types", "SearchResult");
    if (!class) return NULL;
    PyObject *id = id_object(&hit->id), *payload = id ? payload_object(state, hit->payload) : NULL;
    PyObject *score = payload ? PyFloat_FromDouble(hit->score) : NULL;
    PyObject *values[] = {id, score, Py_None, payload};
    PyObject *made = score ? filled_object(class, 4, state->result_fields, values) : NULL;
    if (!id || !payload) made = unreadable(state, hit);
    Py_XDECREF(score);
    Py_XDECREF(payload);
    Py_XDECREF(id);
    return made;
}

static PyObject *hits_list(struct module_state *state, const shf_op *op, size_t query) {
    size_t count = shf_op_hit_count(op, query);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        shf_hit hit;
        SHF_INIT(&hit);
        shf_status status = shf_op_hit(op, query, i, &hit);
        PyObject *object = status ? raise_status(state, status, NULL) : hit_object(state, &hit);
        if (object) {
            (void)PyList_SetItem(list, (Py_ssize_t)i, object); /* takes the reference */
        } else {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *response_object(struct module_state *state, const shf_op *op, size_t query) {
    PyObject *class = module_import(&state->search_response, "shardyfusion.vector.types", "VectorSearchResponse");
    PyObject *hits = class ? hits_list(state, op, query) : NULL;
    if (!hits) return NULL;
    shf_search_info info;
    SHF_INIT(&info);
    shf_status status = shf_op_search_info(op, query, &info);
    if (status) {
        Py_DECREF(hits);
        return raise_status(state, status, NULL);
    }
    PyObject *shards = PyLong_FromUnsignedLong(info.num_shards_queried);
    PyObject *latency = shards ? PyFloat_FromDouble((double)info.latency_ns / 1e6) : NULL;
    PyObject *values[] = {hits, shards, latency};
    PyObject *made = latency ? filled_object(class, 3, state->response_fields, values) : NULL;
    Py_XDECREF(latency);
    Py_XDECREF(shards);
    Py_DECREF(hits);
    return made;
}

static PyObject *convert_search(struct operation_object *operation, shf_op *op) {
    return response_object(operation->state, op, 0);
}

static PyObject *convert_batch(struct operation_object *operation, shf_op *op) {
    size_t count = shf_op_query_count(op);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *response = response_object(operation->state, op, i);
        if (response) {
            (void)PyList_SetItem(list, (Py_ssize_t)i, response);
        } else {
            Py_CLEAR(list);
        }
    }
    return list;
}

/* ---- questions ---- */

/* What all queries of one call share. */
struct question {
    shf_query query; /* without its vector */
    uint32_t *shard_ids;
    struct context context;
};

static bool shard_ids_from(struct module_state *state, PyObject *object, struct question *out) {
    static uint32_t none;
    if (object == Py_None) return true;
    PyObject *tuple = PySequence_Tuple(object);
    if (!tuple) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) return false;
        PyErr_Clear();
        (void)raise_invalid(state, "shard_ids must be a sequence of ints, or None");
        return false;
    }
    Py_ssize_t count = PyTuple_Size(tuple);
    bool fits = count <= UINT32_MAX;
    out->shard_ids = count ? PyMem_Calloc((size_t)count, sizeof *out->shard_ids) : NULL;
    if (count && !out->shard_ids) {
        (void)PyErr_NoMemory();
        fits = false;
    }
    for (Py_ssize_t i = 0; fits && i < count; i++)
        fits = whole_number(state, PyTuple_GetItem(tuple, i), "a shard id", 0, &out->shard_ids[i]);
    Py_DECREF(tuple);
    out->query.shard_count = (uint32_t)count;
    out->query.shard_ids = count ? out->shard_ids : &none;
    return fits;
}

static void question_clear(struct question *question) {
    PyMem_Free(question->shard_ids);
    question->shard_ids = NULL;
    context_clear(&question->context);
}

/* top_k, shard_ids, routing_context, num_probes. */
static bool question_from(struct module_state *state, PyObject *const *arguments, struct question *out) {
    SHF_INIT(&out->query);
    out->shard_ids = NULL;
    out->context.held = NULL;
    bool made = whole_number(state, arguments[0], "top_k", 1, &out->query.top_k) &&
                shard_ids_from(state, arguments[1], out) &&
                context_from(state, arguments[2], &out->context, &out->query.context) &&
                whole_number(state, arguments[3], "num_probes", 0, &out->query.num_probes);
    if (!made) question_clear(out);
    return made;
}

/* submit_search(queue, query, top_k, shard_ids, routing_context, num_probes) */
PyObject *reader_submit_search(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    struct question question;
    struct vectors vector;
    if (!arguments_are(count, 6, 6)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    if (!queue || !question_from(self->state, arguments + 2, &question)) return NULL;
    PyObject *result = NULL;
    if (vectors_from_one(self->state, arguments[1], &vector)) {
        struct operation_object *operation = operation_new(queue, convert_search, NULL, object);
        question.query.vector = vector.data;
        question.query.dimension = vector.dimension;
        if (operation) {
            shf_call call = operation_call(operation);
            result = operation_submitted(operation, shf_search(self->reader, &question.query, &call, &operation->id));
        }
        vectors_clear(&vector);
    }
    question_clear(&question);
    return result;
}

/* submit_batch_search(queue, queries, top_k, shard_ids, routing_context, num_probes) */
PyObject *reader_submit_batch_search(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct reader_object *self = (struct reader_object *)object;
    struct question question;
    struct vectors vectors;
    if (!arguments_are(count, 6, 6)) return NULL;
    struct queue_object *queue = queue_of(self->state, arguments[0]);
    if (!queue || !question_from(self->state, arguments + 2, &question)) return NULL;
    PyObject *result = NULL;
    if (vectors_from_many(self->state, arguments[1], &vectors)) {
        shf_query *queries = PyMem_Calloc(vectors.count ? vectors.count : 1, sizeof *queries);
        struct operation_object *operation = queries ? operation_new(queue, convert_batch, NULL, object) : NULL;
        for (size_t i = 0; queries && i < vectors.count; i++) {
            queries[i] = question.query;
            queries[i].vector = vectors.data + i * vectors.dimension;
            queries[i].dimension = vectors.dimension;
        }
        if (!queries) (void)PyErr_NoMemory();
        if (operation) {
            shf_call call = operation_call(operation);
            result = operation_submitted(operation,
                                         shf_batch_search(self->reader, queries, vectors.count, &call, &operation->id));
        }
        PyMem_Free(queries);
        vectors_clear(&vectors);
    }
    question_clear(&question);
    return result;
}
