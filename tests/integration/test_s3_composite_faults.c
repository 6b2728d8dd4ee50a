/*
 * What may go wrong with a composite snapshot on a real S3 server: objects that are gone, once or for good, deadlines and
 * cancelling in each step of each half, and a half that fails while the other one waits.
 */
#include "integration/s3_composite_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUN "a786cb462b564dc3a8c078618d2e9852"
#define SHARDS "shards/run_id=" RUN
#define FLUSHED SHARDS "/db=00000/attempt=00/"
#define WAL_ONLY SHARDS "/db=00001/attempt=00/"
#define LANCE "vector/vector_index.lance/"
#define SST "compacted/01M812AP1WS6RK69N8QP39Q4BP.sst"
#define DATA LANCE "data/1100011101110101010101109633764b76b6008996127104d8.lance"
/* As they stand in the targets of requests. */
#define LISTING(shard, directory) "db%3D0000" shard "%2Fattempt%3D00%2F" directory
#define MANIFESTS(shard) LISTING(shard, "manifest%2F")
#define VERSIONS(shard) LISTING(shard, "vector%2Fvector_index.lance%2F_versions%2F")

static shf_s3_options proxied(void) { return s3_options(fault_proxy_endpoint(s3_proxy)); }

static void nap(void) { (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

static uint32_t gets_of(const char *part) { return fault_proxy_requests_of(s3_proxy, "GET", part); }

static void assert_says(const struct s3_opened *opened, const char *part) {
    if (strstr(opened->message, part)) return;
    fail_msg("\"%s\" is not in: %s", part, opened->message);
}

static void assert_opens(const char *url) {
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(url, &s3, 0, 0);
    composite_assert_exact(&opened, 0);
    s3_assert_no_temporaries();
}

/* ---- a manifest that the listing names ---- */

#define LIST_HEAD                                                                                                      \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"   \
    "<Name>copies</Name><IsTruncated>false</IsTruncated>"
#define LIST_OF(name) LIST_HEAD "<Contents><Key>elsewhere/composite/" name "</Key></Contents></ListBucketResult>"
#define LIST_OF_NONE LIST_HEAD "</ListBucketResult>"

static const struct stale {
    const char *listing, *answer, *name, *half;
} stale[] = {
    {MANIFESTS("1"), LIST_OF(WAL_ONLY "manifest/00000000000000000009.manifest"), "00000000000000000009",
     "shard 1: keys: "},
    {VERSIONS("0"), LIST_OF(FLUSHED LANCE "_versions/18446744073709551000.manifest"), "18446744073709551000",
     "shard 0: vectors: "},
};
#define STALE (sizeof stale / sizeof stale[0])

/* A listing that was right a moment ago; the next one names another. */
static void test_manifest_gone_once(void **state) {
    (void)state;
    for (size_t i = 0; i < STALE; i++) {
        const struct fault fault = {
            .kind = FAULT_ANSWER, .target = stale[i].listing, .times = 1, .number = 200, .text = stale[i].answer};
        fault_proxy_set(s3_proxy, &fault, 1);
        assert_opens(COMPOSITE_URL);
        assert_int_equal(gets_of(stale[i].name), 1);
        assert_int_equal(gets_of(stale[i].listing), 2);
    }
}

static void test_manifest_gone_for_good(void **state) {
    (void)state;
    for (size_t i = 0; i < STALE; i++) {
        const struct fault fault = {
            .kind = FAULT_ANSWER, .target = stale[i].listing, .number = 200, .text = stale[i].answer};
        shf_s3_options s3 = proxied();
        fault_proxy_set(s3_proxy, &fault, 1);
        struct s3_opened opened = s3_open(COMPOSITE_URL, &s3, 0, 0);
        assert_int_equal(opened.status, SHF_E_NOT_FOUND);
        assert_says(&opened, stale[i].half);
        assert_says(&opened, stale[i].name);
        assert_int_equal(gets_of(stale[i].name), 2);
    }
    fault_proxy_heal(s3_proxy);
    assert_opens(COMPOSITE_URL);
}

/* The database is being removed: neither an empty shard nor one without vectors. */
static void test_manifest_gone_and_no_other(void **state) {
    (void)state;
    for (size_t i = 0; i < STALE; i++) {
        const struct fault faults[] = {
            {.kind = FAULT_ANSWER, .target = stale[i].listing, .times = 1, .number = 200, .text = stale[i].answer},
            {.kind = FAULT_ANSWER, .target = stale[i].listing, .number = 200, .text = LIST_OF_NONE}};
        shf_s3_options s3 = proxied();
        fault_proxy_set(s3_proxy, faults, 2);
        struct s3_opened opened = s3_open(COMPOSITE_URL, &s3, 0, 0);
        assert_int_equal(opened.status, SHF_E_NOT_FOUND);
        assert_says(&opened, stale[i].half);
        assert_says(&opened, stale[i].name);
        assert_says(&opened, "is gone");
    }
}

/* ---- other objects that are gone ---- */

static const struct object {
    const char *key, *half, *listing;
} objects[] = {
    {FLUSHED SST, "shard 0: keys: ", MANIFESTS("0")},
    {WAL_ONLY "wal/00000000000000000002.sst", "shard 1: keys: ", MANIFESTS("1")},
    {FLUSHED DATA, "shard 0: vectors: ", VERSIONS("0")},
};
#define OBJECTS (sizeof objects / sizeof objects[0])

static const char *name_of(size_t object) { return strrchr(objects[object].key, '/') + 1; }

/* A compaction replaced it: the manifest is looked for anew. */
static void test_object_gone_once(void **state) {
    (void)state;
    for (size_t i = 0; i < OBJECTS; i++) {
        char *target = support_path("%.40s", name_of(i));
        const struct fault faults[] = {{.kind = FAULT_STATUS,
                                        .target = i == 1 ? "db%3D00001/attempt%3D00/wal/00000000000000000002" : target,
                                        .times = 1,
                                        .number = 404,
                                        .text = "NoSuchKey"}};
        support_remove_tree(s3_cache);
        fault_proxy_set(s3_proxy, faults, 1);
        assert_opens(COMPOSITE_URL);
        assert_int_equal(fault_proxy_spoilt(s3_proxy), 1);
        assert_int_equal(gets_of(objects[i].listing), 2);
        free(target);
    }
}

static void test_object_gone_for_good(void **state) {
    (void)state;
    composite_put_copy("holes");
    for (size_t i = 0; i < OBJECTS; i++) {
        char *key = support_path("holes/%s", objects[i].key),
             *path = support_path("%s/%s", world->snapshot, objects[i].key);
        shf_s3_options s3 = proxied();
        size_t size;
        char *data = support_read_file(path, &size);
        fault_proxy_heal(s3_proxy);
        assert_true(s3_server_delete(&s3_server, S3_BUCKET, key));
        /* A WAL that ends before it is one that was never written on. */
        struct s3_opened opened = s3_open("s3://" S3_BUCKET "/holes", &s3, 0, 0);
        if (i == 1) {
            assert_int_equal(opened.status, SHF_OK);
            support_close(opened.reader);
        } else {
            assert_int_equal(opened.status, SHF_E_NOT_FOUND);
            assert_says(&opened, objects[i].half);
            assert_says(&opened, name_of(i));
            assert_int_equal(gets_of(objects[i].listing), 2);
        }
        assert_true(s3_server_put(&s3_server, S3_BUCKET, key, data, size));
        free(key);
        free(path);
        free(data);
    }
    assert_opens("s3://" S3_BUCKET "/holes");
}

/* The first of several: what follows it must not be served without it. */
static void test_gap_in_the_wal(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    composite_put_copy("gap");
    assert_true(s3_server_delete(&s3_server, S3_BUCKET, "gap/" WAL_ONLY "wal/00000000000000000001.sst"));
    struct s3_opened opened = s3_open("s3://" S3_BUCKET "/gap", &s3, 0, 0);
    assert_int_equal(opened.status, SHF_E_CORRUPT);
    assert_int_equal(opened.shard, 1);
    assert_says(&opened, "keys: wal/00000000000000000001.sst is missing");
}

/* Neither a SQLite file nor a database. */
static void test_no_keys(void **state) {
    (void)state;
    const struct fault fault = {.kind = FAULT_ANSWER, .target = MANIFESTS("1"), .number = 200, .text = LIST_OF_NONE};
    shf_s3_options s3 = proxied();
    fault_proxy_set(s3_proxy, &fault, 1);
    struct s3_opened opened = s3_open(KEYS_URL, &s3, 0, 0);
    assert_int_equal(opened.status, SHF_E_NOT_FOUND);
    assert_says(&opened, "shard.db is not there, nor is there a SlateDB database");
    opened = s3_open(COMPOSITE_URL, &s3, 0, 0);
    assert_int_equal(opened.status, SHF_E_NOT_FOUND);
    assert_says(&opened, "shard 1: keys: there is no SlateDB manifest");
}

/* ---- a half that fails, beside one that hears nothing ---- */

static void test_one_half_fails(void **state) {
    (void)state;
    static const struct {
        struct fault faults[2];
        const char *says;
    } cases[] = {
        {{{.kind = FAULT_STALL, .target = VERSIONS("0")},
          {.kind = FAULT_STATUS, .target = "db%3D00000/attempt%3D00/compacted/", .number = 403, .text = "AccessDenied"}},
         "shard 0: keys: "},
        {{{.kind = FAULT_STALL, .target = "db%3D00001/attempt%3D00/wal/"},
          {.kind = FAULT_STATUS, .target = "db%3D00001/attempt%3D00/vector/", .number = 403, .text = "AccessDenied"}},
         "shard 1: vectors: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        shf_s3_options s3 = proxied();
        fault_proxy_set(s3_proxy, cases[i].faults, 2);
        struct s3_opened opened = s3_open(COMPOSITE_URL, &s3, 0, 0);
        assert_int_equal(opened.status, SHF_E_ACCESS);
        assert_int_equal(opened.http_status, 403);
        assert_says(&opened, cases[i].says);
    }
    fault_proxy_heal(s3_proxy);
    assert_opens(COMPOSITE_URL);
}

/* Of several objects one is refused, while the store says nothing of another. */
static void test_one_object_fails(void **state) {
    (void)state;
    static const struct {
        struct fault faults[2];
        const char *says;
    } cases[] = {
        {{{.kind = FAULT_STALL, .target = "wal/00000000000000000001"},
          {.kind = FAULT_STATUS, .target = "wal/00000000000000000002", .number = 403, .text = "AccessDenied"}},
         "wal/00000000000000000002.sst"},
        {{{.kind = FAULT_STATUS, .target = "compacted/01M80XWAHSY51XP7H9XE1CCAWV", .number = 403, .text = "AccessDenied"},
          {.kind = FAULT_STALL, .target = "compacted/"}},
         "compacted/01M80XWAHSY51XP7H9XE1CCAWV.sst"},
    };
    world_select(WORLD_KEYS);
    composite_put_copy("several");
    /* A database of six SSTs in the place of that with one. */
    assert_true(s3_server_put_folder(&s3_server, "tests/data/formats/slatedb/run_dup_keys/db", S3_BUCKET,
                                     "several/" SHARDS "/db=00000/attempt=00"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        shf_s3_options s3 = proxied();
        fault_proxy_set(s3_proxy, cases[i].faults, 2);
        struct s3_opened opened = s3_open("s3://" S3_BUCKET "/several", &s3, 0, 20000);
        if (opened.status != SHF_E_ACCESS) print_message("%s\n", opened.message);
        assert_int_equal(opened.status, SHF_E_ACCESS);
        assert_says(&opened, cases[i].says);
    }
}

/* ---- deadlines and cancelling ---- */

static const struct fault steps[] = {
    {.kind = FAULT_STALL, .target = MANIFESTS("1")},
    {.kind = FAULT_STALL, .target = "db%3D00001/attempt%3D00/manifest/"},
    {.kind = FAULT_STALL, .target = LISTING("1", "wal%2F")},
    {.kind = FAULT_STALL, .target = "db%3D00001/attempt%3D00/wal/", .number = 50},
    {.kind = FAULT_STALL, .target = "/compacted/", .method = "HEAD"},
    {.kind = FAULT_STALL, .target = "/compacted/", .method = "GET", .number = 1000},
    {.kind = FAULT_STALL, .target = VERSIONS("0")},
    {.kind = FAULT_STALL, .target = "db%3D00000/attempt%3D00/vector/vector_index.lance/_versions/", .number = 100},
    {.kind = FAULT_STALL, .target = "/data/", .method = "HEAD"},
    {.kind = FAULT_STALL, .target = "/data/", .method = "GET", .number = 1000},
};
#define STEPS (sizeof steps / sizeof steps[0])

static void test_deadline_in_each_step(void **state) {
    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        shf_s3_options s3 = proxied();
        support_remove_tree(s3_cache);
        fault_proxy_set(s3_proxy, &steps[i], 1);
        struct s3_opened opened = s3_open(COMPOSITE_URL, &s3, 0, 300);
        assert_int_equal(opened.status, SHF_E_DEADLINE);
        assert_int_equal(opened.retryable, 1);
        s3_assert_no_temporaries(); /* the opening ends soon, too */
    }
    fault_proxy_heal(s3_proxy);
    assert_opens(COMPOSITE_URL);
}

static void test_cancel_in_each_step(void **state) {
    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        shf_s3_options s3 = proxied();
        shf_reader_options options = s3_reader_options(COMPOSITE_URL, &s3, 0);
        shf_call call = support_call();
        shf_op_id id = 0;
        support_remove_tree(s3_cache);
        fault_proxy_set(s3_proxy, &steps[i], 1);
        shf_status submitted = shf_open(support_runtime, &options, &call, &id);
        while (!fault_proxy_spoilt(s3_proxy)) nap();
        assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
        shf_op *op = support_wait(submitted, id);
        assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
        shf_op_release(op);
    }
    fault_proxy_heal(s3_proxy);
    assert_opens(COMPOSITE_URL);
}

/* Who comes while an opening is being cancelled begins it anew. */
static void test_asked_for_again(void **state) {
    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        shf_s3_options s3 = proxied();
        struct s3_opened opened = s3_open(COMPOSITE_URL, &s3, SHF_OPEN_LAZY, 0);
        shf_query query = world_query(0);
        shf_call call = support_call();
        struct fault fault = steps[i];
        shf_op_id id = 0;
        support_remove_tree(s3_cache);
        fault.times = 1;
        fault_proxy_set(s3_proxy, &fault, 1);
        assert_int_equal(opened.status, SHF_OK);
        shf_status submitted = shf_search(opened.reader, &query, &call, &id);
        while (!fault_proxy_spoilt(s3_proxy)) nap();
        assert_int_equal(shf_cancel(support_runtime, id), SHF_OK);
        assert_true(composite_is_exact(opened.reader, 0));
        shf_op *op = support_wait(submitted, id);
        assert_int_equal(shf_op_status(op), SHF_E_CANCELLED);
        shf_op_release(op);
        support_close(opened.reader);
    }
}

int main(void) {
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
#define TEST(test) cmocka_unit_test_setup_teardown(test, s3_begin, composite_end)
    const struct CMUnitTest tests[] = {TEST(test_manifest_gone_once),
                                       TEST(test_manifest_gone_for_good),
                                       TEST(test_manifest_gone_and_no_other),
                                       TEST(test_object_gone_once),
                                       TEST(test_object_gone_for_good),
                                       TEST(test_gap_in_the_wal),
                                       TEST(test_no_keys),
                                       TEST(test_one_half_fails),
                                       TEST(test_one_object_fails),
                                       TEST(test_deadline_in_each_step),
                                       TEST(test_cancel_in_each_step),
                                       TEST(test_asked_for_again)};
    return cmocka_run_group_tests(tests, composite_group_begin, composite_group_end);
}
