/* Keys, numbers and routing contexts of Python as those of the library. What they point at stays the Python objects'. */
#ifndef SHARDYFUSION_PYTHON_KEYS_H
#define SHARDYFUSION_PYTHON_KEYS_H

#include "module.h"

/* int (whatever has __index__), str or bytes; else raises. Borrows `object`. */
bool key_from(struct module_state *state, PyObject *object, shf_key *out);

/* An argument that is an int (whatever has __index__) from `least` to 2^32-1; else raises, and calls it `what`. */
bool whole_number(struct module_state *state, PyObject *object, const char *what, long long least, uint32_t *out);

/* A tuple of keys, or (stored keys) of bytes, and the array of them for one call. */
#define KEYS_ON_STACK 128
struct key_list {
    PyObject *tuple; /* holds the objects that the keys point at */
    size_t count;
    shf_key *keys;
    shf_key few[KEYS_ON_STACK];
};
bool key_list_from(struct module_state *state, PyObject *sequence, struct key_list *out);
void key_list_clear(struct key_list *list);

/* The routing context of a call; NULL for None. */
#define CONTEXT_COLUMNS 256
struct context {
    PyObject *held; /* the values that the columns point at */
    shf_routing_context context;
    shf_context_value values[CONTEXT_COLUMNS];
};
/* Fills `storage` from a dict (or None) and gives what to hand to the library in *out. */
bool context_from(struct module_state *state, PyObject *dict, struct context *storage, const shf_routing_context **out);
void context_clear(struct context *storage);

#endif
