#include "hostile/two_shards.h"

#include "integration/support.h"
#include "integration/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GOLDEN "tests/data/formats/"
enum { SHARDS = 2, DIMENSION = 4, TOP = 64 };

static const struct {
    const char *keys, *vectors, *directory;
} parts[SHARDS] = {
    {GOLDEN "slatedb/comp_lz4", GOLDEN "lance/v22-npm0.39.0_emptystr/vector_index.lance", WRAP_SHARD},
    {GOLDEN "slatedb/tiny", GOLDEN "lance/v22-npm0.39.0_one/vector_index.lance", WRAP_SECOND_SHARD},
};

static char *root, *snapshot;
static shf_key *keys;
static unsigned char **key_bytes;
static size_t key_count;
static shf_op *first_values, *first_hits;

const char *two_shards_snapshot(void) { return snapshot; }

static void load_keys(const char *directory) {
    json_t *rows = support_lines(directory, "expected.jsonl"), *row;
    size_t i, size;
    keys = realloc(keys, (key_count + json_array_size(rows)) * sizeof *keys);
    key_bytes = realloc(key_bytes, (key_count + json_array_size(rows)) * sizeof *key_bytes);
    json_array_foreach(rows, i, row) {
        key_bytes[key_count] = support_base64(json_string_value(json_object_get(row, "k")), &size);
        keys[key_count] = shf_key_from_bytes(key_bytes[key_count], size);
        key_count++;
    }
    json_decref(rows);
}

static shf_op *ask_keys(shf_reader *reader, const char *name) {
    shf_op *op = NULL;
    if (shf_multi_get_sync(reader, keys, key_count, NULL, 0, &op)) {
        fail_msg("%s: %s", name, shf_error_message(shf_op_error(op)));
    }
    return op;
}

static shf_op *ask_vectors(shf_reader *reader, const char *name) {
    static const float vector[DIMENSION] = {0.5f, -1, 2, 0.25f};
    shf_query query;
    shf_op *op = NULL;
    SHF_INIT(&query);
    query.vector = vector;
    query.dimension = DIMENSION;
    query.top_k = TOP;
    if (shf_search_sync(reader, &query, 0, &op)) fail_msg("%s: %s", name, shf_error_message(shf_op_error(op)));
    return op;
}

static bool same_slice(const shf_slice *a, const shf_slice *b) {
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static void compare_values(const shf_op *op, const char *name) {
    assert_int_equal(shf_op_value_count(op), key_count);
    for (size_t i = 0; i < key_count; i++) {
        shf_value value, wanted;
        SHF_INIT(&value);
        SHF_INIT(&wanted);
        assert_int_equal(shf_op_value(op, i, &value), SHF_OK);
        assert_int_equal(shf_op_value(first_values, i, &wanted), SHF_OK);
        if (value.status != wanted.status || !same_slice(&value.data, &wanted.data)) {
            fail_msg("%s: another value of key %zu", name, i);
        }
    }
}

static void compare_hits(const shf_op *op, const char *name) {
    size_t count = shf_op_hit_count(first_hits, 0);
    assert_int_equal(shf_op_hit_count(op, 0), count);
    for (size_t i = 0; i < count; i++) {
        shf_hit hit, wanted;
        SHF_INIT(&hit);
        SHF_INIT(&wanted);
        assert_int_equal(shf_op_hit(op, 0, i, &hit), SHF_OK);
        assert_int_equal(shf_op_hit(first_hits, 0, i, &wanted), SHF_OK);
        if (hit.score != wanted.score || hit.shard != wanted.shard || !same_slice(&hit.id.text, &wanted.id.text) ||
            !same_slice(&hit.payload, &wanted.payload)) {
            fail_msg("%s: another hit %zu", name, i);
        }
    }
}

void two_shards_expect_right(shf_reader *reader, const char *name) {
    shf_op *values = ask_keys(reader, name), *hits = ask_vectors(reader, name);
    compare_values(values, name);
    compare_hits(hits, name);
    shf_op_release(values);
    shf_op_release(hits);
}

/* Hash routing finds about half of the keys of each. */
static void check_first(void) {
    size_t found[SHARDS] = {0}, at = 0;
    for (size_t shard = 0; shard < SHARDS; shard++) {
        json_t *rows = support_lines(parts[shard].keys, "expected.jsonl");
        for (size_t i = 0; i < json_array_size(rows); i++, at++) {
            shf_value value;
            SHF_INIT(&value);
            assert_int_equal(shf_op_value(first_values, at, &value), SHF_OK);
            found[shard] += value.status == SHF_OK;
        }
        json_decref(rows);
        assert_true(found[shard] > 0);
    }
    assert_int_equal(shf_op_hit_count(first_hits, 0), 41);
}

void two_shards_begin(void) {
    shf_status status;
    root = support_temporary_directory();
    char *custom = wrap_composite("slatedb", DIMENSION, "dot_product"), *cache = support_path("%s/first", root);
    snapshot = wrap_two_shards(root, custom);
    for (size_t i = 0; i < SHARDS; i++) {
        char *shard = support_path("%s/%s", snapshot, parts[i].directory), *from = support_path("%s/db", parts[i].keys);
        char *vectors = support_path("%s/vector", shard), *index = support_path("%s/vector_index.lance", vectors);
        support_copy_tree(from, shard);
        assert_int_equal(mkdir(vectors, 0755), 0);
        support_copy_tree(parts[i].vectors, index);
        load_keys(parts[i].keys);
        free(shard);
        free(from);
        free(vectors);
        free(index);
    }
    shf_reader *reader = support_open(snapshot, cache, SHF_OPEN_PRIVATE_COPY, &status);
    if (!reader) fail_msg("%s", support_message);
    first_values = ask_keys(reader, "at first");
    first_hits = ask_vectors(reader, "at first");
    check_first();
    support_close(reader);
    free(custom);
    free(cache);
}

void two_shards_end(void) {
    shf_op_release(first_values);
    shf_op_release(first_hits);
    for (size_t i = 0; i < key_count; i++) free(key_bytes[i]);
    free(keys);
    free(key_bytes);
    support_remove_tree(root);
    free(root);
    free(snapshot);
}
