/* Where a snapshot can lie on a real S3 server, and what is said when it is not there or may not be read. */
#include "integration/s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_says(const struct s3_opened *opened, const char *part) {
    if (strstr(opened->message, part)) return;
    fail_msg("\"%s\" does not say \"%s\"", opened->message, part);
}

/* What any failed open must hold: no secret, an object named, nothing handed out. */
static void assert_failed(const struct s3_opened *opened, shf_status status, int retryable) {
    if (opened->status != status) print_message("%s\n", opened->message);
    assert_int_equal(opened->status, status);
    assert_int_equal(opened->retryable, retryable);
    assert_null(opened->reader);
    assert_null(strstr(opened->message, s3_server.secret_access_key));
    assert_null(strstr(opened->message, "AWS4-HMAC"));
}

static void assert_serves(const char *url, const shf_s3_options *s3) {
    struct s3_opened opened = s3_open(url, s3, 0, 0);
    if (opened.status) print_message("%s: %s\n", url, opened.message);
    assert_int_equal(opened.status, SHF_OK);
    assert_true(s3_sample_is_exact(opened.reader));
    support_close(opened.reader);
}

/* ---- places ---- */

static void test_copied_to_another_bucket_and_prefix(void **state) {
    (void)state;
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    shf_snapshot *snapshot = NULL;
    shf_snapshot_info info;
    SHF_INIT(&info);
    assert_int_equal(opened.status, SHF_OK);
    assert_int_equal(opened.info.shards_opened, S3_SAMPLE_SHARDS);
    assert_true(opened.info.downloaded_bytes > 3000000);
    assert_int_equal(shf_reader_snapshot(opened.reader, &snapshot), SHF_OK);
    assert_int_equal(shf_snapshot_describe(snapshot, &info), SHF_OK);
    assert_memory_equal(info.manifest_ref, S3_SAMPLE_URL "/manifests/", sizeof S3_SAMPLE_URL "/manifests/" - 1);
    shf_snapshot_release(snapshot);
    assert_true(s3_sample_is_exact(opened.reader));
    support_close(opened.reader);

    opened = s3_open(S3_SAMPLE_URL "/_CURRENT", &s3, 0, 0); /* now from the cache */
    assert_int_equal(opened.status, SHF_OK);
    assert_int_equal(opened.info.downloaded_bytes, 0);
    assert_true(s3_sample_is_exact(opened.reader));
    support_close(opened.reader);
}

static void test_awkward_prefixes(void **state) {
    (void)state;
    static const char *const prefixes[] = {"date=2026-11-26/a:b",
                                           "a+b c",
                                           "me@home,you",
                                           "100%25 %s%n",
                                           "Gr\xc3\xbc\xc3\x9f\x65/\xe6\x97\xa5\xe6\x9c\xac/\xf0\x9f\x90\x99",
                                           "a&b;c=d",
                                           "(x)'!*$~^`{|}<>\"[]",
                                           ".hidden/..double.",
                                           "a%zz"};
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    assert_true(s3_server_make_bucket(&s3_server, "awkward.bucket-1"));
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        char *url = support_path("s3://awkward.bucket-1/%s/end", prefixes[i]);
        char *prefix = support_path("%s/end", prefixes[i]);
        assert_true(s3_server_put_folder(&s3_server, S3_SAMPLE, "awkward.bucket-1", prefix));
        assert_serves(url, &s3);
        shf_reader_options options = s3_reader_options(url, &s3, 0);
        shf_op *op = NULL;
        assert_int_equal(shf_history_sync(support_runtime, &options, 0, 0, &op), SHF_OK);
        assert_int_equal(shf_op_manifest_count(op), 1);
        shf_op_release(op);
        free(url);
        free(prefix);
    }
    assert_true(s3_server_put_folder(&s3_server, S3_SAMPLE, "awkward.bucket-1", "")); /* the bucket itself */
    assert_serves("s3://awkward.bucket-1", &s3);
    assert_serves("s3://awkward.bucket-1/", &s3);
}

static void test_urls_that_are_none_of_s3(void **state) {
    (void)state;
    static const char *const urls[] = {
        "s3://copies/a?b",       "s3://copies/a#b",    "s3://copies/a//b",   "s3://copies/../b",
        "s3://copies/a%2Fb",     "s3://copies/a\\b",   "s3://me@copies/a",   "s3:///a",
        "s3://copies/a%2e%2E/b", "s3://copies/a\nb",   "s3://copies/a%00b",  "s3://user:hush@copies/a",
        "s3://copies/\xff/",     "http://127.0.0.1/a", "s3://copies/a%252Fb"};
    shf_s3_options s3 = s3_options(fault_proxy_endpoint(s3_proxy));
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct s3_opened opened = s3_open(urls[i], &s3, 0, 0);
        if (opened.status != SHF_E_INVALID) print_message("%s: %s\n", urls[i], opened.message);
        assert_failed(&opened, SHF_E_INVALID, 0);
        assert_null(strstr(opened.message, "hush"));
    }
    assert_int_equal(fault_proxy_connections(s3_proxy), 0); /* and no packet */
}

/* The bucket is in the host name, which the resolver of libcurl knows to be here. */
static void test_virtual_hosts(void **state) {
    (void)state;
    char *endpoint = support_path("http://localhost:%u", s3_server.port);
    shf_s3_options s3 = s3_options(endpoint);
    shf_op *op = NULL;
    s3.addressing = SHF_ADDRESSING_VIRTUAL;
    assert_serves(S3_SAMPLE_URL, &s3);
    shf_reader_options options = s3_reader_options(S3_SAMPLE_URL, &s3, 0);
    assert_int_equal(shf_history_sync(support_runtime, &options, 0, 0, &op), SHF_OK);
    assert_int_equal(shf_op_manifest_count(op), 1);
    shf_op_release(op);
    free(endpoint);
}

/* ---- listings ---- */

#define MANIFESTS 1103 /* the pages of the server have 1,000 */

static void put_manifest(const char *prefix, int number, const void *data, size_t size) {
    char *key = support_path("%s/manifests/2020-01-01T%02d:%02d:%02d.000000Z_run_id=run-%04d/manifest", prefix,
                             number / 3600, number / 60 % 60, number % 60, number);
    assert_true(s3_server_put_behind(&s3_server, "many", key, data, size));
    free(key);
}

/* Older than the sample's own manifest, which is malformed here; only the newest older ones may stand in. */
static void test_history_and_fallback_over_many_pages(void **state) {
    (void)state;
    size_t size;
    char *own = support_find_file(S3_SAMPLE, "manifest", 0), *manifest = support_read_file(own, &size);
    char *key = support_path("p/%s", own + sizeof S3_SAMPLE);
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    assert_true(s3_server_make_bucket(&s3_server, "many"));
    assert_true(s3_server_put_folder(&s3_server, S3_SAMPLE, "many", "p"));
    assert_true(s3_server_put(&s3_server, "many", key, "no database", 11));
    for (int i = 0; i < MANIFESTS; i++) put_manifest("p", i, "neither", 7);
    put_manifest("p", MANIFESTS - 3, manifest, size);

    shf_reader_options options = s3_reader_options("s3://many/p", &s3, 0);
    shf_op *op = NULL;
    assert_int_equal(shf_history_sync(support_runtime, &options, 2000, 0, &op), SHF_OK);
    assert_int_equal(shf_op_manifest_count(op), MANIFESTS + 1);
    for (int i = 1; i <= MANIFESTS; i++) { /* newest first, none twice, none left out */
        shf_manifest_entry entry;
        char run_id[16];
        SHF_INIT(&entry);
        (void)snprintf(run_id, sizeof run_id, "run-%04d", MANIFESTS - i);
        assert_int_equal(shf_op_manifest(op, (size_t)i, &entry), SHF_OK);
        assert_string_equal(entry.run_id, run_id);
        assert_int_equal(entry.offset, i);
    }
    shf_op_release(op);

    struct s3_opened opened = s3_open("s3://many/p", &s3, 0, 0);
    if (opened.status) print_message("%s\n", opened.message);
    assert_int_equal(opened.status, SHF_OK);
    assert_int_equal(opened.info.fallback_attempts, 3); /* two malformed ones before it */
    assert_true(s3_sample_is_exact(opened.reader));
    support_close(opened.reader);

    options.history_offset = MANIFESTS; /* on the second page */
    assert_int_equal(shf_open_sync(support_runtime, &options, 0, &op), SHF_E_MANIFEST);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "run-0001/manifest"));
    shf_op_release(op);
    free(manifest);
    free(own);
    free(key);
}

/* ---- what is missing ---- */

static void test_missing_pointer_and_bucket(void **state) {
    (void)state;
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    struct s3_opened opened = s3_open("s3://copies/nothing/here", &s3, 0, 0);
    assert_failed(&opened, SHF_E_STATE, 0);
    assert_int_equal(opened.http_status, 404);
    assert_says(&opened, "CURRENT pointer not found");
    assert_string_equal(opened.object, "s3://copies/nothing/here/_CURRENT");
    opened = s3_open("s3://no-such-bucket-here/x", &s3, 0, 0);
    assert_failed(&opened, SHF_E_STATE, 0);
    assert_says(&opened, "there is no such bucket");
    shf_reader_options options = s3_reader_options("s3://no-such-bucket-here/x", &s3, 0);
    shf_op *op = NULL;
    assert_int_equal(shf_history_sync(support_runtime, &options, 0, 0, &op), SHF_E_NOT_FOUND);
    assert_non_null(strstr(shf_error_message(shf_op_error(op)), "there is no such bucket"));
    shf_op_release(op);
    options.url = "s3://copies/nothing/here"; /* an empty history is one */
    assert_int_equal(shf_history_sync(support_runtime, &options, 0, 0, &op), SHF_OK);
    assert_int_equal(shf_op_manifest_count(op), 0);
    shf_op_release(op);
}

static void test_missing_shard(void **state) {
    (void)state;
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    char *shard = support_find_file(S3_SAMPLE, "shard.db", 1);
    char *key = support_path("holey/%s", shard + sizeof S3_SAMPLE);
    char *url = support_path("s3://copies/%s", key);
    assert_true(s3_server_put_folder(&s3_server, S3_SAMPLE, S3_BUCKET, "holey"));
    assert_true(s3_server_delete(&s3_server, S3_BUCKET, key));
    struct s3_opened opened = s3_open("s3://copies/holey", &s3, 0, 0);
    assert_failed(&opened, SHF_E_NOT_FOUND, 0);
    assert_int_equal(opened.shard, 1);
    assert_string_equal(opened.object, url);
    assert_says(&opened, url);

    opened = s3_open("s3://copies/holey", &s3, SHF_OPEN_LAZY, 0); /* the other shard answers all the same */
    assert_int_equal(opened.status, SHF_OK);
    shf_key there = shf_key_from_text("0ad", 3), gone = shf_key_from_text("yad", 3);
    shf_op *op = NULL;
    shf_value value;
    SHF_INIT(&value);
    assert_int_equal(shf_get_sync(opened.reader, &there, NULL, 0, &op), SHF_OK);
    assert_int_equal(shf_op_value(op, 0, &value), SHF_OK);
    assert_int_equal(value.status, SHF_OK);
    shf_op_release(op);
    assert_int_equal(shf_get_sync(opened.reader, &gone, NULL, 0, &op), SHF_E_NOT_FOUND);
    assert_string_equal(shf_error_object(shf_op_error(op)), url);
    shf_op_release(op);
    support_close(opened.reader);
    free(shard);
    free(key);
    free(url);
}

static void put_at(const char *prefix, const char *file, const void *data, size_t size) {
    char *key = support_path("%s/%s", prefix, file);
    assert_true(s3_server_put(&s3_server, S3_BUCKET, key, data, size));
    free(key);
}

/* Empty objects and rubbish: an error that names them, and right again as soon as they are. */
static void test_objects_that_are_not_what_they_should_be(void **state) {
    (void)state;
    char *shard = support_find_file(S3_SAMPLE, "shard.db", 0), *manifest = support_find_file(S3_SAMPLE, "manifest", 0);
    const struct {
        const char *file;
        shf_status empty, rubbish;
    } objects[] = {{shard + sizeof S3_SAMPLE, SHF_E_CORRUPT, SHF_E_CORRUPT},
                   {manifest + sizeof S3_SAMPLE, SHF_E_STATE, SHF_E_STATE},
                   {"_CURRENT", SHF_E_MANIFEST, SHF_E_MANIFEST}};
    char rubbish[8192];
    memset(rubbish, 'x', sizeof rubbish);
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    assert_true(s3_server_put_folder(&s3_server, S3_SAMPLE, S3_BUCKET, "odd"));
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        char *file = support_path("%s/%s", S3_SAMPLE, objects[i].file);
        size_t size;
        char *right = support_read_file(file, &size);
        put_at("odd", objects[i].file, "", 0);
        struct s3_opened opened = s3_open("s3://copies/odd", &s3, 0, 0);
        assert_failed(&opened, objects[i].empty, 0);
        assert_says(&opened, objects[i].file);
        put_at("odd", objects[i].file, rubbish, sizeof rubbish);
        for (int again = 0; again < 2; again++) { /* then from the cache */
            opened = s3_open("s3://copies/odd", &s3, 0, 0);
            assert_failed(&opened, objects[i].rubbish, 0);
            assert_says(&opened, objects[i].file);
        }
        put_at("odd", objects[i].file, right, size);
        assert_serves("s3://copies/odd", &s3);
        s3_assert_no_temporaries();
        free(right);
        free(file);
    }
    free(shard);
    free(manifest);
}

/* ---- who may read ---- */

static void test_wrong_credentials(void **state) {
    (void)state;
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    s3.secret_access_key = "wrong-but-secret-all-the-same";
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_failed(&opened, SHF_E_ACCESS, 0);
    assert_int_equal(opened.http_status, 403);
    assert_says(&opened, "SignatureDoesNotMatch");
    assert_says(&opened, "check the secret access key");
    assert_null(strstr(opened.message, "wrong-but-secret"));
    assert_string_equal(opened.object, S3_SAMPLE_URL "/_CURRENT");
    s3 = s3_options(s3_server.endpoint);
    s3.access_key_id = "NOBODY0000000000";
    opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_failed(&opened, SHF_E_ACCESS, 0);
    assert_says(&opened, "does not know the access key id");
    s3 = s3_options(s3_server.endpoint);
    s3.session_token = "a-token-that-the-server-does-not-know";
    opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_failed(&opened, SHF_E_ACCESS, 0);
    assert_says(&opened, "session token");
    assert_null(strstr(opened.message, "a-token-that"));
}

static void test_without_credentials(void **state) {
    (void)state;
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    s3.access_key_id = s3.secret_access_key = NULL;
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_failed(&opened, SHF_E_ACCESS, 0);
    assert_int_equal(opened.http_status, 0); /* none are found, so nothing was asked */
    assert_says(&opened, "anonymous");
    s3.anonymous = 1;
    opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_failed(&opened, SHF_E_ACCESS, 0);
    assert_int_equal(opened.http_status, 403);
}

static void test_the_environment_gives_all(void **state) {
    (void)state;
    s3_server_export(&s3_server);
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, NULL, 0, 0);
    s3_server_clean_environment();
    assert_int_equal(opened.status, SHF_OK);
    assert_true(s3_sample_is_exact(opened.reader));
    support_close(opened.reader);
}

/* Anybody may read a public bucket; whoever signs wrongly may not. */
static void test_anonymous_access_to_a_public_bucket(void **state) {
    (void)state;
    static const char policy[] =
        "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":[\"s3:GetObject\","
        "\"s3:ListBucket\"],\"Resource\":[\"arn:aws:s3:::public\",\"arn:aws:s3:::public/*\"]}]}";
    shf_s3_options s3 = s3_options(s3_server.endpoint);
    s3.access_key_id = s3.secret_access_key = NULL;
    s3.anonymous = 1;
    assert_true(s3_server_make_bucket(&s3_server, "public"));
    assert_true(s3_server_put_policy(&s3_server, "public", policy));
    assert_true(s3_server_put_folder(&s3_server, S3_SAMPLE, "public", "p"));
    assert_serves("s3://public/p", &s3);
    s3 = s3_options(s3_server.endpoint);
    s3.secret_access_key = "wrong";
    struct s3_opened opened = s3_open("s3://public/p", &s3, 0, 0);
    assert_failed(&opened, SHF_E_ACCESS, 0);
}

/* ---- no server ---- */

static void test_nobody_listens(void **state) {
    (void)state;
    shf_s3_options s3 = s3_options("http://127.0.0.1:9"); /* discard: nothing listens there */
    s3.max_attempts = 3;
    struct s3_opened opened = s3_open(S3_SAMPLE_URL, &s3, 0, 0);
    assert_failed(&opened, SHF_E_STORE_RETRY, 1);
    assert_says(&opened, "gave up after 3 attempts");
    assert_says(&opened, "http://127.0.0.1:9");
    assert_string_equal(opened.object, S3_SAMPLE_URL "/_CURRENT");
    assert_true(opened.took_ms < 3000); /* pauses of at most 200 and 400 ms */
    s3.max_attempts = 100;
    opened = s3_open(S3_SAMPLE_URL, &s3, 0, 300);
    assert_failed(&opened, SHF_E_DEADLINE, 1);
    assert_true(opened.took_ms < 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_begin, s3_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_urls_that_are_none_of_s3), /* first: it counts the proxy's connections */
        TEST(test_copied_to_another_bucket_and_prefix),
        TEST(test_awkward_prefixes),
        TEST(test_virtual_hosts),
        TEST(test_history_and_fallback_over_many_pages),
        TEST(test_missing_pointer_and_bucket),
        TEST(test_missing_shard),
        TEST(test_objects_that_are_not_what_they_should_be),
        TEST(test_wrong_credentials),
        TEST(test_without_credentials),
        TEST(test_the_environment_gives_all),
        TEST(test_anonymous_access_to_a_public_bucket),
        TEST(test_nobody_listens),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, s3_group_begin, s3_group_end);
}
