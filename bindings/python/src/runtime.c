/* The runtime of a process: threads, connections, the memory budget, the log. */
#include "runtime.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void log_put(void *context, int level, const char *message) {
    struct log_ring *ring = context;
    (void)pthread_mutex_lock(&ring->mutex);
    if (ring->count == LOG_PLACES) {
        ring->lost++;
    } else {
        struct log_message *place = &ring->messages[(ring->first + ring->count++) % LOG_PLACES];
        place->level = level;
        (void)snprintf(place->text, sizeof place->text, "%s", message);
    }
    (void)pthread_mutex_unlock(&ring->mutex);
}

static bool log_take(struct log_ring *ring, struct log_message *out, size_t *lost) {
    (void)pthread_mutex_lock(&ring->mutex);
    bool found = ring->count != 0;
    if (found) {
        *out = ring->messages[ring->first];
        ring->first = (ring->first + 1) % LOG_PLACES;
        ring->count--;
    }
    *lost = ring->lost;
    ring->lost = 0;
    (void)pthread_mutex_unlock(&ring->mutex);
    return found;
}

static void log_call(struct runtime_object *runtime, int level, const char *text) {
    PyObject *message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "backslashreplace");
    PyObject *result = message ? PyObject_CallFunction(runtime->log, "iO", level, message) : NULL;
    if (!result) PyErr_WriteUnraisable(runtime->log);
    Py_XDECREF(message);
    Py_XDECREF(result);
}

void runtime_flush_log(struct runtime_object *runtime) {
    struct log_message message;
    size_t lost;
    if (!runtime->log) return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    while (log_take(runtime->ring, &message, &lost)) {
        log_call(runtime, message.level, message.text);
        if (!lost) continue;
        (void)snprintf(message.text, sizeof message.text, "%zu messages were lost here: too many at once", lost);
        log_call(runtime, SHF_LOG_WARNING, message.text);
    }
    PyErr_Restore(type, value, traceback);
}

bool runtime_ends_elsewhere(const struct runtime_object *runtime) {
    return runtime->last_thread && runtime->last_thread != PyThread_get_thread_ident();
}

void runtime_stand_still(const struct runtime_object *runtime) {
    if (!runtime_ends_elsewhere(runtime)) return;
    Py_BEGIN_ALLOW_THREADS
    for (;;) (void)pause();
    Py_END_ALLOW_THREADS
}

static PyObject *runtime_new(PyTypeObject *type, PyObject *arguments, PyObject *named) {
    static char *names[] = {(char *)"worker_threads",
                            (char *)"memory_budget_bytes",
                            (char *)"max_inflight_ops",
                            (char *)"log_level",
                            (char *)"log",
                            NULL};
    unsigned int workers = 0, inflight = 0, level = 0;
    unsigned long long budget = 0;
    PyObject *log = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "|$IKIIO", names, &workers, &budget, &inflight, &level, &log))
        return NULL;
    struct runtime_object *self = (struct runtime_object *)PyType_GenericAlloc(type, 0);
    if (!self) return NULL;
    self->state = module_state_of(type);
    self->ring = PyMem_Calloc(1, sizeof *self->ring);
    if (!self->ring) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    (void)pthread_mutex_init(&self->ring->mutex, NULL);
    self->log = log == Py_None ? NULL : Py_NewRef(log);
    shf_runtime_options options;
    SHF_INIT(&options);
    options.worker_threads = workers;
    options.memory_budget_bytes = budget;
    options.max_inflight_ops = inflight;
    options.log_level = level;
    options.log = self->log ? log_put : NULL;
    options.log_context = self->ring;
    shf_status status = shf_runtime_new(&options, &self->runtime);
    if (!status) return (PyObject *)self;
    (void)raise_status(self->state, status, NULL);
    Py_DECREF((PyObject *)self);
    return NULL;
}

/* Whether it is closed now. Its threads end meanwhile, so others may run. */
static bool close_now(struct runtime_object *self) {
    if (!self->runtime) return true;
    shf_runtime *runtime = self->runtime;
    shf_status status;
    self->runtime = NULL;
    Py_BEGIN_ALLOW_THREADS
    status = shf_runtime_free(runtime);
    Py_END_ALLOW_THREADS
    if (status) self->runtime = runtime;
    return !status;
}

static PyObject *runtime_close(PyObject *object, PyObject *unused) {
    (void)unused;
    struct runtime_object *self = (struct runtime_object *)object;
    return PyBool_FromLong(close_now(self));
}

static PyObject *runtime_last_thread(PyObject *object, PyObject *unused) {
    (void)unused;
    ((struct runtime_object *)object)->last_thread = PyThread_get_thread_ident();
    Py_RETURN_NONE;
}

static void runtime_dealloc(PyObject *object) {
    struct runtime_object *self = (struct runtime_object *)object;
    /* Nothing of it lives any more, as everything holds it. A runtime that is busy all the same stays, with its ring. */
    bool closed = close_now(self);
    Py_XDECREF(self->log);
    if (closed && self->ring) {
        (void)pthread_mutex_destroy(&self->ring->mutex);
        PyMem_Free(self->ring);
    }
    module_object_free(object);
}

shf_runtime *runtime_of(PyObject *object) {
    struct runtime_object *self = (struct runtime_object *)object;
    if (!self->runtime) (void)raise_status(self->state, SHF_E_CLOSED, NULL);
    return self->runtime;
}

static PyObject *runtime_stats(PyObject *object, PyObject *unused) {
    (void)unused;
    shf_runtime *runtime = runtime_of(object);
    if (!runtime) return NULL;
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    shf_status status = shf_runtime_stats_get(runtime, &stats);
    if (status) return raise_status(((struct runtime_object *)object)->state, status, NULL);
#define COUNT(name) #name, (unsigned long long)stats.name
    return Py_BuildValue("{sK sK sK sK sK sK sK sK sK sK sK}", COUNT(inflight_ops), COUNT(budget_bytes),
                         COUNT(budget_used_bytes), COUNT(mapped_bytes), COUNT(store_requests), COUNT(store_retries),
                         COUNT(downloaded_bytes), COUNT(uploaded_bytes), COUNT(cache_hits), COUNT(cache_misses),
                         COUNT(refresh_failures));
#undef COUNT
}

static PyMethodDef methods[] = {
    {"close", runtime_close, METH_NOARGS, NULL},
    {"last_thread", runtime_last_thread, METH_NOARGS, NULL},
    {"stats", runtime_stats, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, runtime_new}, {Py_tp_dealloc, runtime_dealloc}, {Py_tp_methods, methods}, {0, NULL}};

static PyType_Spec spec = {.name = "shardyfusion._shardyfusion.Runtime",
                           .basicsize = sizeof(struct runtime_object),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

bool runtime_type_make(PyObject *module, struct module_state *state) {
    return module_type_make(module, &spec, &state->runtime_type);
}
