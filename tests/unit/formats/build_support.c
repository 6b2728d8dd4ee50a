#include "build_support.h"

#include "base/cursor.h"
#include "formats/sqlite.h"

#include <stdlib.h>
#include <string.h>

/* ---- sink ---- */

static shf_status sink_write(struct shf_page_sink *base, uint32_t first, const uint8_t *pages, uint32_t count,
                             struct shf_error **error) {
    struct memory_sink *sink = (struct memory_sink *)base;
    if (sink->fail_after && ++sink->writes >= sink->fail_after) {
        return shf_error_set(error, SHF_E_LOCAL, "the disk is full");
    }
    assert_false(sink->has_first);
    assert_true(first >= 1 && count >= 1);
    size_t end = (size_t)first - 1 + count;
    if (end > sink->page_count) {
        size_t grown = end + end / 2;
        sink->bytes = realloc(sink->bytes, grown * sink->page_size);
        sink->is_written = realloc(sink->is_written, grown);
        assert_non_null(sink->bytes);
        assert_non_null(sink->is_written);
        memset(sink->is_written + sink->page_count, 0, grown - sink->page_count);
        sink->page_count = end;
    }
    memcpy(sink->bytes + (size_t)(first - 1) * sink->page_size, pages, (size_t)count * sink->page_size);
    for (size_t i = first - 1; i < end; i++) {
        assert_false(sink->is_written[i]);
        sink->is_written[i] = true;
    }
    if (first == 1) sink->has_first = true;
    return SHF_OK;
}

void memory_sink_init(struct memory_sink *sink, uint32_t page_size) {
    *sink = (struct memory_sink){.base = {sink_write}, .page_size = page_size};
}

void memory_sink_free(struct memory_sink *sink) {
    free(sink->bytes);
    free(sink->is_written);
}

/* ---- building ---- */

void build_shard(uint32_t page_size, uint32_t dimension, enum shf_metric metric, next_row *next, void *context,
                 struct built *out) {
    struct memory_sink sink;
    struct shf_error *error = NULL;
    struct shf_shard_build *build = NULL;
    struct shf_shard_row row = {0};
    memory_sink_init(&sink, page_size);
    shf_budget_init(&out->budget, shf_shard_build_bytes(page_size, dimension) + (64u << 20));
    const struct shf_shard_build_options options = {
        .page_size = page_size, .dimension = dimension, .metric = metric, .sink = &sink.base, .budget = &out->budget};
    expect_ok(shf_shard_build_new(&options, &build, &error), error);
    for (size_t i = 0; next(context, i, &row); i++) {
        expect_ok(shf_shard_build_add(build, &row, &error), error);
        row = (struct shf_shard_row){0};
    }
    expect_ok(shf_shard_build_finish(build, &out->pages, &error), error);
    assert_true(out->budget.used_bytes - out->pages.charged_bytes <= shf_shard_build_bytes(page_size, dimension));
    shf_shard_build_free(build);
    assert_int_equal(out->budget.used_bytes, out->pages.charged_bytes);
    assert_int_equal(out->pages.page_count, sink.page_count);
    for (size_t i = 0; i < sink.page_count; i++) assert_true(sink.is_written[i]);
    assert_true(sink.has_first);
    out->size = sink.page_count * page_size;
    out->bytes = realloc(sink.bytes, out->size); /* exact, so that ASan sees a read past the end */
    assert_non_null(out->bytes);
    free(sink.is_written);
}

void built_free(struct built *built) {
    free(built->bytes);
    shf_shard_pages_free(&built->pages);
    assert_int_equal(built->budget.used_bytes, 0);
}

/* ---- libsqlite3 ---- */

sqlite3 *open_checked(const uint8_t *bytes, size_t size) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    unsigned char *copy = sqlite3_malloc64(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    assert_int_equal(
        sqlite3_deserialize(db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size, SQLITE_DESERIALIZE_FREEONCLOSE),
        SQLITE_OK);
    char *result = query_text(db, "PRAGMA integrity_check");
    assert_string_equal(result, "ok");
    free(result);
    return db;
}

static sqlite3_stmt *one_row(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(statement) != SQLITE_ROW) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return statement;
}

int64_t query_integer(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = one_row(db, sql);
    int64_t value = sqlite3_column_int64(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return value;
}

char *query_text(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = one_row(db, sql);
    const unsigned char *text = sqlite3_column_text(statement, 0);
    char *copy = strdup(text ? (const char *)text : "");
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return copy;
}

/* ---- a walk of its own, written apart from the library ---- */

struct walk {
    const uint8_t *bytes;
    uint32_t page_size, page_count;
    uint8_t *kinds; /* a page: 0 not seen, 1 listed, 2 leaf, 3 chain */
    struct shf_page_chain *chains;
    size_t chain_count;
};

static uint64_t varint(const uint8_t **at) {
    uint64_t value = 0;
    for (int i = 0; i < 9; i++) {
        uint8_t byte = *(*at)++;
        if (i == 8) return value << 8 | byte;
        value = value << 7 | (byte & 0x7f);
        if (byte < 0x80) break;
    }
    return value;
}

static void see(struct walk *walk, uint32_t number, uint8_t kind) {
    assert_true(number >= 1 && number <= walk->page_count);
    assert_int_equal(walk->kinds[number], 0);
    walk->kinds[number] = kind;
}

static void walk_chain(struct walk *walk, uint32_t head, uint64_t size) {
    uint32_t share = walk->page_size - 4, count = 0, number = head;
    uint32_t lock = (1u << 30) / walk->page_size + 1;
    while (number) {
        const uint8_t *page = walk->bytes + (size_t)(number - 1) * walk->page_size;
        see(walk, number, 3);
        uint32_t next = shf_load_u32be(page);
        assert_true(next == 0 || next == number + 1 || (number + 1 == lock && next == lock + 1));
        uint64_t used = size < share ? size : share;
        for (uint64_t i = used; i < share; i++) assert_int_equal(page[4 + i], 0);
        size -= used;
        number = next;
        count++;
    }
    assert_int_equal(size, 0);
    walk->chains = realloc(walk->chains, (walk->chain_count + 1) * sizeof *walk->chains);
    walk->chains[walk->chain_count++] = (struct shf_page_chain){head, count};
}

/* Returns the number of children put to `children`. Checks that the page is as bulk loading leaves it. */
static size_t walk_page(struct walk *walk, uint32_t number, bool is_schema, bool is_root, uint32_t *children) {
    const uint8_t *page = walk->bytes + (size_t)(number - 1) * walk->page_size;
    uint32_t header = number == 1 ? 100 : 0, usable = walk->page_size;
    uint8_t type = page[header];
    bool is_leaf = type == 10 || type == 13, is_index = type == 10 || type == 2;
    assert_true(is_leaf || type == 2 || type == 5);
    see(walk, number, is_leaf && !is_schema ? 2 : 1);
    uint32_t cells = shf_load_u16be(page + header + 3), content = shf_load_u16be(page + header + 5);
    uint32_t pointers = header + (is_leaf ? 8 : 12), low = usable;
    if (content == 0) content = 65536;
    assert_int_equal(shf_load_u16be(page + header + 1), 0); /* free blocks */
    assert_int_equal(page[header + 7], 0);
    assert_true(cells > 0 || (is_root && is_leaf)); /* no empty leaf, no lone child */
    for (uint32_t i = pointers + 2 * cells; i < content; i++) assert_int_equal(page[i], 0);
    size_t count = 0;
    for (uint32_t i = 0; i < cells; i++) {
        uint32_t offset = shf_load_u16be(page + pointers + 2 * i), end = low;
        const uint8_t *at = page + offset;
        if (!is_leaf) {
            children[count++] = shf_load_u32be(at);
            at += 4;
        }
        if (is_leaf || is_index) {
            uint64_t size = varint(&at), max = is_index ? (usable - 12) * 64 / 255 - 23 : usable - 35, local = size;
            uint32_t least = (usable - 12) * 32 / 255 - 23;
            if (!is_index) (void)varint(&at);
            if (size > max) {
                local = least + (size - least) % (usable - 4);
                if (local > max) local = least;
                walk_chain(walk, shf_load_u32be(at + local), size - local);
                at += 4;
            }
            at += local;
        } else {
            (void)varint(&at);
        }
        assert_int_equal(at - page, end); /* cells lie side by side */
        low = offset;
    }
    assert_int_equal(low, content);
    if (!is_leaf) children[count++] = shf_load_u32be(page + header + 8);
    return count;
}

static void walk_tree(struct walk *walk, uint32_t root, bool is_schema) {
    size_t count = 1, capacity = 1 << 16;
    uint32_t *queue = malloc(capacity * sizeof *queue);
    queue[0] = root;
    while (count > 0) {
        uint32_t number = queue[--count];
        if (count + 65536 / 2 > capacity) queue = realloc(queue, (capacity *= 2) * sizeof *queue);
        count += walk_page(walk, number, is_schema, number == root, queue + count);
    }
    free(queue);
}

static int compare_chains(const void *a, const void *b) {
    const struct shf_page_chain *x = a, *y = b;
    return (x->head > y->head) - (x->head < y->head);
}

void check_page_lists(const uint8_t *bytes, size_t size, const struct shf_shard_pages *pages) {
    struct shf_sqlite db;
    struct shf_sqlite_schema schema;
    struct shf_error *error = NULL;
    expect_ok(shf_sqlite_open(&db, bytes, size, &error), error);
    expect_ok(shf_sqlite_schema_load(&db, &schema, &error), error);
    struct walk walk = {.bytes = bytes, .page_size = db.page_size, .page_count = db.page_count};
    walk.kinds = calloc(1, (size_t)db.page_count + 1);
    walk_tree(&walk, 1, true);
    for (size_t i = 0; i < schema.count; i++) {
        if (schema.rows[i].root) walk_tree(&walk, schema.rows[i].root, false);
    }
    size_t at = 0;
    for (uint32_t number = 1; number <= db.page_count; number++) {
        assert_true(walk.kinds[number] != 0 || number == db.lock_page); /* no page is left over */
        if (walk.kinds[number] != 1) continue;
        assert_true(at < pages->interior_count);
        assert_int_equal(pages->interior[at++], number);
    }
    assert_int_equal(at, pages->interior_count);
    assert_int_equal(walk.chain_count, pages->chain_count);
    if (walk.chain_count) qsort(walk.chains, walk.chain_count, sizeof *walk.chains, compare_chains);
    for (size_t i = 0; i < walk.chain_count; i++) {
        assert_int_equal(walk.chains[i].head, pages->chains[i].head);
        assert_int_equal(walk.chains[i].count, pages->chains[i].count);
    }
    free(walk.kinds);
    free(walk.chains);
    shf_sqlite_schema_free(&schema);
}
