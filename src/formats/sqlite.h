/*
 * Reading a SQLite database file from bytes in memory (a mapping, a download, a fuzzer's input): header, schema,
 * b-trees, records. Pure: no file, thread or clock. Format: https://www.sqlite.org/fileformat2.html (sections
 * 1.3 header, 1.5 cells, 1.6 b-tree pages, 2.1 records).
 *
 * The bytes are hostile until proven otherwise. Every page number is checked against the page count, every offset
 * against the page, depth against SHF_LIMIT_BTREE_DEPTH, overflow chains against the length that the cell declares;
 * no walk can loop, no read leaves the bytes. A contradiction is SHF_E_CORRUPT naming page and offset. Nothing here
 * allocates, except where a comment says so. A struct shf_sqlite is read-only after opening: any number of threads.
 */
#ifndef SHF_FORMATS_SQLITE_H
#define SHF_FORMATS_SQLITE_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHF_LIMIT_SQL_BYTES (1u << 20) /* text of one schema row; SQLite itself takes 1,000,000 */

enum shf_sqlite_text { SHF_SQLITE_UTF8 = 1, SHF_SQLITE_UTF16LE, SHF_SQLITE_UTF16BE };

struct shf_sqlite {
    const uint8_t *data; /* borrowed; must outlive the struct */
    uint64_t size;
    uint32_t page_size;   /* 512..65536 */
    uint32_t usable_size; /* page_size - reserved bytes */
    uint32_t page_count;
    enum shf_sqlite_text text;
    /* derived: */
    uint32_t lock_page; /* holds byte 2^30 of the file, never used; may lie beyond the end */
    uint32_t local_max_table, local_max_index, local_min; /* payload bytes that stay in a cell, section 1.6 */
};

/*
 * Checks the header (magic, page size, read version 1, sizes) and that the file holds all its pages: trailing bytes
 * are fine, a truncated file is SHF_E_CORRUPT. WAL files are refused by name (SHF_E_CORRUPT too: such a shard can not
 * be served). UTF-16 files are read (manifests may be); shards in UTF-16 are refused by shf_kv_open and shf_vec0_open.
 */
shf_status shf_sqlite_open(struct shf_sqlite *db, const void *data, uint64_t size, struct shf_error **error);

/* ---- payloads ---- */

/* Payload of a cell: a local part in the page, and the rest in an overflow chain. A view, valid as long as the bytes. */
struct shf_sqlite_payload {
    const uint8_t *local;
    uint32_t local_size;
    uint32_t overflow_page; /* 0 = all local */
    uint64_t size;          /* total */
};

/* Copies payload bytes [offset, offset+size) to out, following the chain. */
shf_status shf_sqlite_payload_copy(const struct shf_sqlite *db, const struct shf_sqlite_payload *payload,
                                   uint64_t offset, uint64_t size, void *out, struct shf_error **error);

/* ---- records ---- */

enum shf_sqlite_type { SHF_SQLITE_NULL, SHF_SQLITE_INTEGER, SHF_SQLITE_REAL, SHF_SQLITE_TEXT, SHF_SQLITE_BLOB };

/* One column of a record. Text and blobs are given as a place in the payload. */
struct shf_sqlite_column {
    enum shf_sqlite_type type;
    int64_t integer;
    double real;
    uint64_t offset, size; /* within the payload */
};

struct shf_sqlite_record {
    struct shf_sqlite_payload payload;
    uint32_t column_count; /* at most SHF_LIMIT_RECORD_COLUMNS; a longer record is SHF_E_CORRUPT */
    struct shf_sqlite_column columns[SHF_LIMIT_RECORD_COLUMNS];
};

shf_status shf_sqlite_record_decode(const struct shf_sqlite *db, const struct shf_sqlite_payload *payload,
                                    struct shf_sqlite_record *out, struct shf_error **error);

/* Address of a text or blob that lies wholly in the local part, else NULL (then copy it). */
const uint8_t *shf_sqlite_column_in_place(const struct shf_sqlite_record *record, const struct shf_sqlite_column *column);
/* Copies a text or blob column to out (column->size bytes). */
shf_status shf_sqlite_column_copy(const struct shf_sqlite *db, const struct shf_sqlite_record *record,
                                  const struct shf_sqlite_column *column, void *out, struct shf_error **error);

/*
 * A text or blob column as NUL-terminated UTF-8, the caller's to shf_free: UTF-16 files are converted, UTF-8 is
 * checked, a NUL inside is refused (SHF_E_CORRUPT). SHF_E_LIMIT when it is longer than max_bytes.
 */
shf_status shf_sqlite_column_text(const struct shf_sqlite *db, const struct shf_sqlite_record *record,
                                  const struct shf_sqlite_column *column, size_t max_bytes, char **out, size_t *size,
                                  struct shf_error **error);

/* ---- rowid tables ---- */

/* Finds one row. *found says whether; payload is set when it is. */
shf_status shf_sqlite_row_find(const struct shf_sqlite *db, uint32_t root, int64_t rowid, bool *found,
                               struct shf_sqlite_payload *payload, struct shf_error **error);

/*
 * In-order scan of a rowid table. Zero the struct, set root, call next until *done. Rowids must ascend strictly, and
 * no more pages are visited than the file has (else SHF_E_CORRUPT).
 */
struct shf_sqlite_scan {
    uint32_t root;
    /* the walk's own: */
    uint32_t depth;
    bool started, has_last;
    int64_t last_rowid;
    uint64_t pages_seen;
    struct {
        uint32_t page;
        uint32_t cell;
    } stack[SHF_LIMIT_BTREE_DEPTH];
};
shf_status shf_sqlite_scan_next(const struct shf_sqlite *db, struct shf_sqlite_scan *scan, bool *done, int64_t *rowid,
                                struct shf_sqlite_payload *payload, struct shf_error **error);

/* ---- schema ---- */

struct shf_sqlite_schema_row {
    char *type; /* "table", "index", ... */
    char *name;
    uint32_t root; /* 0 = virtual table, view, trigger */
    char *sql;     /* "" when NULL */
};
struct shf_sqlite_schema {
    struct shf_sqlite_schema_row *rows;
    size_t count; /* at most SHF_LIMIT_SCHEMA_ROWS */
};
/* Allocates. */
shf_status shf_sqlite_schema_load(const struct shf_sqlite *db, struct shf_sqlite_schema *out, struct shf_error **error);
void shf_sqlite_schema_free(struct shf_sqlite_schema *schema);
/* Row of type "table" and that name (ASCII case ignored), or NULL. */
const struct shf_sqlite_schema_row *shf_sqlite_schema_table(const struct shf_sqlite_schema *schema, const char *name);

/*
 * Position of a column in the records of a rowid table, by its CREATE TABLE text (quoted and unquoted names, ASCII case
 * ignored), or -1. *is_rowid_alias is set for INTEGER PRIMARY KEY: its value is the rowid.
 */
int shf_sqlite_ddl_column(const char *sql, const char *column, bool *is_rowid_alias);
/* True when the text ends in the table option WITHOUT ROWID. */
bool shf_sqlite_ddl_without_rowid(const char *sql);
/* True when the word (a keyword, say DESC) occurs outside of quotes and comments. */
bool shf_sqlite_ddl_has_word(const char *sql, const char *word);

#endif
