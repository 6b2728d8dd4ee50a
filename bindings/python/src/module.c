/* The module shardyfusion._shardyfusion. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <shardyfusion/shardyfusion.h>

PyMODINIT_FUNC PyInit__shardyfusion(void);

static PyObject *version(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return PyUnicode_FromString(shf_version());
}

static PyMethodDef methods[] = {
    {"version", version, METH_NOARGS, PyDoc_STR("version() -> str\n\nThe version of the C library inside.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "shardyfusion._shardyfusion",
    .m_doc = PyDoc_STR("What shardyfusion asks of the C library."),
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__shardyfusion(void) { return PyModuleDef_Init(&definition); }
