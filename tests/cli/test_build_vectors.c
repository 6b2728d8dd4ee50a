/* Files of vectors beside the lines. */
#include "build_test.h"

#include "cli/build/build_batch.h"
#include "cli/build/build_vectors.h"
#include "cli/memory.h"

/* A .npy of float32 with two columns. */
static size_t make_npy(unsigned char *out, unsigned rows, const float *data) {
    char header[118];
    int size = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%u, 2), }", rows);
    memset(header + size, ' ', sizeof header - (size_t)size);
    memcpy(out, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(out + 10, header, sizeof header);
    memcpy(out + 128, data, rows * 8);
    return 128 + rows * 8;
}

static size_t make_fvecs(unsigned char *out, unsigned rows, const float *data) {
    for (unsigned i = 0; i < rows; i++) {
        memcpy(out + i * 12, "\2\0\0\0", 4);
        memcpy(out + i * 12 + 4, data + i * 2, 8);
    }
    return rows * 12;
}

static const float numbers[6] = {1, 2, -3.5f, 4, 5, 1e-40f};

/* The file has the three rows above. */
static void has_three(const unsigned char *data, size_t size) {
    char name[FILE_NAME_BYTES];
    struct cli_vectors vectors;
    enum cli_vector state;
    uint64_t count;
    float row[2];
    make_file(name, data, size);
    assert_right(cli_vectors_open(&vectors, name, 0, NULL));
    assert_int_equal(vectors.npy.dimension, 2);
    for (unsigned i = 0; i < 3; i++) {
        assert_right(cli_vectors_next(&vectors, row, &state));
        assert_int_equal(state, CLI_VECTOR_READY);
        assert_memory_equal(row, numbers + i * 2, sizeof row);
    }
    assert_right(cli_vectors_next(&vectors, row, &state));
    assert_int_equal(state, CLI_VECTOR_END);
    assert_right(cli_vectors_count(&vectors, &count));
    assert_int_equal(count, 3);
    cli_vectors_close(&vectors);
    assert_right(cli_vectors_open(&vectors, name, 0, NULL));
    assert_right(cli_vectors_count(&vectors, &count));
    assert_int_equal(count, 3);
    cli_vectors_close(&vectors);
    unlink(name);
}

static void both_formats_packed_too(void **state) {
    unsigned char data[TEST_BYTES], packed[TEST_BYTES];
    (void)state;
    for (int fvecs = 0; fvecs < 2; fvecs++) {
        size_t size = fvecs ? make_fvecs(data, 3, numbers) : make_npy(data, 3, numbers);
        has_three(data, size);
        has_three(packed, gzip_bytes(packed, data, size));
        has_three(packed, zstd_bytes(packed, data, size));
    }
}

/* Opens, and reads until something is wrong. */
static void is_wrong(const void *data, size_t size, const char *part) {
    char name[FILE_NAME_BYTES];
    struct cli_vectors vectors;
    enum cli_vector state = CLI_VECTOR_READY;
    float *row = cli_alloc_array(CLI_NPY_MAX_DIMENSION, sizeof *row);
    make_file(name, data, size);
    char *error = cli_vectors_open(&vectors, name, 0, NULL);
    while (!error && state != CLI_VECTOR_END) error = cli_vectors_next(&vectors, row, &state);
    assert_non_null(error);
    assert_non_null(strstr(error, name));
    assert_wrong(error, part);
    cli_vectors_close(&vectors);
    free(row);
    unlink(name);
}

static void wrong_files(void **state) {
    unsigned char data[TEST_BYTES], packed[TEST_BYTES];
    (void)state;
    size_t size = make_npy(data, 3, numbers);
    is_wrong(data, size - 1, "cut short: its header tells of 3 vectors");
    is_wrong(packed, gzip_bytes(packed, data, size - 1), "cut short: it ends within vector 3");
    is_wrong(data, 100, "the file ends within its header");
    is_wrong(data, 9, "not a .npy file");
    size = make_fvecs(data, 3, numbers);
    is_wrong(data, size - 1, "cut short: it ends within vector 3");
    is_wrong(data, size - 9, "cut short: it ends within vector 3");
    data[12] = 3;
    is_wrong(data, size, "vector 2 has 3 numbers, the first has 2");
    is_wrong("PK\x03\x04", 4, "neither .npy nor .fvecs");
    is_wrong("\0\0\0\0", 4, "neither .npy nor .fvecs");
    is_wrong("ab", 2, "neither .npy nor .fvecs");
}

/* Every line takes its vector, a bad one too; blank lines have none. */
static void vectors_of_lines(void **state) {
    static const char lines[] = "{\"key\":1,\"value\":\"\"}\n\n{\"key\":2}\n{\"key\":3,\"value\":\"\"}\n";
    unsigned char data[TEST_BYTES];
    char names[2][FILE_NAME_BYTES];
    const char *items[1] = {names[0]};
    struct cli_list one = {items, 1};
    struct cli_source source;
    struct cli_vectors vectors;
    struct cli_batch batch;
    (void)state;
    make_file(names[0], lines, strlen(lines));
    for (unsigned rows = 2; rows <= 3; rows++) {
        make_file(names[1], data, make_npy(data, rows, numbers));
        assert_right(cli_source_open(&source, &one, 0, 100, NULL));
        assert_right(cli_vectors_open(&vectors, names[1], 0, NULL));
        struct cli_feed feed = {.source = &source, .vectors = &vectors};
        feed.rules = (struct cli_row_rules){.backend = CLI_BACKEND_UNIFIED, .has_vector_file = true, .dimension = 2};
        cli_batch_init(&batch);
        assert_right(cli_batch_fill(&batch, &feed));
        assert_true(feed.ended);
        assert_int_equal(feed.line_total, 3);
        assert_int_equal(feed.vectors_ended, rows == 2);
        assert_int_equal(batch.row_count, rows - 1);
        assert_memory_equal(batch.given[0].vector, numbers, 8);
        if (rows == 3) assert_memory_equal(batch.given[1].vector, numbers + 4, 8);
        cli_batch_free(&batch);
        cli_vectors_close(&vectors);
        cli_source_close(&source);
        unlink(names[1]);
    }
    unlink(names[0]);
}

static void what_is_not_finite_is_a_bad_line(void **state) {
    unsigned char data[TEST_BYTES];
    char names[2][FILE_NAME_BYTES];
    const char *items[1] = {names[0]};
    struct cli_list one = {items, 1};
    struct cli_source source;
    struct cli_vectors vectors;
    struct cli_batch batch;
    (void)state;
    make_file(names[0], "{\"key\":1,\"value\":\"\"}\n", 21);
    size_t size = make_npy(data, 1, numbers);
    memcpy(data + 132, "\0\0\x80\x7f", 4); /* infinite */
    make_file(names[1], data, size);
    assert_right(cli_source_open(&source, &one, 0, 100, NULL));
    assert_right(cli_vectors_open(&vectors, names[1], 0, NULL));
    struct cli_feed feed = {.source = &source, .vectors = &vectors};
    cli_batch_init(&batch);
    assert_right(cli_batch_fill(&batch, &feed));
    assert_int_equal(batch.row_count, 0);
    assert_non_null(strstr(batch.lines[0].error, "its vector, number 1 of "));
    cli_batch_free(&batch);
    cli_vectors_close(&vectors);
    cli_source_close(&source);
    unlink(names[0]);
    unlink(names[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_packed_too),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(vectors_of_lines),
        cmocka_unit_test(what_is_not_finite_is_a_bad_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
