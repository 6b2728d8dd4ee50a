/* .npy files of centroids and hyperplanes: every type and order, and every rule of the format broken alone. */
#include "support.h"

#include "base/cursor.h"
#include "base/limits.h"
#include "formats/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES 16384u

/* A file of that version: the header as it stands, with its true length unless another is given, and a body. */
struct file {
    uint8_t *bytes; /* of exact size */
    size_t size;
};

static struct file make(unsigned major, unsigned minor, const char *header, long length, const void *body,
                        size_t body_size) {
    size_t header_size = strlen(header), prefix = major == 1 ? 10 : 12;
    struct file file = {NULL, prefix + header_size + body_size};
    uint32_t told = length < 0 ? (uint32_t)header_size : (uint32_t)length;
    file.bytes = malloc(file.size);
    memcpy(file.bytes, "\x93NUMPY", 6);
    file.bytes[6] = (uint8_t)major;
    file.bytes[7] = (uint8_t)minor;
    for (size_t i = 8; i < prefix; i++) file.bytes[i] = (uint8_t)(told >> (8 * (i - 8)));
    memcpy(file.bytes + prefix, header, header_size);
    if (body_size) memcpy(file.bytes + prefix + header_size, body, body_size);
    return file;
}

static const char *head(const char *type, const char *order, const char *shape) {
    static char text[512];
    (void)snprintf(text, sizeof text, "{'descr': %s, 'fortran_order': %s, 'shape': %s, }   \n", type, order, shape);
    return text;
}

static void accept(struct file file, uint64_t rows, uint64_t columns, const double *wanted) {
    struct shf_npy npy;
    struct shf_error *error = NULL;
    double got[16];
    expect_ok(shf_npy_parse(file.bytes, file.size, &npy, &error), error);
    assert_true(npy.rows == rows && npy.columns == columns && rows * columns <= 16);
    shf_npy_read(&npy, got);
    for (uint64_t i = 0; i < rows * columns; i++) {
        if (memcmp(&got[i], &wanted[i], sizeof got[i]) == 0 || (isnan(got[i]) && isnan(wanted[i]))) continue;
        fail_msg("item %d: %g, wanted %g", (int)i, got[i], wanted[i]);
    }
    free(file.bytes);
}

static void refuse(struct file file, shf_status code, const char *text) {
    struct shf_npy npy;
    struct shf_error *error = NULL;
    expect_error(shf_npy_parse(file.bytes, file.size, &npy, &error), &error, code, text);
    free(file.bytes);
}

static const double numbers[6] = {1.5, -2, 0.25, 3, -0.0, 65504};

static size_t encode(unsigned item_bytes, bool is_big_endian, uint8_t out[48]) {
    static const uint16_t halves[6] = {0x3e00, 0xc000, 0x3400, 0x4200, 0x8000, 0x7bff};
    for (unsigned i = 0; i < 6; i++) {
        uint64_t bits = halves[i];
        float narrow = (float)numbers[i];
        uint32_t word;
        memcpy(&word, &narrow, sizeof word);
        if (item_bytes == 4) bits = word;
        if (item_bytes == 8) memcpy(&bits, &numbers[i], sizeof bits);
        for (unsigned b = 0; b < item_bytes; b++) {
            unsigned shift = 8 * (is_big_endian ? item_bytes - 1 - b : b);
            out[i * item_bytes + b] = (uint8_t)(bits >> shift);
        }
    }
    return 6u * item_bytes;
}

static void test_types(void **state) {
    static const double by_columns[6] = {1.5, 3, -2, -0.0, 0.25, 65504};
    (void)state;
    for (unsigned item = 2; item <= 8; item *= 2) {
        for (int big = 0; big < 2; big++) {
            uint8_t body[48];
            char type[16];
            size_t size = encode(item, big, body);
            (void)snprintf(type, sizeof type, "'%cf%u'", big ? '>' : '<', item);
            for (unsigned version = 1; version <= 3; version++) {
                accept(make(version, 0, head(type, "False", "(3, 2)"), -1, body, size), 3, 2, numbers);
                accept(make(version, 0, head(type, "True", "(3, 2)"), -1, body, size), 3, 2, by_columns);
            }
        }
    }
}

static void test_halves(void **state) {
    (void)state;
    static const uint8_t body[] = {0x00, 0x7c, 0x00, 0xfc, 0x01, 0x7e, 0x01, 0x00,
                                   0x01, 0x80, 0xff, 0x03, 0x00, 0x04, 0x00, 0x00};
    const double wanted[8] = {INFINITY, -INFINITY, NAN, 0x1p-24, -0x1p-24, 1023 * 0x1p-24, 0x1p-14, 0};
    accept(make(1, 0, head("'<f2'", "False", "(2, 4)"), -1, body, sizeof body), 2, 4, wanted);
    accept(make(1, 0, head("'<f2'", "False", "(8, 1)"), -1, body, sizeof body), 8, 1, wanted);
}

static void test_forms(void **state) {
    (void)state;
    uint8_t body[48];
    size_t size = encode(4, false, body);
    static const char *const forms[] = {"{\"shape\":(3,2),\"descr\":\"<f4\",\"fortran_order\":False}",
                                        "{'shape': (3, 2,), 'descr': '<f4', 'fortran_order': False,}",
                                        "  { 'fortran_order' : False ,\t'descr' : '<f4' , 'shape' : ( 3 , 2 ) } \n\n"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        accept(make(1, 0, forms[i], -1, body, size), 3, 2, numbers);
    }
    accept(make(1, 0, head("'<f4'", "False", "(0, 8)"), -1, NULL, 0), 0, 8, numbers);
    accept(make(1, 0, head("'<f4'", "False", "(4, 0)"), -1, NULL, 0), 4, 0, numbers);
}

static void test_types_refused(void **state) {
    (void)state;
    uint8_t body[48];
    size_t size = encode(4, false, body);
    static const char *const types[] = {"'|O'",  "'<i4'", "'<f16'", "'=f4'", "'f4'",  "'<c8'",
                                        "'<U4'", "'|b1'", "''",     "'<f3'", "'<f4 '"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        refuse(make(1, 0, head(types[i], "False", "(3, 2)"), -1, body, size), SHF_E_UNSUPPORTED,
               "float16, float32 and float64");
    }
    refuse(make(1, 0, head("[('a', '<f4')]", "False", "(3, 2)"), -1, body, size), SHF_E_UNSUPPORTED, "plain array");
    refuse(make(1, 0, head("'<f4'", "False", "()"), -1, body, 4), SHF_E_UNSUPPORTED, "0 dimensions");
    refuse(make(1, 0, head("'<f4'", "False", "(6,)"), -1, body, size), SHF_E_UNSUPPORTED, "1 dimensions");
    refuse(make(1, 0, head("'<f4'", "False", "(1, 2, 3)"), -1, body, size), SHF_E_UNSUPPORTED, "3 dimensions");
    refuse(make(4, 0, head("'<f4'", "False", "(3, 2)"), -1, body, size), SHF_E_UNSUPPORTED, "version 4.0");
    refuse(make(1, 1, head("'<f4'", "False", "(3, 2)"), -1, body, size), SHF_E_UNSUPPORTED, "version 1.1");
}

static void test_headers_refused(void **state) {
    (void)state;
    uint8_t body[48];
    size_t size = encode(4, false, body);
    static const char *const headers[] = {
        "",
        "{",
        "{}",
        "()",
        "{'descr",
        "{'descr' '<f4'}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'shape': (3, 2)}",
        "{'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), 'shape': (3, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), 'x': 1}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (3, 2)}",
        "{'descr': '<f4', 'fortran_order': Falsehood, 'shape': (3, 2)}",
        "{'descr': '<f4', 'fortran_order': False 'shape': (3, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [3, 2]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3.0, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)} x",
        "{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (3, 2)}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        refuse(make(1, 0, headers[i], -1, body, size), SHF_E_CORRUPT, "header");
    }
}

static void test_sizes_refused(void **state) {
    (void)state;
    uint8_t body[49] = {0};
    size_t size = encode(4, false, body);
    const char *good = head("'<f4'", "False", "(3, 2)");
    refuse(make(1, 0, good, -1, body, size - 1), SHF_E_CORRUPT, "3 rows of 2 float32, but 23 bytes follow");
    refuse(make(1, 0, good, -1, body, size + 1), SHF_E_CORRUPT, "25 bytes follow");
    refuse(make(2, 0, good, SHF_LIMIT_NPY_HEADER_BYTES + 1, body, size), SHF_E_LIMIT, "10001 bytes; at most 10000");
    refuse(make(3, 0, good, 0x7fffffff, body, size), SHF_E_LIMIT, "at most 10000");
    refuse(make(1, 0, good, 9000, body, size), SHF_E_CORRUPT, "ends within its header");
    refuse(make(1, 0, head("'<f8'", "False", "(18446744073709551615, 2)"), -1, body, size), SHF_E_CORRUPT, "rows of 2");
    refuse(make(1, 0, head("'<f8'", "False", "(4294967296, 4294967296)"), -1, body, 0), SHF_E_CORRUPT, "0 bytes follow");
    char longest[SHF_LIMIT_NPY_HEADER_BYTES + 1];
    (void)snprintf(longest, sizeof longest, "%-*s", (int)SHF_LIMIT_NPY_HEADER_BYTES, head("'<f4'", "False", "(3, 2)"));
    accept(make(1, 0, longest, -1, body, size), 3, 2, numbers);
}

/* Every prefix of a good file is refused, and reads nothing beyond it. */
static void test_cuts(void **state) {
    (void)state;
    uint8_t body[48];
    for (unsigned version = 1; version <= 3; version++) {
        struct file whole = make(version, 0, head("'<f4'", "False", "(3, 2)"), -1, body, encode(4, false, body));
        for (size_t size = 0; size < whole.size; size++) {
            struct file cut = {malloc(size ? size : 1), size};
            memcpy(cut.bytes, whole.bytes, size);
            refuse(cut, SHF_E_CORRUPT, size < 10 ? "no .npy file" : "");
        }
        free(whole.bytes);
    }
}

/* What is written is read, bit for bit; the header is NumPy's. */
static void test_written(void **state) {
    (void)state;
    static const struct {
        uint64_t rows, columns;
        const char *shape;
    } shapes[] = {{1, 1, "(1, 1)"}, {3, 8, "(3, 8)"}, {32768, 2, "(32768, 2)"}, {63, 8192, "(63, 8192)"}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        size_t count = (size_t)(shapes[i].rows * shapes[i].columns),
               size = shf_npy_size(shapes[i].rows, shapes[i].columns);
        float *items = malloc(count * sizeof *items);
        double *read = malloc(count * sizeof *read);
        uint8_t *bytes = malloc(size);
        char text[128];
        struct shf_npy npy;
        struct shf_error *error = NULL;
        assert_int_equal(size, 128 + 4 * count);
        for (size_t item = 0; item < count; item++)
            items[item] = (float)(1 / (1.0 + (double)item)) * (item % 2 ? 1 : -1);
        shf_npy_write(items, shapes[i].rows, shapes[i].columns, bytes);
        expect_ok(shf_npy_parse(bytes, size, &npy, &error), error);
        assert_true(npy.rows == shapes[i].rows && npy.columns == shapes[i].columns && npy.item_bytes == 4);
        shf_npy_read(&npy, read);
        for (size_t item = 0; item < count; item++) assert_true(read[item] == (double)items[item]);
        (void)snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, } ", shapes[i].shape);
        assert_memory_equal(bytes, "\x93NUMPY\1\0\x76\0", 10);
        assert_memory_equal(bytes + 10, text, strlen(text));
        assert_int_equal(bytes[127], '\n');
        free(items);
        free(read);
        free(bytes);
    }
    assert_int_equal(shf_npy_size(UINT64_MAX, 2), 0);
    assert_int_equal(shf_npy_size(UINT64_MAX / 8, 2), 0);
    assert_int_equal(shf_npy_size(1, UINT64_MAX / 4), 0);
}

/* What the Python project wrote. */
static void test_peer(void **state) {
    (void)state;
    static const struct {
        const char *path;
        uint64_t rows, columns;
    } files[] = {
        {"fixtures/peer/vector-cluster-sqlitevec/snapshot/vector_meta/run_id=caf8707b-ce8e-494b-9177-9442b905f3b1/"
         "centroids.npy",
         3, 8},
        {"fixtures/peer/vector-lsh-sqlitevec/snapshot/vector_meta/run_id=75f88629-1ab9-46af-b7c0-5748fa53bb06/"
         "hyperplanes.npy",
         6, 4}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = shared_path(files[i].path);
        if (!path) skip();
        struct shf_npy npy;
        struct shf_error *error = NULL;
        double items[24];
        size_t size;
        uint8_t *bytes = load_file(path, &size);
        expect_ok(shf_npy_parse(bytes, size, &npy, &error), error);
        assert_true(npy.rows == files[i].rows && npy.columns == files[i].columns && npy.item_bytes == 4);
        shf_npy_read(&npy, items);
        for (size_t item = 0; item < npy.rows * npy.columns; item++) {
            assert_true(isfinite(items[item]) && items[item] != 0 && fabs(items[item]) < 10);
        }
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_written),       cmocka_unit_test(test_types),
                                       cmocka_unit_test(test_halves),        cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_types_refused), cmocka_unit_test(test_headers_refused),
                                       cmocka_unit_test(test_sizes_refused), cmocka_unit_test(test_cuts),
                                       cmocka_unit_test(test_peer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
