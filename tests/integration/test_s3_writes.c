/* Writing at the store's own interface, over a real S3 server and the proxy: whole, in parts, on conditions, and faults. */
#include "harness/fault_proxy.h"
#include "harness/s3_server.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "io/s3_priv.h"
#include "shardyfusion/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define LARGEST (23 * MIB)

static struct s3_server server;
static struct fault_proxy *proxy;
static shf_runtime *runtime;
static struct shf_store *store;
static unsigned char *bytes;
static int file = -1; /* of the same bytes */

/* ---- one request at a time ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static unsigned done_count;

static void is_done(struct shf_store_request *request) {
    (void)request;
    (void)pthread_mutex_lock(&mutex);
    done_count++;
    (void)pthread_cond_broadcast(&came);
    (void)pthread_mutex_unlock(&mutex);
}

static void submit_to(struct shf_store *to, struct shf_store_request *request) {
    request->body_fd = -1;
    if (!request->deadline_ns) request->deadline_ns = SHF_DEADLINE_NONE;
    request->done = is_done;
    shf_store_submit(to, request);
}

static void wait_for(unsigned count) {
    (void)pthread_mutex_lock(&mutex);
    while (done_count < count) (void)pthread_cond_wait(&came, &mutex);
    done_count = 0;
    (void)pthread_mutex_unlock(&mutex);
}

static void ask(struct shf_store_request *request) {
    submit_to(store, request);
    wait_for(1);
}

static struct shf_store_request put_of(const char *key, uint64_t size) {
    return (struct shf_store_request){.verb = SHF_STORE_PUT, .key = key, .data = bytes, .data_size = size};
}
static struct shf_store_request put_file(const char *key, uint64_t size) {
    return (struct shf_store_request){
        .verb = SHF_STORE_PUT, .key = key, .has_source = true, .source_fd = file, .data_size = size};
}

static void assert_put(struct shf_store_request *request) {
    if (request->status) fail_msg("%s: %s", request->key, shf_error_message(request->error));
    assert_non_null(request->etag);
    assert_string_equal(request->etag, request->version);
    assert_int_equal(request->object_size, request->data_size);
    assert_false(request->condition_ignored);
    shf_store_request_clear(request);
}

static void assert_refused(struct shf_store_request *request, shf_status status, const char *says) {
    if (request->status != status || !strstr(shf_error_message(request->error), says)) {
        fail_msg("not \"%s\": %d: %s", says, request->status, shf_error_message(request->error));
    }
    assert_non_null(strstr(shf_error_object(request->error), request->key));
    shf_store_request_clear(request);
}

/* What the server has under the key is this, and is of this type. */
static void assert_object(const char *key, const void *data, uint64_t size) {
    struct shf_store_request get = {.verb = SHF_STORE_GET, .key = key, .max_bytes = LARGEST};
    ask(&get);
    if (get.status) fail_msg("%s: %s", key, shf_error_message(get.error));
    assert_int_equal(get.body->size, size);
    if (size) assert_memory_equal(get.body->data, data, size);
    shf_store_request_clear(&get);
}
static void assert_nothing(const char *key) {
    struct shf_store_request head = {.verb = SHF_STORE_HEAD, .key = key};
    ask(&head);
    assert_refused(&head, SHF_E_NOT_FOUND, "no such object");
}

static uint64_t budget_used(void) {
    shf_runtime_stats stats;
    SHF_INIT(&stats);
    assert_int_equal(shf_runtime_stats_get(runtime, &stats), SHF_OK);
    return stats.budget_used_bytes;
}

/* ---- the tests ---- */

static void test_sizes(void **state) {
    (void)state;
    static const uint64_t sizes[] = {0, 1, 65536, 65537, 5000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct shf_store_request put = put_of("sizes/memory", sizes[i]);
        ask(&put);
        assert_put(&put);
        assert_object("sizes/memory", bytes, sizes[i]);
        put = put_file("sizes/file", sizes[i]);
        ask(&put);
        assert_put(&put);
        assert_object("sizes/file", bytes, sizes[i]);
    }
}

static void test_a_digest_that_is_known(void **state) {
    (void)state;
    uint8_t sha256[32];
    assert_int_equal(EVP_Digest(bytes, 3000000, sha256, NULL, EVP_sha256(), NULL), 1);
    struct shf_store_request put = put_file("digest", 3000000);
    put.sha256 = sha256;
    ask(&put);
    assert_put(&put);
    assert_object("digest", bytes, 3000000);
    sha256[0] ^= 1; /* the server looks at it */
    put = put_file("digest", 2000000);
    put.sha256 = sha256;
    ask(&put);
    assert_refused(&put, SHF_E_STORE_RETRY, "the server received something else than was sent");
    assert_object("digest", bytes, 3000000);
}

static void test_awkward_keys(void **state) {
    (void)state;
    static const char *const keys[] = {"awkward/run_id=1/db=00000/a b", "awkward/+&;,:@$!'()*~",
                                       "awkward/\xc3\xa4\xe2\x82\xac", "awkward/100%25/%", "awkward/?query#fragment"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct shf_store_request put = put_of(keys[i], i + 1);
        ask(&put);
        assert_put(&put);
        assert_object(keys[i], bytes, i + 1);
        struct shf_store_request large = put_of(keys[i], 6 * MIB);
        ask(&large);
        assert_put(&large);
        assert_object(keys[i], bytes, 6 * MIB);
        struct shf_store_request gone = {.verb = SHF_STORE_DELETE, .key = keys[i]};
        ask(&gone);
        assert_int_equal(gone.status, SHF_OK);
        assert_nothing(keys[i]);
        ask(&gone); /* no error either */
        assert_int_equal(gone.status, SHF_OK);
    }
}

static void test_in_parts(void **state) {
    (void)state;
    static const uint64_t sizes[] = {5 * MIB + 1, 10 * MIB, 10 * MIB + 1, LARGEST};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct shf_store_request put = put_file("parts/file", sizes[i]);
        fault_proxy_heal(proxy);
        ask(&put);
        if (!put.status) assert_non_null(strchr(put.etag, '-')); /* S3's sign of it */
        assert_put(&put);
        assert_int_equal(fault_proxy_requests_of(proxy, "PUT", "partNumber="), (sizes[i] + 5 * MIB - 1) / (5 * MIB));
        assert_object("parts/file", bytes, sizes[i]);
        put = put_of("parts/memory", sizes[i]);
        ask(&put);
        assert_put(&put);
        assert_object("parts/memory", bytes, sizes[i]);
    }
    assert_int_equal(budget_used(), 0);
}

/* What a listing tells of an object is what its PUT and a HEAD of it tell, and will do as a condition. */
static void test_versions_of_a_listing(void **state) {
    (void)state;
    static const char *const keys[] = {"versions/a b+c%&\"", "versions/empty", "versions/folder/x", "versions/parts",
                                       "versions/\xc3\xa4"};
    static const uint64_t sizes[] = {10, 0, 1, 6 * MIB, 3};
    struct shf_store_request list = {.verb = SHF_STORE_LIST, .key = "versions/", .wants_versions = true};
    char *versions[5];
    for (size_t i = 0; i < 5; i++) {
        struct shf_store_request put = put_of(keys[i], sizes[i]);
        ask(&put);
        assert_int_equal(put.status, SHF_OK);
        versions[i] = put.version;
        put.version = NULL;
        shf_store_request_clear(&put);
    }
    ask(&list);
    assert_int_equal(list.status, SHF_OK);
    assert_int_equal(list.name_count, 5);
    for (size_t i = 0; i < 5; i++) {
        if (strcmp(list.names[i], "folder/") == 0) {
            assert_null(list.versions[i]);
            continue;
        }
        assert_string_equal(list.names[i], keys[i] + strlen("versions/"));
        assert_string_equal(list.versions[i], versions[i]);
        struct shf_store_request head = {.verb = SHF_STORE_HEAD, .key = keys[i]};
        ask(&head);
        assert_string_equal(head.version, list.versions[i]);
        shf_store_request_clear(&head);
        struct shf_store_request put = put_of(keys[i], 20 + i);
        put.if_version = list.versions[i];
        ask(&put);
        assert_put(&put);
    }
    shf_store_request_clear(&list);
    for (size_t i = 0; i < 5; i++) shf_free(versions[i]);
}

static void test_conditions(void **state) {
    (void)state;
    static const uint64_t sizes[] = {10, 6 * MIB}; /* whole, and in parts */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char key[32], *old;
        (void)snprintf(key, sizeof key, "conditions/%zu", i);
        struct shf_store_request put = put_of(key, sizes[i]);
        put.if_version = "\"0123456789abcdef0123456789abcdef\"";
        ask(&put);
        assert_int_equal(shf_error_http_status(put.error), 412);
        assert_refused(&put, SHF_E_STORE, "the object is not what it was"); /* as it is not there */
        put = put_of(key, sizes[i]);
        put.if_version = "";
        ask(&put);
        old = strdup(put.version ? put.version : "");
        assert_put(&put);
        put = put_of(key, sizes[i] + 1);
        put.if_version = "";
        ask(&put);
        assert_int_equal(shf_error_http_status(put.error), 412);
        assert_refused(&put, SHF_E_STORE, "there is an object already");
        assert_object(key, bytes, sizes[i]);
        put = put_of(key, sizes[i] + 2);
        put.if_version = old;
        ask(&put);
        assert_put(&put);
        assert_object(key, bytes, sizes[i] + 2);
        put = put_of(key, sizes[i] + 3);
        put.if_version = old;
        ask(&put);
        assert_int_equal(shf_error_http_status(put.error), 412);
        assert_refused(&put, SHF_E_STORE, "the object is not what it was");
        assert_object(key, bytes, sizes[i] + 2);
        free(old);
        struct shf_store_request head = {.verb = SHF_STORE_HEAD, .key = key};
        ask(&head);
        assert_string_equal(head.version, head.etag);
        put = put_of(key, sizes[i] + 4);
        put.if_version = head.version;
        ask(&put);
        assert_put(&put);
        shf_store_request_clear(&head);
    }
}

/* A server that knows no conditions is told none, once for all. */
static void test_a_server_without_conditions(void **state) {
    (void)state;
    struct shf_s3_store *s3 = SHF_CONTAINER(store, struct shf_s3_store, base);
    static const struct fault faults[] = {
        {.kind = FAULT_ANSWER,
         .method = "PUT",
         .times = 1,
         .number = 501,
         .text = "<Error><Code>NotImplemented</Code><Message>A header</Message><Header>If-None-Match</Header></Error>"},
        {.kind = FAULT_ANSWER,
         .method = "PUT",
         .times = 1,
         .number = 400,
         .text = "<Error><Code>InvalidArgument</Code><Message>Unknown: If-None-Match</Message></Error>"},
        {.kind = FAULT_STATUS, .method = "POST", .target = "?uploadId=", .times = 1, .number = 501, .text = "NotImplemented"}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        uint64_t size = i == 2 ? 6 * MIB : 100;
        s3->knows_no_conditions = false;
        fault_proxy_set(proxy, &faults[i], 1);
        struct shf_store_request put = put_of("unconditional", size);
        put.if_version = "";
        ask(&put);
        assert_int_equal(put.status, SHF_OK);
        assert_true(put.condition_ignored);
        shf_store_request_clear(&put);
        assert_int_equal(fault_proxy_spoilt(proxy), 1);
        assert_object("unconditional", bytes, size);
        put = put_of("unconditional", 10); /* from now on: not asked again */
        put.if_version = "";
        fault_proxy_heal(proxy);
        ask(&put);
        assert_int_equal(put.status, SHF_OK);
        assert_true(put.condition_ignored);
        assert_int_equal(fault_proxy_requests(proxy), 1);
        shf_store_request_clear(&put);
    }
    s3->knows_no_conditions = false;
}

/* Each is mended by another attempt, whole and in parts, from memory and from a file. */
static void test_faults_that_pass(void **state) {
    (void)state;
    static const struct fault faults[] = {
        {.kind = FAULT_STATUS, .method = "PUT", .times = 1, .number = 503, .text = "SlowDown"},
        {.kind = FAULT_STATUS, .method = "PUT", .times = 1, .number = 500, .text = "InternalError"},
        {.kind = FAULT_STATUS, .method = "PUT", .times = 1, .number = 400, .text = "BadDigest"},
        {.kind = FAULT_CUT, .method = "PUT", .times = 1, .number = 0},
        {.kind = FAULT_CUT, .method = "PUT", .times = 1, .number = 1500000},
        {.kind = FAULT_RESET, .method = "PUT", .times = 1}, /* the answer is lost */
        {.kind = FAULT_STATUS, .method = "POST", .target = "uploads=", .times = 1, .number = 503, .text = "SlowDown"},
        {.kind = FAULT_STATUS, .method = "POST", .target = "uploadId=", .times = 1, .number = 503, .text = "SlowDown"},
        {.kind = FAULT_RESET, .method = "POST", .target = "uploadId=", .times = 1},
        {.kind = FAULT_RESET, .method = "POST", .target = "uploadId=", .times = 1, .number = 1},
        {.kind = FAULT_ANSWER,
         .method = "POST",
         .target = "uploadId=",
         .times = 1,
         .number = 200,
         .text = "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>again</Message></Error>"},
        {.kind = FAULT_ANSWER, .method = "POST", .target = "uploadId=", .times = 1, .number = 200, .text = ""},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        static const uint64_t sizes[] = {2000000, 2000000, 11 * MIB, 11 * MIB};
        for (size_t way = strcmp(faults[i].method, "POST") == 0 ? 2 : 0; way < 4; way++) {
            struct shf_store_request put =
                way % 2 ? put_file("faults/passing", sizes[way] + i) : put_of("faults/passing", sizes[way] + i);
            fault_proxy_set(proxy, &faults[i], 1);
            ask(&put);
            if (put.status) fail_msg("fault %zu, way %zu: %s", i, way, shf_error_message(put.error));
            assert_put(&put);
            assert_int_equal(fault_proxy_spoilt(proxy), 1);
            assert_object("faults/passing", bytes, sizes[way] + i);
            assert_int_equal(budget_used(), 0);
        }
    }
}

static void wait_for_requests(const char *method, const char *target, uint32_t count) {
    for (int i = 0; i < 2000 && fault_proxy_requests_of(proxy, method, target) < count; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    assert_int_equal(fault_proxy_requests_of(proxy, method, target), count);
}

/* What does not pass: the upload is aborted, and nothing appears. */
static void test_faults_that_stay(void **state) {
    (void)state;
    static const struct {
        struct fault fault;
        shf_status status;
        const char *says;
        bool aborts;
    } cases[] = {
        {{.kind = FAULT_STATUS, .method = "POST", .target = "uploads=", .number = 403, .text = "AccessDenied"},
         SHF_E_ACCESS,
         "check that the credentials may write",
         false},
        {{.kind = FAULT_ANSWER, .method = "POST", .target = "uploads=", .number = 200, .text = "<Other/>"},
         SHF_E_STORE,
         "does not answer as S3",
         false},
        {{.kind = FAULT_STATUS, .method = "PUT", .target = "partNumber=2", .number = 403, .text = "AccessDenied"},
         SHF_E_ACCESS,
         "part 2 of 3: PUT (part) s3://writes/faults/staying: HTTP 403",
         true},
        {{.kind = FAULT_STATUS, .method = "PUT", .target = "partNumber=", .number = 503, .text = "SlowDown"},
         SHF_E_STORE_RETRY,
         "gave up after 3 attempts: PUT (part)",
         true},
        {{.kind = FAULT_CUT, .method = "PUT", .target = "partNumber=3", .number = 100},
         SHF_E_STORE_RETRY,
         "gave up after 3 attempts: PUT (part)",
         true},
        {{.kind = FAULT_STATUS, .method = "POST", .target = "uploadId=", .number = 409, .text = "ConditionalRequestConflict"},
         SHF_E_STORE_RETRY,
         "write it anew",
         true},
        {{.kind = FAULT_ANSWER,
          .method = "POST",
          .target = "uploadId=",
          .number = 200,
          .text = "<Error><Code>InternalError</Code></Error>"},
         SHF_E_STORE_RETRY,
         "gave up after 3 attempts: PUT (completion)",
         true},
        {{.kind = FAULT_ANSWER,
          .method = "POST",
          .target = "uploadId=",
          .number = 200,
          .text = "<Error><Code>InvalidPart</Code><Message>m</Message></Error>"},
         SHF_E_STORE,
         "InvalidPart (m)",
         true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shf_store_request put = put_file("faults/staying", 11 * MIB);
        fault_proxy_set(proxy, &cases[i].fault, 1);
        ask(&put);
        assert_refused(&put, cases[i].status, cases[i].says);
        if (cases[i].aborts) wait_for_requests("DELETE", "uploadId=", 1);
        assert_int_equal(fault_proxy_requests_of(proxy, "DELETE", NULL), cases[i].aborts);
        assert_int_equal(budget_used(), 0);
        fault_proxy_heal(proxy);
        assert_nothing("faults/staying");
    }
}

/* The size that HEAD tells after it is not the one that was written. */
static void test_an_object_that_is_not_what_was_written(void **state) {
    (void)state;
    static const struct fault other = {.kind = FAULT_LONGER, .method = "HEAD", .number = 5};
    struct shf_store_request put = put_of("faults/longer", 6 * MIB);
    fault_proxy_set(proxy, &other, 1);
    ask(&put);
    assert_refused(&put, SHF_E_STORE_RETRY, "was written with 6291456 bytes, but the server tells of 5");
    fault_proxy_heal(proxy);
}

static void test_the_end_in_the_middle(void **state) {
    (void)state;
    static const uint64_t sizes[] = {4000000, 11 * MIB};
    const struct fault deaf = {.kind = FAULT_DEAF, .method = "PUT", .number = 300000};
    for (size_t i = 0; i < 4; i++) {
        bool in_parts = i >= 2;
        struct shf_cancel cancel;
        struct shf_store_request put =
            i % 2 ? put_file("faults/over", sizes[in_parts]) : put_of("faults/over", sizes[in_parts]);
        shf_cancel_init(&cancel);
        put.cancel = &cancel;
        fault_proxy_set(proxy, &deaf, 1);
        submit_to(store, &put);
        wait_for_requests("PUT", "faults/over", in_parts ? 3 : 1);
        shf_cancel_request(&cancel);
        shf_rt_sweep(runtime);
        wait_for(1);
        assert_refused(&put, SHF_E_CANCELLED, "cancelled");
        if (in_parts) wait_for_requests("DELETE", "uploadId=", 1);

        put = i % 2 ? put_file("faults/over", sizes[in_parts]) : put_of("faults/over", sizes[in_parts]);
        put.deadline_ns = shf_deadline_after_ms(300);
        fault_proxy_set(proxy, &deaf, 1);
        ask(&put);
        assert_refused(&put, SHF_E_DEADLINE, "time given to the operation is over");
        if (in_parts) wait_for_requests("DELETE", "uploadId=", 1);
        fault_proxy_heal(proxy);
        assert_nothing("faults/over");
        assert_int_equal(budget_used(), 0);
    }
}

static struct shf_store *other_store(const char *bucket, const char *secret, uint32_t read_timeout_ms, bool is_anonymous) {
    shf_s3_options s3;
    struct shf_store *other = NULL;
    struct shf_error *error = NULL;
    SHF_INIT(&s3);
    s3.endpoint_url = fault_proxy_endpoint(proxy);
    if (!is_anonymous) {
        s3.access_key_id = server.access_key_id;
        s3.secret_access_key = secret;
    }
    s3.anonymous = is_anonymous;
    s3.max_attempts = 1;
    s3.read_timeout_ms = read_timeout_ms;
    if (shf_store_s3_new(runtime, bucket, &s3, &other, &error)) fail_msg("%s", shf_error_message(error));
    return other;
}

static void ask_other(struct shf_store *other, struct shf_store_request *request) {
    submit_to(other, request);
    wait_for(1);
    shf_store_release(other);
}

static void test_a_deaf_server(void **state) {
    (void)state;
    const struct fault deaf = {.kind = FAULT_DEAF, .method = "PUT", .number = 300000};
    struct shf_store_request put = put_file("faults/deaf", LARGEST);
    struct shf_store *other = other_store("writes", server.secret_access_key, 200, false);
    fault_proxy_set(proxy, &deaf, 1);
    ask_other(other, &put);
    assert_refused(&put, SHF_E_STORE_RETRY, "no byte came or went for 200 ms");
    fault_proxy_heal(proxy);
}

static void test_who_may_not(void **state) {
    (void)state;
    static const uint64_t sizes[] = {10, 65 * MIB};
    for (size_t i = 0; i < 2; i++) { /* another store has the ordinary threshold: nothing is read of the second one */
        struct shf_store_request put = put_of("refused", sizes[i]);
        ask_other(other_store("writes", "wrong-secret", 0, false), &put);
        assert_refused(&put, SHF_E_ACCESS, "check the secret access key");
        put = put_of("refused", sizes[i]);
        ask_other(other_store("no-such-bucket", server.secret_access_key, 0, false), &put);
        assert_refused(&put, SHF_E_NOT_FOUND, "there is no such bucket");
        put = put_of("refused", sizes[i]);
        ask_other(other_store("writes", NULL, 0, true), &put);
        assert_refused(&put, SHF_E_ACCESS, "check that the credentials may write");
    }
    struct shf_store_request gone = {.verb = SHF_STORE_DELETE, .key = "refused"};
    ask_other(other_store("writes", NULL, 0, true), &gone);
    assert_refused(&gone, SHF_E_ACCESS, "check that the credentials may delete");
    gone = (struct shf_store_request){.verb = SHF_STORE_DELETE, .key = "refused"};
    ask_other(other_store("no-such-bucket", server.secret_access_key, 0, false), &gone);
    assert_refused(&gone, SHF_E_NOT_FOUND, "there is no such bucket");
}

/* Anybody may write here: the body is told by its MD5. */
static void test_anonymous(void **state) {
    (void)state;
    static const char policy[] =
        "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\","
        "\"Action\":[\"s3:PutObject\",\"s3:GetObject\"],\"Resource\":[\"arn:aws:s3:::open/*\"]}]}";
    assert_true(s3_server_make_bucket(&server, "open"));
    assert_true(s3_server_put_policy(&server, "open", policy));
    struct shf_store_request put = put_file("k", 3000000);
    ask_other(other_store("open", NULL, 0, true), &put);
    assert_put(&put);
    struct shf_store_request head = {.verb = SHF_STORE_HEAD, .key = "k"};
    ask_other(other_store("open", NULL, 0, true), &head);
    assert_int_equal(head.object_size, 3000000);
    shf_store_request_clear(&head);
}

static void test_a_source_that_is_too_short(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct shf_store_request put = put_file("short", i ? LARGEST + 1 : LARGEST + MIB);
        ask(&put);
        assert_refused(&put, SHF_E_LOCAL, "its source ends at byte 24117248");
        fault_proxy_heal(proxy);
    }
    assert_nothing("short");
}

static unsigned count_descriptors(void) {
    unsigned count = 0;
    DIR *names = opendir("/proc/self/fd");
    assert_non_null(names);
    while (readdir(names)) count++;
    (void)closedir(names);
    return count;
}

/* Many at once: they share connections and budget, and leave nothing behind. */
static void test_many_at_once(void **state) {
    (void)state;
    enum { AT_ONCE = 100 };
    static struct shf_store_request puts[AT_ONCE];
    static char keys[AT_ONCE][24];
    unsigned before = count_descriptors();
    for (int i = 0; i < AT_ONCE; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "many/%03d", i);
        puts[i] = i % 2 ? put_file(keys[i], (uint64_t)i * 5003) : put_of(keys[i], (uint64_t)i * 5003);
        submit_to(store, &puts[i]);
    }
    wait_for(AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) assert_put(&puts[i]);
    assert_object(keys[AT_ONCE - 1], bytes, (AT_ONCE - 1) * 5003);
    assert_int_equal(budget_used(), 0);
    assert_in_range(count_descriptors(), before, before + 2 * 64 * 2); /* kept connections, of both sides, watched */
}

/* ---- set-up ---- */

static bool make_file(void) {
    file = memfd_create("writes", MFD_CLOEXEC);
    return file >= 0 && write(file, bytes, LARGEST) == (ssize_t)LARGEST;
}

static int begin(void **state) {
    (void)state;
    shf_s3_options s3;
    struct shf_error *error = NULL;
    s3_server_clean_environment();
    bytes = malloc(66 * MIB);
    if (!bytes) return -1;
    for (uint64_t i = 0; i < 66 * MIB; i++) bytes[i] = (unsigned char)(((i / 3) * 2654435761u) >> 24);
    if (!make_file() || !s3_server_start(&server) || !(proxy = fault_proxy_start(server.port))) return -1;
    SHF_INIT(&s3);
    s3.endpoint_url = fault_proxy_endpoint(proxy);
    s3.access_key_id = server.access_key_id;
    s3.secret_access_key = server.secret_access_key;
    s3.max_attempts = 3;
    if (!s3_server_make_bucket(&server, "writes") || shf_runtime_new(NULL, &runtime)) return -1;
    shf_status status = shf_store_s3_new(runtime, "writes", &s3, &store, &error);
    if (status) return -1;
    struct shf_s3_store *made = SHF_CONTAINER(store, struct shf_s3_store, base);
    made->multipart_above = 5 * MIB; /* S3 wants parts of 5 MiB at least, but for the last */
    made->part_bytes = 5 * MIB;
    return 0;
}

static int end(void **state) {
    (void)state;
    shf_store_release(store);
    int held = shf_runtime_free(runtime);
    fault_proxy_stop(proxy);
    s3_server_stop(&server);
    (void)close(file);
    free(bytes);
    return held;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_a_digest_that_is_known),
        cmocka_unit_test(test_awkward_keys),
        cmocka_unit_test(test_in_parts),
        cmocka_unit_test(test_versions_of_a_listing),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_a_server_without_conditions),
        cmocka_unit_test(test_faults_that_pass),
        cmocka_unit_test(test_faults_that_stay),
        cmocka_unit_test(test_an_object_that_is_not_what_was_written),
        cmocka_unit_test(test_the_end_in_the_middle),
        cmocka_unit_test(test_a_deaf_server),
        cmocka_unit_test(test_who_may_not),
        cmocka_unit_test(test_anonymous),
        cmocka_unit_test(test_a_source_that_is_too_short),
        cmocka_unit_test(test_many_at_once),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, begin, end);
}
