#include "cli/build/build_lines.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (128u << 10)

void cli_line_reader_init(struct cli_line_reader *reader, struct cli_stream *stream, size_t longest) {
    *reader = (struct cli_line_reader){.stream = stream, .longest = longest, .chunk = cli_alloc(CHUNK_BYTES)};
}

void cli_line_reader_free(struct cli_line_reader *reader) {
    free(reader->chunk);
    *reader = (struct cli_line_reader){0};
}

char *cli_line_reader_next(struct cli_line_reader *reader, struct cli_out *text, enum cli_line *line) {
    size_t start = text->size;
    bool too_long = false, begun = false;
    for (;;) {
        if (reader->begin == reader->end && !reader->ended) {
            char *error = cli_stream_read(reader->stream, reader->chunk, CHUNK_BYTES, &reader->end);
            reader->begin = 0;
            reader->ended = !reader->end;
            if (error) return error;
        }
        if (reader->stream->stopped) {
            *line = CLI_LINE_STOPPED;
            return NULL;
        }
        size_t there = reader->end - reader->begin;
        char *from = reader->chunk + reader->begin;
        char *newline = there ? memchr(from, '\n', there) : NULL;
        size_t piece = newline ? (size_t)(newline - from) : there;
        too_long |= piece > reader->longest - (text->size - start);
        if (too_long)
            text->size = start;
        else if (piece)
            cli_out_bytes(text, from, piece);
        reader->begin += piece + (newline ? 1 : 0);
        begun |= there > 0;
        if (!newline && !reader->ended) continue;
        *line = too_long ? CLI_LINE_TOO_LONG : begun ? CLI_LINE_READY : CLI_LINE_END;
        return NULL;
    }
}
