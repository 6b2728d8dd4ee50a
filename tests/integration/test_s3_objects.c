/* What custom.shf_objects of a manifest tells of the shards: each download is compared with it, over a real S3 server. */
#include "integration/s3_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN "run_id=d597585d196845f8875aba3ba5395387"
#define MANIFEST "manifests/2026-11-22T07:29:27.503984Z_" RUN "/manifest"
#define SHARD "shards/" RUN "/db=%05d/attempt=00/shard.db"

static void *read_all(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    void *data = malloc(*size);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *size, file), *size);
    (void)fclose(file);
    return data;
}

/* `"PATH": "SIZE SHA256"` of a shard; `wrong_size` is added to its size, `wrong_byte` turns a bit of its digest. */
static void add_object(char *json, size_t room, int shard, size_t wrong_size, unsigned char wrong_byte) {
    char key[256], path[512];
    unsigned char sha256[32];
    size_t size, used = strlen(json);
    (void)snprintf(key, sizeof key, SHARD, shard);
    (void)snprintf(path, sizeof path, "%s/%s", S3_SAMPLE, key);
    void *data = read_all(path, &size);
    assert_int_equal(EVP_Digest(data, size, sha256, NULL, EVP_sha256(), NULL), 1);
    free(data);
    sha256[31] ^= wrong_byte;
    used += (size_t)snprintf(json + used, room - used, "%s\"%s\": \"%zu ", used ? ", " : "", key, size + wrong_size);
    for (size_t i = 0; i < sizeof sha256; i++) used += (size_t)snprintf(json + used, room - used, "%02x", sha256[i]);
    (void)snprintf(json + used, room - used, "\"");
}

/* Puts the sample's manifest with such entries. */
static void publish(const char *objects) {
    char sql[2048];
    size_t size;
    sqlite3_int64 new_size;
    sqlite3 *db = NULL;
    void *data = read_all(S3_SAMPLE "/" MANIFEST, &size);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    unsigned char *copy = sqlite3_malloc64(size);
    memcpy(copy, data, size);
    assert_int_equal(sqlite3_deserialize(db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
                                         SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE),
                     SQLITE_OK);
    (void)snprintf(sql, sizeof sql, "UPDATE build_meta SET custom = json_set(custom, '$.shf_objects', json('{%s}'))",
                   objects);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    unsigned char *changed = sqlite3_serialize(db, "main", &new_size, 0);
    assert_true(s3_server_put(&s3_server, S3_BUCKET, "elsewhere/packages/" MANIFEST, changed, (size_t)new_size));
    sqlite3_free(changed);
    (void)sqlite3_close(db);
    free(data);
}

static struct s3_opened open_it(void) {
    shf_s3_options s3 = s3_options(fault_proxy_endpoint(s3_proxy));
    return s3_open(S3_SAMPLE_URL, &s3, 0, 0);
}

static void test_as_written(void **state) {
    (void)state;
    static const struct fault flip = {
        .kind = FAULT_FLIP, .method = "GET", .target = "db%3D00001", .times = 1, .number = 700000};
    char objects[1024] = "";
    add_object(objects, sizeof objects, 0, 0, 0);
    add_object(objects, sizeof objects, 1, 0, 0);
    publish(objects);
    fault_proxy_set(s3_proxy, &flip, 1); /* damaged on its way: asked for once more */
    struct s3_opened opened = open_it();
    if (opened.status) fail_msg("%s", opened.message);
    assert_true(s3_sample_is_exact(opened.reader));
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "GET", "db%3D00000"), 1);
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "GET", "db%3D00001"), 2);
    shf_reader_release(opened.reader);
}

static void expect_corrupt(const char *objects) {
    publish(objects);
    fault_proxy_heal(s3_proxy);
    struct s3_opened opened = open_it();
    assert_int_equal(opened.status, SHF_E_CORRUPT);
    assert_int_equal(opened.shard, 1);
    assert_non_null(strstr(opened.message, "it was damaged or replaced"));
    assert_non_null(strstr(opened.object, "db=00001/attempt=00/shard.db"));
    assert_int_equal(fault_proxy_requests_of(s3_proxy, "GET", "db%3D00001"), 2);
    s3_assert_no_temporaries();
}

static void test_another_object(void **state) {
    (void)state;
    char objects[1024] = "", other[1024] = "";
    add_object(objects, sizeof objects, 1, 0, 1);
    expect_corrupt(objects);
    add_object(other, sizeof other, 1, 1, 0);
    expect_corrupt(other);
}

static void test_what_is_malformed_is_ignored(void **state) {
    (void)state;
    publish("\"" RUN "\": 1, \"shards/" RUN "/db=00001/attempt=00/shard.db\": \"12 none\"");
    struct s3_opened opened = open_it();
    if (opened.status) fail_msg("%s", opened.message);
    shf_reader_release(opened.reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s3_begin, s3_end)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_as_written),
        TEST(test_another_object),
        TEST(test_what_is_malformed_is_ignored),
    };
    if (!s3_server_is_there()) return S3_SERVER_SKIPPED;
    return cmocka_run_group_tests(tests, s3_group_begin, s3_group_end);
}
