/*
 * URLs that a manifest or `_CURRENT` may name and must not: each ends in a manifest error, at once, and nothing is sent. A
 * listener is the endpoint, another one is named by the URLs; both count what they are asked.
 */
#include "hostile/hostile.h"

#include "hostile/stopwatch.h"
#include "integration/support.h"
#include "unit/io/scripted_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "s3://bucket/snap"
#define REF PREFIX "/manifests/2026-03-14T10:30:00.123456Z_run_id=0123/manifest"

static char *root, *cache;
static struct bytes manifest;
static struct scripted_server *endpoint, *elsewhere;
static double slowest_ms;

static int begin(void **state) {
    static const struct scripted_answer nothing[] = {{.status = 404}};
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof proxies / sizeof proxies[0]; i++) (void)unsetenv(proxies[i]);
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    manifest = hostile_manifest_make();
    elsewhere = scripted_server_start(nothing, 1);
    return support_set_up(state);
}

static int end(void **state) {
    int held = support_tear_down(state);
    scripted_server_stop(elsewhere);
    free(manifest.data);
    support_remove_tree(root);
    free(root);
    free(cache);
    return held;
}

/* How an open of `url` ended. */
struct ended {
    shf_status status;
    char message[1100];
    struct stopwatch took;
};

static struct ended open_once(const char *url) {
    struct ended ended = {0};
    char address[64];
    shf_reader_options options;
    shf_s3_options s3;
    shf_call call = support_call();
    shf_op_id id = 0;
    SHF_INIT(&options);
    SHF_INIT(&s3);
    (void)snprintf(address, sizeof address, "http://127.0.0.1:%d", scripted_server_port(endpoint));
    s3.endpoint_url = address;
    s3.anonymous = 1;
    s3.max_attempts = 1;
    options.url = url;
    options.local_root = cache;
    options.s3 = &s3;
    struct stopwatch watch = stopwatch_start();
    shf_status submitted = shf_open(support_runtime, &options, &call, &id);
    shf_op *op = support_wait(submitted, id);
    stopwatch_add(&ended.took, &watch);
    ended.status = shf_op_status(op);
    (void)snprintf(ended.message, sizeof ended.message, "%s", shf_error_message(shf_op_error(op)));
    shf_op_release(op);
    return ended;
}

static char *current_naming(const char *ref, size_t size) {
    json_t *json =
        json_pack("{s:o,s:s,s:s,s:s}", "manifest_ref", json_stringn_nocheck(ref, size), "manifest_content_type",
                  "application/x-sqlite3", "run_id", "0123", "updated_at", "2026-03-14T10:30:00Z");
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    assert_non_null(text);
    json_decref(json);
    return text;
}

/* The URL with PORT for the number of the other listener's port. */
static char *with_port(const char *text, size_t size, size_t *out_size) {
    const char *at = memmem(text, size, "PORT", 4);
    char *out = malloc(size + 16);
    if (!at) {
        memcpy(out, text, size + 1);
        *out_size = size;
        return out;
    }
    size_t before = (size_t)(at - text), after = size - before - 4;
    memcpy(out, text, before);
    int digits = sprintf(out + before, "%d", scripted_server_port(elsewhere));
    memcpy(out + before + digits, at + 4, after + 1);
    *out_size = before + (size_t)digits + after;
    return out;
}

/* The script is what the endpoint has; so many requests are all that it may get. */
static void expect_refused(const char *shown, const struct scripted_answer *script, unsigned may_ask) {
    struct stopwatch best = {1e9, 1e9};
    for (int i = 0; i < HOSTILE_TRIES && best.wall_ms > HOSTILE_MAX_MS; i++) {
        endpoint = scripted_server_start(script, 3);
        struct ended ended = open_once(PREFIX);
        stopwatch_keep_best(&best, &ended.took);
        if (ended.status != SHF_E_MANIFEST) fail_msg("%.100s: status %d: %.300s", shown, ended.status, ended.message);
        if (strlen(ended.message) < 20 || strstr(ended.message, "hunter2"))
            fail_msg("%.100s: %s", shown, ended.message);
        for (const char *p = ended.message; *p; p++) {
            if ((unsigned char)*p < 0x20 || *p == 0x7f) fail_msg("%.100s: a control character in the message", shown);
        }
        unsigned asked = scripted_server_requests(endpoint);
        if (asked != may_ask) fail_msg("%.100s: %u requests, not %u: %s", shown, asked, may_ask, ended.message);
        if (scripted_server_connections(elsewhere)) fail_msg("%.100s: somebody else was asked", shown);
        scripted_server_stop(endpoint);
    }
    if (stopwatch_is_too_long(&best)) fail_msg("%.100s: %.0f ms", shown, best.wall_ms);
    if (best.wall_ms > slowest_ms) slowest_ms = best.wall_ms;
}

static void refuse_data_url(const char *text, size_t size) {
    size_t url_size;
    char *url = with_port(text, size, &url_size), *current = current_naming(REF, strlen(REF));
    struct bytes hostile = hostile_run_sql(&manifest, "UPDATE shards SET db_url = ?1", url, url_size);
    const struct scripted_answer script[] = {
        {.status = 200, .headers = "ETag: \"1\"\r\n", .body = current},
        {.status = 200, .headers = "ETag: \"2\"\r\n", .body = (const char *)hostile.data, .body_size = hostile.size},
        {.status = 404},
    };
    expect_refused(url, script, 2);
    free(hostile.data);
    free(current);
    free(url);
}

#define UNDER PREFIX "/shards/"

static const char *const hostile_urls[] = {
    /* other places */
    "s3://other/snap/shards/a",
    "s3://bucket/other/shards/a",
    "s3://bucket/snapshot/shards/a",
    "s3://bucket/sna/shards/a",
    "s3://bucket/Snap/shards/a",
    "s3://Bucket/snap/shards/a",
    "s3://bucket",
    "s3://bucket/",
    "s3://bucket/snap",
    "s3://bucket/snap/",
    "s3://bucket.evil.example/snap/shards/a",
    "s3://evil.bucket/snap/shards/a",
    "s3://bucket:80/snap/shards/a",
    "s3://bucket,other/snap/shards/a",
    "s3:///snap/shards/a",
    "s3://",
    "s3:",
    "s3:/bucket/snap/shards/a",
    "s3:bucket/snap/shards/a",
    "//bucket/snap/shards/a",
    "/snap/shards/a",
    "snap/shards/a",
    "shards/a",
    "a",
    "",
    " ",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "\\\\bucket\\snap\\shards\\a",
    /* other schemes and hosts */
    "http://127.0.0.1:PORT/bucket/snap/shards/a",
    "https://127.0.0.1:PORT/bucket/snap/shards/a",
    "s3://127.0.0.1:PORT/snap/shards/a",
    "s3://localhost:PORT/snap/shards/a",
    "http://[::1]:PORT/a",
    "http://0x7f000001:PORT/a",
    "http://2130706433:PORT/a",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "s3://169.254.169.254/latest/meta-data",
    "http://[fe80::1]/a",
    "http://metadata.google.internal/computeMetadata/v1/",
    "https://bucket.s3.amazonaws.com/snap/shards/a",
    "ftp://127.0.0.1:PORT/a",
    "gopher://127.0.0.1:PORT/_GET",
    "ldap://127.0.0.1:PORT/a",
    "dict://127.0.0.1:PORT/a",
    "jar:http://127.0.0.1:PORT/a!/b",
    "data:application/octet-stream;base64,AAAA",
    "javascript:alert(1)",
    "s3a://bucket/snap/shards/a",
    "s3n://bucket/snap/shards/a",
    "S3://bucket/snap/shards/a",
    "s3+http://127.0.0.1:PORT/a",
    "mem://bucket/snap/shards/a",
    "fault://bucket/snap/shards/a",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "file:///proc/self/environ",
    "FILE:///etc",
    "file:/etc/passwd",
    "s3://bucket/snap/shards/a s3://127.0.0.1:PORT/snap/shards/b",
    "http://127.0.0.1:PORT/#s3://bucket/snap/shards/a",
    "http://127.0.0.1:PORT/?s3://bucket/snap/shards/a",
    /* credentials */
    "s3://user:hunter2@bucket/snap/shards/a",
    "s3://bucket:hunter2@127.0.0.1:PORT/snap/shards/a",
    "s3://bucket@127.0.0.1:PORT/snap/shards/a",
    "s3://bucket%40127.0.0.1:PORT/snap/shards/a",
    "s3://@bucket/snap/shards/a",
    "https://hunter2:hunter2@bucket/snap/shards/a",
    /* ways up and separators */
    UNDER "../../../x",
    UNDER "..",
    UNDER "../..",
    UNDER "a/../../../../x",
    UNDER ".",
    UNDER "./a",
    UNDER "a/./b",
    UNDER "...",
    UNDER "/a",
    UNDER "a//b",
    PREFIX "//shards/a",
    PREFIX "/../snap/shards/a",
    PREFIX "/../../other/snap/shards/a",
    UNDER "%2e%2e/%2e%2e/x",
    UNDER "%2E%2E/x",
    UNDER ".%2e/x",
    UNDER "%2e./x",
    UNDER "a%2fb",
    UNDER "a%2Fb",
    UNDER "a%5cb",
    UNDER "..%2f..%2fx",
    UNDER "%252e%252e/x",
    UNDER "a%252fb",
    UNDER "%25252e%25252e%25252fx",
    UNDER "a%25255cb",
    UNDER "%c0%ae%c0%ae/x",
    UNDER "a%c0%afb",
    UNDER "%c1%9c",
    UNDER "a\\b",
    UNDER "..\\..\\x",
    UNDER "a%00b",
    UNDER "a%0d%0aHost:b",
    UNDER "a%2500b",
    UNDER "a%7f",
    /* queries, fragments, control characters */
    UNDER "a?versionId=1",
    UNDER "a?X-Amz-Signature=hunter2",
    UNDER "?list-type=2",
    UNDER "a#b",
    UNDER "#",
    UNDER "a;b?c",
    UNDER "a\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    UNDER "a\nb",
    UNDER "a\rb",
    UNDER "a\tb",
    UNDER "a\x01",
    UNDER "a\x1b[31m",
    UNDER "a\x7f",
    "\r\n" UNDER "a",
    UNDER "a\xc2\x85",
    UNDER "a\xc2\x9b"
          "31m",
    /* looks like, is not */
    "s3://bucket/sn\xd0\xb0p/shards/a",
    "s3://buck\xd0\xb5t/snap/shards/a",
    "s3://bucket\xe3\x80\x82"
    "evil/snap/shards/a",
    "s3:\xef\xbc\x8f\xef\xbc\x8f"
    "bucket/snap/shards/a",
    "\xef\xbb\xbfs3://bucket/snap/shards/a",
    "s3\xef\xbc\x9a//bucket/snap/shards/a",
    "s3://bucket\xe2\x80\x8b/snap/shards/a",
    "s3://bucket /snap/shards/a",
    " s3://bucket/snap/shards/a",
};

static void test_data_urls(void **state) {
    (void)state;
    unsigned count = 0;
    for (size_t i = 0; i < sizeof hostile_urls / sizeof hostile_urls[0]; i++, count++) {
        refuse_data_url(hostile_urls[i], strlen(hostile_urls[i]));
    }
    static const size_t sizes[] = {8192, 65536, 1000000};
    for (size_t i = 0; i < 3; i++, count++) {
        char *text = malloc(sizes[i] + 1);
        memset(text, 'a', sizes[i]);
        memcpy(text, UNDER, sizeof UNDER - 1);
        text[sizes[i]] = '\0';
        size_t used = sizes[i];
        if (sizes[i] == 8192)
            text = realloc(text, used + 2), text[used++] = 'a', text[used] = '\0'; /* a byte too long */
        refuse_data_url(text, used);
        free(text);
    }
    print_message("%u hostile db_urls, %u requests elsewhere, slowest %.1f ms\n", count,
                  scripted_server_connections(elsewhere), slowest_ms);
}

/* What is behind the last /manifests/ of a ref is looked for under the opened prefix; the rest of it is never used. */
static void test_manifest_refs(void **state) {
    static const char *const tails[] = {
        "",
        "/",
        "//",
        "..",
        "../..",
        "../../x/manifest",
        "a/../../manifest",
        ".",
        "./manifest",
        "a/./manifest",
        "a//manifest",
        "%2e%2e/manifest",
        "%2e%2e%2f%2e%2e/manifest",
        "%252e%252e/manifest",
        "a%2fmanifest",
        "a%5c/manifest",
        "a\\..\\manifest",
        "a/manifest?versionId=1",
        "a/manifest#b",
        "a?b/manifest",
        "a\r\nHost: b/manifest",
        "a\tb/manifest",
        "a\x01/manifest",
        "a%00/manifest",
        "a%0d%0a/manifest",
        "%c0%ae%c0%ae/manifest",
        "a\x7f/manifest",
        "a\xc2\x9b/manifest",
    };
    static const char *const whole[] = {
        "",
        " ",
        "x",
        "/",
        "..",
        "manifest",
        "s3://bucket/snap/",
        "s3://bucket/snap/_CURRENT",
        "http://127.0.0.1:PORT/",
        "file:///etc/passwd",
        "s3://127.0.0.1:PORT/x/manifest",
        "s3://bucket/snap/manifests",
        "s3://bucket/snap/manifests/",
        "\r\n",
    };
    (void)state;
    unsigned count = 0;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0] + sizeof whole / sizeof whole[0]; i++, count++) {
        char text[256];
        size_t size, tail_count = sizeof tails / sizeof tails[0];
        (void)snprintf(text, sizeof text, "%s%s", i < tail_count ? PREFIX "/manifests/" : "",
                       i < tail_count ? tails[i] : whole[i - tail_count]);
        char *ref = with_port(text, strlen(text), &size), *current = current_naming(ref, size);
        const struct scripted_answer script[] = {
            {.status = 200, .headers = "ETag: \"1\"\r\n", .body = current}, {.status = 404}, {.status = 404}};
        expect_refused(ref, script, 1);
        free(current);
        free(ref);
    }
    print_message("%u hostile manifest_refs\n", count);
}

/* A NUL in it, or no UTF-8: `_CURRENT` itself is malformed. */
static void test_refs_that_are_no_texts(void **state) {
    static const char ref[] = PREFIX "/manifests/a\0b/manifest";
    (void)state;
    char *current = current_naming(ref, sizeof ref - 1);
    const struct scripted_answer script[] = {
        {.status = 200, .headers = "ETag: \"1\"\r\n", .body = current}, {.status = 404}, {.status = 404}};
    expect_refused("a NUL in manifest_ref", script, 1);
    free(current);
}

/* Refs of other hosts with a sound tail: the manifest is the one under the opened prefix, and nobody else is asked. */
static void test_refs_of_other_places(void **state) {
    static const char tail[] = "/manifests/2026-03-14T10:30:00.123456Z_run_id=0123/manifest";
    static const char *const heads[] = {
        "http://127.0.0.1:PORT",
        "https://127.0.0.1:PORT/bucket/snap",
        "s3://other/place",
        "s3://user:hunter2@127.0.0.1:PORT",
        "file:///etc",
        "",
        "gopher://127.0.0.1:PORT",
        "s3://bucket/snap/manifests/a/../..",
        "http://169.254.169.254/latest",
    };
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        char text[256];
        size_t size;
        (void)snprintf(text, sizeof text, "%s%s", heads[i], tail);
        char *ref = with_port(text, strlen(text), &size), *current = current_naming(ref, size);
        const struct scripted_answer script[] = {
            {.status = 200, .headers = "ETag: \"1\"\r\n", .body = current}, {.status = 404}, {.status = 404}};
        endpoint = scripted_server_start(script, 3);
        struct ended ended = open_once(PREFIX);
        assert_int_not_equal(ended.status, SHF_OK);
        assert_null(strstr(ended.message, "hunter2"));
        assert_int_equal(scripted_server_connections(elsewhere), 0);
        if (ended.status != SHF_E_MANIFEST) { /* taken: by its tail */
            assert_int_equal(scripted_server_requests(endpoint), 2);
            const char *asked = scripted_server_request(endpoint, 1);
            if (!strstr(asked, "/bucket/snap/manifests/")) fail_msg("%.100s: %s", ref, asked);
        }
        scripted_server_stop(endpoint);
        free(current);
        free(ref);
    }
    print_message("%zu manifest_refs of other places\n", sizeof heads / sizeof heads[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_urls),
        cmocka_unit_test(test_manifest_refs),
        cmocka_unit_test(test_refs_that_are_no_texts),
        cmocka_unit_test(test_refs_of_other_places),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
