/* Pages of Lance files, made byte by byte: encodings, layouts, and reading one. */
#ifndef SHF_TESTS_FORMATS_LANCE_PAGES_H
#define SHF_TESTS_FORMATS_LANCE_PAGES_H

#include "lance_make.h"
#include "support.h"

#include "formats/lance/column_priv.h"

/* ---- encodings of 2.1 and 2.2 ---- */

struct bytes number(uint32_t field, uint64_t value);
struct bytes flat(uint64_t bits);
struct bytes variable(void);
/* KIND{1 number, field encoding} */
struct bytes with(uint32_t kind, uint64_t value, uint32_t field, const struct bytes *encoding);
struct bytes general(uint64_t scheme);
struct bytes fsst(void); /* code 0 is "abc" */
struct bytes runs(uint64_t value_bits, uint64_t length_bits);

/* ---- layouts ---- */

/* A mini-block page of 2.2 with one chunk of three rows, the second one null when there are levels. */
void make_mini(struct page_made *page, const struct bytes *levels, const struct bytes *level_bytes,
               const struct bytes *values, const struct bytes *value_bytes);
struct bytes three_texts(const char *first, const char *second, const char *third);
struct bytes plain_levels(void);
/* A full-zip page; buffers to be filled. */
void make_zip(struct page_made *page, unsigned version, uint64_t rows, uint64_t level_bits, uint64_t value_bits,
              const struct bytes *values);
/* A row of it: level, and the text unless it is NULL. */
void put_row(struct page_made *page, const char *control, size_t control_size, const void *text, size_t size);
/* Three rows, which choose texts of a dictionary. */
void make_dictionary(struct page_made *page, const struct bytes *dictionary_encoding, const struct bytes *dictionary,
                     uint64_t items, const uint8_t *indices);

/* ---- encodings of 2.0 ---- */

struct bytes no_nulls(const struct bytes *encoding);
struct bytes old_flat(uint64_t bits, uint64_t buffer);

/* ---- reading one ---- */

struct opened {
    struct bytes bytes;
    uint8_t *exact;
    struct shf_lance_file file;
    struct shf_lance_column column;
    struct shf_budget budget;
};

/* Opens the column of the file that is in opened->bytes; also when that fails, it is to be closed. */
shf_status open_bytes(struct opened *opened, uint32_t dimension, uint64_t budget_bytes, struct shf_error **error);
/* The same of a file of this page. */
shf_status open_page(struct opened *opened, const struct page_made *page, uint32_t dimension, struct shf_error **error);
void close_page(struct opened *opened); /* sees that nothing is charged any more */

#endif
