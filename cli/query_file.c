#include "cli/query_file.h"

#include "cli/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Up to `size` bytes at `offset`; fewer at the end of the file. */
static ssize_t read_at(int fd, void *data, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        if (!n) break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

/* The rows must all be there before the first is asked. */
static char *check_size(const struct cli_query_file *file) {
    struct stat about;
    uint64_t row_bytes = (uint64_t)file->npy.dimension * file->npy.item_bytes, bytes;
    if (fstat(file->fd, &about)) return cli_strdup(cli_errno_text(errno));
    if (__builtin_mul_overflow(row_bytes, file->npy.rows, &bytes) ||
        __builtin_add_overflow(bytes, file->npy.data_offset, &bytes) || bytes > (uint64_t)about.st_size) {
        return cli_format("it is cut short: %llu rows do not fit into %llu bytes", (unsigned long long)file->npy.rows,
                          (unsigned long long)about.st_size);
    }
    return NULL;
}

static char *open_npy(struct cli_query_file *file, const unsigned char *start, size_t size) {
    size_t header_size;
    char *error = cli_npy_header_size(start, size, &header_size);
    if (error) return error;
    unsigned char *header = cli_alloc(header_size);
    ssize_t n = read_at(file->fd, header, header_size, 0);
    if (n < 0)
        error = cli_strdup(cli_errno_text(errno));
    else
        error = cli_npy_parse(header, (size_t)n, &file->npy);
    free(header);
    if (!error) error = check_size(file);
    if (error) return error;
    file->is_npy = true;
    file->row = cli_alloc_array(file->npy.dimension, file->npy.item_bytes);
    return NULL;
}

static char *open_file(struct cli_query_file *file) {
    unsigned char start[CLI_NPY_PREFIX_BYTES];
    struct stat about;
    file->fd = open(file->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file->fd < 0) return cli_strdup(cli_errno_text(errno));
    file->own_fd = true;
    if (fstat(file->fd, &about)) return cli_strdup(cli_errno_text(errno));
    if (S_ISDIR(about.st_mode)) return cli_strdup("is a directory");
    if (!S_ISREG(about.st_mode)) return NULL; /* a pipe: JSON lines */
    ssize_t n = read_at(file->fd, start, sizeof start, 0);
    if (n < 0) return cli_strdup(cli_errno_text(errno));
    return cli_npy_is(start, (size_t)n) ? open_npy(file, start, (size_t)n) : NULL;
}

char *cli_query_file_open(struct cli_query_file *file, const char *name) {
    *file = (struct cli_query_file){.name = name, .fd = STDIN_FILENO};
    char *wrong = strcmp(name, "-") ? open_file(file) : NULL;
    if (wrong) {
        char *error = cli_format("%s: %s", name, wrong);
        free(wrong);
        return error;
    }
    cli_lines_init(&file->lines, file->fd);
    return NULL;
}

void cli_query_file_close(struct cli_query_file *file) {
    if (file->own_fd) close(file->fd);
    cli_lines_free(&file->lines);
    free(file->row);
    *file = (struct cli_query_file){.fd = -1};
}

static enum cli_input next_row(struct cli_query_file *file, struct cli_query *out, char **error) {
    size_t row_bytes = (size_t)file->npy.dimension * file->npy.item_bytes;
    uint64_t row = file->next_row;
    if (row == file->npy.rows) return CLI_INPUT_END;
    ssize_t n = read_at(file->fd, file->row, row_bytes, file->npy.data_offset + row * row_bytes);
    if (n != (ssize_t)row_bytes) {
        *error = cli_format("%s: row %llu: %s", file->name, (unsigned long long)row,
                            n < 0 ? cli_errno_text(errno) : "the file ends here");
        return CLI_INPUT_FAILED;
    }
    file->next_row++;
    out->dimension = file->npy.dimension;
    out->vector = cli_alloc_array(out->dimension, sizeof *out->vector);
    if (!cli_npy_row(&file->npy, file->row, out->vector)) {
        *error = cli_format("%s: row %llu has an element that is no finite float32", file->name, (unsigned long long)row);
    }
    return CLI_INPUT_READY;
}

enum cli_input cli_query_file_next(struct cli_query_file *file, struct cli_query *out, char **error) {
    const char *name = file->own_fd ? file->name : "standard input";
    char *line, *wrong;
    size_t size;
    if (file->is_npy) return next_row(file, out, error);
    enum cli_input input = cli_lines_next(&file->lines, &line, &size);
    switch (input) {
    case CLI_INPUT_READY:
        wrong = cli_query_from_json(line, size, out);
        if (wrong) *error = cli_format("%s: line %llu: %s", name, file->lines.number, wrong);
        free(wrong);
        return input;
    case CLI_INPUT_TOO_LONG:
        *error = cli_format("%s: line %llu is longer than %u bytes", name, file->lines.number, CLI_LINE_BYTES);
        return CLI_INPUT_READY;
    case CLI_INPUT_FAILED: *error = cli_format("%s: %s", name, cli_errno_text(file->lines.error_number)); return input;
    default: return input;
    }
}

char *cli_query_from_file(const char *name, struct cli_query *out) {
    struct cli_query_file file;
    char *error = cli_query_file_open(&file, name);
    if (!error && !file.is_npy) error = cli_format("%s: not a .npy file", name);
    if (!error && file.npy.rows != 1) {
        error = cli_format("%s: %llu vectors; --vector-file wants one, --queries takes many", name,
                           (unsigned long long)file.npy.rows);
    }
    if (!error) cli_query_file_next(&file, out, &error);
    cli_query_file_close(&file);
    return error;
}
