/* A small Lance dataset of one fragment, made byte by byte, and attacks on it and on datasets that LanceDB wrote. */
#ifndef SHF_TESTS_HOSTILE_LANCE_H
#define SHF_TESTS_HOSTILE_LANCE_H

#include "hostile/composite.h"
#include "unit/formats/lance_make.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LANCE_ROWS = 3, LANCE_DIMENSION = 4 };
#define LANCE "vector/vector_index.lance/"
#define LANCE_MANIFEST LANCE "_versions/1.manifest"

/* ---- manifests ---- */

/* What a manifest says; zero = as it should be. */
struct lance_saying {
    const char *id_name, *id_type, *vector_name, *vector_type, *payload_type, *path, *format, *data_version;
    size_t path_size; /* 0 = its length */
    uint64_t version, reader_flags, major, minor, fragment_id, rows, column, file_size, deletion_type, deleted;
    bool has_deletions, has_base, has_file_base, has_deletion_base, has_row_ids, without_format, without_vectors, twice;
    unsigned fragments;         /* 0 = 1; ids count up */
    bool names_count, has_same; /* each fragment has files of its own; or all have the same */
    uint16_t manifest_major, manifest_minor;
};
/* The caller frees it. */
uint8_t *lance_manifest(const struct lance_saying *say, size_t *size);
void lance_try_manifest(const struct lance_saying *say, enum composite_wish wish, const char *text, const char *name);

/* ---- data files ---- */

/* A file of this version (0 = 2.0 to 2 = 2.2) with one column of one page, as often as that. */
struct lance_buffer {
    const void *data;
    size_t size;
    uint64_t told_offset, told_size; /* what the metadata says, when it is not 0 */
};
struct lance_page {
    unsigned version, times;
    uint64_t rows, file_rows; /* file_rows 0 = the same */
    struct bytes encoding;
    struct lance_buffer buffers[4];
    unsigned buffer_count;
};
uint8_t *lance_file(const struct lance_page *page, size_t *size);

enum lance_column { LANCE_ID, LANCE_VECTOR, LANCE_PAYLOAD, LANCE_COLUMNS };
const char *lance_column_name(enum lance_column column); /* object of its file */
/* Encodings and buffers of 2.2. */
struct bytes lance_flat(uint64_t bits);
struct bytes lance_variable(void);
struct bytes lance_vectors(uint64_t dimension);
struct bytes lance_with(uint32_t kind, uint64_t value, uint32_t field, const struct bytes *encoding);
struct bytes lance_general(uint64_t scheme);
struct bytes lance_mini(const struct bytes *levels, const struct bytes *values); /* layout */
struct bytes lance_mini_of(const struct bytes *levels, const struct bytes *values, uint64_t rows);
struct bytes lance_zip_of(uint64_t level_bits, uint64_t value_bits, const struct bytes *values, uint64_t rows);
struct bytes lance_zip(uint64_t level_bits, uint64_t value_bits, const struct bytes *values);
struct bytes lance_chunk(const struct bytes *levels, const struct bytes *values); /* one of LANCE_ROWS */
struct bytes lance_words(const struct bytes *chunk);
struct bytes lance_texts(const char *first, const char *second, const char *third);
void lance_make_sound(void);
void lance_try_page(enum lance_column column, const struct lance_page *page, enum composite_wish wish, const char *text,
                    const char *name);

void lance_recorded(void **state);       /* bytes of datasets that LanceDB wrote */
void lance_manifest_rules(void **state); /* manifests that are well formed and say what they must not */
void lance_very_many(void **state);      /* fragments, files, pages */
void lance_deletions(void **state);
void lance_pages(void **state);
void lance_encodings(void **state);
void lance_bombs(void **state);
void lance_absent(void **state);

#endif
