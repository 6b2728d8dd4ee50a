/*
 * Making SlateDB's files: flatbuffers, SSTs of both versions in every codec, manifests. For tests; nothing here is
 * checked.
 */
#ifndef SHF_TESTS_FORMATS_SLATEDB_MAKE_H
#define SHF_TESTS_FORMATS_SLATEDB_MAKE_H

#include "database.h"

/* ---- bytes ---- */

struct bytes {
    uint8_t *data;
    size_t size, capacity;
};
void put(struct bytes *bytes, const void *data, size_t size);
void put_be(struct bytes *bytes, uint64_t value, unsigned width);
void put_checksum(struct bytes *bytes, size_t from); /* over what is there from this place on */
void bytes_free(struct bytes *bytes);
/* Bytes from hex with spaces; the caller's to free. */
uint8_t *spaced_hex(const char *hex, size_t *size);

/* ---- flatbuffers ---- */

/* A field in place, or a place for an offset (fill it with fb_link). */
struct field {
    unsigned slot, width;
    uint64_t value;
};
/* Writes vtable and table; gives the place of the table. The first table is the root, behind fb_begin. */
size_t fb_table(struct bytes *fb, const struct field *fields, size_t count);
size_t fb_bytes(struct bytes *fb, const void *data, size_t size);
size_t fb_vector(struct bytes *fb, uint32_t count); /* of offsets: place of the count; element i at +4+4*i */
/* base: where the flatbuffer begins in the bytes. */
void fb_link(struct bytes *fb, size_t table, unsigned slot, size_t target);
void fb_link_at(struct bytes *fb, size_t at, size_t target);
void fb_begin(struct bytes *fb); /* the offset of the root, which follows */
size_t fb_ulid(struct bytes *fb, uint64_t high, uint64_t low);

/* ---- SSTs ---- */

struct test_row {
    const char *key, *value; /* value NULL: tombstone */
    uint64_t seq;
    uint8_t flags;     /* added; 8 = merge operand */
    size_t value_size; /* 0 = strlen */
};

struct sst_options {
    uint16_t version;
    uint8_t codec;
    size_t block_rows; /* rows of a block */
    int filter;        /* -1 none, 0 legacy, 1 composite */
    bool is_wal;
    bool zstd_without_size;
    bool without_last_key;
};
struct sst_info { /* what the info said */
    uint64_t index_offset, index_size, filter_offset, filter_size;
    uint8_t codec, filter_format;
    const char *first_key, *last_key; /* NULL: absent */
    uint16_t version;
};
/* Rows as they are given. The file is appended to *out (empty before). */
struct sst_info make_sst(struct bytes *out, const struct test_row *rows, size_t count, const struct sst_options *options);
/* One stored form of a payload, without checksum; the caller's to free. */
uint8_t *pack(uint8_t codec, bool without_size, const uint8_t *data, size_t size, size_t *out_size);
/* A file around a data block, an index and a filter that are given as payloads (filter NULL = none). */
struct sst_info make_sst_of(struct bytes *out, const struct bytes *block, const struct bytes *index,
                            const struct bytes *filter, const struct sst_options *options);

/* ---- manifests ---- */

struct made_sst {
    uint64_t ulid; /* low half */
    struct sst_info info;
    int from_kind, to_kind; /* 0 = no visible range */
    const char *from, *to;
};
struct made_run {
    uint32_t id;
    const struct made_sst *ssts;
    size_t count;
};
struct made_segment {
    const char *prefix;
    const struct made_sst *l0;
    size_t l0_count;
    const struct made_run *runs;
    size_t run_count;
};
struct made_manifest {
    uint16_t version;
    bool uninitialized, has_wal_uri;
    uint64_t replay_after, last_l0_seq;
    struct made_segment top;
    const struct made_segment *segments;
    size_t segment_count;
    uint64_t external;  /* low half of an SST id in another database; 0 = none */
    uint64_t forgotten; /* V2: left out of the dictionary */
};
void make_manifest(struct bytes *out, const struct made_manifest *manifest);

/* Adds the objects to a database. */
void add_manifest(struct database *db, uint64_t id, const struct made_manifest *manifest);
void add_wal(struct database *db, uint64_t id, const struct test_row *rows, size_t count,
             const struct sst_options *options);
struct made_sst add_sst(struct database *db, uint64_t ulid, const struct test_row *rows, size_t count,
                        const struct sst_options *options);

/* Looks a key up and compares; value NULL: not there. */
void check_value(struct database *db, const char *key, const char *value);
void check_get_error(struct database *db, const char *key, shf_status code, const char *text);

#endif
