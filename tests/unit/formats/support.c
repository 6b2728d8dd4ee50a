#include "support.h"
#include "every_way.h"
#include "base/alloc.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

const char *shared_path(const char *relative) {
    static char path[4096];
    const char *root = getenv("SHF_SHARED");
    (void)snprintf(path, sizeof path, "%s", root && *root ? root : "../shared");
    if (!file_exists(path)) {
        (void)fprintf(stderr, "SKIP: %s is not there (set SHF_SHARED to the shared fixtures)\n", path);
        return NULL;
    }
    size_t used = strlen(path);
    (void)snprintf(path + used, sizeof path - used, "/%s", relative);
    return path;
}

bool file_exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

static uint8_t *decompress(uint8_t *packed, size_t packed_size, size_t *size) {
    unsigned long long content = ZSTD_getFrameContentSize(packed, packed_size);
    uint8_t *plain;
    if (content == ZSTD_CONTENTSIZE_UNKNOWN || content == ZSTD_CONTENTSIZE_ERROR) content = 64u << 20;
    plain = malloc(content ? content : 1);
    assert_non_null(plain);
    *size = ZSTD_decompress(plain, content, packed, packed_size);
    assert_false(ZSTD_isError(*size));
    free(packed);
    plain = realloc(plain, *size);
    assert_non_null(plain);
    return plain;
}

uint8_t *load_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("can not open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    assert_true(length >= 0);
    rewind(file);
    uint8_t *bytes = malloc(length ? (size_t)length : 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)length, file), (size_t)length);
    (void)fclose(file);
    *size = (size_t)length;
    size_t name = strlen(path);
    if (name > 4 && strcmp(path + name - 4, ".zst") == 0) return decompress(bytes, *size, size);
    return bytes;
}

json_t *load_jsonl(const char *path) {
    size_t size;
    char *text = (char *)load_file(path, &size);
    json_t *lines = json_array();
    for (char *at = text, *end = text + size; at < end;) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = stop ? (size_t)(stop - at) : (size_t)(end - at);
        json_error_t problem;
        json_t *line = json_loadb(at, length, JSON_ALLOW_NUL, &problem);
        if (!line) fail_msg("%s: %s", path, problem.text);
        (void)json_array_append_new(lines, line);
        at += length + 1;
    }
    free(text);
    return lines;
}

void digest_begin(struct digest *digest) {
    digest->context = EVP_MD_CTX_new();
    assert_non_null(digest->context);
    assert_int_equal(EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL), 1);
}

void digest_add(struct digest *digest, const void *data, size_t size) {
    if (size) assert_int_equal(EVP_DigestUpdate(digest->context, data, size), 1);
}

void digest_end(struct digest *digest, char hex[65]) {
    unsigned char bytes[32];
    unsigned size = 0;
    assert_int_equal(EVP_DigestFinal_ex(digest->context, bytes, &size), 1);
    EVP_MD_CTX_free(digest->context);
    for (int i = 0; i < 32; i++) (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

void db_run(sqlite3 *db, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
}

sqlite3 *db_new(int page_size, int reserved) {
    sqlite3 *db;
    char sql[64];
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    if (reserved) {
        int bytes = reserved;
        assert_int_equal(sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes), SQLITE_OK);
    }
    (void)snprintf(sql, sizeof sql, "PRAGMA page_size=%d", page_size);
    db_run(db, sql);
    if (reserved) db_run(db, "VACUUM");
    return db;
}

uint8_t *db_bytes(sqlite3 *db, size_t *size) {
    sqlite3_int64 length;
    unsigned char *bytes = sqlite3_serialize(db, "main", &length, 0);
    assert_non_null(bytes);
    uint8_t *copy = malloc((size_t)length);
    assert_non_null(copy);
    memcpy(copy, bytes, (size_t)length);
    sqlite3_free(bytes);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    *size = (size_t)length;
    return copy;
}

/* splitmix64 */
uint64_t random_next(uint64_t *seed) {
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void random_fill(uint64_t *seed, void *out, size_t size) {
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)random_next(seed);
}

uint8_t *from_hex(const char *hex, size_t *size) {
    *size = strlen(hex) / 2;
    uint8_t *bytes = malloc(*size ? *size : 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < *size; i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
    return bytes;
}

void expect_error(shf_status status, struct shf_error **error, shf_status code, const char *text) {
    assert_non_null(*error);
    if (status != code) print_error("message: %s\n", shf_error_message(*error));
    assert_int_equal(status, code);
    assert_int_equal(shf_error_code(*error), code);
    if (!strstr(shf_error_message(*error), text)) fail_msg("\"%s\" lacks \"%s\"", shf_error_message(*error), text);
    shf_error_free(*error);
    *error = NULL;
}

void expect_ok(shf_status status, struct shf_error *error) {
    if (status) fail_msg("status %d: %s", status, shf_error_message(error));
    assert_null(error);
}

shf_status look_up(const struct shf_kv *kv, const void *key, size_t key_size, bool *found, struct shf_kv_value *value,
                   struct shf_error **error) {
    struct shf_kv_separators *separators;
    assert_int_equal(shf_kv_separators_build(kv, UINT32_MAX, &separators), SHF_OK);
    *found = false;
    shf_status status = get_every_way(kv, separators, key, key_size, found, value, error);
    shf_kv_separators_free(separators);
    return status;
}
