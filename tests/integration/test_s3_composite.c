/*
 * Snapshots with keys in SlateDB and vectors in LanceDB over a real S3 server: cold and warm, lazily, refreshed, copied,
 * long listings, several processes. The test starts itself again as `test_s3_composite ENDPOINT CACHE`, which opens the
 * snapshot and checks every answer.
 */
#include "integration/s3_composite_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define TOGETHER 3
#define MANY 1100u /* objects: more than a page of a listing */
#define RUN "a786cb462b564dc3a8c078618d2e9852"
#define SHARD "shards/run_id=" RUN "/db=00001/attempt=00/" /* the one with a WAL only */

extern char **environ;
static const char *self;

static shf_s3_options proxied(void) { return s3_options(fault_proxy_endpoint(s3_proxy)); }

static uint32_t gets_of(const char *part) { return fault_proxy_requests_of(s3_proxy, "GET", part); }

/* Of objects that hold rows; listings have their slashes encoded. */
static uint32_t gets_of_rows(void) { return gets_of("/wal/") + gets_of("/compacted/") + gets_of("/data/"); }

static void nap(void) { (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

/* ---- cold and warm ---- */

static void cold_and_warm(const char *url, uint32_t data_files) {
    shf_s3_options s3 = proxied();
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    struct s3_opened opened = s3_open(url, &s3, 0, 0);
    composite_assert_exact(&opened, 0);
    assert_int_equal(opened.info.shards_opened, 2);
    assert_true(opened.info.downloaded_bytes > 10000);
    assert_int_equal(gets_of("/wal/"), 2); /* of the shard that was not flushed */
    assert_int_equal(gets_of("/compacted/"), 1);
    assert_int_equal(gets_of("/data/"), data_files);
    fault_proxy_heal(s3_proxy);
    opened = s3_open(url, &s3, 0, 0);
    composite_assert_exact(&opened, 0);
    assert_int_equal(gets_of_rows(), 0);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "HEAD", "/compacted/"), 1); /* it may be another by now */
    assert_int_equal(opened.info.downloaded_bytes, 0);
    assert_int_equal(shf_runtime_stats_get(support_runtime, &stats), SHF_OK);
    assert_true(stats.cache_hits >= 2 + 2 * (uint64_t)data_files);
}

static void test_cold_and_warm(void **state) {
    (void)state;
    cold_and_warm(COMPOSITE_URL, 2);
}

/* What the manifest does not tell, whether a shard is a SQLite file, is asked for. */
static void test_keys_only(void **state) {
    (void)state;
    world_select(WORLD_KEYS);
    cold_and_warm(KEYS_URL, 0);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "HEAD", "shard.db"), 2);
    assert_int_equal(gets_of("lance"), 0);
}

/* Nothing below shards/ is looked at before it is needed, and then only what is. */
static void test_lazy(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(COMPOSITE_URL, &s3, SHF_OPEN_LAZY, 0);
    assert_int_equal(opened.status, SHF_OK);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, NULL, "shards"), 0);
    shf_key key = world_key(0);
    shf_op *op = NULL;
    assert_int_equal(shf_get_sync(opened.reader, &key, NULL, 0, &op), SHF_OK);
    shf_op_release(op);
    bool is_first = fault_proxy_requests_of(s3_proxy, NULL, "db%3D00000") > 0;
    assert_int_equal(fault_proxy_requests_of(s3_proxy, NULL, is_first ? "db%3D00001" : "db%3D00000"), 0);
    assert_true(fault_proxy_requests_of(s3_proxy, NULL, is_first ? "db%3D00000" : "db%3D00001") > 0);
    composite_assert_exact(&opened, 0);
}

/* One place: an opening brings both halves in with it. */
static void test_one_at_a_time(void **state) {
    (void)state;
    static const uint32_t flags[] = {0, SHF_OPEN_LAZY, SHF_OPEN_PRIVATE_COPY};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        shf_s3_options s3 = proxied();
        shf_reader_options options = s3_reader_options(COMPOSITE_URL, &s3, flags[i]);
        shf_reader *reader = NULL;
        shf_op *op = NULL;
        options.max_concurrency = 1;
        composite_publish(WORLD_FIRST);
        assert_int_equal(shf_open_sync(support_runtime, &options, 0, &op), SHF_OK);
        assert_int_equal(shf_op_take_reader(op, &reader), SHF_OK);
        shf_op_release(op);
        assert_true(composite_is_exact(reader, 0));
        composite_publish(WORLD_SECOND);
        op = NULL;
        assert_int_equal(shf_refresh_sync(reader, 0, &op), SHF_OK);
        shf_op_release(op);
        assert_true(composite_is_exact(reader, 1));
        support_close(reader);
    }
}

/* ---- places ---- */

static void test_copied(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    assert_true(s3_server_make_bucket(&s3_server, "another"));
    assert_true(s3_server_put_folder(&s3_server, world->snapshot, "another",
                                     "deep/er pl\xc3\xa4"
                                     "ce+1"));
    struct s3_opened opened = s3_open("s3://another/deep/er pl\xc3\xa4"
                                      "ce+1",
                                      &s3, 0, 0);
    composite_assert_exact(&opened, 0);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, NULL, S3_BUCKET), 0);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, NULL, "fixtures"), 0);
}

/* ---- refresh ---- */

static void refresh(shf_reader *reader, uint32_t reused) {
    shf_open_info info;
    shf_op *op = NULL;
    SHF_INIT(&info);
    assert_int_equal(shf_refresh_sync(reader, 0, &op), SHF_OK);
    assert_int_equal(shf_op_open_info(op, &info), SHF_OK);
    assert_int_equal(info.changed, 1);
    assert_int_equal(info.shards_reused, reused);
    assert_int_equal(info.shards_opened, 2 - reused);
    shf_op_release(op);
}

static void test_refresh(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(COMPOSITE_URL, &s3, 0, 0);
    assert_int_equal(opened.status, SHF_OK);
    assert_true(composite_is_exact(opened.reader, 0));
    for (int i = 0; i < 4; i++) {
        int run = i % 2 == 0;
        composite_publish(run ? WORLD_SECOND : WORLD_FIRST);
        fault_proxy_heal(s3_proxy);
        refresh(opened.reader, 1);
        assert_int_equal(fault_proxy_requests_of(s3_proxy, NULL, "db%3D00001"), 0); /* taken over */
        assert_true(fault_proxy_requests_of(s3_proxy, NULL, "db%3D00000") > 0);
        assert_true(composite_is_exact(opened.reader, run));
        if (i > 1) assert_int_equal(gets_of_rows(), 0);
    }
    composite_publish(WORLD_SECOND);
    shf_op *op = NULL;
    assert_int_equal(shf_refresh_sync(opened.reader, 0, &op), SHF_OK);
    shf_op_release(op);
    support_close(opened.reader);
    opened = s3_open(COMPOSITE_URL, &s3, 0, 0);
    composite_assert_exact(&opened, 1);
}

/* ---- long listings ---- */

static void put_many(const char *prefix, const char *name, const void *data, size_t size, unsigned first) {
    for (unsigned i = 0; i < MANY; i++) {
        char key[256], tail[64];
        (void)snprintf(tail, sizeof tail, name, first + i);
        (void)snprintf(key, sizeof key, "%s/" SHARD "%s", prefix, tail);
        assert_true(s3_server_put_behind(&s3_server, S3_BUCKET, key, data, size));
    }
}

static void test_long_listings(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    composite_put_copy("many");
    put_many("many", "manifest/0000-%04u.other", "x", 1, 0); /* before the ones that count */
    put_many("many", "wal/0000-%04u.other", "x", 1, 0);
    put_many("many", "vector/vector_index.lance/_versions/0000-%04u.other", "x", 1, 0);
    struct s3_opened opened = s3_open("s3://" S3_BUCKET "/many", &s3, 0, 0);
    composite_assert_exact(&opened, 0);
    assert_true(gets_of("continuation-token") >= 3);
}

/* A WAL of more objects than are fetched side by side, or listed in a page; they have no ETag, so nothing tells them apart. */
static void test_long_wal(void **state) {
    (void)state;
    shf_s3_options s3 = proxied();
    char *path = support_path("%s/" SHARD "wal/%020u.sst", world->snapshot, 1);
    size_t size;
    char *fence = support_read_file(path, &size);
    composite_put_copy("wal");
    put_many("wal", "wal/%020u.sst", fence, size, 3);
    for (int warm = 0; warm < 2; warm++) {
        fault_proxy_heal(s3_proxy);
        struct s3_opened opened = s3_open("s3://" S3_BUCKET "/wal", &s3, 0, 0);
        composite_assert_exact(&opened, 0);
        assert_int_equal(gets_of("/wal/0"), warm ? 0 : MANY + 2);
    }
    free(path);
    free(fence);
}

/* ---- processes ---- */

/* 0 when every answer is exact. Credentials come in the environment. */
static int run_child(const char *endpoint, const char *cache) {
    shf_runtime *runtime = NULL;
    shf_reader_options options;
    shf_s3_options s3;
    shf_op *op = NULL;
    shf_reader *reader = NULL;
    SHF_INIT(&options);
    SHF_INIT(&s3);
    s3.endpoint_url = endpoint;
    options.url = COMPOSITE_URL;
    options.local_root = cache;
    options.s3 = &s3;
    world_begin();
    world_select(WORLD_COMPOSITE);
    if (shf_runtime_new(NULL, &runtime)) return 3;
    shf_status status = shf_open_sync(runtime, &options, 0, &op);
    if (status) (void)fprintf(stderr, "%s\n", shf_error_message(shf_op_error(op)));
    bool ok = !status && shf_op_take_reader(op, &reader) == SHF_OK && composite_is_exact(reader, 0);
    shf_op_release(op);
    op = NULL;
    if (reader) (void)shf_close_sync(reader, SHF_CLOSE_DRAIN, 0, &op);
    shf_op_release(op);
    shf_reader_release(reader);
    world_end();
    return ok && shf_runtime_free(runtime) == SHF_OK ? 0 : 4;
}

static pid_t start_child(void) {
    char *arguments[] = {strdup(self), strdup(fault_proxy_endpoint(s3_proxy)), strdup(s3_cache), NULL};
    pid_t child = 0;
    s3_server_export(&s3_server);
    int problem = posix_spawn(&child, self, NULL, NULL, arguments, environ);
    s3_server_clean_environment();
    for (int i = 0; i < 3; i++) free(arguments[i]);
    assert_int_equal(problem, 0);
    return child;
}

/* Rows come slowly, so that the others begin before the first is done. */
static void test_processes_at_once(void **state) {
    (void)state;
    const struct fault slow = {.kind = FAULT_SLOW, .target = "/wal/", .method = "GET", .number = 20000};
    pid_t children[TOGETHER];
    fault_proxy_set(s3_proxy, &slow, 1);
    for (int i = 0; i < TOGETHER; i++) children[i] = start_child();
    while (gets_of("/wal/") == 0) nap();
    for (int i = 0; i < TOGETHER; i++) {
        int status = 0;
        while (waitpid(children[i], &status, 0) < 0 && errno == EINTR) continue;
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    fault_proxy_heal(s3_proxy);
    shf_s3_options s3 = proxied();
    struct s3_opened opened = s3_open(COMPOSITE_URL, &s3, 0, 0);
    composite_assert_exact(&opened, 0);
    assert_int_equal(gets_of_rows(), 0);
    s3_assert_no_temporaries();
}

int main(int argc, char **argv) {
    self = argv[0];
    if (argc == 3) return run_child(argv[1], argv[2]);
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
#define TEST(test) cmocka_unit_test_setup_teardown(test, s3_begin, composite_end)
    const struct CMUnitTest tests[] = {TEST(test_cold_and_warm), TEST(test_keys_only), TEST(test_lazy),
                                       TEST(test_one_at_a_time), TEST(test_copied),    TEST(test_refresh),
                                       TEST(test_long_listings), TEST(test_long_wal),  TEST(test_processes_at_once)};
    return cmocka_run_group_tests(tests, composite_group_begin, composite_group_end);
}
