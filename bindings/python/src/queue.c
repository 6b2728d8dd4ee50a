/* Completion queues: one an event loop, which watches its descriptor, and some for calls that wait. */
#include "runtime.h"

#define TAKEN_AT_ONCE 64u

static PyObject *queue_new(PyTypeObject *type, PyObject *arguments, PyObject *named) {
    static char *names[] = {"runtime", "capacity", NULL};
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
    self->waiters = PyList_New(0);
    shf_status status = SHF_OK;
    if (self->waiters) status = shf_cq_new(library, capacity, &self->cq);
    if (self->waiters && !status) return (PyObject *)self;
    if (status) (void)raise_status(state, status, NULL);
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

static void tell_waiters(struct queue_object *self) {
    Py_ssize_t count = PyList_Size(self->waiters);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *future = PyList_GetItem(self->waiters, i);
        PyObject *done = PyObject_CallMethodObjArgs(future, self->state->name_done, NULL);
        if (done == Py_False) {
            PyObject *told = PyObject_CallMethodObjArgs(future, self->state->name_set_result, Py_None, NULL);
            Py_XDECREF(told);
        }
        Py_XDECREF(done);
        if (PyErr_Occurred()) PyErr_WriteUnraisable(future);
    }
    if (PyList_SetSlice(self->waiters, 0, count, NULL)) PyErr_WriteUnraisable(self->waiters);
}

/* Until the queue is empty, which arms its descriptor again. */
static size_t drain(struct queue_object *self) {
    size_t total = 0, count;
    shf_op *ops[TAKEN_AT_ONCE];
    while (self->cq && (count = shf_cq_poll(self->cq, ops, TAKEN_AT_ONCE, 0)) > 0) {
        for (size_t i = 0; i < count; i++) operation_finished(shf_op_tag(ops[i]), ops[i]);
        total += count;
    }
    if (total && PyList_Size(self->waiters)) tell_waiters(self);
    runtime_flush_log(self->runtime);
    return total;
}

static PyObject *queue_drain(PyObject *object, PyObject *unused) {
    (void)unused;
    Py_INCREF(object); /* a future's callback may drop the last reference */
    size_t total = drain((struct queue_object *)object);
    Py_DECREF(object);
    return PyLong_FromSize_t(total);
}

static PyObject *queue_fileno(PyObject *object, PyObject *unused) {
    (void)unused;
    return PyLong_FromLong(shf_cq_fd(((struct queue_object *)object)->cq));
}

/* Cancels what is on its way; nobody will hear of it. Closes the queue unless something of that still runs. */
static PyObject *queue_abandon(PyObject *object, PyObject *unused) {
    (void)unused;
    struct queue_object *self = (struct queue_object *)object;
    for (struct operation_object *operation = self->pending; operation; operation = operation->next) {
        Py_CLEAR(operation->future);
        (void)shf_cancel(self->runtime->runtime, operation->id);
    }
    (void)drain(self);
    if (self->cq && !shf_cq_free(self->cq)) self->cq = NULL;
    return PyBool_FromLong(self->cq == NULL);
}

static PyObject *queue_waiters(PyObject *object, void *unused) {
    (void)unused;
    return Py_NewRef(((struct queue_object *)object)->waiters);
}

static void queue_dealloc(PyObject *object) {
    struct queue_object *self = (struct queue_object *)object;
    /* Every pending operation holds the queue: there is none. After a fork this closes the descriptor. */
    (void)shf_cq_free(self->cq);
    Py_XDECREF(self->waiters);
    Py_XDECREF((PyObject *)self->runtime);
    module_object_free(object);
}

static PyMethodDef methods[] = {
    {"drain", queue_drain, METH_NOARGS, NULL},
    {"fileno", queue_fileno, METH_NOARGS, NULL},
    {"abandon", queue_abandon, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"waiters", queue_waiters, NULL, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {{Py_tp_new, queue_new},
                              {Py_tp_dealloc, queue_dealloc},
                              {Py_tp_methods, methods},
                              {Py_tp_getset, attributes},
                              {0, NULL}};

static PyType_Spec spec = {.name = "shardyfusion._shardyfusion.Queue",
                           .basicsize = sizeof(struct queue_object),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

bool queue_type_make(PyObject *module, struct module_state *state) {
    return module_type_make(module, &spec, &state->queue_type);
}
