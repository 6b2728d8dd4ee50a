/* Rows that share one large object, so that an answer is many times the file: the memory budget must end it. */
#include "hostile/hostile.h"

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
    if (!HOSTILE_SANITIZED && peak > MOST_BYTES) fail_msg("%s: %llu bytes", what, (unsigned long long)peak);
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
static void search_one_id(shf_reader *reader) { search(reader, HOSTILE_ROWS, "20 hits, one id of 8 MB"); }
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
    with_change("UPDATE vec_index_chunks SET rowids = zeroblob(512);"
                "UPDATE vec_id_map SET original_id = '{\"v\": \"' || ?1 || '\", \"t\": \"str\"}' WHERE rowid = 0",
                search_one_id);
    with_change("UPDATE kv SET v = CAST(?1 AS BLOB) WHERE k = CAST('key-00001' AS BLOB)", get_one_value);
    assert_int_equal(support_tear_down(state), 0);
    support_runtime = runtime;
    support_cq = cq;
}
