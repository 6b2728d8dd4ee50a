/* Locations of the user, and the trust rules for URLs of data. */
#include "base/alloc.h"
#include "base/limits.h"
#include "snapshot/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct shf_location parse(const char *text) {
    struct shf_location location = {0};
    struct shf_error *error = NULL;
    if (shf_location_parse(text, &location, &error)) fail_msg("%s: %s", text, shf_error_message(error));
    return location;
}

/* ---- what the user types ---- */

static void test_user_locations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum shf_scheme scheme;
        const char *bucket, *prefix, *pointer, *url;
    } rows[] = {
        {"s3://bucket/prefix", SHF_SCHEME_S3, "bucket", "prefix", "_CURRENT", "s3://bucket/prefix"},
        {"s3://bucket/prefix/", SHF_SCHEME_S3, "bucket", "prefix", "_CURRENT", "s3://bucket/prefix"},
        {"s3://bucket/a/b/_CURRENT", SHF_SCHEME_S3, "bucket", "a/b", "_CURRENT", "s3://bucket/a/b"},
        {"s3://bucket/a/b/_STAGING", SHF_SCHEME_S3, "bucket", "a/b", "_STAGING", "s3://bucket/a/b"},
        {"s3://bucket/a/_b/c", SHF_SCHEME_S3, "bucket", "a/_b/c", "_CURRENT", "s3://bucket/a/_b/c"},
        {"s3://bucket/a/_b/", SHF_SCHEME_S3, "bucket", "a/_b", "_CURRENT", "s3://bucket/a/_b"},
        {"s3://bucket", SHF_SCHEME_S3, "bucket", "", "_CURRENT", "s3://bucket"},
        {"s3://bucket/", SHF_SCHEME_S3, "bucket", "", "_CURRENT", "s3://bucket"},
        {"s3://_bucket", SHF_SCHEME_S3, "_bucket", "", "_CURRENT", "s3://_bucket"},
        {"s3://bucket/_X", SHF_SCHEME_S3, "bucket", "", "_X", "s3://bucket"},
        {"S3://bucket/p", SHF_SCHEME_S3, "bucket", "p", "_CURRENT", "s3://bucket/p"},
        {"s3://My.Old_Bucket-1/p", SHF_SCHEME_S3, "My.Old_Bucket-1", "p", "_CURRENT", "s3://My.Old_Bucket-1/p"},
        {"s3://b/run_id=1/a:b+c@d,e f/Größe", SHF_SCHEME_S3, "b", "run_id=1/a:b+c@d,e f/Größe", "_CURRENT",
         "s3://b/run_id=1/a:b+c@d,e f/Größe"},
        {"s3://b/100%/50%25/%41%20", SHF_SCHEME_S3, "b", "100%/50%25/%41%20", "_CURRENT", "s3://b/100%/50%25/%41%20"},
        {"s3://b/v1..2/..a/a../.hidden", SHF_SCHEME_S3, "b", "v1..2/..a/a../.hidden", "_CURRENT",
         "s3://b/v1..2/..a/a../.hidden"},
        {"mem://bucket/p/_Y", SHF_SCHEME_MEM, "bucket", "p", "_Y", "mem://bucket/p"},
        {"file:///data/snap", SHF_SCHEME_FILE, NULL, "data/snap", "_CURRENT", "file:///data/snap"},
        {"FILE:///data/snap/", SHF_SCHEME_FILE, NULL, "data/snap", "_CURRENT", "file:///data/snap"},
        {"file://localhost/data/snap", SHF_SCHEME_FILE, NULL, "data/snap", "_CURRENT", "file:///data/snap"},
        {"file:///data/snap/_CURRENT", SHF_SCHEME_FILE, NULL, "data/snap", "_CURRENT", "file:///data/snap"},
        {"file:///a%20b/%2f/c?d#e\\f", SHF_SCHEME_FILE, NULL, "a%20b/%2f/c?d#e\\f", "_CURRENT",
         "file:///a%20b/%2f/c?d#e\\f"},
        {"/data/snap", SHF_SCHEME_FILE, NULL, "data/snap", "_CURRENT", "file:///data/snap"},
        {"//data//./snap///", SHF_SCHEME_FILE, NULL, "data/snap", "_CURRENT", "file:///data/snap"},
        {"/no such/link/../snap", SHF_SCHEME_FILE, NULL, "no such/snap", "_CURRENT", "file:///no such/snap"},
        {"/../data", SHF_SCHEME_FILE, NULL, "data", "_CURRENT", "file:///data"},
        {"/", SHF_SCHEME_FILE, NULL, "", "_CURRENT", "file:///"},
        {"/_P", SHF_SCHEME_FILE, NULL, "", "_P", "file:///"},
        {"/data/_snap/", SHF_SCHEME_FILE, NULL, "data/_snap", "_CURRENT", "file:///data/_snap"},
        {"/data/_snap/.", SHF_SCHEME_FILE, NULL, "data/_snap", "_CURRENT", "file:///data/_snap"},
        {"/d=1/a:b/c d/e+f/日本/q?x#y\\z", SHF_SCHEME_FILE, NULL, "d=1/a:b/c d/e+f/日本/q?x#y\\z", "_CURRENT",
         "file:///d=1/a:b/c d/e+f/日本/q?x#y\\z"},
        {"/data/s3://x", SHF_SCHEME_FILE, NULL, "data/s3:/x", "_CURRENT", "file:///data/s3:/x"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shf_location location = parse(rows[i].text);
        assert_int_equal(location.scheme, rows[i].scheme);
        if (rows[i].bucket) {
            assert_string_equal(location.bucket, rows[i].bucket);
        } else {
            assert_null(location.bucket);
        }
        assert_string_equal(location.prefix, rows[i].prefix);
        assert_string_equal(location.pointer_name, rows[i].pointer);
        assert_string_equal(location.url, rows[i].url);
        /* The canonical URL means the same place; the slash because its last segment may begin with "_". */
        char slashed[512];
        (void)snprintf(slashed, sizeof slashed, "%s/", location.url);
        struct shf_location again = parse(location.url[strlen(location.url) - 1] == '/' ? location.url : slashed);
        assert_string_equal(again.url, location.url);
        shf_location_free(&again);
        shf_location_free(&location);
        assert_null(location.prefix);
    }
}

static void test_relative_paths(void **state) {
    (void)state;
    char old[4096], real[4096];
    char directory[] = "/tmp/shf_location_XXXXXX";
    assert_non_null(getcwd(old, sizeof old));
    assert_non_null(mkdtemp(directory));
    assert_non_null(realpath(directory, real));
    assert_int_equal(chdir(directory), 0);
    static const struct {
        const char *text, *below; /* the expected prefix behind the directory, NULL = the directory's parent */
        const char *pointer;
    } rows[] = {
        {"snap", "/snap", "_CURRENT"},
        {"./snap/", "/snap", "_CURRENT"},
        {".", "", "_CURRENT"},
        {"_CURRENT", "", "_CURRENT"},
        {"./_OTHER", "", "_OTHER"},
        {"_dir/", "/_dir", "_CURRENT"},
        {"a=b:c d+e/ü", "/a=b:c d+e/ü", "_CURRENT"},
        {"./s3://bucket", "/s3:/bucket", "_CURRENT"},
        {"s3:/bucket", "/s3:/bucket", "_CURRENT"},
        {"file:x", "/file:x", "_CURRENT"},
        {"1s3://b", "/1s3:/b", "_CURRENT"},
        {"..", NULL, "_CURRENT"},
        {"../_Q", NULL, "_Q"},
        {"./.././.", NULL, "_CURRENT"},
        {"a/../b", "/b", "_CURRENT"},
        {"real/sub/../x", "/real/x", "_CURRENT"},
        {"link/../x", "/real/x", "_CURRENT"}, /* link -> real/sub */
        {"link/x", "/link/x", "_CURRENT"},
        {"link/../../_P", "", "_P"},
        {"link/../..", "", "_CURRENT"},
        {"./real//./../link/.././_Q", "/real", "_Q"},
    };
    assert_int_equal(mkdir("real", 0700) | mkdir("real/sub", 0700) | symlink("real/sub", "link"), 0);
    char *parent = strdup(real);
    *strrchr(parent, '/') = '\0';
    for (size_t i = 0; i < COUNT(rows); i++) {
        char expected[8192];
        (void)snprintf(expected, sizeof expected, "%s%s", rows[i].below ? real : parent,
                       rows[i].below ? rows[i].below : "");
        struct shf_location location = parse(rows[i].text);
        assert_string_equal(location.prefix, expected + 1);
        assert_string_equal(location.pointer_name, rows[i].pointer);
        shf_location_free(&location);
    }
    /* More ".." than there are directories end in the root. */
    char up[1024] = "";
    for (int i = 0; i < 100; i++) strcat(up, "../");
    strcat(up, "etc");
    struct shf_location location = parse(up);
    assert_string_equal(location.prefix, "etc");
    shf_location_free(&location);
    free(parent);

    /* A link that leads to where no URL can. */
    struct shf_error *error = NULL;
    assert_int_equal(mkdir("odd\n", 0700) | mkdir("odd\n/sub", 0700) | symlink("odd\n/sub", "odd"), 0);
    assert_int_equal(shf_location_parse("odd/../x", &location, &error), SHF_E_INVALID);
    assert_non_null(strstr(shf_error_message(error), "leads to a path that has a control character"));
    shf_error_free(error);
    assert_int_equal(unlink("odd") | rmdir("odd\n/sub") | rmdir("odd\n"), 0);

    /* A working directory that is gone: an absolute path works still. */
    assert_int_equal(unlink("link") | rmdir("real/sub") | rmdir("real") | rmdir(directory), 0);
    error = NULL;
    struct shf_location untouched = {.prefix = old};
    assert_int_equal(shf_location_parse("snap", &untouched, &error), SHF_E_INVALID);
    assert_ptr_equal(untouched.prefix, old);
    assert_non_null(strstr(shf_error_message(error), "absolute"));
    shf_error_free(error);
    location = parse("/data");
    shf_location_free(&location);
    assert_int_equal(chdir(old), 0);
}

static void test_user_refusals(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "empty"},
        {"s3://", "no bucket"},
        {"s3:///key", "no bucket"},
        {"s3://bu cket/x", "bucket name"},
        {"s3://bücket/x", "bucket name"},
        {"s3://bucket:9000/x", "bucket name"},
        {"s3://../x", "like a directory"},
        {"s3://./x", "like a directory"},
        {"s3://bucket/a//b", "empty segment"},
        {"s3://bucket//", "empty segment"},
        {"s3://bucket/a//", "empty segment"},
        {"s3://bucket/../other", "dots"},
        {"s3://bucket/a/./b", "dots"},
        {"s3://bucket/a/..", "dots"},
        {"s3://bucket/a\\b", "backslash"},
        {"s3://bucket/a?versionId=1", "query"},
        {"s3://bucket/a#b", "fragment"},
        {"s3://bucket/a%2Fb", "encoded"},
        {"s3://bucket/%2e%2e/b", "encoded"},
        {"s3://bucket/a\nb", "control"},
        {"s3://bucket/a\xff", "UTF-8"},
        {"/data/a\tb", "control"},
        {"/data/a\xc2\x9b"
         "31m",
         "control"},
        {"/data/\xe9t\xe9", "UTF-8"},
        {"file://", "no path"},
        {"file://localhost", "no path"},
        {"file://host/path", "names a host"},
        {"file://localhost.evil/path", "names a host"},
        {"file://data/snap", "names a host"},
        {"http://bucket.s3.amazonaws.com/x", "scheme"},
        {"https://host/x", "scheme"},
        {"gs://bucket/x", "scheme"},
        {"s3a://bucket/x", "scheme"},
        {"weird+x.y-z://b", "scheme"},
        {"mem://", "no bucket"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shf_location location = {0};
        struct shf_error *error = NULL;
        assert_int_equal(shf_location_parse(rows[i].text, &location, &error), SHF_E_INVALID);
        if (!strstr(shf_error_message(error), rows[i].says)) {
            fail_msg("%s: %s", rows[i].text, shf_error_message(error));
        }
        assert_null(location.prefix);
        shf_error_free(error);
    }
    assert_int_equal(shf_location_parse(NULL, &(struct shf_location){0}, NULL), SHF_E_INVALID);

    char *text = malloc(SHF_LIMIT_URL_BYTES + 2);
    memset(text, 'a', SHF_LIMIT_URL_BYTES + 1);
    memcpy(text, "s3://b/", 7);
    text[SHF_LIMIT_URL_BYTES + 1] = '\0';
    struct shf_location location = {0};
    struct shf_error *error = NULL;
    assert_int_equal(shf_location_parse(text, &location, &error), SHF_E_INVALID);
    assert_true(strlen(shf_error_message(error)) < 512);
    shf_error_free(error);
    text[SHF_LIMIT_URL_BYTES] = '\0';
    location = parse(text);
    assert_string_equal(location.url, text);
    shf_location_free(&location);
    memset(text + 5, 'b', 256);
    text[5 + 256] = '\0';
    assert_int_equal(shf_location_parse(text, &location, NULL), SHF_E_INVALID);
    text[5 + 255] = '\0';
    location = parse(text);
    shf_location_free(&location);
    free(text);
}

/* With the key of the pointer the text is the prefix, and the key is a path below it. */
static void test_pointer_keys(void **state) {
    (void)state;
    static const struct {
        const char *text, *key, *prefix;
    } rows[] = {
        {"s3://bucket/a/b", "_CURRENT", "a/b"},        {"s3://bucket/a/_b", "_CURRENT", "a/_b"},
        {"s3://bucket/a/_b/", "pointer.json", "a/_b"}, {"s3://bucket", "x", ""},
        {"mem://bucket/_X", "a b/c=d/_E", "_X"},       {"/data/_snap", "..x/y", "data/_snap"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shf_location location = {0};
        assert_int_equal(shf_location_parse_prefix(rows[i].text, rows[i].key, &location, NULL), SHF_OK);
        assert_string_equal(location.pointer_name, rows[i].key);
        assert_string_equal(location.prefix, rows[i].prefix);
        shf_location_free(&location);
    }
    static const char *const refused[] = {"",    "/",           "//",   "/_CURRENT", "_CURRENT/", "a//b",
                                          "..",  "../_CURRENT", "a/.",  "a\\b",      "a%2fb",     "%2e%2e/b",
                                          "a?b", "a#b",         "a\nb", "\xff"};
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct shf_location location = {0};
        struct shf_error *error = NULL;
        assert_int_equal(shf_location_parse_prefix("s3://bucket/p", refused[i], &location, &error), SHF_E_INVALID);
        assert_non_null(strstr(shf_error_message(error), "current_pointer_key"));
        assert_null(location.prefix);
        shf_error_free(error);
    }
}

static void test_no_secret_in_messages(void **state) {
    (void)state;
    static const char *const texts[] = {
        "s3://AKIAKEY:hunter2@bucket/prefix",
        "https://user:hunter2@host:9000/bucket/prefix",
        "s3://a@hunter2@b/c",
        "https://bucket.example/prefix?X-Amz-Signature=hunter2",
        "s3://bucket/prefix?X-Amz-Signature=hunter2&b=c",
        "averyveryverylongscheme://user:hunter2@host/x",
    };
    struct shf_location opened = parse("s3://fixtures/peer");
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct shf_error *error = NULL;
        struct shf_location location = {0};
        char *key = NULL;
        int index;
        assert_int_equal(shf_location_parse(texts[i], &location, &error), SHF_E_INVALID);
        assert_null(strstr(shf_error_message(error), "hunter2"));
        shf_error_free(error);
        error = NULL;
        assert_int_equal(shf_location_resolve_data(&opened, NULL, texts[i], NULL, 0, &key, &index, &error),
                         SHF_E_MANIFEST);
        assert_null(strstr(shf_error_message(error), "hunter2"));
        shf_error_free(error);
    }
    shf_location_free(&opened);
}

static void test_keys_and_urls(void **state) {
    (void)state;
    static const struct {
        const char *opened, *tail, *key, *url;
    } rows[] = {
        {"s3://b/p", "_CURRENT", "p/_CURRENT", "s3://b/p/_CURRENT"},
        {"s3://b/p/q", "manifests/", "p/q/manifests/", "s3://b/p/q/manifests/"},
        {"s3://b", "_CURRENT", "_CURRENT", "s3://b/_CURRENT"},
        {"s3://b/p", "", "p", "s3://b/p"},
        {"/data/x y", "_CURRENT", "data/x y/_CURRENT", "file:///data/x y/_CURRENT"},
        {"/", "_CURRENT", "_CURRENT", "file:///_CURRENT"},
        {"/", "", "", "file:///"},
        {"mem://m/p", "a", "p/a", "mem://m/p/a"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shf_location location = parse(rows[i].opened);
        char *key = shf_location_key(&location, rows[i].tail);
        char *url = shf_location_url(&location, rows[i].tail);
        assert_string_equal(key, rows[i].key);
        assert_string_equal(url, rows[i].url);
        shf_free(url);
        shf_free(key);
        shf_location_free(&location);
    }
}

/* ---- what data names ---- */

/* s3_prefix = where it was written; opened and allowed = what the user said; key NULL = refused, `says` why.
 */
struct data_row {
    const char *opened, *s3_prefix, *url, *key;
    int index;
};

static void test_data_urls(void **state) {
    (void)state;
    static const struct data_row rows[] = {
        /* opened where it was written */
        {"s3://b/p", "s3://b/p", "s3://b/p/shards/run_id=1/db=00000/attempt=00",
         "p/shards/run_id=1/db=00000/attempt=00", -1},
        {"s3://b/p", "s3://b/p/", "s3://b/p/shards/x", "p/shards/x", -1},
        {"s3://b/p", "s3://b/p///", "s3://b/p/shards/x", "p/shards/x", -1},
        {"s3://b/p", NULL, "s3://b/p/shards/x", "p/shards/x", -1},
        {"s3://b/p", "", "s3://b/p/shards/x", "p/shards/x", -1},
        {"s3://b/p", "s3:", "s3://b/p/shards/x", "p/shards/x", -1},
        {"s3://b/p", "s3://", "s3://b/p/shards/x", "p/shards/x", -1},
        {"s3://b/p", "nonsense", "s3://b/p/shards/x", "p/shards/x", -1},
        {"s3://b/p", "s3://b/p", "s3://b/p/shards/x/", "p/shards/x", -1},
        {"s3://b", "s3://b", "s3://b/shards/x", "shards/x", -1},
        {"s3://b/p", "s3://b/p", "s3://b/p/run=a b+c:d@e,f/Größe/100%/50%25x/%41%2525%zz%4",
         "p/run=a b+c:d@e,f/Größe/100%/50%25x/%41%2525%zz%4", -1},
        {"s3://b/p", "s3://b/p", "s3://b/p/v1.2./..a/a../.x", "p/v1.2./..a/a../.x", -1},
        /* copied to another place */
        {"s3://copy/q", "s3://b/p", "s3://b/p/shards/x", "q/shards/x", -1},
        {"s3://copy", "s3://b/p", "s3://b/p/shards/x", "shards/x", -1},
        {"file:///data/copy", "s3://b/p", "s3://b/p/shards/x", "data/copy/shards/x", -1},
        {"s3://b/p", "file:///data/local", "file:///data/local/shards/x", "p/shards/x", -1},
        {"/data/wei?rd#p%2fath\\x", "s3://b/p", "s3://b/p/shards/x", "data/wei?rd#p%2fath\\x/shards/x", -1},
        /* the opened prefix may be any path that the user gave; only what is below it is news */
        {"/data/wei?rd#p%2fath\\x", NULL, "file:///data/wei?rd#p%2fath\\x/shards/x", "data/wei?rd#p%2fath\\x/shards/x",
         -1},
        {"/no such/link/../y", NULL, "file:///no such/y/shards/x", "no such/y/shards/x", -1},
        {"/no such/link/../y", NULL, "file:///no such/link/../y/shards/x", NULL, 0},
        {"/", NULL, "file:///shards/x", "shards/x", -1},
        /* one prefix inside the other: rebased all the same */
        {"s3://b/p/copy", "s3://b/p", "s3://b/p/shards/x", "p/copy/shards/x", -1},
        {"s3://b/p/copy", "s3://b/p", "s3://b/p/copy/shards/x", "p/copy/copy/shards/x", -1},
        {"s3://b/p", "s3://b/p/copy", "s3://b/p/copy/shards/x", "p/shards/x", -1},
        {"s3://b/p", "s3://b/p/copy", "s3://b/p/shards/x", "p/shards/x", -1},
        /* whole segments */
        {"s3://copy/q", "s3://b/p", "s3://b/pp/shards/x", NULL, 0},
        {"s3://b/p", "s3://b/p", "s3://b/pp/shards/x", NULL, 0},
        {"s3://b/p", "s3://b/p", "s3://b/p-evil/shards/x", NULL, 0},
        {"s3://b", "s3://b", "s3://bb/shards/x", NULL, 0},
        /* not below */
        {"s3://b/p", "s3://b/p", "s3://b/p", NULL, 0},
        {"s3://b/p", "s3://b/p", "s3://b/p/", NULL, 0},
        {"s3://b/p", "s3://b/p", "s3://b/", NULL, 0},
        {"s3://b/p", "s3://b/p", "s3://b/P/shards/x", NULL, 0},
        {"s3://b/p", "s3://b/p", "S3://b/p/shards/x", NULL, 0},
        /* a prefix that is no proper URL rebases nothing */
        {"s3://copy/q", "s3://b/../p", "s3://b/../p/shards/x", NULL, 0},
        {"s3://copy/q", "s3://b//p", "s3://b//p/shards/x", NULL, 0},
        {"s3://copy/q", "http://b/p", "http://b/p/shards/x", NULL, 0},
        {"s3://copy/q", "", "/shards/x", NULL, 0},
        {"s3://copy/q", "s3:", "s3://evil/shards/x", NULL, 0},
        {"s3://copy/q", "s3://u@b/p", "s3://u@b/p/shards/x", NULL, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct data_row *row = &rows[i];
        struct shf_location opened = parse(row->opened);
        struct shf_error *error = NULL;
        char *key = NULL;
        int index = 77;
        shf_status status = shf_location_resolve_data(&opened, row->s3_prefix, row->url, NULL, 0, &key, &index, &error);
        if (row->key) {
            if (status) fail_msg("%s: %s", row->url, shf_error_message(error));
            assert_string_equal(key, row->key);
            assert_int_equal(index, row->index);
        } else {
            if (!status) fail_msg("%s was taken as %s", row->url, key);
            assert_int_equal(status, SHF_E_MANIFEST);
            assert_null(key);
            assert_int_equal(index, 77);
        }
        shf_free(key);
        shf_error_free(error);
        shf_location_free(&opened);
    }
}

static void test_allowed_prefixes(void **state) {
    (void)state;
    struct shf_location opened = parse("s3://b/p");
    struct shf_location allowed[] = {parse("s3://other/q"), parse("s3://whole"), parse("file:///srv/shards")};
    static const struct data_row rows[] = {
        {NULL, "s3://b/p", "s3://b/p/x", "p/x", -1},
        {NULL, "s3://b/p", "s3://other/q/x", "q/x", 0},
        {NULL, "s3://b/p", "s3://whole/any/x", "any/x", 1},
        {NULL, "s3://b/p", "file:///srv/shards/x", "srv/shards/x", 2},
        {NULL, "s3://b/p", "s3://other/x", NULL, 0},
        {NULL, "s3://b/p", "s3://other/q", NULL, 0},
        {NULL, "s3://b/p", "s3://other/q/../x", NULL, 0},
        {NULL, "s3://b/p", "s3://whole/a%2f..", NULL, 0},
        {NULL, "s3://b/p", "file:///srv/shards2/x", NULL, 0},
        {NULL, "s3://b/p", "file:///etc/passwd", NULL, 0},
        /* a snapshot written at an allowed place, opened as a copy, is read from the copy */
        {NULL, "s3://other/q", "s3://other/q/x", "p/x", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *key = NULL;
        int index = 77;
        shf_status status = shf_location_resolve_data(&opened, rows[i].s3_prefix, rows[i].url, allowed, COUNT(allowed),
                                                      &key, &index, NULL);
        assert_int_equal(status, rows[i].key ? SHF_OK : SHF_E_MANIFEST);
        if (rows[i].key) {
            assert_string_equal(key, rows[i].key);
            assert_int_equal(index, rows[i].index);
        }
        shf_free(key);
    }
    for (size_t i = 0; i < COUNT(allowed); i++) shf_location_free(&allowed[i]);
    shf_location_free(&opened);
}

/* URLs that no manifest of an honest writer has. Refused as db_url and as manifest_ref, whatever is opened.
 */
static const struct {
    const char *url, *says; /* says: in the message for a db_url of a snapshot that lies at s3://fixtures/peer */
} hostile[] = {
    /* other buckets, hosts and directories */
    {"s3://other/peer/manifests/x/manifest", "neither below"},
    {"s3://fixture/peer/manifests/x/manifest", "neither below"},
    {"s3://fixturess/peer/manifests/x/manifest", "neither below"},
    {"s3://FIXTURES/peer/manifests/x/manifest", "neither below"},
    {"s3://fixtures/peer2/manifests/x/manifest", "neither below"},
    {"s3://fixtures/pee/manifests/x/manifest", "neither below"},
    {"s3://fixtures/manifests/x/manifest", "neither below"},
    {"s3://fixtures./peer/manifests/x/manifest", "neither below"},
    {"s3://169.254.169.254/peer/manifests/x/manifest", "neither below"},
    {"s3://metadata.google.internal/peer/manifests/x/manifest", "neither below"},
    {"file:///etc/manifests/x/manifest", "neither below"},
    {"file:///fixtures/peer/manifests/x/manifest", "neither below"},
    {"mem://fixtures/peer/manifests/x/manifest", "neither below"},
    /* dots */
    {"s3://fixtures/peer/../other/manifests/x/manifest", "dots"},
    {"s3://fixtures/peer/manifests/../../other", "dots"},
    {"s3://fixtures/peer/./manifests/x/manifest", "dots"},
    {"s3://fixtures/peer/manifests/x/..", "dots"},
    {"s3://fixtures/peer/manifests/x/.", "dots"},
    {"s3://fixtures/peer/manifests/x/../", "dots"},
    {"s3://fixtures/peer/manifests/.../x", "dots"},
    {"s3://fixtures/../peer/manifests/x/manifest", "dots"},
    {"s3://../fixtures/peer/manifests/x/manifest", "like a directory"},
    {"s3://./peer/manifests/x/manifest", "like a directory"},
    {"file:///../etc/manifests/x/manifest", "dots"},
    /* encoded */
    {"s3://fixtures/peer/%2e%2e/manifests/x/manifest", "encoded"},
    {"s3://fixtures/peer/manifests/%2E%2E/x", "encoded"},
    {"s3://fixtures/peer/manifests/.%2e/x", "encoded"},
    {"s3://fixtures/peer/manifests/..%2fx", "encoded"},
    {"s3://fixtures/peer/manifests/a%2Fb/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%5cb/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%5Cb/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%00/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%0d%0aHost:evil/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%1b/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%7F/x", "encoded"},
    {"s3://fixtures/peer/manifests/%252e%252e/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%25252fb/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%%32fb/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%%2532%66b/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%2525252525/x", "encoded"},
    {"s3://fixtures/peer/manifests/%c0%ae%c0%ae/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%C0%AFb/x", "encoded"},
    {"s3://fixtures/peer/manifests/a%c1%9cb/x", "encoded"},
    /* separators */
    {"s3://fixtures/peer//manifests/x/manifest", "empty segment"},
    {"s3://fixtures//peer/manifests/x/manifest", "empty segment"},
    {"s3://fixtures/peer/manifests//x", "empty segment"},
    {"s3://fixtures/peer/manifests/x//", "empty segment"},
    {"s3://fixtures/peer\\..\\manifests/x/manifest", "backslash"},
    {"s3://fixtures/peer/manifests/..\\x", "backslash"},
    {"s3:\\\\fixtures\\peer\\manifests\\x", "does not begin"},
    /* userinfo, ports, queries, fragments */
    {"s3://user@fixtures/peer/manifests/x/manifest", "credentials"},
    {"s3://user:secret@fixtures/peer/manifests/x/manifest", "credentials"},
    {"s3://fixtures@evil/peer/manifests/x/manifest", "credentials"},
    {"s3://fixtures:9000/peer/manifests/x/manifest", "bucket name"},
    {"s3://[::1]/peer/manifests/x/manifest", "bucket name"},
    {"s3://fix tures/peer/manifests/x/manifest", "bucket name"},
    {"s3://fixtures%2epeer/manifests/x/manifest", "bucket name"},
    {"s3://fixtures/peer/manifests/x?versionId=1", "query"},
    {"s3://fixtures/peer/manifests/x?", "query"},
    {"s3://fixtures?x=/peer/manifests/x/manifest", "bucket name"},
    {"s3://fixtures/peer/manifests/x#y", "fragment"},
    {"s3://fixtures#/peer/manifests/x/manifest", "bucket name"},
    /* control characters, and what is no text */
    {"s3://fixtures/peer/manifests/x\r\nHost: evil", "control"},
    {"s3://fixtures/peer/manifests/x\n", "control"},
    {"s3://fixtures/peer/manifests/\tx", "control"},
    {"s3://fixtures/peer/manifests/\x1b[31mx", "control"},
    {"s3://fixtures/peer/manifests/x\x7f", "control"},
    {"s3://fixtures/peer/manifests/\xc2\x9b"
     "31mx",
     "control"},
    {"\ns3://fixtures/peer/manifests/x/manifest", "control"},
    {"s3://fixtures/peer/manifests/\xff\xfe", "UTF-8"},
    {"s3://fixtures/peer/manifests/\xc0\xae\xc0\xae/x", "UTF-8"},
    {"s3://fixtures/peer/manifests/\xc0\xaf", "UTF-8"},
    {"s3://fixtures/peer/manifests/\xed\xa0\x80", "UTF-8"},
    /* other schemes, or none */
    {"http://fixtures/peer/manifests/x/manifest", "does not begin"},
    {"https://fixtures/peer/manifests/x/manifest", "does not begin"},
    {"http://169.254.169.254/latest/meta-data/manifests/x", "does not begin"},
    {"http://[fe80::1]/manifests/x", "does not begin"},
    {"ftp://fixtures/peer/manifests/x/manifest", "does not begin"},
    {"gs://fixtures/peer/manifests/x/manifest", "does not begin"},
    {"S3://fixtures/peer/manifests/x/manifest", "does not begin"},
    {"s3:/fixtures/peer/manifests/x/manifest", "does not begin"},
    {"s3:fixtures/peer/manifests/x/manifest", "does not begin"},
    {"s3//fixtures/peer/manifests/x/manifest", "does not begin"},
    {" s3://fixtures/peer/manifests/x/manifest", "does not begin"},
    {"//fixtures/peer/manifests/x/manifest", "does not begin"},
    {"/etc/manifests/x", "does not begin"},
    {"peer/manifests/x/manifest", "does not begin"},
    {"manifests/x/manifest", "does not begin"},
    {"javascript:alert(1)/manifests/x", "does not begin"},
    {"data:,/manifests/x", "does not begin"},
    {"s3:///peer/manifests/x/manifest", "no bucket"},
    {"s3://", "does not begin"},
    {"s3:", "does not begin"},
    {"file://host/peer/manifests/x/manifest", "names a host"},
    {"file://localhost/etc/manifests/x/manifest", "names a host"},
    {"file://169.254.169.254/manifests/x", "names a host"},
    {"file:/etc/manifests/x", "does not begin"},
    {"", "empty"},
};

static void test_hostile_data_urls(void **state) {
    (void)state;
    assert_true(COUNT(hostile) >= 60);
    struct shf_location opened = parse("s3://fixtures/peer");
    struct shf_location local = parse("/srv/copy");
    struct shf_location allowed = parse("s3://allowed/prefix");
    for (size_t i = 0; i < COUNT(hostile); i++) {
        const struct shf_location *places[] = {&opened, &local};
        for (size_t place = 0; place < COUNT(places); place++) {
            struct shf_error *error = NULL;
            char *key = NULL;
            int index = 77;
            shf_status status = shf_location_resolve_data(places[place], "s3://fixtures/peer", hostile[i].url, &allowed,
                                                          1, &key, &index, &error);
            if (status != SHF_E_MANIFEST) fail_msg("%s: status %d, key %s", hostile[i].url, status, key);
            const char *message = shf_error_message(error);
            if (!strstr(message, hostile[i].says)) fail_msg("%s: %s", hostile[i].url, message);
            assert_null(strstr(message, "secret"));
            for (const char *p = message; *p; p++) assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
            assert_null(key);
            assert_int_equal(index, 77);
            shf_error_free(error);
        }
    }
    /* Very long, and cut off where it would fit. */
    for (size_t size = SHF_LIMIT_URL_BYTES - 1; size < SHF_LIMIT_URL_BYTES + 3; size++) {
        char *url = malloc(size + 1);
        memset(url, 'a', size);
        memcpy(url, "s3://fixtures/peer/manifests/", 29);
        url[size] = '\0';
        char *key = NULL;
        int index;
        shf_status status = shf_location_resolve_data(&opened, NULL, url, NULL, 0, &key, &index, NULL);
        assert_int_equal(status, size <= SHF_LIMIT_URL_BYTES ? SHF_OK : SHF_E_MANIFEST);
        shf_free(key);
        key = NULL;
        status = shf_location_resolve_ref(&opened, url, &key, NULL);
        assert_int_equal(status, size <= SHF_LIMIT_URL_BYTES ? SHF_OK : SHF_E_MANIFEST);
        shf_free(key);
        free(url);
    }
    shf_location_free(&opened);
    shf_location_free(&local);
    shf_location_free(&allowed);
}

static void test_manifest_refs(void **state) {
    (void)state;
    static const struct {
        const char *opened, *ref, *key;
    } rows[] = {
        {"s3://b/p", "s3://b/p/manifests/T_run_id=1/manifest", "p/manifests/T_run_id=1/manifest"},
        {"s3://b", "s3://b/manifests/T/manifest", "manifests/T/manifest"},
        {"s3://copy/q", "s3://b/p/manifests/T/manifest", "q/manifests/T/manifest"},
        {"/srv/copy", "s3://b/p/manifests/T/manifest", "srv/copy/manifests/T/manifest"},
        {"s3://b/p", "file:///data/manifests/T/manifest", "p/manifests/T/manifest"},
        {"s3://b/p", "s3://b/manifests/p/manifests/T/manifest", "p/manifests/T/manifest"},
        {"s3://b/p", "s3://b/p/manifests/2026-11-22T07:32:31.028107Z_run_id=a b+ü/manifest",
         "p/manifests/2026-11-22T07:32:31.028107Z_run_id=a b+ü/manifest"},
        {"/wei?rd#%2f\\x", "file:///wei?rd#%2f\\x/manifests/T/manifest", "wei?rd#%2f\\x/manifests/T/manifest"},
        {"s3://b/p", "s3://b/p/manifests/a/b/c", "p/manifests/a/b/c"},
        {"s3://b/p", "s3://b/p/manifest/T/manifest", NULL},
        {"s3://b/p", "s3://b/p/manifests/", NULL},
        {"s3://b/p", "s3://b/p/manifests", NULL},
        {"s3://b/p", "s3://b/p/manifests/T/manifests/", NULL},
        {"s3://b/p", "s3://b/p/xmanifests/T", NULL},
        {"s3://b/p", "s3://manifests/T", NULL},
        {"s3://b/p", "s3://b/", NULL},
        {"s3://b/p", "s3://b", NULL},
        {"s3://b/p", "s3://x/../b/manifests/T", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shf_location opened = parse(rows[i].opened);
        char *key = NULL;
        struct shf_error *error = NULL;
        shf_status status = shf_location_resolve_ref(&opened, rows[i].ref, &key, &error);
        if (rows[i].key) {
            if (status) fail_msg("%s: %s", rows[i].ref, shf_error_message(error));
            assert_string_equal(key, rows[i].key);
            char *url = shf_location_key_url(&opened, key);
            char *again = NULL;
            assert_int_equal(shf_location_resolve_ref(&opened, url, &again, NULL), SHF_OK);
            assert_string_equal(again, key); /* what we hand out can be handed in */
            shf_free(again);
            shf_free(url);
        } else {
            if (!status) fail_msg("%s was taken as %s", rows[i].ref, key);
            assert_int_equal(status, SHF_E_MANIFEST);
        }
        shf_free(key);
        shf_error_free(error);
        shf_location_free(&opened);
    }
}

static void test_hostile_manifest_refs(void **state) {
    (void)state;
    struct shf_location opened = parse("s3://fixtures/peer");
    for (size_t i = 0; i < COUNT(hostile); i++) {
        struct shf_error *error = NULL;
        char *key = NULL;
        shf_status status = shf_location_resolve_ref(&opened, hostile[i].url, &key, &error);
        if (strstr(hostile[i].says, "neither below")) {
            /* Only the tail of a ref is used, so one that names another place leads below the opened prefix.
             */
            assert_int_equal(status, SHF_OK);
            assert_true(strcmp(key, "peer/manifests/x/manifest") == 0);
        } else {
            if (status != SHF_E_MANIFEST) fail_msg("%s: status %d, key %s", hostile[i].url, status, key);
        }
        shf_free(key);
        shf_error_free(error);
    }
    shf_location_free(&opened);
}

static void test_pins(void **state) {
    (void)state;
    static const struct {
        const char *ref, *key;
    } rows[] = {
        {"s3://fixtures/peer/manifests/T/manifest", "peer/manifests/T/manifest"},
        {"s3://elsewhere/manifests/T/manifest", "peer/manifests/T/manifest"},
        {"/srv/copy/manifests/T/manifest", "peer/manifests/T/manifest"},
        {"manifests/T/manifest", "peer/manifests/T/manifest"},
        {"T/manifest", "peer/manifests/T/manifest"},
        {"T", "peer/manifests/T/manifest"},
        {"manifests/T", "peer/manifests/T/manifest"},
        {"2026-11-22T07:32:31.028107Z_run_id=1", "peer/manifests/2026-11-22T07:32:31.028107Z_run_id=1/manifest"},
        {"", NULL},
        {"manifests/", NULL},
        {"..", NULL},
        {"../x", NULL},
        {"manifests/../x", NULL},
        {"/T", NULL},
        {"T/", NULL},
        {"s3://fixtures/peer/shards/x", NULL},
        {"s3://fixtures/peer/manifests/a%2fb", NULL},
        {"T\n", NULL},
    };
    struct shf_location opened = parse("s3://fixtures/peer");
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *key = NULL;
        struct shf_error *error = NULL;
        shf_status status = shf_location_resolve_pin(&opened, rows[i].ref, &key, &error);
        if (rows[i].key) {
            if (status) fail_msg("%s: %s", rows[i].ref, shf_error_message(error));
            assert_string_equal(key, rows[i].key);
        } else {
            if (!status) fail_msg("%s was taken as %s", rows[i].ref, key);
            assert_int_equal(status, SHF_E_INVALID);
        }
        shf_free(key);
        shf_error_free(error);
    }
    shf_location_free(&opened);
}

/* ---- memory ---- */

static size_t allocations_left;
static void *count_down(size_t size) {
    if (allocations_left == 0) return NULL;
    allocations_left--;
    return malloc(size);
}
static void *count_down_again(void *old, size_t size) {
    if (allocations_left == 0) return NULL;
    allocations_left--;
    return realloc(old, size);
}
static const struct shf_alloc_seam failing = {count_down, count_down_again, NULL};

static void test_every_allocation_may_fail(void **state) {
    (void)state;
    static const char *const texts[] = {"s3://bucket/a/b/_X", "relative/path", "file:///x"};
    bool failed_once = false;
    for (size_t i = 0; i < COUNT(texts); i++) {
        for (size_t allowed = 0;; allowed++) {
            assert_true(allowed < 100);
            struct shf_location location = {0};
            struct shf_error *error = NULL;
            char *key = NULL, *ref_key = NULL, *pin_key = NULL;
            int index;
            allocations_left = allowed;
            shf_alloc_set_seam(&failing);
            shf_status status = shf_location_parse(texts[i], &location, &error);
            if (!status) {
                status = shf_location_resolve_data(&location, "s3://b/p", "s3://b/p/x", NULL, 0, &key, &index, &error);
            }
            if (!status) status = shf_location_resolve_ref(&location, "s3://b/p/manifests/x", &ref_key, &error);
            if (!status) status = shf_location_resolve_pin(&location, "x", &pin_key, &error);
            shf_alloc_set_seam(NULL);
            shf_free(key);
            shf_free(ref_key);
            shf_free(pin_key);
            shf_location_free(&location);
            shf_error_free(error);
            if (!status) break;
            assert_int_equal(status, SHF_E_NO_MEMORY);
            failed_once = true;
        }
    }
    assert_true(failed_once);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user_locations),
        cmocka_unit_test(test_relative_paths),
        cmocka_unit_test(test_user_refusals),
        cmocka_unit_test(test_pointer_keys),
        cmocka_unit_test(test_no_secret_in_messages),
        cmocka_unit_test(test_keys_and_urls),
        cmocka_unit_test(test_data_urls),
        cmocka_unit_test(test_allowed_prefixes),
        cmocka_unit_test(test_hostile_data_urls),
        cmocka_unit_test(test_manifest_refs),
        cmocka_unit_test(test_hostile_manifest_refs),
        cmocka_unit_test(test_pins),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
