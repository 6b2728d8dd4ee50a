/*
 * Reading flatbuffers (of Arrow's IPC format): tables, and vectors of structs. Every access is checked against the bytes;
 * nothing is followed that nobody asks for, so nothing can loop. Pure.
 */
#ifndef SHF_FORMATS_LANCE_FLATBUFFER_H
#define SHF_FORMATS_LANCE_FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shf_flatbuffer_table {
    const uint8_t *data; /* of the whole buffer */
    size_t size;
    size_t at;         /* of the table */
    size_t fields;     /* of the offsets of its fields, within the vtable */
    unsigned count;    /* of those */
    unsigned own_size; /* bytes of the table: the values lie in there */
};

bool shf_flatbuffer_root(const uint8_t *data, size_t size, struct shf_flatbuffer_table *out);

/* A number of 1, 2, 4 or 8 bytes, zero-extended; `missing` when the table has no such field. False: malformed. */
bool shf_flatbuffer_number(const struct shf_flatbuffer_table *table, unsigned field, unsigned bytes, uint64_t missing,
                           uint64_t *out);
/* A table within it; *found false when there is none. */
bool shf_flatbuffer_child(const struct shf_flatbuffer_table *table, unsigned field, bool *found,
                          struct shf_flatbuffer_table *out);
/* A vector of elements of this many bytes (1: a text too); NULL and 0 when there is none. */
bool shf_flatbuffer_vector(const struct shf_flatbuffer_table *table, unsigned field, size_t element_bytes,
                           const uint8_t **out, uint32_t *count);
/* Table `index` of a vector of tables; false when there is none. */
bool shf_flatbuffer_element(const struct shf_flatbuffer_table *table, unsigned field, uint32_t index,
                            struct shf_flatbuffer_table *out);

#endif
