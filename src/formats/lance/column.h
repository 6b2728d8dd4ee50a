/*
 * One column of a data file: texts (`id`, `payload`) or vectors. Opening reads the metadata and refuses by name every encoding
 * that LanceDB does not use for these columns; the rows themselves are read one at a time (texts) or in runs (vectors), and no
 * more of a column is decoded for a row than that row. Pure; read-only once prepared: any number of threads.
 *
 * Needs of the source: opening, the metadata; preparing, the ranges of SHF_LANCE_RANGES_INDEX; reading any row, those of
 * SHF_LANCE_RANGES_ALL.
 */
#ifndef SHF_FORMATS_LANCE_COLUMN_H
#define SHF_FORMATS_LANCE_COLUMN_H

#include "formats/lance/file.h"
#include "formats/lance/levels.h"

#include <stdbool.h>

#define SHF_LANCE_PAGE_BUFFERS 4u

/* How the rows of a page are stored. */
enum shf_lance_shape {
    SHF_LANCE_PLAIN,      /* 2.0: vectors back to back */
    SHF_LANCE_BINARY,     /* 2.0: the end of each text, and the texts */
    SHF_LANCE_DICTIONARY, /* 2.0: a byte a row, which chooses one of few texts, or null */
    SHF_LANCE_MINI_BLOCK, /* 2.1, 2.2: chunks of some KiB */
    SHF_LANCE_FULL_ZIP,   /* 2.1, 2.2: large values back to back */
    SHF_LANCE_CONSTANT    /* 2.1, 2.2: one value, or none */
};

/* How a text is packed. */
enum shf_lance_packing { SHF_LANCE_NOT_PACKED, SHF_LANCE_FSST, SHF_LANCE_ZSTD };

struct shf_lance_chunk {
    uint64_t offset; /* within the buffer of chunks */
    uint64_t row;    /* the first one, counted from the page's */
};

struct shf_lance_page {
    uint64_t first_row, rows; /* rows is not 0 */
    enum shf_lance_shape shape;
    struct shf_lance_range buffers[SHF_LANCE_PAGE_BUFFERS]; /* all within the file */
    uint32_t buffer_count;
    enum shf_lance_packing packing;
    const uint8_t *symbols; /* of FSST: within the metadata */
    /* 2.0: which buffer is what; a null's end is at least null_adjustment. */
    uint32_t values_buffer, ends_buffer, bytes_buffer;
    uint64_t null_adjustment;
    /* 2.1, 2.2: */
    struct shf_lance_levels levels;
    bool has_large_chunks;       /* 32-bit sizes */
    bool has_dictionary, is_lz4; /* mini-block: indices; the dictionary is packed */
    bool has_value;              /* constant: else all null */
    uint64_t item_count;         /* of a dictionary */
    /* Made by preparing: */
    uint8_t *null_bits;             /* of a constant page whose levels are runs: a bit a row */
    struct shf_lance_chunk *chunks; /* chunk_count + 1: the last one is the end */
    size_t chunk_count;
    const uint8_t *dictionary; /* NULL: not prepared */
    uint64_t dictionary_size;
    uint8_t *unpacked_dictionary; /* owned; NULL when it lies in the file as it is */
};

struct shf_lance_column {
    const struct shf_lance_file *file;
    uint32_t number;
    uint32_t dimension; /* 0 = texts */
    struct shf_lance_page *pages;
    size_t page_count;
    uint64_t charged_bytes; /* to the budget of the file: the pages, and what preparing makes */
};

/*
 * dimension 0: a column of texts. The pages must hold exactly the rows of the file. The file is borrowed.
 * SHF_E_CORRUPT; SHF_E_UNSUPPORTED naming the encoding; SHF_E_NO_MEMORY, SHF_E_INVALID (more than the budget of the file has
 * altogether). On failure there is nothing to close.
 */
shf_status shf_lance_column_open(struct shf_lance_column *column, const struct shf_lance_file *file, uint32_t number,
                                 uint32_t dimension, struct shf_error **error);
void shf_lance_column_close(struct shf_lance_column *column); /* a zeroed one is fine */

/*
 * Reads what finds the rows: the chunks of mini-blocks, the dictionaries, runs of nulls. Before anything else; once it is well,
 * once more does nothing. Allocates: the errors of opening.
 */
shf_status shf_lance_column_prepare(struct shf_lance_column *column, struct shf_error **error);

/*
 * Ranges of the file, in the order of pages, empty ones left out. Gives their number, and writes as many as there is room for.
 */
enum shf_lance_ranges { SHF_LANCE_RANGES_INDEX, SHF_LANCE_RANGES_ALL };
size_t shf_lance_column_ranges(const struct shf_lance_column *column, enum shf_lance_ranges which,
                               struct shf_lance_range *out, size_t room);

/* Copies the vectors of rows [first, first + count), which must exist, in order. SHF_E_INDEX when one is null. */
shf_status shf_lance_column_vectors(const struct shf_lance_column *column, uint64_t first, uint64_t count, float *out,
                                    struct shf_error **error);

/*
 * A text, and memory that is used again by the next one; zero it to begin. data is a view of the source, of a dictionary or of
 * that memory: until the next text. It is valid UTF-8 and may hold NUL bytes; there is none behind it.
 */
struct shf_lance_text {
    size_t max_bytes;  /* of a text; 0: SHF_LIMIT_VALUE_BYTES */
    bool is_too_large; /* it has more: that is why it was refused */
    bool is_null;
    const uint8_t *data;
    size_t size;
    uint8_t *room;
    size_t room_size; /* charged to the budget */
    struct shf_budget *budget;
    /* Of the chunk that was read last, where its levels are runs: decoded at the second row of it. */
    const uint8_t *levels;
    uint8_t *level_bits;
    bool levels_are_decoded;
};

/*
 * The text of a row, which must exist. Damaged: SHF_E_CORRUPT; too large: SHF_E_LIMIT; SHF_E_NO_MEMORY, SHF_E_INVALID (more
 * than the budget of the file has altogether).
 */
shf_status shf_lance_column_text(const struct shf_lance_column *column, uint64_t row, struct shf_lance_text *text,
                                 struct shf_error **error);
void shf_lance_text_free(struct shf_lance_text *text);

#endif
