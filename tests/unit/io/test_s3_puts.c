/* What a PUT, a DELETE and an upload in parts send to an S3 store, before a scripted server; and their ends. */
#include "s3_support.h"

#include "base/clock.h"
#include "io/fs.h"
#include "io/s3_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT(...)                                                                                                    \
    (const struct scripted_answer[]){__VA_ARGS__}, SUPPORT_COUNT(((const struct scripted_answer[]){__VA_ARGS__}))

#define GOOD                                                                                                           \
    { .status = 200, .headers = "ETag: \"e\"\r\n" }
#define BEGUN                                                                                                          \
    {                                                                                                                  \
        .status = 200,                                                                                                 \
        .body =                                                                                                        \
            "<?xml version=\"1.0\"?><InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" \
            "<UploadId>id/+=</UploadId></InitiateMultipartUploadResult>"                                               \
    }
#define COMPLETED                                                                                                      \
    {                                                                                                                  \
        .status = 200,                                                                                                 \
        .body = "<CompleteMultipartUploadResult><ETag>&quot;whole-2&quot;</ETag></CompleteMultipartUploadResult>"      \
    }

static struct s3_test test;
static struct support_call call;

static void put(const char *data, size_t size) {
    support_call_init(&call, SHF_STORE_PUT, "a key");
    call.request.data = data;
    call.request.data_size = size;
}

static void lower_limits(uint64_t above, uint64_t part) {
    struct shf_s3_store *s3 = SHF_CONTAINER(test.store, struct shf_s3_store, base);
    s3->multipart_above = above;
    s3->part_bytes = part;
}

static void expect_header(unsigned n, const char *name, const char *value) {
    char *found = s3_header(scripted_server_request(test.server, n), name);
    if (value && !found) fail_msg("no header %s", name);
    if (!value && found) fail_msg("%s: %s", name, found);
    if (value) assert_string_equal(found, value);
    free(found);
}

static void expect_line(unsigned n, const char *line) {
    const char *request = scripted_server_request(test.server, n);
    if (strncmp(request, line, strlen(line)) != 0) fail_msg("%.100s", request);
}

static void expect_body(unsigned n, const char *body) {
    assert_string_equal(strstr(scripted_server_request(test.server, n), "\r\n\r\n") + 4, body);
}

static void end_test(void) {
    support_call_clear(&call);
    s3_end(&test);
}

static void test_what_is_sent(void **state) {
    (void)state;
    s3_start(&test, SCRIPT(GOOD));
    put("hello", 5);
    call.request.content_type = "text/plain; charset=utf-8";
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    expect_line(0, "PUT /bucket/a%20key HTTP/1.1\r\n");
    expect_body(0, "hello");
    expect_header(0, "Content-Length", "5");
    expect_header(0, "Content-Type", "text/plain; charset=utf-8");
    expect_header(0, "x-amz-content-sha256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    expect_header(0, "Expect", NULL);
    expect_header(0, "Content-MD5", NULL);
    expect_header(0, "If-Match", NULL);
    expect_header(0, "If-None-Match", NULL);
    expect_header(0, "Transfer-Encoding", NULL);
    char *authorization = s3_header(scripted_server_request(test.server, 0), "Authorization");
    assert_non_null(strstr(authorization, "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date,"));
    free(authorization);
    assert_string_equal(call.request.etag, "\"e\"");
    assert_string_equal(call.request.version, "\"e\"");
    assert_int_equal(call.request.object_size, 5);
    assert_null(call.request.body);
    support_call_clear(&call);

    scripted_server_script(test.server, SCRIPT(GOOD));
    put(NULL, 0);
    call.request.if_version = "";
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    expect_body(0, "");
    expect_header(0, "Content-Length", "0");
    expect_header(0, "Content-Type", "application/octet-stream");
    expect_header(0, "x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_header(0, "If-None-Match", "*");
    support_call_clear(&call);

    scripted_server_script(test.server, SCRIPT(GOOD));
    put("x", 1);
    call.request.if_version = "\"old\"";
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    expect_header(0, "If-Match", "\"old\"");
    end_test();
}

static void test_unsigned(void **state) {
    (void)state;
    s3_begin(&test, SCRIPT(GOOD));
    test.options.access_key_id = test.options.secret_access_key = NULL;
    test.options.anonymous = 1;
    s3_open(&test);
    put("hello", 5);
    assert_int_equal(support_ask(test.store, &call), SHF_OK);
    expect_header(0, "Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==");
    expect_header(0, "Authorization", NULL);
    expect_header(0, "x-amz-content-sha256", NULL);
    end_test();
}

static void test_delete(void **state) {
    (void)state;
    static const struct {
        struct scripted_answer answer;
        shf_status status;
    } cases[] = {{{.status = 204}, SHF_OK},
                 {{.status = 200}, SHF_OK},
                 {{.status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>"}, SHF_OK},
                 {{.status = 404}, SHF_OK},
                 {{.status = 404, .body = "<Error><Code>NoSuchBucket</Code></Error>"}, SHF_E_NOT_FOUND},
                 {{.status = 403}, SHF_E_ACCESS},
                 {{.status = 501}, SHF_E_STORE},
                 {{.status = 302}, SHF_E_STORE}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        s3_start(&test, &cases[i].answer, 1);
        support_call_init(&call, SHF_STORE_DELETE, "a key");
        if (support_ask(test.store, &call) != cases[i].status) fail_msg("case %zu: %d", i, call.request.status);
        expect_line(0, "DELETE /bucket/a%20key HTTP/1.1\r\n");
        expect_header(0, "Content-Length", NULL);
        assert_int_equal(scripted_server_requests(test.server), 1);
        end_test();
    }
}

static void test_answers(void **state) {
    (void)state;
    static const struct {
        struct scripted_answer answer;
        shf_status status;
        unsigned requests;
        const char *says;
    } cases[] = {
        {{.status = 412}, SHF_E_STORE, 1, "there is an object already"},
        {{.status = 409, .body = "<Error><Code>ConditionalRequestConflict</Code></Error>"}, SHF_E_STORE_RETRY, 3, "got in"},
        {{.status = 409, .body = "<Error><Code>BucketAlreadyExists</Code></Error>"}, SHF_E_STORE, 1, "HTTP 409"},
        {{.status = 403}, SHF_E_ACCESS, 1, "PUT s3://bucket/a key: HTTP 403: check that the credentials may write"},
        {{.status = 404, .body = "<Error><Code>NoSuchKey</Code></Error>"}, SHF_E_STORE, 1, "the object is not what it"},
        {{.status = 400, .body = "<Error><Code>EntityTooLarge</Code></Error>"}, SHF_E_STORE, 1, "EntityTooLarge"},
        {{.status = 400, .body = "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>"},
         SHF_E_STORE_RETRY,
         3,
         "the server received something else than was sent"},
        {{.status = 206}, SHF_E_STORE, 1, "HTTP 206"},
        {{.status = 507}, SHF_E_STORE_RETRY, 3, "HTTP 507"},
    };
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        s3_start(&test, &cases[i].answer, 1);
        put("hello", 5);
        call.request.if_version = "";
        (void)support_ask(test.store, &call);
        support_expect_failure(&call, cases[i].status, cases[i].says);
        assert_int_equal(scripted_server_requests(test.server), cases[i].requests);
        if (cases[i].answer.status == 404) assert_int_equal(shf_error_http_status(call.request.error), 412);
        end_test();
    }
}

/* The first attempt was carried out and its answer lost: the second one meets what it wrote. */
static void test_a_condition_after_a_lost_answer(void **state) {
    (void)state;
    s3_start(&test, SCRIPT({.end = SCRIPTED_RESET}, {.status = 412}));
    put("hello", 5);
    call.request.if_version = "";
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_STORE, "or an attempt before this one wrote it");
    assert_int_equal(shf_error_http_status(call.request.error), 412);
    end_test();
}

static void test_arguments(void **state) {
    (void)state;
    s3_start(&test, SCRIPT(GOOD));
    static const struct {
        const char *key, *type, *version;
    } cases[] = {
        {"", NULL, NULL}, {"/a", NULL, NULL}, {"k", "a\r\nb: c", NULL}, {"k", "", NULL}, {"k", NULL, "\"\r\nx: y"}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        for (uint64_t size = 0; size < 2; size++) { /* in parts, too */
            lower_limits(0, 1);
            support_call_init(&call, SHF_STORE_PUT, cases[i].key);
            call.request.data = "x";
            call.request.data_size = size;
            call.request.content_type = cases[i].type;
            call.request.if_version = cases[i].version;
            assert_int_equal(support_ask(test.store, &call), SHF_E_INVALID);
            support_call_clear(&call);
        }
    }
    assert_int_equal(scripted_server_requests(test.server), 0);
    put("x", 1);
    end_test();
}

/* An error comes before the body was sent, and the server hears no more of it. */
static void test_an_early_answer(void **state) {
    (void)state;
    const size_t size = 30u << 20;
    uint8_t *bytes = support_pattern(size, 1);
    s3_start(&test, SCRIPT({.status = 403, .early = true, .end = SCRIPTED_HANG}));
    put((const char *)bytes, size);
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "may write");
    free(bytes);
    end_test();
}

/* A kept connection was closed: libcurl sends the body again, of which it took a part; that is no attempt of ours. */
static void test_a_connection_that_was_dead(void **state) {
    (void)state;
    char *path = NULL;
    const size_t size = 3u << 20;
    uint8_t *bytes = support_pattern(size, 1);
    for (int way = 0; way < 2; way++) {
        s3_begin(&test, SCRIPT(GOOD, {.end = SCRIPTED_CLOSE, .most = 1}, GOOD));
        test.options.max_attempts = 2;
        s3_open(&test);
        path = support_path("%s/source", test.home);
        support_write(path, bytes, size);
        put("x", 1);
        assert_int_equal(support_ask(test.store, &call), SHF_OK);
        support_call_clear(&call);
        put((const char *)bytes, size);
        if (way) {
            call.request.has_source = true;
            call.request.source_fd = open(path, O_RDONLY | O_CLOEXEC);
        }
        assert_int_equal(support_ask(test.store, &call), SHF_OK);
        const char *request = scripted_server_request(test.server, 2);
        assert_memory_equal(strstr(request, "\r\n\r\n") + 4, bytes, size);
        assert_int_equal(support_stats(test.runtime).store_retries, 0);
        if (way) assert_int_equal(close(call.request.source_fd), 0);
        free(path);
        end_test();
    }
    free(bytes);
}

static void test_upload_in_parts(void **state) {
    (void)state;
    s3_start(&test, SCRIPT(BEGUN, {.status = 200, .headers = "ETag: \"a&<b\"\r\n"},
                           {.status = 200, .headers = "ETag: \"c\"\r\n"}, COMPLETED,
                           {.status = 200, .declared = 7, .headers = "ETag: \"head\"\r\n"}));
    lower_limits(4, 4);
    put("abcdefg", 7);
    call.request.if_version = "";
    call.request.content_type = "application/x-sqlite3";
    if (support_ask(test.store, &call)) fail_msg("%s", shf_error_message(call.request.error));
    assert_string_equal(call.request.etag, "\"whole-2\"");
    assert_string_equal(call.request.version, "\"whole-2\"");
    assert_int_equal(call.request.object_size, 7);
    assert_int_equal(scripted_server_requests(test.server), 5);
    expect_line(0, "POST /bucket/a%20key?uploads= HTTP/1.1\r\n");
    expect_header(0, "Content-Type", "application/x-sqlite3");
    expect_header(0, "Content-Length", "0");
    expect_header(0, "If-None-Match", NULL);
    bool first_is_one = strstr(scripted_server_request(test.server, 1), "partNumber=1") != NULL;
    expect_line(first_is_one ? 1 : 2, "PUT /bucket/a%20key?partNumber=1&uploadId=id%2F%2B%3D HTTP/1.1\r\n");
    expect_line(first_is_one ? 2 : 1, "PUT /bucket/a%20key?partNumber=2&uploadId=id%2F%2B%3D HTTP/1.1\r\n");
    expect_body(first_is_one ? 1 : 2, "abcd");
    expect_body(first_is_one ? 2 : 1, "efg");
    expect_header(1, "Content-Type", NULL);
    expect_header(1, "If-None-Match", NULL);
    expect_line(3, "POST /bucket/a%20key?uploadId=id%2F%2B%3D HTTP/1.1\r\n");
    expect_header(3, "If-None-Match", "*");
    const char *list = strstr(scripted_server_request(test.server, 3), "\r\n\r\n") + 4;
    const char *escaped = "<ETag>&quot;a&amp;&lt;b&quot;</ETag>", *plain = "<ETag>&quot;c&quot;</ETag>";
    char *wanted = support_path("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                                "<Part><PartNumber>1</PartNumber>%s</Part><Part><PartNumber>2</PartNumber>%s</Part>"
                                "</CompleteMultipartUpload>",
                                first_is_one ? escaped : plain, first_is_one ? plain : escaped);
    assert_string_equal(list, wanted);
    free(wanted);
    expect_line(4, "HEAD /bucket/a%20key HTTP/1.1\r\n");
    end_test();
}

static void test_a_part_without_an_etag(void **state) {
    (void)state;
    s3_start(&test, SCRIPT(BEGUN, {.status = 200}, {.status = 204}));
    lower_limits(4, 8);
    put("abcdefg", 7);
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_STORE, "tells no ETag of part 1");
    assert_true(scripted_server_wait(test.server, 3));
    expect_line(2, "DELETE /bucket/a%20key?uploadId=id%2F%2B%3D HTTP/1.1\r\n");
    end_test();
}

/* A completion whose answer was lost: the object that is there must be of these very parts. */
static void test_a_completion_that_was_lost(void **state) {
    (void)state;
    static const struct {
        const char *etag;
        size_t size;
        shf_status status;
    } cases[] = {{"ETag: \"a07ae1c0ad0b43e2d2fc0d4e5a5aa1e3-1\"\r\n", 7, SHF_E_STORE_RETRY},
                 {"ETag: \"59adb24ef3cdbe0297f05b395827453f-1\"\r\n", 8, SHF_E_STORE_RETRY},
                 {"ETag: \"59adb24ef3cdbe0297f05b395827453f-1\"\r\n", 7, SHF_OK}};
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) { /* the ETag: MD5 of the 16 bytes that are the MD5 of nothing */
        const struct scripted_answer script[] = {
            BEGUN,
            {.status = 200, .headers = "ETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n"},
            {.end = SCRIPTED_RESET},
            {.status = 404, .body = "<Error><Code>NoSuchUpload</Code></Error>"},
            {.status = 200, .headers = cases[i].etag, .declared = cases[i].size},
            {.status = 404, .body = "<Error><Code>NoSuchUpload</Code></Error>"}};
        s3_start(&test, script, SUPPORT_COUNT(script));
        lower_limits(4, 8);
        put("abcdefg", 7);
        (void)support_ask(test.store, &call);
        if (call.request.status != cases[i].status) fail_msg("case %zu: %d", i, call.request.status);
        if (cases[i].status) support_expect_failure(&call, SHF_E_STORE_RETRY, "NoSuchUpload");
        if (!cases[i].status) assert_string_equal(call.request.etag, "\"59adb24ef3cdbe0297f05b395827453f-1\"");
        if (cases[i].status) assert_true(scripted_server_wait(test.server, 6));
        end_test();
    }
}

static void test_how_it_is_divided(void **state) {
    (void)state;
    s3_start(&test, SCRIPT({.status = 403}));
    const struct shf_s3_store *s3 = SHF_CONTAINER(test.store, struct shf_s3_store, base);
    assert_int_equal(s3->multipart_above, 64 << 20);
    assert_int_equal(s3->part_bytes, 16 << 20);
    put("x", 64u << 20); /* is not read: the first answer ends it */
    support_call_clear(&call);
    put("x", 1);
    lower_limits(1, 1);
    call.request.data_size = (64u << 20) + 1;
    (void)support_ask(test.store, &call);
    support_expect_failure(&call, SHF_E_ACCESS, "PUT (beginning) s3://bucket/a key: HTTP 403");
    assert_int_equal(scripted_server_requests(test.server), 1);
    end_test();
}

static ssize_t (*real_pread)(int, void *, size_t, off_t);
static int reads;
static ssize_t fail_second(int fd, void *out, size_t size, off_t offset) {
    if (++reads < 2) return real_pread(fd, out, size, offset);
    errno = EIO;
    return -1;
}

/* Of the digest, or while it is sent. */
static void test_a_source_that_can_not_be_read(void **state) {
    (void)state;
    static const uint8_t sha256[32] = {0};
    for (int way = 0; way < 2; way++) {
        const size_t size = 3u << 20;
        uint8_t *bytes = support_pattern(size, 1);
        s3_start(&test, SCRIPT(GOOD));
        char *path = support_path("%s/source", test.home);
        support_write(path, bytes, size);
        put(NULL, size);
        call.request.has_source = true;
        call.request.source_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (way) call.request.sha256 = sha256;
        reads = 0;
        real_pread = shf_fs.pread;
        shf_fs.pread = fail_second;
        (void)support_ask(test.store, &call);
        support_expect_failure(&call, SHF_E_LOCAL, "s3://bucket/a key: cannot read its source at byte 1048576: Input");
        shf_fs_reset();
        assert_int_equal(close(call.request.source_fd), 0);
        free(path);
        free(bytes);
        end_test();
    }
}

/* Buffers are counted: small ones where there is no room for large ones, and none where there is no room at all. */
static void test_budget(void **state) {
    (void)state;
    static const struct {
        uint64_t budget;
        shf_status status;
    } cases[] = {{2 * SHF_SOURCE_BUFFER_BYTES, SHF_OK},
                 {2 * SHF_SOURCE_SMALL_BUFFER_BYTES, SHF_OK},
                 {2 * SHF_SOURCE_SMALL_BUFFER_BYTES - 1, SHF_E_NO_MEMORY}};
    const size_t size = 3u << 20;
    uint8_t *bytes = support_pattern(size, 1);
    for (size_t i = 0; i < SUPPORT_COUNT(cases); i++) {
        s3_begin(&test, SCRIPT(GOOD));
        support_runtime_free(test.runtime);
        shf_runtime_options options;
        SHF_INIT(&options);
        options.memory_budget_bytes = cases[i].budget;
        assert_int_equal(shf_runtime_new(&options, &test.runtime), SHF_OK);
        s3_open(&test);
        char *path = support_path("%s/source", test.home);
        support_write(path, bytes, size);
        put(NULL, size);
        call.request.has_source = true;
        call.request.source_fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(support_ask(test.store, &call), cases[i].status);
        if (cases[i].status) {
            support_expect_failure(&call, SHF_E_NO_MEMORY, "memory_budget_bytes has no room for an upload's buffers");
        } else {
            assert_memory_equal(strstr(scripted_server_request(test.server, 0), "\r\n\r\n") + 4, bytes, size);
        }
        assert_int_equal(close(call.request.source_fd), 0);
        free(path);
        end_test();
    }
    free(bytes);
}

/* The runtime ends in the middle of it. */
static void test_the_runtime_ends(void **state) {
    (void)state;
    for (int in_parts = 0; in_parts < 2; in_parts++) {
        const size_t size = 20u << 20;
        uint8_t *bytes = support_pattern(size, 1);
        if (in_parts) {
            s3_start(&test, SCRIPT(BEGUN, {.early = true, .end = SCRIPTED_HANG, .status = 100}));
            lower_limits(1, 1u << 20);
        } else {
            s3_start(&test, SCRIPT({.early = true, .end = SCRIPTED_HANG, .status = 100}));
        }
        put((const char *)bytes, size);
        support_submit(test.store, &call);
        assert_true(scripted_server_wait(test.server, in_parts ? 5 : 1));
        shf_store_release(test.store);
        support_runtime_free(test.runtime);
        test.store = NULL;
        test.runtime = NULL;
        (void)support_wait(&call);
        support_expect_failure(&call, SHF_E_CANCELLED, "the runtime is being freed");
        end_test();
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_a_condition_after_a_lost_answer),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_an_early_answer),
        cmocka_unit_test(test_a_connection_that_was_dead),
        cmocka_unit_test(test_upload_in_parts),
        cmocka_unit_test(test_a_part_without_an_etag),
        cmocka_unit_test(test_a_completion_that_was_lost),
        cmocka_unit_test(test_how_it_is_divided),
        cmocka_unit_test(test_a_source_that_can_not_be_read),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_the_runtime_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
