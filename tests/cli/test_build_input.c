/* Inputs of a build: plain, gzip, zstd; lines; several in a row. */
#include "build_test.h"

#include "cli/build/build_batch.h"
#include "cli/build/build_source.h"
#include "cli/memory.h"

#include <sys/stat.h>

static const char text[] = "{\"key\":1}\n\n{\"key\":2}\r\nlast";
#define TEXT_SIZE (sizeof text - 1)

/* Everything that a stream gives, in pieces of `piece` bytes. The error, or NULL. */
static char *read_all(const char *name, size_t piece, struct cli_out *all) {
    struct cli_stream stream;
    char buffer[4096];
    size_t got = 1;
    cli_out_init(all, -1);
    cli_out_string(all, "");
    char *error = cli_stream_open(&stream, name, 0, NULL);
    while (!error && got) {
        error = cli_stream_read(&stream, buffer, piece, &got);
        if (!error) cli_out_bytes(all, buffer, got);
    }
    cli_stream_close(&stream);
    return error;
}

/* The file of these bytes reads as `expected`, whatever the size of the pieces. */
static void reads_as(const void *data, size_t size, const void *expected, size_t expected_size) {
    static const size_t pieces[] = {1, 3, 4096};
    char name[FILE_NAME_BYTES];
    make_file(name, data, size);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct cli_out all;
        assert_right(read_all(name, pieces[i], &all));
        assert_int_equal(all.size, expected_size);
        assert_memory_equal(all.data, expected, expected_size);
        cli_out_free(&all);
    }
    unlink(name);
}

static void is_wrong(const void *data, size_t size, const char *part) {
    char name[FILE_NAME_BYTES];
    struct cli_out all;
    make_file(name, data, size);
    char *error = read_all(name, 4096, &all);
    assert_non_null(error);
    assert_non_null(strstr(error, name));
    assert_wrong(error, part);
    cli_out_free(&all);
    unlink(name);
}

static void plain_files(void **state) {
    struct cli_out all;
    (void)state;
    reads_as(text, TEXT_SIZE, text, TEXT_SIZE);
    reads_as("", 0, "", 0);
    reads_as("\x1f", 1, "\x1f", 1);
    reads_as("\x28\xb5\x2f", 3, "\x28\xb5\x2f", 3);
    assert_wrong(read_all("/", 1, &all), "/: is a directory");
    cli_out_free(&all);
    assert_wrong(read_all("/nowhere.jsonl", 1, &all), "/nowhere.jsonl: No such file");
    cli_out_free(&all);
}

static void packed(size_t (*pack)(unsigned char *, const void *, size_t), const char *cut, const char *damaged) {
    unsigned char data[TEST_BYTES * 2];
    char twice[TEXT_SIZE * 2 + 1];
    size_t size = pack(data, text, TEXT_SIZE);
    reads_as(data, size, text, TEXT_SIZE);
    /* Cut anywhere; the first four bytes tell what it is. */
    for (size_t i = 4; i < size; i++) is_wrong(data, i, cut);
    /* Two members, an empty one too. */
    size_t more = pack(data + size, "", 0);
    more += pack(data + size + more, text, TEXT_SIZE);
    snprintf(twice, sizeof twice, "%s%s", text, text);
    reads_as(data, size + more, twice, TEXT_SIZE * 2);
    is_wrong(data, size + more - 1, cut);
    memcpy(data + size, "garbage", 7);
    is_wrong(data, size + 7, damaged);
    for (size_t i = 4; i < size; i++) data[i] ^= 0x55;
    char name[FILE_NAME_BYTES];
    struct cli_out all;
    make_file(name, data, size);
    char *error = read_all(name, 4096, &all);
    assert_non_null(error);
    free(error);
    cli_out_free(&all);
    unlink(name);
}

static void gzip_files(void **state) {
    unsigned char data[TEST_BYTES];
    (void)state;
    packed(gzip_bytes, "cut short: it ends within its gzip data", "what follows its gzip data is not gzip");
    size_t size = gzip_bytes(data, text, TEXT_SIZE);
    memset(data + size, 0, 100); /* padding to a tape's block */
    reads_as(data, size + 100, text, TEXT_SIZE);
    data[size - 5] ^= 1; /* the checksum */
    is_wrong(data, size, "its gzip data is damaged");
}

static void zstd_files(void **state) {
    unsigned char data[TEST_BYTES];
    (void)state;
    packed(zstd_bytes, "cut short: it ends within its zstd data", "its zstd data is damaged");
    memcpy(data, "\x53\x2a\x4d\x18\x03\0\0\0abc", 11); /* a frame to be skipped */
    size_t size = zstd_bytes(data + 11, text, TEXT_SIZE);
    reads_as(data, size + 11, text, TEXT_SIZE);
}

/* What unpacks to far more than a buffer holds. */
static void large_ratio(void **state) {
    size_t size = 3u << 20;
    char *zeros = cli_alloc(size);
    unsigned char *data = cli_alloc(1u << 20);
    (void)state;
    memset(zeros, ' ', size);
    size_t packed_size = ZSTD_compress(data, 1u << 20, zeros, size, 3);
    reads_as(data, packed_size, zeros, size);
    z_stream packer = {0};
    deflateInit2(&packer, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    packer.next_in = (unsigned char *)zeros;
    packer.avail_in = (unsigned)size;
    packer.next_out = data;
    packer.avail_out = 1u << 20;
    assert_int_equal(deflate(&packer, Z_FINISH), Z_STREAM_END);
    reads_as(data, (1u << 20) - packer.avail_out, zeros, size);
    deflateEnd(&packer);
    free(zeros);
    free(data);
}

static void windows_are_bounded(void **state) {
    ZSTD_CCtx *packer = ZSTD_createCCtx();
    unsigned char data[TEST_BYTES];
    struct cli_out all;
    char name[FILE_NAME_BYTES];
    size_t size = 64u << 20;
    char *zeros = cli_alloc(size);
    (void)state;
    ZSTD_CCtx_setParameter(packer, ZSTD_c_windowLog, 27);
    ZSTD_CCtx_setParameter(packer, ZSTD_c_contentSizeFlag, 0);
    size_t packed_size = ZSTD_compress2(packer, data, sizeof data, zeros, size);
    assert_false(ZSTD_isError(packed_size));
    make_file(name, data, packed_size);
    assert_wrong(read_all(name, 4096, &all), "a window of more than 8 MiB; give more with --memory-budget");
    cli_out_free(&all);
    unlink(name);
    free(zeros);
    ZSTD_freeCCtx(packer);
}

static void lines_of_several_inputs(void **state) {
    static const struct {
        const char *line;
        enum cli_line state;
        const char *place;
    } expected[] = {
        {"{\"key\":1}", CLI_LINE_READY, ":1"}, {"", CLI_LINE_READY, ":2"},    {"{\"key\":2}\r", CLI_LINE_READY, ":3"},
        {"last", CLI_LINE_READY, ":4"},        {"one", CLI_LINE_READY, ":1"}, {"", CLI_LINE_TOO_LONG, ":2"},
        {"two", CLI_LINE_READY, ":3"},
    };
    char names[3][FILE_NAME_BYTES];
    const char *items[3];
    struct cli_list list = {items, 3};
    struct cli_source source;
    struct cli_out line;
    enum cli_line line_state;
    (void)state;
    make_file(names[0], text, TEXT_SIZE);
    make_file(names[1], "", 0);
    make_file(names[2], "one\n0123456789abc\ntwo\n", 22);
    for (int i = 0; i < 3; i++) items[i] = names[i];
    assert_right(cli_source_open(&source, &list, 0, 12, NULL));
    assert_true(source.has_total && source.total == TEXT_SIZE + 22);
    cli_out_init(&line, -1);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        line.size = 0;
        cli_out_string(&line, "before");
        assert_right(cli_source_next(&source, &line, &line_state));
        assert_int_equal(line_state, expected[i].state);
        assert_string_equal(line_state == CLI_LINE_READY ? line.data + 6 : "", expected[i].line);
        assert_int_equal(source.lines, i + 1);
    }
    assert_right(cli_source_next(&source, &line, &line_state));
    assert_int_equal(line_state, CLI_LINE_END);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        char *place = cli_source_place(&source, i + 1),
             *wanted = cli_format("%s%s", names[i < 4 ? 0 : 2], expected[i].place);
        assert_string_equal(place, wanted);
        free(place);
        free(wanted);
    }
    assert_true(cli_source_taken(&source) == TEXT_SIZE + 22);
    cli_source_close(&source);
    cli_out_free(&line);
    for (int i = 0; i < 3; i++) unlink(names[i]);
}

static void sizes_of_inputs(void **state) {
    unsigned char data[TEST_BYTES];
    char names[2][FILE_NAME_BYTES];
    const char *items[2] = {names[0], names[1]};
    struct cli_list one = {items, 1}, two = {items, 2};
    struct cli_source source;
    (void)state;
    size_t size = gzip_bytes(data, text, TEXT_SIZE);
    make_file(names[0], data, size);
    make_file(names[1], "", 0);
    unlink(names[1]);
    assert_int_equal(mkfifo(names[1], 0600), 0);
    assert_right(cli_source_open(&source, &one, 0, 100, NULL));
    assert_true(source.has_total && source.total == size && source.unpacked == 4 * size);
    cli_source_close(&source);
    /* A pipe: its size is not known, and nothing is read of it yet. */
    assert_right(cli_source_open(&source, &two, 0, 100, NULL));
    assert_false(source.has_total);
    cli_source_close(&source);
    unlink(names[1]);
    assert_wrong(cli_source_open(&source, &two, 0, 100, NULL), "No such file");
    cli_source_close(&source);
    unlink(names[0]);
}

/* Lines of a file as batches; returns the number of rows, and what was wrong in `errors`. */
static size_t rows_of(const char *data, bool stop, size_t longest, struct cli_out *errors) {
    char name[FILE_NAME_BYTES];
    const char *items[1] = {name};
    struct cli_list one = {items, 1};
    struct cli_source source;
    struct cli_batch batch;
    struct cli_feed feed = {.source = &source, .stop_at_error = stop};
    size_t rows = 0;
    make_file(name, data, strlen(data));
    assert_right(cli_source_open(&source, &one, 0, longest, NULL));
    cli_batch_init(&batch);
    cli_out_init(errors, -1);
    cli_out_string(errors, "");
    while (!feed.ended) {
        cli_batch_clear(&batch);
        assert_right(cli_batch_fill(&batch, &feed));
        for (size_t i = 0; i < batch.line_count; i++) {
            if (batch.lines[i].error) {
                cli_out_format(errors, "%llu: %.15s; ", (unsigned long long)batch.lines[i].number, batch.lines[i].error);
            }
        }
        rows += batch.row_count;
    }
    cli_batch_free(&batch);
    cli_source_close(&source);
    unlink(name);
    return rows;
}

static void batches(void **state) {
    static const char lines[] =
        "{\"key\":\"a\",\"value\":\"1\"}\n \t\r\n{\"key\":\"b\"}\n{\"key\":\"c\",\"value\":\"3\"}\n"
        "{\"key\":\"a long one\",\"value\":\"4444444444444\"}\n{\"key\":\"d\",\"value\":\"5\"}";
    struct cli_out errors;
    (void)state;
    assert_int_equal(rows_of(lines, false, 30, &errors), 3);
    assert_string_equal(errors.data, "3: it has no value; 5: a line of more ; ");
    cli_out_free(&errors);
    assert_int_equal(rows_of(lines, true, 30, &errors), 1);
    assert_string_equal(errors.data, "3: it has no value; 5: a line of more ; ");
    cli_out_free(&errors);
    assert_int_equal(rows_of("", false, 30, &errors), 0);
    assert_string_equal(errors.data, "");
    cli_out_free(&errors);
}

/* Every row of many batches is there once, in order, with the number of its line. */
static void many_batches(void **state) {
    char name[FILE_NAME_BYTES];
    const char *items[1] = {name};
    struct cli_list one = {items, 1};
    struct cli_source source;
    struct cli_batch batch;
    struct cli_feed feed = {.source = &source};
    struct cli_out all;
    uint64_t next = 1;
    unsigned count = 0;
    (void)state;
    cli_out_init(&all, -1);
    for (int i = 1; i <= 20000; i++) cli_out_format(&all, "{\"key\":%d,\"value\":\"%0*d\"}\n", i, i % 300 + 1, i);
    make_file(name, all.data, all.size);
    cli_out_free(&all);
    assert_right(cli_source_open(&source, &one, 0, 1000, NULL));
    cli_batch_init(&batch);
    for (; !feed.ended; count++) {
        cli_batch_clear(&batch);
        assert_right(cli_batch_fill(&batch, &feed));
        assert_true(batch.text.size <= CLI_BATCH_BYTES + 1000);
        for (size_t i = 0; i < batch.row_count; i++, next++) {
            char value[400];
            assert_true(batch.given[i].key.as.int_value == (int64_t)next && batch.given[i].origin == next);
            size_t size = (size_t)snprintf(value, sizeof value, "%0*d", (int)(next % 300 + 1), (int)next);
            assert_int_equal(batch.given[i].value.size, size);
            assert_memory_equal(batch.given[i].value.data, value, size);
        }
    }
    assert_true(next == 20001 && count > 5);
    cli_batch_free(&batch);
    cli_source_close(&source);
    unlink(name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_files),         cmocka_unit_test(gzip_files),
        cmocka_unit_test(zstd_files),          cmocka_unit_test(large_ratio),
        cmocka_unit_test(windows_are_bounded), cmocka_unit_test(lines_of_several_inputs),
        cmocka_unit_test(sizes_of_inputs),     cmocka_unit_test(batches),
        cmocka_unit_test(many_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
