/* Statuses of the library as Python exceptions. Which class a status has is said in shardyfusion/_errors.py. */
#include "module.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static PyObject *make(struct module_state *state, shf_status status, const char *message, const shf_error *error) {
    PyObject *function = module_import(&state->make_error, "shardyfusion._errors", "make");
    if (!function) return NULL;
    int32_t category = shf_status_category(status);
    bool retryable = error ? shf_error_retryable(error) != 0
                           : category == SHF_CATEGORY_DEADLINE || status == SHF_E_BUSY || status == SHF_E_NO_MEMORY;
    /* A message holds bytes of the snapshot at times: what is not UTF-8 in it is shown as such. */
    PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "backslashreplace");
    if (!text) return NULL;
    PyObject *made = PyObject_CallFunction(function, "iNOLis", (int)status, text, retryable ? Py_True : Py_False,
                                           (long long)shf_error_shard(error), (int)shf_error_http_status(error),
                                           shf_error_object(error));
    return made;
}

PyObject *exception_of(struct module_state *state, shf_status status, const shf_error *error) {
    return make(state, status, error ? shf_error_message(error) : shf_status_text(status), error);
}

static PyObject *raise_made(PyObject *exception) {
    if (!exception) return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(exception);
    return NULL;
}

PyObject *raise_status(struct module_state *state, shf_status status, const shf_error *error) {
    return raise_made(exception_of(state, status, error));
}

PyObject *raise_message(struct module_state *state, shf_status status, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return raise_made(make(state, status, message, NULL));
}
