/* Lines of a descriptor, and vectors of .npy files. */
#include "cli_test.h"

#include "cli/lines.h"
#include "cli/npy.h"
#include "cli/query_file.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static void lines_of_a_pipe(void **state) {
    struct cli_lines lines;
    char *line;
    size_t size;
    int fds[2];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    cli_lines_init(&lines, fds[0]);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_WAIT);
    assert_int_equal(write(fds[1], "one\n\ntw", 7), 7);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_READY);
    assert_int_equal(size, 3);
    assert_memory_equal(line, "one", 3);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_READY);
    assert_int_equal(size, 0);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_WAIT);
    assert_int_equal(write(fds[1], "o\0\r\nlast", 8), 8);
    close(fds[1]);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_READY);
    assert_int_equal(size, 5);
    assert_memory_equal(line, "two\0\r", 5);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_READY);
    assert_int_equal(size, 4);
    assert_int_equal(lines.number, 4);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_END);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_END);
    cli_lines_free(&lines);
    close(fds[0]);
}

static void a_line_that_is_too_long_is_skipped(void **state) {
    struct cli_lines lines;
    char *line, chunk[65536];
    size_t size;
    FILE *file = tmpfile();
    (void)state;
    assert_non_null(file);
    fputs("a\n", file);
    memset(chunk, 'x', sizeof chunk);
    for (size_t i = 0; i < CLI_LINE_BYTES / sizeof chunk * 2 + 1; i++) fwrite(chunk, 1, sizeof chunk, file);
    fputs("\nb\n", file);
    fflush(file);
    lseek(fileno(file), 0, SEEK_SET);
    cli_lines_init(&lines, fileno(file));
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_READY);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_TOO_LONG);
    assert_int_equal(lines.number, 2);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_READY);
    assert_int_equal(size, 1);
    assert_memory_equal(line, "b", 1);
    assert_int_equal(cli_lines_next(&lines, &line, &size), CLI_INPUT_END);
    assert_true(lines.capacity <= 2 * CLI_LINE_BYTES + 65536);
    cli_lines_free(&lines);
    fclose(file);
}

static void a_directory_can_not_be_read(void **state) {
    struct cli_query_file file;
    (void)state;
    assert_wrong(cli_query_file_open(&file, "/"), "/: is a directory");
    cli_query_file_close(&file);
    assert_wrong(cli_query_file_open(&file, "/nowhere.npy"), "/nowhere.npy: No such file");
    cli_query_file_close(&file);
}

/* A .npy of the given version around a header text. */
static size_t make_npy(unsigned char *out, int version, const char *header) {
    size_t length = strlen(header), prefix = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[7] = 0;
    memset(out + 8, 0, 4);
    out[8] = (unsigned char)length;
    out[9] = (unsigned char)(length >> 8);
    memcpy(out + prefix, header, length);
    return prefix + length;
}

static void headers(void **state) {
    unsigned char data[512];
    struct cli_npy npy;
    (void)state;
    size_t size = make_npy(data, 1, "{'descr': '<f2', 'fortran_order': False, 'shape': (3000, 384), }   \n");
    assert_right(cli_npy_parse(data, size, &npy));
    assert_true(npy.rows == 3000 && npy.dimension == 384 && npy.item_bytes == 2 && !npy.big_endian);
    assert_int_equal(npy.data_offset, size);
    size = make_npy(data, 3, "{'descr': '>f8', 'fortran_order': True, 'shape': (5,), }\n");
    assert_right(cli_npy_parse(data, size, &npy));
    assert_true(npy.rows == 1 && npy.dimension == 5 && npy.item_bytes == 8 && npy.big_endian);
    assert_wrong(cli_npy_parse(data, size - 1, &npy), "ends within its header");
}

static void wrong_headers(void **state) {
    static const struct {
        const char *header, *part;
    } cases[] = {
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (3, 4), }", "its type is <i4"},
        {"{'descr': '|S4', 'fortran_order': False, 'shape': (3, 4), }", "its type is |S4"},
        {"{'descr': '<c16', 'fortran_order': False, 'shape': (3, 4), }", "its type is <c16"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", "'descr' is not"},
        {"{'fortran_order': False, 'shape': (3,), }", "'descr' is not"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }", "fortran_order"},
        {"{'descr': '<f4', 'shape': (3, 4), }", "'fortran_order' is missing"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "'shape' is not"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }", "'shape' is not"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "'shape' is not"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 0), }", "0 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 65537), }", "65537 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "'shape' is not"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3", "'shape' is not"},
        {"{'descr': '<f4', 'fortran_order': False}", "no 'shape'"},
        {"", "'descr' is not"},
    };
    unsigned char data[512];
    struct cli_npy npy;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_wrong(cli_npy_parse(data, make_npy(data, 1, cases[i].header), &npy), cases[i].part);
    }
    make_npy(data, 4, "");
    assert_wrong(cli_npy_parse(data, 12, &npy), "version 4");
    assert_wrong(cli_npy_parse("\x93NUMPY\1\0\xff\xff", 10, &npy), "more than 10000 bytes");
    assert_wrong(cli_npy_parse("PK\x03\x04"
                               "000000",
                               10, &npy),
                 "not a .npy file");
    assert_wrong(cli_npy_parse("\x93NUMP", 5, &npy), "not a .npy file");
}

static void rows(void **state) {
    struct cli_npy half = {.rows = 1, .dimension = 6, .item_bytes = 2};
    struct cli_npy wide = {.rows = 1, .dimension = 1, .item_bytes = 8, .big_endian = true};
    float out[6];
    (void)state;
    /* 1, -2, 65504 (largest), 2^-14 (smallest normal), 2^-24 (smallest), -0 */
    assert_true(cli_npy_row(&half, "\x00\x3c\x00\xc0\xff\x7b\x00\x04\x01\x00\x00\x80", out));
    assert_true(out[0] == 1.0f && out[1] == -2.0f && out[2] == 65504.0f && out[3] == 0x1p-14f && out[4] == 0x1p-24f);
    assert_true(out[5] == 0.0f && signbit(out[5]));
    half.dimension = 1;
    assert_false(cli_npy_row(&half, "\x00\x7c", out)); /* infinite */
    assert_false(cli_npy_row(&half, "\x01\x7e", out)); /* NaN */
    assert_true(cli_npy_row(&wide, "\x3f\xf8\x00\x00\x00\x00\x00\x00", out));
    assert_true(out[0] == 1.5f);
    assert_false(cli_npy_row(&wide, "\x7f\xe0\x00\x00\x00\x00\x00\x00", out)); /* above every float32 */
}

static void files_of_vectors(void **state) {
    unsigned char data[512];
    char name[] = "/tmp/shf-npy-XXXXXX";
    struct cli_query query = {0};
    struct cli_query_file file;
    char *error = NULL;
    (void)state;
    size_t size = make_npy(data, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }");
    memcpy(data + size, "\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40\x00\x00\x80\x40", 16);
    int fd = mkstemp(name);
    assert_int_equal(write(fd, data, size + 16), size + 16);
    assert_wrong(cli_query_from_file(name, &query), "2 vectors; --vector-file wants one");
    assert_right(cli_query_file_open(&file, name));
    assert_int_equal(cli_query_file_next(&file, &query, &error), CLI_INPUT_READY);
    cli_query_free(&query);
    assert_int_equal(cli_query_file_next(&file, &query, &error), CLI_INPUT_READY);
    assert_true(query.dimension == 2 && query.vector[0] == 3.0f && query.vector[1] == 4.0f);
    cli_query_free(&query);
    assert_int_equal(cli_query_file_next(&file, &query, &error), CLI_INPUT_END);
    assert_null(error);
    cli_query_file_close(&file);
    assert_int_equal(ftruncate(fd, (off_t)size + 15), 0);
    assert_wrong(cli_query_file_open(&file, name), "cut short");
    cli_query_file_close(&file);
    close(fd);
    unlink(name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_pipe),
        cmocka_unit_test(a_line_that_is_too_long_is_skipped),
        cmocka_unit_test(a_directory_can_not_be_read),
        cmocka_unit_test(headers),
        cmocka_unit_test(wrong_headers),
        cmocka_unit_test(rows),
        cmocka_unit_test(files_of_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
