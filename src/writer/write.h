/* Writing rows: what a row must be (row_check.c), and where it goes (write.c). */
#ifndef SHF_WRITER_WRITE_H
#define SHF_WRITER_WRITE_H

#include "writer/writer.h"

struct shf_write_op {
    struct shf_op op; /* first */
    struct shf_writer *writer;
    uint64_t bad_row;
    bool has_bad_row;
    bool has_begun; /* some of its rows are in: it is brought to its end */

    /* while it waits for memory: */
    struct shf_write_op *next;
    const shf_row *rows; /* the caller's, who waits in a synchronous form; else the copy */
    size_t stride, count, at;
    void *copy;
    uint64_t charged_bytes;
    /* with an expression, else NULL: the place of each row; its own allocation until it is part of the copy */
    uint32_t *places, *own_places;
    uint64_t rows_cut;
    shf_status outcome;
    struct shf_error *outcome_error;
};

/* What the rows so far decided, and what the next ones must agree with. */
struct shf_row_rules {
    bool is_unified, is_vector_only;
    enum shf_vector_strategy strategy; /* of vectors alone: */
    uint32_t num_dbs;
    enum shf_key_encoding key_encoding;
    uint32_t dimension, id_kind;
    bool ids_differ;
    bool was_checked; /* numbers of vectors and texts of payloads are not looked at once more */
};

/* A checked row; integer keys lie in it. */
struct shf_row_ready {
    struct shf_rows_row row;
    uint8_t integer_key[8];
};

/* Checks one row and learns from it. `out` points into the row and itself. SHF_E_INVALID, SHF_E_LIMIT. */
shf_status shf_row_check(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                         struct shf_error **error);

/* Parts of it (row_vector.c): vector, id and payload of a row that has a key; a row of vectors alone. */
shf_status shf_row_check_vector(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                                struct shf_error **error);
shf_status shf_row_check_vector_only(const shf_row *row, struct shf_row_rules *rules, struct shf_row_ready *out,
                                     struct shf_error **error);

/* Row `index` of an array of structs of another size. SHF_E_INVALID. */
shf_status shf_row_at(const shf_row *rows, size_t stride, size_t index, shf_row *out);

/* Ends every write that waits; mutex not held. */
void shf_write_end_pending(struct shf_writer *writer, shf_status status);

#endif
