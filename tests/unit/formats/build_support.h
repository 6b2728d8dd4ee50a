/* What the tests of the builders share: a sink into memory, and walks over what was built. */
#ifndef SHF_TESTS_FORMATS_BUILD_SUPPORT_H
#define SHF_TESTS_FORMATS_BUILD_SUPPORT_H

#include "failing_alloc.h"
#include "support.h"

#include "formats/sidecar_build.h"

/* Keeps the pages, and sees that each is written once and page 1 last. */
struct memory_sink {
    struct shf_page_sink base;
    uint32_t page_size;
    uint8_t *bytes;
    size_t page_count; /* of the file so far */
    bool *is_written;
    bool has_first;
    size_t fail_after; /* writes; 0 = never */
    size_t writes;
};
void memory_sink_init(struct memory_sink *sink, uint32_t page_size);
void memory_sink_free(struct memory_sink *sink);

struct built {
    uint8_t *bytes;
    size_t size;
    struct shf_shard_pages pages;
    struct shf_budget budget;
};
/* Builds; every page but the lock page must have been written. Fails the test on an error. */
typedef bool next_row(void *context, size_t index, struct shf_shard_row *row);
void build_shard(uint32_t page_size, uint32_t dimension, enum shf_metric metric, next_row *next, void *context,
                 struct built *out);
void built_free(struct built *built);

/* Opens the bytes with libsqlite3 (they are copied), and sees that integrity_check says ok. */
sqlite3 *open_checked(const uint8_t *bytes, size_t size);
/* One value of a query of one row. */
int64_t query_integer(sqlite3 *db, const char *sql);
/* The text that a query of one row gives; the caller's to free. */
char *query_text(sqlite3 *db, const char *sql);

/* Walks every b-tree of the file itself: the lists must be just its interior pages, schema pages and overflow chains. */
void check_page_lists(const uint8_t *bytes, size_t size, const struct shf_shard_pages *pages);

/* A sink of a sidecar into memory; the write that is to fail, 0 = none. */
struct bytes_sink {
    struct shf_byte_sink base;
    uint8_t *bytes;
    size_t size, writes, fail_at;
};
shf_status bytes_write(struct shf_byte_sink *base, const void *data, size_t size, struct shf_error **error);
/* Makes a sidecar and reads it: it has just the pages and chains of the lists, which check_page_lists has checked. */
void check_sidecar(const struct built *built);

#endif
