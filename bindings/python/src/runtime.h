/* The runtime, completion queues, and the operations that are submitted to them. */
#ifndef SHARDYFUSION_PYTHON_RUNTIME_H
#define SHARDYFUSION_PYTHON_RUNTIME_H

#include "module.h"

#include <pthread.h>

#define LOG_PLACES 64u
#define LOG_TEXT 1024u

/* Messages of the library's threads, until a thread of Python comes by: those threads never enter Python. */
struct log_ring {
    pthread_mutex_t mutex;
    struct { /* under mutex */
        size_t first, count;
        size_t lost;
        struct log_message {
            int level;
            char text[LOG_TEXT];
        } messages[LOG_PLACES];
    };
};

struct runtime_object {
    PyObject_HEAD struct module_state *state;
    shf_runtime *runtime; /* NULL once closed */
    PyObject *log;        /* called with (level, text), or NULL */
    struct log_ring *ring;
    unsigned long last_thread; /* the one that ends the interpreter, once it does; else 0 */
};

struct queue_object {
    PyObject_HEAD struct module_state *state;
    struct runtime_object *runtime;   /* held */
    shf_cq *cq;                       /* NULL once closed */
    struct operation_object *pending; /* those on their way, in a list */
};

/*
 * A call that was submitted. While it is on its way the library holds a reference to it (the tag). Then it holds the
 * finished operation until its result is taken, or its future has got the result.
 */
struct operation_object {
    PyObject_HEAD struct module_state *state;
    struct queue_object *queue; /* held */
    shf_op_id id;
    struct operation_object *next, **link; /* in the queue's list; link NULL: not in it */
    shf_op *finished;                      /* NULL: on its way, or taken */
    PyObject *(*convert)(struct operation_object *operation, shf_op *op);
    /* Adds to the exception of a failed operation what its error does not tell; or NULL. */
    void (*explain)(const shf_op *op, PyObject *exception);
    PyObject *future;  /* told when it is finished, or NULL */
    PyObject *subject; /* what `convert` needs: the keys, the runtime ... or NULL */
    PyObject *owner;   /* the reader or writer, or NULL */
    bool is_done;
    bool is_unwanted; /* its result is dropped */
};

/* The library's runtime and queue; raise when they are closed. */
shf_runtime *runtime_of(PyObject *object);
struct queue_object *queue_of(struct module_state *state, PyObject *object);

/* Hands waiting log messages to the program. Exceptions of its function are printed, not raised. */
void runtime_flush_log(struct runtime_object *runtime);

/* Whether another thread ends the interpreter now. */
bool runtime_ends_elsewhere(const struct runtime_object *runtime);
/*
 * Holds the thread for ever then, without the interpreter's lock: only daemon threads are left at that time, which the
 * end of the process is to stop wherever they are, and an exception would make them talk.
 */
void runtime_stand_still(const struct runtime_object *runtime);

/*
 * An operation to be submitted: fill `call` from it, make the call, then hand its status to operation_submitted, which
 * gives what to return: the operation, None when the library has no place for it now, or NULL with an exception.
 * `subject` and `owner` may be NULL.
 */
struct operation_object *operation_new(struct queue_object *queue,
                                       PyObject *(*convert)(struct operation_object *operation, shf_op *op),
                                       PyObject *subject, PyObject *owner);
PyObject *convert_nothing(struct operation_object *operation, shf_op *op); /* None */
shf_call operation_call(struct operation_object *operation);
PyObject *operation_submitted(struct operation_object *self, shf_status status);

/* An operation that the queue handed out: tells its future, or keeps it for result(). Drops the library's reference. */
void operation_finished(struct operation_object *self, shf_op *op);

#endif
