#include "cli/build/build_source.h"

#include "cli/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PACKED_FACTOR 4u /* how much larger text is than what gzip or zstd makes of it: a guess */

static char *measure(struct cli_source *s, const char *name) {
    struct cli_stream stream;
    struct stat about;
    bool from_stdin = !strcmp(name, "-");
    if (from_stdin ? fstat(0, &about) : stat(name, &about)) {
        return cli_format("%s: %s", name, cli_errno_text(errno));
    }
    /* Of standard input nothing may be read here, nor of a pipe. */
    if (from_stdin || (!S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode))) {
        s->has_total = false;
        return NULL;
    }
    char *error = cli_stream_open(&stream, name, 0, NULL);
    s->total += stream.size;
    s->unpacked += stream.size * (stream.packing ? PACKED_FACTOR : 1u);
    cli_stream_close(&stream);
    return error;
}

char *cli_source_open(struct cli_source *source, const struct cli_list *inputs, uint64_t memory_bytes, size_t longest,
                      const struct cli_idle *idle) {
    *source = (struct cli_source){.inputs = inputs,
                                  .memory_bytes = memory_bytes,
                                  .longest = longest,
                                  .idle = idle,
                                  .stream = {.fd = -1},
                                  .has_total = true,
                                  .lines_before = cli_alloc_array(inputs->count, sizeof *source->lines_before)};
    char *error = NULL;
    for (size_t i = 0; !error && i < inputs->count; i++) error = measure(source, inputs->items[i]);
    return error;
}

static void close_input(struct cli_source *s) {
    s->taken_before += s->stream.taken;
    cli_line_reader_free(&s->reader);
    cli_stream_close(&s->stream);
    s->reading = false;
}

void cli_source_close(struct cli_source *source) {
    close_input(source);
    free(source->lines_before);
    source->lines_before = NULL;
}

char *cli_source_next(struct cli_source *source, struct cli_out *text, enum cli_line *line) {
    struct cli_source *s = source;
    for (;;) {
        if (!s->reading) {
            *line = CLI_LINE_END;
            if (s->opened == s->inputs->count) return NULL;
            s->lines_before[s->opened] = s->lines;
            char *error = cli_stream_open(&s->stream, s->inputs->items[s->opened++], s->memory_bytes, s->idle);
            if (error) return error;
            cli_line_reader_init(&s->reader, &s->stream, s->longest);
            s->reading = true;
        }
        char *error = cli_line_reader_next(&s->reader, text, line);
        if (error || *line == CLI_LINE_STOPPED) return error;
        if (*line != CLI_LINE_END) {
            s->lines++;
            return NULL;
        }
        close_input(s);
    }
}

uint64_t cli_source_taken(const struct cli_source *source) { return source->taken_before + source->stream.taken; }

char *cli_source_place(const struct cli_source *source, uint64_t number) {
    size_t i = source->opened;
    while (i > 1 && source->lines_before[i - 1] >= number) i--;
    if (!i) return cli_format("line %llu", (unsigned long long)number);
    const char *name = source->inputs->items[i - 1];
    return cli_format("%s:%llu", strcmp(name, "-") != 0 ? name : "standard input",
                      (unsigned long long)(number - source->lines_before[i - 1]));
}
