/* Completion queues: one an event loop, which watches its descriptor, and some for calls that wait. */
#include "runtime.h"

#define TAKEN_AT_ONCE 64u

static PyObject *queue_new(PyTypeObject *type, PyObject *arguments, PyObject *named) {
    static char *names[] = {(char *)"runtime", (char *)"capacity", NULL};
    struct module_state *state = module_state_of(type);
    PyObject *runtime;
    unsigned int capacity = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, named, "O!|I", names, state->runtime_type, &runtime, &capacity))
        return NULL;
    shf_runtime *library = runtime_of(runtime);
    if (!library) return NULL;
    struct queue_object *self = (struct queue_object *)PyType_GenericAlloc(type, 0);
    if (!self) return NULL;
    self->state = state;
    self->runtime = (struct runtime_object *)Py_NewRef(runtime);
    shf_status status = shf_cq_new(library, capacity, &self->cq);
    if (!status) return (PyObject *)self;
    (void)raise_status(state, status, NULL);
    Py_DECREF((PyObject *)self);
    return NULL;
}

struct queue_object *queue_of(struct module_state *state, PyObject *object) {
    if (!Py_IS_TYPE(object, state->queue_type)) {
        PyErr_SetString(PyExc_TypeError, "a Queue is needed");
        return NULL;
    }
    struct queue_object *self = (struct queue_object *)object;
    if (self->cq) return self;
    (void)raise_status(state, SHF_E_CLOSED, NULL);
    return NULL;
}

/* Until the queue is empty, which arms its descriptor again. */
static size_t drain(struct queue_object *self) {
    size_t total = 0, count;
    shf_op *ops[TAKEN_AT_ONCE];
    while (self->cq && (count = shf_cq_poll(self->cq, ops, TAKEN_AT_ONCE, 0)) > 0) {
        for (size_t i = 0; i < count; i++) operation_finished(shf_op_tag(ops[i]), ops[i]);
        total += count;
    }
    runtime_flush_log(self->runtime);
    return total;
}

static PyObject *queue_drain(PyObject *object, PyObject *unused) {
    (void)unused;
    runtime_stand_still(((struct queue_object *)object)->runtime);
    Py_INCREF(object); /* what a finished operation lets go may drop the last reference */
    size_t total = drain((struct queue_object *)object);
    Py_DECREF(object);
    return PyLong_FromSize_t(total);
}

static PyObject *queue_fileno(PyObject *object, PyObject *unused) {
    (void)unused;
    return PyLong_FromLong(shf_cq_fd(((struct queue_object *)object)->cq));
}

static void cancel_all(struct queue_object *self) {
    for (struct operation_object *operation = self->pending; operation; operation = operation->next)
        (void)shf_cancel(self->runtime->runtime, operation->id);
}

static PyObject *queue_cancel(PyObject *object, PyObject *unused) {
    (void)unused;
    cancel_all((struct queue_object *)object);
    Py_RETURN_NONE;
}

/*
 * The futures of what is on its way, in a list. To let one go runs code of the program, which may come back to this very
 * queue: that is for after the walk. NULL when there is no memory; futures that are left are told, then.
 */
static PyObject *take_futures(struct queue_object *self) {
    PyObject *list = PyList_New(0);
    for (struct operation_object *operation = self->pending; list && operation; operation = operation->next) {
        PyObject *future = operation->future;
        if (!future) continue;
        if (PyList_Append(list, future)) break;
        operation->future = NULL;
        operation->is_unwanted = true; /* the task that awaits it, which may live on, keeps nothing of the core */
        Py_DECREF(future);             /* the list has it */
    }
    PyErr_Clear();
    return list;
}

/*
 * abandon([forever]): cancels what is on its way; nobody will hear of it. Closes the queue unless something of that still
 * runs. forever: for the end of the program. What waits for its futures is not let go either, so that no task complains;
 * and the queue stays open, since libuv aborts when a loop of another thread watches a descriptor that is gone.
 */
static PyObject *queue_abandon(PyObject *object, PyObject *const *arguments, Py_ssize_t count) {
    struct queue_object *self = (struct queue_object *)object;
    bool forever = count == 1 && arguments[0] == Py_True;
    PyObject *futures = take_futures(self);
    cancel_all(self);
    (void)drain(self);
    if (!forever && self->cq && !shf_cq_free(self->cq)) self->cq = NULL;
    bool closed = self->cq == NULL;
    if (!forever) Py_XDECREF(futures);
    return PyBool_FromLong(closed);
}

static void queue_dealloc(PyObject *object) {
    struct queue_object *self = (struct queue_object *)object;
    /* Every pending operation holds the queue: there is none. After a fork this closes the descriptor. */
    (void)shf_cq_free(self->cq);
    Py_XDECREF((PyObject *)self->runtime);
    module_object_free(object);
}

static PyMethodDef methods[] = {
    {"drain", queue_drain, METH_NOARGS, NULL},
    {"fileno", queue_fileno, METH_NOARGS, NULL},
    {"cancel", queue_cancel, METH_NOARGS, NULL},
    {"abandon", (PyCFunction)(void (*)(void))queue_abandon, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {{Py_tp_new, queue_new}, {Py_tp_dealloc, queue_dealloc}, {Py_tp_methods, methods}, {0, NULL}};

static PyType_Spec spec = {.name = "shardyfusion._shardyfusion.Queue",
                           .basicsize = sizeof(struct queue_object),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

bool queue_type_make(PyObject *module, struct module_state *state) {
    return module_type_make(module, &spec, &state->queue_type);
}
