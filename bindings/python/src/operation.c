/* Operations that were submitted to a queue. */
#include "runtime.h"

#define WAIT_SLICE_MS 100 /* how long Ctrl-C may take to be noticed */

struct operation_object *operation_new(struct queue_object *queue,
                                       PyObject *(*convert)(struct operation_object *operation, shf_op *op),
                                       PyObject *subject, PyObject *owner) {
    PyTypeObject *type = queue->state->operation_type;
    struct operation_object *self = (struct operation_object *)PyType_GenericAlloc(type, 0);
    if (!self) return NULL;
    self->state = queue->state;
    self->queue = (struct queue_object *)Py_NewRef((PyObject *)queue);
    self->convert = convert;
    self->subject = subject ? Py_NewRef(subject) : NULL;
    self->owner = owner ? Py_NewRef(owner) : NULL;
    return self;
}

PyObject *convert_nothing(struct operation_object *operation, shf_op *op) {
    (void)operation;
    (void)op;
    Py_RETURN_NONE;
}

shf_call operation_call(struct operation_object *operation) {
    shf_call call;
    SHF_INIT(&call);
    call.cq = operation->queue->cq;
    call.tag = operation;
    return call;
}

PyObject *operation_submitted(struct operation_object *self, shf_status status) {
    if (status) {
        struct module_state *state = self->state;
        Py_DECREF((PyObject *)self);
        if (status == SHF_E_BUSY) Py_RETURN_NONE;
        return raise_status(state, status, NULL);
    }
    self->next = self->queue->pending;
    self->link = &self->queue->pending;
    if (self->next) self->next->link = &self->next;
    self->queue->pending = self;
    Py_INCREF((PyObject *)self); /* the library's */
    return (PyObject *)self;
}

static void leave_list(struct operation_object *self) {
    if (!self->link) return;
    *self->link = self->next;
    if (self->next) self->next->link = self->link;
    self->link = NULL;
    self->next = NULL;
}

/* The result, or NULL with the exception of the failed operation. */
static PyObject *take(struct operation_object *self, shf_op *op) {
    shf_status status = shf_op_status(op);
    if (!status) return self->convert(self, op);
    PyObject *exception = exception_of(self->state, status, shf_op_error(op));
    if (!exception) return NULL;
    if (self->explain) self->explain(op, exception);
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}

static void tell_future(struct operation_object *self, PyObject *future, shf_op *op) {
    PyObject *done = PyObject_CallMethodObjArgs(future, self->state->name_done, NULL);
    PyObject *told = NULL;
    if (done == Py_False) {
        PyObject *result = take(self, op);
        if (result) {
            told = PyObject_CallMethodObjArgs(future, self->state->name_set_result, result, NULL);
            Py_DECREF(result);
        } else {
            PyObject *type, *value, *traceback;
            PyErr_Fetch(&type, &value, &traceback);
            PyErr_NormalizeException(&type, &value, &traceback);
            told = PyObject_CallMethodObjArgs(future, self->state->name_set_exception, value, NULL);
            Py_XDECREF(type);
            Py_XDECREF(value);
            Py_XDECREF(traceback);
        }
    }
    if (PyErr_Occurred()) PyErr_WriteUnraisable(future);
    Py_XDECREF(told);
    Py_XDECREF(done);
}

void operation_finished(struct operation_object *self, shf_op *op) {
    leave_list(self);
    self->is_done = true;
    PyObject *future = self->future;
    self->future = NULL;
    if (future || self->is_unwanted) {
        if (future) tell_future(self, future, op);
        Py_XDECREF(future);
        shf_op_release(op);
        Py_CLEAR(self->subject);
        Py_CLEAR(self->owner);
    } else {
        self->finished = op;
    }
    Py_DECREF((PyObject *)self);
}

/* Its future is not told any more, and what it gives all the same is let go as soon as it comes. */
static PyObject *operation_cancel(PyObject *object, PyObject *unused) {
    (void)unused;
    struct operation_object *self = (struct operation_object *)object;
    if (!self->is_done) {
        PyObject *future = self->future;
        self->future = NULL;
        self->is_unwanted = true;
        (void)shf_cancel(self->queue->runtime->runtime, self->id);
        Py_XDECREF(future);
    }
    Py_RETURN_NONE;
}

static PyObject *operation_result(PyObject *object, PyObject *unused) {
    (void)unused;
    struct operation_object *self = (struct operation_object *)object;
    if (!self->finished) {
        PyErr_SetString(PyExc_RuntimeError, "the operation is on its way, or its result was taken");
        return NULL;
    }
    shf_op *op = self->finished;
    self->finished = NULL;
    PyObject *result = take(self, op);
    shf_op_release(op);
    return result;
}

/* Waits once, without the interpreter's lock. False with an exception when there is nothing to wait for. */
static bool wait_once(struct operation_object *self, int64_t milliseconds) {
    struct runtime_object *runtime = self->queue->runtime;
    shf_op *op = NULL;
    shf_status status;
    PyThreadState *thread = PyEval_SaveThread();
    status = shf_await(self->queue->cq, self->id, milliseconds, &op);
    PyEval_RestoreThread(thread);
    if (op) {
        if (runtime_ends_elsewhere(runtime)) self->is_unwanted = true;
        operation_finished(self, op);
    }
    runtime_stand_still(runtime);
    if (self->is_done || status == SHF_E_DEADLINE) return true;
    if (!PyErr_Occurred()) (void)raise_status(self->state, status, NULL);
    return false;
}

/* For a thread that waits in a queue of its own. Ctrl-C cancels the operation. */
static PyObject *operation_wait(PyObject *object, PyObject *unused) {
    struct operation_object *self = (struct operation_object *)object;
    bool interrupted = false;
    while (!self->is_done) {
        if (!wait_once(self, interrupted ? -1 : WAIT_SLICE_MS)) return NULL;
        if (!self->is_done && PyErr_CheckSignals()) {
            interrupted = true;
            (void)shf_cancel(self->queue->runtime->runtime, self->id);
        }
    }
    runtime_flush_log(self->queue->runtime);
    if (!interrupted) return operation_result(object, unused);
    shf_op_release(self->finished);
    self->finished = NULL;
    return NULL;
}

static PyObject *operation_get_future(PyObject *object, void *unused) {
    (void)unused;
    struct operation_object *self = (struct operation_object *)object;
    return Py_NewRef(self->future ? self->future : Py_None);
}

static int operation_set_future(PyObject *object, PyObject *future, void *unused) {
    (void)unused;
    struct operation_object *self = (struct operation_object *)object;
    PyObject *before = self->future;
    self->future = future && future != Py_None ? Py_NewRef(future) : NULL;
    Py_XDECREF(before);
    return 0;
}

static PyObject *operation_get_done(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((struct operation_object *)object)->is_done);
}

static int operation_traverse(PyObject *object, visitproc visit, void *arg) {
    struct operation_object *self = (struct operation_object *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT((PyObject *)self->queue);
    Py_VISIT(self->future);
    Py_VISIT(self->subject);
    Py_VISIT(self->owner);
    return 0;
}

static int operation_clear(PyObject *object) {
    struct operation_object *self = (struct operation_object *)object;
    Py_CLEAR(self->future);
    Py_CLEAR(self->subject);
    Py_CLEAR(self->owner);
    return 0;
}

static void operation_dealloc(PyObject *object) {
    struct operation_object *self = (struct operation_object *)object;
    PyObject_GC_UnTrack(object);
    leave_list(self);
    shf_op_release(self->finished);
    (void)operation_clear(object);
    Py_CLEAR(self->queue);
    module_object_free(object);
}

static PyMethodDef methods[] = {
    {"cancel", operation_cancel, METH_NOARGS, NULL},
    {"result", operation_result, METH_NOARGS, NULL},
    {"wait", operation_wait, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {{"future", operation_get_future, operation_set_future, NULL, NULL},
                                   {"done", operation_get_done, NULL, NULL, NULL},
                                   {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {{Py_tp_dealloc, operation_dealloc}, {Py_tp_traverse, operation_traverse},
                              {Py_tp_clear, operation_clear},     {Py_tp_methods, methods},
                              {Py_tp_getset, attributes},         {0, NULL}};

static PyType_Spec spec = {.name = "shardyfusion._shardyfusion.Operation",
                           .basicsize = sizeof(struct operation_object),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool operation_type_make(PyObject *module, struct module_state *state) {
    return module_type_make(module, &spec, &state->operation_type);
}
