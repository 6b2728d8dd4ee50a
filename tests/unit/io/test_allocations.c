/*
 * Every allocation fails once, in turn: each call succeeds all the same or says SHF_E_NO_MEMORY, leaks nothing (the
 * sanitizers look), and the next one works.
 */
#include "cache_support.h"
#include "s3_support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/aws_profile.h"
#include "io/command.h"
#include "io/credentials.h"
#include "io/s3_priv.h"
#include "io/s3_xml.h"
#include "io/store_fault.h"
#include "io/store_mem.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_ALLOCATIONS 400

static atomic_int calls, failing; /* the failing-th allocation fails; 0: none does */

static bool fails(void) { return atomic_fetch_add(&calls, 1) + 1 == atomic_load(&failing); }
static void *allocate(size_t size) { return fails() ? NULL : malloc(size); }
static void *reallocate(void *old, size_t size) { return fails() ? NULL : realloc(old, size); }

/* Until a run meets no failure; that one must succeed. */
static void fail_each(shf_status (*run)(void *context), void *context) {
    for (int at = 1;; at++) {
        assert_in_range(at, 1, MOST_ALLOCATIONS);
        atomic_store(&calls, 0);
        atomic_store(&failing, at);
        shf_status status = run(context);
        bool over = atomic_load(&calls) < at;
        atomic_store(&failing, 0);
        if (status != SHF_OK && status != SHF_E_NO_MEMORY) fail_msg("allocation %d: status %d", at, status);
        if (!over) continue;
        assert_int_equal(status, SHF_OK);
        assert_true(at > 1);
        return;
    }
}

/* A failure has an error object, if only the one that is always there. */
static shf_status end_call(shf_status status, struct shf_error *error) {
    assert_int_equal(error != NULL, status != SHF_OK);
    if (error) assert_int_equal(shf_error_code(error), SHF_E_NO_MEMORY);
    shf_error_free(error);
    return status;
}

/* ---- what reads texts ---- */

static shf_status read_settings(void *context) {
    struct shf_s3_config config = {0};
    struct shf_error *error = NULL;
    (void)context;
    shf_status status = shf_s3_config_read("bucket", NULL, &config, &error);
    shf_s3_config_free(&config);
    return end_call(status, error);
}

static void test_settings(void **state) {
    (void)state;
    char *home = support_directory(), *path = support_path("%s/config", home);
    support_environment(home);
    support_write_text(path, "[default]\nregion = r\nendpoint_url = http://h\nca_bundle = c\naws_access_key_id = a\n"
                             "aws_secret_access_key = s\naws_session_token = t\nrole_arn = x\n");
    support_setenv("AWS_CONFIG_FILE", path);
    fail_each(read_settings, NULL);
    support_write_text(path, "[default]\ncredential_process = /bin/true\n");
    fail_each(read_settings, NULL);
    support_remove(home);
    free(path);
}

static shf_status parse_credentials(void *context) {
    static const char text[] =
        "{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s\", \"SessionToken\": \"t\"}";
    struct shf_credentials *made = NULL;
    struct shf_error *error = NULL;
    (void)context;
    shf_status status = shf_credentials_parse(text, strlen(text), &made, &error);
    assert_int_equal(made != NULL, status == SHF_OK);
    shf_credentials_release(made);
    return end_call(status, error);
}

static shf_status run_command(void *context) {
    const struct shf_command command = {.line = "true", .most_bytes = 10, .timeout_ms = 20000};
    struct shf_error *error = NULL;
    char *out = NULL;
    size_t size;
    (void)context;
    shf_status status = shf_command_run(&command, &out, &size, &error);
    shf_free(out);
    return end_call(status, error);
}

static shf_status parse_listing(void *context) {
    static const char page[] =
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
        "<Contents><Key>p/k</Key><ETag>e</ETag></Contents><CommonPrefixes><Prefix>p/s/</Prefix></CommonPrefixes>"
        "</ListBucketResult>";
    struct shf_s3_listing listing = {.found.wants_versions = context != NULL};
    struct shf_error *error = NULL;
    shf_status status = shf_s3_listing_add(&listing, page, strlen(page), 10, &error);
    if (!status) status = shf_s3_listing_tidy(&listing, "p/", &error);
    if (!status && context) assert_string_equal(listing.found.versions[0], "\"e\"");
    shf_s3_listing_free(&listing);
    return end_call(status, error);
}

static void test_parsers(void **state) {
    (void)state;
    fail_each(parse_credentials, NULL);
    fail_each(run_command, NULL);
    bool wants_versions = true;
    fail_each(parse_listing, NULL);
    fail_each(parse_listing, &wants_versions);
}

/* ---- the cache ---- */

static shf_status use_cache(void *context) {
    struct cache_test *t = context;
    struct shf_disk_cache *cache = NULL;
    struct shf_cache_writer writer;
    struct shf_cache_key key = cache_key("a");
    struct shf_mapped_file file = {0};
    struct shf_error *error = NULL;
    shf_status status = shf_disk_cache_open(t->runtime, t->path, 8, &cache, &error);
    if (status) return end_call(status, error);
    status = shf_disk_cache_begin(cache, &writer, &error);
    if (!status) {
        assert_int_equal(shf_fs_write(writer.fd, "hello world", 11, 0), 0);
        status = shf_disk_cache_commit(&writer, &key, "shard", &file, &error);
    }
    assert_int_equal(file.buf != NULL, status == SHF_OK);
    shf_buf_release(file.buf);
    shf_disk_cache_release(cache);
    return end_call(status, error);
}

static void test_the_cache(void **state) {
    (void)state;
    struct cache_test t;
    cache_begin(&t, 8);
    fail_each(use_cache, &t);
    assert_int_equal(cache_count(&t, "tmp-"), 0);
    assert_true(cache_has(&t, "a", "hello world", 11));
    cache_end(&t);
}

/* ---- stores ---- */

struct asking {
    struct shf_store *store;
    enum shf_store_verb verb;
    const char *key;
    int fd;
    uint64_t put_size; /* of a PUT: of `source`, or of memory where that is 0 */
    int source;
    const char *if_version;
    bool wants_versions;
};

static shf_status ask(void *context) {
    const struct asking *asking = context;
    struct support_call call;
    support_call_init(&call, asking->verb, asking->key);
    call.request.body_fd = asking->fd;
    call.request.data = "hello";
    call.request.data_size = asking->put_size;
    call.request.has_source = asking->source != 0;
    call.request.source_fd = asking->source;
    call.request.if_version = asking->if_version;
    call.request.wants_versions = asking->wants_versions;
    support_submit(asking->store, &call);
    while (sem_wait(&call.ended) != 0) {
    }
    shf_status status = call.request.status;
    assert_int_equal(call.request.error != NULL, status != SHF_OK);
    if (status) assert_null(call.request.body);
    bool has_version = asking->verb != SHF_STORE_LIST && asking->verb != SHF_STORE_DELETE;
    if (!status) assert_int_equal(call.request.version != NULL, has_version);
    assert_int_equal(call.request.versions != NULL, !status && asking->wants_versions);
    support_call_clear(&call);
    return status;
}

static void ask_everything(struct shf_store *store, const char *key, const char *prefix, int fd) {
    const struct asking all[] = {
        {store, SHF_STORE_PUT, key, -1, 5, 0, NULL, false},     {store, SHF_STORE_GET, key, -1, 0, 0, NULL, false},
        {store, SHF_STORE_GET, key, fd, 0, 0, NULL, false},     {store, SHF_STORE_HEAD, key, -1, 0, 0, NULL, false},
        {store, SHF_STORE_LIST, prefix, -1, 0, 0, NULL, false}, {store, SHF_STORE_LIST, prefix, -1, 0, 0, NULL, true},
        {store, SHF_STORE_PUT, key, -1, 5, fd, NULL, false},    {store, SHF_STORE_DELETE, key, -1, 0, 0, NULL, false},
        {store, SHF_STORE_PUT, key, -1, 5, 0, NULL, false}};
    for (size_t i = 0; i < SUPPORT_COUNT(all); i++) fail_each(ask, (void *)&all[i]);
}

static shf_status make_file_store(void *context) {
    struct shf_store *store = NULL;
    struct shf_error *error = NULL;
    shf_status status = shf_store_file_new(context, &store, &error);
    shf_store_release(store);
    return end_call(status, error);
}

static shf_status make_mem_store(void *context) {
    struct shf_store *store = NULL, *fault = NULL;
    struct shf_error *error = NULL;
    shf_status status = shf_store_mem_new(context, "s3://b", &store, &error);
    if (!status) status = shf_store_fault_new(store, &fault, &error);
    shf_status put = status ? status : shf_store_mem_put(store, "k", "v", 1, NULL);
    shf_store_release(fault);
    shf_store_release(store);
    (void)end_call(status, error);
    return put;
}

static void test_stores_without_a_network(void **state) {
    (void)state;
    shf_runtime *runtime = support_runtime(NULL, NULL);
    struct shf_store *store = NULL, *fault = NULL;
    char *directory = support_directory(), *path = support_path("%s/f", directory),
         *out = support_path("%s/out", directory);
    char *prefix = support_path("%s/", directory + 1);
    int fd = support_open_new(out);
    support_write_text(path, "hello");
    fail_each(make_file_store, runtime);
    fail_each(make_mem_store, runtime);
    assert_int_equal(shf_store_file_new(runtime, &store, NULL), SHF_OK);
    ask_everything(store, path + 1, prefix, fd);
    shf_store_release(store);
    assert_int_equal(shf_store_mem_new(runtime, "s3://b", &store, NULL), SHF_OK);
    assert_int_equal(shf_store_mem_put(store, "p/k", "hello", 5, NULL), SHF_OK);
    assert_int_equal(shf_store_fault_new(store, &fault, NULL), SHF_OK);
    ask_everything(fault, "p/k", "p/", fd);
    static const struct shf_fault_rule extra = {.first = 1, .kind = SHF_FAULT_EXTRA, .amount = 3};
    assert_true(shf_store_fault_add(fault, &extra));
    ask_everything(fault, "p/k", "p/", fd);
    shf_store_release(fault);
    shf_store_release(store);
    assert_int_equal(support_stats(runtime).budget_used_bytes, 0);
    support_runtime_free(runtime);
    assert_int_equal(close(fd), 0);
    support_remove(directory);
    free(path);
    free(out);
    free(prefix);
}

static shf_status make_s3_store(void *context) {
    struct s3_test *test = context;
    struct shf_store *store = NULL;
    struct shf_error *error = NULL;
    shf_status status = shf_store_s3_new(test->runtime, "bucket", &test->options, &store, &error);
    shf_store_release(store);
    return end_call(status, error);
}

static void upload_in_parts(struct s3_test *test, int fd) {
    static const struct scripted_answer uploads = {.uploads = true, .declared = 5};
    struct shf_s3_store *s3 = SHF_CONTAINER(test->store, struct shf_s3_store, base);
    s3->multipart_above = s3->part_bytes = 3;
    for (int way = 0; way < 2; way++) {
        struct asking asking = {test->store, SHF_STORE_PUT, "key", -1, 5, way ? fd : 0, "", false};
        scripted_server_script(test->server, &uploads, 1);
        fail_each(ask, &asking);
    }
}

static void test_s3(void **state) {
    (void)state;
    static const struct scripted_answer object = {.status = 200, .body = "hello", .headers = "ETag: \"e\"\r\n"};
    static const struct scripted_answer page = {
        .status = 200, .body = "<ListBucketResult><Contents><Key>p/k</Key><ETag>e</ETag></Contents></ListBucketResult>"};
    struct s3_test test;
    s3_begin(&test, &object, 1);
    int64_t start = shf_clock_monotonic_ns();
    test.options.session_token = "token";
    fail_each(make_s3_store, &test);
    s3_open(&test);
    char *path = support_path("%s/out", test.home);
    int fd = support_open_new(path);
    struct asking asking = {test.store, SHF_STORE_GET, "key", -1, 0, 0, NULL, false};
    fail_each(ask, &asking);
    asking.fd = fd;
    fail_each(ask, &asking);
    support_expect_file(fd, "hello", 5);
    asking = (struct asking){test.store, SHF_STORE_HEAD, "key", -1, 0, 0, NULL, false};
    fail_each(ask, &asking);
    asking = (struct asking){test.store, SHF_STORE_PUT, "key", -1, 5, 0, "", false};
    fail_each(ask, &asking);
    asking = (struct asking){test.store, SHF_STORE_PUT, "key", -1, 5, fd, NULL, false};
    fail_each(ask, &asking);
    asking = (struct asking){test.store, SHF_STORE_DELETE, "key", -1, 0, 0, NULL, false};
    fail_each(ask, &asking);
    scripted_server_script(test.server, &page, 1);
    asking = (struct asking){test.store, SHF_STORE_LIST, "p/", -1, 0, 0, NULL, false};
    fail_each(ask, &asking);
    asking.wants_versions = true;
    fail_each(ask, &asking);
    upload_in_parts(&test, fd);
    assert_true(shf_clock_monotonic_ns() - start < INT64_C(8000000000)); /* none waited for a time-out */
    assert_int_equal(close(fd), 0);
    free(path);
    s3_end(&test);
}

int main(void) {
    static const struct shf_alloc_seam seam = {allocate, reallocate, free};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),  cmocka_unit_test(test_parsers),
        cmocka_unit_test(test_the_cache), cmocka_unit_test(test_stores_without_a_network),
        cmocka_unit_test(test_s3),
    };
    shf_alloc_set_seam(&seam);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
