/*
 * Reading FlatBuffers (https://flatbuffers.dev/internals/) from hostile bytes that are not aligned: the manifests and SSTs
 * of SlateDB, and what Arrow says of its files. Private to formats.
 *
 * Every offset is checked, nothing is cast, nothing allocated. The first contradiction is remembered in the struct
 * shf_flat, with its place; from then on everything reads as absent, so a decoder asks once at the end of each table or
 * list. Nothing here follows more than one offset a call, so what bounds a decoder are the counts that it takes:
 * several offsets may name the same table, and a vector can hold far fewer bytes than its elements say altogether.
 */
#ifndef SHF_FORMATS_FLATBUFFER_H
#define SHF_FORMATS_FLATBUFFER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shf_flat {
    const uint8_t *data; /* borrowed */
    size_t size;         /* below 2^32 */
    const char *failure; /* NULL = all was well so far */
    size_t failed_at;
};
struct shf_flat shf_flat_of(const uint8_t *data, size_t size);
/* SHF_E_CORRUPT when anything failed: "WHAT: offset N: ...". base: what is added to the offset in the message. */
shf_status shf_flat_status(const struct shf_flat *flat, const char *what, uint64_t base, struct shf_error **error);

struct shf_flat_table {
    struct shf_flat *flat;
    size_t at, vtable;
    uint16_t vtable_size, table_size;
};
struct shf_flat_vector {
    struct shf_flat *flat;
    size_t at; /* of the first element */
    uint32_t count;
};

/*
 * These return false where nothing is there (or not soundly): *out is all zeros then, which reads as an empty table or
 * list.
 */
bool shf_flat_root(struct shf_flat *flat, struct shf_flat_table *out);
bool shf_flat_table(const struct shf_flat_table *table, unsigned slot, struct shf_flat_table *out);
/* A vector of bytes, or a text: a view of it. */
bool shf_flat_bytes(const struct shf_flat_table *table, unsigned slot, const uint8_t **out, size_t *size);
/* A vector of structs of this many bytes, or of numbers, back to back. */
bool shf_flat_structs(const struct shf_flat_table *table, unsigned slot, size_t struct_bytes, const uint8_t **out,
                      uint32_t *count);
/* A vector of tables. */
bool shf_flat_tables(const struct shf_flat_table *table, unsigned slot, struct shf_flat_vector *out);
bool shf_flat_table_at(const struct shf_flat_vector *vector, uint32_t index, struct shf_flat_table *out);

/* Scalars; the default where the field is absent. */
bool shf_flat_has(const struct shf_flat_table *table, unsigned slot);
uint64_t shf_flat_u64(const struct shf_flat_table *table, unsigned slot);
uint32_t shf_flat_u32(const struct shf_flat_table *table, unsigned slot);
uint16_t shf_flat_u16(const struct shf_flat_table *table, unsigned slot, uint16_t when_absent);
uint8_t shf_flat_u8(const struct shf_flat_table *table, unsigned slot);

#endif
