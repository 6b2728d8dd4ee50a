/* What the parts of reading a column share. */
#ifndef SHF_FORMATS_LANCE_COLUMN_PRIV_H
#define SHF_FORMATS_LANCE_COLUMN_PRIV_H

#include "formats/lance/column.h"
#include "formats/lance/protobuf.h"

/* Their messages want the column and the page before them: shf_lance_page_prefix. */
shf_status shf_lance_page_bad(struct shf_error **error, const char *what);
void shf_lance_page_prefix(const struct shf_lance_column *column, const struct shf_lance_page *page,
                           struct shf_error **error);

/* ---- metadata: rows and buffers of the page are known ---- */

/* The only field of a message that is a choice: its number and content. */
shf_status shf_lance_choice(struct shf_protobuf message, uint32_t *kind, struct shf_protobuf *body,
                            struct shf_error **error);
/* "the encoding KIND is not read"; names[kind], for numbers below count. */
shf_status shf_lance_refuse_encoding(struct shf_error **error, const char *where, const char *const *names,
                                     size_t count, uint32_t kind);
/* An ArrayEncoding of 2.0; a PageLayout of 2.1 and 2.2. */
shf_status shf_lance_encoding_2_0(uint32_t dimension, struct shf_protobuf message, struct shf_lance_page *page,
                                  struct shf_error **error);
shf_status shf_lance_encoding_2_1(uint32_t dimension, struct shf_protobuf message, struct shf_lance_page *page,
                                  struct shf_error **error);

/* What a page of 2.1 or 2.2 is made of: its texts, packed how; its vectors; its dictionary and the indices into it; its levels. */
shf_status shf_lance_read_texts(struct shf_protobuf message, bool may_be_zstd, struct shf_lance_page *page,
                                struct shf_error **error);
shf_status shf_lance_read_vectors(struct shf_protobuf message, uint32_t dimension, struct shf_error **error);
shf_status shf_lance_read_dictionary(struct shf_protobuf message, struct shf_lance_page *page, struct shf_error **error);
shf_status shf_lance_read_indices(struct shf_protobuf message, struct shf_error **error);
shf_status shf_lance_read_levels(struct shf_protobuf message, struct shf_lance_levels *out, struct shf_error **error);
shf_status shf_lance_refuse_feature(struct shf_error **error, const char *what); /* "WHAT are not read" */

/* ---- memory: zeroed, charged to the budget of the file ---- */

shf_status shf_lance_column_alloc(struct shf_lance_column *column, size_t count, size_t size, const char *what,
                                  void **out, struct shf_error **error);
void shf_lance_column_free(struct shf_lance_column *column, void *memory, uint64_t bytes); /* NULL: nothing to do */

/* ---- rows: `row` counts from the beginning of the page ---- */

/* A buffer of the page. */
shf_status shf_lance_page_buffer(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                 uint32_t buffer, const uint8_t **out, uint64_t *size, struct shf_error **error);
/* Some bytes of it. */
shf_status shf_lance_page_bytes(const struct shf_lance_column *column, const struct shf_lance_page *page, uint32_t buffer,
                                uint64_t offset, uint64_t size, const uint8_t **out, struct shf_error **error);

/* Sets the text to these bytes, unpacking what is packed. */
shf_status shf_lance_text_set(const struct shf_lance_page *page, const uint8_t *data, uint64_t size,
                              struct shf_lance_text *text, struct shf_error **error);
/* Text `index` of the dictionary of a page. */
shf_status shf_lance_dictionary_text(const struct shf_lance_page *page, uint64_t index, struct shf_lance_text *text,
                                     struct shf_error **error);

/* One for each shape. */
shf_status shf_lance_binary_text(const struct shf_lance_column *column, const struct shf_lance_page *page, uint64_t row,
                                 struct shf_lance_text *text, struct shf_error **error);
shf_status shf_lance_mini_block_text(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                     uint64_t row, struct shf_lance_text *text, struct shf_error **error);
shf_status shf_lance_full_zip_text(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                   uint64_t row, struct shf_lance_text *text, struct shf_error **error);
shf_status shf_lance_constant_text(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                   uint64_t row, struct shf_lance_text *text, struct shf_error **error);
shf_status shf_lance_mini_block_vectors(const struct shf_lance_column *column, const struct shf_lance_page *page,
                                        uint64_t row, uint64_t count, float *out, struct shf_error **error);

/* Makes page->chunks, where it has none. */
shf_status shf_lance_mini_block_prepare(struct shf_lance_column *column, struct shf_lance_page *page,
                                        struct shf_error **error);
/* Makes page->dictionary, where it has none; *unpacked_bytes counts what the column unpacks. */
shf_status shf_lance_dictionary_prepare(struct shf_lance_column *column, struct shf_lance_page *page,
                                        uint64_t *unpacked_bytes, struct shf_error **error);

/* Makes page->null_bits, where it has none, of a constant page whose levels are runs. */
shf_status shf_lance_constant_prepare(struct shf_lance_column *column, struct shf_lance_page *page,
                                      struct shf_error **error);

/* ---- packed texts ---- */

/* A symbol table of FSST: SHF_E_CORRUPT unless it is one. */
#define SHF_LANCE_SYMBOLS_BYTES 2312u
shf_status shf_lance_symbols_check(const uint8_t *symbols, size_t size, struct shf_error **error);
/* Bytes that `size` coded bytes decode to, at most. */
#define SHF_LANCE_SYMBOL_BYTES 8u
/* False when the bytes are no code; out has room for size * SHF_LANCE_SYMBOL_BYTES. */
bool shf_lance_symbols_decode(const uint8_t *symbols, const uint8_t *data, size_t size, uint8_t *out, size_t *out_size);
bool shf_lance_symbols_are_off(const uint8_t *symbols); /* texts are stored as they are */

static inline uint16_t shf_lance_load_u16le(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

#endif
