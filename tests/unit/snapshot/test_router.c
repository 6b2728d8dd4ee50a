/* Routing by hash, and the bytes under which keys are stored. */
#include "peer.h"
#include "snapshot/router.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *message_of(struct shf_error **error) {
    static char text[1024];
    (void)snprintf(text, sizeof text, "%s", shf_error_message(*error));
    shf_error_free(*error);
    *error = NULL;
    return text;
}

static uint32_t route(uint32_t num_dbs, shf_key key) {
    struct shf_error *error = NULL;
    uint32_t shard = UINT32_MAX;
    if (shf_route_by_hash(num_dbs, &key, &shard, &error)) fail_msg("%s", message_of(&error));
    return shard;
}

static size_t unhex(const char *hex, uint8_t *out) {
    size_t size = 0;
    if (strcmp(hex, "-") == 0) return 0;
    for (; hex[0] && hex[1]; hex += 2) {
        unsigned byte;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        out[size++] = (uint8_t)byte;
    }
    return size;
}

static void test_recorded_routes(void **state) {
    (void)state;
    FILE *file = fopen(SHF_TEST_DATA "/snapshot/routing.txt", "r");
    assert_non_null(file);
    char line[1024], name[64], kind[16], text[512];
    unsigned num_dbs, shard, rows = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        assert_int_equal(sscanf(line, "%63s %u %15s %511s %u", name, &num_dbs, kind, text, &shard), 5);
        uint8_t bytes[256];
        uint32_t got;
        if (strcmp(kind, "int") == 0) {
            long long value = strtoll(text, NULL, 10);
            got = route(num_dbs, shf_key_from_int(value));
            if (value >= 0) assert_int_equal(route(num_dbs, shf_key_from_uint((uint64_t)value)), got);
        } else if (strcmp(kind, "str") == 0) {
            size_t size = unhex(text, bytes);
            got = route(num_dbs, shf_key_from_text((const char *)bytes, size));
            assert_int_equal(route(num_dbs, shf_key_from_bytes(bytes, size)), got);
        } else {
            got = route(num_dbs, shf_key_from_bytes(bytes, unhex(text, bytes)));
        }
        if (got != shard) fail_msg("%s %s %s: shard %u, recorded %u", name, kind, text, got, shard);
        rows++;
    }
    (void)fclose(file);
    assert_true(rows > 700);
}

static void test_known_digests(void **state) {
    (void)state;
    /* XXH3-64 with seed 0 of nothing is 0x2d06800538d394c2 (published test vector). */
    const uint64_t empty = UINT64_C(0x2d06800538d394c2);
    static const uint32_t counts[] = {1, 2, 3, 7, 1000, 65536};
    for (size_t i = 0; i < COUNT(counts); i++) {
        assert_int_equal(route(counts[i], shf_key_from_bytes(NULL, 0)), empty % counts[i]);
        assert_int_equal(route(counts[i], shf_key_from_text("", 0)), empty % counts[i]);
    }
    /* An integer routes by 8 little-endian bytes, not by the big-endian ones under which it is stored. */
    static const uint8_t little[] = {1, 2, 0, 0, 0, 0, 0, 0}, minus_two[] = {0xfe, 255, 255, 255, 255, 255, 255, 255};
    assert_int_equal(route(65536, shf_key_from_int(0x201)), route(65536, shf_key_from_bytes(little, 8)));
    assert_int_equal(route(65536, shf_key_from_int(-2)), route(65536, shf_key_from_bytes(minus_two, 8)));
}

static void test_what_does_not_route(void **state) {
    (void)state;
    struct shf_error *error = NULL;
    uint32_t shard = 99;
    shf_key key = shf_key_from_uint(UINT64_C(9223372036854775808));
    assert_int_equal(shf_route_by_hash(4, &key, &shard, &error), SHF_E_INVALID);
    const char *message = message_of(&error);
    assert_non_null(strstr(message, "9223372036854775808 is out of the range"));
    assert_non_null(strstr(message, "9223372036854775807]"));
    key = shf_key_from_uint(INT64_MAX);
    assert_int_equal(shf_route_by_hash(4, &key, &shard, NULL), SHF_OK);
    assert_int_equal(shard, route(4, shf_key_from_int(INT64_MAX)));

    shard = 99;
    static const char *const broken[] = {"\xff", "a\xc0\xaf", "\xed\xa0\x80", "\xe2\x82"};
    for (size_t i = 0; i < COUNT(broken); i++) {
        key = shf_key_from_text(broken[i], strlen(broken[i]));
        assert_int_equal(shf_route_by_hash(4, &key, &shard, &error), SHF_E_INVALID);
        assert_non_null(strstr(message_of(&error), "UTF-8"));
    }
    key = shf_key_from_bytes(NULL, 3);
    assert_int_equal(shf_route_by_hash(4, &key, &shard, NULL), SHF_E_INVALID);
    for (uint32_t kind = 5; kind != 4; kind = kind == 5 ? UINT32_MAX : kind == UINT32_MAX ? 0 : 4) {
        key.kind = kind;
        assert_int_equal(shf_route_by_hash(4, &key, &shard, NULL), SHF_E_INVALID);
    }
    assert_int_equal(shf_route_by_hash(4, NULL, &shard, NULL), SHF_E_INVALID);
    assert_int_equal(shard, 99);
}

/* text: the stored bytes in hex; or, in brackets, what the message must say. */
struct encoding_row {
    enum shf_key_encoding encoding;
    shf_key key;
    const char *expected;
};

#define INT(v)                                                                                                         \
    {                                                                                                                  \
        SHF_KEY_INT, 0, { .int_value = (v) }                                                                           \
    }
#define UINT(v)                                                                                                        \
    {                                                                                                                  \
        SHF_KEY_UINT, 0, { .uint_value = (v) }                                                                         \
    }
#define TEXT(v)                                                                                                        \
    {                                                                                                                  \
        SHF_KEY_TEXT, 0, {                                                                                             \
            .bytes = {(v), sizeof(v) - 1 }                                                                             \
        }                                                                                                              \
    }
#define BYTES(v)                                                                                                       \
    {                                                                                                                  \
        SHF_KEY_BYTES, 0, {                                                                                            \
            .bytes = {(v), sizeof(v) - 1 }                                                                             \
        }                                                                                                              \
    }

static const struct encoding_row encodings[] = {
    {SHF_ENCODING_U64BE, INT(0), "0000000000000000"},
    {SHF_ENCODING_U64BE, INT(258), "0000000000000102"},
    {SHF_ENCODING_U64BE, INT(INT64_MAX), "7fffffffffffffff"},
    {SHF_ENCODING_U64BE, UINT(UINT64_MAX), "ffffffffffffffff"},
    {SHF_ENCODING_U64BE, UINT(1), "0000000000000001"},
    {SHF_ENCODING_U64BE, BYTES("\x80\0\0\0\0\0\0\1"), "8000000000000001"},
    {SHF_ENCODING_U64BE, INT(-1), "[u64be key encoding takes integers in [0, 2^64-1], not -1"},
    {SHF_ENCODING_U64BE, INT(INT64_MIN), "[not -9223372036854775808"},
    {SHF_ENCODING_U64BE, TEXT("12345678"), "[u64be key encoding takes integer keys"},
    {SHF_ENCODING_U64BE, BYTES("123"), "[u64be key encoding takes bytes keys of exactly 8 bytes, not 3"},
    {SHF_ENCODING_U64BE, BYTES(""), "[exactly 8 bytes, not 0"},
    {SHF_ENCODING_U64BE, BYTES("123456789"), "[exactly 8 bytes, not 9"},
    {SHF_ENCODING_U32BE, INT(0), "00000000"},
    {SHF_ENCODING_U32BE, INT(66051), "00010203"},
    {SHF_ENCODING_U32BE, INT(UINT32_MAX), "ffffffff"},
    {SHF_ENCODING_U32BE, UINT(UINT32_MAX), "ffffffff"},
    {SHF_ENCODING_U32BE, BYTES("\1\2\3\4"), "01020304"},
    {SHF_ENCODING_U32BE, INT(4294967296), "[u32be key encoding takes integers in [0, 2^32-1], not 4294967296"},
    {SHF_ENCODING_U32BE, UINT(UINT64_MAX), "[[0, 2^32-1], not 18446744073709551615"},
    {SHF_ENCODING_U32BE, INT(-5), "[[0, 2^32-1], not -5"},
    {SHF_ENCODING_U32BE, BYTES("12345678"), "[u32be key encoding takes bytes keys of exactly 4 bytes, not 8"},
    {SHF_ENCODING_U32BE, TEXT("text"), "[u32be key encoding takes integer keys"},
    {SHF_ENCODING_UTF8, TEXT("k\xc3\xbc"), "6bc3bc"},
    {SHF_ENCODING_UTF8, TEXT(""), ""},
    {SHF_ENCODING_UTF8, TEXT("a\0b"), "610062"},
    {SHF_ENCODING_UTF8, BYTES("\xff\0"), "ff00"},
    {SHF_ENCODING_UTF8, TEXT("\xff"), "[UTF-8"},
    {SHF_ENCODING_UTF8, INT(7), "[utf8 key encoding takes text or bytes keys, not an integer"},
    {SHF_ENCODING_UTF8, UINT(7), "[utf8 key encoding takes text or bytes keys, not an unsigned integer"},
    {SHF_ENCODING_RAW, BYTES("\0\1\xff"), "0001ff"},
    {SHF_ENCODING_RAW, TEXT("abc"), "616263"},
    {SHF_ENCODING_RAW, TEXT("\xc0\xaf"), "[UTF-8"},
    {SHF_ENCODING_RAW, INT(7), "[raw key encoding takes text or bytes keys, not an integer"},
    {SHF_ENCODING_RAW, {9, 0, {0}}, "[kind 9"},
    {SHF_ENCODING_RAW, {SHF_KEY_BYTES, 0, {.bytes = {NULL, 1}}}, "[null pointer"},
};

static void test_stored_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(encodings); i++) {
        const struct encoding_row *row = &encodings[i];
        struct shf_error *error = NULL;
        struct shf_stored_key stored = {.bytes = {NULL, 77}};
        shf_status status = shf_key_encode(row->encoding, &row->key, &stored, &error);
        if (row->expected[0] == '[') {
            assert_int_equal(status, SHF_E_INVALID);
            const char *message = message_of(&error);
            if (!strstr(message, row->expected + 1)) fail_msg("row %zu: %s", i, message);
            assert_int_equal(stored.bytes.size, 77);
            continue;
        }
        assert_int_equal(status, SHF_OK);
        uint8_t expected[16];
        size_t size = unhex(row->expected, expected);
        assert_int_equal(stored.bytes.size, size);
        assert_non_null(stored.bytes.data);
        assert_memory_equal(stored.bytes.data, expected, size);
        /* Text and bytes are not copied. */
        if (row->key.kind >= SHF_KEY_TEXT && size) assert_ptr_equal(stored.bytes.data, row->key.as.bytes.data);
    }
    assert_int_equal(shf_key_encode(SHF_ENCODING_RAW, NULL, &(struct shf_stored_key){0}, NULL), SHF_E_INVALID);
}

/* ---- every key of the peer's snapshots, through their own manifests ---- */

/* The one manifest of a snapshot that has one, else the newest. */
static struct shf_manifest *newest_manifest(const char *name) {
    char path[2048];
    struct dirent **entries = NULL;
    (void)snprintf(path, sizeof path, "%s/%s/snapshot/manifests", peer_root(), name);
    int count = scandir(path, &entries, NULL, alphasort);
    assert_true(count > 2);
    (void)snprintf(path, sizeof path, "%s/%s/snapshot/manifests/%s/manifest", peer_root(), name,
                   entries[count - 1]->d_name);
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    size_t size;
    uint8_t *data = peer_read(path, &size);
    assert_non_null(data);
    struct shf_manifest *manifest = NULL;
    struct shf_error *error = NULL;
    if (shf_manifest_parse(data, size, &manifest, &error)) fail_msg("%s: %s", path, message_of(&error));
    free(data);
    return manifest;
}

static void route_case(const char *name, void *context) {
    struct shf_manifest *manifest = newest_manifest(name);
    json_t *facts = peer_json(name, "case.json");
    assert_int_equal(manifest->num_dbs, json_integer_value(json_object_get(facts, "num_dbs")));
    assert_string_equal(shf_key_encoding_name(manifest->key_encoding),
                        json_string_value(json_object_get(facts, "key_encoding")));
    json_decref(facts);
    char path[2048];
    (void)snprintf(path, sizeof path, "%s/%s/expected.jsonl", peer_root(), name);
    size_t size;
    char *lines = (char *)peer_read(path, &size), *rest = lines;
    assert_non_null(lines);
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line;) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        json_t *given = json_object_get(row, "key"), *value;
        uint8_t *bytes = NULL;
        shf_key key;
        if ((value = json_object_get(given, "int")) != NULL) {
            key = shf_key_from_int(json_integer_value(value));
        } else if ((value = json_object_get(given, "str")) != NULL) {
            key = shf_key_from_text(json_string_value(value), json_string_length(value));
        } else {
            bytes = peer_base64(json_string_value(json_object_get(given, "bytes")), &size);
            key = shf_key_from_bytes(bytes, size);
        }
        uint32_t shard = UINT32_MAX;
        struct shf_error *error = NULL;
        if (shf_route_by_hash(manifest->num_dbs, &key, &shard, &error)) fail_msg("%s: %s", line, message_of(&error));
        if (shard != json_integer_value(json_object_get(row, "shard"))) fail_msg("%s: %s: shard %u", name, line, shard);
        free(bytes);
        json_decref(row);
        ++*(size_t *)context;
    }
    free(lines);
    shf_manifest_free(manifest);
}

static void test_every_key_of_the_peer(void **state) {
    (void)state;
    if (!peer_root()) skip();
    static const char *const prefixes[] = {"unified-", "kv-sqlite-", "history-"};
    size_t keys = 0, cases = 0;
    for (size_t i = 0; i < COUNT(prefixes); i++) cases += peer_each(prefixes[i], route_case, &keys);
    route_case("retried-shard", &keys);
    print_message("%zu keys of %zu snapshots routed\n", keys, cases + 1);
    assert_true(cases + 1 >= 26 && keys > 8000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_routes),       cmocka_unit_test(test_known_digests),
        cmocka_unit_test(test_what_does_not_route),   cmocka_unit_test(test_stored_keys),
        cmocka_unit_test(test_every_key_of_the_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
