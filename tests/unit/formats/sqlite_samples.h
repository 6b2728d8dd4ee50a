/* Small databases of every shape that the library reads, written by libsqlite3, to be damaged. */
#ifndef SHF_TESTS_FORMATS_SQLITE_SAMPLES_H
#define SHF_TESTS_FORMATS_SQLITE_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLE_MAX_COLUMNS 5u
#define SAMPLE_MAX_TABLES 5u

struct sample_key {
    uint8_t *bytes;
    size_t size;
};

/* A rowid table. */
struct sample_table {
    const char *name;
    const char *columns[SAMPLE_MAX_COLUMNS]; /* to the first NULL */
    int64_t first_rowid, rowid_step, rows;
};

struct sample {
    uint8_t *bytes;
    size_t size, page_size;
    struct sample_key *keys; /* of its table kv; none: it has no such table */
    size_t key_count;
    const struct sample_table *tables;
    size_t table_count;
};

/* All of them, the same every time; the caller's to sample_free. */
struct sample *samples_make(size_t *count);
void samples_free(struct sample *samples, size_t count);

#endif
