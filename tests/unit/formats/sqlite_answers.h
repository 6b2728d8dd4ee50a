/*
 * One question to a SQLite file, answered by our reader and by libsqlite3 in the same words: a row is its columns, each
 * with its type, as one string of bytes.
 */
#ifndef SHF_TESTS_FORMATS_SQLITE_ANSWERS_H
#define SHF_TESTS_FORMATS_SQLITE_ANSWERS_H

#include "sqlite_samples.h"

#include <sqlite3.h>

#include "formats/kv_separators.h"

enum answer_kind { ANSWER_ABSENT, ANSWER_FOUND, ANSWER_REFUSED };

struct answer {
    enum answer_kind kind;
    uint8_t *bytes; /* reused from one answer to the next */
    size_t size, capacity;
};

void answer_free(struct answer *answer);
bool answer_equal(const struct answer *a, const struct answer *b);

/* ---- libsqlite3 ---- */

struct peer_table {
    sqlite3_stmt *find, *scan; /* NULL: it refuses the table */
};

struct peer {
    sqlite3 *db; /* NULL: it refuses the file */
    sqlite3_stmt *get, *has, *kv_scan;
    struct peer_table tables[SAMPLE_MAX_TABLES];
};

/* The bytes are read in place and must stay. */
void peer_open(struct peer *peer, const struct sample *sample, uint8_t *bytes, size_t size);
void peer_close(struct peer *peer);

/* *same_key: that the row that it gives has this very key. */
void peer_get(struct peer *peer, const struct sample_key *key, struct answer *out, bool *same_key);
/* Whether the key is there, by the search that ends at the first equal cell: FOUND (without bytes), ABSENT, REFUSED. */
enum answer_kind peer_has(struct peer *peer, const struct sample_key *key);
void peer_row(struct peer *peer, size_t table, int64_t rowid, struct answer *out);
/* The next row of a statement that was reset before the first. */
void peer_next(sqlite3_stmt *scan, struct answer *out);

/*
 * The row of a key that is there, as the search finds it that ends at the first equal cell. Of a copy of the file, since
 * libsqlite3 does that search only when it is about to write; nothing is written.
 */
void peer_conflict(const uint8_t *bytes, size_t size, const struct sample_key *key, struct answer *out);

/* ---- ours ---- */

struct our_table {
    bool opened;
    uint32_t root;
    struct {
        int position;
        bool is_alias;
    } columns[SAMPLE_MAX_COLUMNS];
    size_t column_count;
};

struct ours {
    struct shf_sqlite db;
    struct shf_kv kv;
    bool has_kv;
    struct shf_kv_separators *separators;
    struct our_table tables[SAMPLE_MAX_TABLES];
};

/* False: the file is refused. */
bool ours_open(struct ours *ours, const struct sample *sample, const uint8_t *bytes, size_t size);
void ours_close(struct ours *ours);

enum our_way { WAY_WALK, WAY_SEPARATORS, WAY_MANY, OUR_WAYS };
void ours_get(const struct ours *ours, enum our_way way, const struct sample_key *key, struct answer *out);
void ours_row(const struct ours *ours, size_t table, int64_t rowid, struct answer *out);
void ours_kv_next(const struct ours *ours, struct shf_kv_scan *scan, struct answer *out);
void ours_next(const struct ours *ours, size_t table, struct shf_sqlite_scan *scan, struct answer *out);

#endif
