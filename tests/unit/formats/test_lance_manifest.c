/* Manifests and deletion files made byte by byte: each rule broken alone. */
#include "lance_make.h"
#include "support.h"

#include "base/cursor.h"
#include "formats/lance/deletions.h"
#include "formats/lance/manifest.h"

#include <stdlib.h>
#include <string.h>

/* ---- manifests ---- */

/* What a manifest says; zero = as it should be. */
struct saying {
    const char *id_name, *vector_type, *payload_type, *path, *format, *data_version;
    uint64_t flags, version, major, minor, fragment_id, rows, deletion_type, column, file_fields;
    bool with_base, with_file_base, with_deletion_base, with_row_ids, without_format, without_payload, twice;
    unsigned other_files; /* that hold none of the three columns */
    uint8_t manifest_minor;
};

static void put_field(struct bytes *out, const char *name, uint64_t id, const char *type) {
    struct bytes field = {.size = 0};
    put_number(&field, 1, 2);
    put_string(&field, 2, name);
    put_number(&field, 3, id);
    put_number(&field, 4, UINT64_MAX); /* -1: top level */
    put_string(&field, 5, type);
    put_message(out, 1, &field);
}

static void put_fragment(struct bytes *out, const struct saying *say) {
    struct bytes file = {.size = 0}, fragment = {.size = 0}, deletions = {.size = 0}, columns = {.size = 0};
    put_string(&file, 1, say->path ? say->path : "a.lance");
    put_bytes(&file, 2, "\0\1\2", say->file_fields ? say->file_fields : 3);
    put_varint(&columns, say->column);
    put(&columns, "\1\2", 2);
    put_message(&file, 3, &columns);
    put_number(&file, 4, say->major ? say->major : 2);
    put_number(&file, 5, say->minor);
    put_number(&file, 6, 1234);
    if (say->with_file_base) put_number(&file, 7, 1);
    put_number(&deletions, 1, say->deletion_type);
    put_number(&deletions, 2, 5);
    put_number(&deletions, 3, UINT64_MAX);
    put_number(&deletions, 4, 2);
    if (say->with_deletion_base) put_number(&deletions, 7, 0);
    put_number(&fragment, 1, say->fragment_id);
    put_message(&fragment, 2, &file);
    put_message(&fragment, 3, &deletions);
    put_number(&fragment, 4, say->rows ? say->rows : 10);
    if (say->with_row_ids) put_bytes(&fragment, 5, "x", 1);
    if (say->twice) put_message(&fragment, 2, &file);
    for (unsigned i = 0; i < say->other_files; i++) {
        struct bytes other = {.size = 0};
        put_string(&other, 1, "o");
        put_bytes(&other, 2, "\3", 1);
        put_bytes(&other, 3, "\0", 1);
        put_number(&other, 4, 2);
        put_message(&fragment, 2, &other);
    }
    put_message(out, 2, &fragment);
}

static void make_manifest(const struct saying *say, struct bytes *out) {
    struct bytes message = {.size = 0}, format = {.size = 0};
    put_fragment(&message, say); /* before the schema, which it needs */
    put_field(&message, say->id_name ? say->id_name : "id", 0, "string");
    put_field(&message, "vector", 1, say->vector_type ? say->vector_type : "fixed_size_list:float:4");
    if (!say->without_payload) put_field(&message, "payload", 2, say->payload_type ? say->payload_type : "string");
    put_field(&message, "other", 3, "struct");
    put_number(&message, 3, say->version ? say->version : 7);
    put_number(&message, 9, say->flags);
    if (say->with_base) put_bytes(&message, 18, "", 0);
    put_string(&format, 1, say->format ? say->format : "lance");
    put_string(&format, 2, say->data_version ? say->data_version : "2.1");
    if (!say->without_format) put_message(&message, 15, &format);
    out->size = 0;
    put_text(out, "before");
    put_u32(out, (uint32_t)message.size);
    put(out, message.data, message.size);
    put_u64(out, 6);
    put_u16(out, 0);
    put_u16(out, say->manifest_minor ? say->manifest_minor : 2);
    put_text(out, "LANC");
}

static shf_status parse(const struct saying *say, struct shf_lance_manifest **out, struct shf_error **error) {
    struct bytes bytes;
    make_manifest(say, &bytes);
    return shf_lance_manifest_parse(bytes.data, bytes.size, 7, out, error);
}

static void test_sound(void **state) {
    (void)state;
    struct shf_lance_manifest *manifest;
    struct shf_error *error = NULL;
    char name[SHF_LANCE_NAME_BYTES + 1];
    expect_ok(parse(&(struct saying){.fragment_id = UINT32_MAX, .flags = 13}, &manifest, &error), error);
    assert_int_equal(manifest->fragment_count, 1);
    const struct shf_lance_fragment *fragment = &manifest->fragments[0];
    assert_true(manifest->version == 7 && manifest->dimension == 4 && manifest->has_payload);
    assert_true(fragment->id == UINT32_MAX && fragment->rows == 10 && fragment->file_count == 1);
    assert_string_equal(fragment->files[0].name, "a.lance");
    assert_true(fragment->files[0].size == 1234 && fragment->deletions.deleted_rows == 2);
    for (uint32_t i = 0; i < SHF_LANCE_FIELDS; i++) assert_int_equal(fragment->files[0].columns[i], i);
    shf_lance_deletion_name(fragment, name);
    assert_string_equal(name, "4294967295-5-18446744073709551615.arrow");
    shf_lance_manifest_free(manifest);
    expect_ok(parse(&(struct saying){.other_files = 63}, &manifest, &error), error);
    assert_int_equal(manifest->fragments[0].file_count, 1); /* the others are not wanted */
    assert_string_equal(manifest->fragments[0].files[0].name, "a.lance");
    shf_lance_manifest_free(manifest);
    expect_ok(parse(&(struct saying){.without_payload = true, .deletion_type = 1}, &manifest, &error), error);
    assert_false(manifest->has_payload);
    assert_int_equal(manifest->fragments[0].files[0].columns[SHF_LANCE_PAYLOAD], SHF_LANCE_NO_COLUMN);
    shf_lance_deletion_name(&manifest->fragments[0], name);
    assert_string_equal(name, "0-5-18446744073709551615.bin");
    shf_lance_manifest_free(manifest);
    expect_ok(parse(&(struct saying){.file_fields = 3, .major = 0, .minor = 0, .data_version = "2.2"}, &manifest, &error),
              error);
    shf_lance_manifest_free(manifest);
}

static void test_rules(void **state) {
    (void)state;
    static const struct {
        struct saying say;
        shf_status code;
        const char *says;
    } rules[] = {
        {{.flags = 2}, SHF_E_UNSUPPORTED, "stable row ids"},
        {{.flags = 3}, SHF_E_UNSUPPORTED, "stable row ids"},
        {{.flags = 16}, SHF_E_UNSUPPORTED, "flags 0x10"},
        {{.flags = UINT64_C(1) << 63}, SHF_E_UNSUPPORTED, "flags 0x8000000000000000"},
        {{.with_row_ids = true}, SHF_E_UNSUPPORTED, "stable row ids"},
        {{.with_base = true}, SHF_E_UNSUPPORTED, "base paths"},
        {{.with_file_base = true}, SHF_E_UNSUPPORTED, "base path"},
        {{.with_deletion_base = true}, SHF_E_UNSUPPORTED, "base path"},
        {{.version = 8}, SHF_E_CORRUPT, "of version 8, its name says 7"},
        {{.manifest_minor = 3}, SHF_E_UNSUPPORTED, "0.3"},
        {{.data_version = "2.3"}, SHF_E_UNSUPPORTED, "version 2.3"},
        {{.data_version = "0.1"}, SHF_E_UNSUPPORTED, "version 0.1"},
        {{.format = "parquet"}, SHF_E_UNSUPPORTED, "not in the format lance"},
        {{.without_format = true}, SHF_E_UNSUPPORTED, "before 2.0"},
        {{.minor = 3}, SHF_E_UNSUPPORTED, "version 2.3"},
        {{.major = 3}, SHF_E_UNSUPPORTED, "version 3.0"},
        {{.id_name = "key"}, SHF_E_INDEX, "no column id"},
        {{.id_name = "vector"}, SHF_E_INDEX, "type \"string\""},
        {{.id_name = "payload"}, SHF_E_CORRUPT, "the same name"},
        {{.payload_type = "large_string"}, SHF_E_INDEX, "payload has the type \"large_string\""},
        {{.vector_type = "fixed_size_list:halffloat:4"}, SHF_E_INDEX, "halffloat"},
        {{.vector_type = "fixed_size_list:float:"}, SHF_E_INDEX, "vector has the type"},
        {{.vector_type = "fixed_size_list:float:0"}, SHF_E_INDEX, "vector has the type"},
        {{.vector_type = "fixed_size_list:float:4x"}, SHF_E_INDEX, "vector has the type"},
        {{.vector_type = "fixed_size_list:float:8193"}, SHF_E_LIMIT, "8192 dimensions"},
        {{.vector_type = "fixed_size_list:float:99999999999999999999"}, SHF_E_LIMIT, "8192 dimensions"},
        {{.path = "../a.lance"}, SHF_E_CORRUPT, "not a plain one"},
        {{.path = ".."}, SHF_E_CORRUPT, "not a plain one"},
        {{.path = ""}, SHF_E_CORRUPT, "not a plain one"},
        {{.path = "/etc/passwd"}, SHF_E_CORRUPT, "not a plain one"},
        {{.fragment_id = UINT64_C(1) << 32}, SHF_E_CORRUPT, "32 bits"},
        {{.rows = (UINT64_C(1) << 32) + 1}, SHF_E_CORRUPT, "2^32 rows"},
        {{.deletion_type = 2}, SHF_E_UNSUPPORTED, "type 2"},
        {{.column = UINT32_MAX}, SHF_E_CORRUPT, "column is out of range"},
        {{.file_fields = 2}, SHF_E_CORRUPT, "as many columns as fields"},
        {{.twice = true}, SHF_E_CORRUPT, "two data files hold the same column"},
        {{.other_files = 64}, SHF_E_LIMIT, "65 data files; at most 64"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct shf_lance_manifest *manifest;
        struct shf_error *error = NULL;
        expect_error(parse(&rules[i].say, &manifest, &error), &error, rules[i].code, rules[i].says);
    }
}

static void test_tail(void **state) {
    (void)state;
    struct bytes bytes;
    struct shf_lance_manifest *manifest;
    struct shf_error *error = NULL;
    make_manifest(&(struct saying){0}, &bytes);
    bytes.data[bytes.size - 1] = 'X';
    expect_error(shf_lance_manifest_parse(bytes.data, bytes.size, 7, &manifest, &error), &error, SHF_E_CORRUPT, "LANC");
    bytes.data[bytes.size - 1] = 'C';
    bytes.data[bytes.size - 9] = 0xff;
    expect_error(shf_lance_manifest_parse(bytes.data, bytes.size, 7, &manifest, &error), &error, SHF_E_CORRUPT,
                 "begins at offset");
    bytes.data[bytes.size - 9] = 0;
    bytes.data[6]++;
    expect_error(shf_lance_manifest_parse(bytes.data, bytes.size, 7, &manifest, &error), &error, SHF_E_CORRUPT,
                 "where the tail begins");
    expect_error(shf_lance_manifest_parse(bytes.data, 10, 7, &manifest, &error), &error, SHF_E_CORRUPT, "too short");
}

/* A manifest with one more fragment. */
static void add_fragment(const struct bytes *one, const struct saying *say, struct bytes *out) {
    struct bytes fragment = {.size = 0};
    put_fragment(&fragment, say);
    out->size = 0;
    put_u32(out, (uint32_t)(one->size - 26 + fragment.size));
    put(out, fragment.data, fragment.size);
    put(out, one->data + 10, one->size - 26);
    put_u64(out, 0);
    put(out, one->data + one->size - 8, 8);
}

/* Two fragments with one id, or with one file; and none at all, which is a table of no rows. */
static void test_fragments(void **state) {
    (void)state;
    struct bytes one, two;
    struct shf_lance_manifest *manifest;
    struct shf_error *error = NULL;
    make_manifest(&(struct saying){0}, &one);
    struct bytes fragment = {.size = 0};
    put_fragment(&fragment, &(struct saying){0});
    add_fragment(&one, &(struct saying){0}, &two);
    expect_error(shf_lance_manifest_parse(two.data, two.size, 7, &manifest, &error), &error, SHF_E_CORRUPT,
                 "two fragments have the same id");
    add_fragment(&one, &(struct saying){.fragment_id = 1}, &two);
    expect_error(shf_lance_manifest_parse(two.data, two.size, 7, &manifest, &error), &error, SHF_E_CORRUPT,
                 "the data file a.lance twice");
    add_fragment(&one, &(struct saying){.fragment_id = 1, .path = "b.lance"}, &two);
    expect_ok(shf_lance_manifest_parse(two.data, two.size, 7, &manifest, &error), error);
    assert_int_equal(manifest->fragment_count, 2);
    assert_string_equal(manifest->fragments[0].files[0].name, "b.lance");
    shf_lance_manifest_free(manifest);
    two.size = 0;
    put_u32(&two, (uint32_t)(one.size - 26 - fragment.size));
    put(&two, one.data + 10 + fragment.size, one.size - 26 - fragment.size);
    put_u64(&two, 0);
    put(&two, one.data + one.size - 8, 8);
    expect_ok(shf_lance_manifest_parse(two.data, two.size, 7, &manifest, &error), error);
    assert_int_equal(manifest->fragment_count, 0);
    shf_lance_manifest_free(manifest);
}

/* ---- bitmaps ---- */

static void expect_rows(const struct bytes *bytes, uint64_t rows, const uint32_t *wanted, size_t count) {
    struct shf_lance_deletions deletions;
    struct shf_error *error = NULL;
    uint8_t *exact = malloc(bytes->size);
    memcpy(exact, bytes->data, bytes->size);
    expect_ok(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, exact, bytes->size, rows, &deletions, &error), error);
    assert_int_equal(deletions.deleted, count);
    uint64_t row = 0;
    for (size_t i = 0; i < count; i++, row++) {
        row = shf_lance_next_row(&deletions, row, true);
        assert_int_equal(row, wanted[i]);
        assert_true(shf_lance_is_deleted(&deletions, row));
    }
    assert_int_equal(shf_lance_next_row(&deletions, row, true), rows);
    shf_lance_deletions_free(&deletions);
    for (size_t size = 0; size < bytes->size; size++) { /* cut */
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, bytes->data, size);
        expect_error(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, cut, size, rows, &deletions, &error), &error,
                     SHF_E_CORRUPT, "Lance deletion file");
        free(cut);
    }
    free(exact);
}

static void test_bitmaps(void **state) {
    (void)state;
    struct shf_lance_deletions deletions;
    struct shf_error *error = NULL;
    struct bytes bytes = {.size = 0};
    put_u32(&bytes, 12346); /* two arrays */
    put_u32(&bytes, 2);
    put_u16(&bytes, 0);
    put_u16(&bytes, 1);
    put_u16(&bytes, 1);
    put_u16(&bytes, 0);
    put_u32(&bytes, 24);
    put_u32(&bytes, 28);
    put_u16(&bytes, 3);
    put_u16(&bytes, 9);
    put_u16(&bytes, 5);
    expect_rows(&bytes, 65600, (const uint32_t[]){3, 9, 65541}, 3);
    expect_error(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes.data, bytes.size, 65541, &deletions, &error),
                 &error, SHF_E_CORRUPT, "row 65541 of a fragment of 65541");
    bytes.data[26] = 3; /* the same row again */
    expect_error(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes.data, bytes.size, 65600, &deletions, &error),
                 &error, SHF_E_CORRUPT, "row 3 twice");
    bytes.data[26] = 9;
    put(&bytes, "", 1);
    expect_error(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes.data, bytes.size, 65600, &deletions, &error),
                 &error, SHF_E_CORRUPT, "bytes follow");
    bytes.data[12] = 0; /* the same key again */
    expect_error(
        shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes.data, bytes.size - 1, 65600, &deletions, &error),
        &error, SHF_E_CORRUPT, "do not ascend");

    bytes.size = 0; /* runs, and no offsets */
    put_u32(&bytes, 12347);
    put(&bytes, "\1", 1);
    put_u16(&bytes, 0);
    put_u16(&bytes, 3);
    put_u16(&bytes, 2);
    put_u16(&bytes, 1);
    put_u16(&bytes, 1);
    put_u16(&bytes, 7);
    put_u16(&bytes, 1);
    expect_rows(&bytes, 20, (const uint32_t[]){1, 2, 7, 8}, 4);
    bytes.data[7] = 4;
    expect_error(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes.data, bytes.size, 20, &deletions, &error),
                 &error, SHF_E_CORRUPT, "not as many rows as it says");
    bytes.data[15] = bytes.data[16] = 0xff;
    expect_error(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes.data, bytes.size, 65536, &deletions, &error),
                 &error, SHF_E_CORRUPT, "longer than its container");
    bytes.data[0] = 0;
    expect_error(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes.data, bytes.size, 20, &deletions, &error),
                 &error, SHF_E_CORRUPT, "begin like a Roaring bitmap");

    bytes.size = 0;
    put_u32(&bytes, 12346);
    put_u32(&bytes, 0);
    expect_rows(&bytes, 5, NULL, 0);
    put_u32(&bytes, 0);
    bytes.data[6] = 2;
    expect_error(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes.data, bytes.size, 5, &deletions, &error),
                 &error, SHF_E_CORRUPT, "65536 containers");
}

/* A container of bits: 8,192 bytes. */
static void test_bits(void **state) {
    (void)state;
    size_t size = 16 + 8192;
    uint8_t *bytes = calloc(1, size);
    struct shf_lance_deletions deletions;
    struct shf_error *error = NULL;
    memcpy(bytes, "\x3a\x30\0\0\1\0\0\0\0\0\xff\x1f\x10\0\0\0", 16); /* 8,192 rows */
    memset(bytes + 16, 0x11, 4096);
    expect_ok(shf_lance_deletions_parse(SHF_LANCE_DELETIONS_BITMAP, bytes, size, 40000, &deletions, &error), error);
    assert_int_equal(deletions.deleted, 8192);
    for (uint64_t row = 0; row < 40000; row++) {
        assert_int_equal(shf_lance_is_deleted(&deletions, row), row < 32768 && row % 4 == 0);
    }
    assert_int_equal(shf_lance_next_row(&deletions, 32765, true), 40000);
    assert_int_equal(shf_lance_next_row(&deletions, 32764, false), 32765);
    shf_lance_deletions_free(&deletions);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),     cmocka_unit_test(test_rules),   cmocka_unit_test(test_tail),
        cmocka_unit_test(test_fragments), cmocka_unit_test(test_bitmaps), cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
