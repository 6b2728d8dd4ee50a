/* Snapshots with keys in SlateDB and vectors in LanceDB, as files: what they answer, and what is refused. */
#include "fault/world.h"
#include "integration/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RUN "a786cb462b564dc3a8c078618d2e9852"
#define SHARDS "shards/run_id=" RUN "/"
#define SHARD(id) SHARDS "db=0000" id "/attempt=00/"
#define LANCE "vector/vector_index.lance/"
#define REPLAY_AFTER_AT 82 /* in the last manifest of shard 0: replay_after_wal_id */
#define DAMAGES 12         /* of each object */

static char *copy, *cache; /* of a test */

static int begin(void **state) {
    char *root = support_temporary_directory();
    world_select(WORLD_COMPOSITE);
    copy = support_path("%s/copy", root);
    cache = support_path("%s/cache", root);
    support_copy_tree(world->snapshot, copy);
    free(root);
    return support_set_up(state);
}

static int end(void **state) {
    int held = support_tear_down(state);
    *strrchr(copy, '/') = '\0';
    support_remove_tree(copy);
    free(copy);
    free(cache);
    return held;
}

static void remove_object(const char *key) {
    char *path = support_path("%s/%s", copy, key);
    if (unlink(path) != 0) support_remove_tree(path);
    free(path);
}

static void put_object(const char *key, const void *data, size_t size) {
    char *path = support_path("%s/%s", copy, key);
    support_write_file(path, data, size);
    free(path);
}

static char *object(const char *key, size_t *size) {
    char *path = support_path("%s/%s", world->snapshot, key), *data = support_read_file(path, size);
    free(path);
    return data;
}

static void assert_refused(shf_status wanted, const char *part) {
    shf_status status;
    shf_reader *reader = support_open(copy, cache, 0, &status);
    assert_null(reader);
    if (status != wanted || !strstr(support_message, part)) fail_msg("%d: %s", status, support_message);
}

/* ---- answers ---- */

/* Whatever came of it, when wanted is NULL. */
static void ask(shf_reader *reader, const int *wanted) {
    shf_key *keys = calloc(world->row_count, sizeof *keys);
    shf_op *op = NULL;
    for (size_t i = 0; i < world->row_count; i++) keys[i] = world_key(i);
    shf_status status = shf_multi_get_sync(reader, keys, world->row_count, NULL, 0, &op);
    for (size_t i = 0; wanted && i < world->row_count; i++) {
        shf_value value;
        SHF_INIT(&value);
        assert_int_equal(status, SHF_OK);
        assert_int_equal(shf_op_value(op, i, &value), SHF_OK);
        assert_true(world_value_is(i, *wanted, &value));
    }
    shf_op_release(op);
    for (size_t i = 0; world->kind != WORLD_KEYS && i < WORLD_QUERIES; i++) {
        shf_query query = world_query(i);
        op = NULL;
        status = shf_search_sync(reader, &query, 0, &op);
        assert_true(!wanted || (status == SHF_OK && world_hits_are(op, 0, i, *wanted)));
        shf_op_release(op);
    }
    free(keys);
}

static void assert_answers(const char *url, uint32_t flags, int run) {
    shf_status status;
    shf_reader *reader = support_open(url, cache, flags, &status);
    if (!reader) fail_msg("%d: %s", status, support_message);
    ask(reader, &run);
    support_close(reader);
}

static void test_answers(void **state) {
    (void)state;
    static const uint32_t flags[] = {0, SHF_OPEN_LAZY, SHF_OPEN_PRIVATE_COPY, SHF_OPEN_PRIVATE_COPY | SHF_OPEN_LAZY};
    for (int kind = WORLD_COMPOSITE; kind <= WORLD_KEYS; kind++) {
        world_select((enum world_kind)kind);
        for (int i = 0; i < 16; i++) { /* the second half finds the cache filled */
            int run = i / 4 % 2;
            world_publish(run ? WORLD_SECOND : WORLD_FIRST);
            assert_answers(world->snapshot, flags[i % 4], run);
        }
        world_publish(WORLD_FIRST);
    }
}

/* A value outlives the operation and the reader that it came from, whichever of the files it lies in. */
static void test_values_outlive_readers(void **state) {
    (void)state;
    shf_status status;
    shf_reader *reader = support_open(world->snapshot, cache, SHF_OPEN_PRIVATE_COPY, &status);
    shf_value *values = calloc(world->row_count, sizeof *values);
    assert_non_null(reader);
    for (size_t i = 0; i < world->row_count; i++) {
        shf_key key = world_key(i);
        shf_op *op = NULL;
        SHF_INIT(&values[i]);
        assert_int_equal(shf_get_sync(reader, &key, NULL, 0, &op), SHF_OK);
        assert_int_equal(shf_op_value(op, 0, &values[i]), SHF_OK);
        if (values[i].status == SHF_OK) values[i].buf = shf_buf_retain(values[i].buf);
        shf_op_release(op);
    }
    support_close(reader);
    for (size_t i = 0; i < world->row_count; i++) {
        assert_true(world_value_is(i, 0, &values[i]));
        if (values[i].status == SHF_OK) shf_buf_release(values[i].buf);
    }
    free(values);
}

/* ---- what is refused ---- */

/* The last id that there is: nothing could follow, so the end of the replay could not be told. */
static void test_last_wal_id(void **state) {
    (void)state;
    static const char manifest[] = SHARD("0") "manifest/00000000000000000005.manifest";
    size_t size, fence_size;
    char *data = object(manifest, &size), *fence = object(SHARD("0") "wal/00000000000000000001.sst", &fence_size);
    const uint64_t before = 2, last_but_one = UINT64_MAX - 1;
    assert_memory_equal(data + REPLAY_AFTER_AT, &before, sizeof before);
    memcpy(data + REPLAY_AFTER_AT, &last_but_one, sizeof last_but_one);
    put_object(manifest, data, size);
    assert_answers(copy, 0, 0); /* nothing is to be replayed, still */
    put_object(SHARD("0") "wal/18446744073709551615.sst", fence, fence_size);
    assert_refused(SHF_E_CORRUPT, "keys: wal/18446744073709551615.sst");
    free(data);
    free(fence);
}

static void test_missing(void **state) {
    (void)state;
    remove_object(SHARD("1") "wal/00000000000000000001.sst");
    assert_refused(SHF_E_CORRUPT, "shard 1: keys: wal/00000000000000000001.sst is missing");
    remove_object(SHARD("1") "manifest");
    assert_refused(SHF_E_NOT_FOUND, "shard 1: keys: there is no SlateDB manifest");
}

/* Vectors may be absent altogether; a part of them not. */
static void test_half_a_dataset(void **state) {
    (void)state;
    remove_object(SHARD("0") LANCE "_versions");
    assert_refused(SHF_E_INDEX, "shard 0: vectors: " LANCE ": it has no manifest, but data/");
    remove_object(SHARD("0") LANCE "data");
    shf_status status;
    shf_reader *reader = support_open(copy, cache, 0, &status);
    shf_query query = world_query(1); /* of shard 1 alone */
    shf_op *op = NULL;
    assert_non_null(reader);
    assert_int_equal(shf_search_sync(reader, &query, 0, &op), SHF_OK);
    assert_true(world_hits_are(op, 0, 1, 0));
    shf_op_release(op);
    support_close(reader);
}

static void test_dimension(void **state) {
    (void)state;
    char *manifests = support_path("%s/manifests", copy), *path = support_find_file(manifests, "manifest", 0);
    world_change(path, "UPDATE build_meta SET custom = replace(custom, '\"dim\": 4', '\"dim\": 5')");
    assert_refused(SHF_E_INDEX, "vectors: it holds vectors of 4 dimensions, the manifest says 5");
    free(path);
    free(manifests);
}

/* ---- damage ---- */

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void damage(char *data, size_t *size, uint64_t *seed) {
    uint64_t number = next_random(seed);
    size_t at = (size_t)(next_random(seed) % *size), many = 1 + (size_t)(number >> 8) % 4;
    switch (number % 4) {
    case 0: *size = at; break;
    case 1: memset(data + at, number & 16 ? 0xff : 0, many < *size - at ? many : *size - at); break;
    case 2: data[at] = (char)(number >> 16); break;
    default: data[at] ^= (char)(1u << (number >> 16) % 8); break;
    }
}

/* Of every object: any answer and any error will do, and nothing may be held afterwards. */
static void test_damaged(void **state) {
    (void)state;
    const char *given = getenv("SHF_DAMAGE_SEED");
    uint64_t start = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL), seed = start * 2654435761u + 1;
    unsigned opened = 0, refused = 0;
    for (size_t i = 0; i < world->object_count; i++) {
        if (strncmp(world->objects[i], SHARDS, sizeof SHARDS - 1) != 0) continue;
        for (int k = 0; k < DAMAGES; k++) {
            shf_status status;
            size_t size;
            char *data = object(world->objects[i], &size);
            damage(data, &size, &seed);
            put_object(world->objects[i], data, size);
            shf_reader *reader = support_open(copy, cache, k % 2 ? SHF_OPEN_PRIVATE_COPY : 0, &status);
            *(reader ? &opened : &refused) += 1;
            if (reader) ask(reader, NULL);
            if (reader) support_close(reader);
            free(data);
        }
        size_t size;
        char *data = object(world->objects[i], &size);
        put_object(world->objects[i], data, size);
        free(data);
    }
    print_message("SHF_DAMAGE_SEED=%llu: %u opened, %u refused\n", (unsigned long long)start, opened, refused);
    assert_true(opened && refused);
    assert_answers(copy, 0, 0);
}

static int group_begin(void **state) {
    (void)state;
    world_begin();
    return 0;
}
static int group_end(void **state) {
    (void)state;
    world_end();
    return 0;
}

int main(void) {
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {TEST(test_answers), TEST(test_values_outlive_readers), TEST(test_last_wal_id),
                                       TEST(test_missing), TEST(test_half_a_dataset),         TEST(test_dimension),
                                       TEST(test_damaged)};
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
