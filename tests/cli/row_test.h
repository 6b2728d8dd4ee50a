/* Lines of JSON for the tests of `shardy build`. */
#ifndef ROW_TEST_H
#define ROW_TEST_H

#include "cli_test.h"

#include "cli/build/build_row.h"
#include "cli/memory.h"

/* A line that was read. Everything lies in memory of exact size, so that a sanitizer sees a read past it. */
struct line {
    char *text;
    struct cli_row_memory memory;
    struct cli_row parsed;
    shf_row row;
};

static inline char *read_bytes(struct line *line, const char *text, size_t size, struct cli_row_rules *rules) {
    *line = (struct line){.text = cli_strndup(text, size)};
    cli_out_init(&line->memory.text, -1);
    char *error = cli_row_parse(line->text, size, rules, &line->memory, 0, &line->parsed);
    if (!error) cli_row_settle(&line->parsed, &line->memory);
    line->row = line->parsed.row;
    return error;
}

static inline char *read_line(struct line *line, const char *text, struct cli_row_rules *rules) {
    return read_bytes(line, text, strlen(text), rules);
}

static inline void line_free(struct line *line) {
    free(line->text);
    cli_row_memory_free(&line->memory);
}

#define assert_slice(slice, text)                                                                                      \
    do {                                                                                                               \
        assert_int_equal((slice).size, strlen(text));                                                                  \
        assert_memory_equal((slice).data, text, strlen(text));                                                         \
    } while (0)

/* The line is wrong, and nothing of it stays. */
#define WRONG(part, words, ...)                                                                                        \
    do {                                                                                                               \
        struct cli_row_rules rules_ = {__VA_ARGS__}, before_ = rules_;                                                 \
        struct line line_;                                                                                             \
        assert_wrong(read_line(&line_, words, &rules_), part);                                                         \
        assert_int_equal(line_.memory.text.size, 0);                                                                   \
        assert_int_equal(line_.memory.float_count, 0);                                                                 \
        assert_int_equal(rules_.backend, before_.backend);                                                             \
        assert_int_equal(rules_.dimension, before_.dimension);                                                         \
        assert_int_equal(rules_.key_kind, before_.key_kind);                                                           \
        line_free(&line_);                                                                                             \
    } while (0)

#endif
