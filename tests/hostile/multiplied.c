/* Rows that share one large object, so that an answer is many times the file: the memory budget must end it. */
#include "hostile/pages.h"

#include "integration/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_BYTES 8000000u
#define BUDGET_BYTES ((uint64_t)32 << 20)
#define MOST_BYTES                                                                                                     \
    (BUDGET_BYTES + 3 * LARGE_BYTES) /* one that is being copied, and the pages of the file that were touched */

static void expect_no_memory(shf_status status, shf_op *op, const char *what, uint64_t before) {
    if (status != SHF_E_NO_MEMORY) fail_msg("%s: status %d: %s", what, status, shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    uint64_t peak = hostile_peak_since(before);
    print_message("%s: %s at %llu KiB\n", what, shf_status_text(status), (unsigned long long)peak >> 10);
    if (!HOSTILE_SLOWED && peak > MOST_BYTES) fail_msg("%s: %llu bytes", what, (unsigned long long)peak);
}

static void search(shf_reader *reader, uint32_t top_k, const char *what) {
    static const float vector[HOSTILE_DIMENSION] = {1, 2, 3, 4};
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = HOSTILE_DIMENSION;
    query.top_k = top_k;
    uint64_t before = hostile_forget_peak();
    shf_status status = shf_search_sync(reader, &query, 0, &op);
    expect_no_memory(status, op, what, before);
}

static void get_often(shf_reader *reader, const char *what) {
    enum { TIMES = 100 };
    char text[1024];
    size_t size = hostile_key(1, text);
    shf_key keys[TIMES];
    shf_op *op = NULL;
    for (int i = 0; i < TIMES; i++) keys[i] = shf_key_from_text(text, size);
    uint64_t before = hostile_forget_peak();
    shf_status status = shf_multi_get_sync(reader, keys, TIMES, NULL, 0, &op);
    expect_no_memory(status, op, what, before);
}

static void with_change(const char *sql, void (*use)(shf_reader *reader)) {
    char *large = malloc(LARGE_BYTES);
    shf_status status;
    memset(large, 'p', LARGE_BYTES);
    struct bytes shard = hostile_run_sql(hostile_sound(HOSTILE_SHARD, 4096), sql, large, LARGE_BYTES);
    hostile_put(HOSTILE_SHARD, shard.data, shard.size);
    char *cache = support_path("%s-cache", hostile_snapshot());
    shf_reader *reader = support_open(hostile_snapshot(), cache, 0, &status);
    if (!reader) fail_msg("%s: %s", sql, support_message);
    use(reader);
    support_close(reader);
    support_remove_tree(cache);
    free(cache);
    free(shard.data);
    free(large);
}

static void search_one_payload(shf_reader *reader) { search(reader, HOSTILE_ROWS, "20 hits, one payload of 8 MB"); }
static void get_one_value(shf_reader *reader) { get_often(reader, "100 times one value of 8 MB"); }

void hostile_multiplied(void **state) {
    shf_runtime *runtime = support_runtime;
    shf_cq *cq = support_cq;
    shf_runtime_options options;
    (void)state;
    SHF_INIT(&options);
    options.memory_budget_bytes = BUDGET_BYTES;
    assert_int_equal(shf_runtime_new(&options, &support_runtime), SHF_OK);
    assert_int_equal(shf_cq_new(support_runtime, 0, &support_cq), SHF_OK);
    with_change(
        "UPDATE vec_index_chunks SET rowids = zeroblob(512); UPDATE vec_payloads SET payload = ?1 WHERE rowid = 0",
        search_one_payload);
    with_change("UPDATE kv SET v = CAST(?1 AS BLOB) WHERE k = CAST('key-00001' AS BLOB)", get_one_value);
    assert_int_equal(support_tear_down(state), 0);
    support_runtime = runtime;
    support_cq = cq;
}

/* ---- rows that share one overflow chain ---- */

enum { PAGE = 4096, LOCAL_LEAST = (PAGE - 12) * 32 / 255 - 23, LEAVES = 300, CELLS = 7 };

/* Bytes of a rowid of three groups. */
static unsigned put_rowid(uint8_t *at, unsigned rowid) {
    at[0] = (uint8_t)(0x80 | rowid >> 14);
    at[1] = (uint8_t)(0x80 | (rowid >> 7 & 0x7f));
    at[2] = (uint8_t)(rowid & 0x7f);
    return 3;
}

/* The table has one row, whose record overflows: afterwards it has 2,100 of them, all with the same record. */
static struct bytes share_record(const struct bytes *database, const char *table) {
    uint32_t pages = (uint32_t)(database->size / PAGE), root = oracle_root(database, table), size = 0;
    struct bytes out = {calloc(1, database->size + (LEAVES + 1) * PAGE), database->size + (LEAVES + 1) * PAGE};
    memcpy(out.data, database->data, database->size);
    const uint8_t *cell = out.data + (size_t)(root - 1) * PAGE, *at;
    assert_int_equal(cell[0], 13);
    at = cell += get_be(cell + 8, 2);
    do size = size << 7 | (*at & 0x7f);
    while (*at++ & 0x80);
    unsigned size_bytes = (unsigned)(at - cell);
    while (*at++ & 0x80) continue; /* its rowid */
    uint32_t local = LOCAL_LEAST + (size - LOCAL_LEAST) % (PAGE - 4);
    if (local > PAGE - 35) local = LOCAL_LEAST;
    assert_true(local < 560); /* the caller chose the size so */
    uint8_t *top = out.data + database->size;
    top[0] = 5;
    put_be(top + 3, 2, LEAVES - 1);
    put_be(top + 8, 4, pages + 1 + LEAVES);
    for (unsigned leaf = 0; leaf < LEAVES; leaf++) {
        uint8_t *page = top + (size_t)(leaf + 1) * PAGE;
        unsigned end = PAGE;
        page[0] = 13;
        put_be(page + 3, 2, CELLS);
        for (unsigned i = 0; i < CELLS; i++) {
            end -= size_bytes + 3 + local + 4;
            put_be(page + 8 + 2 * i, 2, end);
            memcpy(page + end, cell, size_bytes);
            (void)put_rowid(page + end + size_bytes, leaf * CELLS + i);
            memcpy(page + end + size_bytes + 3, at, local + 4);
        }
        if (leaf == LEAVES - 1) break;
        put_be(top + 12 + 2 * leaf, 2, PAGE - 7 * (leaf + 1));
        put_be(top + PAGE - 7 * (leaf + 1), 4, pages + 2 + leaf);
        (void)put_rowid(top + PAGE - 7 * (leaf + 1) + 4, leaf * CELLS + CELLS - 1);
    }
    put_be(out.data + 28, 4, pages + 1 + LEAVES);
    char sql[128];
    (void)snprintf(sql, sizeof sql, "UPDATE sqlite_schema SET rootpage = %u WHERE name = '%s'", pages + 1, table);
    struct bytes pointed = hostile_run_sql(&out, sql, NULL, 0);
    free(out.data);
    return pointed;
}

/* Text of such a size that little of the record lies in its cell. */
static void try_shared(const char *sql, const char *table, size_t text_size, const char *what) {
    char *text = malloc(text_size);
    memset(text, 'p', text_size);
    struct bytes one = hostile_run_sql(hostile_sound(HOSTILE_SHARD, PAGE), sql, text, text_size);
    struct bytes many = share_record(&one, table);
    hostile_try(HOSTILE_SHARD, HOSTILE_FAILS, "rows share no bytes", many.data, many.size, "%s", what);
    free(many.data);
    free(one.data);
    free(text);
}

void hostile_shared_rows(void **state) {
    (void)state;
    try_shared("DELETE FROM vec_id_map; "
               "INSERT INTO vec_id_map VALUES (0, '{\"v\": 1, \"t\": \"int\", \"x\": \"' || ?1 || '\"}')",
               "vec_id_map", 489 - 40 + 25 * (PAGE - 4), "2100 ids in one chain of 102 kB");
    try_shared("CREATE TABLE wide (chunk_id INTEGER PRIMARY KEY, size, validity, rowids, big, a, b, c, d, e, f, g, h, "
               "i, j, k, l, m);"
               "INSERT INTO wide SELECT chunk_id, size, validity, rowids, ?1, 300, 300, 300, 300, 300, 300, 300, 300, "
               "300, 300, "
               "300, 300, 300 FROM vec_index_chunks;"
               "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'wide') "
               "WHERE name = 'vec_index_chunks'",
               "vec_index_chunks", 489 - 580 + 1000 * (PAGE - 4), "2100 chunks in one chain of 4 MB");
    hostile_count("rows that share a chain");
}
