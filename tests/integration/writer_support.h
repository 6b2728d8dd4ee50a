/* What the tests of the writer share: rows that follow from their number, writing them, and judging what became of them. */
#ifndef SHF_TESTS_WRITER_SUPPORT_H
#define SHF_TESTS_WRITER_SUPPORT_H

#include "integration/support.h"

#include <stdint.h>

/* ---- a place of its own for each test ---- */

extern char *writer_root, *writer_prefix, *writer_cache; /* a temporary directory, and two names in it */
int writer_begin(void **state);
int writer_end(void **state);

/* ---- rows ---- */

enum writer_keys { WRITER_U64, WRITER_U32, WRITER_TEXT, WRITER_RAW };

/* Row i of generation g of a shape is always the same. */
struct writer_shape {
    size_t rows;
    enum writer_keys keys;
    size_t value_least, value_most; /* bytes */
    uint32_t dimension;             /* 0: KV */
    uint32_t id_kind;               /* 0: the key */
    uint32_t payload_every;         /* 0: no payloads */
    bool is_vector_only;            /* neither keys nor values; id_kind is set */
    uint32_t generation;            /* of values, vectors and payloads; keys and ids are those of all */
};

struct writer_rows {
    struct writer_shape shape;
    shf_row *rows; /* shape.rows */
    char *memory;
};
struct writer_rows *writer_rows_new(const struct writer_shape *shape);
void writer_rows_free(struct writer_rows *rows);
/* Puts them into another order, which follows from the seed. */
void writer_rows_shuffle(struct writer_rows *rows, uint64_t seed);
uint64_t writer_mix(uint64_t a, uint64_t b);

/* ---- the writer ---- */

shf_writer_options writer_options(const char *url, uint32_t backend, uint32_t num_dbs);
/* NULL with the error's text in support_message. */
shf_writer *writer_open(const shf_writer_options *options, shf_status *status);
/* Must succeed; `batch` rows a call. */
void writer_write(shf_writer *writer, const shf_row *rows, size_t count, size_t batch);
/* How it ended; text in support_message. */
shf_status writer_try(shf_writer *writer, const shf_row *rows, size_t count, shf_write_info *info);
/* NULL: it failed, with the text in support_message. */
shf_op *writer_publish(shf_writer *writer, shf_status *status);
void writer_close(shf_writer *writer); /* and releases */
/* Opens, writes, publishes, closes; all must succeed. */
void writer_make(const shf_writer_options *options, const struct writer_rows *rows, size_t batch);

/* ---- judging ---- */

/* Every value is that of the rows, and keys that were not written are absent. */
void writer_assert_values(shf_reader *reader, const struct writer_rows *rows);
/* Searches in all shards answer as a plain computation in doubles does. */
void writer_assert_searches(shf_reader *reader, const struct writer_rows *rows, bool is_l2, unsigned queries);
bool writer_same_id(const shf_vector_id *id, const shf_row *row);
/* What the publish told is what the reader tells. */
void writer_assert_told(const shf_op *publish, shf_reader *reader, const struct writer_rows *rows);
/* libsqlite3 finds nothing wrong with any shard below a directory, and counts the rows; page_size 0: any. */
void writer_assert_shards(const char *directory, const struct writer_rows *rows, uint32_t page_size);
/* No directory to build in is left, and no temporary file. */
void writer_assert_tidy(const char *directory);
unsigned writer_fd_count(void);
unsigned writer_thread_count(void);
/* Files of a name below a directory. */
unsigned writer_count_files(const char *directory, const char *name);

#endif
