/* The module itself: its state, its types, what it exports. */
#include "module.h"

static PyModuleDef definition;

struct module_state *module_state_of(PyTypeObject *type) {
    return PyType_GetModuleState(type);
}

PyObject *module_import(PyObject **slot, const char *module, const char *name) {
    if (*slot) return *slot;
    PyObject *imported = PyImport_ImportModule(module);
    if (!imported) return NULL;
    *slot = PyObject_GetAttrString(imported, name);
    Py_DECREF(imported);
    return *slot;
}

bool module_type_make(PyObject *module, PyType_Spec *spec, PyTypeObject **out) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (!type) return false;
    *out = (PyTypeObject *)type;
    return PyModule_AddType(module, *out) == 0;
}

void module_object_free(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *version(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyUnicode_FromString(shf_version());
}

static PyMethodDef functions[] = {
    {"version", version, METH_NOARGS, "Version of the C library, \"MAJOR.MINOR.PATCH\"."},
    {NULL, NULL, 0, NULL},
};

static bool intern(const char *const *names, size_t count, PyObject **out) {
    for (size_t i = 0; i < count; i++) {
        out[i] = PyUnicode_InternFromString(names[i]);
        if (!out[i]) return false;
    }
    return true;
}

static int execute(PyObject *module) {
    struct module_state *state = PyModule_GetState(module);
    state->would_wait = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    state->name_done = PyUnicode_InternFromString("done");
    state->name_set_result = PyUnicode_InternFromString("set_result");
    state->name_set_exception = PyUnicode_InternFromString("set_exception");
    if (!state->would_wait || !state->name_done || !state->name_set_result || !state->name_set_exception) return -1;
    static const char *const result[] = {"id", "score", "vector", "payload"};
    static const char *const response[] = {"results", "num_shards_queried", "latency_ms"};
    if (!intern(result, 4, state->result_fields) || !intern(response, 3, state->response_fields)) return -1;
    if (PyModule_AddObjectRef(module, "WOULD_WAIT", state->would_wait)) return -1;
    bool made = runtime_type_make(module, state) && queue_type_make(module, state) &&
                operation_type_make(module, state) && reader_type_make(module, state) &&
                snapshot_type_make(module, state) && writer_type_make(module, state) &&
                expression_type_make(module, state);
    return made ? 0 : -1;
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    struct module_state *state = PyModule_GetState(module);
    Py_VISIT(state->runtime_type);
    Py_VISIT(state->queue_type);
    Py_VISIT(state->operation_type);
    Py_VISIT(state->reader_type);
    Py_VISIT(state->snapshot_type);
    Py_VISIT(state->writer_type);
    Py_VISIT(state->expression_type);
    Py_VISIT(state->make_error);
    Py_VISIT(state->search_result);
    Py_VISIT(state->search_response);
    Py_VISIT(state->json_loads);
    Py_VISIT(state->json_decode);
    return 0;
}

static int clear(PyObject *module) {
    struct module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->runtime_type);
    Py_CLEAR(state->queue_type);
    Py_CLEAR(state->operation_type);
    Py_CLEAR(state->reader_type);
    Py_CLEAR(state->snapshot_type);
    Py_CLEAR(state->writer_type);
    Py_CLEAR(state->expression_type);
    Py_CLEAR(state->would_wait);
    Py_CLEAR(state->make_error);
    Py_CLEAR(state->search_result);
    Py_CLEAR(state->search_response);
    Py_CLEAR(state->json_loads);
    Py_CLEAR(state->json_decode);
    Py_CLEAR(state->name_done);
    Py_CLEAR(state->name_set_result);
    Py_CLEAR(state->name_set_exception);
    for (size_t i = 0; i < 4; i++) Py_CLEAR(state->result_fields[i]);
    for (size_t i = 0; i < 3; i++) Py_CLEAR(state->response_fields[i]);
    return 0;
}

static void release(void *module) { (void)clear(module); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "shardyfusion._shardyfusion",
    .m_doc = "The C core of shardyfusion. Private: use the package.",
    .m_size = sizeof(struct module_state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__shardyfusion(void);

PyMODINIT_FUNC PyInit__shardyfusion(void) { return PyModuleDef_Init(&definition); }
